"""Pins that a comment marks: `tag: v7 # {"$gitops-bot": "fraud-detector/production:tag"}`; Flux's markers, too."""

import bisect
import re
from collections.abc import Iterator

from bot.adapters.manifests import embedded, fields, shapes, tree
from bot.adapters.manifests.changes import Change, Replace
from bot.adapters.manifests.compose import Node
from bot.adapters.manifests.places import Place
from bot.adapters.manifests.source import Source
from bot.core.model import PinValue
from bot.ports import Refused

_MARKER = re.compile(
    r'#[ \t]*\{[ \t]*"\$(?P<kind>gitops-bot|imagepolicy)"[ \t]*:[ \t]*"(?P<says>[^"\r\n]+)"[ \t]*\}'
)
_PARTS = ("tag", "digest", "image", "uri", "name")


def says(text: str, name: str) -> bool:
    """Whether the text has a marker of this name at all: a quick look before it is parsed."""
    return any(_meant(match, name) is not None for match in _MARKER.finditer(text))


def mentions(source: Source, name: str, image: str) -> list[Place]:
    """The places that are marked with this name: that of a target, or `namespace:policy` of Flux."""
    marked = [(match, part) for match in _MARKER.finditer(source.text) if (part := _meant(match, name))]
    if not marked:
        return []
    nodes = sorted(_values(source), key=lambda node: int(node.start_mark.index))
    starts = [node.start_mark.index for node in nodes]
    found: list[Place] = []
    for match, part in marked:
        before = nodes[: bisect.bisect(starts, match.start())]
        if not before or before[-1].end_mark.index < match.end():
            found.append(_place(source, match, part, before, image))
    inner = (_embedded(source, node) for node in nodes if '"$' in node.value and says(node.value, name))
    return [*found, *(place for document in inner for place in mentions(document, name, image))]


def _embedded(source: Source, node: Node) -> Source:
    inner = embedded.document(source, node)
    if inner is None:
        raise source.refusal(
            node, "there is a marker in this text, but it is no YAML", "pin the value by its path"
        )
    return inner


def _meant(match: re.Match[str], name: str) -> str | None:
    named, colon, part = match["says"].rpartition(":")
    if match["says"] == name:
        return "image"
    return part if colon and named == name and part in _PARTS else None


def _place(source: Source, match: re.Match[str], part: str, before: list[Node], image: str) -> Place:
    line = max(source.text.rfind("\n", 0, match.start()), source.text.rfind("\r", 0, match.start())) + 1
    node = before[-1] if before else None
    if node is None or node.end_mark.index < line or node.start_mark.index < line:
        where = f"{source.path}:{source.line_at(match.start())}"
        raise Refused(f"{where}: this marker stands beside no value; put it behind the value, on its line")
    return shapes.where(_marked(source, node, part, image), (), "marker", part)


def _marked(source: Source, node: Node, part: str, image: str) -> Place:
    if part == "tag":
        return fields.scalar(source, node, image, None)
    if part == "digest":
        said = None if tree.is_empty(node) else str(node.value)

        def write(to: PinValue) -> list[Change]:
            # The digest of another version, left beside a tag without one, would be believed.
            return [Replace(node, to.digest or "")] if to.digest or said else []

        return Place(source, node, (node,), PinValue(digest=said), write)
    if part == "name":
        return Place(source, node, (node,), PinValue(), lambda to: [Replace(node, image)])
    place = shapes.reference(source, node, image, bare=True)
    if place is None:
        found = f"{tree.shown(str(node.value))} is not the image {tree.shown(image)}"
        raise source.refusal(node, found, f"write `{tree.shown(image)}:unreleased` before the marker")
    return place


def _values(source: Source) -> Iterator[Node]:
    """Every scalar that is no key, each once."""
    seen: set[int] = set()
    pending = list(source.roots)
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if node.id == "scalar":
            yield node
        elif node.id == "sequence":
            pending += node.value
        else:
            pending += [value for _, value in node.value]
