"""A DaemonSet: every node that wants a pod has a new one, and it is available (facts/products.md, 3.1)."""

from collections.abc import Sequence

from bot.adapters.workload.deployment import all_of, observed, owned
from bot.adapters.workload.fields import Document, label, name_of, named, number
from bot.adapters.workload.images import images
from bot.adapters.workload.pods import read_pod
from bot.adapters.workload.reading import Reading
from bot.adapters.workload.statefulset import REVISION_LABEL, controller_revisions, on_delete
from bot.adapters.workload.wording import name
from bot.core.fields import child, text


def read_daemon_set(documents: Sequence[Document], wanted: str) -> Reading | None:
    """The DaemonSet of this name with its ControllerRevisions and the pods of the newest, among the documents.

    A node that is down keeps its old pod for ever, so the deadline condemns only by a new pod.
    """
    found = named(documents, "DaemonSet", wanted)
    if found is None:
        return None
    spec, status = child(found, "spec"), child(found, "status")
    nodes, updated = number(status, "desiredNumberScheduled"), number(status, "updatedNumberScheduled")
    revisions = controller_revisions(documents, found)
    newest = max(revisions, key=lambda item: item.number, default=None)
    asked = images(child(spec, "template"))
    current = newest if newest is not None and newest.images == asked else None
    hash_ = _hash(documents, found, current.name) if current else ""
    pods = [item for item in owned(documents, "Pod", found) if hash_ and label(item, REVISION_LABEL) == hash_]
    return Reading(
        what=f"DaemonSet {name(wanted)}",
        images=asked,
        counted=f"{updated} of {nodes} pods are new, {number(status, 'numberAvailable')} are available in all",
        deleting=bool(child(found, "metadata").get("deletionTimestamp")),
        observed=observed(found),
        wanted=nodes,
        done=all_of(
            status,
            nodes,
            "updatedNumberScheduled",
            "currentNumberScheduled",
            "numberReady",
            "numberAvailable",
        ),
        # Nothing remembers that it was done, but each pod that is not ready then has the deadline for itself.
        completed=current is not None and updated == nodes,
        current=current,
        revisions=revisions,
        pods=tuple(pod for pod in map(read_pod, pods) if not pod.leaving),
        held=on_delete(text(child(spec, "updateStrategy"), "type"), updated, nodes),
        patient=True,
    )


def _hash(documents: Sequence[Document], found: Document, revision: str) -> str:
    own = owned(documents, "ControllerRevision", found)
    return next((label(item, REVISION_LABEL) for item in own if name_of(item) == revision), "")
