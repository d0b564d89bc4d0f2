"""The last sync operation of an Application: what it applied, how it ended, or what it waits for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.adapters.argocd.revisions import revision_in
from bot.core.fields import child, maps, moment, text, texts
from bot.core.outages import is_outage

# gitops-engine says so while a wave of objects, or a hook, keeps it from going on: for ever, if need be.
_WAITING = re.compile(r"waiting for (?:healthy state|completion) of ")
_WORKLOAD = re.compile(r"waiting for healthy state of apps/(?:Deployment|StatefulSet|DaemonSet)/")


@dataclass(frozen=True, slots=True)
class Operation:
    """The last sync: `revision` is what it applied, or was asked to apply as long as nothing is known of the result.

    `complaints` are about the objects that it could not apply, and the hooks that failed.
    """

    phase: str
    revision: str | None
    started: datetime | None
    finished: datetime | None
    message: str
    retries: int
    images: tuple[str, ...]
    refresh: bool = False  # whether its next try takes the newest commit
    complaints: tuple[str, ...] = ()

    @property
    def retrying(self) -> bool:
        """Whether a try of it has failed and another one follows: `finishedAt` says nothing while it is Running."""
        return self.phase == "Running" and (self.retries > 0 or self.finished is not None)

    @property
    def waiting(self) -> bool:
        """Whether it waits for objects to become healthy, or for a hook; Argo CD itself sets it no time."""
        return self.phase == "Running" and not self.retrying and _WAITING.match(self.message) is not None

    @property
    def waits_for_pods(self) -> bool:
        """Whether it is a workload that it waits for."""
        return self.waiting and _WORKLOAD.match(self.message) is not None

    @property
    def innocent(self) -> bool:
        """Whether it failed for a reason that is none of the manifests."""
        return is_outage(" ".join((self.message, *self.complaints)))


def read_operation(document: Mapping[str, Any], source: int | None) -> Operation | None:
    """That of a document, with the revision of this source; None where there was none. Never raises."""
    state, requested = child(child(document, "status"), "operationState"), child(document, "operation")
    if not state:
        # The state of the one before is cleared up to half a second before that of the new one appears.
        next_one = revision_in(child(requested, "sync"), source)
        return Operation("Running", next_one, None, None, "", 0, ()) if requested else None
    result, asked = child(state, "syncResult"), child(child(state, "operation"), "sync")
    retries, policy = state.get("retryCount"), child(child(state, "operation"), "retry")
    return Operation(
        phase=text(state, "phase"),
        # A retry may take a newer commit than was asked for, so the result goes first (recording 04d).
        revision=revision_in(result, source) or revision_in(asked, source),
        started=moment(state, "startedAt"),
        finished=moment(state, "finishedAt"),
        message=text(state, "message"),
        retries=retries if isinstance(retries, int) else 0,
        images=tuple(image for item in maps(result, "resources") for image in texts(item.get("images"))),
        refresh=policy.get("refresh") is True,
        complaints=tuple(filter(None, (_complaint(item) for item in maps(result, "resources")))),
    )


def _complaint(item: Mapping[str, Any]) -> str:
    """Older versions say in the operation only that something failed, and here what."""
    failed = text(item, "status") == "SyncFailed" or text(item, "hookPhase") in ("Failed", "Error")
    message = text(item, "message")
    return f"{text(item, 'kind')} {text(item, 'name')}: {message}" if failed and message else ""
