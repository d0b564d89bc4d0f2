"""What can be done to a file: give a scalar another text, add a pair to a mapping, take one out."""

from dataclasses import dataclass

from bot.adapters.manifests.compose import Node


@dataclass(frozen=True)
class Replace:
    """Give a scalar this text; its quote style stays, and it is a string afterwards."""

    node: Node
    text: str


@dataclass(frozen=True)
class Insert:
    """Add `key: text` to a mapping, directly after the pair that has the key `after`."""

    mapping: Node
    after: str
    key: str
    text: str


@dataclass(frozen=True)
class Remove:
    """Take a pair out of a mapping, where it has a line of its own or stands behind a comma."""

    mapping: Node
    key: str


@dataclass(frozen=True)
class Append:
    """Add a mapping with these pairs to a block list, behind its last item and indented like it."""

    sequence: Node
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Rewrite:
    """A block or string with a document in it: that document was changed, and now has this text."""

    node: Node
    text: str


Change = Replace | Insert | Remove | Append


def expected_value(node: Node, text: str) -> str:
    """What a scalar's value is after `Replace`: a block scalar keeps the line ends that its chomping gave it."""
    value = str(node.value)
    return text + value[len(value.rstrip("\n")) :] if node.style in ("|", ">") else text
