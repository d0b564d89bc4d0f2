"""Make commits that change a few files of another, in one git process and without a work tree."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.adapters.manifests.git import lines
from bot.adapters.manifests.mirror import Mirror
from bot.ports import Refused


@dataclass(frozen=True)
class Identity:
    """Who the bot is in git: author and committer of its commits."""

    name: str
    email: str

    def at(self, now: datetime) -> bytes:
        """As git's fast-import writes a person and a time."""
        return f"{self.name} <{self.email}> {int(now.timestamp())} +0000".encode()


@dataclass(frozen=True)
class NewCommit:
    """What a commit changes, files by path as (mode, bytes), and its message."""

    files: Mapping[str, tuple[str, bytes]]
    message: str


def committed(mirror: Mirror, parent: str, commits: Sequence[NewCommit], signed: bytes) -> list[str]:
    """Commits on top of `parent`, each with its files changed and every other entry of the tree as it is.

    They are in the mirror under no ref: nothing collects garbage there, and the push names them.
    """
    if any("\0" in commit.message for commit in commits):
        raise Refused("the commit message has a NUL character in it")
    stream: list[bytes] = []
    for number, commit in enumerate(commits, 1):
        stream += _stream(number, parent, commit, signed)
    options = ("--quiet", "--done", "--force", "--date-format=raw")
    return lines(mirror.git.run("fast-import", *options, stdin=b"".join([*stream, b"done\n"])))


def _stream(number: int, parent: str, commit: NewCommit, signed: bytes) -> Iterator[bytes]:
    ref = f"refs/gitops-bot/{uuid.uuid4().hex}"
    text = (commit.message if commit.message.endswith("\n") else commit.message + "\n").encode()
    yield from (
        f"commit {ref}\nmark :{number}\n".encode(),
        b"author ",
        signed,
        b"\ncommitter ",
        signed,
        b"\n",
    )
    yield from (_data(text), f"from {parent}\n".encode())
    for path, (mode, data) in sorted(commit.files.items()):
        yield from (f"M {mode} inline {_quoted(path)}\n".encode(errors="surrogateescape"), _data(data))
    # Asked before the end, since the mark is all that is kept of the commit: its ref goes again.
    yield from (f"\nget-mark :{number}\n".encode(), f"reset {ref}\nfrom {'0' * len(parent)}\n\n".encode())


def _data(data: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(data), data)


def _quoted(path: str) -> str:
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
