"""All pins of a target together: read as one value, changed all or none."""

import posixpath
from collections.abc import Mapping, Sequence

from bot.adapters.manifests import containers, kustomize, references, scalars, tree
from bot.adapters.manifests.changes import Change
from bot.adapters.manifests.places import Place, refuse_shared
from bot.adapters.manifests.tree import Source
from bot.core.model import ContainerPin, KustomizePin, Pin, PinValue, Target
from bot.ports import Refused

Files = Mapping[str, bytes]
"""The files of a commit that pins may stand in, by path; those that do not exist are left out."""


def paths(pins: Sequence[Pin]) -> tuple[str, ...]:
    """Every path that these pins may stand at, each once."""
    return tuple(dict.fromkeys(path for pin in pins for path in _candidates(pin)))


def _candidates(pin: Pin) -> tuple[str, ...]:
    match pin:
        case KustomizePin():
            folder = inside(pin.folder)
            return tuple(posixpath.join(folder, name) if folder else name for name in kustomize.FILES)
        case ContainerPin():
            return (inside(pin.file),)


def inside(path: str) -> str:
    """The path in its plain form, if it stays in the repo: relative, and not in git's own folder."""
    plain = posixpath.normpath(path) if path else "."
    parts = plain.split("/")
    if plain.startswith("/") or ".." in parts or ".git" in parts or not path.isprintable() or "\\" in path:
        raise Refused(f"the pin's path {path!a} leaves the manifests repo; write a path relative to its root")
    return "" if plain == "." else plain


def places(target: Target, files: Files) -> list[Place]:
    """Where the pins stand, in their order; `Refused` where one is missing, ambiguous, shared or a template."""
    sources: dict[str, Source] = {}
    try:
        return _places(target, files, sources, target.image.rpartition("/")[2])
    except Refused:
        # What was not parsed may be what a better sentence needs, or an image in other spelling.
        if not any(source.is_part for source in sources.values()):
            raise
    return _places(target, files, {}, "")


def _places(target: Target, files: Files, sources: dict[str, Source], naming: str) -> list[Place]:
    found: list[Place] = []
    for pin in target.pins:
        path = _the_file(pin, files)
        if path not in sources:
            sources[path] = tree.read(path, files[path], naming)
        found.append(_find(pin, target.image, sources[path]))
    for path in sources:
        refuse_shared([place for place in found if place.source.path == path])
    return found


def _find(pin: Pin, image: str, source: Source) -> Place:
    match pin:
        case KustomizePin():
            return kustomize.find(source, pin, image)
        case ContainerPin():
            return containers.find(source, pin, image)


def _the_file(pin: Pin, files: Files) -> str:
    candidates = _candidates(pin)
    present = [path for path in candidates if path in files]
    if len(present) > 1:
        raise Refused(
            f"{present[0]} and {present[1]} are both there; kustomize accepts one of them, so delete the other"
        )
    if not present:
        raise Refused(
            f"{candidates[0]}: there is no such file; add it, or correct the pin in promotions.yaml"
        )
    return present[0]


def value(target: Target, files: Files) -> PinValue:
    """What all pins say together; `Refused` when they disagree, naming both places."""
    found = places(target, files)
    if not found:
        raise Refused(f"{target.name} has no pins; write at least one under `pins:` in promotions.yaml")
    for place in found[1:]:
        if not references.same(place.value, found[0].value):
            said = f"{found[0]} says {_text(found[0].value)}, {place} says {_text(place.value)}"
            raise Refused(f"the pins of {target.name} disagree: {said}; make them say the same")
    return found[0].value


def _text(said: PinValue) -> str:
    return tree.shown(str(said))


def edited(
    target: Target, files: Files, to: PinValue, only_where: PinValue | None = None
) -> dict[str, bytes]:
    """The files whose bytes change, with their new bytes, when all pins (that hold `only_where`) get the value `to`."""
    references.checked(to)
    changes: dict[str, list[Change]] = {}
    sources: dict[str, Source] = {}
    for place in places(target, files):
        if only_where is not None and not references.same(place.value, only_where):
            continue
        if to.repository and to.repository != place.value.repository:
            raise Refused(
                f"{place} pins {_text(place.value)}; the repository of a pin is changed by hand, not to {_text(to)}"
            )
        sources[place.source.path] = place.source
        changes.setdefault(place.source.path, []).extend(_changes(place, to))
    result = {path: scalars.edited(sources[path], steps) for path, steps in changes.items()}
    return {path: data for path, data in result.items() if data != files[path]}


def _changes(place: Place, to: PinValue) -> list[Change]:
    match place.pin:
        case KustomizePin():
            return kustomize.changes(place, to)
        case ContainerPin():
            return containers.changes(place, to)
