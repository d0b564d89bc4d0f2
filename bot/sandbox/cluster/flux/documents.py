"""The shapes of Flux' objects as its controllers write them (fixtures/flux, recordings)."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from bot.sandbox.cluster.flux.plan import Plan
from bot.sandbox.cluster.kubernetes.api import CannotPatch, merged
from bot.sandbox.cluster.kubernetes.store import (
    GIT_REPOSITORIES,
    KUSTOMIZATIONS,
    Resource,
    new_metadata,
    timestamp,
)
from bot.sandbox.cluster.manifest import Document

REQUESTED = "reconcile.fluxcd.io/requestedAt"
HISTORY = 5


def duration(seconds: float) -> str:
    """As Go writes it: `10m`, `30s`."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f}m" if minutes and not rest else f"{seconds:g}s"


def new_source(plan: Plan, url: str) -> Document:
    """A GitRepository that nobody has looked at."""
    spec = {
        "interval": duration(plan.source_interval),
        "ref": {"branch": plan.branch},
        "timeout": "20s",
        "url": url,
    }
    return _new(GIT_REPOSITORIES, plan.source, plan.namespace, spec)


def new_kustomization(plan: Plan) -> Document:
    """A Kustomization that nobody has looked at."""
    spec: Document = {
        "force": False,
        "interval": duration(plan.interval),
        "path": f"./{plan.path}",
        "prune": True,
        "sourceRef": {"kind": "GitRepository", "name": plan.source},
        "targetNamespace": plan.target_namespace,
        "timeout": duration(plan.timeout),
    }
    if plan.retry_interval is not None:
        spec["retryInterval"] = duration(plan.retry_interval)
    if plan.wait:
        spec["wait"] = True
    return _new(KUSTOMIZATIONS, plan.name, plan.namespace, spec)


def _new(resource: Resource, name: str, namespace: str, spec: Document) -> Document:
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": new_metadata(name, namespace, finalizers=["finalizers.fluxcd.io"]),
        "spec": spec,
        "status": {"observedGeneration": -1},
    }


def say(document: Document, kind: str, status: str, reason: str, message: str) -> None:
    """Set a condition in its place; its time moves when its status does."""
    conditions = document["status"].setdefault("conditions", [])
    before = next((item for item in conditions if item["type"] == kind), None)
    now = timestamp()
    condition = {
        "lastTransitionTime": now,
        "message": message,
        "observedGeneration": document["metadata"]["generation"],
        "reason": reason,
        "status": status,
        "type": kind,
    }
    if before is None:
        order = ("Reconciling", "Ready", "FetchFailed", "Healthy", "ArtifactInStorage", "ArtifactOutdated")
        document["status"]["conditions"] = sorted(
            [*conditions, condition], key=lambda item: order.index(item["type"])
        )
        return
    if before["status"] == status:
        condition["lastTransitionTime"] = before["lastTransitionTime"]
    before.update(condition)


def drop(document: Document, *kinds: str) -> None:
    """Take conditions away."""
    kept = [item for item in document["status"].get("conditions", []) if item["type"] not in kinds]
    document["status"]["conditions"] = kept


def artifact(plan: Plan, commit: str) -> Document:
    """What the source controller stored of a commit."""
    path = f"gitrepository/{plan.namespace}/{plan.source}/{commit}.tar.gz"
    return {
        "digest": f"sha256:{hashlib.sha256(commit.encode()).hexdigest()}",
        "lastUpdateTime": timestamp(),
        "path": path,
        "revision": revision(plan, commit),
        "size": 1024,
        "url": f"http://source-controller.flux-system.svc.cluster.local./{path}",
    }


def revision(plan: Plan, commit: str) -> str:
    """`main@sha1:<40 hex>`."""
    return f"{plan.branch}@sha1:{commit}"


def commit_of(revision_: str) -> str:
    """The commit that a revision names."""
    return revision_.rpartition(":")[2]


def inventory(documents: Sequence[Document]) -> Document:
    """What was applied, as `<namespace>_<name>_<group>_<kind>`."""
    entries = []
    for item in documents:
        group, _, version = str(item.get("apiVersion", "v1")).rpartition("/")
        metadata = item["metadata"]
        identity = f"{metadata.get('namespace', '')}_{metadata['name']}_{group}_{item['kind']}"
        entries.append({"id": identity, "v": version})
    return {"entries": entries}


def digest(documents: Sequence[Document]) -> str:
    """The digest of what was built: the same manifests have the same, in whatever commit."""
    text = json.dumps(list(documents), sort_keys=True, default=str)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def remembered(
    history: list[Document], built: str, revision_: str, status: str, took: float
) -> list[Document]:
    """The history, newest first, with one entry for each digest and status: a no-op overwrites the revision (06)."""
    before = next(
        (item for item in history if (item["digest"], item["lastReconciledStatus"]) == (built, status)), None
    )
    now = timestamp()
    entry: dict[str, Any] = {
        "digest": built,
        "firstReconciled": before["firstReconciled"] if before else now,
        "lastReconciled": now,
        "lastReconciledDuration": f"{took:.9f}s",
        "lastReconciledStatus": status,
        "metadata": {"revision": revision_},
        "totalReconciliations": (before["totalReconciliations"] if before else 0) + 1,
    }
    return [entry, *(item for item in history if item is not before)][:HISTORY]


def accept(change: Document) -> None:
    """Raise CannotPatch for what the sandbox does not act on: only annotations and `spec.suspend`."""
    known = set(change) <= {"metadata", "spec", "apiVersion", "kind"} and set(change.get("spec") or {}) <= {
        "suspend"
    }
    if not known or not set(change.get("metadata") or {}) <= {"annotations"}:
        raise CannotPatch("the sandbox patches annotations and spec.suspend")


def patched(document: Document, change: Document) -> None:
    """Merge an accepted change; another spec is another generation."""
    annotate(document, (change.get("metadata") or {}).get("annotations") or {})
    spec = merged(document["spec"], change.get("spec") or {})
    if spec != document["spec"]:
        document["spec"] = spec
        document["metadata"]["generation"] += 1


def annotate(document: Document, annotations: Document) -> None:
    """Merge annotations."""
    kept = merged(document["metadata"].pop("annotations", {}), annotations)
    if kept:
        document["metadata"]["annotations"] = kept
