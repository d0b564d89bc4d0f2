"""Change scalars of a YAML or JSON file and not one byte more, proven before the bytes leave."""

import dataclasses
import itertools
from collections.abc import Sequence

from bot.adapters.manifests import quoting, tokens, tree
from bot.adapters.manifests.changes import Change, Replace, Rewrite, expected_value
from bot.adapters.manifests.proof import prove
from bot.adapters.manifests.source import Source, Splice, encoded, joined
from bot.adapters.manifests.splices import splice
from bot.ports import Refused

Step = tuple[Source, Change]
"""A change, and the source that it is in: the file itself, or a document that is embedded in a scalar of it."""


def edited(source: Source, changes: Sequence[Change | Step]) -> bytes:
    """The file's bytes with exactly these changes; the same bytes when it says all that already.

    Raises `Refused` when the result would not parse to the old data with only these values changed.
    """
    steps = [change if isinstance(change, tuple) else (source, change) for change in changes]
    # Two pins that share a scalar by an alias are one change.
    effective = [step for step in dict.fromkeys(steps) if not _is_done(step[1])]
    if not effective:
        return source.data
    splices, expected = _solved(source, effective)
    if all(at is source for at, _ in effective) and _is_plain(source, effective):
        return encoded(source.replaced(splices))
    result = source.spliced(splices)
    prove(source, result, expected)
    return result.data


def _is_plain(source: Source, steps: Sequence[Step]) -> bool:
    return all(tokens.proves(source, change, splice(source, change)) for _, change in steps)


def _solved(source: Source, steps: Sequence[Step]) -> tuple[list[Splice], list[Change | Rewrite]]:
    """The splices of `source.text` that these changes make, and what the source must say afterwards."""
    own = [change for at, change in steps if at is source]
    splices, expected = [splice(source, change) for change in own], [*own]
    inner: dict[int, tuple[Source, list[Step]]] = {}
    for step in steps:
        if step[0] is not source:
            child = _child(source, step[0])
            inner.setdefault(id(child), (child, []))[1].append(step)
    rewritten: list[Change | Rewrite] = [*expected]
    for child, below in inner.values():
        within, wanted = _solved(child, below)
        text = joined(child.text, within)
        prove(child, dataclasses.replace(child, text=text).parsed(), wanted)
        rewritten.append(Rewrite(child.node, text))
        splices += [_lifted(source, child, item) for item in within]
    splices.sort(key=lambda item: item[:2])
    for (_, end, _), (start, _, _) in itertools.pairwise(splices):
        if start < end:
            raise Refused(
                f"{source.path}: two changes fall on the same place; give each pin a place of its own"
            )
    return splices, rewritten


def _child(source: Source, inner: Source) -> Source:
    while inner.outer is not None and inner.outer is not source:
        inner = inner.outer
    return inner


def _lifted(source: Source, child: Source, item: Splice) -> Splice:
    """A splice of an embedded text as one of the text around it, in the words of the scalar that it is in."""
    start, stop, new = _narrowed(child.text, item)
    begin = child.around(start, ends=item[0] == item[1])
    end = child.around(stop, ends=True) if start < stop else begin
    style = child.node.style if child.node is not None else None
    if "\n" in f"{new}{source.text[begin:end]}":
        found = "a change in this embedded document is not on one line"
        raise source.refusal(child.node, found, "write the value on the line of its key")
    if style == '"':
        new = quoting.written(new, '"')[1:-1]
    return begin, end, new.replace("'", "''") if style == "'" else new


def _narrowed(text: str, item: Splice) -> Splice:
    # What stays may be written with escapes: it is left as it is written.
    start, stop, new = item
    old = text[start:stop]
    before = _alike(old, new)
    after = _alike(old[before:][::-1], new[before:][::-1])
    return start + before, stop - after, new[before : len(new) - after]


def _alike(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((number for number, (a, b) in pairs if a != b), min(len(one), len(other)))


def _is_done(change: Change) -> bool:
    if not isinstance(change, Replace):
        return False
    node = change.node
    stays_string = node.style or quoting.is_string(change.text)
    return node.value == expected_value(node, change.text) and node.tag == tree.STRING and bool(stays_string)
