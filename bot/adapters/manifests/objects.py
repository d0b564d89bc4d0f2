"""Trees and blobs of the mirror; blobs that are not there yet come in one request (facts/git-mirror.md)."""

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.adapters.manifests.git import Git
from bot.adapters.manifests.object_reader import ObjectReader
from bot.ports import Retryable

_KEPT_BYTES = 1024 * 1024
_KEPT_BLOBS = 512
_KEPT_ENTRIES = 200_000
_ENTRY = re.compile(rb"([0-7]+) ([^\0]+)\0(.{20})", re.DOTALL)


@dataclass(frozen=True)
class TreeEntry:
    """A file as a tree names it: `mode` tells plain files, executables, symlinks (120000) and submodules (160000)."""

    mode: str
    oid: str


@dataclass(frozen=True)
class Tree:
    """One folder: its object, and by name what is in it and where in `data` that object is named."""

    oid: str
    data: bytes
    entries: Mapping[str, tuple[TreeEntry, int]]


class Objects:
    """Reads what commits hold. What was read stays in memory, within bounds. Safe for threads."""

    def __init__(self, git: Git) -> None:
        """Nothing runs yet."""
        self._git = git
        self._reader = ObjectReader(git)
        self._blobs: dict[str, bytes] = {}
        self._trees: dict[str, Tree] = {}

    def entries(self, commit: str, paths: Sequence[str]) -> dict[str, TreeEntry]:
        """What a commit has at these paths; those that it does not have are left out."""
        found = {}
        for path in paths:
            folder, _, name = path.rpartition("/")
            tree = self.folder(commit, folder)
            if tree is not None and name in tree.entries:
                found[path] = tree.entries[name][0]
        return found

    def folder(self, commit: str, path: str) -> Tree | None:
        """One folder of a commit (`""` is the root), or None where there is none."""
        tree = self.tree(f"{commit}^{{tree}}")
        for name in path.split("/") if path else ():
            entry, _ = tree.entries.get(name, _NOTHING)
            if entry.mode != "040000":
                return None
            tree = self.tree(entry.oid)
        return tree

    def tree(self, name: str) -> Tree:
        """One folder by its object's name."""
        known = self._trees.get(name)
        if known is None:
            # Twice: whoever is there may have ended the process that reads.
            read = self._reader.read([name]) or self._reader.read([name])
            if name not in read:
                raise Retryable(f"the mirror lacks the tree {name}")
            known = _parsed(*read[name])
            if sum(len(tree.entries) for tree in self._trees.copy().values()) > _KEPT_ENTRIES:
                self._trees.clear()
            self._trees[name] = self._trees[known.oid] = known
        return known

    def below(
        self, commit: str, folders: Sequence[str], endings: tuple[str, ...] = (".yaml", ".yml")
    ) -> dict[str, TreeEntry]:
        """The plain files of a commit below these folders (`""` is the root) whose names end so."""
        paths = [folder for folder in folders if folder] if all(folders) else []
        found = _entries(self._git.run("ls-tree", "-r", "-z", "--full-tree", commit, "--", *paths))
        return {
            path: entry
            for path, entry in found.items()
            if entry.mode.startswith("100") and path.endswith(endings)
        }

    def blobs(self, oids: Iterable[str]) -> dict[str, bytes]:
        """The contents of these blobs; all that are missing come in one request."""
        wanted = dict.fromkeys(oids)
        known = {oid: self._blobs[oid] for oid in wanted if oid in self._blobs}
        absent = [oid for oid in wanted if oid not in known]
        if absent:
            known.update(self._read(absent))
        return known

    def _read(self, oids: Sequence[str]) -> dict[str, bytes]:
        read = self._reader.read(oids)
        if len(read) < len(oids):
            self._fetch_objects([oid for oid in oids if oid not in read])
            read |= self._reader.read([oid for oid in oids if oid not in read])
        if len(read) < len(oids):
            raise Retryable(f"the mirror lacks an object ({next(oid for oid in oids if oid not in read)})")
        blobs = {oid: data for oid, (_, data) in read.items()}
        self._blobs.update((oid, data) for oid, data in blobs.items() if len(data) <= _KEPT_BYTES)
        while len(self._blobs) > _KEPT_BLOBS:
            with contextlib.suppress(KeyError, StopIteration, RuntimeError):
                del self._blobs[next(iter(self._blobs))]
        return blobs

    def _fetch_objects(self, oids: Sequence[str]) -> None:
        asked = "".join(f"{oid}\n" for oid in oids).encode()
        options = ("--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", "--no-auto-maintenance")
        self._git.run(
            "-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", *options,
            "--filter=blob:none", "--stdin", "origin", stdin=asked, remote=True, patience=300,
        )  # fmt: skip


_NOTHING = TreeEntry("", ""), 0


def _parsed(oid: str, data: bytes) -> Tree:
    entries = {
        match[2].decode(errors="surrogateescape"): (
            TreeEntry(match[1].decode().zfill(6), match[3].hex()),
            match.start(3),
        )
        for match in _ENTRY.finditer(data)
    }
    return Tree(oid, data, entries)


def _entries(out: bytes) -> dict[str, TreeEntry]:
    found = {}
    for record in filter(None, out.decode(errors="surrogateescape").split("\0")):
        meta, path = record.split("\t", 1)
        mode, _, oid = meta.split(" ")
        found[path] = TreeEntry(mode, oid)
    return found
