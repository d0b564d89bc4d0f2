"""A YAML or JSON file as nodes that know where they stand in its text."""

import functools
from dataclasses import dataclass

from bot.adapters.manifests.compose import Node, composed
from bot.ports import Refused

LIMIT = 10 * 1024 * 1024
BOM = "\ufeff"
STRING = "tag:yaml.org,2002:str"


@dataclass(frozen=True, eq=False)
class Source:
    """A file that was read: its text (BOM taken off, line ends as they are) and the root node of each document."""

    path: str
    bom: str
    text: str
    roots: tuple[Node, ...]

    @property
    def data(self) -> bytes:
        """The bytes that it was read from: strict UTF-8 makes text and bytes equivalent."""
        return (self.bom + self.text).encode()

    def line(self, node: Node) -> int:
        """The line of a node as editors and git count it (facts/pins.md, section 3: not the parser's)."""
        return self.text.count("\n", 0, node.start_mark.index) + 1

    def refusal(self, node: Node | None, found: str, write: str) -> Refused:
        """The refusal that names file and line, what was found there, and what to write instead."""
        place = self.path if node is None else f"{self.path}:{self.line(node)}"
        return Refused(f"{place}: {found}; {write}")

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


def read(path: str, data: bytes) -> Source:
    """Parse a file, or refuse it with what is wrong: too large, not UTF-8, or nothing that a YAML parser accepts."""
    if len(data) > LIMIT:
        raise Refused(
            f"{path}: the file has {len(data):,} bytes; files of more than {LIMIT:,} are not edited, so split it"
        )
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Refused(
            f"{path}:{line}: byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from error
    bom = BOM if text.startswith(BOM) else ""
    text = text[len(bom) :]
    return Source(path, bom, text, composed(path, text))


def children(node: Node) -> list[Node]:
    """The nodes directly below: items of a sequence, keys and values of a mapping, none of a scalar."""
    if node.id == "mapping":
        return [child for pair in node.value for child in pair]
    return list(node.value) if node.id == "sequence" else []


def pair(mapping: Node, key: str) -> tuple[Node, Node] | None:
    """Key and value node of a mapping; of duplicate keys the last, which is what counts in the cluster."""
    found = [item for item in mapping.value if item[0].id == "scalar" and item[0].value == key]
    return found[-1] if found else None


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
