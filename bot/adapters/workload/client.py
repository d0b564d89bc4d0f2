"""Asks the Kubernetes API about one workload."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.adapters.workload.advice import advice
from bot.adapters.workload.case import Case
from bot.adapters.workload.evidence import events, log
from bot.adapters.workload.fields import Document, name_of
from bot.adapters.workload.judge import case_of, verdict_of
from bot.adapters.workload.sources import documents, settings
from bot.adapters.workload.trouble import Finding
from bot.adapters.workload.wording import LIMIT, excerpt, name
from bot.core.target import Rollout, Workload, WorkloadKind
from bot.core.verdict import Claim, Evidence, Outcome, Verdict
from bot.ports import Objects, Refused, Retryable

_LATER = timedelta(seconds=30)


class WorkloadCluster:
    """Fills the port `Cluster` for workloads. As safe for several threads as its `objects`.

    It needs the right to `get` the workload and to `list` ReplicaSets (or ControllerRevisions) and Pods; with `list`
    on Events and `get` on Pods' logs a failure says more.
    """

    def __init__(self, objects: Objects) -> None:
        """`objects` is the cluster that runs the workloads."""
        self._objects = objects

    def look(self, rollout: Rollout | Workload, claim: Claim, now: datetime) -> Verdict:
        """Judge one fresh read. Whatever keeps the answer away is INCONCLUSIVE, with what a person can do about it."""
        workload = _workload(rollout)
        try:
            found = documents(self._objects, workload)
        except (Refused, Retryable) as problem:
            return _unanswered(workload, problem, now)
        case = case_of(workload, found, claim, now)
        verdict = verdict_of(case, workload, claim, now)
        if case is None or verdict.outcome is not Outcome.FAILED:
            return verdict
        return self._explained(verdict, case, workload, now)

    def ask_to_sync(self, rollout: Rollout) -> None:
        """Nothing is to be asked: a workload follows its own manifest."""

    def terminate(self, rollout: Rollout) -> None:
        """Nothing blocks a workload that could be ended."""

    def advice(self, rollout: Rollout | Workload) -> Sequence[str]:
        """What keeps verdicts about it from being right or quick. Raises what the port `Objects` raises."""
        workload = _workload(rollout)
        found = settings(self._objects, workload)
        if not found:
            return [
                f"there is no {workload.kind} {name(workload.name)} in namespace {name(workload.namespace)}: correct"
                " `verify:` or create it"
            ]
        return [line for kind, document in found for line in _advice(kind, document)]

    def _explained(self, verdict: Verdict, case: Case, workload: Workload, now: datetime) -> Verdict:
        """A failure with what its worst pod has to say, as far as the rights reach."""
        worst = _worst(case)
        if worst is None:
            return replace(
                verdict, evidence=(*verdict.evidence, *events(self._objects, workload, workload.name, now))
            )
        lines = log(self._objects, workload, worst, now)
        happened = events(self._objects, workload, worst.pod, now)
        told = f"{verdict.because}: {lines[-1].answer}" if worst.crashed and lines else verdict.because
        return replace(verdict, because=excerpt(told, LIMIT), evidence=(*verdict.evidence, *happened, *lines))


def _worst(case: Case) -> Finding | None:
    """The pod that a person would look at first."""
    if case.findings:
        return case.findings[0]
    unready = next((pod for pod in case.reading.pods if not pod.ready), None)
    if unready is None:
        return None
    main = next((item.name for item in unready.containers if not item.init), "")
    return Finding("", unready.name, main)


def _workload(rollout: Rollout | Workload) -> Workload:
    if not isinstance(rollout, Workload):
        raise Refused("only workloads are asked about here, not what applies them")
    return rollout


def _advice(kind: WorkloadKind, document: Document) -> list[str]:
    return [f"{kind} {name(name_of(document))}: {line}" for line in advice(kind, document)]


def _unanswered(workload: Workload, problem: Exception, now: datetime) -> Verdict:
    asked = f"{workload.kind} {name(workload.name)}"
    said = excerpt(str(problem), LIMIT)
    seen = Evidence("workload", asked, now, said, Outcome.INCONCLUSIVE)
    because = excerpt(f"{asked} cannot be read: {said}", LIMIT)
    return Verdict(Outcome.INCONCLUSIVE, because, (seen,), again=_LATER)
