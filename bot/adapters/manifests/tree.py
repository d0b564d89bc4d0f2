"""A YAML or JSON file as nodes that know where they stand in its text."""

import dataclasses
import functools
import re
from dataclasses import dataclass

from bot.adapters.manifests.compose import Node, composed
from bot.ports import Refused

LIMIT = 10 * 1024 * 1024
BOM = "\ufeff"
_DOCUMENT = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
_DIRECTIVE = re.compile(r"^\ufeff?%", re.MULTILINE)
STRING = "tag:yaml.org,2002:str"


@dataclass(frozen=True, eq=False)
class Source:
    """A file that was read: `text` with the root node of each document in it, and what stands around that text.

    `before` begins with the BOM, if there is one; line ends are as they are.
    """

    path: str
    before: str
    text: str
    after: str
    roots: tuple[Node, ...]

    @property
    def data(self) -> bytes:
        """The bytes that it was read from: strict UTF-8 makes text and bytes equivalent."""
        return (self.before + self.text + self.after).encode()

    @property
    def is_part(self) -> bool:
        """Whether documents were left out when it was read."""
        return bool(self.before.strip(BOM) or self.after)

    def saying(self, text: str) -> "Source":
        """The same file with another text in the place of this one."""
        return dataclasses.replace(self, text=text, roots=composed(self.path, text, self.before.count("\n")))

    def line(self, node: Node) -> int:
        """The line of a node as editors and git count it (facts/pins.md, section 3: not the parser's)."""
        return self.before.count("\n") + self.text.count("\n", 0, node.start_mark.index) + 1

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


def read(path: str, data: bytes, naming: str = "") -> Source:
    """Parse a file, or refuse it with what is wrong: too large, not UTF-8, or nothing that a YAML parser accepts.

    With `naming`, documents before the first and after the last one that has this text in it are not parsed: in a
    bundle of megabytes that is the difference between seconds and milliseconds (facts/pins.md, sections 2 and 3).
    """
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
    start, end = _window(text, naming)
    start = max(start, len(BOM) if text.startswith(BOM) else 0)
    before, text, after = text[:start], text[start:end], text[end:]
    return Source(path, before, text, after, composed(path, text, before.count("\n")))


def _window(text: str, naming: str) -> tuple[int, int]:
    first, last = text.find(naming), text.rfind(naming)
    # A directive belongs to the document behind it, not to the one before.
    if not naming or first < 0 or _DIRECTIVE.search(text):
        return 0, len(text)
    starts = [mark.start() for mark in _DOCUMENT.finditer(text)]
    begin = max((start for start in starts if start <= first), default=0)
    return begin, min((start for start in starts if start > last), default=len(text))


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
