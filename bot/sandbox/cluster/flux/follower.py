"""The kustomize controller's part: one run of a Kustomization after the other, patch by patch as the real one.

A bump shows, in this order: Fetching, Building, lastAttempted, Detecting drift, Running health checks with Healthy Unknown,
Healthy True, Ready True while lastApplied is still the old one, lastApplied with history (fixtures/flux, 02).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from bot.sandbox.cluster.deployment import deployment_of, rejection, spec_of
from bot.sandbox.cluster.flux import documents
from bot.sandbox.cluster.flux.documents import REQUESTED, drop, say
from bot.sandbox.cluster.flux.notifications import Notifications
from bot.sandbox.cluster.flux.plan import Plan
from bot.sandbox.cluster.flux.source import STEP, Source
from bot.sandbox.cluster.kubernetes.conditions import LATE, find
from bot.sandbox.cluster.kubernetes.conditions import health as judged
from bot.sandbox.cluster.kubernetes.rollout import Rollout
from bot.sandbox.cluster.kubernetes.store import KUSTOMIZATIONS, Store
from bot.sandbox.cluster.manifest import CannotRender, Document
from bot.sandbox.cluster.render import render
from bot.sandbox.cluster.repo import Repo
from bot.sandbox.cluster.workload import Spec

Limits = Callable[[], tuple[float, float]]
NOT_FOUND_RETRY = 0.1  # the real one says 30 s, and is woken by the first artifact


@dataclass(slots=True)
class Run:
    """A run that waits for health: what it applied, since when, and the request that it answers."""

    revision: str
    built: str
    began: float
    checking: float
    asked: str | None
    due: float = 0.0


class Follower:
    """One Kustomization with its source. `advance` belongs to one thread and `tick` to another."""

    def __init__(self, plan: Plan, repo: Repo, rollout: Rollout, store: Store, limits: Limits) -> None:
        """Nothing is fetched or applied yet."""
        self.plan, self.rollout, self._repo, self._store = plan, rollout, repo, store
        self.name, self.workload = plan.name, rollout.workload
        self.notifications = Notifications(plan.hook, plan.hook_key)
        self.source = Source(plan, repo, store, self.notifications)
        self._limits = limits
        self._run: Run | None = None
        self._due = 0.0
        self._seen: str | None = None
        store.put(KUSTOMIZATIONS, documents.new_kustomization(plan))

    def document(self) -> Document:
        """The Kustomization as it stands."""
        return self._store.get(KUSTOMIZATIONS, self.plan.namespace, self.plan.name) or {}

    def tick(self) -> None:
        """Let the pods move."""
        self.rollout.tick()

    def stop(self) -> None:
        """End every process."""
        self.rollout.stop()
        self.notifications.stop()

    def advance(self) -> None:
        """Fetch, begin a run when one is due, go on with one that waits. A new artifact waits for its end (13)."""
        if self.source.artifact is None:
            self._begin(None, None)
        self.source.advance()
        if self._run is not None:
            self._check(self._run)
            return
        document = self.document()
        if document["spec"].get("suspend") is True:
            return
        asked = document["metadata"].get("annotations", {}).get(REQUESTED)
        wanted = asked is not None and asked != document["status"].get("lastHandledReconcileAt")
        revision = self.source.artifact
        if wanted or revision != self._seen or time.monotonic() >= self._due:
            self._begin(revision, asked)

    def _begin(self, revision: str | None, asked: str | None) -> None:
        if revision is None:
            said = "Source artifact not found, retrying in 30s"
            self._write(lambda item: say(item, "Ready", "False", "ArtifactFailed", said))
            self._due = time.monotonic() + NOT_FOUND_RETRY
            return
        self._seen, began = revision, time.monotonic()
        self._write(lambda item: self._progressing(item, "Fetching manifests", revision))
        self._write(lambda item: self._progressing(item, "Building manifests", revision))
        self._write(lambda item: item["status"].__setitem__("lastAttemptedRevision", revision))
        try:
            wanted, spec = self._build(revision)
        except CannotRender as problem:
            self._failed(
                "BuildFailed", f"kustomize build failed: {problem}", Run(revision, "", began, began, asked)
            )
            return
        run = Run(revision, documents.digest(wanted), began, time.monotonic(), asked)
        self._write(lambda item: self._progressing(item, "Detecting drift", revision))
        refused = rejection(wanted)
        if refused is not None and spec is not None:
            said = f"{self._place(spec.document)} dry-run failed (Invalid): {refused}"
            self._failed("ReconciliationFailed", said, run)
            return
        self.rollout.apply(spec)
        self._applied(wanted, run)

    def _build(self, revision: str) -> tuple[list[Document], Spec | None]:
        """What the folder says at this revision. Raises CannotRender."""
        commit, namespace = documents.commit_of(revision), self.plan.target_namespace
        wanted = render(lambda path: self._repo.read(commit, path), self.plan.path)
        for item in wanted:
            item["metadata"]["namespace"] = namespace
        deployment = deployment_of(wanted)
        if deployment is None:
            return wanted, None
        min_ready, deadline = self._limits()
        return wanted, spec_of(deployment, namespace, min_ready=min_ready, deadline=deadline)

    def _place(self, deployment: Document | None) -> str:
        name = deployment["metadata"]["name"] if deployment else ""
        return f"Deployment/{self.plan.target_namespace}/{name}"

    def _applied(self, wanted: list[Document], run: Run) -> None:
        changed = documents.inventory(wanted) != self.document()["status"].get("inventory")
        if self.plan.wait:
            self._write(lambda item: self._checking(item, run.revision))
        if changed:
            self._write(lambda item: item["status"].__setitem__("inventory", documents.inventory(wanted)))
            self._tell("Progressing", "\n".join(_named(item) for item in wanted), run.revision)
        if not self.plan.wait:
            self._succeeded(run)
            return
        self._run = run
        self._check(run)

    def _check(self, run: Run) -> None:
        now = time.monotonic()
        if now < run.due:
            return
        status = self._health()
        took = now - run.checking
        place = self._place(self.rollout.deployment())
        if status == "Current":
            said = f"Health check passed in {took:.9f}s"
            self._write(lambda item: say(item, "Healthy", "True", "Succeeded", said))
            if took > 1:
                self._tell("Progressing", said, run.revision)
            self._succeeded(run)
        elif status == "Failed" or took >= self.plan.timeout:
            why = "failed early due to stalled resources" if status == "Failed" else "timeout waiting for"
            said = f"{why}: [{place} status: '{status}']"
            self._write_health_failure(said, took, run)
        else:
            run.due = min(now + self.plan.health_poll, run.checking + self.plan.timeout)

    def _health(self) -> str:
        """As kstatus sees the Deployment."""
        deployment = self.rollout.deployment()
        if deployment is None or judged(deployment)[0] == "Healthy":
            return "Current"
        late = (find(deployment, "Progressing") or {}).get("reason") == LATE
        current = deployment["metadata"]["generation"] == deployment["status"].get("observedGeneration")
        return "Failed" if late and current else "InProgress"

    def _succeeded(self, run: Run) -> None:
        """Two patches: conditions, then the revisions. Between them the OLD one looks freshly confirmed (section (a), 3)."""

        def ready(item: Document) -> None:
            drop(item, "Reconciling")
            say(item, "Ready", "True", "ReconciliationSucceeded", f"Applied revision: {run.revision}")

        def applied(item: Document) -> None:
            item["status"] |= {
                "lastAppliedRevision": run.revision,
                "observedGeneration": item["metadata"]["generation"],
            }
            _remember(item, run, "ReconciliationSucceeded")

        self._run, self._due = None, time.monotonic() + self.plan.interval
        self._write(ready)
        self._write(applied)
        took = time.monotonic() - run.began
        said = f"Reconciliation finished in {took:.6f}s, next run in {documents.duration(self.plan.interval)}"
        self._tell("ReconciliationSucceeded", said, run.revision, commit_status="update")

    def _write_health_failure(self, said: str, took: float, run: Run) -> None:
        whole = f"health check failed after {took:.9f}s: {said}"

        def conditions(item: Document) -> None:
            say(item, "Reconciling", "True", "ProgressingWithRetry", self._checks(run.revision))
            say(item, "Ready", "False", "HealthCheckFailed", whole)
            say(item, "Healthy", "False", "HealthCheckFailed", said)

        self._run, self._due = None, time.monotonic() + self.plan.retry_after
        self._write(conditions)
        self._write(lambda item: _remember(item, run, "HealthCheckFailed"))
        self._tell("HealthCheckFailed", whole, run.revision, error=True)

    def _failed(self, reason: str, said: str, run: Run) -> None:
        """Before anything was applied: Healthy stays what it was (fixtures/flux, 04 and 05)."""

        def conditions(item: Document) -> None:
            progress = find(item, "Reconciling") or {"message": ""}
            say(item, "Reconciling", "True", "ProgressingWithRetry", progress["message"])
            say(item, "Ready", "False", reason, said)
            _answer(item, run)

        self._due = time.monotonic() + self.plan.retry_after
        self._write(conditions)
        if run.built:
            self._write(lambda item: _remember(item, run, reason))
        self._tell(reason, said, run.revision, error=True)

    # --- writing ---

    def _write(self, change: Callable[[Document], object]) -> None:
        if self._store.change(KUSTOMIZATIONS, self.plan.namespace, self.plan.name, change):
            time.sleep(STEP)

    def _progressing(self, item: Document, doing: str, revision: str) -> None:
        said = f"{doing} for revision {revision} with a timeout of {documents.duration(self.plan.timeout)}"
        say(item, "Reconciling", "True", "Progressing", said)
        say(item, "Ready", "Unknown", "Progressing", "Reconciliation in progress")

    def _checking(self, item: Document, revision: str) -> None:
        self._progressing(item, "Running health checks", revision)
        say(item, "Healthy", "Unknown", "Progressing", self._checks(revision))

    def _checks(self, revision: str) -> str:
        timeout = documents.duration(self.plan.timeout)
        return f"Running health checks for revision {revision} with a timeout of {timeout}"

    def _tell(self, reason: str, message: str, revision: str, *, error: bool = False, **more: str) -> None:
        metadata = {**more, "revision": revision}
        self.notifications.post(self.document(), reason, message, metadata, error=error)


def _remember(item: Document, run: Run, status: str) -> None:
    history, took = item["status"].get("history", []), time.monotonic() - run.began
    item["status"]["history"] = documents.remembered(history, run.built, run.revision, status, took)
    _answer(item, run)


def _answer(item: Document, run: Run) -> None:
    """The request is handled at the end of a run, and not before."""
    if run.asked is not None:
        item["status"]["lastHandledReconcileAt"] = run.asked


def _named(item: Document) -> str:
    metadata = item["metadata"]
    return f"{item['kind']}/{metadata.get('namespace', '')}/{metadata['name']} configured"
