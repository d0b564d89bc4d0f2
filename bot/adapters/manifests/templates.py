"""Files that no YAML parser accepts (Go templates): a literal image on a line of its own is found by a rule."""

import dataclasses
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bot.adapters.manifests import embedded, parsing, shapes, tree
from bot.adapters.manifests.compose import Node
from bot.adapters.manifests.places import Place
from bot.adapters.manifests.source import BOM, Source

Compose = Callable[[str, str, Callable[[int], int]], tuple[Node, ...]]
_KEY = r"^[ \t]*(?:-[ \t]+)?[\"']?KEY[\"']?[ \t]*:[ \t]+"
_TEXT = r"(?P<quote>[\"']?)(?P<text>TEXT)(?P=quote)"
_LINE = _KEY + _TEXT + r"(?=,?[ \t]*(?:[ \t](?:#|//)[^\r\n]*)?\r?$)"
_BRACES = r"(?:[{,]|-[ \t])[ \t]*[\"']?KEY[\"']?[ \t]*:[ \t]*" + _TEXT + r"(?=[ \t]*[,}])"
_VERSION = r"[:@][^\s\"'#,{}]+"
_URI = r"[A-Za-z][\w+.-]*://[^\s\"'#,{}]+"
_ANY = r"[\w./-]+"


def _rules(image: str) -> Iterator[re.Pattern[str]]:
    """The first that finds something counts: an image on a line of its own, in braces, then what another key says."""
    name = re.escape(image)
    if "://" in image:
        forms = [(_LINE, "(?:storageUri|modelUri)", _URI), (_LINE, _ANY, _URI)]
    else:
        may, must = f"{name}(?:{_VERSION})?", f"{name}{_VERSION}"
        forms = [(_LINE, "image", may), (_BRACES, "image", may), (_LINE, _ANY, must)]
    for form, key, text in forms:
        yield re.compile(form.replace("KEY", key).replace("TEXT", text), re.MULTILINE)


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
    text = whole.removeprefix(BOM)
    return Source(path, whole, text, ((0, len(whole) - len(text)),), (), compose=_rule(text, image)).parsed()


def inside(source: Source, node: Node, image: str) -> Source | None:
    """The same of a text inside a scalar; None where there is no such line, or its text is not found in the file's."""
    inner = embedded.text(source, node)
    if inner is None:
        return None
    found = dataclasses.replace(inner, compose=_rule(inner.text, image)).parsed()
    return found if found.roots else None


def _rule(text: str, image: str) -> Compose:
    name = parsing.parsable(image)
    rules = list(_rules(name))
    rule = next(
        (rule for rule in rules if any(_is_named(match, name) for match in rule.finditer(text))), rules[0]
    )
    return lambda path, text, line: tuple(_line(match) for match in rule.finditer(text))


def _is_named(match: re.Match[str], image: str) -> bool:
    return "://" not in image or match["text"] == image


def _line(match: re.Match[str]) -> _Line:
    wide = len(match["quote"])
    marks = _Mark(match.start("text") - wide), _Mark(match.end("text") + wide)
    return _Line(match["text"], match["quote"] or None, *marks)


def mentions(source: Source, image: str) -> list[Place]:
    """A place for each such line."""
    found = (_place(source, node, image) for node in source.roots)
    return [shapes.where(place, (), "template") for place in found if place is not None]


def _place(source: Source, node: Node, image: str) -> Place | None:
    if "://" in image:
        return shapes.uri(source, node, image)
    return shapes.reference(source, node, image, bare=True)
