"""Trees and blobs of the mirror; blobs that are not there yet come in one request (facts/git-mirror.md)."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.adapters.manifests.git import Git
from bot.ports import Retryable

_KEPT_BYTES = 1024 * 1024
_KEPT_BLOBS = 512


@dataclass(frozen=True)
class TreeEntry:
    """A file as a tree names it: `mode` tells plain files, executables, symlinks (120000) and submodules (160000)."""

    mode: str
    oid: str


class Objects:
    """Reads what commits hold. Blobs that were read stay in memory, within bounds. Safe for threads."""

    def __init__(self, git: Git) -> None:
        """Nothing runs yet."""
        self._git = git
        self._blobs: dict[str, bytes] = {}

    def entries(self, commit: str, paths: Sequence[str]) -> dict[str, TreeEntry]:
        """What a commit has at these paths; those that it does not have are left out."""
        return _entries(self._git.run("ls-tree", "-z", "--full-tree", commit, "--", *paths))

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
        asked = "".join(f"{oid}\n" for oid in oids).encode()
        answer = self._git.ask("cat-file", "--batch", "--buffer", stdin=asked)
        if answer.code or b" missing\n" in answer.out:
            self._fetch_objects(asked)
            out = self._git.run("cat-file", "--batch", "--buffer", stdin=asked)
        else:
            out = answer.out
        read = dict(_batched(out))
        for oid, data in read.items():
            if len(data) <= _KEPT_BYTES:
                self._blobs[oid] = data
        while len(self._blobs) > _KEPT_BLOBS:
            with contextlib.suppress(KeyError, StopIteration, RuntimeError):
                del self._blobs[next(iter(self._blobs))]
        return read

    def _fetch_objects(self, asked: bytes) -> None:
        options = ("--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", "--no-auto-maintenance")
        self._git.run(
            "-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", *options,
            "--filter=blob:none", "--stdin", "origin", stdin=asked, remote=True, patience=300,
        )  # fmt: skip


def _entries(out: bytes) -> dict[str, TreeEntry]:
    found = {}
    for record in filter(None, out.decode(errors="surrogateescape").split("\0")):
        meta, path = record.split("\t", 1)
        mode, _, oid = meta.split(" ")
        found[path] = TreeEntry(mode, oid)
    return found


def _batched(out: bytes) -> Iterator[tuple[str, bytes]]:
    position = 0
    while position < len(out):
        end = out.index(b"\n", position)
        header = out[position:end].decode().split(" ")
        if len(header) != 3:
            raise Retryable(f"the mirror lacks an object ({' '.join(header)})")
        size = int(header[2])
        yield header[0], out[end + 1 : end + 1 + size]
        position = end + size + 2
