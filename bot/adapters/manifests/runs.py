"""Where the characters of a scalar's value stand in the text that it was read from (facts/pins.md, section 3)."""

import re
from collections.abc import Iterator

from bot.adapters.manifests.compose import Node
from bot.adapters.manifests.source import Source
from bot.adapters.manifests.splices import token

Run = tuple[int, int]
"""Where a stretch of equal characters begins in the value, and in the text."""

_FOLD = r"(?P<fold>[ \t]*(?:\r?\n[ \t]*)+)"
_QUOTED = {
    '"': re.compile(
        rf"(?P<gap>\\\r?\n[ \t]*)|{_FOLD}|(?P<escape>\\(?:x..|u.{{4}}|U.{{8}}|.))|[^\\\r\n \t]+|[ \t]+"
    ),
    "'": re.compile(rf"(?P<gap>(?!))|{_FOLD}|(?P<escape>'')|[^'\r\n \t]+|[ \t]+"),
}
_INDENT = re.compile(r" *")


def runs(source: Source, node: Node) -> tuple[Run, ...] | None:
    """The runs of a scalar in their order; None where its value cannot be found again in the text, piece by piece."""
    start, end = token(source, node)
    value = str(node.value)
    if node.style == "|":
        found = _literal(source.text, start, end, value)
    elif node.style == ">":
        found = _folded(source.text, start, end, value)
    elif node.style in _QUOTED:
        found = _quoted(source.text[start + 1 : end - 1], start + 1, value, _QUOTED[node.style])
    else:
        found = [(0, start)] if source.text[start:end] == value else None
    return None if found is None else tuple(found)


def _literal(text: str, start: int, end: int, value: str) -> list[Run] | None:
    found: list[Run] = []
    inside, indent = 0, None
    lines = value.split("\n")
    for number, (at, raw) in enumerate(_lines(text, start, end)):
        line = lines[number]
        if line and indent is None:
            indent = len(raw) - len(line)
        lead = min(indent or 0, len(raw)) if not line else indent or 0
        if raw[lead:] != line and raw.strip(" "):
            return None
        found.append((inside, at + lead))
        inside += len(line) + 1
        if number == len(lines) - 1:
            break
    return found or None


def _folded(text: str, start: int, end: int, value: str) -> list[Run] | None:
    found: list[Run] = []
    inside, indent = 0, None
    for at, raw in _lines(text, start, end):
        if not raw.strip(" "):
            continue
        if indent is None:
            indent = len(_INDENT.match(raw)[0])  # type: ignore[index]
        line = raw[indent:]
        if value[inside : inside + 1] == " ":
            inside += 1
        while value[inside : inside + 1] == "\n":
            inside += 1
        if not value.startswith(line, inside):
            return None
        found.append((inside, at + indent))
        inside += len(line)
    return None if value[inside:].strip("\n") else found or None


def _lines(text: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    """Each line behind the header of a block, without its line end, and where it begins."""
    at = text.find("\n", start, end) + 1
    while at:
        stop = text.find("\n", at, end)
        yield at, text[at : stop if stop >= 0 else end].removesuffix("\r")
        at = stop + 1


def _quoted(raw: str, begin: int, value: str, pattern: re.Pattern[str]) -> list[Run] | None:
    found: list[Run] = [(0, begin)]
    inside = at = 0
    while at < len(raw):
        match = pattern.match(raw, at)
        if match is None:
            return None
        said = match[0]
        if match["gap"] is not None:
            said = ""
        elif match["fold"] is not None:
            breaks = said.count("\n")
            said = " " if breaks == 1 else "\n" * (breaks - 1)
        elif match["escape"] is not None:
            said = value[inside : inside + 1]
        if not value.startswith(said, inside):
            return None
        if begin + at - inside != found[-1][1] - found[-1][0]:
            found.append((inside, begin + at))
        inside += len(said)
        at = match.end()
    return found if inside == len(value) else None
