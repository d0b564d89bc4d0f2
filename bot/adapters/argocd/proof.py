"""Synced and Healthy is not enough: the image must run, by this commit, and the state must last."""

from datetime import timedelta

from bot.adapters.argocd.case import Case
from bot.core.images import carries, of_same_repository
from bot.core.telling import at, commit, excerpt
from bot.core.verdict import Outcome, Verdict

# The longest untrue "Synced and Healthy" that was recorded lasted half a second; this is ten times as long.
LASTING = timedelta(seconds=5)


def without_image(case: Case) -> Verdict | None:
    """An Application may override or ignore the image: then Synced and Healthy are true and mean nothing (27, 28)."""
    app, image = case.app, case.claim.image
    if any(carries(listed, image) for listed in app.images):
        return None
    shown = excerpt(image)
    if case.fresh:
        return case.pending(f"no pod runs {shown} yet")
    operation = case.app.operation
    if case.own and not app.images and operation and any(carries(one, image) for one in operation.images):
        return case.inconclusive(f"{shown} is applied with no replicas: nothing serves it")
    return case.inconclusive(
        f"Synced and Healthy at {commit(app.revision)}, but no pod runs {shown}: the Application overrides or ignores"
        " the image, or the pin is not what it deploys"
    )


def not_applied(case: Case) -> Verdict | None:
    """No sync was needed for the commit: right for a return to what runs anyway, suspicious for anything else."""
    if case.own or case.claim.revert:
        return None
    others = [
        listed
        for listed in case.app.images
        if of_same_repository(listed, case.claim.image) and not carries(listed, case.claim.image)
    ]
    if not others:
        return None
    because = f"nothing was applied for {commit(case.claim.commit)}, and pods of {excerpt(others[0])} run too"
    return case.pending(because) if case.fresh else case.inconclusive(because)


def good(case: Case) -> Verdict | None:
    """Compared since the last sync ended, lately enough, and for as long as the claim asks."""
    app, claim, operation = case.app, case.claim, case.app.operation
    if operation and operation.finished and (app.reconciled is None or app.reconciled < operation.finished):
        return case.pending("has applied it and compares again", again=timedelta(seconds=1))
    if case.frozen:
        return case.standing_still()
    if case.objection is not None:
        return case.pending(case.objection)
    ended = operation.finished if operation else app.reconciled
    since = max(filter(None, (app.health_since, ended, claim.merged_at)))
    certain = case.own and operation is not None and operation.revision == app.revision
    settled = since + (claim.settle if certain else max(claim.settle, LASTING))
    if case.now < settled:
        return case.pending(
            f"{commit(claim.commit)} is Synced and Healthy and must stay so until {at(settled)}",
            again=settled - case.now,
        )
    return case.verdict(
        Outcome.SUCCEEDED,
        f"{commit(claim.commit)} is Synced and Healthy since {at(since)}, and pods run {excerpt(claim.image)}",
    )
