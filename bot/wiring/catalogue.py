"""The targets in force: promotions.yaml at the head of the base branch, or the last good one before it."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

from bot.config.promotions import FILE, last_good
from bot.core.target import Catalogue
from bot.ports import Manifests, Refused, Retryable

HISTORY = 50
FRESH = 30.0
"""Seconds; passes that follow each other closer than that need no fetch for the catalogue, as each fetches by itself."""
_AGAIN = 2.0  # seconds after a failure; not every call may wait for a repo that is out of reach


class Mirrored(Manifests, Protocol):
    """A manifests repo that says what the newest fetch found, whoever asked for it."""

    def fetched(self) -> tuple[str, float]:
        """The head of the base branch, and when the fetch began (monotonic seconds, -inf before the first)."""
        ...


class Targets:
    """Called, it answers with the catalogue at the newest fetch of anybody's; fetches when that is `fresh` seconds ago.

    While the repo is out of reach the catalogue that was read last stays in force.
    """

    def __init__(
        self, manifests: Mirrored, fresh: float = FRESH, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Nothing is read yet. `changed` is called with the names of targets that came since, or are defined anew."""
        self._manifests, self._fresh, self._monotonic = manifests, fresh, monotonic
        self.changed: Callable[[Iterable[str]], None] = lambda names: None
        self._lock = threading.Lock()
        self._failed_at = float("-inf")
        self._head = ""
        self._catalogue: Catalogue | None = None

    def __call__(self) -> Catalogue:
        """The catalogue in force. Raises `Retryable` or `Refused` only when none was ever read."""
        with self._lock:
            before = self._catalogue
            catalogue = self._renewed()
        if before is not None and catalogue is not before:
            self.changed(
                [name for name, target in catalogue.targets.items() if before.targets.get(name) != target]
            )
        return catalogue

    def _renewed(self) -> Catalogue:
        if self._catalogue is not None and self._monotonic() - self._failed_at < _AGAIN:
            return self._catalogue
        try:
            head, at = self._manifests.fetched()
            if self._catalogue is None or self._monotonic() - at >= self._fresh:
                head = self._manifests.fetch()
            if self._catalogue is None or head != self._head:
                self._catalogue, self._head = self._read(head), head
        except (Retryable, Refused):
            self._failed_at = self._monotonic()
            if self._catalogue is None:
                raise
        return self._catalogue

    def known(self) -> Catalogue:
        """The catalogue that was read last, however old: for webhooks, which must be answered in milliseconds."""
        return self._catalogue if self._catalogue is not None else self()

    def _read(self, head: str) -> Catalogue:
        catalogue = last_good(self._versions)
        if catalogue.targets and self._manifests.file(FILE, head) is None:
            problem = f"{FILE}: it is gone from the base branch; the last one stays in force. To stop the bot, set `paused: true`."
            return replace(catalogue, problem=problem)
        return catalogue

    def _versions(self) -> Iterable[tuple[str, bytes]]:
        for commit in self._manifests.history(FILE, HISTORY):
            data = self._manifests.file(FILE, commit)
            if data is not None:
                yield commit, data
