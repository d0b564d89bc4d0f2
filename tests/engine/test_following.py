"""One of several replicas leads: the others begin nothing, hand over what wakes there, and know the targets all the same."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from bot.adapters.queue.memory import MemoryQueue
from bot.core.target import Catalogue
from bot.engine.loop import Loop
from bot.ports import Entry, Retryable
from tests.engine.test_reconcile import NAME, promoted


class Replica:
    """A loop over a world in memory, with the leadership in the test's hand."""

    def __init__(self) -> None:
        self.world, self.queue = promoted(), MemoryQueue(first=timedelta(milliseconds=10))
        self.leading = False
        self.entries: list[Entry] = []
        self.swept: list[datetime] = []
        self.handed: list[str] = []
        self.failures = 0
        self.reads = self.follows = 0
        self.loop = Loop(
            replace(self.world.ports(), catalogue=self._catalogue), self.queue, timedelta(hours=1),
            told=self.entries.append, swept=self.swept.append, leads=lambda: self.leading, hand_over=self._hand_over,
            followed=self._followed,
        )  # fmt: skip

    def _catalogue(self) -> Catalogue:
        self.reads += 1
        return self.world.ports().catalogue()

    def _followed(self) -> None:
        self.follows += 1

    def _hand_over(self, target: str) -> None:
        if self.failures:
            self.failures -= 1
            raise Retryable("the database does not answer")
        self.handed.append(target)

    def turn(self, leading: bool) -> None:
        self.leading = leading
        self.loop.turned()


@contextmanager
def running(replica: Replica) -> Iterator[None]:
    thread = threading.Thread(target=replica.loop.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        replica.loop.stop()
        thread.join(timeout=10)
        assert not thread.is_alive()


def eventually(true: Callable[[], object]) -> bool:
    deadline = time.monotonic() + 10
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(true())


def test_one_that_follows_begins_nothing_and_still_reads_promotions() -> None:
    replica = Replica()
    with running(replica):
        assert eventually(lambda: replica.reads)
        assert eventually(lambda: replica.loop.running)
        time.sleep(0.2)
    assert (replica.entries, replica.swept, replica.handed) == ([], [], [])
    assert (replica.reads, replica.follows) == (1, 1)


def test_what_wakes_where_another_leads_is_handed_to_that_one() -> None:
    replica = Replica()
    with running(replica):
        replica.queue.wake(NAME)
        assert eventually(lambda: replica.handed == [NAME])
        assert eventually(lambda: not replica.queue.list())
    assert replica.entries == []


def test_what_cannot_be_handed_over_now_is_handed_over_later() -> None:
    replica = Replica()
    replica.failures = 2
    with running(replica):
        replica.queue.wake(NAME)
        assert eventually(lambda: replica.handed == [NAME])
    assert replica.entries == []


def test_one_that_begins_to_lead_looks_at_everything_at_once() -> None:
    replica = Replica()
    with running(replica):
        assert eventually(lambda: replica.reads)
        replica.turn(True)
        assert eventually(lambda: replica.entries)
    assert len(replica.swept) == 1
    assert replica.entries[0].action == "start build"
    assert replica.handed == []


def test_one_that_no_longer_leads_hands_over_what_it_had_booked() -> None:
    replica = Replica()
    with running(replica):
        replica.turn(True)
        assert eventually(lambda: replica.entries)
        replica.turn(False)
        done = len(replica.entries)
        replica.queue.wake(NAME)
        assert eventually(lambda: NAME in replica.handed)
    assert len(replica.entries) <= done + 1  # a pass that had begun was finished
