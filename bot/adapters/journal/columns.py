"""Column types that keep hostile text within bounds and times in UTC, on SQLite and on PostgreSQL alike."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, String
from sqlalchemy.types import TypeDecorator

_UNSTORABLE = {0: "\N{REPLACEMENT CHARACTER}"}  # PostgreSQL refuses NUL in text


def storable(text: str, length: int) -> str:
    """The text without what a database cannot store (NUL, lone surrogates), cut at `length` characters with an `…`."""
    clean = text.encode("utf-8", "replace").decode("utf-8").translate(_UNSTORABLE)
    return clean if len(clean) <= length else clean[: length - 1] + "…"


class Words(TypeDecorator[str]):
    """Text for people: what is too long is cut."""

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        """Keep at most `length` characters."""
        super().__init__(length)
        self.length = length

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Cut on the way in, also where it is compared."""
        return None if value is None else storable(value, self.length)


class Name(Words):
    """Text that identifies: two different ones stay different, however long; the end of a long one becomes a hash."""

    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replace what is beyond the length by a hash of the whole."""
        if value is None or (len(value) <= self.length and value == storable(value, self.length)):
            return value
        digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return f"{storable(value, self.length)[: self.length - 33]}~{digest}"


class Instant(TypeDecorator[datetime]):
    """A moment: goes in with any time zone, comes out in UTC. SQLite knows no zones and gets UTC without saying so."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; a naive time is our bug."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Say that it is UTC."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
