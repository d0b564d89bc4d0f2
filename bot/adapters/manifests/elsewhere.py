"""Places that name an image at keys that no rule knows. They are looked at where the known forms name it nowhere."""

import re
from collections.abc import Iterator, Sequence

from bot.adapters.manifests import embedded, mentions, shapes, templates, tree
from bot.adapters.manifests.compose import Node
from bot.adapters.manifests.places import Place, Steps
from bot.adapters.manifests.source import Source

_IMAGE = ("imagerepository", "imagerepo", "imagename", "repository", "repo", "image", "name")
_TAG = ("imagetag", "tag")
_VERSION = ("imageversion", "version")
_DIGEST = ("imagedigest", "digest")
_SEPARATORS = re.compile(r"[._-]")
# What kubectl remembers is no place where a person writes.
_REMEMBERED = "last-applied-configuration"

Field = tuple[str, Node]
"""A name and the scalar that it has: a pair of a mapping, or an entry with `name` and `value`."""


def places(source: Source, image: str, above: Steps = ()) -> list[Place]:
    """In document order: references in any scalar, a name and a tag in keys that begin alike, what embedded texts say."""
    found: list[Place] = []
    seen: set[int] = set()
    pending: list[tuple[Node, Steps]] = [(root, above) for root in reversed(source.roots)]
    while pending:
        node, steps = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if node.id == "scalar":
            found += _scalar(source, node, image, steps)
            continue
        place = _in_fields(source, node, image)
        if place is not None:
            found.append(shapes.where(place, steps, "fields"))
        pending += reversed(list(_below(node, steps)))
    return found


def _below(node: Node, steps: Steps) -> Iterator[tuple[Node, Steps]]:
    if node.id == "sequence":
        yield from ((item, (*steps, number)) for number, item in enumerate(node.value))
    else:
        for key, value in node.value:
            if _REMEMBERED not in str(key.value):
                yield value, (*steps, str(key.value))


def _scalar(source: Source, node: Node, image: str, steps: Steps) -> list[Place]:
    value = str(node.value)
    if image.rpartition("/")[2] not in value:
        return []
    if "://" in image:
        place = shapes.uri(source, node, image)
    else:
        # Without a slash it may be a host and its port.
        is_image = "/" in image or any("image" in str(step).lower() for step in steps[-2:])
        place = shapes.reference(source, node, image) if is_image else None
    if place is not None:
        return [shapes.where(place, steps, "scalar")]
    return _embedded(source, node, image, steps) if "\n" in value or value[:1] in ("{", "[") else []


def _embedded(source: Source, node: Node, image: str, steps: Steps) -> list[Place]:
    inner = embedded.document(source, node)
    if inner is not None:
        return mentions.within(inner, image, steps) or places(inner, image, steps)
    lines = templates.inside(source, node, image)
    if lines is None:
        return []
    return [shapes.where(place, steps, "template") for place in templates.mentions(lines, image)]


def _in_fields(source: Source, node: Node, image: str) -> Place | None:
    """One name and one tag, digest, or both that belong together by how their keys begin: `serverImage`, `serverTag`."""
    fields = list(_fields(node))
    names = [name for name, said in fields if said.value == image]
    if len(names) != 1:
        return None
    tags = _belonging(names[0], fields, _TAG) or (
        _belonging(names[0], fields, _VERSION) if "/" in image else []
    )
    digests = _belonging(names[0], fields, _DIGEST)
    if len(tags) > 1 or len(digests) > 1 or not (tags or digests):
        return None
    keys = (tags[0] if tags else None, digests[0] if digests else None)
    return shapes.in_keys(source, node, keys, image)


def _fields(node: Node) -> Iterator[Field]:
    if node.id == "mapping":
        yield from ((str(key.value), value) for key, value in node.value if value.id == "scalar")
        return
    for item in node.value:
        name = tree.text_of(item, "name") if item.id == "mapping" else None
        value = tree.value_of(item, "value") if name else None
        if name and value is not None and value.id == "scalar":
            yield name, value


def _belonging(name: str, fields: Sequence[Field], words: tuple[str, ...]) -> list[Node]:
    stems = _stems(name, _IMAGE)
    return [said for key, said in fields if not stems.isdisjoint(_stems(key, words))]


def _stems(key: str, words: tuple[str, ...]) -> set[str]:
    plain = _SEPARATORS.sub("", key).lower()
    return {plain.removesuffix(word) for word in words if plain.endswith(word)}
