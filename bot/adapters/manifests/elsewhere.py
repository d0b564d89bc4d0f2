"""Places that name an image at keys that no rule knows. They are looked at where the known forms name it nowhere."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bot.adapters.manifests import embedded, mentions, shapes, templates, tree
from bot.adapters.manifests.compose import Node
from bot.adapters.manifests.places import Place, Steps
from bot.adapters.manifests.source import Source

_IMAGE = ("imagerepository", "imagerepo", "imagename", "baseimage", "repository", "repo", "image", "name")
_REGISTRY = ("imageregistry", "registry", "hub")
_OWNER = ("repository", "repo", "organization", "org")
_TAG = ("imagetag", "tag")
_VERSION = ("imageversion", "version")
_DIGEST = ("imagedigest", "digest")
_SEPARATORS = re.compile(r"[._-]")
# What kubectl remembers is no place where a person writes.
_REMEMBERED = "last-applied-configuration"

Field = tuple[str, Node]
"""A name and the scalar that it has: a pair of a mapping, or an entry with `name` and `value`."""


class _Spot(NamedTuple):
    """A node on the way through a document, the steps to it, and the registries that are said once above it."""

    node: Node
    steps: Steps
    registries: tuple[str, ...]


def places(source: Source, image: str, above: Steps = ()) -> list[Place]:
    """In document order: references in any scalar, a name and a tag in keys that begin alike, what embedded texts say."""
    found: list[Place] = []
    seen: set[int] = set()
    pending: list[_Spot] = [_Spot(root, above, ()) for root in reversed(source.roots)]
    while pending:
        spot = pending.pop()
        node, steps = spot.node, spot.steps
        if id(node) in seen:
            continue
        seen.add(id(node))
        if node.id == "scalar":
            found += _scalar(source, node, image, steps)
            continue
        place = _in_fields(source, spot, image)
        if place is not None:
            found.append(shapes.where(place, steps, "fields"))
        pending += reversed(list(_below(spot)))
    return found


def _below(spot: _Spot) -> Iterator[_Spot]:
    node, steps = spot.node, spot.steps
    if node.id == "sequence":
        yield from (_Spot(item, (*steps, number), spot.registries) for number, item in enumerate(node.value))
    else:
        registries = (*spot.registries, *_for_all(node))
        for key, value in node.value:
            if _REMEMBERED not in str(key.value):
                yield _Spot(value, (*steps, str(key.value)), registries)


def _for_all(node: Node) -> Iterator[str]:
    """The registries of a chart's images, as its values say them once: `global.imageRegistry`, or beside the images."""
    around = tree.value_of(node, "global")
    images = tree.value_of(around, "image") if around is not None and around.id == "mapping" else None
    for place in (around, images, node):
        if place is not None and place.id == "mapping":
            yield from (said for key in ("imageRegistry", "registry") if (said := tree.text_of(place, key)))


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


def _in_fields(source: Source, spot: _Spot, image: str) -> Place | None:
    """One name and one tag, digest, or both that belong together by how their keys begin: `serverImage`, `serverTag`."""
    node = spot.node
    fields = list(_fields(node))
    names = [name for name, said in fields if _is_named(name, said, fields, image, spot.registries)]
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


def _is_named(name: str, said: Node, fields: Sequence[Field], image: str, registries: Sequence[str]) -> bool:
    """Whether a field names the image, by itself or behind what other fields say: `repository: acme`, `name: m`."""
    text = str(said.value)
    if not text or not image.endswith(text):
        return False
    hosts = _texts(_belonging(name, fields, _REGISTRY))
    if image == text:
        return all(image.startswith(f"{host}/") or host in shapes.HUBS or "{" in host for host in hosts)
    owners = [f"{owner}/" for owner in _texts(_belonging(name, fields, _OWNER)) if owner != text]
    heads = {f"{host}/{owner}" for host in hosts or registries for owner in ("", *owners)}
    return image in {head + text for head in {*heads, *owners}} and bool(_stems(name, _IMAGE))


def _texts(nodes: Sequence[Node]) -> list[str]:
    return [str(node.value).rstrip("/") for node in nodes if not tree.is_empty(node)]


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
