"""How a reading is told to people: UTC times, bounded excerpts of hostile text, verdicts with their evidence."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.core.telling import excerpt
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
