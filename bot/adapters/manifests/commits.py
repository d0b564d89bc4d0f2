"""Make commits that change a few files of another, in one git process and without a work tree."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.adapters.manifests.mirror import Mirror
from bot.adapters.manifests.packing import Pack
from bot.ports import Refused

_FEW = 100  # objects; as many as git itself keeps without a pack when it receives them
_NOT_IN_A_NAME = re.compile(r"[<>\x00-\x1f\x7f]+")


@dataclass(frozen=True)
class Identity:
    """Who the bot is in git: author and committer of its commits."""

    name: str
    email: str

    def at(self, now: datetime) -> bytes:
        """As a commit names a person and a time; what would end the name or the line is left out, as git does it."""
        name, email = (_NOT_IN_A_NAME.sub("", text).strip() for text in (self.name, self.email))
        return f"{name} <{email}> {int(now.timestamp())} +0000".encode()


@dataclass(frozen=True)
class NewCommit:
    """What a commit changes, the new bytes of files that are there by path, and its message."""

    files: Mapping[str, bytes]
    message: str


def committed(mirror: Mirror, parent: str, commits: Sequence[NewCommit], signed: bytes) -> list[str]:
    """Commits on top of `parent`, each with its files changed and every other entry of the tree as it is.

    They are in the mirror under no ref: nothing collects garbage there, and the push names them.
    """
    if any("\0" in commit.message for commit in commits):
        raise Refused("the commit message has a NUL character in it")
    pack = Pack()
    made = [_added(mirror, pack, parent, commit, signed) for commit in commits]
    command = ("unpack-objects", "-q") if len(pack) < _FEW else ("index-pack", "--stdin", "--fix-thin")
    mirror.git.run(*command, stdin=pack.data())
    return made


def _added(mirror: Mirror, pack: Pack, parent: str, commit: NewCommit, signed: bytes) -> str:
    tree = _tree(mirror, pack, parent, commit.files)
    text = commit.message if commit.message.endswith("\n") else commit.message + "\n"
    head = f"tree {tree}\nparent {parent}\n".encode()
    people = b"author %s\ncommitter %s\n\n" % (signed, signed)
    return pack.add("commit", head + people + text.encode())


def _tree(mirror: Mirror, pack: Pack, commit: str, files: Mapping[str, bytes]) -> str:
    """The tree of a commit with other bytes in these files: each folder on the way names other objects than before."""
    changed: dict[str, dict[str, str]] = {"": {}}
    for path, data in files.items():
        folder, _, name = path.rpartition("/")
        changed.setdefault(folder, {})[name] = pack.add("blob", data)
        while folder:
            folder = folder.rpartition("/")[0]
            changed.setdefault(folder, {})
    oid = ""
    for folder in sorted(changed, key=_depth, reverse=True):
        tree = mirror.objects.folder(commit, folder)
        if tree is None:
            raise ValueError(f"{folder!a} is not a folder of {commit}")
        places = {tree.entries[name][1]: new for name, new in changed[folder].items()}
        oid = pack.add_changed(tree.oid, tree.data, places)
        above, _, name = folder.rpartition("/")
        changed[above][name] = oid
    return oid


def _depth(folder: str) -> int:
    return folder.count("/") + 1 if folder else 0
