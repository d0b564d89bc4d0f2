"""One bare repository, changed without a work tree: plumbing commands only."""

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

ABSENT = "0" * 40
_OBJECT_NAME = re.compile(r"[0-9a-f]{7,40}\Z")
# What no name of a ref has, but a revision may: `main~1`, `main@{1}`, `main:file`.
_NO_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|@\{|\.\.")

_UPDATE_HOOK = """#!/bin/sh
[ -n "$FORGE_ADMIN" ] && exit 0
for ref in $(git config --get-all forge.protected); do
  if [ "$1" = "$ref" ]; then
    echo "error: GH006: Protected branch update failed for $1." >&2
    echo "error: Changes must be made through a pull request." >&2
    exit 1
  fi
done
"""
# The forge alone moves what is under refs/pull.
_SETTINGS = """[http]
\treceivepack = true
[uploadpack]
\tallowFilter = true
\tallowAnySHA1InWant = true
[receive]
\tdenyDeleteCurrent = refuse
\tfsckObjects = true
\thideRefs = refs/pull
\tautogc = false
[core]
\tlogAllRefUpdates = false
"""


class GitFailed(Exception):
    """A git command ended with an error; the message is what it said."""


class Moved(Exception):
    """A ref was not where it was expected."""


@dataclass(frozen=True, slots=True)
class Move:
    """A ref goes from one commit to another; `ABSENT` stands for no ref."""

    ref: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Person:
    """An author or a committer, and when; `at` is an aware datetime."""

    name: str
    email: str
    at: datetime

    def environment(self, role: str) -> dict[str, str]:
        """The variables that git reads; `role` is AUTHOR or COMMITTER."""
        stamp = f"{int(self.at.timestamp())} {self.at.strftime('%z') or '+0000'}"
        return {f"GIT_{role}_NAME": self.name, f"GIT_{role}_EMAIL": self.email, f"GIT_{role}_DATE": stamp}


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit as git keeps it."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    committer: Person
    message: str

    @property
    def title(self) -> str:
        """The first line of the message."""
        return self.message.partition("\n")[0]

    @property
    def body(self) -> str:
        """What follows the first line."""
        return self.message.partition("\n")[2].strip()


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a tree; `size` is None for folders and submodules."""

    mode: str
    kind: str
    sha: str
    size: int | None
    path: str


class BareRepository:
    """A bare repository on disk. Objects are added at any time; whoever moves refs serialises that."""

    def __init__(self, path: Path) -> None:
        """The folder must exist already: see `create`."""
        self.path = path

    @classmethod
    def create(cls, path: Path, default_branch: str) -> "BareRepository":
        """A new empty repository that `git http-backend` can serve."""
        path.mkdir(parents=True)
        repository = cls(path)
        repository.run("init", "--quiet", "--bare", f"--initial-branch={default_branch}", str(path))
        with (path / "config").open("a") as config:
            config.write(_SETTINGS)
        hook = path / "hooks" / "update"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(_UPDATE_HOOK)
        hook.chmod(0o755)
        return repository

    def run(
        self,
        *words: str,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        accept: Sequence[int] = (0,),
    ) -> subprocess.CompletedProcess[bytes]:
        """Run one git command; `GitFailed` on an exit code that is not accepted."""
        done = subprocess.run(
            ["git", f"--git-dir={self.path}", *words],
            input=stdin,
            capture_output=True,
            env={**clean_environment(), **(environment or {})},
            check=False,
        )
        if done.returncode not in accept:
            raise GitFailed(done.stderr.decode(errors="replace").strip() or f"git {words[0]} failed")
        return done

    def text(self, *words: str) -> str:
        """The output of one git command, without the last newline."""
        return self.run(*words).stdout.decode(errors="replace").rstrip("\n")

    def resolve(self, name: str) -> str | None:
        """The commit that a full ref name or an object name means, or None."""
        if _NO_REF.search(name):
            return None
        query = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
        done = self.run(*query, accept=(0, 1, 128))
        return done.stdout.decode().strip() or None if done.returncode == 0 else None

    def commit_named(self, name: str) -> str | None:
        """The commit of an object name, perhaps shortened to seven digits; None for everything else."""
        return self.resolve(name) if _OBJECT_NAME.match(name) else None

    def branch(self, name: str) -> str | None:
        """The head of a branch, or None."""
        return self.resolve(f"refs/heads/{name}") if name else None

    def refs(self, prefix: str = "refs/heads/") -> dict[str, str]:
        """Full ref names under a prefix (cut anywhere, not only at a slash), with what they point to."""
        lines = self.text("for-each-ref", "--format=%(objectname) %(refname)").splitlines()
        pairs = (line.split(" ", 1) for line in lines)
        return {name: sha for sha, name in pairs if name.startswith(prefix)}

    def move(self, move: Move) -> None:
        """Set, create or delete a ref; `Moved` when it is not at `old`."""
        deletes = move.new == ABSENT
        command = ["update-ref", *(("-d", move.ref) if deletes else (move.ref, move.new)), move.old]
        try:
            self.run(*command)
        except GitFailed as error:
            raise Moved(str(error)) from error

    def protect(self, branch: str) -> None:
        """Let the update hook refuse pushes to this branch."""
        self.run("config", "--add", "forge.protected", f"refs/heads/{branch}")

    def merge_tree(self, ours: str, theirs: str) -> str | None:
        """The tree of a three-way merge of two commits, or None when they conflict."""
        done = self.run("merge-tree", "--write-tree", "--no-messages", ours, theirs, accept=(0, 1))
        return done.stdout.decode().split("\n", 1)[0] if done.returncode == 0 else None

    def commit_tree(
        self, tree: str, parents: Sequence[str], message: str, author: Person, committer: Person | None = None
    ) -> str:
        """A new commit, on no branch yet; the committer is the author unless given."""
        words = [word for parent in parents for word in ("-p", parent)]
        people = author.environment("AUTHOR") | (committer or author).environment("COMMITTER")
        done = self.run("commit-tree", tree, *words, stdin=message.encode(), environment=people)
        return done.stdout.decode().strip()

    def write_tree(self, start: str | None, files: Mapping[str, tuple[str, bytes] | None]) -> str:
        """The tree of `start` (None: empty) with files put (mode and content) or taken away (None)."""
        lines = []
        for path, put in files.items():
            if put is None:
                lines.append(f"0 {ABSENT}\t{path}")
            else:
                mode, content = put
                sha = self.run("hash-object", "-w", "--stdin", stdin=content).stdout.decode().strip()
                lines.append(f"{mode} {sha}\t{path}")
        with tempfile.TemporaryDirectory(dir=self.path) as folder:
            index = {"GIT_INDEX_FILE": f"{folder}/index"}
            self.run("read-tree", start or "--empty", environment=index)
            listing = "".join(f"{line}\0" for line in lines).encode()
            self.run("update-index", "-z", "--index-info", stdin=listing, environment=index)
            return self.run("write-tree", environment=index).stdout.decode().strip()


def clean_environment() -> dict[str, str]:
    """What git is told: nothing of the person's own configuration."""
    kept = {key: os.environ[key] for key in ("PATH", "TMPDIR", "LD_LIBRARY_PATH") if key in os.environ}
    return kept | {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "HOME": os.devnull,
        "LC_ALL": "C",
    }
