"""Small facts about a target's commit, with when they were last seen: in the journal's cache, and in this process.

Losing them costs time, never a promotion. While the journal is out of reach the process remembers alone.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from bot.core.model import Snapshot
from bot.ports import Refused, Retryable, World

log = logging.getLogger(__name__)

Found = TypeVar("Found")
_MOST = 10_000


def kept(use: Callable[[], Found]) -> Found | None:
    """What the journal answers; None, and a line in the log, while it is out of reach."""
    try:
        return use()
    except (Refused, Retryable) as problem:
        log.warning("the journal: %s", problem)
        return None


def recall(world: World, key: str) -> tuple[str, datetime] | None:
    """The fact with when it was written."""
    try:
        found = world.journal.recall(key)
    except (Refused, Retryable) as problem:
        log.warning("the journal: %s", problem)
        found = None
    known = [fact for fact in (found, world.memory.get(key)) if fact is not None]
    return max(known, key=lambda fact: fact[1], default=None)


def remember(world: World, key: str, value: str, at: datetime) -> None:
    """Write the fact down, here at least."""
    if len(world.memory) >= _MOST:
        world.memory.clear()
    world.memory[key] = (value, at)
    kept(lambda: world.journal.remember(key, value, at))


def since(world: World, key: str, value: str) -> datetime | None:
    """Since when the fact has had this value; None when it has another one, or is not known."""
    found = recall(world, key)
    return found[1] if found is not None and found[0] == value else None


def note(world: World, look: Snapshot) -> None:
    """Keep the facts of a look: the time of one that says the same as before stays."""
    for key, value in look.notes:
        found = recall(world, key)
        if found is None or found[0] != value:
            remember(world, key, value, look.now)


def about(look: Snapshot, what: str) -> str:
    """The key of a fact about the pinned commit of a target."""
    return f"{what}:{look.target.name}:{look.pinned.commit}"


@dataclass(frozen=True, slots=True)
class Streak:
    """How often in a row something was seen, since when, and when last; written as a fact's value."""

    count: int
    first: datetime
    last: datetime

    @classmethod
    def read(cls, world: World, key: str, now: datetime, gap: timedelta) -> "Streak":
        """The streak until now; a new one when nothing was seen for `gap`, or the clock went back."""
        found = recall(world, key)
        try:
            count, first, last = (found[0] if found is not None else "").split()
            known = cls(int(count), datetime.fromisoformat(first), datetime.fromisoformat(last))
            if known.first <= known.last <= now <= known.last + gap:
                return known
        except (ValueError, TypeError):
            pass
        return cls(0, now, now)

    def and_now(self, now: datetime) -> "Streak":
        """Seen once more."""
        return Streak(self.count + 1, self.first, now)

    def __str__(self) -> str:
        return (
            f"{self.count} {self.first.astimezone(UTC).isoformat()} {self.last.astimezone(UTC).isoformat()}"
        )
