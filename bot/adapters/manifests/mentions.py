"""Every place in a file that names an image, in the forms that manifests use (facts/pins.md, section 1)."""

import bisect
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from bot.adapters.manifests import embedded, kustomize, shapes, tree
from bot.adapters.manifests.compose import Node
from bot.adapters.manifests.places import Place, Steps
from bot.adapters.manifests.source import Source

CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_URIS = ("storageUri", "modelUri")
# What a label or an annotation says of an image is read by people and queries, and runs nothing.
_DESCRIBING = ("labels", "Labels", "annotations", "Annotations", "selector", "Selector")
_PATCHES = ("patch", "patchesStrategicMerge", "patchesJson6902")


class _Spot(NamedTuple):
    """A node on the way through a document: the steps to it, and the kind of the object that it is in."""

    source: Source
    node: Node
    steps: Steps
    kind: str | None

    def key(self, above: int = 0) -> object:
        """The step that leads here, or to the node that many levels above."""
        return self.steps[-1 - above] if len(self.steps) > above else None


def mentions(source: Source, image: str) -> list[Place]:
    """The places in document order, each once however often aliases name it."""
    found: list[Place] = []
    _walk(source, image, (), found, set())
    return found


def within(source: Source, image: str, above: Steps) -> list[Place]:
    """The same in a document that is embedded at these steps."""
    found: list[Place] = []
    _walk(source, image, above, found, set())
    return found


def _walk(source: Source, image: str, above: Steps, found: list[Place], seen: set[int]) -> None:
    said = _said(source.text, image.rpartition("/")[2])
    pending = [_Spot(source, root, above, None) for root in reversed(source.roots)]
    while pending:
        spot = pending.pop()
        node = spot.node
        if id(node) in seen:
            continue
        seen.add(id(node))
        if node.id == "scalar":
            for inner in _embedded(spot, image):
                _walk(inner, image, spot.steps, found, seen)
            continue
        if node.id == "mapping":
            keys = {key.value for key, _ in node.value if key.id == "scalar"}
            if "kind" in keys:
                spot = _Spot(source, node, spot.steps, tree.text_of(node, "kind") or spot.kind)
            if not keys.isdisjoint(_NEEDED):
                found += _here(spot, keys, image, found)
        pending += reversed(list(_below(spot, said)))


def _here(spot: _Spot, keys: set[str], image: str, known: list[Place]) -> list[Place]:
    taken = {id(scalar) for place in known for scalar in place.nodes}
    return [
        place
        for needs, rule in _RULES
        if not keys.isdisjoint(needs)
        for place in rule(spot, image)
        if not any(id(scalar) in taken for scalar in place.nodes)
    ]


def _said(text: str, name: str) -> list[int]:
    """Where the text has this name; nothing where it may have it in other words: in escapes, or by a merge key."""
    if "<<:" in text or not name:
        return []
    return [match.start() for match in re.finditer(re.escape(name), text)]


def _names(node: Node, said: list[int]) -> bool:
    number = bisect.bisect_left(said, node.start_mark.index)
    return number < len(said) and said[number] < node.end_mark.index


def _below(spot: _Spot, said: list[int]) -> Iterator[_Spot]:
    if spot.node.id == "sequence":
        for number, item in enumerate(spot.node.value):
            if not said or _names(item, said):
                yield _Spot(spot.source, item, (*spot.steps, number), spot.kind)
    else:
        for key, value in spot.node.value:
            if not said or _names(value, said):
                yield _Spot(spot.source, value, (*spot.steps, str(key.value)), spot.kind)


def _embedded(spot: _Spot, image: str) -> Iterator[Source]:
    if image.rpartition("/")[2] not in spot.node.value:
        return
    is_data = spot.kind == "ConfigMap" and spot.key(1) == "data"
    is_values = spot.key() == "values" and spot.key(1) == "helm"
    is_patch = spot.key() in _PATCHES or spot.key(1) in _PATCHES
    if is_data or is_values or is_patch:
        inner = embedded.document(spot.source, spot.node)
        if inner is not None:
            yield inner


