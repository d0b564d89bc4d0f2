"""The database: its file and rights, SQLite's settings, transactions, and errors in the bot's own words."""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, Executable, Row, event, exc, make_url, text

from bot.adapters.journal.schema import bring_up_to_date
from bot.ports import Refused, Retryable

_BUSY_TIMEOUT = 5.0  # seconds that one writer waits for another
_CHECK = text("PRAGMA quick_check(1)")


class Database:
    """One database, used by many threads at once. Every method may raise `Retryable` or `Refused`."""

    def __init__(self, url: str) -> None:
        """Open it: the file made when missing, checked when not, the schema brought up to date.

        Raises `Refused` for a database that is broken, of a newer bot, or that may not be written.
        """
        self._url = _with_driver(make_url(url))
        self._engine = _engine_for(self._url)
        # Two threads that say the same at once must become one entry that was said twice.
        self._one_writer = threading.Lock()
        self.dialect = self._engine.dialect.name
        self._open()

    def _open(self) -> None:
        _make_file(self._url)
        engine = self._engine.execution_options(writes=True)
        with _translated(self._url), engine.begin() as connection:
            if self.dialect == "sqlite" and connection.execute(_CHECK).scalar_one() != "ok":
                raise Refused(_broken(self._url))
            bring_up_to_date(connection, _place(self._url))

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may write, committed at the end of the block; one at a time in this process."""
        engine = self._engine.execution_options(writes=True)
        with self._one_writer, _translated(self._url), engine.begin() as connection:
            yield connection

    def rows(self, query: Executable) -> Sequence[Row[Any]]:
        """What a query finds; never waits for a writer."""
        with _translated(self._url), self._engine.connect() as connection:
            return connection.execute(query).all()

    def restore(self) -> None:
        """Make SQLite's file anew when somebody deleted it: nothing in it is needed."""
        if self.dialect == "sqlite" and not Path(str(self._url.database)).exists():
            with self._one_writer:
                self._engine.dispose()
                self._open()

    def close(self) -> None:
        """Let go of every connection; the next call opens new ones."""
        self._engine.dispose()


def _with_driver(url: URL) -> URL:
    """`postgresql://…` means psycopg 3, whatever SQLAlchemy's release thinks."""
    return url.set(drivername="postgresql+psycopg") if url.drivername in ("postgresql", "postgres") else url


def _engine_for(url: URL) -> Engine:
    """An engine with its settings; nothing is opened yet.

    `Refused` for SQLite in memory: every connection would have a database of its own.
    """
    if url.get_backend_name() != "sqlite":
        return sqlalchemy.create_engine(url, pool_pre_ping=True, pool_timeout=10)
    if not url.database or url.database == ":memory:":
        raise Refused("the journal needs a file: write the database as sqlite:////path/to/journal.db")
    engine = sqlalchemy.create_engine(
        url, pool_size=8, max_overflow=16, pool_timeout=10, connect_args={"timeout": _BUSY_TIMEOUT}
    )
    event.listen(engine, "connect", _settings)
    event.listen(engine, "begin", _begin)
    return engine


def _settings(connection: sqlite3.Connection, _record: object) -> None:
    # Python's driver would begin transactions when it thinks best; `_begin` does it instead.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={int(_BUSY_TIMEOUT * 1000)}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later fails at once when another wrote in between; one that says so
    # at its beginning waits for its turn.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _make_file(url: URL) -> None:
    """Make SQLite's file (mode 0600) and its folder (0700) when missing; nothing to do elsewhere.

    SQLite gives its -wal and -shm files the mode of the database.
    """
    if url.get_backend_name() != "sqlite" or not url.database:
        return
    path = Path(url.database)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise Refused(f"the journal cannot be kept in {path}: {error.strerror}") from error


@contextmanager
def _translated(url: URL) -> Iterator[None]:
    """What SQLAlchemy raises becomes `Retryable` (locked, full, out of reach) or `Refused` (broken file)."""
    try:
        yield
    except (exc.IntegrityError, exc.ProgrammingError, exc.DataError):
        raise  # our bug
    except (exc.DBAPIError, exc.TimeoutError) as error:
        cause: Any = getattr(error, "orig", None) or error
        if getattr(cause, "sqlite_errorname", "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            raise Refused(_broken(url)) from error
        first_line = str(cause).partition("\n")[0][:300]
        raise Retryable(f"{_place(url)} cannot be used now: {first_line}") from error


def _place(url: URL) -> str:
    """The database in words, without any password."""
    return f"the journal {url.database if url.get_backend_name() == 'sqlite' else url.render_as_string()}"


def _broken(url: URL) -> str:
    return (
        f"{_place(url)} is broken: stop the bot and delete the file with its -wal and -shm; the journal begins anew "
        "and no promotion is lost"
    )
