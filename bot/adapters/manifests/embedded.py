"""Documents inside a scalar: YAML or JSON in a block of a ConfigMap, a patch, or Helm values in an Application."""

from bot.adapters.manifests.compose import Node
from bot.adapters.manifests.parsing import parsable
from bot.adapters.manifests.runs import runs
from bot.adapters.manifests.source import Source
from bot.ports import Refused


def document(source: Source, node: Node) -> Source | None:
    """What a scalar holds as a source of its own, or None where it is no YAML, or not found again in the file's text.

    A scalar in a scalar is no document: every word would be one.
    """
    if id(node) not in source.embedded:
        source.embedded[id(node)] = _parsed(text(source, node))
    return source.embedded[id(node)]


def _parsed(inner: Source | None) -> Source | None:
    try:
        found = None if inner is None else inner.parsed()
    except Refused:
        return None
    return found if found is not None and any(root.id != "scalar" for root in found.roots) else None


def text(source: Source, node: Node) -> Source | None:
    """What a scalar holds as a source that is not parsed yet; None where its text cannot be found again in the file's."""
    found = runs(source, node)
    if found is None:
        return None
    return Source(source.path, source.whole, parsable(str(node.value)), found, (), source, node)
