"""One bare, partial mirror of a manifests repo: no work tree, blobs by need (facts/git-mirror.md)."""

import contextlib
import fcntl
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.adapters.manifests.git import Answer, Git, Token, words
from bot.adapters.manifests.objects import Objects
from bot.core import names
from bot.ports import Refused, Retryable

_BRANCH = re.compile(r"(?!.*(?:\.\.|//|@\{|\.lock(?:/|\Z)|\.\Z|/\Z))[A-Za-z0-9_][A-Za-z0-9_./+@-]*\Z")
_URL = re.compile(r"(?:https?|ssh|file)://[^\s\"'\\]+\Z|/[^\s\"'\\]+\Z|[\w.-]+@[\w.-]+:[^\s\"'\\]+\Z")
_WITH_PASSWORD = re.compile(r"https?://[^/]*@")
_HEADS = "refs/heads/"
_SEEN = "refs/remotes/origin/"
_LACKS = re.compile(r"fetch [0-9a-f]+ from promisor remote")
_MOVES = 3
_STALE = 30  # seconds; git holds a lock for milliseconds


@dataclass(frozen=True)
class Refs:
    """The remote's branches at the last fetch: the base branch's head and the bot's branches by name."""

    base: str
    branches: Mapping[str, str]


@dataclass(frozen=True)
class Push:
    """A branch that is to be at `commit` (None: gone), if it now is where `expect` says (None: nowhere)."""

    name: str
    commit: str | None
    expect: str | None

    @property
    def spec(self) -> str:
        """As git takes it, and says it back."""
        return f"{self.commit or ''}:{_HEADS}{self.name}"


class Moved(Exception):
    """A branch is not where the push expected it."""


