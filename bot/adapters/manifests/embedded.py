"""Documents inside a scalar: YAML or JSON in a block of a ConfigMap, a patch, or Helm values in an Application."""

from bot.adapters.manifests.compose import Node
from bot.adapters.manifests.parsing import parsable
from bot.adapters.manifests.runs import runs
from bot.adapters.manifests.source import Source
from bot.ports import Refused


def document(source: Source, node: Node) -> Source | None:
    """What a scalar holds as a source of its own, or None where it is no YAML, or not found again in the file's text."""
    if id(node) not in source.embedded:
        inner = text(source, node)
        try:
            source.embedded[id(node)] = None if inner is None else inner.parsed()
        except Refused:
            source.embedded[id(node)] = None
    return source.embedded[id(node)]


def text(source: Source, node: Node) -> Source | None:
    """What a scalar holds as a source that is not parsed yet; None where its text cannot be found again in the file's."""
    found = runs(source, node)
    if found is None:
        return None
    return Source(source.path, source.whole, parsable(str(node.value)), found, (), source, node)
