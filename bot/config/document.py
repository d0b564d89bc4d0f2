"""YAML as plain values that remember their line and column; hostile input ends in `Faults`, never in another exception.

The parser's events are read one by one instead of a loaded document: so depth and size are bounded while reading,
duplicate keys are seen, and nothing is ever constructed from a tag.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from bot.config.faults import Fault, Faults, key_path, quoted

LARGEST = 1024 * 1024
DEEPEST = 20
MOST_VALUES = 20_000

# YAML 1.2's core schema: `on`, `yes` and `012` are text.
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]{1,18}|[0-9]{1,18}\.[0-9]{0,18})\Z")
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}

# What the parser is known to let slip on damaged input, beside its own exceptions.
_UNREADABLE = (YAMLError, ValueError, LookupError, TypeError, AttributeError, AssertionError, StopIteration)


@dataclass(slots=True)
class Node:
    """A scalar, a list of nodes or a mapping to nodes, with its place (from 1); `keys` are the places of the keys."""

    line: int
    column: int
    value: Any
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)

    def plain(self) -> Any:
        """The values alone: dicts, tuples, str, int, float, bool, None."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        return tuple(node.plain() for node in self.value) if isinstance(self.value, list) else self.value

    def place(self, steps: Sequence[str | int]) -> tuple[int, int]:
        """Line and column of the key or item that these steps lead to, or of the nearest one above it that exists."""
        node, at = self, (self.line, self.column)
        for step in steps:
            if isinstance(node.value, dict) and step in node.value:
                at, node = node.keys.get(str(step), at), node.value[step]
            elif isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                at = (node.line, node.column)
            else:
                break
        return at


def read_file(path: Path, how: str) -> bytes:
    """The bytes of a config file, as many as `read` may need to refuse it. Raises `Faults` with this cure."""
    try:
        with path.open("rb") as stream:
            return stream.read(LARGEST + 1)
    except OSError as error:
        raise _whole(str(path), f"this file cannot be read: {error.strerror}", how) from None


def read(data: bytes, file: str) -> Node:
    """The document, a mapping. Raises `Faults`: not UTF-8, too large, not YAML, duplicate keys, tags, alias bombs."""
    if len(data) > LARGEST:
        raise _whole(file, "the file is larger than 1 MiB", "Split it.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Faults(
            [Fault(file, line, 1, "", "this line is not UTF-8", "Save the file as UTF-8.")]
        ) from None
    reader = _Reader(file)
    try:
        root = reader.document(text)
    except MarkedYAMLError as error:
        raise _syntax(file, error) from None
    except _UNREADABLE:
        raise _whole(file, "this is not YAML", "Mend the syntax; a YAML linter shows where.") from None
    if reader.faults:
        raise Faults(reader.faults)
    return root


def _whole(file: str, what: str, how: str) -> Faults:
    return Faults([Fault(file, 0, 0, "", what, how)])


def _syntax(file: str, error: MarkedYAMLError) -> Faults:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    problem = quoted(error.problem or error.context or "it cannot be read", 120)[1:-1]
    how = "Mend the syntax: two spaces per level, no tabs, text with `: ` or `#` in quotes."
    return Faults([Fault(file, line, column, "", f"this is not YAML: {problem}", how)])


class _Reader:
    """Builds nodes from events, collecting the faults that need not stop it."""

    def __init__(self, file: str) -> None:
        self.faults: list[Fault] = []
        self._file = file
        self._anchors: dict[str, Node] = {}
        self._values = 0
        self._events: Iterator[Any] = iter(())

    def document(self, text: str) -> Node:
        self._events = iter(YAML(typ="safe", pure=True).parse(text))
        root: Node | None = None
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                if root is not None:
                    raise self._stop(event, (), "this is a second document", "Keep one document per file.")
                root = self._node(next(self._events), ())
        if root is None or root.value is None:
            raise _whole(
                self._file, "the file is empty", "Write its keys; the README shows the shortest one."
            )
        if not isinstance(root.value, dict):
            how = "Begin with `key: value` lines, as the README shows."
            raise Faults([Fault(self._file, root.line, root.column, "", "the file is not a mapping", how)])
        return root

    def _stop(self, event: Any, path: tuple[str | int, ...], what: str, how: str) -> Faults:
        mark = event.start_mark
        fault = Fault(self._file, mark.line + 1, mark.column + 1, key_path(path), what, how)
        return Faults([*self.faults, fault])

    def _count(self, event: Any, path: tuple[str | int, ...], values: int) -> None:
        self._values += values
        if self._values > MOST_VALUES:
            raise self._stop(
                event, path, f"there are more than {MOST_VALUES} values", "Use fewer aliases (`*name`)."
            )
        if len(path) > DEEPEST:
            raise self._stop(event, path[:3], f"values are nested more than {DEEPEST} deep", "Flatten them.")

    def _node(self, event: Any, path: tuple[str | int, ...]) -> Node:
        self._count(event, path, 1)
        if isinstance(event, AliasEvent):
            return self._alias(event, path)
        if event.tag is not None and not (event.tag == "!" and isinstance(event, ScalarEvent)):
            raise self._stop(event, path, "YAML tags (`!name`) are not read", "Leave the tag out.")
        node = Node(event.start_mark.line + 1, event.start_mark.column + 1, None)
        if isinstance(event, MappingStartEvent):
            self._mapping(node, path)
        elif isinstance(event, SequenceStartEvent):
            self._sequence(node, path)
        else:
            node.value = _scalar(event.value) if event.style is None and event.tag is None else event.value
        if event.anchor:
            # Registered only when complete, so an alias to what encloses it is unknown instead of endless.
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any, path: tuple[str | int, ...]) -> Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            raise self._stop(
                event, path, "this alias has no anchor before it", "Define it earlier with `&name`."
            )
        self._count(event, path, _size(node))
        if len(path) + _depth(node) > DEEPEST:
            raise self._stop(event, path[:3], f"values are nested more than {DEEPEST} deep", "Flatten them.")
        return node

    def _sequence(self, node: Node, path: tuple[str | int, ...]) -> None:
        node.value = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            node.value.append(self._node(event, (*path, len(node.value))))

    def _mapping(self, node: Node, path: tuple[str | int, ...]) -> None:
        node.value = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                raise self._stop(
                    event, path, "a key is a list, a mapping or an alias", "Write the key as plain text."
                )
            key, mark = event.value, event.start_mark
            value = self._node(next(self._events), (*path, key))
            if key in node.value:
                first = node.keys[key][0]
                what, place = f"this key is already on line {first}", (mark.line + 1, mark.column + 1)
                self.faults.append(
                    Fault(self._file, *place, key_path((*path, key)), what, "Keep one of the two.")
                )
                continue
            node.value[key], node.keys[key] = value, (mark.line + 1, mark.column + 1)


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        return int(text)
    return float(text) if _FLOAT.match(text) else text


def _children(node: Node) -> list[Node]:
    if isinstance(node.value, dict):
        return list(node.value.values())
    return list(node.value) if isinstance(node.value, list) else []


def _size(node: Node) -> int:
    """How many values an alias repeats. Bounded: a node never holds more than was counted while it was read."""
    return 1 + sum(_size(child) for child in _children(node))


def _depth(node: Node) -> int:
    return 1 + max((_depth(child) for child in _children(node)), default=0)
