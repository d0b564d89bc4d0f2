"""An Application document as the judge reads it: the fields that matter, whatever else is missing or of a wrong kind.

What each field means, and which ones mislead: fixtures/argocd/README.md, sections (a) and (b).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.core.fields import child, maps, moment, text, texts
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
    refresh: bool = False  # whether its next try takes the newest commit

    @property
    def retrying(self) -> bool:
        """Whether a try of it has failed and another one follows: `finishedAt` says nothing while it is Running."""
        return self.phase == "Running" and (self.retries > 0 or self.finished is not None)


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
    status, metadata, spec = (child(document, key) for key in ("status", "metadata", "spec"))
    sync, health = child(status, "sync"), child(status, "health")
    source = _source(document, claim)
    return Application(
        name=text(metadata, "name") or "without a name",
        deleting=bool(metadata.get("deletionTimestamp")),
        requested=bool(document.get("operation")),
        refreshing=REFRESH in child(metadata, "annotations"),
        automated=is_automated(spec),
        sync=text(sync, "status"),
        revision=_revision(sync, source),
        health=text(health, "status"),
        health_since=moment(health, "lastTransitionTime"),
        reconciled=moment(status, "reconciledAt"),
        images=texts(child(status, "summary").get("images")),
        operation=_operation(document, source),
        history=tuple(
            Applied(_revision(entry, source), moment(entry, "deployStartedAt"))
            for entry in maps(status, "history")
        ),
        errors=tuple(
            (text(condition, "type"), text(condition, "message"))
            for condition in maps(status, "conditions")
            if text(condition, "type") in _ERRORS
        ),
        unhealthy=tuple(filter(None, (_unhealthy(item) for item in maps(status, "resources")))),
    )


def is_stuck(document: Mapping[str, Any]) -> bool:
    """Whether a sync is tried again and again though the Application is compared with another commit by now (04c, 04e)."""
    compared = _commits(child(child(document, "status"), "sync"))
    operation = _operation(document, None)
    if operation is None or not operation.retrying or operation.refresh:
        return False
    state = child(child(document, "status"), "operationState")
    tried = _commits(child(state, "syncResult")) or _commits(child(child(state, "operation"), "sync"))
    return bool(tried and compared) and tried != compared


def version(document: Mapping[str, Any]) -> str:
    """The `resourceVersion` that a patch carries to say which state it is meant for."""
    return text(child(document, "metadata"), "resourceVersion")


def _source(document: Mapping[str, Any], claim: Claim) -> int | None:
    """Which of several sources holds the commit: by its address, else by where a commit of the claim stands."""
    sources = maps(child(document, "spec"), "sources")
    if not sources:
        return None
    if claim.repository_url:
        wanted = _address(claim.repository_url)
        found = [i for i, item in enumerate(sources) if _address(text(item, "repoURL")) == wanted]
        if found:
            return found[0]
    commits = {claim.commit, *claim.contains, *claim.later}
    status = child(document, "status")
    state = child(status, "operationState")
    asked = child(child(state, "operation"), "sync")
    holders = (child(status, "sync"), child(state, "syncResult"), asked, *reversed(maps(status, "history")))
    places = (i for holder in holders for i, commit in enumerate(_commits(holder)) if commit in commits)
    return next(places, -1)


def _commits(holder: Mapping[str, Any]) -> tuple[str, ...]:
    """What stands in `revisions`, in the order of the sources, or alone in `revision`."""
    several = texts(holder.get("revisions"))
    return several or tuple(filter(None, (text(holder, "revision"),)))


def _address(url: str) -> str:
    """Host and path: one repository may be written `https://host/path.git` and `git@host:path`."""
    plain = url.strip().lower().rstrip("/").removesuffix(".git")
    scheme, separator, rest = plain.partition("://")
    if not separator:
        rest = scheme.replace(":", "/", 1)
    host, slash, path = rest.rpartition("@")[2].partition("/")
    port = host.rpartition(":")[2] if scheme in ("http", "https") and ":" in host else ""
    return f"{host.partition(':')[0]}{':' if port else ''}{port}{slash}{path}"


def _revision(holder: Mapping[str, Any], source: int | None) -> str | None:
    """A commit; in place of one a branch name stands there while nothing could be compared."""
    value: Any = holder.get("revision")
    if source is not None:
        several = holder.get("revisions")
        value = several[source] if isinstance(several, list) and 0 <= source < len(several) else None
    return value if isinstance(value, str) and _SHA.match(value) else None


def _operation(document: Mapping[str, Any], source: int | None) -> Operation | None:
    state, requested = child(child(document, "status"), "operationState"), child(document, "operation")
    if not state:
        # The state of the one before is cleared up to half a second before that of the new one appears.
        next_one = _revision(child(requested, "sync"), source)
        return Operation("Running", next_one, None, None, "", 0, ()) if requested else None
    result, asked = child(state, "syncResult"), child(child(state, "operation"), "sync")
    retries, policy = state.get("retryCount"), child(child(state, "operation"), "retry")
    return Operation(
        phase=text(state, "phase"),
        # A retry may take a newer commit than was asked for, so the result goes first (recording 04d).
        revision=_revision(result, source) or _revision(asked, source),
        started=moment(state, "startedAt"),
        finished=moment(state, "finishedAt"),
        message=text(state, "message"),
        retries=retries if isinstance(retries, int) else 0,
        images=tuple(image for item in maps(result, "resources") for image in texts(item.get("images"))),
        refresh=policy.get("refresh") is True,
    )


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
