"""An Application: its document, and the order of states that the real Argo CD goes through (fixtures/argocd, README).

A bump with a webhook shows, in this order: annotation `refresh`; `operation` set while the old revision still says
Synced; OutOfSync at the new revision; phase Running; history grows; phase Succeeded, still OutOfSync with the old
health; Synced and Progressing in one step; both images; Healthy; the new image alone (02-image-bump).
"""

import copy
import threading
import time
from collections.abc import Callable
from typing import Any

from bot.sandbox.cluster import documents
from bot.sandbox.cluster.attempt import Attempt, Retry
from bot.sandbox.cluster.deployment import deployment_of, rejection, spec_of
from bot.sandbox.cluster.documents import REFRESH, status, timestamp
from bot.sandbox.cluster.flux.documents import annotate
from bot.sandbox.cluster.kubernetes.api import CannotPatch
from bot.sandbox.cluster.kubernetes.rollout import Rollout
from bot.sandbox.cluster.manifest import CannotRender, Document
from bot.sandbox.cluster.record import Record
from bot.sandbox.cluster.render import render
from bot.sandbox.cluster.repo import GitFailed, Repo
from bot.sandbox.cluster.workload import Spec

Limits = Callable[[], tuple[float, float]]
"""At most how long a pod must be ready before it counts, and how long a rollout may take; in seconds."""


