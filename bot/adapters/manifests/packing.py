"""Objects for git in a pack: a tree that names another object in a few places is only its difference."""

import hashlib
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Literal

OID = 20
"""Bytes of an object's name."""

Kind = Literal["commit", "tree", "blob"]
_NUMBERS: Mapping[Kind, int] = {"commit": 1, "tree": 2, "blob": 3}
_DIFFERENCE = 7
_MOST_COPIED = 0xFFFF
_SMALL = 4096


class Pack:
    """Objects, each once. The format is that of git's `gitformat-pack`, with differences to objects outside of it."""

    def __init__(self) -> None:
        """Empty."""
        self._objects: dict[str, bytes] = {}

    def __len__(self) -> int:
        """How many objects there are."""
        return len(self._objects)

    def add(self, kind: Kind, data: bytes) -> str:
        """Add an object; returns its name."""
        oid = _name(kind, data)
        if oid not in self._objects:
            self._objects[oid] = _head(_NUMBERS[kind], len(data)) + _deflated(data)
        return oid

    def add_changed(self, tree: str, data: bytes, names: Mapping[int, str]) -> str:
        """Add the tree `tree`, whose content is `data`, with other objects' names at these places; returns its name."""
        changed = bytearray(data)
        for at, oid in names.items():
            changed[at : at + OID] = bytes.fromhex(oid)
        name = _name("tree", bytes(changed))
        if name not in self._objects:
            difference = b"".join(_difference(bytes(changed), sorted(names)))
            head = _head(_DIFFERENCE, len(difference)) + bytes.fromhex(tree)
            self._objects[name] = head + _deflated(difference)
        return name

    def data(self) -> bytes:
        """The pack."""
        data = b"".join([struct.pack(">4sII", b"PACK", 2, len(self)), *self._objects.values()])
        return data + hashlib.sha1(data, usedforsecurity=False).digest()


def _name(kind: Kind, data: bytes) -> str:
    return hashlib.sha1(b"%s %d\0%s" % (kind.encode(), len(data), data), usedforsecurity=False).hexdigest()


def _head(number: int, size: int) -> bytes:
    first, size = number << 4 | size & 0x0F, size >> 4
    return bytes([first | 0x80]) + _size(size) if size else bytes([first])


def _deflated(data: bytes) -> bytes:
    # Most objects are small: to clear the memory for a window of 32 KiB takes five times as long as to deflate them.
    if len(data) > _SMALL:
        return zlib.compress(data)
    small = zlib.compressobj(wbits=12, memLevel=4)
    return small.compress(data) + small.flush()


def _size(size: int) -> bytes:
    parts = []
    while size > 0x7F:
        parts.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*parts, size])


def _difference(changed: bytes, places: list[int]) -> Iterator[bytes]:
    yield _size(len(changed)) * 2  # of both: no name is longer than another
    done = 0
    for at in places:
        yield from _copied(done, at)
        yield bytes([OID]) + changed[at : at + OID]
        done = at + OID
    yield from _copied(done, len(changed))


def _copied(start: int, stop: int) -> Iterator[bytes]:
    for at in range(start, stop, _MOST_COPIED):
        # A copy with all four bytes of its place, and two of its size.
        yield struct.pack("<BIH", 0xBF, at, min(_MOST_COPIED, stop - at))
