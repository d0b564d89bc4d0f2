"""Which of several replicas leads: the one whose own session of PostgreSQL holds an advisory lock."""

import contextlib
import hashlib
import logging
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import func, select

from bot.adapters.journal.database import Database
from bot.ports import Retryable

log = logging.getLogger(__name__)

EVERY = 2.0  # seconds between two tries for the lock, and between two proofs that it is still held
LEASE = 6.0  # seconds after the last proof in which this replica still leads
FREED = (
    10.0  # seconds without a word after which the server ends a session: more than LEASE, or two would lead
)


class Leadership:
    """One of the replicas with the same name leads, and hears the targets that any of them tells.

    A replica that dies sets the lock free at once, a machine that vanishes or a process that is frozen after `FREED`
    seconds at most. Whoever led stops to say so before that, by its own clock: `LEASE` seconds after the last answer of
    the server that the session lives. (Servers before PostgreSQL 14 end no silent session, and only their TCP keepalives
    find a machine that vanished.) An overlap of passes that had begun is harmless, as a pass adopts what it finds.

    It needs a session for itself, so no pooler that shares sessions between transactions may stand between.
    """

    def __init__(self, database: Database, name: str) -> None:
        """Nothing is asked yet. `name` is the same for the replicas that stand for each other."""
        digest = hashlib.sha256(name.encode()).digest()
        self._key = int.from_bytes(digest[:8], "big", signed=True)
        self._channel = f"gitops_bot_{digest.hex()[:16]}"
        self._database = database
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._proven: float | None = (
            None  # when the newest question was put whose answer proved the lock (monotonic)
        )

    def leads(self) -> bool:
        """Whether this replica may begin something now; asks nobody."""
        with self._lock:
            return self._proven is not None and time.monotonic() - self._proven < LEASE

    def tell(self, target: str) -> None:
        """Have the replica that leads look at this target. Raises `Retryable`.

        While nobody leads it is lost, and whoever leads next looks at everything.
        """
        with self._database.writing() as connection:
            connection.execute(select(func.pg_notify(self._channel, target)))

    def run(self, turned: Callable[[], None], heard: Callable[[str], None]) -> None:
        """Try to lead, and lead, until `stop`. `turned` is called whenever it begins or ceases to, `heard` with what is told."""
        said = ""
        while not self._stop.is_set():
            try:
                with self._database.session() as session:
                    try:
                        self._take_part(session, turned, heard)
                    finally:
                        self._cease(turned)  # before the session ends and sets the lock free
            except Retryable as problem:
                if said != (said := str(problem)):
                    log.warning("this replica does not lead: %s", problem)
            except Exception:
                log.exception("the search for who leads crashed; it begins anew")
            self._stop.wait(EVERY)

    def stop(self) -> None:
        """Begin nothing more, and set the lock free soon."""
        self._stop.set()

    def _take_part(self, session: Any, turned: Callable[[], None], heard: Callable[[str], None]) -> None:
        _found_out_when_lost(session)
        asked = time.monotonic()
        while not self._taken(session):
            if self._stop.wait(EVERY):
                return
            asked = time.monotonic()
        session.add_notify_handler(lambda told: heard(told.payload))
        _ask(session, f"LISTEN {self._channel}")
        with self._lock:
            self._proven = asked
        log.info("this replica leads now")
        turned()
        while not self._stop.is_set():
            # What was told makes the session readable; psycopg hands it over with the next answer.
            with selectors.DefaultSelector() as readable:
                readable.register(session.fileno(), selectors.EVENT_READ)
                readable.select(EVERY)
            self._prove(session)

    def _cease(self, turned: Callable[[], None]) -> None:
        with self._lock:
            led, self._proven = self._proven is not None, None
        if led:
            log.info("this replica leads no longer")
            turned()

    def _taken(self, session: Any) -> bool:
        return bool(_ask(session, f"SELECT pg_try_advisory_lock({self._key})").fetchone()[0])

    def _prove(self, session: Any) -> None:
        asked = time.monotonic()
        _ask(session, "SELECT 1")
        with self._lock:
            # Whoever asked meanwhile was told that we do not lead, and dropped its work: begin anew.
            if self._proven is None or time.monotonic() - self._proven >= LEASE:
                raise Retryable("the database was too slow to say that this replica leads")
            self._proven = asked


def _ask(session: Any, statement: str) -> Any:
    with _cut_off_late(session):
        return session.execute(statement)


@contextlib.contextmanager
def _cut_off_late(session: Any) -> Iterator[None]:
    """End the session's connection when the block takes too long: the driver itself would wait for ever."""

    def cut() -> None:
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(session.fileno())) as own:
            own.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(LEASE, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _found_out_when_lost(session: Any) -> None:
    """Have the server end this session, and free its lock, when nobody is behind it any more."""
    settings = {"tcp_keepalives_idle": 4, "tcp_keepalives_interval": 2, "tcp_keepalives_count": 3}
    if session.info.server_version >= 140000:
        settings["idle_session_timeout"] = int(FREED * 1000)
    for name, value in settings.items():
        _ask(session, f"SET {name} = {value}")
