"""An Application document as the judge reads it: the fields that matter, whatever else is missing or of a wrong kind.

What each field means, and which ones mislead: fixtures/argocd/README.md, sections (a) and (b).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.core.verdict import Claim

REFRESH = "argocd.argoproj.io/refresh"
_SHA = re.compile(r"[0-9a-f]{40}\Z")
_ERRORS = ("ComparisonError", "InvalidSpecError", "UnknownError", "SyncError", "DeletionError")


@dataclass(frozen=True, slots=True)
class Operation:
    """The last sync: `revision` is what it applied, or was asked to apply as long as nothing is known of the result."""

    phase: str
    revision: str | None
    started: datetime | None
    finished: datetime | None
    message: str
    retries: int
    images: tuple[str, ...]


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
    status, metadata, spec = (_map(document, key) for key in ("status", "metadata", "spec"))
    sync, health = _map(status, "sync"), _map(status, "health")
    source = _source(spec, sync, claim)
    return Application(
        name=_text(metadata, "name") or "without a name",
        deleting=bool(metadata.get("deletionTimestamp")),
        requested=bool(document.get("operation")),
        refreshing=REFRESH in _map(metadata, "annotations"),
        automated=_automated(spec),
        sync=_text(sync, "status"),
        revision=_revision(sync, source),
        health=_text(health, "status"),
        health_since=_time(health, "lastTransitionTime"),
        reconciled=_time(status, "reconciledAt"),
        images=_texts(_map(status, "summary").get("images")),
        operation=_operation(document, source),
        history=tuple(
            Applied(_revision(entry, source), _time(entry, "deployStartedAt"))
            for entry in _maps(status, "history")
        ),
        errors=tuple(
            (_text(condition, "type"), _text(condition, "message"))
            for condition in _maps(status, "conditions")
            if _text(condition, "type") in _ERRORS
        ),
        unhealthy=tuple(filter(None, (_unhealthy(item) for item in _maps(status, "resources")))),
    )


def _source(spec: Mapping[str, Any], sync: Mapping[str, Any], claim: Claim) -> int | None:
    """Which of several sources holds the commit: by its address, else by where a commit of the claim stands now."""
    sources = _maps(spec, "sources")
    if not sources:
        return None
    if claim.repository_url:
        wanted = _address(claim.repository_url)
        return next((i for i, item in enumerate(sources) if _address(_text(item, "repoURL")) == wanted), -1)
    commits = {claim.commit, *claim.contains, *claim.later}
    revisions = sync.get("revisions")
    known = revisions if isinstance(revisions, list) else []
    return next((i for i, revision in enumerate(known) if revision in commits), -1)


def _address(url: str) -> str:
    return url.strip().rstrip("/").removesuffix(".git").lower()


def _revision(holder: Mapping[str, Any], source: int | None) -> str | None:
    """A commit; in place of one a branch name stands there while nothing could be compared."""
    value: Any = holder.get("revision")
    if source is not None:
        several = holder.get("revisions")
        value = several[source] if isinstance(several, list) and 0 <= source < len(several) else None
    return value if isinstance(value, str) and _SHA.match(value) else None


def _operation(document: Mapping[str, Any], source: int | None) -> Operation | None:
    state, requested = _map(_map(document, "status"), "operationState"), _map(document, "operation")
    if not state:
        # The state of the one before is cleared up to half a second before that of the new one appears.
        next_one = _revision(_map(requested, "sync"), source)
        return Operation("Running", next_one, None, None, "", 0, ()) if requested else None
    result, asked = _map(state, "syncResult"), _map(_map(state, "operation"), "sync")
    retries = state.get("retryCount")
    return Operation(
        phase=_text(state, "phase"),
        # A retry may take a newer commit than was asked for, so the result goes first (recording 04d).
        revision=_revision(result, source) or _revision(asked, source),
        started=_time(state, "startedAt"),
        finished=_time(state, "finishedAt"),
        message=_text(state, "message"),
        retries=retries if isinstance(retries, int) else 0,
        images=tuple(image for item in _maps(result, "resources") for image in _texts(item.get("images"))),
    )


def _automated(spec: Mapping[str, Any]) -> bool:
    policy = _map(spec, "syncPolicy")
    automated = policy.get("automated")
    return isinstance(automated, Mapping) and automated.get("enabled", True) is not False


def _unhealthy(resource: Mapping[str, Any]) -> str | None:
    health = _map(resource, "health")
    status = _text(health, "status")
    if status in ("", "Healthy"):
        return None
    message = _text(health, "message")
    return f"{_text(resource, 'kind')} {_text(resource, 'name')} is {status}" + (
        f": {message}" if message else ""
    )


def _map(holder: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = holder.get(key)
    return value if isinstance(value, Mapping) else {}


def _maps(holder: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    value = holder.get(key)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _text(holder: Mapping[str, Any], key: str) -> str:
    value = holder.get(key)
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _time(holder: Mapping[str, Any], key: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(_text(holder, key))
        return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
