"""A pod's document, from the process that really runs, as the kubelet writes it (fixtures/kubernetes)."""

import copy
from datetime import datetime

from bot.sandbox.cluster.container import Running, State, Terminated, Waiting
from bot.sandbox.cluster.kubernetes.events import NODE
from bot.sandbox.cluster.kubernetes.store import timestamp
from bot.sandbox.cluster.manifest import Document, split
from bot.sandbox.cluster.pod import Pod

_HOST = "127.0.0.1"


def pod_document(pod: Pod, replica_set: Document) -> Document:
    """The pod as it stands now. A container that crashes is in a pod whose phase stays Running."""
    metadata = {
        "name": pod.name,
        "generateName": f"{pod.template.replica_set}-",
        "namespace": pod.template.namespace,
        "uid": pod.uid,
        "generation": 1,
        "creationTimestamp": timestamp(pod.created),
        "labels": copy.deepcopy(replica_set["spec"]["template"]["metadata"]["labels"]),
        "ownerReferences": [owner(replica_set)],
    }
    if pod.deleted_at is not None:
        metadata |= {
            "generation": 2,
            "deletionTimestamp": timestamp(pod.deleted_at),
            "deletionGracePeriodSeconds": int(pod.template.grace),
        }
    spec = copy.deepcopy(replica_set["spec"]["template"]["spec"])
    return {"metadata": metadata, "spec": spec | {"nodeName": NODE}, "status": _status(pod)}


def owner(of: Document) -> Document:
    """The entry of `ownerReferences` that names this controller."""
    return {
        "apiVersion": of["apiVersion"],
        "kind": of["kind"],
        "name": of["metadata"]["name"],
        "uid": of["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _status(pod: Pod) -> Document:
    # A pod that leaves may still be Ready and Running: the trap of point 10 in the recordings' README.
    ready = pod.ready_since is not None or (pod.leaving and pod.was_ready and not pod.gone)
    return {
        "observedGeneration": 1,
        "phase": "Running" if pod.started else "Pending",
        "conditions": [
            _condition("PodReadyToStartContainers", pod.created),
            _condition("Initialized", pod.created),
            _readiness("Ready", pod, ready),
            _readiness("ContainersReady", pod, ready),
            _condition("PodScheduled", pod.created),
        ],
        "hostIP": _HOST,
        "hostIPs": [{"ip": _HOST}],
        "podIP": _HOST,
        "podIPs": [{"ip": _HOST}],
        "startTime": timestamp(pod.created),
        "containerStatuses": [_container(pod, ready)],
        "qosClass": "BestEffort",
    }


def _container(pod: Pod, ready: bool) -> Document:
    repository = split(pod.template.image)[0]
    found = {
        "name": pod.template.container,
        "state": _state(pod.state, pod),
        "lastState": _state(pod.last, pod) if pod.last is not None else {},
        "ready": ready,
        "restartCount": pod.restarts,
        "image": pod.template.image,
        "imageID": f"{repository}@{pod.digest}" if pod.digest else "",
    }
    if pod.started:
        found["containerID"] = _identity(pod)
    return found | {"started": isinstance(pod.state, Running)}


def _state(state: State, pod: Pod) -> Document:
    match state:
        case Waiting(reason, message):
            return {"waiting": {"reason": reason} | ({"message": message} if message else {})}
        case Running(since):
            return {"running": {"startedAt": timestamp(since)}}
        case Terminated(code, since, at):
            ended = {"exitCode": code, "reason": "Error" if code else "Completed"}
            times = {"startedAt": timestamp(since), "finishedAt": timestamp(at)}
            return {"terminated": {**ended, **times, "containerID": _identity(pod)}}


def _identity(pod: Pod) -> str:
    return f"containerd://{pod.uid.replace('-', '')}"


def _condition(name: str, since: datetime) -> Document:
    return {
        "type": name,
        "observedGeneration": 1,
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": timestamp(since),
    }


def _readiness(name: str, pod: Pod, ready: bool) -> Document:
    found = _condition(name, pod.ready_changed)
    if ready:
        return found
    said = f"containers with unready status: [{pod.template.container}]"
    return found | {"status": "False", "reason": "ContainersNotReady", "message": said}
