"""Who of several replicas leads, with a real PostgreSQL: one at a time, whatever dies, freezes or falls silent."""

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from bot.adapters.journal import SqlJournal
from bot.adapters.journal.leadership import EVERY, FREED, LEASE
from tests import postgres

pytestmark = pytest.mark.world

NAME = "https://api.github.com acme/manifests main"
SOON = 2 * EVERY + 3.0  # seconds, on a busy machine
TAKEN_OVER = 15.0


class Replica:
    """One that takes part, and what it heard."""

    def __init__(self, url: str, name: str = NAME) -> None:
        self.journal = SqlJournal(url)
        leadership = self.journal.leadership(name)
        assert leadership is not None
        self.leadership = leadership
        self.turns = 0
        self.heard: list[str] = []
        self._thread = threading.Thread(
            target=leadership.run, args=(self._turned, self.heard.append), daemon=True
        )
        self._thread.start()

    def _turned(self) -> None:
        self.turns += 1

    def leads(self) -> bool:
        return self.leadership.leads()

    def stop(self) -> None:
        self.leadership.stop()
        self._thread.join(timeout=30)
        assert not self._thread.is_alive()
        self.journal.close()


class Between:
    """A way to the server that can fall silent: connections stay, and nothing comes through any more."""

    def __init__(self, url: str) -> None:
        self._to = urlsplit(url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = self._to._replace(netloc=f"bot@127.0.0.1:{self._listener.getsockname()[1]}").geturl()
        self.open = threading.Event()
        self.open.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection((self._to.hostname or "", self._to.port or 0))
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=ends, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.open.wait()
                sink.sendall(data)
            self.open.wait()
            sink.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        self.open.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


Replicas = Callable[..., Replica]


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Postgres]:
    with postgres.running() as running:
        yield running


@pytest.fixture
def url(server: postgres.Postgres) -> str:
    return server.database()


@pytest.fixture
def replica(url: str) -> Iterator[Replicas]:
    made: list[Replica] = []

    def make(where: str = url, name: str = NAME) -> Replica:
        made.append(Replica(where, name))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def within(seconds: float, true: Callable[[], object]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.01)
    return False


def never_both(first: Replica, second: Replica, seconds: float, until: Callable[[], object]) -> bool:
    def looked() -> object:
        # The one that may be late is asked last.
        assert not (second.leads() and first.leads())
        return until()

    return within(seconds, looked)


def test_one_of_two_leads_and_hears_what_either_tells(replica: Replicas) -> None:
    leading = replica()
    assert within(SOON, leading.leads)
    following = replica()
    time.sleep(EVERY + 0.5)
    assert (leading.leads(), following.leads()) == (True, False)
    for number, teller in enumerate((following, leading)):
        began = time.monotonic()
        teller.leadership.tell(f"fraud-detector/{number}")
        assert within(EVERY, lambda number=number: len(leading.heard) > number)  # type: ignore[misc]
        assert time.monotonic() - began < EVERY
    assert leading.heard == ["fraud-detector/0", "fraud-detector/1"]
    assert following.heard == []
    assert (leading.turns, following.turns) == (1, 0)


def test_the_bots_of_two_manifests_repos_in_one_database_lead_each_their_own(replica: Replicas) -> None:
    one, other = replica(), replica(name=NAME.replace("acme", "umbrella"))
    assert within(SOON, lambda: one.leads() and other.leads())
    one.leadership.tell("fraud-detector/production")
    assert within(EVERY, lambda: one.heard)
    time.sleep(0.5)
    assert other.heard == []


def test_one_that_stops_is_followed_by_another(replica: Replicas) -> None:
    leading = replica()
    assert within(SOON, leading.leads)
    following = replica()
    leading.stop()
    assert not leading.leads()
    assert leading.turns == 2
    assert within(SOON, following.leads)


def test_one_whose_connection_ends_leads_no_longer_before_another_does(replica: Replicas, url: str) -> None:
    leading = replica()
    assert within(SOON, leading.leads)
    following = replica()
    time.sleep(EVERY)
    with psycopg.connect(url, autocommit=True) as admin:
        held = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        assert admin.execute(held).fetchall() == [(True,)]
    assert never_both(leading, following, SOON, lambda: leading.turns == 2)
    assert never_both(leading, following, SOON, lambda: leading.leads() or following.leads())


def test_one_that_hears_nothing_any_more_stops_to_lead_before_the_server_lets_another(
    replica: Replicas, url: str
) -> None:
    between = Between(url)
    try:
        cut_off = replica(between.url)
        assert within(SOON, cut_off.leads)
        following = replica()
        between.open.clear()
        silent = time.monotonic()
        assert never_both(cut_off, following, EVERY + LEASE, lambda: not cut_off.leads())
        assert never_both(cut_off, following, TAKEN_OVER, following.leads)
        assert time.monotonic() - silent < TAKEN_OVER
        between.open.set()
        assert within(LEASE + SOON, lambda: cut_off.turns == 2)
        assert not never_both(cut_off, following, EVERY + 1, cut_off.leads)
    finally:
        between.stop()


def test_one_that_hears_again_too_late_begins_anew_so_that_nothing_is_missed(
    replica: Replicas, url: str
) -> None:
    between = Between(url)
    try:
        alone = replica(between.url)
        assert within(SOON, alone.leads)
        between.open.clear()
        assert within(EVERY + LEASE + 1, lambda: not alone.leads())
        assert within(SOON, lambda: alone.turns == 2)  # also while the answer does not come
        between.open.set()
        assert within(LEASE + SOON, lambda: alone.turns == 3)
        assert alone.leads()
    finally:
        between.stop()


PROCESS = """
import sys, threading
from bot.adapters.journal import SqlJournal
leadership = SqlJournal(sys.argv[1]).leadership(sys.argv[2])
turned = lambda: print("turned", flush=True)
threading.Thread(target=leadership.run, args=(turned, print), daemon=True).start()
for line in sys.stdin:
    print(leadership.leads(), flush=True)
"""


@pytest.fixture
def process(url: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", PROCESS, url, NAME]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "turned\n"
        yield running
        running.kill()


def test_one_that_is_killed_is_followed_at_once(process: "subprocess.Popen[str]", replica: Replicas) -> None:
    following = replica()
    time.sleep(EVERY)
    assert not following.leads()
    process.kill()
    assert within(SOON, following.leads)
    assert following.turns == 1


def test_one_that_was_frozen_finds_that_another_leads(
    process: "subprocess.Popen[str]", replica: Replicas
) -> None:
    following = replica()
    process.send_signal(signal.SIGSTOP)
    frozen = time.monotonic()
    assert not within(FREED - EVERY, following.leads)
    assert within(TAKEN_OVER - FREED + EVERY, following.leads)
    assert time.monotonic() - frozen < TAKEN_OVER
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    process.send_signal(signal.SIGCONT)
    said = [process.stdout.readline() for _ in range(2)]
    assert sorted(said) == ["False\n", "turned\n"]
