"""An Application document as the judge reads it: the fields that matter, whatever else is missing or of a wrong kind.

What each field means, and which ones mislead: fixtures/argocd/README.md, sections (a) and (b).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.adapters.argocd.operation import Operation, read_operation
from bot.adapters.argocd.revisions import commits_in, hydrated, revision_in, source_of
from bot.core.fields import child, maps, moment, text, texts
from bot.core.verdict import Claim

REFRESH = "argocd.argoproj.io/refresh"
_ERRORS = ("ComparisonError", "InvalidSpecError", "UnknownError", "SyncError", "DeletionError")


@dataclass(frozen=True, slots=True)
class Applied:
    """One entry of the history: a full sync that succeeded."""

    revision: str | None
    started: datetime | None


@dataclass(frozen=True, slots=True)
class Application:
    """One object read. Times are UTC with whole seconds; a `revision` that is no commit (a branch) is None.

    `images` are those of the live pods, of the old ones and of hooks too. `unhealthy` names resources that are not well,
    where the document tells (only the API's answer about a single Application does).
    """

    name: str
    deleting: bool
    requested: bool  # an operation is set that the controller has not ended
    refreshing: bool
    automated: bool
    sync: str
    revision: str | None
    health: str
    health_since: datetime | None  # when the health became what it is
    reconciled: datetime | None
    images: tuple[str, ...]
    operation: Operation | None
    history: tuple[Applied, ...]
    errors: tuple[tuple[str, str], ...]
    unhealthy: tuple[str, ...]
    children: tuple[str, ...] = ()  # other Applications that it deploys
    out_of_sync: tuple[str, ...] = ()  # what differs from git
    not_hydrated: str = ""  # why the source hydrator has not rendered its newest commit

    @property
    def busy(self) -> bool:
        """Whether an operation is under way. Between retries `finishedAt` is set, but the phase stays Running."""
        running = self.operation is not None and self.operation.phase in ("Running", "Terminating")
        return self.requested or running

    def error(self, *types: str) -> str | None:
        """The message of the first condition of one of these types."""
        return next((message for type_, message in self.errors if type_ in types), None)


def read(document: Mapping[str, Any], claim: Claim) -> Application:
    """The document, with the revisions of the source that holds the claim's commit. Never raises."""
    status, metadata, spec = (child(document, key) for key in ("status", "metadata", "spec"))
    sync, health = child(status, "sync"), child(status, "health")
    source = source_of(document, claim)
    document = hydrated(document)
    status, sync = child(document, "status"), child(document, "status", "sync")
    return Application(
        name=text(metadata, "name") or "without a name",
        deleting=bool(metadata.get("deletionTimestamp")),
        requested=bool(document.get("operation")),
        refreshing=REFRESH in child(metadata, "annotations"),
        automated=is_automated(spec),
        sync=text(sync, "status"),
        revision=revision_in(sync, source),
        health=text(health, "status"),
        health_since=moment(health, "lastTransitionTime"),
        reconciled=moment(status, "reconciledAt"),
        images=texts(child(status, "summary").get("images")),
        operation=read_operation(document, source),
        history=tuple(
            Applied(revision_in(entry, source), moment(entry, "deployStartedAt"))
            for entry in maps(status, "history")
        ),
        errors=tuple(
            (text(condition, "type"), text(condition, "message"))
            for condition in maps(status, "conditions")
            if text(condition, "type") in _ERRORS
        ),
        unhealthy=tuple(filter(None, (_unhealthy(item) for item in maps(status, "resources")))),
        children=tuple(
            text(item, "name") for item in maps(status, "resources") if text(item, "kind") == "Application"
        ),
        not_hydrated=_not_hydrated(status),
        out_of_sync=tuple(
            f"{text(item, 'kind')} {text(item, 'name')}"
            for item in maps(status, "resources")
            if text(item, "status") == "OutOfSync"
        ),
    )


def _not_hydrated(status: Mapping[str, Any]) -> str:
    current = child(status, "sourceHydrator", "currentOperation")
    return text(current, "message") or "it does not say why" if text(current, "phase") == "Failed" else ""


def is_stuck(document: Mapping[str, Any]) -> bool:
    """Whether a sync is tried again and again, or waits for what may never come, behind another commit (04c, 04e)."""
    compared = commits_in(child(child(document, "status"), "sync"))
    operation = read_operation(document, None)
    if operation is None or not (operation.waiting or (operation.retrying and not operation.refresh)):
        return False
    state = child(child(document, "status"), "operationState")
    tried = commits_in(child(state, "syncResult")) or commits_in(child(child(state, "operation"), "sync"))
    return bool(tried and compared) and tried != compared


def version(document: Mapping[str, Any]) -> str:
    """The `resourceVersion` that a patch carries to say which state it is meant for."""
    return text(child(document, "metadata"), "resourceVersion")


def is_automated(spec: Mapping[str, Any]) -> bool:
    """Whether the spec asks for automated sync; `enabled: false` switches it off."""
    policy = child(spec, "syncPolicy")
    automated = policy.get("automated")
    return isinstance(automated, Mapping) and automated.get("enabled", True) is not False


def _unhealthy(resource: Mapping[str, Any]) -> str | None:
    health = child(resource, "health")
    status = text(health, "status")
    if status in ("", "Healthy"):
        return None
    message = text(health, "message")
    return f"{text(resource, 'kind')} {text(resource, 'name')} is {status}" + (
        f": {message}" if message else ""
    )
