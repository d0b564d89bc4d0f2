"""Which span of a file's text a change replaces, and by what; marks and their traps: facts/pins.md, section 3."""

import re

from bot.adapters.manifests import quoting, tree
from bot.adapters.manifests.changes import Append, Change, Insert, Remove, Replace
from bot.adapters.manifests.compose import Node
from bot.adapters.manifests.source import Source, Splice

_PROPERTIES = re.compile(r"(?:[&!]\S*\s+(?:#[^\n\r]*\s+)*)+")
_LINE_END = re.compile(r"\r\n|\n|\r")
_DASH = re.compile(r" *- +\Z")
_ONLY_SPACE = re.compile(r"[ \t]*\Z")


def splice(source: Source, change: Change) -> Splice:
    """Which span of the text the change replaces, and by what."""
    if isinstance(change, Replace):
        return _replacement(source, change)
    if isinstance(change, Append):
        return _addition(source, change)
    return _insertion(source, change) if isinstance(change, Insert) else _removal(source, change)


def token(source: Source, node: Node) -> tuple[int, int]:
    """The span of a scalar without anchor and tag, which the parser counts as part of it."""
    start, end = node.start_mark.index, node.end_mark.index
    properties = _PROPERTIES.match(source.text, start, end)
    return (properties.end() if properties else start), end


def _replacement(source: Source, change: Replace) -> Splice:
    node = change.node
    start, end = token(source, node)
    if node.style in ("|", ">"):
        return _block_replacement(source, change, start, end)
    text = quoting.written(change.text, node.style or ('"' if source.is_json else None))
    if start == end:
        before = source.text[start - 1 : start]
        return start, end, text if before in (" ", "\t") else f" {text}"
    if source.text[start] in "&!":
        raise source.refusal(
            node, "an anchor or tag without a value cannot be given one", "write the value by hand once"
        )
    return start, end, text


def _block_replacement(source: Source, change: Replace, start: int, end: int) -> Splice:
    body = str(change.node.value).rstrip("\n")
    begin = source.text.find("\n", start, end) + 1
    if not body or "\n" in change.text or source.text.count(body, begin, end) != 1:
        found = "the block scalar here is not one plain line"
        raise source.refusal(change.node, found, "write the value on the line of its key")
    at = source.text.index(body, begin, end)
    return at, at + len(body), change.text


def _insertion(source: Source, change: Insert) -> Splice:
    key, value = _own_pair(source, change.mapping, change.after)
    at = value.end_mark.index
    # An alias has the marks of the node that it names: the place where it stands itself is not known.
    if value.start_mark.index < key.end_mark.index or value.id != "scalar" or value.style in ("|", ">"):
        found = f"no line can be added behind `{change.after}`"
        raise source.refusal(key, found, f"add the line `{change.key}: {change.text}` to this entry by hand")
    style = '"' if key.style == '"' else None
    pair = f"{quoting.written(change.key, key.style)}: {quoting.written(change.text, style)}"
    indent, own_line = _indentation(source, key)
    if change.mapping.flow_style:
        return at, at, f",{_line_end(source, at)}{indent}{pair}" if own_line else f", {pair}"
    _, line_end, stop = _rest_of_line(source, at)
    text = f"{indent}{pair}{line_end}" if line_end else f"{_line_end(source, at)}{indent}{pair}"
    return stop, stop, text


def _addition(source: Source, change: Append) -> Splice:
    items = change.sequence.value
    last = node = items[-1] if items else None
    while node is not None and node.id != "scalar":
        node = (node.value[-1][1] if node.id == "mapping" else node.value[-1]) if node.value else None
    lead = (
        ""
        if last is None
        else source.text[_line_start(source, last.start_mark.index) : last.start_mark.index]
    )
    is_own = node is not None and last is not None and node.start_mark.index >= last.start_mark.index
    if (
        node is None
        or not is_own
        or change.sequence.flow_style
        or not _DASH.match(lead)
        or node.style in ("|", ">")
    ):
        pairs = ", ".join(f"{key}: {text}" for key, text in change.pairs)
        raise source.refusal(
            change.sequence, "no entry can be added to this list", f"add `- {{{pairs}}}` by hand"
        )
    _, line_end, stop = _rest_of_line(source, node.end_mark.index)
    end = line_end or _line_end(source, stop)
    lines = [f"{quoting.written(key, None)}: {quoting.written(text, None)}" for key, text in change.pairs]
    text = lead + f"{end}{' ' * len(lead)}".join(lines)
    return stop, stop, f"{text}{end}" if line_end else f"{end}{text}"


def _rest_of_line(source: Source, index: int) -> tuple[str, str, int]:
    """What follows on the line, its line end (empty at the end of the file), and where the next line starts."""
    found = _LINE_END.search(source.text, index)
    if found is None:
        return source.text[index:], "", len(source.text)
    return source.text[index : found.start()], found[0], found.end()


def _own_pair(source: Source, mapping: Node, key: str) -> tuple[Node, Node]:
    found = tree.pair(mapping, key)
    if found is None:
        raise source.refusal(mapping, f"`{key}` is missing in this entry", f"add `{key}` by hand once")
    return found


def _indentation(source: Source, key: Node) -> tuple[str, bool]:
    # The first key of a list item stands behind its dash: the next ones stand below it, one column per character.
    start = _line_start(source, key.start_mark.index)
    lead = source.text[start : key.start_mark.index]
    own_line = _ONLY_SPACE.match(lead) is not None
    return (lead if own_line else " " * len(lead)), own_line


def _line_start(source: Source, index: int) -> int:
    return max(source.text.rfind("\n", 0, index), source.text.rfind("\r", 0, index)) + 1


def _line_end(source: Source, index: int) -> str:
    # The line end of the neighbour above; of the file where there is none.
    before = source.text.rfind("\n", 0, index)
    return "\r\n" if before > 0 and source.text[before - 1] == "\r" else "\n"


def _removal(source: Source, change: Remove) -> Splice:
    key, value = _own_pair(source, change.mapping, change.key)
    start, end = key.start_mark.index, max(value.end_mark.index, key.end_mark.index)
    if change.mapping.flow_style:
        comma = source.text.rfind(",", 0, start)
        if comma >= 0 and not source.text[comma + 1 : start].strip():
            return comma, end, ""
    else:
        line = _line_start(source, start)
        rest, line_end, stop = _rest_of_line(source, end)
        if not rest.strip() and not source.text[line:start].strip():
            return (line, stop, "") if line_end else (_before_line(source, line), stop, "")
    raise source.refusal(key, f"`{change.key}` has no line of its own", f"take `{change.key}` out by hand")


def _before_line(source: Source, line: int) -> int:
    return line - (2 if source.text[line - 2 : line] == "\r\n" else 1)
