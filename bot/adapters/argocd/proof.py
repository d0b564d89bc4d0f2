"""Synced and Healthy is not enough: the image must run, by this commit, and the state must last."""

from datetime import timedelta

from bot.adapters.argocd.case import Case
from bot.adapters.argocd.indirect import cure, name
from bot.core.images import carries, of_same_repository
from bot.core.telling import at, commit, excerpt
from bot.core.verdict import Outcome, Verdict

# The longest untrue "Synced and Healthy" that was recorded lasted half a second; this is ten times as long.
LASTING = timedelta(seconds=5)
# A Rollout keeps the pods of before for 30 s by default after they have stopped to serve (scaleDownDelaySeconds).
STANDBY = timedelta(seconds=60)


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
        # A project hides what it does not allow, pods too (argo-cd, issue 28564).
        return case.inconclusive(
            f"{shown} is applied, and Argo CD shows no pod: there are no replicas, or the project of {app.name} does not allow"
            " ReplicaSet and Pod"
        )
    because = f"{case.state} at {commit(app.revision)}, but no pod runs {shown}"
    place = next((one for one in case.indirect.places if one[0] != "apps"), None)
    if place is not None:
        return case.inconclusive(
            f"{because}: {name(place)} is scaled to zero, or still the version before; {cure(place)}"
        )
    if case.app.children:
        return case.inconclusive(
            f"{because}: it deploys other Applications ({excerpt(', '.join(case.app.children[:3]))}), so name the one that"
            " runs the image in `rollout:`"
        )
    return case.inconclusive(
        f"{because}: the Application overrides or ignores the image, or the pin is not what it deploys"
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


def left_over(case: Case) -> Verdict | None:
    """Of an InferenceService and its like: pods of the version before may serve, or new ones are not well."""
    seen, since = case.indirect, case.app.health_since
    rested = seen.told and since is not None and case.now - since > STANDBY
    old = [(place, image) for place, image in seen.old if not (rested and place[1] == "Rollout")]
    if old:
        place, image = old[0]
        whose = "" if seen.told else "; whose they are, only Argo CD's API tells (`through: api`)"
        return case.pending(
            f"{name(place)} is Healthy, but pods of {excerpt(image)} run too, and may be what serves{whose}; {cure(place)}"
        )
    if seen.unwell:
        place = seen.places[0]
        return case.pending(f"{name(place)} is Healthy, but {excerpt(seen.unwell[0])}; {cure(place)}")
    return None


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
            f"{commit(claim.commit)} is {case.state} and must stay so until {at(settled)}",
            again=settled - case.now,
        )
    return case.verdict(
        Outcome.SUCCEEDED,
        f"{commit(claim.commit)} is {case.state} since {at(since)}, and pods run {excerpt(claim.image)}",
    )
