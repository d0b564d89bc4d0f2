"""One reading of what Flux and the cluster say against one claim, with the questions that several rules ask of it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from bot.adapters.flux.images import named
from bot.adapters.flux.others import Other
from bot.adapters.flux.reading import FAILURES, HELM_FAILURES, Kustomization, Release, Run, Source
from bot.adapters.flux.wording import LIMIT, Told, excerpt, said
from bot.adapters.flux.workload import Pods, Workload
from bot.core.outages import is_outage
from bot.core.verdict import Claim, Outcome, Verdict

# To build and to ask the API server takes a second (recorded: 0.2 s to 1 s).
SLOW = timedelta(seconds=5)


@dataclass(frozen=True)
class Case:
    """One reading against one claim."""

    app: Kustomization
    source: Source | None
    release: Release | None
    workloads: tuple[Workload, ...]
    others: tuple[Other, ...]
    pods: Pods
    claim: Claim
    now: datetime

    @cached_property
    def carriers(self) -> frozenset[str]:
        """The commits whose tree has the claimed image."""
        return frozenset({self.claim.commit, *self.claim.contains})

    @cached_property
    def strangers(self) -> frozenset[str]:
        """Later commits with another image."""
        return frozenset(self.claim.later) - self.carriers

    @property
    def attempted(self) -> bool:
        """Whether Flux builds, or has built, the claim: set before anything is applied."""
        return self.app.attempted in self.carriers

    @property
    def applied(self) -> bool:
        """Whether Flux applied the claim and its own health checks were good at that time."""
        return self.app.applied in self.carriers

    @cached_property
    def named(self) -> bool:
        """Whether the values of the HelmRelease name the image: then its generation moves with the tag (10)."""
        return self.release is not None and named(self.release.values, self.claim.image)

    @cached_property
    def deployed(self) -> bool:
        """Whether the newest release in Helm's history is deployed, and the claim's where that can be told."""
        release = self.release
        newest = release.history[0] if release is not None and release.history else None
        if release is None or newest is None or newest.status != "deployed":
            return False
        if self.named:
            return release.current and newest.config == release.config
        charts = (release.chart, newest.chart)
        by_hand = not any("+" in chart for chart in charts)
        return by_hand or release.digested or all(self.chart_of(chart, self.carriers) for chart in charts)

    def chart_of(self, chart: str, commits: frozenset[str]) -> bool:
        """Whether a chart version carries 12 hex of one of these commits (reconcileStrategy Revision, 10b)."""
        mark = chart.rpartition("+")[2].partition(".")[0] if "+" in chart else ""
        return len(mark) >= 12 and any(commit.startswith(mark) for commit in commits)

    @cached_property
    def last(self) -> Run | None:
        """The newest entry of the history that is about the claim."""
        return next((run for run in self.app.history if run.revision in self.carriers), None)

    @cached_property
    def succeeded(self) -> Run | None:
        """The newest good entry of the history that is about the claim."""
        own = (run for run in self.app.history if run.revision in self.carriers)
        return next((run for run in own if run.status == "ReconciliationSucceeded"), None)

    @property
    def checked(self) -> bool:
        """Whether all that Flux applied for the claim was healthy once: it waits, so it had to be."""
        return self.applied and self.app.waits

    @property
    def failed_before(self) -> Run | None:
        """The newest entry about the claim, where it is a failure: one of 0.03 s is still there (13)."""
        return self.last if self.last is not None and self.last.status in FAILURES else None

    @cached_property
    def serves(self) -> bool:
        """Whether every workload of the image is completely rolled out with it."""
        return bool(self.workloads) and all(
            item.carries and item.complete and not item.empty for item in self.workloads
        )

    @cached_property
    def short_of_room(self) -> str | None:
        """What keeps pods away that is not the commit's fault; pods that crash are."""
        if self.pods.broken:
            return None
        if self.pods.unschedulable:
            return "no node takes its pods (Unschedulable)"
        if any(item.quota for item in self.workloads):
            return "a quota refuses its pods"
        return None

    @cached_property
    def held(self) -> str | None:
        """What a person has set so that old pods stay; pods that crash are the commit's all the same."""
        found = next(
            (item for item in self.workloads if item.carries and not item.complete and item.held), None
        )
        if found is None or self.pods.broken:
            return None
        return f"the {found.name} keeps old pods, as {found.held}: a person must let it go on"

    @cached_property
    def hindered(self) -> str | None:
        """What keeps the commit from being applied, or released, and is not in it: an outage, a missing chart, a key.

        While it is tried again nobody says why it failed before. A refusal comes at once then, an outage takes its time.
        """
        release, ready = self.release, self.app.ready
        if (
            release is not None
            and release.ready.status == "False"
            and release.ready.reason not in HELM_FAILURES
        ):
            return f"the HelmRelease {release.name} cannot go on ({release.ready.reason}){said(release.ready.message)}"
        if ready.status == "False" and ready.reason in ("ReconciliationFailed", "BuildFailed", "PruneFailed"):
            outage = is_outage(ready.message) or "decrypt" in ready.message.lower()
            return f"that is not by what is in it{said(ready.message)}" if outage else None
        checking = self.app.reconciling.message.startswith("Running health checks")
        unsaid = self.last is None or self.last.status == "ReconciliationFailed"
        if ready.status != "Unknown" or checking or not unsaid or ready.since is None:
            return None
        return "it is tried again just now, and gets no answer" if self.now - ready.since > SLOW else None

    @cached_property
    def late(self) -> bool:
        """Whether the deadline, counted from the merge, has passed."""
        return self.now - self.claim.merged_at > self.claim.deadline

    @property
    def again(self) -> timedelta:
        """When to look again while something moves: soon at first, then less and less often."""
        elapsed = (self.now - self.claim.merged_at) / 10
        return min(max(elapsed, timedelta(seconds=1)), timedelta(seconds=15))

    def verdict(
        self, outcome: Outcome, because: str, *, again: timedelta | None = None, taken_in: bool = True
    ) -> Verdict:
        """A verdict with the reading as its evidence."""
        told = Told(self.now, outcome)
        told.kustomization(self.app)
        if self.source is not None:
            told.source(self.source)
        if self.release is not None:
            told.release(self.release)
        told.workloads(self.workloads, self.others, self.pods)
        return Verdict(
            outcome, excerpt(f"Flux: {because}", LIMIT), told.evidence, taken_in=taken_in, again=again
        )

    def pending(self, because: str, *, again: timedelta | None = None, taken_in: bool = True) -> Verdict:
        """Not decided, and something is going to happen."""
        return self.verdict(Outcome.PENDING, because, again=again or self.again, taken_in=taken_in)

    def inconclusive(self, because: str, *, taken_in: bool = True) -> Verdict:
        """Not decided, and nothing that is seen says when it will be."""
        verdict = self.verdict(Outcome.INCONCLUSIVE, because, taken_in=taken_in)
        return verdict if self.late else replace(verdict, again=self.again)

    def failed(self, because: str) -> Verdict:
        """The commit's failure, unless the cluster has no room for its pods, or something else is in its way."""
        excuse = self.short_of_room or self.held or (None if self.serves else self.hindered)
        if excuse is not None:
            return self.inconclusive(f"{because}; but {excuse}")
        return self.verdict(Outcome.FAILED, because)
