"""The hands of the people who use the forge in a demo and in tests."""

import functools
from collections.abc import Callable, Mapping
from typing import Concatenate, ParamSpec, TypeVar

from bot.sandbox.forge import merging, pulls, pushes
from bot.sandbox.forge.git import ABSENT, Move
from bot.sandbox.forge.records import Pull, Review, Status
from bot.sandbox.forge.refusals import not_found
from bot.sandbox.forge.state import Repository, State

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _locked(method: Callable[Concatenate["People", _P], _T]) -> Callable[Concatenate["People", _P], _T]:
    """What a method looks up stays so until it is done."""

    @functools.wraps(method)
    def wrapped(self: "People", /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        with self._state.lock:
            return method(self, *args, **kwargs)

    return wrapped


class People:
    """What people do; `by` and `author` are logins. Raises `Refusal` where GitHub would refuse."""

    def __init__(self, state: State) -> None:
        """They act on this state."""
        self._state = state

    def repository(self, name: str) -> Repository:
        """By `owner/name`; KeyError when there is none."""
        found = self._state.repository(name)
        if found is None:
            raise KeyError(name)
        return found

    def pull(self, name: str, number: int) -> Pull:
        """A pull request as it is now."""
        return pulls.find(self.repository(name), number)

    @_locked
    def merge(self, name: str, number: int, by: str = "alice", method: str = "merge") -> Pull:
        """Merge it."""
        repo = self.repository(name)
        pulls.find(repo, number)
        return merging.merge(self._state, repo, number, merging.Wish(method), by)

    @_locked
    def close(self, name: str, number: int, by: str = "alice") -> Pull:
        """Close it unmerged."""
        return pulls.set_state(self._state, self.repository(name), self.pull(name, number), "closed", by)

    @_locked
    def reopen(self, name: str, number: int, by: str = "alice") -> Pull:
        """Open it again."""
        return pulls.set_state(self._state, self.repository(name), self.pull(name, number), "open", by)

    @_locked
    def comment(self, name: str, number: int, body: str, by: str = "alice") -> int:
        """Comment on it; returns the comment's id."""
        return pulls.comment(self._state, self.repository(name), self.pull(name, number), body, by).id

    @_locked
    def label(self, name: str, number: int, *labels: str, by: str = "alice") -> Pull:
        """Add labels to it."""
        return pulls.label(self._state, self.repository(name), self.pull(name, number), labels, by)

    @_locked
    def review(self, name: str, number: int, by: str = "alice", approve: bool = True) -> Review:
        """Approve it, or request changes."""
        event = "APPROVE" if approve else "REQUEST_CHANGES"
        return pulls.review(self._state, self.repository(name), self.pull(name, number), event, by)

    @_locked
    def set_status(
        self, name: str, sha: str, context: str, state: str, *, description: str = "", by: str = "ci"
    ) -> Status:
        """Set a commit status: error, failure, pending or success."""
        repo = self.repository(name)
        login, number = self._state.user(by).login, self._state.next_id()
        made = Status(number, sha, context, state, description or None, None, login, self._state.now())
        return pulls.set_status(self._state, repo, made)

    @_locked
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
        old = repo.git.branch(branch)
        parent = old or repo.git.resolve(start or f"refs/heads/{repo.default_branch}")
        put = {path: None if data is None else ("100644", data) for path, data in files.items()}
        tree = repo.git.write_tree(parent, put)
        parents = (parent,) if parent else ()
        made = repo.git.commit_tree(tree, parents, message, self._state.person(author))
        pushes.push(self._state, repo, Move(f"refs/heads/{branch}", old or ABSENT, made), author)
        return made

    @_locked
    def delete_branch(self, name: str, branch: str, by: str = "alice") -> None:
        """Delete a branch, which closes its pull requests."""
        pulls.delete_branch(self._state, self.repository(name), branch, by)

    def head(self, name: str, branch: str = "main") -> str:
        """The commit that a branch is at; `Refusal` when there is no such branch."""
        found = self.repository(name).git.branch(branch)
        if found is None:
            raise not_found()
        return found
