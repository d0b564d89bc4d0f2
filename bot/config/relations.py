"""What targets can get wrong together: names, pins and the order of environments."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.config.faults import did_you_mean
from bot.core.target import Alias, ContainerPin, FilePin, KustomizePin, MarkerPin, Pin, Target


@dataclass(frozen=True, slots=True)
class Between:
    """A fault between targets: the steps to the key that a person should look at, what is wrong and how to fix it."""

    steps: tuple[str | int, ...]
    what: str
    how: str


def relations(targets: Sequence[Target]) -> Iterator[Between]:
    """Every fault between these targets."""
    yield from _same_names(targets)
    yield from _same_pins(targets)
    yield from _same_image_and_model(targets)
    yield from _orders(targets)
    yield from _deadlines(targets)
    yield from _shared_aliases(targets)


def _same_names(targets: Sequence[Target]) -> Iterator[Between]:
    first: dict[str, int] = {}
    for index, target in enumerate(targets):
        if target.name in first:
            what = f"targets[{first[target.name]}] has the same name, {target.name}"
            yield Between(("targets", index, "name"), what, "Give each target a name of its own.")
        first.setdefault(target.name, index)


def _same_pins(targets: Sequence[Target]) -> Iterator[Between]:
    first: dict[tuple[str, str, str], str] = {}
    for index, target in enumerate(targets):
        for number, pin in enumerate(target.pins):
            place = _place(pin, target)
            if place in first:
                what = f"this place is pinned by {first[place]} already: two targets would undo each other"
                yield Between(
                    ("targets", index, "pins", number),
                    what,
                    "Keep it in one target, or set `name:` or `path:`.",
                )
            first.setdefault(place, target.name)


def _place(pin: Pin, target: Target) -> tuple[str, str, str]:
    # Without a name or a path, a place is found by the target's image.
    match pin:
        case KustomizePin():
            return ("kustomize", pin.folder, pin.name or target.image)
        case ContainerPin():
            return ("file", pin.file, f"name {pin.container}" if pin.container else f"image {target.image}")
        case FilePin():
            return (
                "file",
                pin.file,
                f"path {pin.path} {pin.document}" if pin.path else f"image {target.image}",
            )
        case MarkerPin():
            return ("markers", pin.folder, pin.policy or target.name)


def _same_image_and_model(targets: Sequence[Target]) -> Iterator[Between]:
    first: dict[str, Target] = {}
    for index, target in enumerate(targets):
        other = first.setdefault(target.image, target)
        if other.model != target.model:
            what = f"{other.name} fills the same image from model {other.model}: their tags would collide"
            yield Between(
                ("targets", index, "image"), what, "Give each model an image repository of its own."
            )


def _orders(targets: Sequence[Target]) -> Iterator[Between]:
    by_name = {target.name: target for target in reversed(targets)}
    for index, target in enumerate(targets):
        if target.after is None:
            continue
        steps = ("targets", index, "after", "target")
        earlier = by_name.get(target.after.target)
        if earlier is None:
            how = did_you_mean(target.after.target, by_name.keys() - {target.name})
            yield Between(steps, f"there is no target {target.after.target}", how)
        elif earlier.model != target.model:
            what = f"{earlier.name} serves another model, {earlier.model}"
            yield Between(steps, what, f"Name an earlier environment of {target.model}.")
        elif _in_circle(target, by_name):
            yield Between(
                steps,
                f"{target.name} waits for itself in the end",
                "Let the first environment wait for none.",
            )


def _in_circle(target: Target, by_name: Mapping[str, Target]) -> bool:
    seen: set[str] = set()
    current: Target | None = target
    while current is not None and current.after is not None and current.name not in seen:
        seen.add(current.name)
        current = by_name.get(current.after.target)
        if current is not None and current.name == target.name:
            return True
    return False


def _shared_aliases(targets: Sequence[Target]) -> Iterator[Between]:
    for index, target in enumerate(targets):
        for other in targets:
            if target.move_alias_back and other is not target and _follow_one_alias(target, other):
                what = f"{other.name} follows the same alias: moving it back would change that target, too"
                yield Between(
                    ("targets", index, "move_alias_back"),
                    what,
                    "Give each target an alias of its own, or take it out.",
                )
                break


def _follow_one_alias(one: Target, other: Target) -> bool:
    return one.model == other.model and isinstance(one.when, Alias) and one.when == other.when


def _deadlines(targets: Sequence[Target]) -> Iterator[Between]:
    for index, target in enumerate(targets):
        if target.deadline <= target.settle:
            what = "the deadline is over before the rollout has settled"
            yield Between(("targets", index, "deadline"), what, "Make `deadline` longer than `settle`.")
