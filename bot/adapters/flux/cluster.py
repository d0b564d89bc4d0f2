"""Asks Flux's objects in the Kubernetes API about one Kustomization (fixtures/flux/README.md, sections (a), (c), (d))."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.adapters.flux import gathering
from bot.adapters.flux.advice import advice
from bot.adapters.flux.judge import judge
from bot.adapters.flux.reading import source_of
from bot.adapters.flux.receiver import Receiver
from bot.adapters.flux.resources import OLDER, SOURCES
from bot.adapters.flux.wording import LIMIT, excerpt
from bot.core.fields import text
from bot.core.target import Flux
from bot.core.verdict import Claim, Evidence, Outcome, Verdict
from bot.ports import Objects, Refused, Retryable

REQUESTED = "reconcile.fluxcd.io/requestedAt"
_LATER = timedelta(seconds=30)


class FluxCluster:
    """Fills the port `Cluster` for a `Flux` through the Kubernetes API; as safe for threads as its `Objects`.

    It needs `get` on the Kustomization, its source, the HelmRelease and the workloads (section (d)), also on those of other
    kinds (InferenceServices, Rollouts, Canaries, Knative Services, jobs) where their inventories have nothing else of the
    image or a Canary or Rollout beside it, `list` on pods for the cause of a failure and on workloads where a HelmRelease
    has no inventory (an older Flux), and `patch` on the source only where there is no Receiver to be asked.
    """

    def __init__(
        self, objects: Objects, ask: Callable[[], str] | None = None, *, timeout: float = 10
    ) -> None:
        """`ask` gives the whole address of a Receiver of `type: generic`, which is a secret; `timeout` in seconds for it."""
        self._objects = objects
        self._receiver = Receiver(ask, timeout=timeout) if ask is not None else None

    def look(self, rollout: Flux, claim: Claim, now: datetime) -> Verdict:
        """Judge one fresh reading. Whatever keeps the answer away is INCONCLUSIVE, with what a person can do about it."""
        try:
            reading = gathering.read(self._objects, rollout, claim)
            verdict = judge(reading.documents, claim, now)
            if verdict.outcome is Outcome.FAILED:
                verdict = self._with_pods(reading, claim, now, verdict)
        except (Refused, Retryable) as problem:
            return _out_of_reach(rollout, problem, now)
        return verdict if reading.withheld is None else _told(verdict, reading.withheld, now)

    def ask_to_sync(self, rollout: Flux) -> None:
        """Have Flux fetch now: through the Receiver, else by an annotation on the source.

        One on the Kustomization would only apply the old artifact again: section (c). A suspended source takes the
        annotation and does nothing (07).
        """
        if self._receiver is not None:
            self._receiver()
            return
        app = gathering.kustomization(self._objects, rollout)
        kind, namespace, name = source_of(app)
        if kind not in SOURCES:
            raise Refused(
                f"the Kustomization {excerpt(rollout.kustomization, 80)} names no source that can be asked"
            )
        moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        known = gathering.source(self._objects, app) if kind in OLDER else None
        version = text(known or {}, "apiVersion") or SOURCES[kind].version
        self._objects.annotate(replace(SOURCES[kind], version=version), namespace, name, {REQUESTED: moment})

    def terminate(self, rollout: Flux) -> None:
        """Nothing: Flux has no operation that could be ended from outside.

        A health check of another commit ends by its own time-out, or at the next commit where kustomize-controller runs
        with the feature gate CancelHealthCheckOnNewRevision (13, 13c). So no verdict of Flux says `blocked`.
        """

    def advice(self, rollout: Flux) -> Sequence[str]:
        """What about its settings keeps verdicts from being right or quick; raises where they cannot be read."""
        app = gathering.kustomization(self._objects, rollout)
        source = gathering.source(self._objects, app)
        release = gathering.release(self._objects, rollout)
        return advice(app, source, release, asked_at_once=self._receiver is not None)

    def _with_pods(self, reading: gathering.Reading, claim: Claim, now: datetime, failed: Verdict) -> Verdict:
        """Judged again with the pods: they say the cause, or that the cluster has no room for them (03f, 03g)."""
        try:
            pods = gathering.pods(self._objects, reading.documents)
        except Refused as problem:
            return _told(failed, str(problem), now)
        return judge((*reading.documents, *pods), claim, now)


def _out_of_reach(rollout: Flux, problem: Exception, now: datetime) -> Verdict:
    asked = f"Kustomization {excerpt(rollout.kustomization, 80)}"
    seen = Evidence("flux", asked, now, excerpt(str(problem), LIMIT), Outcome.INCONCLUSIVE)
    because = excerpt(f"Flux: {problem}", LIMIT)
    return Verdict(Outcome.INCONCLUSIVE, because, (seen,), taken_in=False, again=_LATER)


def _told(verdict: Verdict, withheld: str, now: datetime) -> Verdict:
    """The verdict with what the bot may not read, which matters most where nothing can be said."""
    more = Evidence("flux", "what runs the image", now, excerpt(withheld, LIMIT), verdict.outcome)
    because = verdict.because
    if verdict.outcome is Outcome.INCONCLUSIVE:
        because = excerpt(f"{because} ({withheld})", LIMIT)
    return replace(verdict, because=because, evidence=(*verdict.evidence, more))
