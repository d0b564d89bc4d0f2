"""What an Application says about a claim: pure, ordered guard clauses, the first that applies gives the verdict.

The rules were measured: fixtures/argocd/README.md, section (a). They need no memory of earlier looks: where that page
asks for a second read, the times inside the object say that the state has lasted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bot.adapters.argocd import blame
from bot.adapters.argocd.case import Case
from bot.adapters.argocd.indirect import flickering, read_indirect
from bot.adapters.argocd.operation import Operation
from bot.adapters.argocd.proof import good, left_over, not_applied, without_image
from bot.adapters.argocd.reading import read
from bot.adapters.argocd.rollout import degraded, out_of_sync, suspended, unwell
from bot.adapters.argocd.room import no_room
from bot.adapters.argocd.wording import evidence
from bot.adapters.argocd.workload import objection
from bot.core.telling import at, commit, excerpt
from bot.core.verdict import Claim, Outcome, Verdict


def judge(documents: Sequence[Mapping[str, Any]], claim: Claim, now: datetime) -> Verdict:
    """The verdict about the claim from the newest read of its Application, the first one among the documents.

    Its Deployment and its resource tree (`places.TREE`) may be among them, too.

    FAILED only for what this commit did: its own sync failed, its own rollout became Degraded, or it was begun and is
    not done at the deadline. Never because of another commit, another workload where one is named, Suspended, Unknown,
    a manual policy or a deny window.
    """
    document = next((item for item in documents if item.get("kind", "Application") == "Application"), None)
    if document is None:
        return Verdict(Outcome.INCONCLUSIVE, "Argo CD: there is no such Application")
    case = Case(
        read(document, claim),
        claim,
        now,
        objection=objection(documents, claim),
        others=blame.others(document, documents, claim),
        drifted=blame.drifted(document, claim),
        suspects=blame.suspects(document),
        no_room=no_room(documents, claim),
        indirect=read_indirect(document, documents, claim),
        flickering=flickering(document),
    )
    verdict = next(found for found in (guard(case) for guard in _GUARDS) if found is not None)
    return _at_deadline(case, verdict)


def _at_deadline(case: Case, verdict: Verdict) -> Verdict:
    """What still waits at the deadline without being this commit's fault is not known, rather than failed."""
    if verdict.outcome is not Outcome.PENDING or not case.late or not verdict.taken_in:
        return verdict
    seen = evidence(case.app, case.now, Outcome.INCONCLUSIVE)
    because = f"{verdict.because}; the deadline has passed, but nothing says that it is this commit's fault"
    return replace(verdict, outcome=Outcome.INCONCLUSIVE, because=because, evidence=seen)


# --- The Application itself ------------------------------------------------------------------------


def _deleting(case: Case) -> Verdict | None:
    if case.app.deleting:
        return case.inconclusive(f"the Application {case.app.name} is being deleted")
    return None


def _superseded(case: Case) -> Verdict | None:
    app, operation = case.app, case.app.operation
    if app.sync == "Synced" and app.revision in case.strangers:
        return case.verdict(Outcome.SUPERSEDED, f"{commit(app.revision)}, which has another image, is synced")
    if operation and operation.phase == "Succeeded" and operation.revision in case.strangers:
        return case.verdict(
            Outcome.SUPERSEDED, f"{commit(operation.revision)}, which has another image, was applied"
        )
    return None


def _not_compared(case: Case) -> Verdict | None:
    """Unknown says that manifests or cluster could not be read: an outage as well as a broken commit (05, 17, 25)."""
    if case.app.sync != "Unknown":
        return None
    if case.app.refreshing:
        return case.pending("could not compare the manifests with the cluster and tries again")
    message = case.app.error("ComparisonError", "InvalidSpecError", "UnknownError")
    said = f": {excerpt(message)}" if message else ""
    return case.inconclusive(f"cannot compare the manifests with the cluster{said}", taken_in=False)


# --- What the commit's own sync did ----------------------------------------------------------------


