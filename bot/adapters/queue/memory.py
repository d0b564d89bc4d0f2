"""The queue of targets in memory, for one process with threads, as in a Kubernetes controller.

Nothing in it is durable and nothing needs to be: passes are level-triggered, and a start looks at every target
(facts/engine.md). Semantics: events for a queued target coalesce; an event during its pass means one more pass;
never two passes of one target at once; an event cuts into a delay; a failing target backs off and stays visible.
"""

import logging
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.ports import Pass, Queued, Retryable

log = logging.getLogger(__name__)

FIRST_BACKOFF = timedelta(seconds=2)
LAST_BACKOFF = timedelta(minutes=5)


@dataclass(slots=True)
class _Item:
    """One target: when its next pass is due (monotonic; None: not wanted), and how the last ones went."""

    due: float | None = None
    running: bool = False
    failures: int = 0
    problem: str = ""


class MemoryQueue:
    """Fills the port `Queue`. Failing passes wait `first * 2**n`, at most `last`, with up to 20 % of jitter."""

    def __init__(
        self,
        workers: int = 4,
        first: timedelta = FIRST_BACKOFF,
        last: timedelta = LAST_BACKOFF,
        seed: int | None = None,
    ) -> None:
        """At most `workers` passes at a time."""
        self._workers = workers
        self._first, self._last = first.total_seconds(), last.total_seconds()
        self._random = random.Random(seed)  # noqa: S311 -- jitter, no secret
        self._items: dict[str, _Item] = {}
        self._change = threading.Condition()
        self._stopping = False

    def wake(self, target: str) -> None:
        """Look at it as soon as possible."""
        with self._change:
            self._items.setdefault(target, _Item()).due = time.monotonic()
            self._change.notify()

    def forget(self, target: str) -> None:
        """Drop a target that is no longer configured; a running pass ends by itself."""
        with self._change:
            item = self._items.get(target)
            if item is not None and not item.running:
                del self._items[target]

    def stop(self) -> None:
        """Begin no more passes; `run` returns when the running ones have ended."""
        with self._change:
            self._stopping = True
            self._change.notify_all()

    def run(self, pass_: Pass) -> None:
        """Run passes on worker threads until `stop`."""
        threads = [
            threading.Thread(target=self._work, args=(pass_,), name=f"pass-{n}") for n in range(self._workers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def list(self) -> Sequence[Queued]:
        """Every target that waits, runs or fails, by name."""
        with self._change:
            now = time.monotonic()
            return [
                _queued(name, item, now)
                for name, item in sorted(self._items.items())
                if item.running or item.due is not None
            ]

    def _work(self, pass_: Pass) -> None:
        while (name := self._take()) is not None:
            try:
                again = pass_(name)
            except Exception as problem:  # noqa: BLE001 -- whatever a pass raises, the target stays scheduled
                self._failed(name, problem)
            else:
                self._done(name, again)

    def _take(self) -> str | None:
        """The target that is due longest; blocks until there is one. None when stopping."""
        with self._change:
            while not self._stopping:
                waiting = [
                    (item.due, name)
                    for name, item in self._items.items()
                    if item.due is not None and not item.running
                ]
                due, name = min(waiting, default=(None, ""))
                now = time.monotonic()
                if due is not None and due <= now:
                    self._items[name].due = None
                    self._items[name].running = True
                    return name
                self._change.wait(None if due is None else due - now)
            return None

    def _done(self, name: str, again: timedelta | None) -> None:
        with self._change:
            item = self._items[name]
            item.running, item.failures, item.problem = False, 0, ""
            if again is not None:
                item.due = _sooner(item.due, time.monotonic() + again.total_seconds())
            self._change.notify()

    def _failed(self, name: str, problem: Exception) -> None:
        if not isinstance(problem, Retryable):
            log.error("a pass over %s crashed", name, exc_info=problem)
        with self._change:
            item = self._items[name]
            item.running, item.problem = False, str(problem) or type(problem).__name__
            item.failures += 1
            wait = min(self._first * 2 ** min(item.failures - 1, 30), self._last) * (
                1 + 0.2 * self._random.random()
            )
            asked = problem.after.total_seconds() if isinstance(problem, Retryable) and problem.after else 0.0
            item.due = _sooner(item.due, time.monotonic() + max(wait, asked))
            self._change.notify()


def _sooner(due: float | None, other: float) -> float:
    return other if due is None else min(due, other)


def _queued(name: str, item: _Item, now: float) -> Queued:
    if item.running:
        state, due_in = "running", None
    else:
        left = max(0.0, (item.due or now) - now)
        due_in = timedelta(seconds=left)
        state = "failing" if item.failures else "queued" if left == 0 else "delayed"
    return Queued(name, state, due_in, item.failures, item.problem)
