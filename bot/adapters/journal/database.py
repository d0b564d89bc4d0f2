"""The database: its file and rights, SQLite's settings, transactions, and errors in the bot's own words."""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, Executable, Row, event, exc, make_url, text

from bot.adapters.journal.schema import bring_up_to_date
from bot.ports import Refused, Retryable

_BUSY_TIMEOUT = 5.0  # seconds that one writer waits for another
_CHECK = text("PRAGMA quick_check(1)")
_EXTRA = "gitops-commit-bot[postgres]"
_WRONG_URL = "the database's URL is not one of PostgreSQL: write postgresql://USER:PASSWORD@HOST:5432/DATABASE, with what is special in the password percent-encoded"
# libpq's own patience with a server that went away without a word is hours; a URL may say otherwise.
_PATIENCE = {
    "connect_timeout": 5, "keepalives_idle": 4, "keepalives_interval": 2, "keepalives_count": 2, "tcp_user_timeout": 8000,
}  # fmt: skip


class Database:
    """One database, used by many threads at once. Every method may raise `Retryable` or `Refused`."""

    def __init__(self, url: str) -> None:
        """Open it: the file made when missing, checked when not, the schema brought up to date.

        Raises `Refused` for a database that is broken, of a newer bot, or that may not be written.
        """
        self._url = _url(url)
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

    @contextmanager
    def session(self) -> Iterator[Any]:
        """A connection of psycopg's for one's own, outside of the pool and of transactions; closed at the end."""
        driver: Any = self._engine.dialect.loaded_dbapi
        _, options = self._engine.dialect.create_connect_args(self._url)
        try:
            with closing(driver.connect(**{**_PATIENCE, **options}, autocommit=True)) as connection:
                yield connection
        except driver.Error as error:
            raise Retryable(f"{_place(self._url)} cannot be used now: {_first_line(error)}") from error

    def restore(self) -> None:
        """Make SQLite's file anew when somebody deleted it: nothing in it is needed."""
        if self.dialect == "sqlite" and not Path(str(self._url.database)).exists():
            with self._one_writer:
                self._engine.dispose()
                self._open()

    def close(self) -> None:
        """Let go of every connection; the next call opens new ones."""
        self._engine.dispose()


def _url(text: str) -> URL:
    """The parsed URL. `postgresql://…` means psycopg 3, whatever SQLAlchemy's release thinks.

    `Refused` for what is no URL of the two databases; the sentence repeats nothing of it, as it holds a password.
    """
    try:
        url = make_url(text.strip())
    except (exc.ArgumentError, ValueError):
        raise Refused(_WRONG_URL) from None
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("sqlite", "postgresql+psycopg"):
        raise Refused(_WRONG_URL)
    hidden = url.query.get("password")
    if isinstance(hidden, str):
        # Here it would be shown wherever the URL is; SQLAlchemy blots out only the other place.
        url = url.set(password=hidden).difference_update_query(["password"])
    return url


def _engine_for(url: URL) -> Engine:
    """An engine with its settings; nothing is opened yet.

    `Refused` for SQLite in memory: every connection would have a database of its own.
    """
    if url.get_backend_name() != "sqlite":
        return _postgresql_engine(url)
    if not url.database or url.database == ":memory:":
        raise Refused("the journal needs a file: write the database as sqlite:////path/to/journal.db")
    engine = sqlalchemy.create_engine(
        url, pool_size=8, max_overflow=16, pool_timeout=10, connect_args={"timeout": _BUSY_TIMEOUT}
    )
    event.listen(engine, "connect", _settings)
    event.listen(engine, "begin", _begin)
    return engine


def _postgresql_engine(url: URL) -> Engine:
    usual = {name: value for name, value in _PATIENCE.items() if name not in url.query}
    try:
        return sqlalchemy.create_engine(url, pool_pre_ping=True, pool_timeout=10, connect_args=usual)
    except ImportError as error:
        raise Refused(
            f"PostgreSQL needs its driver, which is not installed here: pip install '{_EXTRA}'"
        ) from error


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
    except (exc.IntegrityError, exc.ProgrammingError, exc.DataError) as error:
        if url.get_backend_name() != "sqlite" and getattr(error.orig, "sqlstate", None) is None:
            # No server has said it: the driver does not take the URL.
            raise Refused(f"{_place(url)} cannot be connected to: {_first_line(error.orig)}") from error
        raise  # our bug
    except (exc.DBAPIError, exc.TimeoutError) as error:
        cause: Any = getattr(error, "orig", None) or error
        if getattr(cause, "sqlite_errorname", "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            raise Refused(_broken(url)) from error
        raise Retryable(f"{_place(url)} cannot be used now: {_first_line(cause)}") from error


def _first_line(error: object) -> str:
    return str(error).partition("\n")[0][:300]


def _place(url: URL) -> str:
    """The database in words, without any password."""
    if url.get_backend_name() == "sqlite":
        return f"the journal {url.database}"
    hosts = url.host or url.query.get("host") or "its local server"
    return f"the journal {url.database} at {hosts if isinstance(hosts, str) else ', '.join(hosts)}"


def _broken(url: URL) -> str:
    return (
        f"{_place(url)} is broken: stop the bot and delete the file with its -wal and -shm; the journal begins anew "
        "and no promotion is lost"
    )
