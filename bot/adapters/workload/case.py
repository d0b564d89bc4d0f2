"""One reading of a workload against one claim, with the questions that several rules ask of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from bot.adapters.workload.reading import Reading, Revision
from bot.adapters.workload.trouble import Finding, findings, lived
from bot.adapters.workload.wording import LIMIT, excerpt
from bot.core.images import carries
from bot.core.telling import at
from bot.core.verdict import Claim, Evidence, Outcome, Verdict

# Times in the API have whole seconds, cut off: what is said to be of 10 s may be of 10.99 s.
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Case:
    """One reading against one claim."""

    reading: Reading
    claim: Claim
    now: datetime

    @cached_property
    def asked_for(self) -> bool:
        """Whether the template asks for the claimed image."""
        return self.has(self.reading.images)

    def has(self, images: tuple[str, ...]) -> bool:
        """Whether the claimed image is among these."""
        return any(carries(image, self.claim.image) for image in images)

    @cached_property
    def overtaken(self) -> bool:
        """Whether the claimed image stood in the template before what stands there now (rule 13).

        Its revision was made after the merge, or an older revision with it was followed by one made after the merge.
        Neither: the commit is not applied yet, and what stands there is from before (recording 13).
        """
        merged, current = self.claim.merged_at.replace(microsecond=0), self.reading.current
        own = [item for item in self.reading.revisions if self.has(item.images)]
        if any(item.created is not None and item.created >= merged for item in own):
            return True
        return bool(own) and current is not None and current.created is not None and current.created > merged

    @cached_property
    def findings(self) -> list[Finding]:
        """What is wrong with the new pods, the worst first."""
        return findings(self.reading.pods, self.reading.evicted, self.claim, self.now)

    @cached_property
    def good_since(self) -> datetime:
        """Since when all is well, at the latest: after the merge, the last step, and the newest pod's readiness."""
        ready = [pod.since for pod in self.reading.pods if pod.ready]
        times = [moment + SECOND for moment in (self.reading.done_since, *ready) if moment is not None]
        return max([self.claim.merged_at, *times])

    @cached_property
    def settled(self) -> datetime:
        """Until when it must stay well. After a crash, for as long as the one that crashed had run (rule 5)."""
        return self.good_since + self.claim.settle + lived(self.reading.pods, self.claim, self.now)

    @cached_property
    def late(self) -> bool:
        """Whether the bot's own deadline has passed (rule 6): from the merge, or from when its pods could begin."""
        if self.reading.completed:
            # Scaled, evicted or moved after it was done: each pod has the deadline for itself (recordings 12, 13).
            unready = [pod.since for pod in self.reading.pods if not pod.ready and pod.since is not None]
            begun = max(self.claim.merged_at, min(unready, default=self.now))
        else:
            begun = max([self.claim.merged_at, *self._beginnings])
        return self.now - begun > self.claim.deadline

    @property
    def _beginnings(self) -> list[datetime]:
        current: Revision | None = self.reading.current
        pods = [pod.created for pod in self.reading.pods if pod.created is not None]
        made = [current.created] if current is not None and current.created is not None else []
        return made + ([min(pods)] if pods else [])

    @cached_property
    def overdue(self) -> bool:
        """Whether the deadline, counted from the merge, has passed."""
        return self.now - self.claim.merged_at > self.claim.deadline

    @property
    def again(self) -> timedelta:
        """When to look again while something moves: soon at first, then less and less often."""
        elapsed = (self.now - self.claim.merged_at) / 10
        return min(max(elapsed, SECOND), timedelta(seconds=15))

    def verdict(
        self, outcome: Outcome, because: str, *, again: timedelta | None = None, taken_in: bool = True
    ) -> Verdict:
        """A verdict with the reading as its evidence."""
        sentence = excerpt(f"{self.reading.what}: {because}", LIMIT)
        return Verdict(outcome, sentence, tuple(self._evidence(outcome)), taken_in=taken_in, again=again)

    def pending(self, because: str, *, again: timedelta | None = None, taken_in: bool = True) -> Verdict:
        """Not decided, and something is going to happen."""
        return self.verdict(Outcome.PENDING, because, again=again or self.again, taken_in=taken_in)

    def inconclusive(self, because: str, *, taken_in: bool = True) -> Verdict:
        """Not decided, and not the release's fault."""
        return self.verdict(Outcome.INCONCLUSIVE, because, again=timedelta(seconds=30), taken_in=taken_in)

    def _evidence(self, outcome: Outcome) -> list[Evidence]:
        reading = self.reading
        current = f"; its newest revision {excerpt(reading.current.name, 80)} is of {at(reading.current.created)}" if reading.current else ""  # fmt: skip
        asks = ", ".join(excerpt(image) for image in reading.images) or "no image"
        answers = [f"{reading.counted}{current}; asks for {asks}"]
        answers += [item.sentence for item in self.findings]
        answers += [sentence for sentence in (reading.failed, reading.blocked, reading.hint) if sentence]
        told = list(dict.fromkeys(excerpt(answer, LIMIT) for answer in answers))[:6]
        return [Evidence("workload", reading.what, self.now, answer, outcome) for answer in told]
