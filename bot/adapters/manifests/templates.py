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
_SHELL = r"^[ \t]*(?:export[ \t]+)?KEY[ \t]*=[ \t]*" + _TEXT + r"(?=[ \t]*\r?$)"
# JSON with comments. What is never closed is a comment to the end: every pattern here goes once through the text.
_JSON = re.compile(r"(?:\s|//[^\n]*|(?>/\*.*?\*/))*+(?:\[|\{(?![{%#]))", re.DOTALL)
_IN_JSON = re.compile(r"\"(?:\\.|[^\"\\\n])*+\"?|(?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z))", re.DOTALL)
_GO = r"\{\{-?\s*/\*.*?(?:\*/|\Z)"
_JINJA = r"(?<![{$])\{#.*?(?:#\}|\Z)"
# In braces a comment of YAML may stand before the image.
_HASH = r"(?:^|(?<=[ \t]))#[^\n]*"
_IN_GO = re.compile(f"(?P<comment>{_GO}|{_HASH})", re.DOTALL | re.MULTILINE)
_IN_JINJA = re.compile(f"(?P<comment>{_JINJA}|{_GO}|{_HASH})", re.DOTALL | re.MULTILINE)


def _rules(image: str) -> Iterator[re.Pattern[str]]:
    """The first that finds something counts: an image on a line of its own, in braces, then what another key says."""
    name = re.escape(image)
    if "://" in image:
        forms = [(_LINE, "(?:storageUri|modelUri)", _URI), (_LINE, _ANY, _URI)]
    else:
        may, must = f"{name}(?:{_VERSION})?", f"{name}{_VERSION}"
        forms = [(_LINE, "image", may), (_BRACES, "image", may), (_LINE, _ANY, must), (_SHELL, _ANY, must)]
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
        (rule for rule in rules if any(_is_named(match, name) for match in _matches(rule, text))), rules[0]
    )
    return lambda path, text, line: tuple(_line(match) for match in _matches(rule, text))


def _matches(rule: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """What the rule finds outside of comments."""
    comments: Iterator[tuple[int, int]] | None = None
    begin = end = 0
    for match in rule.finditer(text):
        comments = _comments(text) if comments is None else comments
        while end <= match.start("text") and end < len(text):
            begin, end = next(comments, (len(text), len(text)))
        if not begin <= match.start("text") < end:
            yield match


def _comments(text: str) -> Iterator[tuple[int, int]]:
    in_template = _IN_JINJA if "#}" in text else _IN_GO
    known = _IN_JSON if _JSON.match(text) else in_template
    return (found.span() for found in known.finditer(text) if found["comment"])


def _is_named(match: re.Match[str], image: str) -> bool:
    return "://" not in image or match["text"] == image


def _line(match: re.Match[str]) -> _Line:
    wide = len(match["quote"])
    marks = _Mark(match.start("text") - wide), _Mark(match.end("text") + wide)
    return _Line(match["text"], match["quote"] or None, *marks)


def lines(source: Source, image: str) -> Source:
    """The file by its lines where it is but a text for YAML (`NAME=repository:tag` on each, say); else as it is."""
    if not source.roots or any(root.id != "scalar" for root in source.roots):
        return source
    found = read(source.path, source.data, image)
    return found if found.roots else source


def mentions(source: Source, image: str) -> list[Place]:
    """A place for each such line."""
    found = (_place(source, node, image) for node in source.roots)
    return [shapes.where(place, (), "template") for place in found if place is not None]


def _place(source: Source, node: Node, image: str) -> Place | None:
    if "://" in image:
        return shapes.uri(source, node, image)
    return shapes.reference(source, node, image, bare=True)
