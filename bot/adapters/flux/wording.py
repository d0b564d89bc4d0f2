"""How a reading is told to people: short commits, UTC times, bounded excerpts of hostile text."""

from datetime import datetime

from bot.adapters.flux.others import Other
from bot.adapters.flux.reading import Kustomization, Release, Source
from bot.adapters.flux.workload import Pods, Workload
from bot.core.telling import at, commit, line
from bot.core.verdict import Evidence, Outcome

LIMIT = 500
_EXCERPT = 240
_MOST = 4


def excerpt(text: str, limit: int = _EXCERPT) -> str:
    """Hostile text on one line, bounded."""
    shown = line(text[: limit * 4])
    return shown if len(shown) <= limit and len(text) <= limit * 4 else shown[: limit - 1] + "…"


def said(message: str) -> str:
    """`: message`, or nothing."""
    return f": {excerpt(message)}" if message.strip() else ""


class Told:
    """The evidence of one reading, in the order in which a person looks at it."""

    def __init__(self, now: datetime, outcome: Outcome) -> None:
        """Everything in it was asked at `now` and led to `outcome`."""
        self._now, self._outcome = now, outcome
        self.evidence: tuple[Evidence, ...] = ()

    def add(self, asked: str, answer: str) -> None:
        """One more answer."""
        item = Evidence("flux", excerpt(asked, 120), self._now, excerpt(answer, LIMIT), self._outcome)
        self.evidence = (*self.evidence, item)

    def kustomization(self, seen: Kustomization) -> None:
        """Its two revisions and its word."""
        healthy = f", healthy {seen.healthy.status}" if seen.healthy else ", no health check"
        self.add(
            f"Kustomization {seen.name}",
            f"ready {seen.ready.status or 'not known'} {seen.ready.reason}{healthy}; applied {commit(seen.applied)},"
            f" attempted {commit(seen.attempted)}{said(seen.ready.message)}",
        )

    def source(self, seen: Source) -> None:
        """What it has fetched."""
        self.add(
            f"Source {seen.name}",
            f"ready {seen.ready.status or 'not known'}; fetched {commit(seen.fetched)} at {at(seen.fetched_at)}"
            f"{said(seen.ready.message) if seen.ready.status == 'False' else ''}",
        )

    def release(self, seen: Release) -> None:
        """Its newest entries: after a rollback the first one says `deployed`."""
        past = ", ".join(
            f"{item.action or 'install'} of {item.chart}: {item.status}" for item in seen.history[:3]
        )
        self.add(
            f"HelmRelease {seen.name}",
            f"ready {seen.ready.status or 'not known'} {seen.ready.reason}; {past or 'nothing installed'}"
            f"{said(seen.ready.message) if seen.ready.status == 'False' else ''}",
        )

    def workloads(self, seen: tuple[Workload, ...], others: tuple[Other, ...], of_it: Pods) -> None:
        """Counters, what others say of themselves, and what is wrong with pods."""
        for workload in seen[:_MOST]:
            image = "the image" if workload.carries else "another image"
            self.add(workload.name, f"asks for {image}; {workload.counted}")
        for other in others[: max(_MOST - len(seen), 1)]:
            image = "the image" if other.carries else "another image"
            self.add(str(other), f"asks for {image}; {other.word}")
        for trouble in of_it.broken[:_MOST]:
            self.add("Pods", trouble)