class Application:
    """One Application with at most one Deployment.

    `look` and `advance` belong to one thread and `tick` to another; readers take copies.

    Two traps can be set at any time: `slow_look`, the seconds between a request and the look that answers it, in which
    the old revision is Synced and Healthy; and `retry`, how a rejected commit is tried again (None: Argo CD's own way).
    """

    def __init__(self, document: Document, repo: Repo, rollout: Rollout, limits: Limits) -> None:
        """Not yet compared with git."""
        self.name, self.rollout = str(document["metadata"]["name"]), rollout
        self.workload = rollout.workload
        self.source: dict[str, str] = document["spec"]["source"]
        self.retry: Retry | None = None
        self.slow_look = 0.0
        self._record, self._repo, self._limits = Record(document), repo, limits
        self._namespace = str(document["spec"]["destination"]["namespace"])
        self._automated = "automated" in document["spec"]["syncPolicy"]
        self._applied: list[Document] | None = None
        self._refused: tuple[str, list[Document]] | None = None
        self._syncing = False
        self._attempt: Attempt | None = None
        self._terminating = threading.Event()

    # --- for readers ---

    def document(self) -> Document:
        """A copy as it stands."""
        return self._record.document()

    @property
    def states(self) -> list[tuple[str, str, str, str]]:
        """The last ones that it went through, oldest first: sync, revision, health, phase."""
        return list(self._record.states)

    def resources(self) -> list[tuple[Document, str, str]]:
        """What was applied last, each with its health and a message."""
        health, message = self.rollout.health()
        return [
            (
                copy.deepcopy(item),
                *((health, message) if item.get("kind") == "Deployment" else ("Healthy", "")),
            )
            for item in self._applied or []
        ]

    def request_refresh(self, how: str) -> int:
        """What a webhook and `?refresh=` do: an annotation, which the controller takes away when it has looked.

        Returns a number: `looked_at` is true of it when a look that began later has ended.
        """
        return self._record.ask(how)

    def looked_at(self, number: int) -> bool:
        """Whether this request has been answered."""
        return self._record.answered >= number

    @property
    def refreshing(self) -> bool:
        """Whether a request waits."""
        return self._record.asked > self._record.answered

    def patch(self, change: Document) -> None:
        """Act on a merge patch: annotations, and `phase: Terminating` of a running operation. Raises CannotPatch."""
        metadata, state = change.get("metadata") or {}, change.get("status") or {}
        phase = (state.get("operationState") or {}).get("phase")
        if set(change) - {"metadata", "status", "apiVersion", "kind"} or phase not in (None, "Terminating"):
            raise CannotPatch("the sandbox patches annotations, and a running operation to Terminating")
        annotations = metadata.get("annotations") or {}
        self._record.change(lambda app: annotate(app, annotations))
        if annotations.get(REFRESH):
            self.request_refresh(str(annotations[REFRESH]))
        if phase == "Terminating":
            self.terminate()

    def terminate(self) -> bool:
        """End the operation that runs; False when none does."""
        if self._attempt is None:
            return False
        self._record.change(lambda app: status(app).get("operationState", {}).update(phase="Terminating"))
        self._terminating.set()
        return True

    # --- the controller ---

    def tick(self) -> None:
        """Let the pods move, and tell of it."""
        self.rollout.tick()
        if not self._syncing:
            self._tell_of_pods()

    def look(self) -> None:
        """Compare with the branch's head now, and sync if that is automated."""
        asked = self._record.asked
        try:
            head = self._repo.head(self.source["targetRevision"])
            wanted = render(lambda path: self._repo.read(head, path), self.source["path"])
            spec = self._spec(wanted)
        except (GitFailed, CannotRender) as problem:
            said = str(problem)
            self._record.change(lambda app: self._unknown(app, said), asked)
            return
        differs = wanted != self._applied
        free = self._attempt is None and self._refused != (head, wanted)
        if differs and self._automated and free:
            self._sync(head, wanted, spec, asked)
        else:
            word = "OutOfSync" if differs else "Synced"
            self._record.change(lambda app: self._compared(app, word, head, wanted), asked)

    def _spec(self, wanted: list[Document]) -> Spec | None:
        deployment = deployment_of(wanted)
        if deployment is None:
            return None
        min_ready, deadline = self._limits()
        return spec_of(deployment, self._namespace, min_ready=min_ready, deadline=deadline)

    def _unknown(self, app: Document, problem: str) -> None:
        """The comparison failed: revision is the branch's name, health stays what it was (fixtures/argocd, 05)."""
        documents.compared(app, "Unknown", self.source["targetRevision"])
        said = f"Failed to load target state: {problem}"
        status(app)["conditions"] = [documents.condition("ComparisonError", said)]

    def _compared(self, app: Document, word: str, head: str, wanted: list[Document]) -> None:
        now = status(app)
        moved = now["sync"].get("revision") != head
        if moved or any(item["type"] != "SyncError" for item in now.get("conditions", [])):
            now.pop("conditions", None)
        documents.compared(app, word, head)
        now["resources"] = documents.resources(wanted, self._applied or [])

    def _sync(self, head: str, wanted: list[Document], spec: Spec | None, asked: int) -> None:
        """One operation, state by state."""
        self._syncing = True
        try:
            started, operation = timestamp(), documents.operation(self.document(), head, self.retry)
            self._attempt = Attempt(head, wanted, spec, started, self.retry or Retry())
            self._record.change(lambda app: documents.begin(app, operation))
            self._record.change(lambda app: self._compared(app, "OutOfSync", head, wanted), asked)
            self._set("operationState", documents.running(operation, started))
            self._try(self._attempt)
        finally:
            self._syncing = False

    def advance(self) -> None:
        """Go on with an operation that failed: end it when told to, try it again when that is due.

        Until it has ended, newer commits are compared and not synced (fixtures/argocd, 04c).
        """
        attempt = self._attempt
        if attempt is None:
            return
        if self._terminating.is_set():
            self._end_failed(attempt, "Operation terminated", [])
        elif time.monotonic() >= attempt.due:
            self._record.change(lambda app: documents.again(app, attempt.tries))
            self._try(attempt)
        if self._attempt is None:
            self.look()

    def _try(self, attempt: Attempt) -> None:
        problem = rejection(attempt.wanted)
        if problem is None:
            self._succeeded(attempt, moves=self.rollout.apply(attempt.spec))
            return
        results = documents.results(attempt.wanted, problem)
        said = f"one or more synchronization tasks completed unsuccessfully, reason: {problem}"
        if attempt.tries < attempt.retry.limit:
            attempt.wait()
            self._record.change(lambda app: documents.retrying(app, said, results, attempt.tries))
            return
        self._refused = (attempt.head, attempt.wanted)
        self._end_failed(
            attempt, f"{said} (retried {attempt.tries} times)." if attempt.tries else said, results
        )

    def _succeeded(self, attempt: Attempt, *, moves: bool) -> None:
        head, wanted = attempt.head, attempt.wanted
        how = "configured" if self._applied else "created"
        results = [documents.applied(document, how) for document in wanted]
        self._applied, self._attempt = wanted, None
        entries = documents.remembered(self.document(), head, attempt.started)
        self._set("history", entries)
        self._record.change(
            lambda app: documents.end(app, "Succeeded", "successfully synced (all tasks run)", results)
        )
        self._record.change(lambda app: self._synced(app, wanted, moves))
        self._set("reconciledAt", timestamp())

    def _end_failed(self, attempt: Attempt, said: str, results: list[Document]) -> None:
        """The condition comes only where this commit is still the one to be synced (fixtures/argocd, 04 and 04c)."""
        self._attempt = None
        self._terminating.clear()
        self._record.change(lambda app: documents.end(app, "Failed", said, results))
        sync = self.document()["status"]["sync"]
        if (sync["status"], sync["revision"]) == ("OutOfSync", attempt.head):
            said = f"Failed last sync attempt to [{attempt.head}]: {said}"
            self._set("conditions", [documents.condition("SyncError", said)])
        self._set("reconciledAt", timestamp())

    def _synced(self, app: Document, wanted: list[Document], moves: bool) -> None:
        """Sync and health change in one step: the old Healthy is never seen between them (section (b))."""
        now = status(app)
        now["sync"]["status"] = "Synced"
        now["resources"] = documents.resources(wanted, wanted)
        self._set_health(app, "Progressing" if moves else self.rollout.health()[0])

    def _tell_of_pods(self) -> None:
        if self._applied is None:
            return
        images, (health, _) = self.workload.images(), self.rollout.health()

        def change(app: Document) -> None:
            status(app)["summary"] = {"images": images} if images else {}
            self._set_health(app, health)

        self._record.change(change)

    def _set_health(self, app: Document, word: str) -> None:
        if status(app)["health"].get("status") != word:
            status(app)["health"] = {"lastTransitionTime": timestamp(), "status": word}

    def _set(self, key: str, value: Any) -> None:
        self._record.change(lambda app: status(app).__setitem__(key, value))
