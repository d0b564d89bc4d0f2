"""Documents inside a scalar: YAML or JSON in a block of a ConfigMap, a patch, or Helm values in an Application."""

from bot.adapters.manifests.compose import Node
from bot.adapters.manifests.parsing import parsable
from bot.adapters.manifests.source import Source
from bot.adapters.manifests.splices import token
from bot.ports import Refused


def document(source: Source, node: Node) -> Source | None:
    """What a scalar holds as a source of its own, or None where it is no YAML, or not found again in the file's text.

    That each line of the block minus its indentation is a line of the value is verified, so folded blocks and strings
    with escapes are none (facts/pins.md, section 3).
    """
    if id(node) not in source.embedded:
        source.embedded[id(node)] = _read(source, node)
    return source.embedded[id(node)]


def _read(source: Source, node: Node) -> Source | None:
    pieces = _block_lines(source, node) if node.style == "|" else _one_line(source, node)
    if pieces is None:
        return None
    text = parsable(str(node.value))
    inner = Source(source.path, source.whole, text, tuple(pieces), (), source, node)
    try:
        return inner.parsed()
    except Refused:
        return None


def _one_line(source: Source, node: Node) -> list[tuple[int, int]] | None:
    start, end = token(source, node)
    if node.style in ("'", '"'):
        start, end = start + 1, end - 1
    if node.style == ">" or source.text[start:end] != node.value or "\n" in node.value:
        return None
    return [(0, source.place(start))]


def _block_lines(source: Source, node: Node) -> list[tuple[int, int]] | None:
    start, end = token(source, node)
    at = source.text.find("\n", start, end) + 1
    if not at:
        return None
    pieces: list[tuple[int, int]] = []
    inside, indent = 0, None
    for line in str(node.value).split("\n"):
        stop = source.text.find("\n", at, end)
        raw = source.text[at : stop if stop >= 0 else end].removesuffix("\r")
        if line and indent is None:
            indent = len(raw) - len(line)
        lead = min(indent or 0, len(raw)) if not line else indent or 0
        if raw[lead:] != line and raw.strip(" "):
            return None
        pieces.append((inside, source.place(at + lead)))
        inside += len(line) + 1
        if stop < 0:
            break
        at = stop + 1
    return pieces
