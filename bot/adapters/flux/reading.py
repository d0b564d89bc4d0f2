"""Kustomization, source and HelmRelease as the judge reads them: the fields that matter, whatever else is missing.

What each field means, and which ones mislead: fixtures/flux/README.md, sections (a) and (b).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.adapters.flux.fields import NONE, Condition, commit_of, conditions, number
from bot.core.fields import child, maps, moment, text

SOURCES = ("GitRepository", "OCIRepository", "Bucket")
FAILURES = frozenset({"HealthCheckFailed", "ReconciliationFailed", "PruneFailed"})
# What Helm itself says of a release; every other reason is about what comes before it (helm-controller, Reconcile).
HELM_FAILURES = (
    "InstallFailed", "UpgradeFailed", "TestFailed", "RollbackSucceeded", "RollbackFailed",
    "UninstallSucceeded", "UninstallFailed",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """An entry of `status.history`: the newest run of one digest with one end, how often, from when and until when."""

    revision: str | None
    status: str
    times: int
    first: datetime | None
    newest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Kustomization:
    """`attempted` is set before anything is applied, `applied` after apply and the health checks that are configured."""

    name: str
    namespace: str
    deleting: bool
    suspended: bool
    current: bool  # whether the status is about the newest spec
    waits: bool
    source: tuple[str, str, str]  # kind, namespace, name
    attempted: str | None
    applied: str | None
    ready: Condition
    healthy: Condition | None  # None: no health check is configured
    reconciling: Condition
    stalled: Condition
    history: tuple[Run, ...]
    inventory: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """Where the commits come from; `fetched` is the newest one that was stored, at `fetched_at`."""

    name: str
    suspended: bool
    ready: Condition
    fetched: str | None
    fetched_at: datetime | None


@dataclass(frozen=True, slots=True)
class Installed:
    """An entry of a HelmRelease's history, newest first."""

    status: str
    action: str
    chart: str
    config: str


@dataclass(frozen=True, slots=True)
class Release:
    """A HelmRelease. `chart` is `lastAttemptedRevision`: a chart version, never a commit (section (a))."""

    name: str
    suspended: bool
    generation: int | None
    current: bool
    chart: str
    digested: (
        bool  # whether the chart comes from a registry, so that `+<12 hex>` in its version is of a digest
    )
    config: str
    ready: Condition
    reconciling: Condition
    stalled: Condition
    remediated: Condition
    history: tuple[Installed, ...]
    values: Mapping[str, Any]


def read_kustomization(document: Mapping[str, Any], source: Mapping[str, Any] | None) -> Kustomization:
    """Never raises. `source` is the document of its source, which knows the commit of an OCI artifact."""
    metadata, spec, status = (child(document, key) for key in ("metadata", "spec", "status"))
    known = conditions(status)
    return Kustomization(
        name=text(metadata, "name") or "without a name",
        namespace=text(metadata, "namespace"),
        deleting=bool(metadata.get("deletionTimestamp")),
        suspended=spec.get("suspend") is True,
        current=_current(metadata, status),
        waits=spec.get("wait") is True,
        source=source_of(document),
        attempted=_commit(text(status, "lastAttemptedRevision"), status, source),
        applied=_commit(text(status, "lastAppliedRevision"), status, source),
        ready=known.get("Ready", NONE),
        healthy=known.get("Healthy"),
        reconciling=known.get("Reconciling", NONE),
        stalled=known.get("Stalled", NONE),
        history=tuple(_run(entry) for entry in maps(status, "history")),
        inventory=tuple(text(entry, "id") for entry in maps(child(status, "inventory"), "entries")),
    )


def source_of(document: Mapping[str, Any]) -> tuple[str, str, str]:
    """Kind, namespace and name of the source that a Kustomization reads."""
    reference = child(child(document, "spec"), "sourceRef")
    home = text(child(document, "metadata"), "namespace")
    return text(reference, "kind"), text(reference, "namespace") or home, text(reference, "name")


def find(documents: Sequence[Mapping[str, Any]], kind: str, name: str = "") -> Mapping[str, Any] | None:
    """The first document of a kind, and of a name where one is given."""
    for item in documents:
        if item.get("kind") == kind and name in ("", text(child(item, "metadata"), "name")):
            return item
    return None


def read_source(document: Mapping[str, Any]) -> Source:
    """Never raises."""
    status = child(document, "status")
    artifact = child(status, "artifact")
    return Source(
        name=text(child(document, "metadata"), "name") or "without a name",
        suspended=child(document, "spec").get("suspend") is True,
        ready=conditions(status).get("Ready", NONE),
        fetched=_origin(artifact) or commit_of(artifact.get("revision")),
        fetched_at=moment(artifact, "lastUpdateTime"),
    )


def read_release(document: Mapping[str, Any]) -> Release:
    """Never raises."""
    metadata, spec, status = (child(document, key) for key in ("metadata", "spec", "status"))
    known = conditions(status)
    return Release(
        name=text(metadata, "name") or "without a name",
        suspended=spec.get("suspend") is True,
        generation=number(metadata, "generation"),
        current=_current(metadata, status),
        chart=text(status, "lastAttemptedRevision"),
        digested=bool(text(status, "lastAttemptedRevisionDigest")),
        config=text(status, "lastAttemptedConfigDigest"),
        ready=known.get("Ready", NONE),
        reconciling=known.get("Reconciling", NONE),
        stalled=known.get("Stalled", NONE),
        remediated=known.get("Remediated", NONE),
        history=tuple(
            Installed(*(text(entry, key) for key in ("status", "action", "chartVersion", "configDigest")))
            for entry in maps(status, "history")
        ),
        values=child(spec, "values"),
    )


def _current(metadata: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    generation = number(metadata, "generation")
    return generation is not None and number(status, "observedGeneration") == generation


def _run(entry: Mapping[str, Any]) -> Run:
    return Run(
        revision=_origin(entry) or commit_of(child(entry, "metadata").get("revision")),
        status=text(entry, "lastReconciledStatus"),
        times=number(entry, "totalReconciliations") or 0,
        first=moment(entry, "firstReconciled"),
        newest=moment(entry, "lastReconciled"),
    )


def _commit(revision: str, status: Mapping[str, Any], source: Mapping[str, Any] | None) -> str | None:
    """The git commit of a revision; that of an OCI artifact is told elsewhere (facts/products.md, section 2.1)."""
    if revision and revision == status.get("lastAppliedRevision") and status.get("lastAppliedOriginRevision"):
        return commit_of(status["lastAppliedOriginRevision"])
    artifact = child(child(source, "status"), "artifact") if source else {}
    if revision and revision == artifact.get("revision"):
        return _origin(artifact) or commit_of(revision)
    return commit_of(revision)


def _origin(holder: Mapping[str, Any]) -> str | None:
    metadata = child(holder, "metadata")
    return commit_of(metadata.get("org.opencontainers.image.revision")) or commit_of(
        metadata.get("originRevision")
    )
