"""One reading of an Application against one claim, with the questions that several rules ask of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from bot.adapters.argocd.indirect import NOTHING, Indirect
from bot.adapters.argocd.places import Place
from bot.adapters.argocd.reading import Application
from bot.adapters.argocd.wording import LIMIT, evidence
from bot.core.telling import at, excerpt
from bot.core.verdict import Claim, Outcome, Verdict

# Healthy, Degraded and OutOfSync of the state before are seen for up to 0.3 s after an operation has ended.
FLICKER = timedelta(seconds=10)
# An idle Application is compared every two to four minutes: section (d).
STALE = timedelta(minutes=10)
# A wave or a hook that takes longer than this may never end.
HANGS = timedelta(minutes=5)


@dataclass(frozen=True)
class Case:
    """One reading against one claim."""

    app: Application
    claim: Claim
    now: datetime
    objection: str | None = None  # what the Deployment says against it, where it could be read
    others: str = ""  # what else alone makes the Application unwell, where that is known
    drifted: str = ""  # what else alone differs from git, where that is known
    suspects: str = ""  # what else may, where nothing is known
    no_room: str = ""  # why the cluster takes no new pods, where the resource tree tells
    indirect: Indirect = NOTHING  # what another controller than Kubernetes' own makes pods for
    flickering: Place | None = None  # what may be Degraded for a while only

    @cached_property
    def carriers(self) -> frozenset[str]:
        """The commits whose tree has the claimed image."""
        return frozenset({self.claim.commit, *self.claim.contains})

    @cached_property
    def strangers(self) -> frozenset[str]:
        """Later commits with another image."""
        return frozenset(self.claim.later) - self.carriers

    @cached_property
    def own(self) -> bool:
        """Whether the last operation is about the claim."""
        return self.app.operation is not None and self.app.operation.revision in self.carriers

    @cached_property
    def compared(self) -> bool:
        """Whether the live state was last compared with a commit of the claim."""
        return self.app.revision in self.carriers

    @cached_property
    def started(self) -> datetime | None:
        """When the first sync of the claim began, among those that no other commit has followed."""
        begun = self.app.operation.started if self.own and self.app.operation is not None else None
        for entry in reversed(self.app.history):
            if entry.revision not in self.carriers:
                break
            begun = min(begun, entry.started) if begun and entry.started else begun or entry.started
        return begun

    @cached_property
    def applied(self) -> bool:
        """Whether the history knows a successful sync of the claim; the claim's own commit may be forgotten by now."""
        return any(entry.revision in self.carriers for entry in self.app.history)

    @cached_property
    def fresh(self) -> bool:
        """Whether the merge or the end of the last sync is so recent that what is seen may be of the state before."""
        ended = self.app.operation.finished if self.app.operation else None
        return self.now - max(filter(None, (ended, self.claim.merged_at))) <= FLICKER

    @property
    def state(self) -> str:
        """`Synced and Healthy`, with what is not and does not concern the image."""
        return "Synced and Healthy" + (
            f" (but for what is suspended: {excerpt(self.others)})" if self.others else ""
        )

    @property
    def well(self) -> bool:
        """Whether it is Healthy, but for what is suspended beside it, such as a CronJob."""
        return self.app.health == "Healthy" or (self.app.health == "Suspended" and bool(self.others))

    @cached_property
    def late(self) -> bool:
        """Whether the deadline, counted from the merge, has passed."""
        return self.now - self.claim.merged_at > self.claim.deadline

    @cached_property
    def frozen(self) -> bool:
        """Whether the Application was not compared for so long that its controller may be down (26; section (d))."""
        return self.app.reconciled is not None and self.now - self.app.reconciled > STALE

    @cached_property
    def blocked(self) -> bool:
        """Whether a sync of an earlier commit is tried again and again, and the claim waits until it gives up.

        Section (e): between tries the phase is Running with `finishedAt` set (04c, 04e); only with `retry.refresh` does
        the next try take the newest commit (04d). One that waits for objects to become healthy, or for a hook, has no end
        of its own.
        """
        operation = self.app.operation
        if operation is None or operation.revision in (None, *self.carriers, *self.strangers):
            return False
        return self.hanging or (operation.retrying and not operation.refresh)

    @cached_property
    def hanging(self) -> bool:
        """Whether the last operation has been waiting for so long that it may wait for ever."""
        operation = self.app.operation
        if operation is None or not operation.waiting or operation.started is None:
            return False
        return self.now - operation.started > HANGS

    @property
    def again(self) -> timedelta:
        """When to look again while something moves: soon at first, then less and less often."""
        elapsed = (self.now - self.claim.merged_at) / 10
        return min(max(elapsed, timedelta(seconds=1)), timedelta(seconds=15))

    def verdict(
        self, outcome: Outcome, because: str, *, again: timedelta | None = None, taken_in: bool = True
    ) -> Verdict:
        """A verdict with the reading as its evidence."""
        seen = evidence(self.app, self.now, outcome)
        return Verdict(outcome, excerpt(f"Argo CD: {because}", LIMIT), seen, taken_in=taken_in, again=again)

    def pending(self, because: str, *, again: timedelta | None = None, taken_in: bool = True) -> Verdict:
        """Not decided, and something is going to happen."""
        return self.verdict(Outcome.PENDING, because, again=again or self.again, taken_in=taken_in)

    def standing_still(self) -> Verdict:
        """The object no longer moves: what it says may be long past."""
        said = (
            f"has not looked at {self.app.name} since {at(self.app.reconciled)}: is its controller running?"
        )
        return self.inconclusive(said, taken_in=False)

    def inconclusive(self, because: str, *, taken_in: bool = True) -> Verdict:
        """Not decided, and nothing that is seen says when it will be."""
        return self.verdict(Outcome.INCONCLUSIVE, because, taken_in=taken_in)
