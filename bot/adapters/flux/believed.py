"""Where no Deployment runs the image: what Flux's own health check says of the object that does, if nothing objects."""

from datetime import timedelta

from bot.adapters.flux.case import Case
from bot.adapters.flux.others import Other
from bot.adapters.flux.wording import excerpt
from bot.core.telling import at, commit
from bot.core.verdict import Outcome, Verdict

# The object's own controller may come later than Flux's first look at it, and Ready is of the release before until then.
_LASTING = timedelta(seconds=10)


def believed(case: Case) -> Verdict | None:
    """Points 1 to 6 of fixtures/flux/README.md, section (a), in place of the seventh, which only Deployments have."""
    if case.workloads or not case.others:
        return None
    applied = f"{commit(case.claim.commit)} is applied"
    for item in case.others:
        if not item.carries:
            return case.pending(f"{applied}, but the {_name(item)} asks for another image")
        if item.against:
            return case.pending(f"{applied}, but the {_name(item)} {excerpt(item.against)}")
        if not item.checked:
            return case.inconclusive(
                f"{applied}, and the {_name(item)} asks for the image, but no health check of Flux covers it: set"
                f" `wait: true`, which is all that can be known of it here, and verify it by {excerpt(item.better, 120)}"
            )
    return _unsure(case, applied) or _good(case)


def _unsure(case: Case, applied: str) -> Verdict | None:
    """A Deployment could be looked at meanwhile; here every word of Flux must be there at once."""
    app, release, source = case.app, case.release, case.source
    owners = {item.checked for item in case.others}
    well = bool(app.ready) and not app.reconciling and not app.stalled and app.attempted == app.applied
    if "Kustomization" in owners:
        well = well and bool(app.healthy)
    if "HelmRelease" in owners:
        well = well and release is not None and bool(release.ready) and not release.reconciling
    if not well:
        return case.pending(f"{applied}, and Flux has not finished its health check")
    if source is None or not source.ready:
        return case.pending(f"{applied}, but the source is not ready, so Flux may miss a newer commit")
    return None


def _good(case: Case) -> Verdict:
    """Ready and Healthy change at every interval (23); the history's first success and the object's own times do not."""
    claim, run = case.claim, case.last
    first = run.first if run is not None else None
    since = max(filter(None, (claim.merged_at, first, *(item.since for item in case.others))))
    names = ", ".join(_name(item) for item in case.others[:4])
    settled = since + max(claim.settle, _LASTING)
    if case.now < settled:
        return case.pending(
            f"{commit(claim.commit)} is applied, {names} asks for the image and is healthy to Flux, and must stay so"
            f" until {at(settled)}",
            again=settled - case.now,
        )
    return case.verdict(
        Outcome.SUCCEEDED,
        f"{commit(claim.commit)} is applied (at {commit(case.app.applied)}), and {names} asks for"
        f" {excerpt(claim.image)}: the evidence that it serves is Flux's own health check; a check by"
        f" {excerpt(case.others[0].better, 120)} proves more",
    )


def _name(item: Other) -> str:
    return excerpt(str(item), 80)
