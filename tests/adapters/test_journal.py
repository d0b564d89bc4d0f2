"""The journal and the inbox: one contract on SQLite and on PostgreSQL, and what only a file can suffer."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, make_url

from bot.adapters.journal import SqlJournal
from bot.adapters.journal.tables import Tables
from bot.ports import Delivery, Entry, Refused, Retryable, Standing
from tests import postgres
from tests.parts import free_port

NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
TARGET = "fraud-detector/production"
WAITS = Entry(TARGET, NOW, "wait", "#12 for version 7 waits for a reviewer", version="7", seconds=0.2)

Journals = Callable[..., SqlJournal]


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Postgres]:
    with postgres.running() as running:
        yield running


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/data/journal.db"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.world)])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        found: str = request.getfixturevalue("sqlite_url")
        return found
    server: postgres.Postgres = request.getfixturevalue("server")
    return server.database()


@pytest.fixture
def opened(url: str) -> Iterator[Journals]:
    journals: list[SqlJournal] = []

    def open_one(**options: int) -> SqlJournal:
        journals.append(SqlJournal(url, **options))
        return journals[-1]

    yield open_one
    for journal in journals:
        journal.close()


@pytest.fixture
def journal(opened: Journals) -> SqlJournal:
    return opened()


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


class TestContract:
    """What every database must do."""

    def test_entries_come_back_as_they_were_written_and_newest_first(self, journal: SqlJournal) -> None:
        full = Entry(
            TARGET, later(5), "merge", "merging #12", outcome="retry", detail="502", version="7",
            commit="a" * 40, url="https://forge.test/pull/12", seconds=1.5,
        )  # fmt: skip
        journal.write(WAITS)
        journal.write(full)
        first, second = journal.entries(TARGET)
        assert replace(first, id=None) == full
        assert replace(second, id=None) == WAITS

    def test_a_decision_said_again_moves_only_its_time_on(self, journal: SqlJournal) -> None:
        for seconds in (0, 30, 60):
            journal.write(replace(WAITS, at=later(seconds)))
        (entry,) = journal.entries(TARGET)
        assert entry.at == later(60)
        assert journal.repetitions([entry.id or 0]) == {entry.id: (NOW, 3)}

    @pytest.mark.parametrize(
        "other",
        [
            replace(WAITS, action="merge"),
            replace(WAITS, because="another reason"),
            replace(WAITS, outcome="retry"),
            replace(WAITS, version="8"),
            replace(WAITS, version=None),
        ],
    )
    def test_a_decision_that_differs_is_an_entry_of_its_own(self, journal: SqlJournal, other: Entry) -> None:
        for entry in (WAITS, other, WAITS):
            journal.write(entry)
        assert len(journal.entries(TARGET)) == 3

    def test_decisions_without_a_version_repeat_too(self, journal: SqlJournal) -> None:
        for _ in range(2):
            journal.write(replace(WAITS, version=None))
        assert len(journal.entries(TARGET)) == 1

    def test_another_target_does_not_interrupt_a_repetition(self, journal: SqlJournal) -> None:
        other = replace(WAITS, target="churn/production")
        for entry in (WAITS, other, replace(WAITS, at=later(9)), other):
            journal.write(entry)
        assert [entry.target for entry in journal.entries()] == [TARGET, "churn/production"]
        assert len(journal.entries(limit=1)) == 1

    def test_a_reason_that_had_to_be_cut_is_still_recognized(self, journal: SqlJournal) -> None:
        long = replace(WAITS, because="x" * 100_000, detail="y" * 100_000)
        journal.write(long)
        journal.write(long)
        (entry,) = journal.entries(TARGET)
        assert entry.because.endswith("x…")
        assert len(entry.because) == 2000
        assert len(entry.detail) == 8000

    @pytest.mark.parametrize(
        "text", ["a\0b", "half \ud800 of a pair", "'; DROP TABLE journal_entries; --", "ü\U0001f600\u202e"]
    )
    def test_hostile_text_is_kept_as_text(self, journal: SqlJournal, text: str) -> None:
        journal.write(replace(WAITS, because=text, detail=text, url=text, version=text))
        journal.write(replace(WAITS, because=text, detail=text, url=text, version=text))
        journal.stand(Standing(TARGET, NOW, text, text, text, text, text, ((1, text, text),)))
        journal.remember(text, text, NOW)
        journal.put(Delivery(text, text, text, NOW, (text,)))
        (entry,) = journal.entries()
        shown = text.replace("\0", "\ufffd").replace("\ud800", "?")
        assert entry.because == shown
        assert journal.standings()[TARGET].proposals == ((1, shown, shown),)
        assert journal.recall(text) == (shown, NOW)
        assert journal.deliveries()[0].targets == (shown,)

    def test_names_too_long_to_keep_stay_different(self, journal: SqlJournal) -> None:
        one, other = "k" * 1000 + "1", "k" * 1000 + "2"
        journal.remember(one, "one", NOW)
        journal.remember(other, "other", NOW)
        assert journal.recall(one) == ("one", NOW)
        assert journal.put(Delivery("mlflow", one, "e", NOW, ()))
        assert journal.put(Delivery("mlflow", other, "e", NOW, ()))
        assert not journal.put(Delivery("mlflow", other, "e", NOW, ()))

    def test_times_of_any_zone_come_back_in_utc(self, journal: SqlJournal) -> None:
        there = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
        journal.write(replace(WAITS, at=there))
        (entry,) = journal.entries()
        assert entry.at == NOW
        assert entry.at.tzinfo is UTC or entry.at.utcoffset() == timedelta(0)

    def test_a_time_without_a_zone_is_our_bug(self, journal: SqlJournal) -> None:
        with pytest.raises(Exception, match="no time zone"):
            journal.remember("key", "value", NOW.replace(tzinfo=None))

    def test_the_newest_standing_of_each_target_is_kept(self, journal: SqlJournal) -> None:
        before = Standing(
            TARGET, NOW, "7", "6", "6", "wait", "waits", ((12, "https://forge.test/12", "Deploy"),), 2
        )
        after = Standing(TARGET, later(1), None, None, None, "rest", "nothing is wanted")
        journal.stand(before)
        assert journal.standings() == {TARGET: before}
        journal.stand(after)
        journal.stand(before)
        journal.stand(replace(before, target="churn/production"))
        assert journal.standings()[TARGET] == after
        assert list(journal.standings()) == ["churn/production", TARGET]

    def test_a_fact_is_remembered_until_it_is_replaced(self, journal: SqlJournal) -> None:
        assert journal.recall("asked") is None
        journal.remember("asked", "abc", NOW)
        journal.remember("asked", "def", later(1))
        assert journal.recall("asked") == ("def", later(1))

    def test_a_delivery_is_stored_once_per_sender_and_id(self, journal: SqlJournal) -> None:
        first = Delivery("mlflow", "1", "model_version_alias.created", NOW, (TARGET,))
        assert journal.put(first)
        assert not journal.put(replace(first, event="again", received_at=later(1)))
        assert journal.put(replace(first, sender="github"))
        assert journal.deliveries() == [replace(first, sender="github"), first]
        assert len(journal.deliveries(limit=1)) == 1

    def test_pruning_keeps_the_last_word_about_every_target(self, journal: SqlJournal) -> None:
        journal.write(WAITS)
        journal.write(replace(WAITS, action="merge", at=later(10)))
        journal.write(replace(WAITS, target="churn/production"))
        journal.remember("asked", "abc", NOW)
        journal.put(Delivery("mlflow", "1", "e", NOW, ()))
        assert journal.prune(later(5)) == 3
        assert {(e.target, e.action) for e in journal.entries()} == {
            (TARGET, "merge"),
            ("churn/production", "wait"),
        }
        assert journal.recall("asked") is None
        assert journal.deliveries() == []
        assert journal.prune(later(5)) == 0

    def test_what_is_said_again_now_is_not_old(self, journal: SqlJournal) -> None:
        journal.write(WAITS)
        journal.write(replace(WAITS, at=later(100)))
        journal.write(replace(WAITS, action="merge", at=later(101)))
        assert journal.prune(later(50)) == 0

    def test_both_tables_are_bounded_without_anybody_pruning(self, opened: Journals) -> None:
        journal = opened(most_entries=50, most_deliveries=60)
        for number in range(230):
            journal.write(replace(WAITS, because=str(number)))
            journal.put(Delivery("mlflow", str(number), "e", NOW, ()))
        assert len(journal.entries(limit=1000)) <= 150
        assert len(journal.deliveries(limit=1000)) <= 160
        assert journal.entries(limit=1)[0].because == "229"

    def test_a_second_start_finds_everything(self, opened: Journals) -> None:
        opened().write(WAITS)
        again = opened()
        again.ping()
        assert len(again.entries()) == 1

    def test_threads_that_say_the_same_at_once_make_one_entry(self, journal: SqlJournal) -> None:
        together = threading.Barrier(8)

        def say(because: str) -> None:
            together.wait(timeout=10)
            journal.write(replace(WAITS, because=because))

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(say, [f"reason {round_}" for round_ in range(20) for _ in range(8)]))
        entries = journal.entries()
        told = journal.repetitions([entry.id or 0 for entry in entries])
        assert len(entries) == 20
        assert {times for _, times in told.values()} == {8}

    def test_threads_of_engine_and_web_do_not_disturb_each_other(self, journal: SqlJournal) -> None:
        def work(number: int) -> bool:
            name = f"model-{number % 16}/production"
            journal.write(Entry(name, later(number), "wait", f"reason {number}"))
            journal.stand(Standing(name, later(number), "1", "1", "1", "wait", "b"))
            journal.entries(name)
            journal.ping()
            return journal.put(Delivery("mlflow", str(number // 4), "e", NOW, (name,)))

        with ThreadPoolExecutor(16) as threads:
            stored = list(threads.map(work, range(160)))
        assert sum(stored) == len(journal.deliveries()) == 40
        assert len(journal.entries(limit=500)) == 160
        assert len(journal.standings()) == 16

    def test_processes_that_start_at_once_make_one_schema(self, opened: Journals) -> None:
        with ThreadPoolExecutor(4) as threads:
            for journal in threads.map(lambda _: opened(), range(4)):
                journal.ping()

    def test_the_migrations_make_exactly_the_tables(self, journal: SqlJournal, url: str) -> None:
        engine = create_engine(make_url(url.replace("postgresql:", "postgresql+psycopg:")))
        with engine.connect() as connection:
            options = {"version_table": "journal_schema", "compare_type": True}
            differences = compare_metadata(
                MigrationContext.configure(connection, opts=options), Tables.metadata
            )
        engine.dispose()
        assert differences == []

    def test_a_schema_of_a_newer_bot_is_refused(self, opened: Journals, url: str) -> None:
        opened().close()
        engine = create_engine(make_url(url.replace("postgresql:", "postgresql+psycopg:")))
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE journal_schema SET version_num = '9999'")
        engine.dispose()
        with pytest.raises(Refused, match=r"newer gitops-bot \(schema 9999\).*no promotion is lost"):
            opened()


@pytest.mark.world
@pytest.mark.parametrize(
    "way", ["bot:hunter2@127.0.0.1:{port}/journal", "bot@127.0.0.1:{port}/journal?password=hunter2"]
)
def test_a_server_out_of_reach_may_answer_later_and_its_password_stays_secret(way: str) -> None:
    with pytest.raises(Retryable, match=r"the journal journal at 127\.0\.0\.1 cannot be used now") as caught:
        SqlJournal("postgresql://" + way.format(port=free_port()))
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.world
@pytest.mark.parametrize("way", ["bot:hunter2@", "bot@"])
def test_a_password_is_in_no_representation_of_an_open_journal(server: postgres.Postgres, way: str) -> None:
    query = "" if "hunter2" in way else "?password=hunter2"
    journal = SqlJournal(server.database().replace("bot@", way) + query)
    database = journal._database
    assert "hunter2" not in repr((journal, database, database._engine, database._engine.pool, database._url))
    journal.close()


@pytest.mark.parametrize(
    "url",
    [
        "hunter2",
        "hunter2://bot@db/bot",
        "postgresql://bot:hunter2@db:port/bot",
        "mysql://bot:hunter2@db/bot",
        "postgresql+asyncpg://bot:hunter2@db/bot",
    ],
)
def test_what_is_no_url_of_postgresql_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(Refused, match="write postgresql://USER:PASSWORD@HOST:5432/DATABASE") as caught:
        SqlJournal(url)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value, chain=True))


def test_an_option_that_the_driver_does_not_know_is_refused() -> None:
    password = "hunter2"
    with pytest.raises(Refused, match=r"cannot be connected to: .*sslmod") as caught:
        SqlJournal(f"postgresql://bot:{password}@127.0.0.1:1/journal?sslmod=require")
    assert f":{password}" not in "".join(traceback.format_exception(caught.value))


def test_without_the_driver_the_extra_is_named() -> None:
    program = """
