"""The forge as a whole, and the hands of the people who use it in a demo and in tests."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from bot.sandbox.forge import events as payloads
from bot.sandbox.forge import merging, pulls, pushes
from bot.sandbox.forge.app import API, Front
from bot.sandbox.forge.git import ABSENT
from bot.sandbox.forge.history import commit
from bot.sandbox.forge.pages import pages_app
from bot.sandbox.forge.records import Hook, Protection, Pull, Review, Run, Status, User
from bot.sandbox.forge.refusals import not_found
from bot.sandbox.forge.rest.door import Services
from bot.sandbox.forge.runs import Runs, Start
from bot.sandbox.forge.server import HangingUpServer
from bot.sandbox.forge.state import Repository, State
from bot.sandbox.forge.webhooks import Courier
from bot.sandbox.serving import WSGI


class Forge:
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
        self._state = State(folder.absolute(), clock)
        self._courier, self._runs = Courier(self._state), Runs(self._state)
        self._state.publish = self._courier.publish
        services = Services(self._state, self._runs, self._courier)
        front = Front(services, pages_app(self._state, reviewer))
        self._server = HangingUpServer(around(front), port=port)
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

    def add_user(self, login: str, token: str, *, bot: bool = False, admin: bool = False) -> User:
        """An account whose token works for REST and git; an admin may push to protected branches."""
        made = self._state.add_user(login, kind="Bot" if bot else "User", admin=admin)
        self._state.tokens[token] = made.login
        return made

    def create_repository(
        self, name: str, source: Path | None = None, default_branch: str = "main", author: str = "alice"
    ) -> Repository:
        """A new repository; its first commit has the files of a folder (none: it stays empty)."""
        made = self._state.add_repository(name, default_branch)
        if source is not None:
            files = {
                path.relative_to(source).as_posix(): (
                    "100755" if path.stat().st_mode & 0o100 else "100644",
                    path.read_bytes(),
                )
                for path in sorted(source.rglob("*"))
                if path.is_file() and ".git" not in path.relative_to(source).parts
            }
            tree = made.git.write_tree(None, files)
            first = made.git.commit_tree(tree, (), "Begin", self._state.person(author))
            pushes.push(self._state, made, f"refs/heads/{default_branch}", first, ABSENT, author)
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

    def repository(self, name: str) -> Repository:
        """By `owner/name`; KeyError when there is none."""
        found = self._state.repository(name)
        if found is None:
            raise KeyError(name)
        return found

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

    # --- people ---

    def pull(self, name: str, number: int) -> Pull:
        """A pull request as it is now."""
        return pulls.find(self.repository(name), number)

    def merge(self, name: str, number: int, by: str = "alice", method: str = "merge") -> Pull:
        """Merge it."""
        repo = self.repository(name)
        pulls.find(repo, number)
        return merging.merge(self._state, repo, number, merging.Wish(method), by)

    def close(self, name: str, number: int, by: str = "alice") -> Pull:
        """Close it unmerged."""
        return pulls.set_state(self._state, self.repository(name), self.pull(name, number), "closed", by)

    def reopen(self, name: str, number: int, by: str = "alice") -> Pull:
        """Open it again."""
        return pulls.set_state(self._state, self.repository(name), self.pull(name, number), "open", by)

    def comment(self, name: str, number: int, body: str, by: str = "alice") -> int:
        """Comment on it; returns the comment's id."""
        return pulls.comment(self._state, self.repository(name), self.pull(name, number), body, by).id

    def label(self, name: str, number: int, *labels: str, by: str = "alice") -> Pull:
        """Add labels to it."""
        return pulls.label(self._state, self.repository(name), self.pull(name, number), labels, by)

    def review(self, name: str, number: int, by: str = "alice", approve: bool = True) -> Review:
        """Approve it, or request changes."""
        event = "APPROVE" if approve else "REQUEST_CHANGES"
        return pulls.review(self._state, self.repository(name), self.pull(name, number), event, "", by)

    def set_status(
        self, name: str, sha: str, context: str, state: str, description: str = "", by: str = "ci"
    ) -> Status:
        """Set a commit status: error, failure, pending or success."""
        repo = self.repository(name)
        login, number = self._state.user(by).login, self._state.next_id()
        made = Status(number, sha, context, state, description or None, None, login, self._state.now())
        return pulls.set_status(self._state, repo, made)

    def push_commit(
        self,
        name: str,
        branch: str,
        files: Mapping[str, bytes | None],
        *,
        author: str = "alice",
        message: str = "Change by hand",
        start: str | None = None,
    ) -> str:
        """Put a commit on a branch as a person with every right would, and return it; None deletes a file.

        A branch that is not there yet begins at `start`, or at the default branch.
        """
        repo = self.repository(name)
        with self._state.lock:
            old = repo.git.branch(branch)
            parent = old or repo.git.resolve(start or f"refs/heads/{repo.default_branch}")
            put = {path: None if data is None else ("100644", data) for path, data in files.items()}
            tree = repo.git.write_tree(parent, put)
            parents = (parent,) if parent else ()
            made = repo.git.commit_tree(tree, parents, message, self._state.person(author))
            pushes.push(self._state, repo, f"refs/heads/{branch}", made, old or ABSENT, author)
        return made

    def delete_branch(self, name: str, branch: str, by: str = "alice") -> None:
        """Delete a branch, which closes its pull requests."""
        pulls.delete_branch(self._state, self.repository(name), branch, by)

    def head(self, name: str, branch: str = "main") -> str:
        """The commit that a branch is at; `Refusal` when there is no such branch."""
        found = self.repository(name).git.branch(branch)
        if found is None:
            raise not_found()
        return commit(self.repository(name).git, found).sha

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
