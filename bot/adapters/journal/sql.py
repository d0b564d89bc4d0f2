"""`SqlJournal`: the ports `Journal` and `Inbox` on SQLAlchemy."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.adapters.journal.columns import storable
from bot.adapters.journal.database import Database
from bot.adapters.journal.leadership import Leadership
from bot.adapters.journal.tables import DeliveryRow, EntryRow, FactRow, StandingRow
from bot.ports import Delivery, Entry, Standing

_MAX_PROPOSALS = 20
_MAX_TARGETS = 1000
_TRIM_EVERY = 100  # writes between two looks at whether a bound is exceeded


class SqlJournal:
    """Decisions, standings, facts and deliveries in one database. Safe to use from many threads.

    Texts are bounded: what is too long is cut with an `…`. Nothing in here is needed for a promotion.
    """

    def __init__(self, url: str, *, most_entries: int = 100_000, most_deliveries: int = 10_000) -> None:
        """Open `sqlite:////path/journal.db` or a PostgreSQL URL, making what is missing.

        About so many of the newest entries and deliveries are kept, whatever `prune` is told.

        Raises `Refused` for a database that is broken, of a newer bot, or that may not be written.
        """
        self._database = Database(url)
        self._most_entries, self._most_deliveries = most_entries, most_deliveries
        self._insert: Callable[..., Any] = (
            sqlite.insert if self._database.dialect == "sqlite" else postgresql.insert
        )
        self.close = self._database.close

    def leadership(self, name: str) -> Leadership | None:
        """Who of the replicas with this name leads; None for SQLite, which knows one process only."""
        return None if self._database.dialect == "sqlite" else Leadership(self._database, name)

    # --- Journal ------------------------------------------------------------------------------------

    def write(self, entry: Entry) -> None:
        """Append, unless the newest entry of the target has the same action, reason, outcome and version.

        Then only that one's last time moves on, and it counts one more.
        """
        newest = (
            select(EntryRow.id)
            .where(EntryRow.target == entry.target)
            .order_by(EntryRow.id.desc())
            .limit(1)
            .scalar_subquery()
        )
        again = (
            update(EntryRow)
            .where(
                EntryRow.id == newest,
                EntryRow.action == entry.action,
                EntryRow.because == entry.because,
                EntryRow.outcome == entry.outcome,
                EntryRow.version.is_not_distinct_from(entry.version),
            )
            .values(last_at=entry.at, times=EntryRow.times + 1)
        )
        with self._database.writing() as connection:
            if connection.execute(again).rowcount == 0:
                self._append(connection, entry)

    def _append(self, connection: Connection, entry: Entry) -> None:
        row = self._insert(EntryRow).values(
            target=entry.target,
            at=entry.at,
            last_at=entry.at,
            times=1,
            action=entry.action,
            because=entry.because,
            outcome=entry.outcome,
            detail=entry.detail,
            version=entry.version,
            commit_id=entry.commit,
            url=entry.url,
            seconds=entry.seconds,
        )
        number = connection.execute(row.returning(EntryRow.id)).scalar_one()
        if number % _TRIM_EVERY == 0:
            connection.execute(delete(EntryRow).where(EntryRow.id <= number - self._most_entries))

    def entries(self, target: str | None = None, limit: int = 100) -> Sequence[Entry]:
        """Newest first; `at` is when the decision was last made (see `repetitions` for when first)."""
        query = select(EntryRow.__table__).order_by(EntryRow.last_at.desc(), EntryRow.id.desc()).limit(limit)
        if target is not None:
            query = query.where(EntryRow.target == target)
        return [_entry(row) for row in self._database.rows(query)]

    def repetitions(self, ids: Sequence[int]) -> Mapping[int, tuple[datetime, int]]:
        """For each of these entries, when the decision was first made and how often in a row."""
        query = select(EntryRow.id, EntryRow.at, EntryRow.times).where(EntryRow.id.in_(list(ids)))
        return {row.id: (row.at, row.times) for row in self._database.rows(query)}

    def stand(self, standing: Standing) -> None:
        """Remember how a target stood, unless a later look is remembered already."""
        values = {
            "looked_at": standing.looked_at,
            "wanted": standing.wanted,
            "pinned": standing.pinned,
            "live": standing.live,
            "action": standing.action,
            "because": standing.because,
            "proposals": [
                [number, storable(url, 2000), storable(title, 300)]
                for number, url, title in standing.proposals[:_MAX_PROPOSALS]
            ],
            "failures": standing.failures,
        }
        row = self._insert(StandingRow).values(target=standing.target, **values)
        newest = row.on_conflict_do_update(
            index_elements=[StandingRow.target],
            set_={column: row.excluded[column] for column in values},
            where=row.excluded.looked_at >= StandingRow.looked_at,
        )
        with self._database.writing() as connection:
            connection.execute(newest)

    def standings(self) -> Mapping[str, Standing]:
        """The newest standing of every target, by name."""
        query = select(StandingRow.__table__).order_by(StandingRow.target)
        return {row.target: _standing(row) for row in self._database.rows(query)}

    def remember(self, key: str, value: str, at: datetime) -> None:
        """Keep a small fact under its key, instead of an earlier one."""
        row = self._insert(FactRow).values(fact_key=key, value=value, at=at)
        newest = row.on_conflict_do_update(
            index_elements=[FactRow.key], set_={"value": row.excluded.value, "at": row.excluded.at}
        )
        with self._database.writing() as connection:
            connection.execute(newest)

    def recall(self, key: str) -> tuple[str, datetime] | None:
        """The fact with its time, or None."""
        for row in self._database.rows(select(FactRow.value, FactRow.at).where(FactRow.key == key)):
            return row.value, row.at
        return None

    def ping(self) -> None:
        """Raise `Retryable` when the database cannot be written; a file that somebody deleted is made anew."""
        self._database.restore()
        with self._database.writing() as connection:
            connection.execute(select(FactRow.key).limit(1))

    def prune(self, older_than: datetime) -> int:
        """Delete what was last true before this moment, and return how many rows that were.

        Every target keeps its newest entry, so that its page always says something.
        """
        newest = select(func.max(EntryRow.id)).group_by(EntryRow.target)
        old = (
            delete(EntryRow).where(EntryRow.last_at < older_than, EntryRow.id.not_in(newest)),
            delete(FactRow).where(FactRow.at < older_than),
            delete(DeliveryRow).where(DeliveryRow.received_at < older_than),
        )
        with self._database.writing() as connection:
            return sum(connection.execute(statement).rowcount for statement in old)

    # --- Inbox --------------------------------------------------------------------------------------

    def put(self, delivery: Delivery) -> bool:
        """Store it; False when the same sender delivered the same id before."""
        row = self._insert(DeliveryRow).values(
            sender=delivery.sender,
            delivery_id=delivery.id,
            event=delivery.event,
            received_at=delivery.received_at,
            targets=[storable(target, 200) for target in delivery.targets[:_MAX_TARGETS]],
        )
        once = row.on_conflict_do_nothing(index_elements=[DeliveryRow.sender, DeliveryRow.delivery_id])
        with self._database.writing() as connection:
            number = connection.execute(once.returning(DeliveryRow.id)).scalar_one_or_none()
            if number is not None and number % _TRIM_EVERY == 0:
                connection.execute(
                    delete(DeliveryRow).where(DeliveryRow.id <= number - self._most_deliveries)
                )
        return number is not None

    def deliveries(self, limit: int = 100) -> Sequence[Delivery]:
        """Newest first."""
        query = select(DeliveryRow.__table__).order_by(DeliveryRow.id.desc()).limit(limit)
        return [
            Delivery(row.sender, row.delivery_id, row.event, row.received_at, tuple(row.targets))
            for row in self._database.rows(query)
        ]


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        target=row.target,
        at=row.last_at,
        action=row.action,
        because=row.because,
        outcome=row.outcome,
        detail=row.detail,
        version=row.version,
        commit=row.commit_id,
        url=row.url,
        seconds=row.seconds,
        id=row.id,
    )


def _standing(row: Row[Any]) -> Standing:
    return Standing(
        target=row.target,
        looked_at=row.looked_at,
        wanted=row.wanted,
        pinned=row.pinned,
        live=row.live,
        action=row.action,
        because=row.because,
        proposals=tuple((number, url, title) for number, url, title in row.proposals),
        failures=row.failures,
    )
