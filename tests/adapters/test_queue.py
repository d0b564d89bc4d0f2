"""The contract of the port `Queue` (facts/engine.md), on the queue in memory."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from bot.adapters.queue.memory import MemoryQueue
from bot.ports import Pass, Queue, Retryable

PATIENCE = 10.0


def eventually(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.005)
    return False


@contextmanager
def running(queue: Queue, pass_: Pass) -> Iterator[None]:
    thread = threading.Thread(target=queue.run, args=(pass_,))
    thread.start()
    try:
        yield
    finally:
        queue.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


class QueueContract:
    """Whatever fills the port behaves like this."""

    @pytest.fixture
    def queue(self) -> Queue:
        raise NotImplementedError

    def test_events_for_a_queued_target_are_one_pass(self, queue: Queue) -> None:
        seen: list[str] = []
        for _ in range(100):
            queue.wake("a/b")
        with running(queue, lambda name: seen.append(name)):
            assert eventually(lambda: seen == ["a/b"])
            time.sleep(0.1)
        assert seen == ["a/b"]

    def test_an_event_during_a_pass_means_one_more_pass(self, queue: Queue) -> None:
        began, go_on, passes = threading.Event(), threading.Event(), []

        def pass_(name: str) -> None:
            passes.append(name)
            began.set()
            go_on.wait(PATIENCE)

        queue.wake("a/b")
        with running(queue, pass_):
            assert began.wait(PATIENCE)
            for _ in range(10):
                queue.wake("a/b")
            go_on.set()
            assert eventually(lambda: len(passes) == 2)
            time.sleep(0.1)
        assert len(passes) == 2

    def test_never_two_passes_of_one_target_and_no_event_is_lost(self, queue: Queue) -> None:
        names = [f"m/{n}" for n in range(10)]
        wanted, seen, inside, broken = dict.fromkeys(names, 0), dict.fromkeys(names, 0), set(), []
        lock = threading.Lock()

        def pass_(name: str) -> None:
            with lock:
                if name in inside:
                    broken.append(name)
                inside.add(name)
            now = wanted[name]
            time.sleep(0.001)
            with lock:
                seen[name] = max(seen[name], now)
                inside.discard(name)

        def produce() -> None:
            for round_ in range(50):
                for name in names:
                    with lock:
                        wanted[name] += 1
                    queue.wake(name)
                time.sleep(0.001 * (round_ % 3))

        with running(queue, pass_):
            producers = [threading.Thread(target=produce) for _ in range(4)]
            for producer in producers:
                producer.start()
            for producer in producers:
                producer.join()
            assert eventually(lambda: seen == wanted)
        assert broken == []

    def test_a_pass_is_repeated_when_it_asked_for_that(self, queue: Queue) -> None:
        times: list[float] = []

        def pass_(name: str) -> timedelta | None:
            times.append(time.monotonic())
            return timedelta(milliseconds=50) if len(times) < 3 else None

        queue.wake("a/b")
        with running(queue, pass_):
            assert eventually(lambda: len(times) == 3)
            time.sleep(0.2)
        assert len(times) == 3
        assert all(later - earlier >= 0.05 for earlier, later in itertools.pairwise(times))

    def test_an_event_cuts_into_a_delay(self, queue: Queue) -> None:
        passes: list[str] = []

        def pass_(name: str) -> timedelta:
            passes.append(name)
            return timedelta(hours=1)

        queue.wake("a/b")
        with running(queue, pass_):
            assert eventually(lambda: len(passes) == 1)
            assert eventually(lambda: [item.state for item in queue.list()] == ["delayed"])
            queue.wake("a/b")
            assert eventually(lambda: len(passes) == 2)

    def test_a_failing_target_backs_off_and_stays_visible(self, queue: Queue) -> None:
        times: list[float] = []

        def pass_(name: str) -> None:
            times.append(time.monotonic())
            if len(times) < 4:
                raise ValueError("the third neighbour is on fire")

        queue.wake("a/b")
        with running(queue, pass_):
            assert eventually(lambda: any(item.state == "failing" for item in queue.list()))
            shown = next(iter(queue.list()), None)
            assert shown is None or shown.problem == "the third neighbour is on fire"
            assert eventually(lambda: len(times) == 4)
            assert eventually(lambda: list(queue.list()) == [])
        waits = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert waits[0] >= 0.02
        assert waits[1] >= 0.04
        assert waits[2] >= 0.08

    def test_one_that_asks_us_to_stay_away_is_left_alone(self, queue: Queue) -> None:
        times: list[float] = []

        def pass_(name: str) -> None:
            times.append(time.monotonic())
            if len(times) == 1:
                raise Retryable("rate limited", after=timedelta(seconds=0.3))

        queue.wake("a/b")
        with running(queue, pass_):
            assert eventually(lambda: len(times) == 2)
        assert times[1] - times[0] >= 0.3

    def test_others_go_on_while_one_hangs(self, queue: Queue) -> None:
        go_on, done = threading.Event(), []

        def pass_(name: str) -> None:
            if name == "a/slow":
                go_on.wait(PATIENCE)
            done.append(name)

        for name in ("a/slow", "a/1", "a/2", "a/3"):
            queue.wake(name)
        with running(queue, pass_):
            assert eventually(lambda: set(done) == {"a/1", "a/2", "a/3"})
            go_on.set()
            assert eventually(lambda: "a/slow" in done)

    def test_stopping_finishes_what_runs_and_begins_nothing(self, queue: Queue) -> None:
        began, finished = threading.Event(), []

        def pass_(name: str) -> None:
            began.set()
            time.sleep(0.1)
            finished.append(name)

        queue.wake("a/b")
        with running(queue, pass_):
            assert began.wait(PATIENCE)
            queue.wake("a/b")
        assert finished == ["a/b"]


class TestMemoryQueue(QueueContract):
    @pytest.fixture
    def queue(self) -> Queue:
        return MemoryQueue(
            workers=2, first=timedelta(milliseconds=20), last=timedelta(milliseconds=200), seed=1
        )

    def test_a_target_that_is_gone_can_be_forgotten(self) -> None:
        queue = MemoryQueue()
        queue.wake("a/b")
        queue.forget("a/b")
        queue.forget("never/seen")
        assert list(queue.list()) == []
