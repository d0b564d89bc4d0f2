"""Prove that an edited file says what the old one said, with only the intended values changed."""

from collections.abc import Iterator, Sequence

from bot.adapters.manifests import tree
from bot.adapters.manifests.changes import Append, Change, Insert, Remove, Replace, Rewrite, expected_value
from bot.adapters.manifests.compose import Node
from bot.adapters.manifests.source import Source
from bot.adapters.manifests.tokens import says
from bot.ports import Refused

Pair = tuple[Node, Node]


class _New:
    """A pair that did not exist before, as the proof expects it."""

    def __init__(self, key: str, text: str) -> None:
        self.key = key
        self.text = text


def prove(old: Source, new: Source, changes: Sequence[Change | Rewrite]) -> None:
    """Raise `Refused` unless `new` parses to `old` with exactly these changes; aliases must still be the same aliases."""
    replaced = {id(change.node): change for change in changes if isinstance(change, Replace | Rewrite)}
    reshaped = {id(change.mapping) for change in changes if isinstance(change, Insert | Remove)}
    reshaped |= {id(change.sequence) for change in changes if isinstance(change, Append)}
    shared = "&" in old.text
    twin: dict[int, Node] = {}
    pending: list[tuple[Node, Node]] = _zipped(old, old.roots, new.roots)
    while pending:
        before, after = pending.pop()
        if shared:
            if id(before) in twin:
                _demand(twin[id(before)] is after, old, before)
                continue
            twin[id(before)] = after
        if id(before) in replaced:
            _demand(_holds(after, replaced[id(before)]), old, before)
        elif before.id == "scalar":
            if before.value != after.value or not _same_scalar(before, after):
                _demand(False, old, before)
        elif id(before) in reshaped:
            pending += _reshaped(old, before, after, changes)
        else:
            _demand(before.id == after.id and before.tag == after.tag, old, before)
            _demand(len(before.value) == len(after.value), old, before)
            pairs = zip(before.value, after.value, strict=True)
            if before.id == "mapping":
                for one, other in pairs:
                    pending += zip(one, other, strict=True)
            else:
                pending += pairs


def _has_one_more(before: Node, after: Node, change: Append) -> bool:
    if after.id != "sequence" or before.tag != after.tag or len(after.value) != len(before.value) + 1:
        return False
    added = after.value[-1]
    return added.id == "mapping" and [(key.value, value.value) for key, value in added.value] == list(
        change.pairs
    )


def _demand(holds: bool, source: Source, node: Node) -> None:
    if not holds:
        found = "changing the pinned value would change something else too"
        raise source.refusal(node, found, "write the entry in plain block style, one key per line")


def _zipped(source: Source, before: Sequence[Node], after: Sequence[Node]) -> list[tuple[Node, Node]]:
    if len(before) != len(after):
        raise Refused(
            f"{source.path}: changing the pinned value would change the structure of the file; write it simpler"
        )
    return list(zip(before, after, strict=True))


def _same_scalar(before: Node, after: Node) -> bool:
    return bool(
        after.id == "scalar"
        and before.tag == after.tag
        and before.value == after.value
        and before.style == after.style
    )


def _holds(after: Node, change: Replace | Rewrite) -> bool:
    if isinstance(change, Rewrite):
        return bool(after.id == "scalar" and after.value == change.text and after.style == change.node.style)
    return says(after, expected_value(change.node, change.text))


def _expected(mapping: Node, changes: Sequence[Change | Rewrite]) -> Iterator[Pair | _New]:
    here = [change for change in changes if getattr(change, "mapping", None) is mapping]
    gone = [tree.pair(mapping, change.key) for change in here if isinstance(change, Remove)]
    for item in mapping.value:
        if not any(item is pair for pair in gone):
            yield item
        for change in here:
            if isinstance(change, Insert) and tree.pair(mapping, change.after) is item:
                yield _New(change.key, change.text)


def _reshaped(
    source: Source, before: Node, after: Node, changes: Sequence[Change | Rewrite]
) -> list[tuple[Node, Node]]:
    for change in changes:
        if isinstance(change, Append) and change.sequence is before:
            _demand(_has_one_more(before, after, change), source, before)
            return list(zip(before.value, after.value[:-1], strict=True))
    _demand(after.id == "mapping" and before.tag == after.tag, source, before)
    expected = list(_expected(before, changes))
    _demand(len(expected) == len(after.value), source, before)
    kept: list[tuple[Node, Node]] = []
    for want, (key, value) in zip(expected, after.value, strict=True):
        if isinstance(want, _New):
            _demand(says(key, want.key) and says(value, want.text), source, before)
        else:
            kept += [(want[0], key), (want[1], value)]
    return kept
