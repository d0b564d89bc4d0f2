"""Pins in the `images` of a kustomization: `newTag` and `digest` of one entry.

kustomize 5 renders `newName:newTag@digest` when an entry has both.
"""

from collections.abc import Sequence

from bot.adapters.manifests import tree
from bot.adapters.manifests.changes import Append, Change, Insert, Remove, Replace
from bot.adapters.manifests.compose import Node
from bot.adapters.manifests.places import Place, refuse_templates
from bot.adapters.manifests.source import Source
from bot.core.model import PinValue
from bot.core.target import KustomizePin

FILES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_KEYS = ("name", "newName", "newTag", "digest")
_BEFORE_TAG = ("newName", "name")
_BEFORE_DIGEST = ("newTag", "newName", "name")


def find(source: Source, pin: KustomizePin, image: str) -> Place:
    """The entry of this pin, with what it says; `Refused` when there is none, or more than one."""
    entries = _entries(source, pin.name or image, image)
    matching = [entry for entry in entries if _is_meant(entry, pin, image)]
    wanted = f"name {tree.shown(pin.name)}" if pin.name else f"name or newName {tree.shown(image)}"
    if not matching and pin.add:
        return _new(source, pin, image)
    if not matching:
        raise source.refusal(None, f"no entry of `images` has {wanted}", _write(pin.name or image, image))
    if len(matching) > 1:
        lines = ", ".join(str(source.line(entry)) for entry in matching)
        found = f"{len(matching)} entries of `images` have {wanted} (lines {lines})"
        raise source.refusal(
            matching[0], found, "say which one with `name:` in the pin, or remove the others"
        )
    return _checked(place(source, matching[0]), image)


def _new(source: Source, pin: KustomizePin, image: str) -> Place:
    images = tree.value_of(source.roots[0], "images")
    name = pin.name or image
    names = [("name", name)] if name == image else [("name", name), ("newName", image)]

    def write(to: PinValue) -> list[Change]:
        said = [(key, text) for key, text in (("newTag", to.tag), ("digest", to.digest)) if text]
        return [Append(images, (*names, *said))]

    return Place(source, images, (), PinValue(repository=image), write, name=name)


def is_entry(node: Node) -> bool:
    """Whether an item of a list `images` is an entry of a kustomization."""
    return bool(node.id == "mapping" and tree.value_of(node, "name") is not None) and any(
        tree.value_of(node, key) is not None for key in _KEYS[1:]
    )


def naming(entries: Sequence[Node], image: str) -> list[Node]:
    """The entries whose name is the image; where none is, those that render it by `newName`."""
    by_name = [entry for entry in entries if tree.text_of(entry, "name") == image]
    return by_name or [entry for entry in entries if tree.text_of(entry, "newName") == image]


def _entries(source: Source, name: str, image: str) -> list[Node]:
    if source.is_part or len(source.roots) != 1 or source.roots[0].id != "mapping":
        raise source.refusal(None, "this is not one kustomization", "keep one document with `images:` in it")
    images = tree.value_of(source.roots[0], "images")
    if images is None or images.id != "sequence":
        raise source.refusal(images, "there is no list `images`", _write(name, image))
    return [entry for entry in images.value if entry.id == "mapping"]


def _is_meant(entry: Node, pin: KustomizePin, image: str) -> bool:
    name = tree.text_of(entry, "name")
    if pin.name is not None:
        return name == pin.name
    return image in (name, tree.text_of(entry, "newName"))


def _write(name: str, image: str) -> str:
    new_name = "" if name == image else f", newName: {tree.shown(image)}"
    return f"add `- {{name: {tree.shown(name)}{new_name}, newTag: unreleased}}` to `images:`"


def _checked(found: Place, image: str) -> Place:
    source, entry = found.source, found.entry
    parts = {key: tree.value_of(entry, key) for key in _KEYS}
    refuse_templates(source, *parts.values())
    for key, node in parts.items():
        if node is not None and node.id != "scalar":
            raise source.refusal(node, f"`{key}` is not a text", f"write `{key}: …` on one line")
    if found.value.repository != image:
        said = (
            f"this entry renders the image {tree.shown(str(found.value.repository))}, not {tree.shown(image)}"
        )
        raise source.refusal(entry, said, f"write `newName: {tree.shown(image)}` in this entry")
    return found


def place(source: Source, entry: Node) -> Place:
    """An entry of `images` with what it says."""
    repository = tree.text_of(entry, "newName") or tree.text_of(entry, "name")
    said = (tree.value_of(entry, "newTag"), tree.value_of(entry, "digest"))
    nodes = tuple(node for node in said if node is not None)
    tag, _, carried = (tree.text_of(entry, "newTag") or "").partition("@")
    value = PinValue(tag or None, tree.text_of(entry, "digest") or carried or None, repository)
    return Place(source, entry, nodes, value, lambda to: changes(entry, to), name=tree.text_of(entry, "name"))


def changes(entry: Node, value: PinValue) -> list[Change]:
    """What makes the entry say this value."""
    tag = tree.value_of(entry, "newTag")
    if value.tag and tag is not None and "@" in str(tag.value) and tree.value_of(entry, "digest") is None:
        return [Replace(tag, f"{value.tag}@{value.digest}" if value.digest else value.tag)]
    return [
        *_key_change(entry, "newTag", value.tag, _BEFORE_TAG),
        *_key_change(entry, "digest", value.digest, _BEFORE_DIGEST),
    ]


def _key_change(entry: Node, key: str, text: str | None, before: tuple[str, ...]) -> list[Change]:
    node = tree.value_of(entry, key)
    if text is None:
        return [] if tree.text_of(entry, key) is None else [Remove(entry, key)]
    if node is not None:
        return [Replace(node, text)]
    after = next(name for name in before if tree.value_of(entry, name) is not None)
    return [Insert(entry, after, key, text)]
