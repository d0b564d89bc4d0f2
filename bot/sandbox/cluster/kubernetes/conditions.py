"""A Deployment's status: counters, the conditions Available and Progressing, and what Argo CD makes of them."""

from collections.abc import Sequence

from bot.sandbox.cluster.kubernetes.store import timestamp
from bot.sandbox.cluster.manifest import Document

AVAILABLE = "NewReplicaSetAvailable"
LATE = "ProgressDeadlineExceeded"


def counters(deployment: Document, sets: Sequence[Document], new: str) -> Document:
    """The counters from what the ReplicaSets say of themselves; zeros are left out (fixtures/kubernetes, README, 3)."""
    total = {
        key: sum(item["status"].get(key, 0) for item in sets)
        for key in ("replicas", "readyReplicas", "availableReplicas")
    }
    updated = sum(item["status"]["replicas"] for item in sets if item["metadata"]["name"] == new)
    wanted = sum(item["spec"]["replicas"] for item in sets)
    found = {
        "replicas": total["replicas"],
        "updatedReplicas": updated,
        "readyReplicas": total["readyReplicas"],
        "availableReplicas": total["availableReplicas"],
        "unavailableReplicas": max(0, wanted - total["availableReplicas"]),
    }
    shown = {key: value for key, value in found.items() if value}
    return {"observedGeneration": deployment["metadata"]["generation"], **shown}


def progress(deployment: Document, before: Document, new: str, *, late: bool) -> bool:
    """Write both conditions from the counters, and say whether there was progress, which restarts the deadline.

    `late`: that the deadline has passed since the last progress. Late is not final: a success after it turns
    Progressing True again (21); and what was complete once is never late (14).
    """
    status = deployment["status"]
    size = deployment["spec"]["replicas"]
    enough = status.get("availableReplicas", 0) >= size
    said = "has" if enough else "does not have"
    reason = "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable"
    message = f"Deployment {said} minimum availability."
    say(deployment, "Available", "True" if enough else "False", reason, message)
    known = find(deployment, "Progressing") or {}
    whole = all(status.get(key, 0) == size for key in ("replicas", "updatedReplicas", "availableReplicas"))
    settled = known.get("reason") == AVAILABLE and status.get("replicas", 0) == status.get(
        "updatedReplicas", 0
    )
    if whole:
        say(deployment, "Progressing", "True", AVAILABLE, f'ReplicaSet "{new}" has successfully progressed.')
    elif settled:
        return False
    elif _moved(before, status):
        said = f'ReplicaSet "{new}" is progressing.'
        say(deployment, "Progressing", "True", "ReplicaSetUpdated", said, again=True)
        return True
    elif late:
        say(deployment, "Progressing", "False", LATE, f'ReplicaSet "{new}" has timed out progressing.')
    return False


def say(
    deployment: Document, name: str, status: str, reason: str, message: str, *, again: bool = False
) -> None:
    """Set a condition; it moves to the end of the list. The same status and reason once more is no change, but for `again`."""
    kept = deployment["status"].setdefault("conditions", [])
    before = find(deployment, name)
    if before is not None and not again and (before["status"], before["reason"]) == (status, reason):
        return
    now = timestamp()
    since = before["lastTransitionTime"] if before is not None and before["status"] == status else now
    condition = {
        "type": name,
        "status": status,
        "lastUpdateTime": now,
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }
    deployment["status"]["conditions"] = [item for item in kept if item["type"] != name] + [condition]


def find(deployment: Document, name: str) -> Document | None:
    """A condition by its type: the list changes its order."""
    found = deployment["status"].get("conditions", [])
    return next((item for item in found if item["type"] == name), None)


def health(deployment: Document) -> tuple[str, str]:
    """Argo CD's word, with its message: Degraded at the progress deadline and not earlier (fixtures/argocd, 03, 20)."""
    status, size = deployment["status"], deployment["spec"]["replicas"]
    if deployment["metadata"]["generation"] > status.get("observedGeneration", 0):
        return (
            "Progressing",
            "Waiting for rollout to finish: observed deployment generation less than desired generation",
        )
    name = deployment["metadata"]["name"]
    updated, there = status.get("updatedReplicas", 0), status.get("replicas", 0)
    available = status.get("availableReplicas", 0)
    if (find(deployment, "Progressing") or {}).get("reason") == LATE:
        return "Degraded", f'Deployment "{name}" exceeded its progress deadline'
    waiting = "Waiting for rollout to finish:"
    if updated < size:
        return "Progressing", f"{waiting} {updated} out of {size} new replicas have been updated..."
    if there > updated:
        return "Progressing", f"{waiting} {there - updated} old replicas are pending termination..."
    if available < updated:
        return "Progressing", f"{waiting} {available} of {updated} updated replicas are available..."
    return "Healthy", ""


def _moved(before: Document, after: Document) -> bool:
    """What counts as progress: more updated, ready or available pods, or less old ones."""
    # A template that comes back finds its pods there: with several replicas the number of updated ones jumps up then
    # (fixtures/kubernetes, 11). With our single one no number moves, and it would still be called late.
    another = before.get("observedGeneration") != after["observedGeneration"]
    if another and after.get("updatedReplicas", 0):
        return True
    more = ("updatedReplicas", "readyReplicas", "availableReplicas")
    old = [item.get("replicas", 0) - item.get("updatedReplicas", 0) for item in (before, after)]
    return old[1] < old[0] or any(after.get(key, 0) > before.get(key, 0) for key in more)
