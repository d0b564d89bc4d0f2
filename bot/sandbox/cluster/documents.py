"""The shape of an Application's document, part by part, as Argo CD 3.5.1 writes it (fixtures/argocd, recordings)."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.sandbox.cluster.attempt import Retry
from bot.sandbox.cluster.manifest import Document, containers

REFRESH = "argocd.argoproj.io/refresh"
HISTORY = 10


def timestamp() -> str:
    """The time as Kubernetes writes it: whole seconds, UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new(name: str, source: Mapping[str, str], namespace: str, project: str, *, automated: bool) -> Document:
    """An Application that nobody has looked at yet: it has no status."""
    policy: Document = {"syncOptions": ["CreateNamespace=true"]}
    if automated:
        policy["automated"] = {"prune": True, "selfHeal": False}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "creationTimestamp": timestamp(),
            "generation": 1,
            "name": name,
            "namespace": "argocd",
            "resourceVersion": "1000",
            "uid": str(uuid.uuid4()),
        },
        "spec": {
            "destination": {"namespace": namespace, "server": "https://kubernetes.default.svc"},
            "project": project,
            "source": dict(source),
            "syncPolicy": policy,
        },
    }


def status(app: Document) -> Document:
    """The status; until the first comparison it is nearly empty."""
    compared = {"destination": {}, "source": {"repoURL": ""}}
    empty = {
        "health": {},
        "sourceHydrator": {},
        "summary": {},
        "sync": {"comparedTo": compared, "status": ""},
    }
    found: Document = app.setdefault("status", empty)
    return found


def compared(app: Document, word: str, revision: str) -> None:
    """Write `status.sync`, and all that comes with a comparison."""
    now, spec = status(app), app["spec"]
    now |= {"controllerNamespace": "argocd", "resourceHealthSource": "appTree", "sourceType": "Kustomize"}
    now["health"] = now["health"] or {"lastTransitionTime": timestamp(), "status": "Missing"}
    place = {"destination": dict(spec["destination"]), "source": dict(spec["source"])}
    now["sync"] = {"comparedTo": place, "revision": revision, "status": word}
    now["reconciledAt"] = timestamp()


def operation(app: Document, revision: str, retry: Retry | None = None) -> Document:
    """What an automated sync asks for; Argo CD's own way to retry needs no words."""
    policy = app["spec"]["syncPolicy"]
    asked = {"prune": True, "revision": revision, "source": dict(app["spec"]["source"])}
    return {
        "initiatedBy": {"automated": True},
        "retry": _policy(retry) if retry is not None else {"limit": 5},
        "sync": {**asked, "syncOptions": list(policy["syncOptions"])},
    }


def _policy(retry: Retry) -> Document:
    # The first wait is the duration times the factor (section (e)).
    backoff = {"duration": f"{retry.first / 2:g}s", "factor": 2, "maxDuration": "3m"}
    return {"backoff": backoff, "limit": retry.limit}


def results(wanted: Sequence[Document], problem: str) -> list[Document]:
    """`syncResult.resources` where the Deployment was rejected; the others are there as they were."""
    return [
        applied(item, "unchanged", problem if item.get("kind") == "Deployment" else "") for item in wanted
    ]


def running(asked: Document, started: str) -> Document:
    """`status.operationState` while objects are applied: nothing is known of the result yet."""
    return {"operation": asked, "phase": "Running", "startedAt": started}


def ended(before: Document, phase: str, message: str, resources: Sequence[Document]) -> Document:
    """`status.operationState` at the end."""
    asked = before["operation"]["sync"]
    result = {
        "resources": list(resources),
        "revision": asked["revision"],
        "source": dict(asked["source"]),
    }
    return {**before, "finishedAt": timestamp(), "message": message, "phase": phase, "syncResult": result}


def remembered(app: Document, revision: str, started: str) -> list[Document]:
    """The history with one more entry; the oldest ones are forgotten."""
    history = status(app).get("history", [])
    entry = {
        "deployStartedAt": started,
        "deployedAt": timestamp(),
        "id": history[-1]["id"] + 1 if history else 0,
        "initiatedBy": {"automated": True},
        "revision": revision,
        "source": dict(app["spec"]["source"]),
    }
    return [*history, entry][-HISTORY:]


def resources(wanted: Sequence[Document], live: Sequence[Document]) -> list[Document]:
    """`status.resources`: which of the wanted objects are there as wanted. The core group has no name there."""
    found = [_identity(item) | {"status": "Synced" if item in live else "OutOfSync"} for item in wanted]
    return [{key: value for key, value in item.items() if value} for item in found]


def applied(document: Document, how: str, problem: str = "") -> Document:
    """An entry of `syncResult.resources`; images are named for workloads, also when the object was rejected."""
    identity = _identity(document)
    plural = identity["kind"].lower() + (f".{identity['group']}" if identity["group"] else "")
    images = [str(container.get("image", "")) for container in containers(document)]
    return {
        **identity,
        **({"images": images} if images else {}),
        "hookPhase": "Failed" if problem else "Running",
        "message": problem or f"{plural}/{identity['name']} {how}",
        "status": "SyncFailed" if problem else "Synced",
        "syncPhase": "Sync",
    }


def begin(app: Document, asked: Document) -> None:
    """An operation begins: what is known of the one before is gone."""
    app["operation"] = asked
    status(app).pop("operationState", None)


def retrying(app: Document, said: str, resources: Sequence[Document], number: int) -> None:
    """Between two tries `phase` is Running although `finishedAt` is set: the trap of section (e)."""
    now = status(app)
    at = datetime.now(UTC).strftime("%I:%M%p").lstrip("0")
    message = f"{said}. Retrying attempt #{number} at {at}."
    state = ended(now["operationState"], "Running", message, resources)
    now["operationState"] = state | {"retryCount": number}


def again(app: Document, number: int) -> None:
    """The next try begins."""
    state = status(app)["operationState"]
    state.pop("finishedAt", None)
    state["message"] = f"Retrying operation. Attempt #{number}"


def end(app: Document, phase: str, message: str, resources: Sequence[Document]) -> None:
    """The operation has ended."""
    app.pop("operation", None)
    now = status(app)
    now["operationState"] = ended(now["operationState"], phase, message, resources)


def condition(type_: str, message: str) -> Document:
    """An entry of `status.conditions`."""
    return {"lastTransitionTime": timestamp(), "message": message, "type": type_}


def _identity(document: Document) -> dict[str, Any]:
    group, _, version = str(document.get("apiVersion", "v1")).rpartition("/")
    metadata = document["metadata"]
    return {
        "group": group,
        "version": version,
        "kind": document["kind"],
        "name": metadata["name"],
        "namespace": metadata.get("namespace", ""),
    }
