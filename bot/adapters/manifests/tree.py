"""Nodes of a document: what is below, under a key, and said."""

from bot.adapters.manifests.compose import Node

STRING = "tag:yaml.org,2002:str"


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
