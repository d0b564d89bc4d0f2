"""The four tables of the journal. A change here needs a migration; a test compares the two."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Float, Index, Integer, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bot.adapters.journal.columns import Instant, Name, Words

# SQLite numbers rows by itself only in a column that is exactly INTEGER.
_Number = BigInteger().with_variant(Integer(), "sqlite")


class Tables(DeclarativeBase):
    """The schema."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class EntryRow(Tables):
    """A decision. Said again, it keeps its first time (`at`), moves its last one on and counts."""

    __tablename__ = "journal_entries"
    __table_args__ = (
        Index(None, "target", "id"),
        Index(None, "last_at"),
        # Numbers are never used twice, or the number of a pruned entry would come back as another one.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(_Number, primary_key=True, autoincrement=True)
    target: Mapped[str] = mapped_column(Name(200))
    at: Mapped[datetime] = mapped_column(Instant())
    last_at: Mapped[datetime] = mapped_column(Instant())
    times: Mapped[int] = mapped_column(Integer, default=1)
    action: Mapped[str] = mapped_column(Words(60))
    because: Mapped[str] = mapped_column(Words(2000))
    outcome: Mapped[str] = mapped_column(Words(20))
    detail: Mapped[str] = mapped_column(Words(8000))
    version: Mapped[str | None] = mapped_column(Words(60))
    commit: Mapped[str | None] = mapped_column("commit_id", Words(64))
    url: Mapped[str | None] = mapped_column(Words(2000))
    seconds: Mapped[float] = mapped_column(Float)


class StandingRow(Tables):
    """How a target stood at the last look."""

    __tablename__ = "journal_standings"

    target: Mapped[str] = mapped_column(Name(200), primary_key=True)
    looked_at: Mapped[datetime] = mapped_column(Instant())
    wanted: Mapped[str | None] = mapped_column(Words(300))
    pinned: Mapped[str | None] = mapped_column(Words(300))
    live: Mapped[str | None] = mapped_column(Words(300))
    action: Mapped[str] = mapped_column(Words(60))
    because: Mapped[str] = mapped_column(Words(2000))
    proposals: Mapped[list[Any]] = mapped_column(JSON)
    failures: Mapped[int] = mapped_column(Integer)


class FactRow(Tables):
    """A small fact under its key."""

    __tablename__ = "journal_facts"

    key: Mapped[str] = mapped_column("fact_key", Name(300), primary_key=True)
    value: Mapped[str] = mapped_column(Words(4000))
    at: Mapped[datetime] = mapped_column(Instant())


class DeliveryRow(Tables):
    """A verified webhook."""

    __tablename__ = "inbox_deliveries"
    __table_args__ = (
        Index(None, "sender", "delivery_id", unique=True),
        Index(None, "received_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(_Number, primary_key=True, autoincrement=True)
    sender: Mapped[str] = mapped_column(Name(60))
    delivery_id: Mapped[str] = mapped_column(Name(200))
    event: Mapped[str] = mapped_column(Words(100))
    received_at: Mapped[datetime] = mapped_column(Instant())
    targets: Mapped[list[Any]] = mapped_column(JSON)
