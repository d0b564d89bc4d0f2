"""An Application: its document, and the order of states that the real Argo CD goes through (fixtures/argocd, README).

A bump with a webhook shows, in this order: annotation `refresh`; `operation` set while the old revision still says
Synced; OutOfSync at the new revision; phase Running; history grows; phase Succeeded, still OutOfSync with the old
health; Synced and Progressing in one step; both images; Healthy; the new image alone (02-image-bump).
"""

import copy
import json
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from bot.sandbox.cluster.render import CannotRender, Document, containers, render
from bot.sandbox.cluster.repo import GitFailed, Repo
from bot.sandbox.cluster.workload import Workload, spec_of

REFRESH = "argocd.argoproj.io/refresh"
STEP = 0.05  # seconds between two states of one sync; the real ones are 10 to 700 ms apart
HISTORY = 10


def now() -> str:
    """The time as Kubernetes writes it: whole seconds, UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Application:
    """One Application with its one Deployment. `tick` is called again and again by one thread; readers take copies."""

    def __init__(
        self, name: str, *, source: dict[str, str], namespace: str, project: str, automated: bool, repo: Repo, workload: Workload, limits: Callable[[], tuple[float, float]]
    ) -> None:  # fmt: skip
        """Not yet compared with git."""
        self.name, self.workload = name, workload
        self._repo, self._source, self._limits = repo, source, limits
        self._lock = threading.Lock()
        self._applied: list[Document] | None = None
        self._failed_at: str | None = None
        self._version = 1000
        destination = {"namespace": namespace, "server": "https://kubernetes.default.svc"}
        policy = {"automated": {"prune": True, "selfHeal": True}} if automated else {}
        self._compared = {"destination": destination, "source": source}
        self._document: Document = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {
                "name": name, "namespace": "argocd", "uid": str(uuid.uuid4()), "creationTimestamp": now(), "generation": 1,
                "resourceVersion": "1000",
            },
            "spec": {"destination": destination, "project": project, "source": source, "syncPolicy": policy},
            "status": {
                "controllerNamespace": "argocd", "health": {"status": "Missing", "lastTransitionTime": now()},
                "sync": {"status": "Unknown"}, "summary": {}, "resourceHealthSource": "appTree", "sourceHydrator": {}, "sourceType": "Kustomize",
            },
        }  # fmt: skip

    # --- for readers ---

    def document(self) -> Document:
        """A copy as it stands."""
        with self._lock:
            return copy.deepcopy(self._document)

    def request_refresh(self, how: str) -> None:
        """What a webhook and `?refresh=` do: an annotation, which the controller takes away when it has looked."""
        self._change(lambda app: app["metadata"].setdefault("annotations", {}).__setitem__(REFRESH, how))

    @property
    def refreshing(self) -> bool:
        """Whether a refresh is still pending."""
        return REFRESH in self.document()["metadata"].get("annotations", {})

    def resources(self) -> list[Document]:
        """What was applied last."""
        return copy.deepcopy(self._applied or [])

    # --- the controller ---

    def tick(self) -> None:
        """Let the pods move, and tell of it."""
        self.workload.tick()
        self._tell_of_pods()

    def look(self) -> None:
        """Compare with the branch's head now, and sync if that is automated."""
        try:
            head = self._repo.head(self._source["targetRevision"])
            wanted = render(lambda path: self._repo.read(head, path), self._source["path"])
        except (GitFailed, CannotRender) as problem:
            self._unknown(str(problem))
            return
        changed = wanted != self._applied
        before = self.document()["status"]["sync"].get("revision")
        automated = bool(self._document["spec"]["syncPolicy"].get("automated"))
        if changed and automated and head != self._failed_at:
            self._sync(head, wanted)
        else:
            self._compared_at(head, "OutOfSync" if changed else "Synced", moved=head != before)

    def _unknown(self, problem: str) -> None:
        """The comparison failed: revision is the branch's name, health stays (fixtures/argocd, 05)."""

        def change(app: Document) -> None:
            status = app["status"]
            status["sync"] = {
                "comparedTo": self._compared,
                "revision": self._source["targetRevision"],
                "status": "Unknown",
            }
            message = f"Failed to load target state: {problem}"
            status["conditions"] = [
                {"type": "ComparisonError", "message": message, "lastTransitionTime": now()}
            ]
            self._looked(app)

        self._change(change)

    def _compared_at(self, head: str, word: str, *, moved: bool) -> None:
        def change(app: Document) -> None:
            app["status"].pop("conditions", None)
            app["status"]["sync"] = {"comparedTo": self._compared, "revision": head, "status": word}
            self._looked(app)

        self._change(change)

    def _looked(self, app: Document) -> None:
        app["metadata"].get("annotations", {}).pop(REFRESH, None)
        app["status"]["reconciledAt"] = now()

    def _sync(self, head: str, wanted: list[Document]) -> None:
        operation = {
            "initiatedBy": {"automated": True},
            "retry": {"limit": 5},
            "sync": {"prune": True, "revision": head, "source": self._source},
        }
        started = now()
        self._change(lambda app: _begin(app, operation))
        self._compared_at(head, "OutOfSync", moved=True)
        running = {
            "message": "waiting for completion",
            "operation": operation,
            "phase": "Running",
            "startedAt": started,
        }
        self._change(lambda app: app["status"].__setitem__("operationState", running))
        self._apply(wanted)
        self._change(lambda app: self._remember(app, head, started))
        done = self._done(operation, head, wanted, started)
        self._change(lambda app: _finish(app, done))
        self._change(lambda app: self._synced(app, wanted))

    def _apply(self, wanted: list[Document]) -> None:
        for document in wanted:
            if document.get("kind") == "Deployment":
                ready, deadline = self._limits()
                self.workload.apply(spec_of(document, min_ready=ready, deadline=deadline))
        self._applied = wanted

    def _remember(self, app: Document, head: str, started: str) -> None:
        history = app["status"].setdefault("history", [])
        entry = {
            "deployStartedAt": started, "deployedAt": now(), "id": history[-1]["id"] + 1 if history else 0,
            "initiatedBy": {"automated": True}, "revision": head, "source": self._source,
        }  # fmt: skip
        app["status"]["history"] = [*history, entry][-HISTORY:]

    def _done(self, operation: Document, head: str, wanted: list[Document], started: str) -> Document:
        return {
            "finishedAt": now(), "message": "successfully synced (all tasks run)", "operation": operation, "phase": "Succeeded",
            "startedAt": started,
            "syncResult": {"resources": [_result(d) for d in wanted], "revision": head, "source": self._source},
        }  # fmt: skip

    def _synced(self, app: Document, wanted: list[Document]) -> None:
        """Sync and health change in one step: Healthy is never seen between them (fixtures/argocd, section (b))."""
        app["status"]["sync"]["status"] = "Synced"
        app["status"]["resources"] = [_resource(d) for d in wanted]
        self._set_health(app)

    def _tell_of_pods(self) -> None:
        status = self.document()["status"]
        images, (health, _) = self.workload.images(), self.workload.health()
        known = status["summary"].get("images", [])
        if self._applied is None or (known == images and status["health"]["status"] == health):
            return

        def change(app: Document) -> None:
            app["status"]["summary"] = {"images": images} if images else {}
            self._set_health(app)
            app["status"]["reconciledAt"] = now()

        self._change(change)

    def _set_health(self, app: Document) -> None:
        word, message = self.workload.health()
        before = app["status"]["health"]
        if before["status"] != word:
            app["status"]["health"] = {"status": word, "lastTransitionTime": now()} | (
                {"message": message} if message else {}
            )

    def _change(self, change: Callable[[Document], Any]) -> None:
        with self._lock:
            before = json.dumps(self._document)
            change(self._document)
            if json.dumps(self._document) == before:
                return
            self._version += 1
            self._document["metadata"]["resourceVersion"] = str(self._version)
            self._document["metadata"]["generation"] += 1
        time.sleep(STEP)


def _begin(app: Document, operation: Document) -> None:
    app["operation"] = operation
    app["status"].pop("operationState", None)


def _finish(app: Document, done: Document) -> None:
    app.pop("operation", None)
    app["status"]["operationState"] = done


def _identity(document: Document) -> Document:
    group, _, version = str(document.get("apiVersion", "v1")).rpartition("/")
    metadata = document["metadata"]
    return {
        "group": group, "version": version, "kind": document["kind"], "name": metadata["name"],
        "namespace": metadata.get("namespace", ""),
    }  # fmt: skip


def _resource(document: Document) -> Document:
    found = _identity(document) | {"status": "Synced"}
    return {key: value for key, value in found.items() if value}


def _result(document: Document) -> Document:
    identity = _identity(document)
    images = [str(container["image"]) for container in containers(document)]
    plural = (
        f"{identity['kind'].lower()}.{identity['group']}" if identity["group"] else identity["kind"].lower()
    )
    said = {
        "hookPhase": "Running", "message": f"{plural}/{identity['name']} configured", "status": "Synced", "syncPhase": "Sync",
    }  # fmt: skip
    return identity | said | ({"images": images} if images else {})
