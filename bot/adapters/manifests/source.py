"""A YAML or JSON file as nodes that know where they stand in its text."""

import bisect
import dataclasses
import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.adapters.manifests.compose import Node, composed
from bot.adapters.manifests.tree import children
from bot.ports import Refused

BOM = "\ufeff"
_JSON = re.compile(r'\s*[\[{][\[{\s]*"')
Splice = tuple[int, int, str]
"""Start and end in a text, and what stands there instead."""


@dataclass(frozen=True, eq=False)
class Source:
    """A file that was read: all of it as `whole`, and as `text` the documents of it that were parsed.

    `pieces` say for each stretch of `text` where it begins there and in `whole`, or in the text of `outer` where this is
    embedded in a scalar of it, `node`. Bytes that are not UTF-8 are kept as they are, and are U+FFFD for the parser.
    """

    path: str
    whole: str
    text: str
    pieces: tuple[tuple[int, int], ...]
    roots: tuple[Node, ...]
    outer: "Source | None" = None
    node: Node | None = None
    compose: Callable[[str, str, Callable[[int], int]], tuple[Node, ...]] = composed

    @property
    def data(self) -> bytes:
        """The bytes that it was read from."""
        return encoded(self.whole)

    @property
    def is_part(self) -> bool:
        """Whether documents were left out when it was read."""
        return len(self.text) < len(self.whole.removeprefix(BOM))

    @property
    def is_template(self) -> bool:
        """Whether no YAML parser accepts it, so that its roots are lines that a rule found."""
        return self.compose is not composed

    @property
    def is_json(self) -> bool:
        """Whether its text is JSON, where a string without quotes would be none."""
        return _JSON.match(self.text) is not None

    def place(self, index: int, *, ends: bool = False) -> int:
        """Where an index of `text` stands in `whole`; with `ends` as the end of what is before it."""
        around = self.around(index, ends=ends)
        return around if self.outer is None else self.outer.place(around, ends=ends)

    def around(self, index: int, *, ends: bool = False) -> int:
        """The same in the text that this one is embedded in, which is `whole` where it is in none."""
        starts = [start for start, _ in self.pieces]
        number = (bisect.bisect_left if ends else bisect.bisect_right)(starts, index) - 1
        start, at = self.pieces[max(number, 0)]
        return at + index - start

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
            self, whole=self.replaced(splices), text=text, pieces=tuple(moved), roots=()
        )
        return after.parsed()

    def replaced(self, splices: Sequence[Splice]) -> str:
        """The whole file as `spliced` would have it, without parsing it."""
        return joined(self.whole, [self.outside(splice) for splice in splices])

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


def encoded(whole: str) -> bytes:
    """A file's bytes."""
    return whole.encode(errors="surrogateescape")


def joined(text: str, splices: Sequence[Splice]) -> str:
    """The text with these spans replaced."""
    parts: list[str] = []
    end = 0
    for start, stop, new in splices:
        parts += [text[end:start], new]
        end = stop
    return "".join([*parts, text[end:]])
