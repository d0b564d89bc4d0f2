"""An Argo Rollout (facts/products.md, section 4): promoted is more than available, and a pause is meant."""

from collections.abc import Mapping, Sequence

from bot.adapters.workload.deployment import counted, owned, pods_of, replica_set_revision
from bot.adapters.workload.fields import Condition, Document, conditions, label, moment, named, number
from bot.adapters.workload.images import images
from bot.adapters.workload.pods import evicted_of
from bot.adapters.workload.reading import Reading
from bot.adapters.workload.wording import excerpt, name
from bot.core.fields import child, maps, text

HASH = "rollouts-pod-template-hash"


def read_rollout(documents: Sequence[Document], wanted: str) -> Reading | None:
    """The Rollout of this name with its ReplicaSets and the pods of the newest, among the documents.

    Where it borrows its template (`workloadRef`), that Deployment must be among them.
    """
    found = named(documents, "Rollout", wanted)
    if found is None:
        return None
    spec, status = child(found, "spec"), child(found, "status")
    template, seen = _template(found, documents)
    newest, replicas = text(status, "currentPodHash"), number(spec, "replicas", 1)
    own = owned(documents, "ReplicaSet", found)
    current = next((item for item in own if newest and label(item, HASH) == newest), None)
    promoted = bool(newest) and newest == text(status, "stableRS")
    known = conditions(found)
    enough = number(status, "updatedReplicas") == replicas <= number(status, "availableReplicas")
    healthy, progressing = known.get("Healthy"), known.get("Progressing")
    return Reading(
        what=f"Rollout {name(wanted)}",
        images=images(template),
        counted=f"{_steps(spec, status)}{counted(status, replicas)}",
        deleting=bool(child(found, "metadata").get("deletionTimestamp")),
        observed=seen,
        wanted=replicas,
        # Old pods stay for a while after a promotion (scaleDownDelaySeconds), so they are not counted.
        done=text(status, "phase") == "Healthy" and promoted and enough,
        done_since=healthy.changed if healthy and healthy.status == "True" else None,
        completed=promoted,
        current=replica_set_revision(current) if current else None,
        revisions=tuple(replica_set_revision(item) for item in own),
        pods=pods_of(documents, current),
        evicted=evicted_of(documents, current),
        failed=_aborted(status, known),
        failed_at=moment(status, "abortedAt") or (progressing.updated if progressing else None),
        held=_held(spec, status, known),
        hint=_message(status),
        patient=True,
    )


def _template(found: Document, documents: Sequence[Document]) -> tuple[Document, bool]:
    """The pod template, and whether the controller has seen it: its observed generations are strings."""
    status = child(found, "status")
    own = text(status, "observedGeneration") == str(number(child(found, "metadata"), "generation", -1))
    borrowed = text(child(found, "spec", "workloadRef"), "name")
    if not borrowed:
        return child(found, "spec", "template"), own
    lender = named(documents, "Deployment", borrowed) or {}
    generation = str(number(child(lender, "metadata"), "generation", -1))
    return child(lender, "spec", "template"), own and text(status, "workloadObservedGeneration") == generation


def _aborted(status: Document, known: Mapping[str, Condition]) -> str | None:
    """An aborted one already serves what was stable, while git still names what was given up: git must follow."""
    progressing = known.get("Progressing")
    gone = progressing is not None and progressing.reason == "RolloutAborted"
    if status.get("abort") is not True and not gone:
        return None
    said = text(status, "message") or (progressing.message if progressing else "")
    return "it was aborted, and what was stable serves again" + (f": {excerpt(said)}" if said else "")


def _held(spec: Document, status: Document, known: Mapping[str, Condition]) -> str | None:
    invalid = known.get("InvalidSpec")
    if invalid is not None and invalid.status == "True":
        return f"Argo Rollouts does not take its spec: {excerpt(invalid.message)}"
    if spec.get("paused") is True:
        return "a person has paused it"
    reasons = [text(item, "reason") for item in maps(status, "pauseConditions")]
    if "InconclusiveAnalysisRun" in reasons:
        return "its analysis is inconclusive: a person must promote or abort it"
    step = child(_step(spec, status), "pause")
    if "CanaryPauseStep" in reasons and not step.get("duration"):
        return f"it waits {_where(spec, status)} for a person to promote it"
    blue_green = child(spec, "strategy", "blueGreen")
    if "BlueGreenPause" in reasons and not blue_green.get("autoPromotionSeconds"):
        return "it waits before the switch for a person to promote it"
    return None


def _step(spec: Document, status: Document) -> Document:
    steps = maps(child(spec, "strategy", "canary"), "steps")
    index = number(status, "currentStepIndex", -1)
    return steps[index] if 0 <= index < len(steps) else {}


def _where(spec: Document, status: Document) -> str:
    steps = len(maps(child(spec, "strategy", "canary"), "steps"))
    return f"at step {number(status, 'currentStepIndex') + 1} of {steps}"


def _steps(spec: Document, status: Document) -> str:
    phase = excerpt(text(status, "phase"), 40) or "without a phase"
    return f"{phase} {_where(spec, status)}, " if _step(spec, status) else f"{phase}, "


def _message(status: Document) -> str | None:
    message = text(status, "message")
    return f"Argo Rollouts says {excerpt(message).rstrip('.')}" if message else None
