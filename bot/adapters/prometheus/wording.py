"""How a reading is told to people: UTC times, bounded excerpts of hostile text, verdicts with their evidence."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.core.verdict import Evidence, Outcome, Verdict

LATER = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that was asked, and what came back."""

    asked: str
    answer: str


def verdict(
    outcome: Outcome, because: str, seen: Iterable[Seen], now: datetime, again: timedelta | None = None
) -> Verdict:
    """A verdict of this verifier. What time may change without any event is looked at again after half a minute."""
    evidence = (
        Evidence("prometheus", excerpt(one.asked, 400), now, excerpt(one.answer, 500), outcome)
        for one in seen
    )
    if again is None and outcome in (Outcome.PENDING, Outcome.INCONCLUSIVE):
        again = LATER
    return Verdict(outcome, excerpt(because, 500), tuple(evidence), again=again)


def at(moment: datetime) -> str:
    """`2026-03-01 12:03:04 UTC`: with the date, as the reader may come much later."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def excerpt(text: str, limit: int = 120) -> str:
    """Hostile text on one line, bounded."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
