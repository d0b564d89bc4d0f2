"""What a workload says about a claim: pure, ordered guard clauses, the first that applies gives the verdict.

The rules were measured: fixtures/kubernetes/README.md. They need no memory of earlier looks: the times inside the
objects say how long the state has lasted.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from bot.adapters.workload.canary import read_canary
from bot.adapters.workload.case import Case
from bot.adapters.workload.daemonset import read_daemon_set
from bot.adapters.workload.deployment import read_deployment
from bot.adapters.workload.fields import Document
from bot.adapters.workload.inference import read_inference_service
from bot.adapters.workload.pods import MOST_PODS
from bot.adapters.workload.reading import Reading
from bot.adapters.workload.rollouts import read_rollout
from bot.adapters.workload.statefulset import read_stateful_set
from bot.adapters.workload.wording import excerpt, name
from bot.core.target import Workload, WorkloadKind
from bot.core.telling import at
from bot.core.verdict import Claim, Outcome, Verdict

_READERS: Mapping[WorkloadKind, Callable[[Sequence[Document], str], Reading | None]] = {
    WorkloadKind.DEPLOYMENT: read_deployment,
    WorkloadKind.STATEFUL_SET: read_stateful_set,
    WorkloadKind.DAEMON_SET: read_daemon_set,
    WorkloadKind.ROLLOUT: read_rollout,
    WorkloadKind.CANARY: read_canary,
    WorkloadKind.INFERENCE_SERVICE: read_inference_service,
}


def judge(workload: Workload, documents: Sequence[Document], claim: Claim, now: datetime) -> Verdict:
    """The verdict about the claim from one reading: the workload, its revisions and the pods of the newest one.

    FAILED only for what this release did: its pods crashed twice, were evicted twice by their own limits, could not be
    started, or were begun (or refused by an admission) and are not all available at the bot's own deadline; or its
    controller gave it up. Never because of a pause, a full quota, pods that no node can take or answers for, a registry
    that does not answer, or another image.
    """
    return verdict_of(case_of(workload, documents, claim, now), workload, claim, now)


def case_of(workload: Workload, documents: Sequence[Document], claim: Claim, now: datetime) -> Case | None:
    """The reading against the claim; None when there is no such workload among the documents."""
    reading = _READERS[workload.kind](documents, workload.name)
    return Case(reading, claim, now) if reading is not None else None


def verdict_of(case: Case | None, workload: Workload, claim: Claim, now: datetime) -> Verdict:
    """The verdict about a case; without one, that there is nothing to look at is neither good nor bad."""
    if case is None:
        late = now - claim.merged_at > claim.deadline
        return Verdict(
            Outcome.INCONCLUSIVE if late else Outcome.PENDING,
            f"there is no {workload.kind} {name(workload.name)} in namespace {name(workload.namespace)}",
            taken_in=False,
            again=timedelta(seconds=30 if late else 2),
        )
    return next(found for found in (guard(case) for guard in _GUARDS) if found is not None)


def _deleting(case: Case) -> Verdict | None:
    return case.inconclusive("it is being deleted") if case.reading.deleting else None


def _another_image(case: Case) -> Verdict | None:
    if case.asked_for:
        return None
    asks = excerpt(", ".join(case.reading.images)) or "no image"
    wanted = excerpt(case.claim.image)
    if case.overtaken:
        return case.verdict(Outcome.SUPERSEDED, f"it asks for {asks} by now, no longer for {wanted}")
    because = f"it asks for {asks}, not for {wanted}: the commit is not applied yet"
    if not case.overdue or not case.reading.observed:
        return case.pending(because, taken_in=False)
    return case.inconclusive(f"{because}, or something replaces the image", taken_in=False)


def _not_observed(case: Case) -> Verdict | None:
    """Until its controller has seen the change, the status is that of the rollout before (rule 1)."""
    if case.reading.observed:
        return None
    return case.pending("its controller has not looked at the newest change yet", again=timedelta(seconds=1))


def _scaled_to_zero(case: Case) -> Verdict | None:
    if case.reading.wanted != 0:
        return None
    return case.inconclusive("it is scaled to 0, so nothing serves: whether the release works cannot be said")


def _given_up(case: Case) -> Verdict | None:
    """What its controller says of a release that it gave up, unless that was another one's (facts/products.md, 4)."""
    reading = case.reading
    if reading.failed is None:
        return None
    if reading.failed_at is not None and reading.failed_at >= case.claim.merged_at.replace(microsecond=0):
        return case.verdict(Outcome.FAILED, reading.failed)
    because = f"{reading.failed}, at {at(reading.failed_at)}: that may be of the release before"
    return case.inconclusive(because) if case.overdue else case.pending(because)


