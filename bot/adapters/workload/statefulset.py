"""A StatefulSet has no condition that says failed (facts/products.md, 3.1): its counters, revisions and pods do."""

from collections.abc import Sequence

from bot.adapters.workload.deployment import all_of, counted, observed, owned
from bot.adapters.workload.fields import Document, label, moment, name_of, named, number
from bot.adapters.workload.images import images
from bot.adapters.workload.pods import read_pod
from bot.adapters.workload.reading import Reading, Revision
from bot.adapters.workload.wording import name
from bot.core.fields import child, text

REVISION_LABEL = "controller-revision-hash"


def read_stateful_set(documents: Sequence[Document], wanted: str) -> Reading | None:
    """The StatefulSet of this name with its ControllerRevisions and the pods of the newest, among the documents."""
    found = named(documents, "StatefulSet", wanted)
    if found is None:
        return None
    spec, status = child(found, "spec"), child(found, "status")
    replicas, newest = number(spec, "replicas", 1), text(status, "updateRevision")
    revisions = controller_revisions(documents, found)
    promoted = bool(newest) and newest == text(status, "currentRevision")
    counters = all_of(status, replicas, "replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    pods = [item for item in owned(documents, "Pod", found) if label(item, REVISION_LABEL) == newest]
    return Reading(
        what=f"StatefulSet {name(wanted)}",
        images=images(child(spec, "template")),
        counted=counted(status, replicas),
        deleting=bool(child(found, "metadata").get("deletionTimestamp")),
        observed=observed(found),
        wanted=replicas,
        # With OnDelete the current revision never moves, even when every pod is new.
        done=counters and (promoted or _strategy(spec) == "OnDelete"),
        completed=promoted
        or (_strategy(spec) == "OnDelete" and number(status, "updatedReplicas") == replicas),
        current=next((item for item in revisions if item.name == newest), None),
        revisions=revisions,
        pods=tuple(pod for pod in map(read_pod, pods) if not pod.leaving),
        held=_held(spec, number(status, "updatedReplicas"), replicas),
        blocked=_stuck(documents, found, newest),
        patient=True,
    )


def controller_revisions(documents: Sequence[Document], owner: Document) -> tuple[Revision, ...]:
    """The versions of its template that a StatefulSet or DaemonSet keeps; one that is revived gets a new number."""
    return tuple(
        Revision(
            name=name_of(item),
            created=moment(child(item, "metadata"), "creationTimestamp"),
            number=number(item, "revision"),
            images=images(child(item, "data", "spec", "template")),
        )
        for item in owned(documents, "ControllerRevision", owner)
    )


def on_delete(strategy: str, updated: int, wanted: int) -> str | None:
    """With `OnDelete` a pod becomes new when a person deletes the old one."""
    if strategy != "OnDelete" or updated >= wanted:
        return None
    return "its updateStrategy is OnDelete, so old pods stay until a person deletes them"


def _strategy(spec: Document) -> str:
    return text(child(spec, "updateStrategy"), "type")


def _held(spec: Document, updated: int, wanted: int) -> str | None:
    partition = number(child(spec, "updateStrategy", "rollingUpdate"), "partition")
    if _strategy(spec) != "OnDelete" and partition > 0 and updated < wanted:
        return f"its partition of {partition} keeps the pods below that number on the old release"
    return on_delete(_strategy(spec), updated, wanted)


def _stuck(documents: Sequence[Document], found: Document, newest: str) -> str | None:
    """In order means: no pod is replaced before every other one is ready, so a broken release blocks its own revert."""
    if text(child(found, "spec"), "podManagementPolicy") == "Parallel":
        return None
    for item in owned(documents, "Pod", found):
        pod = read_pod(item)
        if newest and label(item, REVISION_LABEL) not in ("", newest) and not pod.leaving and not pod.ready:
            return (
                f"pod {name(pod.name)} of an earlier release is not ready, and a StatefulSet does not go on before it"
                " is: a person may have to delete it"
            )
    return None
