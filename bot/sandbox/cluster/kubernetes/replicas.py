"""ReplicaSets as the deployment controller makes them and their own controller counts (fixtures/kubernetes)."""

import copy
from collections.abc import Sequence

from bot.sandbox.cluster.kubernetes.pods import owner
from bot.sandbox.cluster.kubernetes.store import new_metadata
from bot.sandbox.cluster.manifest import Document
from bot.sandbox.cluster.pod import Pod

REVISION = "deployment.kubernetes.io/revision"
_HISTORY = "deployment.kubernetes.io/revision-history"


def new_replica_set(deployment: Document, name: str, revision: int) -> Document:
    """The ReplicaSet of the Deployment's template, which has not been counted yet."""
    template = copy.deepcopy(deployment["spec"]["template"])
    mark = {"pod-template-hash": name.rpartition("-")[2]}
    labels = {**template.setdefault("metadata", {}).get("labels", {}), **mark}
    template["metadata"]["labels"] = labels
    size = deployment["spec"]["replicas"]
    annotations = {
        "deployment.kubernetes.io/desired-replicas": str(size),
        "deployment.kubernetes.io/max-replicas": str(size + 1),
        REVISION: str(revision),
    }
    metadata = new_metadata(
        name,
        deployment["metadata"]["namespace"],
        labels=labels,
        annotations=annotations,
        ownerReferences=[owner(deployment)],
    )
    selected = {**deployment["spec"]["selector"]["matchLabels"], **mark}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": metadata,
        "spec": {"replicas": size, "selector": {"matchLabels": selected}, "template": template},
        "status": {"replicas": 0},
    }


def revived(replica_set: Document, revision: int) -> Document:
    """The ReplicaSet of a template that came back: revision numbers move (fixtures/kubernetes, 11 and 16)."""
    found = copy.deepcopy(replica_set)
    annotations = found["metadata"]["annotations"]
    history = [item for item in annotations.get(_HISTORY, "").split(",") if item]
    annotations[_HISTORY] = ",".join([*history, annotations[REVISION]])
    annotations[REVISION] = str(revision)
    return found


def counted(replica_set: Document, size: int, pods: Sequence[Pod], available: int) -> Document:
    """With its counters; those that are zero are left out, but for `replicas`."""
    found = copy.deepcopy(replica_set)
    if found["spec"]["replicas"] != size:
        found["spec"]["replicas"] = size
        found["metadata"]["generation"] += 1
    ready = sum(pod.ready_since is not None for pod in pods)
    counters = {
        "fullyLabeledReplicas": len(pods),
        "readyReplicas": ready,
        "availableReplicas": available,
    }
    shown = {key: value for key, value in counters.items() if value}
    found["status"] = {"replicas": len(pods), **shown, "observedGeneration": found["metadata"]["generation"]}
    return found