def _images(spot: _Spot, image: str) -> Iterator[Place]:
    if str(spot.key()).endswith(_DESCRIBING):
        return
    split = shapes.split(spot.source, spot.node, image, named=_is_about_images(spot))
    if split is not None:
        yield shapes.where(split, spot.steps, "values")
        return
    node = tree.value_of(spot.node, "image")
    place = shapes.reference(spot.source, node, image, bare=True) if node is not None else None
    if place is not None:
        form = "container" if spot.key(1) in CONTAINERS else "image"
        yield shapes.where(place, (*spot.steps, "image"), form, tree.text_of(spot.node, "name"))


def _is_about_images(spot: _Spot) -> bool:
    return any("image" in str(spot.key(above)).lower() for above in (0, 1))


def _uris(spot: _Spot, image: str) -> Iterator[Place]:
    for key in _URIS:
        node = tree.value_of(spot.node, key)
        if node is None:
            continue
        place = shapes.uri(spot.source, node, image) or shapes.reference(spot.source, node, image)
        if place is not None:
            yield shapes.where(place, (*spot.steps, key), "uri")


def _environment(spot: _Spot, image: str) -> Iterator[Place]:
    node = tree.value_of(spot.node, "value")
    if spot.key(1) != "env" or node is None or node.id != "scalar":
        return
    name = tree.text_of(spot.node, "name") or ""
    place = shapes.variable(spot.source, node, image, name)
    if place is not None:
        yield shapes.where(place, (*spot.steps, "value"), "environment", name)


def _json_patches(spot: _Spot, image: str) -> Iterator[Place]:
    path, node = tree.text_of(spot.node, "path"), tree.value_of(spot.node, "value")
    if path is None or node is None or tree.text_of(spot.node, "op") is None:
        return
    if path.lower().endswith("image") or "/images/" in path:
        place = shapes.reference(spot.source, node, image, bare=True)
        if place is not None:
            yield shapes.where(place, (*spot.steps, "value"), "patch")


def _kustomizations(spot: _Spot, image: str) -> Iterator[Place]:
    images = tree.value_of(spot.node, "images")
    if images is None or images.id != "sequence":
        return
    entries = [entry for entry in images.value if kustomize.is_entry(entry)]
    for entry in kustomize.naming(entries, image):
        number = next(index for index, item in enumerate(images.value) if item is entry)
        place = kustomize.place(spot.source, entry)
        yield shapes.where(
            place, (*spot.steps, "images", number), "kustomization", tree.text_of(entry, "name")
        )
    if spot.key() == "kustomize":
        yield from _listed(spot, images, image)


def _listed(spot: _Spot, images: Node, image: str) -> Iterator[Place]:
    for number, node in enumerate(images.value):
        place = shapes.reference(spot.source, node, image, bare=True)
        if place is not None:
            yield shapes.where(place, (*spot.steps, "images", number), "argo-images")


def _parameters(spot: _Spot, image: str) -> Iterator[Place]:
    listed = tree.value_of(spot.node, "parameters")
    if spot.key() != "helm" or listed is None or listed.id != "sequence":
        return
    for place in shapes.parameters(spot.source, listed, image):
        yield shapes.where(place, (*spot.steps, "parameters"), "argo-parameter")


def _chart(spot: _Spot, image: str) -> Iterator[Place]:
    """Flux's OCIRepository: `url: oci://…` with `ref.tag` or `ref.digest`."""
    url, ref = tree.text_of(spot.node, "url"), tree.value_of(spot.node, "ref")
    if url != f"oci://{image}" or ref is None or ref.id != "mapping":
        return
    keys = (tree.value_of(ref, "tag"), tree.value_of(ref, "digest"))
    nodes = [node for node in keys if node is not None]
    if nodes and all(node.id == "scalar" for node in nodes):
        place = shapes.in_keys(spot.source, ref, keys, image)
        yield shapes.where(place, (*spot.steps, "ref"), "oci-repository")


_RULES: tuple[tuple[frozenset[str], Callable[[_Spot, str], Iterator[Place]]], ...] = (
    (frozenset(("repository", "image", "name", "<<")), _images),
    (frozenset(_URIS), _uris),
    (frozenset(("value",)), _environment),
    (frozenset(("op",)), _json_patches),
    (frozenset(("images",)), _kustomizations),
    (frozenset(("parameters",)), _parameters),
    (frozenset(("url",)), _chart),
)
_NEEDED = frozenset().union(*(needs for needs, _ in _RULES))
