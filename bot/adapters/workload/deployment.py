"""A Deployment: done is stricter than `kubectl rollout status` (fixtures/kubernetes, rules 1 to 4, 7 and 9)."""

import re
from collections.abc import Sequence
from typing import Any

from bot.adapters.workload.fields import (
    Document,
    belongs_to,
    conditions,
    moment,
    name_of,
    named,
    number,
    of_kind,
)
from bot.adapters.workload.images import images
from bot.adapters.workload.pods import Pod, evicted_of, read_pod
from bot.adapters.workload.reading import Reading, Revision
from bot.adapters.workload.wording import excerpt, name
from bot.core.fields import child, text

HASH = "pod-template-hash"
_DENIED = re.compile(r"denied the request|violates PodSecurity")
_REVISION = "deployment.kubernetes.io/revision"


def read_deployment(documents: Sequence[Document], wanted: str) -> Reading | None:
    """The Deployment of this name with its newest ReplicaSet and that one's pods, among the documents."""
    deployment = named(documents, "Deployment", wanted)
    if deployment is None:
        return None
    metadata, spec, status = (child(deployment, key) for key in ("metadata", "spec", "status"))
    found, current = conditions(deployment), new_replica_set(deployment, documents)
    progressing, failure = found.get("Progressing"), found.get("ReplicaFailure")
    available = progressing is not None and progressing.reason == "NewReplicaSetAvailable"
    named_by_it = (
        current is not None and progressing is not None and f'"{name_of(current)}"' in progressing.message
    )
    replicas = number(spec, "replicas", 1)
    refused = _refused(current)
    return Reading(
        what=f"Deployment {name(wanted)}",
        images=images(child(spec, "template")),
        counted=counted(status, replicas),
        deleting=bool(metadata.get("deletionTimestamp")),
        observed=observed(deployment),
        wanted=replicas,
        done=all_of(status, replicas, "replicas", "updatedReplicas", "readyReplicas", "availableReplicas"),
        done_since=progressing.updated if progressing and available else None,
        completed=available and named_by_it,
        current=replica_set_revision(current) if current else None,
        revisions=tuple(replica_set_revision(item) for item in owned(documents, "ReplicaSet", deployment)),
        pods=pods_of(documents, current),
        held="a person has paused it" if spec.get("paused") is True else None,
        blocked=f"its pods cannot be created: {excerpt(failure.message)}" if failure and failure.status == "True" and not refused else None,
        refused=refused,
        evicted=evicted_of(documents, current),
        hint=_hint(deployment) if named_by_it else None,
    )  # fmt: skip


def new_replica_set(deployment: Document, documents: Sequence[Document]) -> Document | None:
    """The ReplicaSet of the template that stands in the Deployment, whatever its age, name or number.

    Where none has an equal template (an API server that fills in other defaults today), the revision annotation
    names it, but only once the controller has seen the newest generation.
    """
    own = owned(documents, "ReplicaSet", deployment)
    template = _without_hash(child(deployment, "spec", "template"))
    same = [item for item in own if template and _without_hash(child(item, "spec", "template")) == template]
    if not same and observed(deployment):
        number_ = text(child(deployment, "metadata", "annotations"), _REVISION)
        asked = images(child(deployment, "spec", "template"))
        same = [
            item
            for item in own
            if number_
            and text(child(item, "metadata", "annotations"), _REVISION) == number_
            and images(child(item, "spec", "template")) == asked
        ]
    # The controller takes the oldest of several equal ones.
    return min(same, key=lambda item: text(child(item, "metadata"), "creationTimestamp"), default=None)


def _refused(current: Document | None) -> str | None:
    """What an admission says against the new pods themselves; a quota, a webhook that is down and old pods say nothing of them."""
    failure = conditions(current).get("ReplicaFailure") if current is not None else None
    if failure is None or failure.status != "True" or _DENIED.search(failure.message) is None:
        return None
    return f"its pods are refused: {excerpt(failure.message)}"


def replica_set_revision(document: Document) -> Revision:
    """A ReplicaSet as a revision. Its number moves when it is revived, so that is not read (rule 9)."""
    return Revision(
        name=name_of(document),
        created=moment(child(document, "metadata"), "creationTimestamp"),
        images=images(child(document, "spec", "template")),
    )


def owned(documents: Sequence[Document], kind: str, owner: Document) -> list[Document]:
    """The documents of a kind that the owner controls."""
    return [item for item in of_kind(documents, kind) if belongs_to(item, owner)]


def pods_of(documents: Sequence[Document], owner: Document | None) -> tuple[Pod, ...]:
    """Its pods, without those that leave: they may be Running and ready, and are no longer counted (rule 10)."""
    if owner is None:
        return ()
    pods = (read_pod(item) for item in owned(documents, "Pod", owner))
    return tuple(pod for pod in pods if not pod.leaving)


def observed(document: Document) -> bool:
    """Whether its controller has seen what stands in the spec: until then the status is that of before (rule 1)."""
    generation = child(document, "metadata").get("generation")
    return isinstance(generation, int) and child(document, "status").get("observedGeneration") == generation


def all_of(status: Document, wanted: int, *counters: str) -> bool:
    """Whether all counters are exactly what is wanted: kubectl calls too many done (rule 4)."""
    return all(number(status, counter) == wanted for counter in counters)


def counted(status: Document, wanted: int) -> str:
    """The counters in words."""
    updated, old = (
        number(status, "updatedReplicas"),
        number(status, "replicas") - number(status, "updatedReplicas"),
    )
    left = f", {old} of before {'is' if old == 1 else 'are'} left" if old > 0 else ""
    return f"{updated} of {wanted} pods are new{left}, {number(status, 'availableReplicas')} are available in all"


def _hint(deployment: Document) -> str | None:
    """The product's own deadline comes, goes, and never ends anything (rules 6 and 7, recording 21)."""
    progressing = conditions(deployment).get("Progressing")
    if progressing is None or progressing.reason != "ProgressDeadlineExceeded" or not observed(deployment):
        return None
    return f"Kubernetes says {excerpt(progressing.message).rstrip('.')}"


def _without_hash(template: Document) -> dict[str, Any]:
    metadata = dict(child(template, "metadata"))
    labels = {key: value for key, value in child(metadata, "labels").items() if key != HASH}
    rest = {key: value for key, value in metadata.items() if key not in ("labels", "creationTimestamp")}
    return {**template, "metadata": rest | ({"labels": labels} if labels else {})} if template else {}
