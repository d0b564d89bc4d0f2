"""The forge as a whole: set up, started, stopped, and what plays CI."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from bot.sandbox.forge import events as payloads
from bot.sandbox.forge import pushes
from bot.sandbox.forge.app import API, Front
from bot.sandbox.forge.git import ABSENT, Move
from bot.sandbox.forge.pages import pages_app
from bot.sandbox.forge.people import People
from bot.sandbox.forge.records import Hook, Protection, Run, User
from bot.sandbox.forge.rest.door import Services
from bot.sandbox.forge.runs import Runs, Start
from bot.sandbox.forge.state import Repository, State
from bot.sandbox.forge.webhooks import Courier
from bot.sandbox.serving import WSGI, Server


class Forge(People):
    """A stand-in for GitHub on loopback: git over HTTP, the REST API under `api_url`, webhooks, pages for people.

    Bare repositories are under `folder`/repositories; everything else lives as long as the object. Methods for people
    raise `Refusal` where GitHub would refuse. `around` may wrap the application (to record what it answers).
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        reviewer: str = "reviewer",
        around: Callable[[WSGI], WSGI] = lambda app: app,
    ) -> None:
        """Bind at once, so that the addresses are known; answer after `start`. `reviewer` acts on the pages."""
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(State(folder.absolute(), clock))
        self._courier, self._runs = Courier(self._state), Runs(self._state)
        self._state.publish = self._courier.publish
        services = Services(self._state, self._runs, self._courier)
        front = Front(services, pages_app(self._state, reviewer))
        self._server = Server(around(front), port=port, threads=12)
        self.url = self._state.url = self._server.url
        self.api_url = self._state.api_url = self.url + API

    def start(self) -> "Forge":
        """Begin to answer."""
        self._server.start()
        return self

    def stop(self) -> None:
        """Stop to listen and to deliver; the repositories stay on disk."""
        self._courier.stop()
        self._server.stop()

    def __enter__(self) -> "Forge":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- setting up ---

    def add_user(
        self, login: str, token: str, *, bot: bool = False, admin: bool = False, reads_only: bool = False
    ) -> User:
        """An account whose token works for REST and git; an admin may push to protected branches."""
        kind = "Bot" if bot else "User"
        made = self._state.add_user(login, kind=kind, admin=admin, reads_only=reads_only)
        self._state.tokens[token] = made.login
        return made

    def create_repository(
        self,
        name: str,
        source: Path | None = None,
        default_branch: str = "main",
        author: str = "alice",
        *,
        delete_branch_on_merge: bool = False,
    ) -> Repository:
        """A new repository; its first commit has the files of a folder (none: it stays empty)."""
        made = self._state.add_repository(name, default_branch)
        made.delete_branch_on_merge = delete_branch_on_merge
        if source is not None:
            tree = made.git.write_tree(None, _files(source))
            first = made.git.commit_tree(tree, (), "Begin", self._state.person(author))
            pushes.push(self._state, made, Move(f"refs/heads/{default_branch}", ABSENT, first), author)
        return made

    def protect(
        self,
        name: str,
        branch: str = "main",
        *,
        required_checks: Iterable[str] = (),
        required_reviews: int = 0,
        strict: bool = False,
    ) -> None:
        """Let the branch change by pull requests only, with these contexts successful and this many approvals."""
        repo = self.repository(name)
        if branch not in repo.protections:
            repo.git.protect(branch)
        repo.protections[branch] = Protection(tuple(required_checks), required_reviews, strict)

    def add_webhook(self, name: str, url: str, secret: str, events: Iterable[str] = ("*",)) -> Hook:
        """Deliver these events there, beginning with a ping."""
        repo = self.repository(name)
        with self._state.lock:
            made = Hook(self._state.next_id(), url, secret, tuple(events), self._state.now())
            repo.hooks[made.id] = made
            body = payloads.ping(self._state, repo, made, repo.owner)
            self._courier.send(repo, made, "ping", None, body)
        return made

    # --- CI ---

    @property
    def on_dispatch(self) -> Start | None:
        """Who plays CI: called with each run, on a thread of its own, after a dispatch was accepted."""
        return self._runs.on_dispatch

    @on_dispatch.setter
    def on_dispatch(self, start: Start | None) -> None:
        self._runs.on_dispatch = start

    def begin_run(self, id: int) -> Run:  # noqa: A002 - GitHub's word
        """The run is in progress."""
        return self._runs.begin(id)

    def finish_run(self, id: int, conclusion: str, log: str = "") -> Run:  # noqa: A002
        """The run is completed: success, failure, cancelled, …"""
        return self._runs.finish(id, conclusion, log)

    def rerun(self, id: int, by: str = "alice") -> Run:  # noqa: A002
        """Run it again as its next attempt."""
        repo, _ = self._runs.find(id)
        return self._runs.rerun(repo, id, by)

    def run(self, id: int) -> Run:  # noqa: A002
        """A run as it is now; KeyError when there is none."""
        return self._runs.find(id)[1]

    # --- webhooks that get lost or come late ---

    def lose_next_webhooks(self, count: int) -> None:
        """The next deliveries do not arrive; they are recorded, and can be redelivered."""
        self._courier.lose(count)

    def hold_webhooks(self) -> None:
        """Deliver nothing until `release_webhooks`."""
        self._courier.hold()

    def release_webhooks(self) -> None:
        """Deliver what was held, in order."""
        self._courier.release()

    def settle(self, seconds: float = 10.0) -> bool:
        """Wait until everything queued so far has been tried; whether that happened in time."""
        return self._courier.settle(seconds)


def _files(source: Path) -> dict[str, tuple[str, bytes]]:
    """Every file below a folder with its mode and content, but for a `.git` of its own."""
    found = (path for path in sorted(source.rglob("*")) if path.is_file())
    return {
        path.relative_to(source).as_posix(): (
            "100755" if path.stat().st_mode & 0o100 else "100644",
            path.read_bytes(),
        )
        for path in found
        if ".git" not in path.relative_to(source).parts
    }
