"""Files that no YAML parser accepts (Go templates): a literal image on a line of its own is found by a rule."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from bot.adapters.manifests import parsing, shapes, tree
from bot.adapters.manifests.places import Place
from bot.adapters.manifests.source import Source

_RULE = (
    r"^[ \t]*(?:-[ \t]+)?[\"']?image[\"']?[ \t]*:[ \t]+(?P<quote>[\"']?)"
    r"(?P<text>{name}(?:[:@][^\s\"'#,{{}}]+)?)(?P=quote)(?=,?[ \t]*(?:[ \t](?:#|//)[^\r\n]*)?\r?$)"
)


@dataclass(frozen=True)
class _Mark:
    index: int


@dataclass(frozen=True, eq=False)
class _Line:
    """A literal reference as a scalar node: what stands at the marks, quotes included."""

    value: str
    style: str | None
    start_mark: _Mark
    end_mark: _Mark
    id: str = "scalar"
    tag: str = tree.STRING


def read(path: str, data: bytes, image: str) -> Source:
    """The file with one root per line that names the image literally; it may have none."""
    whole = parsing.decoded(path, data)
    rule = re.compile(_RULE.format(name=re.escape(image)), re.MULTILINE)

    def compose(path: str, text: str, line: Callable[[int], int]) -> tuple[_Line, ...]:
        return tuple(_line(match) for match in rule.finditer(text))

    return Source(path, whole, whole, ((0, 0),), (), compose=compose).parsed()


def _line(match: re.Match[str]) -> _Line:
    wide = len(match["quote"])
    marks = _Mark(match.start("text") - wide), _Mark(match.end("text") + wide)
    return _Line(match["text"], match["quote"] or None, *marks)


def mentions(source: Source, image: str) -> list[Place]:
    """A place for each such line."""
    found = (shapes.reference(source, node, image, bare=True) for node in source.roots)
    return [shapes.where(place, (), "template") for place in found if place is not None]
