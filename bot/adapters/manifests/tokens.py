"""The short proof: a scalar on one line gives way to a scalar, so nothing else of the file need be parsed again."""

import re

from bot.adapters.manifests import quoting, tree
from bot.adapters.manifests.changes import Change, Replace
from bot.adapters.manifests.compose import Node, composed
from bot.adapters.manifests.source import Source, Splice
from bot.ports import Refused

# What a parser takes for the end of a line.
_BREAK = re.compile("[\n\r\x85\u2028\u2029]|\\Z")
_NOTHING_MORE = re.compile(r"[ \t]*(?:[ \t]#.*)?\Z")


def proves(source: Source, change: Change, splice: Splice) -> bool:
    """Whether the line alone proves that this splice changes this scalar to this text, and nothing else.

    A parser is in the same state behind two scalars that stand at the same place, are on one line each, and have only
    blanks or a comment behind them. That the new one is such a scalar is what the parser is asked here. False where
    that does not settle it: blocks, values without text, explicit types, what stands before a comma or a brace.
    """
    start, stop, new = splice
    if (
        not isinstance(change, Replace)
        or source.is_template
        or not _is_token(source, change.node, start, stop)
    ):
        return False
    end = _line_end(source.text, stop)
    rest = source.text[stop:end]
    if not _NOTHING_MORE.match(rest):
        return False
    try:
        roots = composed(source.path, f"- {new}{rest}", source.line_at)
    except Refused:
        return False
    items = roots[0].value if len(roots) == 1 and roots[0].id == "sequence" else []
    return len(items) == 1 and _stands(items[0], 2, 2 + len(new)) and says(items[0], change.text)


def says(node: Node, value: str) -> bool:
    """Whether this is a scalar that every reader reads as this string."""
    if node.id != "scalar" or node.tag != tree.STRING or node.value != value:
        return False
    return bool(node.style) or quoting.is_string(value)


def _is_token(source: Source, node: Node, start: int, stop: int) -> bool:
    if node.style in ("|", ">") or _line_end(source.text, start) < stop or start == stop:
        return False
    # At the start of a line it might become a document mark.
    has_more_before = start > 0 and _BREAK.match(source.text[start - 1]) is None
    return has_more_before and "!" not in source.text[node.start_mark.index : start]


def _stands(node: Node, start: int, stop: int) -> bool:
    return bool(node.start_mark.index == start and node.end_mark.index == stop)


def _line_end(text: str, index: int) -> int:
    found = _BREAK.search(text, index)
    return found.start() if found else len(text)
