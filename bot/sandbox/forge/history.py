"""What a repository's history says: commits, files, differences."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from bot.sandbox.forge.git import BareRepository, Commit, Entry, Person

_FORMAT = "%x00".join(("%H", "%T", "%P", "%an", "%ae", "%ad", "%cn", "%ce", "%cd", "%B")) + "%x01"
_STATES = {"A": "added", "D": "removed", "M": "modified", "T": "changed", "R": "renamed", "C": "copied"}


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one file between two commits; `patch` has the hunks only, and is empty for binary files."""

    path: str
    was: str | None
    status: str
    blob: str
    additions: int
    deletions: int
    patch: str


def commits(
    git: BareRepository, *revisions: str, limit: int = 1000, paths: Sequence[str] = ()
) -> list[Commit]:
    """Commits that `git log` finds, newest first; revisions are object names, `^name` or `a..b`."""
    words = ["log", f"--format=tformat:{_FORMAT}", "--date=raw", f"--max-count={limit}", "--topo-order"]
    text = git.text(*words, "--end-of-options", *revisions, "--", *paths)
    return [_commit(record) for record in text.split("\x01\n") if record.strip("\x01")]


def commit(git: BareRepository, sha: str) -> Commit:
    """One commit that must exist."""
    return commits(git, sha, limit=1)[0]


def _commit(record: str) -> Commit:
    sha, tree, parents, an, ae, ad, cn, ce, cd, message = record.rstrip("\x01").split("\x00")
    author, committer = Person(an, ae, _moment(ad)), Person(cn, ce, _moment(cd))
    return Commit(sha, tree, tuple(parents.split()), author, committer, message.strip("\n"))


def _moment(raw: str) -> datetime:
    seconds, _, zone = raw.partition(" ")
    found = re.fullmatch(r"([+-])(\d\d)(\d\d)", zone)
    offset = timedelta(hours=int(found[2]), minutes=int(found[3])) if found else timedelta()
    signed = -offset if found and found[1] == "-" else offset
    return datetime.fromtimestamp(int(seconds), timezone(signed) if signed else UTC)


def merge_base(git: BareRepository, one: str, other: str) -> str | None:
    """The best common ancestor, or None."""
    return git.run("merge-base", one, other, accept=(0, 1)).stdout.decode().strip() or None


def contains(git: BareRepository, descendant: str, ancestor: str) -> bool:
    """Whether the first commit has the second in its history."""
    return git.run("merge-base", "--is-ancestor", ancestor, descendant, accept=(0, 1)).returncode == 0


def distance(git: BareRepository, base: str, head: str) -> tuple[int, int]:
    """How many commits `head` has that `base` lacks, and the other way round."""
    behind, ahead = git.text("rev-list", "--left-right", "--count", f"{base}...{head}").split()
    return int(ahead), int(behind)


def entries(git: BareRepository, commit: str, path: str = "") -> list[Entry]:
    """What is under a folder of a commit, by name; empty when there is no such folder."""
    if "\0" in path:
        return []
    line = [*(("--",) if path else ()), *((f"{path.rstrip('/')}/",) if path else ())]
    return _entries(git.run("ls-tree", "-z", "--long", commit, *line).stdout)


def entry(git: BareRepository, commit: str, path: str) -> Entry | None:
    """The file or folder at exactly this path of a commit, or None."""
    if "\0" in path:
        return None
    found = _entries(git.run("ls-tree", "-z", "--long", commit, "--", path.rstrip("/")).stdout)
    return found[0] if found else None


def _entries(output: bytes) -> list[Entry]:
    found = []
    for line in output.decode(errors="replace").split("\0")[:-1]:
        words, _, path = line.partition("\t")
        mode, kind, sha, size = words.split()
        found.append(Entry(mode, kind, sha, None if size == "-" else int(size), path))
    return found


def blob(git: BareRepository, sha: str) -> bytes:
    """The bytes of a file."""
    return git.run("cat-file", "blob", sha).stdout


def file(git: BareRepository, commit: str, path: str) -> bytes | None:
    """The bytes of a file at a commit, or None where there is none."""
    found = entry(git, commit, path)
    return blob(git, found.sha) if found is not None and found.kind == "blob" else None


def changes(git: BareRepository, before: str, after: str) -> list[Change]:
    """The files that differ between two commits or trees, in git's order."""
    raw = git.run("diff-tree", "-r", "-z", "-M", "--raw", "--numstat", before, after).stdout
    heads, counts = _raw_and_counts(raw.decode(errors="replace").split("\0")[:-1])
    text = git.run("diff-tree", "-r", "-p", "-M", "--no-color", before, after).stdout.decode(errors="replace")
    patches = [_hunks(part) for part in re.split(r"(?m)^diff --git ", text)[1:]]
    return [
        Change(path, was, _STATES.get(state, "changed"), blob, added, removed, patch)
        for (path, was, state, blob), (added, removed), patch in zip(heads, counts, patches, strict=True)
    ]


def _raw_and_counts(
    words: Sequence[str],
) -> tuple[list[tuple[str, str | None, str, str]], list[tuple[int, int]]]:
    heads: list[tuple[str, str | None, str, str]] = []
    counts: list[tuple[int, int]] = []
    queue = list(reversed(words))
    while queue:
        word = queue.pop()
        if word.startswith(":"):
            _, _, before, after, state = word.split(" ")
            was = queue.pop()
            path = queue.pop() if state[0] in "RC" else was
            renamed = was if state[0] in "RC" else None
            heads.append((path, renamed, state[0], before if state[0] == "D" else after))
        else:
            added, removed, path = word.split("\t")
            if not path:  # a rename names both paths after the counts
                queue.pop()
                queue.pop()
            counts.append((int(added) if added != "-" else 0, int(removed) if removed != "-" else 0))
    return heads, counts


def _hunks(part: str) -> str:
    start = re.search(r"(?m)^@@ ", part)
    return part[start.start() :].rstrip("\n") if start else ""
