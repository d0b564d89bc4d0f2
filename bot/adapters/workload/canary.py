"""A Flagger Canary (facts/products.md, section 4): the primary serves, and the Canary's phase may be yesterday's.

The Deployment that git names is only the candidate. A failed one is scaled to 0, which every rule for Deployments calls
done; so the release is proven by the primary, to which Flagger copies the candidate's template when it promotes it.
"""

from collections.abc import Sequence
from dataclasses import replace

from bot.adapters.workload.deployment import read_deployment
from bot.adapters.workload.fields import Document, conditions, moment, named, number
from bot.adapters.workload.reading import Reading
from bot.adapters.workload.wording import excerpt, name
from bot.core.fields import child, text

RESTING = ("Initialized", "Succeeded", "Failed")
_WAITING = {
    "Waiting": "it waits for a person to let the analysis begin (confirm-rollout)",
    "WaitingPromotion": "it waits for a person to confirm the promotion",
    "Terminating": "it is being taken down",
    "Terminated": "it was taken down",
}


def read_canary(documents: Sequence[Document], wanted: str) -> Reading | None:
    """The Canary of this name with its candidate and its primary, Deployments both, among the documents."""
    canary = named(documents, "Canary", wanted)
    if canary is None:
        return None
    what, target = f"Canary {name(wanted)}", text(child(canary, "spec", "targetRef"), "name")
    candidate = read_deployment(documents, target)
    primary = read_deployment(documents, f"{target}-primary")
    phase = text(child(canary, "status"), "phase")
    if candidate is None:
        return Reading(what, images=(), counted=f"its Deployment {name(target)} is missing")
    if primary is not None and primary.images == candidate.images and phase in RESTING:
        # A return to what was promoted last starts no analysis, and leaves the phase Failed for ever.
        counted = f"{phase}, and the primary has it: {primary.counted}"
        changed = moment(child(canary, "status"), "lastTransitionTime")
        since = max(filter(None, (primary.done_since, changed if phase != "Failed" else None)), default=None)
        return replace(
            primary, what=what, images=candidate.images, counted=counted, done_since=since, patient=True
        )
    live = primary is not None and primary.images == candidate.images
    return _undecided(canary, replace(candidate, what=what, completed=live), phase)


def _undecided(canary: Document, candidate: Reading, phase: str) -> Reading:
    status = child(canary, "status")
    weight, checks = number(status, "canaryWeight"), number(status, "failedChecks")
    resting = phase in RESTING
    counted = (
        f"its phase {phase or 'is missing'} is of the release before"
        if resting or not phase
        else f"{excerpt(phase, 40)} at weight {weight} with {checks} failed checks"
    )
    return replace(
        candidate,
        counted=counted,
        wanted=max(candidate.wanted, 1),
        done=False,
        pods=() if resting else candidate.pods,
        evicted=() if resting else candidate.evicted,
        failed=_failed(canary) if phase == "Failed" else None,
        failed_at=moment(status, "lastTransitionTime"),
        held=_held(canary, phase),
        blocked=None if resting else candidate.blocked,
        patient=True,
    )


def _failed(canary: Document) -> str:
    promoted = conditions(canary).get("Promoted")
    said = f": {excerpt(promoted.message)}" if promoted and promoted.message else ""
    checks = number(child(canary, "status"), "failedChecks")
    return f"Flagger rolled it back after {checks} failed checks, and the release before serves{said}"


def _held(canary: Document, phase: str) -> str | None:
    if child(canary, "spec").get("suspend") is True:
        return "a person has suspended it"
    return _WAITING.get(phase)