def _faulty(case: Case) -> Verdict | None:
    """What a pod of the new revision says condemns the release, whether it is done or not (rules 5, 6 and 11)."""
    worst = next((item for item in case.findings if item.fault), None)
    return case.verdict(Outcome.FAILED, worst.sentence) if worst else None


def _done(case: Case) -> Verdict | None:
    """Done is not healthy: it must stay so (rule 5). The pods themselves must agree with the counters."""
    reading = case.reading
    ready = sum(pod.ready for pod in reading.pods)
    if (
        not reading.done
        or reading.current is None
        or (ready < min(reading.wanted, MOST_PODS) and not reading.elastic)
    ):
        return None
    if case.now < case.settled:
        left = case.settled - case.now
        return case.pending(f"rolled out, and must stay well until {at(case.settled)}", again=left)
    runs = "its newest revision runs" if reading.elastic else "every pod runs"
    image, since = excerpt(case.claim.image), at(case.good_since)
    return case.verdict(Outcome.SUCCEEDED, f"{runs} {image} and is well since {since}")


def _held(case: Case) -> Verdict | None:
    """What a person holds is not the release's failure, and Kubernetes' own deadline rests too (rule 6)."""
    if case.reading.held is None:
        return None
    return case.inconclusive(f"{case.reading.held}; {case.reading.counted}")


def _blocked(case: Case) -> Verdict | None:
    """A rollout can stand still without any pod (08) or any container (07): no release could help."""
    if case.reading.blocked is not None:
        return case.inconclusive(case.reading.blocked)
    innocent = next((item for item in case.findings if item.innocent), None)
    return case.inconclusive(f"{innocent.sentence}; {case.reading.counted}") if innocent else None


def _late(case: Case) -> Verdict | None:
    if not case.late:
        return None
    reading = case.reading
    because = f"{reading.counted}, and the deadline has passed"
    if reading.refused is not None:
        return case.verdict(Outcome.FAILED, f"{reading.refused}; {because}")
    unready = [pod for pod in reading.pods if not pod.ready]
    if reading.pods and (unready or not reading.patient):
        return case.verdict(Outcome.FAILED, f"{_sign(case)}{because}")
    return case.inconclusive(f"{because}, but no new pod shows a fault")


def _rolling(case: Case) -> Verdict | None:
    hint = f"; {case.reading.hint}, which may pass" if case.reading.hint else ""
    refused = f"{case.reading.refused}; " if case.reading.refused else ""
    return case.pending(f"{refused}{_sign(case)}{case.reading.counted}{hint}")


def _sign(case: Case) -> str:
    """The worst that is known of a pod, or which one is not ready."""
    if case.findings:
        return f"{case.findings[0].sentence}; "
    unready = next((pod for pod in case.reading.pods if not pod.ready), None)
    return f"pod {name(unready.name)} is not ready since {at(unready.since)}; " if unready else ""


_GUARDS: tuple[Callable[[Case], Verdict | None], ...] = (
    _deleting, _another_image, _not_observed, _scaled_to_zero, _faulty, _given_up, _done, _held, _blocked, _late,
    _rolling,
)  # fmt: skip
