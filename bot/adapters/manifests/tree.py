"""A YAML or JSON file as nodes that know where they stand in its text."""

import bisect
import dataclasses
import functools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bot.adapters.manifests.compose import Node, composed
from bot.ports import Refused

LIMIT = 10 * 1024 * 1024
BOM = "\ufeff"
_MOST_NODES = 4_000_000
STRING = "tag:yaml.org,2002:str"
Splice = tuple[int, int, str]
"""Start and end in a text, and what stands there instead."""

_BLANKS = ("", " ", "\t", "\r", "\n")
# What strict UTF-8 leaves out, byte by byte, as `surrogateescape` reads it; a parser gets as many marks instead.
_FOREIGN = re.compile("[\udc80-\udcff]")
_IN_COMMENT = re.compile(r"(?:^|[ \t])#", re.MULTILINE)
_MARK = "\ufffd"


@dataclass(frozen=True, eq=False)
class Source:
    """A file that was read: all of it as `whole`, and as `text` the documents of it that were parsed.

    `pieces` say for each stretch of `text` where it begins there and in `whole`. Bytes that are not UTF-8 are kept as
    they are, and are U+FFFD for the parser.
    """

    path: str
    whole: str
    text: str
    pieces: tuple[tuple[int, int], ...]
    roots: tuple[Node, ...]
    outer: "Source | None" = (
        None  # where this text is embedded in a scalar: the source of that scalar, `node`
    )
    node: Node | None = None
    compose: Callable[[str, str, Callable[[int], int]], tuple[Node, ...]] = composed

    @property
    def data(self) -> bytes:
        """The bytes that it was read from."""
        return self.whole.encode(errors="surrogateescape")

    @property
    def is_part(self) -> bool:
        """Whether documents were left out when it was read."""
        return len(self.text) < len(self.whole.removeprefix(BOM))

    @property
    def is_template(self) -> bool:
        """Whether no YAML parser accepts it, so that its roots are lines that a rule found."""
        return self.compose is not composed

    def place(self, index: int, *, ends: bool = False) -> int:
        """Where an index of `text` stands in `whole`; with `ends` as the end of what is before it."""
        starts = [start for start, _ in self.pieces]
        number = (bisect.bisect_left if ends else bisect.bisect_right)(starts, index) - 1
        start, at = self.pieces[max(number, 0)]
        return at + index - start

    def index(self, place: int) -> int:
        """Where a place of `whole` stands in `text`; the inverse of `place`."""
        number = max(bisect.bisect_right([at for _, at in self.pieces], place) - 1, 0)
        start, at = self.pieces[number]
        return start + place - at

    def line(self, node: Node) -> int:
        """The line of a node as editors and git count it (facts/pins.md, section 3: not the parser's)."""
        return self.line_at(node.start_mark.index)

    def line_at(self, index: int) -> int:
        """The line in the file where an index of `text` stands."""
        return self.whole.count("\n", 0, self.place(index)) + 1

    def refusal(self, node: Node | None, found: str, write: str) -> Refused:
        """The refusal that names file and line, what was found there, and what to write instead."""
        place = self.path if node is None else f"{self.path}:{self.line(node)}"
        return Refused(f"{place}: {found}; {write}")

    def spliced(self, splices: Sequence[Splice]) -> "Source":
        """The same documents with these spans of `text` replaced; the spans are sorted and do not overlap."""
        text = joined(self.text, splices)
        moved = [
            (start + sum(_growth(splice) for splice in splices if _is_before(splice, start)), at)
            for start, at in self.pieces
        ]
        moved = [(start, at + start - old) for (start, at), (old, _) in zip(moved, self.pieces, strict=True)]
        after = dataclasses.replace(
            self, whole=joined(self.whole, [self.outside(splice) for splice in splices]), text=text,
            pieces=tuple(moved), roots=(),
        )  # fmt: skip
        return after.parsed()

    def parsed(self) -> "Source":
        """The same with the nodes of its text. Raises `Refused`."""
        return dataclasses.replace(self, roots=self.compose(self.path, self.text, self.line_at))

    def outside(self, splice: Splice) -> Splice:
        """A splice of `text` as one of `whole`."""
        start, stop, new = splice
        return self.place(start, ends=start == stop), self.place(stop, ends=True), new

    @functools.cached_property
    def embedded(self) -> "dict[int, Source | None]":
        """The documents that were found in scalars so far, by the scalar's id: each is read once, and is one source."""
        return {}

    @functools.cached_property
    def parents(self) -> dict[int, list[Node]]:
        """For each node's id its parents, one entry per use: an anchored node with aliases has several."""
        parents: dict[int, list[Node]] = {}
        pending = list(self.roots)
        while pending:
            node = pending.pop()
            for child in children(node):
                known = parents.setdefault(id(child), [])
                known.append(node)
                if len(known) == 1:
                    pending.append(child)
        return parents


