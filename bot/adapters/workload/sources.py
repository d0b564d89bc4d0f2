"""What is read for each kind of workload: itself, the revisions of its template, the pods of the newest one."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from bot.adapters.workload.canary import RESTING
from bot.adapters.workload.deployment import new_replica_set
from bot.adapters.workload.fields import Document, label, number
from bot.adapters.workload.inference import REVISION_LABEL, knative_revision
from bot.adapters.workload.pods import MOST_PODS
from bot.adapters.workload.rollouts import HASH as ROLLOUT_HASH
from bot.core.fields import child, maps, text
from bot.core.target import Workload, WorkloadKind
from bot.ports import Objects, Resource

DEPLOYMENTS, REPLICA_SETS = Resource("apps/v1", "deployments"), Resource("apps/v1", "replicasets")
PODS, EVENTS = Resource("v1", "pods"), Resource("v1", "events")
_CONTROLLER_REVISIONS = Resource("apps/v1", "controllerrevisions")
_KINDS: Mapping[WorkloadKind, tuple[str, Resource]] = {
    WorkloadKind.DEPLOYMENT: ("Deployment", DEPLOYMENTS),
    WorkloadKind.STATEFUL_SET: ("StatefulSet", Resource("apps/v1", "statefulsets")),
    WorkloadKind.DAEMON_SET: ("DaemonSet", Resource("apps/v1", "daemonsets")),
    WorkloadKind.ROLLOUT: ("Rollout", Resource("argoproj.io/v1alpha1", "rollouts")),
    WorkloadKind.CANARY: ("Canary", Resource("flagger.app/v1beta1", "canaries")),
    WorkloadKind.INFERENCE_SERVICE: (
        "InferenceService",
        Resource("serving.kserve.io/v1beta1", "inferenceservices"),
    ),
}
_KNATIVE_REVISIONS = Resource("serving.knative.dev/v1", "revisions")
_LABEL = re.compile(r"[A-Za-z0-9][\w./-]{0,315}\Z", re.ASCII)
_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?)?\Z", re.ASCII)


def documents(objects: Objects, workload: Workload) -> list[Document]:
    """Everything that its judge reads; empty when there is no such workload.

    Three questions where all is well, four for an InferenceService without Knative, up to eight for a Canary in the
    middle of its analysis. Raises what the port raises.
    """
    kind, resource = _KINDS[workload.kind]
    found = _one(objects, kind, resource, workload.namespace, workload.name)
    if not found:
        return []
    return [*found, *_FURTHER[workload.kind](objects, workload, found[0])]


def settings(objects: Objects, workload: Workload) -> list[tuple[WorkloadKind, Document]]:
    """The documents whose settings matter for its verdicts: its own, and the Deployment that a Canary tries out."""
    kind, resource = _KINDS[workload.kind]
    found = _one(objects, kind, resource, workload.namespace, workload.name)
    told = [(workload.kind, item) for item in found]
    target = text(child(found[0], "spec", "targetRef"), "name") if found else ""
    if workload.kind is WorkloadKind.CANARY and target:
        candidate = _one(objects, "Deployment", DEPLOYMENTS, workload.namespace, target)
        told += [
            (WorkloadKind.DEPLOYMENT, item)
            for item in candidate
            if number(child(item, "spec"), "replicas", 1)
        ]
    return told


def _deployment(objects: Objects, workload: Workload, found: Document) -> Iterator[Document]:
    """Its ReplicaSets, and the pods of the newest: without that one no pod is of interest."""
    sets = _many(objects, "ReplicaSet", REPLICA_SETS, workload, selector(found))
    yield from sets
    newest = new_replica_set(found, sets)
    if newest is not None:
        yield from _pods(objects, workload, selector(newest))


def _with_revisions(objects: Objects, workload: Workload, found: Document) -> Iterator[Document]:
    labels = selector(found)
    yield from _many(objects, "ControllerRevision", _CONTROLLER_REVISIONS, workload, labels)
    # All of them: a pod of an earlier release can block a StatefulSet.
    yield from _pods(objects, workload, labels)


def _rollout(objects: Objects, workload: Workload, found: Document) -> Iterator[Document]:
    lender = text(child(found, "spec", "workloadRef"), "name")
    lent = _one(objects, "Deployment", DEPLOYMENTS, workload.namespace, lender) if lender else []
    yield from lent
    sets = _many(
        objects, "ReplicaSet", REPLICA_SETS, workload, selector(found) or selector(lent[0] if lent else {})
    )
    yield from sets
    newest = text(child(found, "status"), "currentPodHash")
    current = next((item for item in sets if newest and label(item, ROLLOUT_HASH) == newest), None)
    if current is not None:
        yield from _pods(objects, workload, selector(current))


def _canary(objects: Objects, workload: Workload, found: Document) -> Iterator[Document]:
    """The primary's pods where the Canary rests, the candidate's where it is being analysed."""
    target, phase = (
        text(child(found, "spec", "targetRef"), "name"),
        text(child(found, "status"), "phase"),
    )
    if not target:
        return
    for name, wanted in ((target, phase not in RESTING), (f"{target}-primary", phase in RESTING)):
        deployments = _one(objects, "Deployment", DEPLOYMENTS, workload.namespace, name)
        yield from deployments
        if wanted and deployments:
            yield from _deployment(objects, workload, deployments[0])


def _inference_service(objects: Objects, workload: Workload, found: Document) -> Iterator[Document]:
    newest = knative_revision(found)
    if newest:
        yield from _one(objects, "Revision", _KNATIVE_REVISIONS, workload.namespace, newest)
        yield from _pods(objects, workload, _selected({REVISION_LABEL: newest}))
        return
    name = f"{workload.name}-predictor"
    for deployment in _one(objects, "Deployment", DEPLOYMENTS, workload.namespace, name):
        yield deployment
        yield from _deployment(objects, workload, deployment)


_FURTHER: Mapping[WorkloadKind, Callable[[Objects, Workload, Document], Iterator[Document]]] = {
    WorkloadKind.DEPLOYMENT: _deployment,
    WorkloadKind.STATEFUL_SET: _with_revisions,
    WorkloadKind.DAEMON_SET: _with_revisions,
    WorkloadKind.ROLLOUT: _rollout,
    WorkloadKind.CANARY: _canary,
    WorkloadKind.INFERENCE_SERVICE: _inference_service,
}


def _one(objects: Objects, kind: str, resource: Resource, namespace: str, name: str) -> list[Document]:
    found = objects.get(resource, namespace, name)
    return [] if found is None else [{**found, "kind": kind}]


def _many(
    objects: Objects, kind: str, resource: Resource, workload: Workload, labels: str, limit: int = 100
) -> list[Document]:
    """Without a selector nothing is read: it would be everything in the namespace."""
    if not labels:
        return []
    listed = objects.list(resource, workload.namespace, labels=labels, limit=limit)
    # The API leaves out the kind of the items of a list.
    return [{**item, "kind": kind} for item in listed]


def _pods(objects: Objects, workload: Workload, labels: str) -> list[Document]:
    return _many(objects, "Pod", PODS, workload, labels, MOST_PODS)


def selector(document: Document) -> str:
    """Its label selector as the API takes it; what is not a label is left out, as the owner decides in the end."""
    chosen = child(document, "spec", "selector")
    labels = _selected(child(chosen, "matchLabels"))
    return ",".join(filter(None, (labels, *map(_expression, maps(chosen, "matchExpressions")))))


def _selected(labels: Document) -> str:
    pairs = ((key, value) for key, value in labels.items() if isinstance(value, str))
    return ",".join(f"{key}={value}" for key, value in pairs if _LABEL.match(key) and _VALUE.match(value))


def _expression(expression: Document) -> str:
    key, operator, values = text(expression, "key"), text(expression, "operator"), expression.get("values")
    if not _LABEL.match(key):
        return ""
    if operator in ("Exists", "DoesNotExist"):
        return key if operator == "Exists" else f"!{key}"
    told: Sequence[str] = [item for item in values if isinstance(item, str) and _VALUE.match(item)] if isinstance(values, list) else []  # fmt: skip
    word = {"In": "in", "NotIn": "notin"}.get(operator)
    return f"{key} {word} ({','.join(told)})" if word and told else ""
