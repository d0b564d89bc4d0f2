"""Everything that the forge knows, behind one lock."""

import itertools
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.sandbox.forge.git import BareRepository, Person
from bot.sandbox.forge.records import (
    Comment,
    Delivery,
    Hook,
    Label,
    Protection,
    Pull,
    Review,
    Run,
    Status,
    User,
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}/[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\Z")


@dataclass(eq=False)
class Repository:
    """One repository: its git side and everything around it, each table by id, number or name."""

    id: int
    name: str
    default_branch: str
    git: BareRepository
    created_at: datetime
    pushed_at: datetime
    delete_branch_on_merge: bool = False
    pulls: dict[int, Pull] = field(default_factory=dict)
    comments: dict[int, Comment] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    statuses: list[Status] = field(default_factory=list)
    reviews: dict[int, list[Review]] = field(default_factory=dict)
    protections: dict[str, Protection] = field(default_factory=dict)
    workflows: dict[str, int] = field(default_factory=dict)
    runs: dict[int, Run] = field(default_factory=dict)
    hooks: dict[int, Hook] = field(default_factory=dict)
    deliveries: dict[int, Delivery] = field(default_factory=dict)
    # Which (head, base) pairs have been judged: see `mergeability`.
    judged: dict[int, tuple[str, str, str | None]] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        """The part before the slash."""
        return self.name.partition("/")[0]

    @property
    def short_name(self) -> str:
        """The part behind the slash."""
        return self.name.partition("/")[2]


Publish = Callable[[Repository, str, str | None, Mapping[str, Any]], None]


class State:
    """Users, tokens and repositories. Take `lock` around whatever reads twice or writes.

    `publish` hands an event (repository, name, action, payload) to the webhooks.
    """

    def __init__(self, folder: Path, clock: Callable[[], datetime]) -> None:
        """Empty; `url` and `api_url` are known once the server is bound."""
        self.folder = folder
        self.now = clock
        self.url = ""
        self.api_url = ""
        self.lock = threading.RLock()
        self.users: dict[str, User] = {}
        self.tokens: dict[str, str] = {}
        self.repositories: dict[str, Repository] = {}
        self.publish: Publish = lambda repository, event, action, payload: None
        self._ids = itertools.count(1001)

    def next_id(self) -> int:
        """A number that nothing else has."""
        return next(self._ids)

    def user(self, login: str) -> User:
        """The account with this login, made when there is none: people in tests and in a demo need no ceremony."""
        with self.lock:
            found = self.users.get(login.lower())
            return found or self.add_user(login)

    def add_user(
        self, login: str, *, kind: str = "User", admin: bool = False, reads_only: bool = False
    ) -> User:
        """A new account, or another kind of the one with this login."""
        with self.lock:
            known = self.users.get(login.lower())
            made = User(known.id if known else self.next_id(), login, kind, self.now(), admin, reads_only)
            self.users[login.lower()] = made
            return made

    def person(self, login: str) -> Person:
        """How an account appears in a commit made now."""
        user = self.user(login)
        return Person(user.login, user.email, self.now())

    def repository(self, name: str) -> Repository | None:
        """By `owner/name`, whatever the case."""
        return self.repositories.get(name.lower())

    def add_repository(self, name: str, default_branch: str) -> Repository:
        """A new, empty one; ValueError when the name is taken or none."""
        if not _NAME.match(name) or ".." in name or name.endswith(".git"):
            raise ValueError(f"{name!r} is not owner/name")
        with self.lock:
            if name.lower() in self.repositories:
                raise ValueError(f"{name} exists already")
            owner = name.partition("/")[0]
            if owner.lower() not in self.users:
                self.add_user(owner, kind="Organization")
            git = BareRepository.create(self.folder / "repositories" / f"{name}.git", default_branch)
            made = Repository(self.next_id(), name, default_branch, git, self.now(), self.now())
            self.repositories[name.lower()] = made
            return made

    def pull_of(self, repository: Repository, branch: str, base: str | None = None) -> Pull | None:
        """The open pull request from this branch (into this base), or None."""
        found = (p for p in repository.pulls.values() if p.state == "open" and p.head == branch)
        return next((pull for pull in found if base is None or pull.base == base), None)