def _own_sync_failed(case: Case) -> Verdict | None:
    """What the API server or a hook refused; not what an outage, a missing right or a person has ended."""
    operation = case.app.operation
    if operation is None or not case.own:
        return None
    which, said = commit(operation.revision), _complaint(operation)
    if operation.phase in ("Failed", "Error") and not case.app.requested:
        if case.applied:
            return case.inconclusive(
                f"a later sync of {which} failed, after the first one had succeeded{said}"
            )
        if operation.innocent:
            return case.inconclusive(
                f"the sync of {which} failed, but not by what is in it{said}; Argo CD does not try the same commit again, so"
                " a person must sync it"
            )
        return case.verdict(Outcome.FAILED, f"the sync of {which} failed{said}")
    if operation.phase == "Running" and operation.retries and case.late and not case.applied:
        if operation.innocent:
            return case.inconclusive(
                f"the sync of {which} fails again and again, but not by what is in it{said}"
            )
        return case.verdict(
            Outcome.FAILED,
            f"the sync of {which} fails again and again, and the deadline has passed{said}",
        )
    return _waits_for_its_pods(case, operation)


def _waits_for_its_pods(case: Case, operation: Operation) -> Verdict | None:
    """With waves, or a hook after them, the sync itself waits until the workload is healthy, and has no time-out."""
    begun = operation.started
    if not operation.waits_for_pods or case.applied or case.others or case.frozen or begun is None:
        return None
    if case.now - max(begun, case.claim.merged_at) <= case.claim.deadline:
        return None
    return case.verdict(
        Outcome.FAILED,
        f"the sync of {commit(operation.revision)} is not done, and the deadline has passed{_complaint(operation)}",
    )


def _complaint(operation: Operation) -> str:
    """`: message`; with what the objects say, where the operation itself says only that something failed."""
    vague = operation.complaints and "reason:" not in operation.message
    message = "; ".join((operation.message, *operation.complaints[:3])) if vague else operation.message
    return f": {excerpt(message)}" if message else ""


def _not_taken_in(case: Case) -> Verdict | None:
    app, claimed = case.app, commit(case.claim.commit)
    if case.compared or case.own:
        return None
    if app.revision in case.strangers:
        return case.pending(f"{commit(app.revision)}, which has another image, is compared but not synced")
    if any(entry.revision in case.carriers for entry in app.history):
        return case.pending(f"{claimed} was applied, but the Application is at {commit(app.revision)} now")
    if case.frozen:
        return case.standing_still()
    if app.not_hydrated:
        return case.inconclusive(
            f"{claimed} is not rendered by the source hydrator: {excerpt(app.not_hydrated)}"
        )
    stands = f"the Application is at {commit(app.revision)}" if app.revision else "nothing is compared yet"
    return case.pending(f"{claimed} is not taken in yet; {stands}", taken_in=False)


def _busy(case: Case) -> Verdict | None:
    app, operation = case.app, case.app.operation
    if not app.busy:
        return None
    if operation is None or operation.revision is None or case.own:
        tries = f", try {operation.retries + 1}" if operation and operation.retries else ""
        said = _complaint(operation) if operation else ""
        return case.pending(f"is syncing {commit(case.claim.commit)}{tries}{said}")
    other = f"{commit(operation.revision)}, which is not this commit"
    said = _complaint(operation)
    if case.blocked and case.hanging:
        because = f"is still busy with {other}, since {at(operation.started)}{said}"
        return replace(case.pending(because), blocked=True)
    if not operation.retrying:
        return case.pending(f"is still busy with {other}")
    if not case.blocked:
        return case.pending(f"will take this commit at its next try of {other}{said}")
    stuck = f"tries {other}, again and again ({operation.retries} so far), and this one waits until it gives up{said}"
    return replace(case.pending(stuck), blocked=True)


def _looking(case: Case) -> Verdict | None:
    if not case.app.refreshing:
        return None
    if case.frozen:
        return case.standing_still()
    return case.pending("has been asked to look and has not done so yet", again=timedelta(seconds=1))


def _another_commit(case: Case) -> Verdict | None:
    """The last operation was about the claim, but the Application is compared with something else by now."""
    if case.compared:
        return None
    return case.pending(f"the Application is compared with {commit(case.app.revision)} by now")


_GUARDS: tuple[Callable[[Case], Verdict | None], ...] = (
    _deleting, _superseded, _not_compared, _own_sync_failed, _not_taken_in, _busy, _another_commit, _looking,
    out_of_sync, degraded, suspended, unwell, without_image, not_applied, left_over, good,
)  # fmt: skip
