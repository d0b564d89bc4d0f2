"""The targets in force: promotions.yaml at the head of the base branch, or the last good one before it."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from bot.config.promotions import FILE, last_good
from bot.core.model import Catalogue
from bot.ports import Manifests, Refused, Retryable

HISTORY = 50


class Targets:
    """Called, it answers with the catalogue; reads the repo again when it is older than `fresh` seconds.

    While the repo is out of reach the catalogue that was read last stays in force.
    """

    def __init__(
        self, manifests: Manifests, fresh: float = 2.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Nothing is read yet."""
        self._manifests, self._fresh, self._monotonic = manifests, fresh, monotonic
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._head = ""
        self._catalogue: Catalogue | None = None

    def __call__(self) -> Catalogue:
        """The catalogue in force. Raises `Retryable` or `Refused` only when none was ever read."""
        with self._lock:
            if self._catalogue is not None and self._monotonic() - self._read_at < self._fresh:
                return self._catalogue
            try:
                head = self._manifests.fetch()
                if self._catalogue is None or head != self._head:
                    self._catalogue, self._head = self._read(head), head
            except (Retryable, Refused):
                if self._catalogue is None:
                    raise
            self._read_at = self._monotonic()
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