import sys
sys.modules["psycopg"] = None  # as where it is not installed
from bot.adapters.journal import SqlJournal
from bot.ports import Refused
try:
    SqlJournal("postgresql://bot:hunter2@127.0.0.1:1/journal")
except Refused as refused:
    print(refused)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert "pip install 'gitops-commit-bot[postgres]'" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr


def test_the_file_is_for_the_bot_alone_and_written_ahead(tmp_path: Path) -> None:
    path = tmp_path / "made" / "for it" / "100%.db"
    journal = SqlJournal(f"sqlite:///{path}")
    journal.write(WAITS)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {"100%.db": 0o600, "100%.db-wal": 0o600, "100%.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    journal.close()


def test_a_file_that_others_could_read_is_taken_from_them(sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    path.parent.mkdir()
    path.touch(mode=0o644)
    SqlJournal(sqlite_url).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_database_in_memory_is_refused() -> None:
    for url in ("sqlite://", "sqlite:///:memory:"):
        with pytest.raises(Refused, match="needs a file"):
            SqlJournal(url)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(Refused, match="cannot be kept in"):
        SqlJournal(f"sqlite:///{tmp_path}/file/journal.db")


def test_a_file_that_is_no_database_may_be_deleted(sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    path.parent.mkdir()
    path.write_bytes(b"this is not a database " * 1000)
    with pytest.raises(Refused, match=r"is broken: .* delete the file .* no promotion is lost"):
        SqlJournal(sqlite_url)


def test_a_page_that_rotted_is_found_on_start_and_while_running(sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    journal = SqlJournal(sqlite_url)
    for number in range(300):
        journal.write(replace(WAITS, because=f"{number} " + "x" * 500))
    journal.close()
    with path.open("r+b") as file:
        for page in range(2, path.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(os.urandom(512))
    with pytest.raises(Refused, match="no promotion is lost"):
        journal.entries(limit=1000)
    journal.close()
    with pytest.raises(Refused, match="no promotion is lost"):
        SqlJournal(sqlite_url)


def test_a_file_deleted_under_a_running_bot_is_made_anew(sqlite_url: str) -> None:
    journal = SqlJournal(sqlite_url)
    journal.write(WAITS)
    for file in Path(sqlite_url.removeprefix("sqlite:///")).parent.iterdir():
        file.unlink()
    journal.ping()
    assert journal.entries() == []
    journal.write(WAITS)
    assert len(journal.entries()) == 1
    journal.close()


def test_a_writer_waits_for_another_process_and_readers_wait_for_nobody(sqlite_url: str) -> None:
    journal = SqlJournal(sqlite_url)
    other = sqlite3.connect(
        sqlite_url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False
    )
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, other.execute, ["COMMIT"])
    release.start()
    began = time.monotonic()
    assert journal.entries() == []
    read = time.monotonic() - began
    journal.write(WAITS)
    waited = time.monotonic() - began
    release.join()
    other.close()
    journal.close()
    assert read < 0.25 <= waited < 4


_WRITER = """
import sys
from datetime import UTC, datetime
from bot.adapters.journal import SqlJournal
from bot.ports import Delivery, Entry
journal = SqlJournal(sys.argv[1])
for number in range(1_000_000):
    journal.write(Entry("a/b", datetime.now(UTC), "wait", str(number)))
    journal.put(Delivery("mlflow", str(number), "e", datetime.now(UTC), ("a/b",)))
    print(number, flush=True)
"""


@pytest.mark.world
def test_a_bot_killed_while_it_writes_leaves_a_usable_file(sqlite_url: str) -> None:
    said = -1
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", _WRITER, sqlite_url], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for line in process.stdout:
            said = int(line)
            if said >= 150:
                os.kill(process.pid, signal.SIGKILL)
                break
        process.stdout.close()
        assert process.wait(timeout=10) == -signal.SIGKILL
    journal = SqlJournal(sqlite_url)
    kept = {entry.because for entry in journal.entries(limit=10_000)}
    assert {str(number) for number in range(said + 1)} <= kept
    assert len(journal.deliveries(limit=10_000)) > said
    journal.write(WAITS)
    journal.close()
