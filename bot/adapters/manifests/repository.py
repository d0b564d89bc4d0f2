"""The port `Manifests`: one manifests repo, read and changed through its mirror."""

import dataclasses
import difflib
import re
from collections.abc import Callable, Hashable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from bot.adapters.manifests import history, listing, pins
from bot.adapters.manifests.commits import Identity
from bot.adapters.manifests.git import Token, lines
from bot.adapters.manifests.housekeeping import tidied
from bot.adapters.manifests.listing import Mention, PinLine
from bot.adapters.manifests.mirror import Mirror, Moved
from bot.adapters.manifests.writing import Order, Writing
from bot.core import names
from bot.core.model import Branch, Pinned, PinValue
from bot.core.target import Target
from bot.ports import Refused, Retryable

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_KEPT = 2000
Value = TypeVar("Value")


class GitManifests:
    """A manifests repo behind a git URL; `folder` is for its mirror alone, and can be lost at any time.

    `token` is asked before each request, so that it may change. Safe for threads.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        token: Token = None,
        *,
        branch: str = "main",
        identity: tuple[str, str] = ("gitops-bot", "gitops-bot@users.noreply.github.com"),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Nothing runs yet; the mirror is made by the first method that needs it."""
        self._mirror = Mirror(url, folder, token, branch)
        self._identity = Identity(*identity)
        self._writing = Writing(self._mirror, self._identity, clock)
        self._known: dict[Hashable, object] = {}
        self._newest: dict[Hashable, Pinned] = {}

    @property
    def git_processes(self) -> int:
        """How many git processes were started so far, for whoever counts what a promotion costs."""
        return self._mirror.git.started

    def fetch(self) -> str:
        """Bring the mirror up to date and return the head of the base branch."""
        return self._mirror.fetch().base

    def fetched(self) -> tuple[str, float]:
        """The head that the newest fetch found, whoever asked for it, and when that began (monotonic seconds).

        Before the first: no head, and -inf.
        """
        return self._mirror.newest()

    def tidy(self) -> bool:
        """Pack what many fetches left behind, where it is much; returns whether it was. Nothing is lost by it."""
        return tidied(self._mirror)

    def file(self, path: str, commit: str) -> bytes | None:
        """A file's bytes at a commit, or None where there is none."""
        plain = pins.inside(path)
        entry = self._mirror.objects.entries(_checked(commit), [plain]).get(plain) if plain else None
        if entry is None or not entry.mode.startswith("100"):
            return None
        return self._mirror.objects.blobs([entry.oid])[entry.oid]

    def history(self, path: str, limit: int) -> Sequence[str]:
        """The newest first-parent commits of the base branch that changed this file, newest first."""
        options = ("--first-parent", "--format=%H", f"--max-count={limit:d}")
        return lines(self._mirror.git.run("log", *options, self._mirror.refs().base, "--", pins.inside(path)))

    def pinned(self, target: Target) -> Pinned:
        """What the pins of a target say on the base branch, and which commit made it so. `Refused` when ambiguous."""
        head = self._mirror.refs().base
        return self._once((head, _read_for(target)), lambda: self._pinned(head, target))

    def _pinned(self, head: str, target: Target) -> Pinned:
        known = self._newest.get(_read_for(target))
        pinned = history.still_pinned(self._mirror, head, target, known) if known else None
        pinned = pinned or history.pinned(self._mirror, head, target)
        self._newest[_read_for(target)] = pinned
        return pinned

    def branch(self, target: Target, name: str) -> Branch | None:
        """A branch of the bot's with its pins and foreign commits; None when it does not exist."""
        refs = self._mirror.refs()
        head = refs.branches.get(name)
        if head is None:
            return None
        return self._once(
            (refs.base, name, head, _read_for(target)),
            lambda: self._branch(refs.base, name, head, target),
        )

    def _branch(self, base: str, name: str, head: str, target: Target) -> Branch:
        found = history.branch(self._mirror, base, name, head, target)
        foreign = history.foreign(self._mirror, base, head, self._identity.email)
        return dataclasses.replace(found, foreign=foreign)

    def write(
        self,
        target: Target,
        name: str,
        value: PinValue,
        message: str,
        *,
        expect: str | None,
        only_where: PinValue | None = None,
    ) -> str:
        """Put one commit on top of the base branch's head, push it as branch `name`, return the commit.

        Those that are called at once are written together. A branch that already holds this very change is adopted. `Retryable` when the branch is not where `expect` says.
        """
        _ours(name)
        return self._writing.write(Order(target, name, value, message, expect, only_where))

    def delete(self, name: str, *, expect: str) -> None:
        """Delete a branch if it is still where `expect` says; done already is done. `Retryable` when it has moved."""
        _ours(name)
        try:
            self._mirror.push(name, None, _checked(expect))
        except Moved:
            if name in self._mirror.fetch().branches:
                raise Retryable(
                    f"the branch {name} is not at {expect} any more, so it is not deleted"
                ) from None

    def diff(self, target: Target, value: PinValue) -> str:
        """The unified diff that `write` would commit; touches nothing."""
        base = self._mirror.refs().base
        files = history.files(self._mirror, history.state_at(self._mirror, base, target))
        changed = pins.edited(target, files, value)
        return "".join(_unified(path, files[path], data) for path, data in sorted(changed.items()))

    def pins(self, target: Target) -> list[PinLine]:
        """Every pin of a target on the base branch: file, line and value. Raises `Refused` as editing would."""
        base = self._mirror.refs().base
        return listing.pin_lines(
            target, history.files(self._mirror, history.state_at(self._mirror, base, target))
        )

    def naming(self, image: str) -> list[Mention]:
        """Every place on the base branch that names an image; reads every YAML and JSON file, missing ones at once."""
        entries = self._mirror.objects.below(self._mirror.refs().base, [""], listing.ENDINGS)
        small = {path: entry.oid for path, entry in entries.items()}
        blobs = self._mirror.objects.blobs(small.values())
        return list(listing.naming(image, {path: blobs[oid] for path, oid in small.items()}))

    def _once(self, key: Hashable, read: Callable[[], Value]) -> Value:
        # Commits never change, so what was read at one stays true: the cache needs a bound, not a lock.
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
                self._newest.clear()
            known = self._known[key] = read()
        return known  # type: ignore[return-value]  # stored under this key by the same reader


def _read_for(target: Target) -> Hashable:
    """What of a target its readings depend on. The target itself has no hash where its checks hold mappings."""
    return target.name, target.image, target.pins


def _checked(commit: str) -> str:
    if not _COMMIT.match(commit):
        raise ValueError(f"{commit!a} is not a commit")
    return commit


def _ours(name: str) -> None:
    if names.parse_branch(name) is None:
        raise Refused(f"{name!a} is not a branch of the bot's, so it is not touched")


def _unified(path: str, before: bytes, after: bytes) -> str:
    # Only LF ends a line for git, whatever str.splitlines thinks.
    old, new = (re.findall(r"[^\n]*\n|[^\n]+", data.decode(errors="replace")) for data in (before, after))
    diff = difflib.unified_diff(old, new, f"a/{path}", f"b/{path}")
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in diff
    )
