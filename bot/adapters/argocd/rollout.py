"""The Application is compared with the claim's commit and nothing is under way: is what was applied well?"""

from datetime import datetime, timedelta

from bot.adapters.argocd.case import FLICKER, Case
from bot.adapters.argocd.indirect import AUTOSCALER, name
from bot.adapters.argocd.places import Place
from bot.core.telling import at, commit, excerpt
from bot.core.verdict import Outcome, Verdict

# Without metrics of new pods it was so for 15 s in a healthy rollout (fixtures/kubernetes, 12): three times that.
METRICS = timedelta(seconds=45)


def out_of_sync(case: Case) -> Verdict | None:
    """Deny window, manual policy and a sync that is about to begin look alike: none is the commit's failure."""
    app, operation = case.app, case.app.operation
    if app.sync == "Synced":
        return None
    if case.own and operation is not None and operation.phase == "Succeeded":
        if case.fresh:
            return case.pending(f"has applied {commit(operation.revision)} and compares again")
        if case.drifted:
            return case.inconclusive(
                f"{commit(operation.revision)} was applied, but {excerpt(case.drifted)} alone differs from git again, and only what"
                " is Synced is proven: mend it, or let Argo CD ignore that difference (`ignoreDifferences`)"
            )
        which = f" ({excerpt(', '.join(app.out_of_sync[:3]))})" if app.out_of_sync else ""
        return case.inconclusive(
            f"{commit(operation.revision)} was applied, but the cluster differs from git again{which}: changed by hand?"
        )
    if not app.automated:
        return case.inconclusive(f"{app.name} has no automated sync: a person must sync it")
    return case.pending(
        f"{commit(app.revision)} differs from the cluster and no sync has begun; a sync window may deny it"
    )


def degraded(case: Case) -> Verdict | None:
    """The commit's own only if it came after the commit's sync had begun (14, 24)."""
    app, operation = case.app, case.app.operation
    if app.health != "Degraded":
        return None
    which = f" ({'; '.join(excerpt(item) for item in app.unhealthy[:3])})" if app.unhealthy else ""
    succeeded = case.own and operation is not None and operation.phase == "Succeeded"
    if succeeded and case.started and app.health_since and app.health_since > case.started:
        if case.others:
            return case.inconclusive(_another(case))
        if case.no_room:
            return case.inconclusive(
                f"{commit(case.claim.commit)} is applied and Degraded, but {case.no_room}"
            )
        if case.suspects and case.objection is None:
            return case.inconclusive(_suspected(case))
        if case.flickering is not None and not _lasts(case, case.flickering, app.health_since):
            return case.pending(
                f"{name(case.flickering)} may make the Application Degraded since {at(app.health_since)}, as it does for a while"
                " when it changes: that is no failure yet"
            )
        return case.verdict(
            Outcome.FAILED,
            f"{commit(case.claim.commit)} was applied and became Degraded at {at(app.health_since)}{which}",
        )
    if case.fresh:
        return case.pending("the Application was Degraded before this commit, and its health is read again")
    return case.inconclusive(
        f"the Application is Degraded since {at(app.health_since)}, before this commit was applied{which}"
    )


def _another(case: Case) -> str:
    """Named only where none of them runs the image: a job beside the model, for instance."""
    app = case.app
    return (
        f"another workload of the Application is {app.health} since {at(app.health_since)} ({excerpt(case.others)}), and"
        f" nothing that runs {excerpt(case.claim.image)}"
    )


def _suspected(case: Case) -> str:
    """The failure of a job, or of a secret store, must not take a release back."""
    return (
        f"the Application is Degraded since {at(case.app.health_since)}, and through the Kubernetes API nobody tells by what: it"
        f" may be {excerpt(case.suspects)}; ask Argo CD's API (`through: api`), or add a `workload:` check to `verify:`"
    )


def suspended(case: Case) -> Verdict | None:
    """A pause is meant, so it never fails (12); a CronJob that is suspended beside the model pauses nothing."""
    if case.app.health != "Suspended" or case.well:
        return None
    beside = (
        f", or {excerpt(case.suspects)} is suspended, which only Argo CD's API tells" if case.suspects else ""
    )
    return case.inconclusive(f"the rollout is paused (Suspended): a person must let it go on{beside}")


def _begun(case: Case) -> datetime | None:
    """When the claim's sync began, or this state did, where it is not that of the sync: well before, and unwell anew."""
    since = case.app.health_since
    if case.started is None:
        return None
    begun = max(case.claim.merged_at, case.started)
    return since if since is not None and since - begun > FLICKER else begun


def _over(case: Case) -> bool:
    """Whether the deadline, counted from then, has passed."""
    begun = _begun(case)
    return begun is not None and case.now - begun > case.claim.deadline


def _lasts(case: Case, flickering: Place, since: datetime) -> bool:
    """Whether it is Degraded for longer than such an object is on its way to be well."""
    if flickering[:2] == AUTOSCALER:
        return case.now - since > METRICS
    return _over(case)


def _before(case: Case) -> bool:
    """Whether it was unwell already: an Ingress that never gets an address keeps an Application Progressing for ever."""
    since = case.app.health_since
    return since is not None and case.started is not None and since < case.started


def unwell(case: Case) -> Verdict | None:
    """Progressing says nothing until the deadline, which counts from when the sync, or this Progressing, began (c1).

    What was Healthy before and has been scaled, or has lost a pod, is Progressing anew, however long ago the merge was.
    Of an object that no longer moves it says nothing even then: the pods may be ready by now (26).
    """
    app, operation = case.app, case.app.operation
    if case.well:
        return None
    if app.health == "Unknown":
        return case.inconclusive("cannot say how healthy the Application is (health Unknown)")
    which = f" ({'; '.join(excerpt(item) for item in app.unhealthy[:3])})" if app.unhealthy else ""
    doing = f"{commit(case.claim.commit)} is applied and {app.health or 'without health'}{which}"
    applied = case.own and operation is not None and operation.phase == "Succeeded"
    if case.frozen:
        return case.standing_still()
    if applied and _over(case):
        if case.others:
            return case.inconclusive(_another(case))
        if case.no_room:
            return case.inconclusive(f"{doing}, but {case.no_room}")
        if _before(case):
            return case.inconclusive(
                f"{doing}, which it has been since {at(app.health_since)}, before this commit was applied"
            )
        return case.verdict(Outcome.FAILED, f"{doing}, and the deadline has passed")
    return case.pending(doing)
