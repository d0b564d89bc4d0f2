"""Make a commit that changes a few files of another, in one git process and without a work tree."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

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


def committed(
    mirror: Mirror, parent: str, files: Mapping[str, tuple[str, bytes]], message: str, signed: bytes
) -> str:
    """The commit on top of `parent` with these files (mode, bytes) in it; every other entry of the tree stays as it is.

    It is in the mirror under no ref: nothing collects garbage there, and the push names it.
    """
    if "\0" in message:
        raise Refused("the commit message has a NUL character in it")
    ref = f"refs/gitops-bot/{uuid.uuid4().hex}"
    text = (message if message.endswith("\n") else message + "\n").encode()
    stream = [f"commit {ref}\nmark :1\n".encode(), b"author ", signed, b"\ncommitter ", signed, b"\n"]
    stream += [_data(text), f"from {parent}\n".encode()]
    for path, (mode, data) in sorted(files.items()):
        stream += [f"M {mode} inline {_quoted(path)}\n".encode(errors="surrogateescape"), _data(data)]
    # Asked before the end, since the mark is all that is kept of the commit: its ref goes again.
    stream += [b"\nget-mark :1\n", f"reset {ref}\nfrom {'0' * len(parent)}\n\ndone\n".encode()]
    options = ("--quiet", "--done", "--force", "--date-format=raw")
    return mirror.git.run("fast-import", *options, stdin=b"".join(stream)).decode().strip()


def _data(data: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(data), data)


def _quoted(path: str) -> str:
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