def _growth(splice: Splice) -> int:
    return len(splice[2]) - (splice[1] - splice[0])


def _is_before(splice: Splice, start: int) -> bool:
    # What is added at a boundary belongs to the document that ends there.
    return splice[1] <= start and (splice[0] < start or start > 0)


def joined(text: str, splices: Sequence[Splice]) -> str:
    """The text with these spans replaced."""
    parts: list[str] = []
    end = 0
    for start, stop, new in splices:
        parts += [text[end:start], new]
        end = stop
    return "".join([*parts, text[end:]])


def read(path: str, data: bytes, naming: str = "") -> Source:
    """Parse a file, or refuse it with what is wrong: too large, or nothing that a YAML parser accepts.

    With `naming`, an image, only documents that name it are parsed, if there are any: in a bundle of megabytes that
    is the difference between seconds and milliseconds (facts/pins.md, sections 2 and 3).
    """
    whole = decoded(path, data)
    pieces, text = _chosen(whole, [part for part in naming.split("/") if part])
    source = Source(path, whole, text, tuple(pieces), ()).parsed()
    if "&" in text and "*" in text:
        _refuse_bomb(source)
    return source


def _refuse_bomb(source: Source) -> None:
    """Raise `Refused` where aliases multiply: nothing that reads the manifest would survive it, or contain themselves."""
    sizes: dict[int, int] = {}
    pending = [(root, False) for root in source.roots]
    while pending:
        node, below_is_known = pending.pop()
        if below_is_known:
            sizes[id(node)] = 1 + sum(sizes[id(child)] for child in children(node))
            if sizes[id(node)] > _MOST_NODES:
                found = "aliases make this a document of millions of values"
                raise source.refusal(node, found, "write it out, or without aliases of aliases")
        elif id(node) not in sizes:
            sizes[id(node)] = _MOST_NODES  # until it is known: who meets it before that is inside of it
            pending += [(node, True), *((child, False) for child in children(node))]


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


def children(node: Node) -> list[Node]:
    """The nodes directly below: items of a sequence, keys and values of a mapping, none of a scalar."""
    if node.id == "mapping":
        return [child for pair in node.value for child in pair]
    return list(node.value) if node.id == "sequence" else []


def pair(mapping: Node, key: str) -> tuple[Node, Node] | None:
    """Key and value node of a mapping; of duplicate keys the last, which is what counts in the cluster."""
    for item in reversed(mapping.value):
        if item[0].value == key and item[0].id == "scalar":
            found: tuple[Node, Node] = item
            return found
    return None


def value_of(mapping: Node, key: str) -> Node | None:
    """The value node under a key, or None."""
    found = pair(mapping, key)
    return found[1] if found else None


def text_of(mapping: Node, key: str) -> str | None:
    """The text of a scalar under a key; None where the key is missing, empty, null, or holds something else."""
    node = value_of(mapping, key)
    if node is None or node.id != "scalar" or is_empty(node):
        return None
    return str(node.value).strip() or None


def is_empty(node: Node) -> bool:
    """Whether a scalar says nothing: no value, `~`, `null`, `""`."""
    return bool(node.value == "" or node.tag == "tag:yaml.org,2002:null")


def shown(text: str, limit: int = 100) -> str:
    """Hostile text, fit for a sentence: one line, printable, bounded."""
    line = "".join(character if character.isprintable() else "\ufffd" for character in text)
    return line if len(line) <= limit else line[: limit - 1] + "…"
