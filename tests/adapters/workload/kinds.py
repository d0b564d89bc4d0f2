"""Documents of workloads that are not Deployments, in the shape that their controllers write."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.core.target import Workload, WorkloadKind
from bot.core.verdict import Claim
from tests.adapters.workload.situations import Situation

OLD, NEW = "ghcr.io/acme/churn:v1", "ghcr.io/acme/churn:v2"
MERGED = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


def at(seconds: float) -> str:
    """A time so long after the merge, as the API writes it."""
    return f"{MERGED + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


def template(image: str, **annotations: str) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": "churn"}, "annotations": annotations},
        "spec": {"containers": [{"name": "server", "image": image}]},
    }


def owned(owner: str, kind: str) -> list[dict[str, Any]]:
    return [{"kind": kind, "name": owner, "uid": f"uid-{owner}", "controller": True}]


def document(kind: str, name: str, spec: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Any]:
    """The workload itself; its status has seen generation 2."""
    return {
        "kind": kind,
        "metadata": {"name": name, "uid": f"uid-{name}", "generation": 2, "creationTimestamp": at(-9000)},
        "spec": {"selector": {"matchLabels": {"app": "churn"}}, **spec},
        "status": {"observedGeneration": 2, **status},
    }


def replica_set(name: str, image: str, owner: str, number: int, made: float, **labels: str) -> dict[str, Any]:
    prefix = "rollout.argoproj.io" if "rollouts-pod-template-hash" in labels else "deployment.kubernetes.io"
    return {
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "creationTimestamp": at(made),
            "labels": {"app": "churn", **labels},
            "annotations": {f"{prefix}/revision": str(number)},
            "ownerReferences": owned(owner, "Any"),
        },
        "spec": {"template": template(image), "selector": {"matchLabels": {"app": "churn", **labels}}},
    }


def controller_revision(
    name: str, image: str, owner: str, number: int, made: float, hash_: str
) -> dict[str, Any]:
    return {
        "kind": "ControllerRevision",
        "metadata": {
            "name": name,
            "creationTimestamp": at(made),
            "labels": {"app": "churn", "controller-revision-hash": hash_},
            "ownerReferences": owned(owner, "Any"),
        },
        "data": {"spec": {"template": {**template(image), "$patch": "replace"}}},
        "revision": number,
    }


def pod(name: str, owner: str, made: float, ready: float | None, **labels: str) -> dict[str, Any]:
    """A pod that was ready after so many seconds, or never."""
    state = {"running": {"startedAt": at(made + 1)}}
    return {
        "kind": "Pod",
        "metadata": {
            "name": name,
            "creationTimestamp": at(made),
            "labels": {"app": "churn", **labels},
            "ownerReferences": owned(owner, "Any"),
        },
        "spec": template(NEW)["spec"],
        "status": {
            "phase": "Running",
            "conditions": [
                {
                    "type": "Ready",
                    "status": "False" if ready is None else "True",
                    "lastTransitionTime": at(made if ready is None else ready),
                }
            ],
            "containerStatuses": [{"name": "server", "restartCount": 0, "state": state, "lastState": {}}],
        },
    }


def asked(kind: WorkloadKind, documents: list[dict[str, Any]], seconds: float, **claimed: Any) -> Situation:
    """A claim about the new image, merged at `MERGED`: 10 s to settle, 10 minutes to the deadline."""
    claim = {"image": NEW, "settle": timedelta(seconds=10), "deadline": timedelta(minutes=10), **claimed}
    workload = Workload(kind, "churn", "ml")
    return Situation(documents, Claim("c" * 40, merged_at=MERGED, **claim), MERGED + timedelta(seconds=seconds), workload)  # fmt: skip
