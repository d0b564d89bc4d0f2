"""The source controller's part: a GitRepository that is fetched at its interval and when somebody asks."""

import time
from collections.abc import Callable

from bot.sandbox.cluster.flux import documents
from bot.sandbox.cluster.flux.documents import REQUESTED, drop, say
from bot.sandbox.cluster.flux.notifications import Notifications
from bot.sandbox.cluster.flux.plan import Plan
from bot.sandbox.cluster.kubernetes.store import GIT_REPOSITORIES, Store
from bot.sandbox.cluster.manifest import Document
from bot.sandbox.cluster.repo import GitFailed, Repo

STEP = 0.03  # seconds between two patches of one run; the real ones are 10 to 100 ms apart
FIRST_RETRY, LAST_RETRY = 0.8, 60.0


class Source:
    """Writes its object into the store; `artifact` is the revision that can be built."""

    def __init__(self, plan: Plan, repo: Repo, store: Store, notifications: Notifications) -> None:
        """Not yet fetched."""
        self._plan, self._repo, self._store, self._notifications = plan, repo, store, notifications
        self._due, self._failures = 0.0, 0
        store.put(GIT_REPOSITORIES, documents.new_source(plan, repo.url))

    def document(self) -> Document:
        """As it stands."""
        return self._store.get(GIT_REPOSITORIES, self._plan.namespace, self._plan.source) or {}

    @property
    def artifact(self) -> str | None:
        """The revision of the artifact, or None before the first."""
        found = self.document()["status"].get("artifact")
        return str(found["revision"]) if found else None

    def advance(self) -> None:
        """Fetch when that is due or asked for; suspended, only a request is marked as handled (fixtures/flux, 07)."""
        document = self.document()
        asked = document["metadata"].get("annotations", {}).get(REQUESTED)
        wanted = asked is not None and asked != document["status"].get("lastHandledReconcileAt")
        suspended = document["spec"].get("suspend") is True
        if not suspended and (wanted or time.monotonic() >= self._due):
            self._fetch()
        if wanted:
            self.write(lambda item: item["status"].__setitem__("lastHandledReconcileAt", asked))

    def write(self, change: Callable[[Document], object]) -> None:
        """One patch of the object."""
        if self._store.change(GIT_REPOSITORIES, self._plan.namespace, self._plan.source, change):
            time.sleep(STEP)

    def _fetch(self) -> None:
        first = self.artifact is None
        if first and not self._failures:
            self.write(lambda item: _progressing(item, "processing object: new generation -1 -> 1"))
            self.write(lambda item: _progressing(item, "building artifact"))
        try:
            commit = self._repo.head(self._plan.branch)
        except GitFailed as problem:
            said = f"failed to checkout and determine revision: {problem}"
            self.write(lambda item: _failed(item, said))
            self._due = time.monotonic() + min(FIRST_RETRY * 2**self._failures, LAST_RETRY)
            self._failures += 1
            return
        self._failures, self._due = 0, time.monotonic() + self._plan.source_interval
        revision = documents.revision(self._plan, commit)
        if revision != self.artifact:
            self._store_artifact(commit, revision, first=first)
        elif any(item["type"] == "FetchFailed" for item in self.document()["status"]["conditions"]):
            self.write(lambda item: _stored(item, revision))
        else:
            self.write(lambda item: item["status"].update(observedGeneration=item["metadata"]["generation"]))

    def _store_artifact(self, commit: str, revision: str, *, first: bool) -> None:
        """Conditions first, the artifact in a second patch."""
        said = f"building artifact: new upstream revision '{revision}'"
        self.write(lambda item: _progressing(item, said, "" if first else revision))
        self.write(lambda item: _stored(item, revision))
        found = documents.artifact(self._plan, commit)

        def keep(item: Document) -> None:
            item["status"] |= {"artifact": found, "observedGeneration": item["metadata"]["generation"]}

        self.write(keep)
        stored = f"stored artifact for commit '{commit[:8]}'"
        self._notifications.post(self.document(), "NewArtifact", stored, {"revision": revision}, error=False)


def _progressing(item: Document, said: str, outdated_by: str = "") -> None:
    say(item, "Reconciling", "True", "Progressing", said)
    say(item, "Ready", "Unknown", "Progressing", said)
    if outdated_by:
        say(item, "ArtifactOutdated", "True", "NewRevision", f"new upstream revision '{outdated_by}'")


def _stored(item: Document, revision: str) -> None:
    drop(item, "Reconciling", "ArtifactOutdated", "FetchFailed")
    said = f"stored artifact for revision '{revision}'"
    say(item, "Ready", "True", "Succeeded", said)
    say(item, "ArtifactInStorage", "True", "Succeeded", said)


def _failed(item: Document, said: str) -> None:
    say(item, "Reconciling", "True", "ProgressingWithRetry", "building artifact")
    say(item, "Ready", "False", "GitOperationFailed", said)
    say(item, "FetchFailed", "True", "GitOperationFailed", said)
