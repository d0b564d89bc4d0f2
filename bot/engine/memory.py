"""Small facts in the journal's cache, with the time since when they are so. Losing them costs time, never a promotion."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from bot.core.model import Snapshot
from bot.ports import Refused, Retryable, World

log = logging.getLogger(__name__)

Found = TypeVar("Found")


def kept(use: Callable[[], Found]) -> Found | None:
    """What the journal answers; None, and a line in the log, while it is out of reach."""
    try:
        return use()
    except (Refused, Retryable) as problem:
        log.warning("the journal: %s", problem)
        return None


def since(world: World, key: str, value: str) -> datetime | None:
    """Since when the fact has had this value; None when it has another one, or is not known."""
    found = kept(lambda: world.journal.recall(key))
    return found[1] if found is not None and found[0] == value else None


def note(world: World, look: Snapshot) -> None:
    """Keep the facts of a look: the time of one that says the same as before stays."""
    for key, value in look.notes:
        found = kept(lambda key=key: world.journal.recall(key))  # type: ignore[misc]
        if found is None or found[0] != value:
            kept(lambda key=key, value=value: world.journal.remember(key, value, look.now))  # type: ignore[misc]


def about(look: Snapshot, what: str) -> str:
    """The key of a fact about the pinned commit of a target."""
    return f"{what}:{look.target.name}:{look.pinned.commit}"