class Mirror:
    """The mirror in `folder`, made when it is first needed. Safe for threads, and for processes that share the folder."""

    def __init__(self, url: str, folder: Path, token: Token, base: str) -> None:
        """Check the names; nothing runs yet. `Refused` for a URL with a password in it, or no URL at all."""
        if _WITH_PASSWORD.match(url) or not _URL.match(url):
            raise Refused(
                "the manifests repo's URL must be https://… (or ssh://…) without a user or password in it"
            )
        if not _BRANCH.match(base):
            raise Refused(f"{base!a} cannot be a branch name; correct the base branch in bot.yaml")
        self.url, self.base, self.folder = url, base, folder
        self.git = Git(folder, url, token)
        self.objects = Objects(self.git)
        self._refs: Refs | None = None
        self._fetching = threading.Lock()
        self._begun = self._completed = 0
        self._newest = "", float("-inf")

    def fetch(self) -> Refs:
        """Bring the mirror up to date. Those who call while a fetch runs share the next one: theirs must begin later."""
        mine = self._begun + 1
        with self._fetching:
            if self._completed < mine or self._refs is None:
                self._begun += 1
                number, began = self._begun, time.monotonic()
                self._refs = self._fetched()
                self._completed, self._newest = number, (self._refs.base, began)
            return self._refs

    def refs(self) -> Refs:
        """The remote's branches as of the last fetch."""
        return self._refs or self.fetch()

    def newest(self) -> tuple[str, float]:
        """The base branch's head at the newest fetch that went well, and when that began (monotonic seconds)."""
        return self._newest

    def _fetched(self) -> Refs:
        with self.owned():
            self._prepare()
            options = ("--no-tags", "--prune", "--no-write-fetch-head", "--no-auto-maintenance")
            answer = self.git.ask(
                "fetch", "--quiet", *options, "--filter=blob:none", "origin", remote=True, patience=600
            )
            if answer.code and "find remote ref" in answer.err:
                raise Refused(
                    f"{self.url} has no branch {self.base}; correct the base branch in bot.yaml or push it"
                )
            if answer.code:
                raise self.git.failure("fetch", answer.err)
            out = self.git.run("for-each-ref", "--format=%(refname) %(objectname)", _SEEN).decode()
        heads = dict(line.split(" ") for line in out.splitlines())
        branches = {name.removeprefix(_SEEN): oid for name, oid in heads.items() if name != _SEEN + self.base}
        return Refs(heads[_SEEN + self.base], branches)

    @contextlib.contextmanager
    def owned(self) -> Iterator[None]:
        """While inside, nobody else fetches or tidies; not even another process that shares the folder."""
        # Two bots may share a data folder (`plan` beside `serve`): git's own locks fail at once instead of waiting.
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "gitops-bot.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _prepare(self) -> None:
        config = self.folder / "config"
        wanted = _CONFIG.format(url=self.url, base=self.base, prefix=names.PREFIX)
        if not config.exists() or config.read_text() != wanted:
            # Again after a crash in the middle, too: init leaves alone what is there.
            self.git.run("init", "--quiet", "--bare", f"--initial-branch={self.base}", str(self.folder))
            written = self.folder / "config.new"
            written.write_text(wanted)
            written.replace(config)
        for lock in [*self.folder.glob("*.lock"), *(self.folder / "refs").rglob("*.lock")]:
            with contextlib.suppress(FileNotFoundError):
                if lock.name != "gitops-bot.lock" and time.time() - lock.stat().st_mtime > _STALE:
                    lock.unlink()

    def push(self, name: str, commit: str | None, expect: str | None) -> None:
        """Put a branch at a commit (None: delete it), only if it now is where `expect` says (None: nowhere).

        Raises `Moved` when it is not, `Refused` when the remote's rules forbid it.
        """
        [error] = self.push_all([Push(name, commit, expect)])
        if error is not None:
            raise error

    def push_all(self, pushes: Sequence[Push]) -> list[Exception | None]:
        """Several of them in one push; for each what went wrong with it, if anything."""
        answer = self._asked(pushes)
        for _ in range(_MOVES):
            # Somebody moved the base branch since the fetch: git would send history, down to blobs that are not here;
            # or (thin) compare with blobs that are not here.
            if answer.code and _LACKS.search(answer.err):
                self.fetch()
                answer = self._asked(pushes, "--no-thin")
        said = answer.out.decode(errors="replace").splitlines()
        results = [self._pushed(push, said, answer) for push in pushes]
        for push, error in zip(pushes, results, strict=True):
            if error is None:
                self._note(push.name, push.commit)
        return results

    def _asked(self, pushes: Sequence[Push], *options: str) -> Answer:
        leases = [f"--force-with-lease={_HEADS}{push.name}:{push.expect or ''}" for push in pushes]
        arguments = [*options, *leases, "pushed", *(push.spec for push in pushes)]
        return self.git.ask("push", "--porcelain", "--no-verify", *arguments, remote=True, patience=300)

    def _pushed(self, push: Push, said: Sequence[str], answer: Answer) -> Exception | None:
        status = next((line for line in said if f"{push.spec}\t" in line), "")
        if push.commit is None and "remote ref does not exist" in answer.err + status:
            return None
        # Of several branches some may have gone through: each has a line of its own, with `!` where it has not.
        if answer.code == 0 or (status and not status.startswith("!")):
            return None
        return self._push_failure(push.name, status, answer.err)

    def _push_failure(self, name: str, status: str, err: str) -> Exception:
        if "(stale info)" in status or "(fetch first)" in status or "already exists" in status:
            return Moved(name)
        if "[remote rejected]" in status and not re.search(r"lock|failed to update|try again", status):
            return Refused(
                f"{self.url} refuses the branch {name} ({words(status + chr(10) + err)}); allow the bot to push it"
            )
        if "[remote rejected]" in status:
            return Retryable(f"{self.url} could not take the branch {name} now ({words(status)})")
        return self.git.failure("push", err)

    def _note(self, name: str, commit: str | None) -> None:
        with self._fetching:
            if self._refs is not None:
                others = {known: oid for known, oid in self._refs.branches.items() if known != name}
                branches = others if commit is None else {**others, name: commit}
                self._refs = Refs(self._refs.base, branches)


# gc would fail in a partial mirror and say so after every command (facts/git-mirror.md).
_CONFIG = """\
[core]
	repositoryformatversion = 1
	filemode = true
	bare = true
	logAllRefUpdates = false
[extensions]
	partialClone = origin
[remote "origin"]
	url = "{url}"
	promisor = true
	partialclonefilter = blob:none
	fetch = "+refs/heads/{base}:refs/remotes/origin/{base}"
	fetch = "+refs/heads/{prefix}/*:refs/remotes/origin/{prefix}/*"
[remote "pushed"]
	url = "{url}"
[gc]
	auto = 0
[maintenance]
	auto = false
[repack]
	writeBitmaps = false
"""
