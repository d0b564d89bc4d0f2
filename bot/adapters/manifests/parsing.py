"""Bytes into a source: what is too large, not UTF-8, or a bomb is refused, and what need not be parsed is not."""

import re
from collections.abc import Iterator

from bot.adapters.manifests.compose import Node
from bot.adapters.manifests.source import BOM, Source
from bot.adapters.manifests.tree import children
from bot.ports import Refused

LIMIT = 10 * 1024 * 1024
_MOST_NODES = 4_000_000
_BLANKS = ("", " ", "\t", "\r", "\n")
# What strict UTF-8 leaves out, byte by byte, as `surrogateescape` reads it; a parser gets as many marks instead.
_FOREIGN = re.compile("[\udc80-\udcff]")
# A character as JSON escapes it; YAML knows no pairs.
_PAIR = re.compile(r"((?<!\\)(?:\\\\)*)\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_IN_COMMENT = re.compile(r"(?:^|[ \t])#", re.MULTILINE)
_MARK = "\ufffd"
_ALIAS = re.compile(r"(?:^|[\s,\[{:])\*[^\s,\[\]{}]")


def read(path: str, data: bytes, naming: str = "") -> Source:
    """Parse a file, or refuse it with what is wrong: too large, or nothing that a YAML parser accepts.

    With `naming`, an image, only documents that name it are parsed, if there are any: in a bundle of megabytes that
    is the difference between seconds and milliseconds (facts/pins.md, sections 2 and 3).
    """
    whole = decoded(path, data)
    pieces, text = _chosen(whole, [part for part in naming.split("/") if part])
    source = Source(path, whole, text, tuple(pieces), ()).parsed()
    if "&" in text and "*" in text and _ALIAS.search(text):
        _refuse_bomb(source)
    return source


def _refuse_bomb(source: Source) -> None:
    """Raise `Refused` where aliases multiply: nothing that reads the manifest would survive it, or contain themselves."""
    sizes: dict[int, int] = {}
    pending: list[tuple[Node, list[Node] | None]] = [(root, None) for root in source.roots]
    while pending:
        node, below = pending.pop()
        if below is not None:
            sizes[id(node)] = len(node.value) + sum(sizes[id(child)] for child in below)
            if sizes[id(node)] > _MOST_NODES:
                found = "aliases make this a document of millions of values"
                raise source.refusal(node, found, "write it out, or without aliases of aliases")
        elif id(node) not in sizes:
            sizes[id(node)] = _MOST_NODES  # until it is known: who meets it before that is inside of it
            below = [child for child in children(node) if child.id != "scalar"]
            pending.append((node, below))
            pending += [(child, None) for child in below]


def decoded(path: str, data: bytes) -> str:
    """The file as text. `Refused` where it is too large, or not UTF-8 outside of comments.

    Comments in some old encoding are common and harmless: their bytes become lone surrogates, and are written back.
    """
    if len(data) > LIMIT:
        raise Refused(
            f"{path}: the file has {len(data):,} bytes; files of more than {LIMIT:,} are not edited, so split it"
        )
    text = data.decode(errors="surrogateescape")
    if not text.isascii():
        for match in _FOREIGN.finditer(text):
            if not _IN_COMMENT.search(text, text.rfind("\n", 0, match.start()) + 1, match.start()):
                line, byte = text.count("\n", 0, match.start()) + 1, ord(match[0]) - 0xDC00
                raise Refused(f"{path}:{line}: byte 0x{byte:02x} is not UTF-8; save the file as UTF-8")
    return text


def parsable(text: str) -> str:
    """The text as a parser gets it, of the same length."""
    if "\\ud" in text or "\\uD" in text:
        text = _PAIR.sub(r"\1\\ufffd\\ufffd", text)
    return text if text.isascii() else _FOREIGN.sub(_MARK, text)


def _chosen(whole: str, parts: list[str]) -> tuple[list[tuple[int, int]], str]:
    begin = len(BOM) if whole.startswith(BOM) else 0
    # A directive belongs to the document behind it, not to the one before.
    if not parts or "\n%" in whole or whole.startswith("%", begin):
        return [(0, begin)], parsable(whole[begin:])
    starts = [begin, *_documents(whole)]
    spans = [
        (start, stop)
        for start, stop in zip(starts, [*starts[1:], len(whole)], strict=True)
        if all(whole.find(part, start, stop) >= 0 for part in parts)
    ]
    if not spans or len(spans) == len(starts):
        return [(0, begin)], parsable(whole[begin:])
    pieces, length = [], 0
    for start, stop in spans:
        pieces.append((length, start))
        length += stop - start
    return pieces, parsable("".join(whole[start:stop] for start, stop in spans))


def _documents(whole: str) -> Iterator[int]:
    # Faster than a regular expression that looks at every line: bundles have megabytes.
    at = whole.find("\n---")
    while at >= 0:
        if whole[at + 4 : at + 5] in _BLANKS:
            yield at + 1
        at = whole.find("\n---", at + 4)
