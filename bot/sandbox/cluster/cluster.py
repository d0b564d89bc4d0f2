"""The cluster of the sandbox: Applications and Kustomizations on threads, and the APIs that read them."""

import hashlib
import logging
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.sandbox.cluster import documents
from bot.sandbox.cluster.application import Application
from bot.sandbox.cluster.flux import Follower, Plan
from bot.sandbox.cluster.flux.documents import REQUESTED, accept, annotate, patched
from bot.sandbox.cluster.kubernetes.api import CannotPatch, create_kubernetes_api
from bot.sandbox.cluster.kubernetes.kubeconfig import write_kubeconfig
from bot.sandbox.cluster.kubernetes.rollout import Rollout
from bot.sandbox.cluster.kubernetes.store import (
    APPLICATIONS,
    GIT_REPOSITORIES,
    KUSTOMIZATIONS,
    Resource,
    Store,
)
from bot.sandbox.cluster.manifest import CannotRender, Document, split
from bot.sandbox.cluster.render import render
from bot.sandbox.cluster.repo import GitFailed, Repo
from bot.sandbox.cluster.rest import create_api
from bot.sandbox.cluster.workload import Workload
from bot.sandbox.registry_client import RegistryClient, Unpacked
from bot.sandbox.serving import Server

log = logging.getLogger(__name__)

TICK = 0.1


class Cluster:
    """Plays Argo CD, or Flux, over one manifests repo, and runs what its Deployments say.

    `url` is that of Argo CD's API, of webhooks and of the page, `kubernetes_url` that of the Kubernetes API. A pair like
    `("list", "pods")` in `forbidden` is a right that the token has not.

    `credentials` are for the image registry; `token` is what readers must send. Looks at git every `poll` seconds,
    after a webhook, and when asked to refresh. Deployments get at most `progress_deadline` seconds.
    """

    def __init__(
        self,
        folder: Path,
        *,
        git_url: str,
        git_token: str | None,
        token: str,
        credentials: tuple[str, str] | None = None,
        poll: float = 120.0,
        progress_deadline: float = 30.0,
        min_ready: float = 1.0,
        port: int = 0,
    ) -> None:
        """Listens at once, answers after `start`."""
        self.folder, self.git_url = folder, git_url
        self._repo = Repo(folder / "manifests.git", git_url, git_token)
        self._credentials, self._poll = credentials, poll
        self._min_ready, self.progress_deadline = min_ready, progress_deadline
        self.applications: dict[str, Application] = {}
        self.kustomizations: dict[str, Follower] = {}
        self._pulled: dict[str, Unpacked] = {}
        self._pulling = threading.Lock()
        self._stopping = threading.Event()
        self._server = Server(create_api(self, token), port=port, threads=16)
        self.url = self._server.url
        self.store, self._token = Store(), token
        self.forbidden: set[tuple[str, str]] = set()
        api = create_kubernetes_api(self, token, lambda verb, kind: (verb, kind.plural) not in self.forbidden)
        self._kubernetes = Server(api, threads=8)
        self.kubernetes_url = self._kubernetes.url
        self._threads: list[threading.Thread] = []

    def add_application(
        self, name: str, *, path: str, project: str = "default", branch: str = "main", namespace: str = "default", automated: bool = True
    ) -> Application:  # fmt: skip
        """Follow this folder of the repo. Its Service listens at once."""
        source = {"path": path, "repoURL": self.git_url, "targetRevision": branch}
        document = documents.new(name, source, namespace, project, automated=automated)
        rollout = Rollout(Workload(name, self._pull, self.folder / name), self.store)
        limits = lambda: (self._min_ready, self.progress_deadline)  # noqa: E731 -- read anew for each rollout
        application = Application(document, self._repo, rollout, limits)
        self.applications[name] = application
        return application

    def add_kustomization(self, plan: Plan) -> Follower:
        """Have Flux follow a folder of the repo, beside or instead of Argo CD. Its Service listens at once."""
        rollout = Rollout(Workload(plan.name, self._pull, self.folder / f"flux-{plan.name}"), self.store)
        limits = lambda: (self._min_ready, self.progress_deadline)  # noqa: E731 -- read anew for each rollout
        follower = Follower(plan, self._repo, rollout, self.store, limits)
        self.kustomizations[plan.name] = follower
        return follower

    def receiver_url(self, name: str) -> str:
        """Where a forge knocks so that Flux fetches at once: whoever knows the path may (fixtures/flux, section (c))."""
        plan = self.kustomizations[name].plan
        secret = f"{plan.receiver_token}{plan.name}{plan.namespace}"
        return f"{self.url}/hook/{hashlib.sha256(secret.encode()).hexdigest()}"

    def receive(self, path: str) -> bool:
        """Somebody knocks at a Receiver; False when there is none."""
        for name, follower in self.kustomizations.items():
            if self.receiver_url(name).endswith(path):
                stamp = {REQUESTED: datetime.now(UTC).isoformat()}
                follower.source.write(lambda item, stamp=stamp: annotate(item, stamp))  # type: ignore[misc]
                return True
        return False

    def service_url(self, name: str) -> str:
        """Where the Application's model is served, whichever process that is."""
        served: Application | Follower = self.applications.get(name) or self.kustomizations[name]
        return f"http://127.0.0.1:{served.workload.service.port}"

    def renders(self, commit: str, path: str) -> bool:
        """Whether the kustomization at this commit can be rendered: what a check on a pull request asks."""
        try:
            self._repo.head("main")
            render(lambda file: self._repo.read(commit, file), path)
        except (CannotRender, GitFailed):
            return False
        return True

    def write_kubeconfig(self, path: Path) -> Path:
        """For clients of the Kubernetes API: mode 0600, the token in a file beside it."""
        return write_kubeconfig(path, self.kubernetes_url, self._token)

    def objects(self, resource: Resource, namespace: str | None) -> list[Document]:
        """What the Kubernetes API lists."""
        if resource != APPLICATIONS:
            return self.store.list(resource, namespace)
        found = [application.document() for application in self.applications.values()]
        return [item for item in found if namespace in (None, item["metadata"]["namespace"])]

    def patch_object(self, resource: Resource, namespace: str, name: str, change: Document) -> None:
        """What a merge patch does, as far as the sandbox acts on it. Raises CannotPatch."""
        if resource == APPLICATIONS:
            self.applications[name].patch(change)
        elif resource in (KUSTOMIZATIONS, GIT_REPOSITORIES):
            accept(change)
            self.store.change(resource, namespace, name, lambda item: patched(item, change))
        else:
            raise CannotPatch(f"the sandbox does not patch {resource.plural}")

    def container_log(self, namespace: str, pod: str, *, previous: bool) -> str | None:
        """What the process of a pod has said."""
        for runs in self._all():
            for found in runs.workload.tracked():
                if (found.template.namespace, found.name) == (namespace, pod):
                    return found.log(previous=previous)
        return None

    def _all(self) -> "list[Application | Follower]":
        return [*self.applications.values(), *self.kustomizations.values()]

    def start(self) -> "Cluster":
        """Answer, and begin to follow the repo."""
        self._server.start()
        self._kubernetes.start()
        for application in self.applications.values():
            self._begin(application.name, lambda it=application: self._follow(it))  # type: ignore[misc]
        for follower in self.kustomizations.values():
            self._begin(follower.name, lambda it=follower: self._again(it.advance))  # type: ignore[misc]
        for runs in self._all():
            self._begin(runs.name, lambda it=runs: self._again(it.tick))  # type: ignore[misc]
        return self

    def stop(self) -> None:
        """End every process and the API."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=10)
        for application in self.applications.values():
            application.rollout.stop()
        for follower in self.kustomizations.values():
            follower.stop()
        self._server.stop()
        self._kubernetes.stop()

    def refresh(self, name: str, how: str, patience: float = 10.0) -> bool:
        """Have the controller look now, and wait until it has; false when it does not come."""
        application = self.applications[name]
        number = application.request_refresh(how)
        deadline = time.monotonic() + patience
        while not application.looked_at(number):
            if time.monotonic() > deadline or self._stopping.wait(0.02):
                return False
        return True

    def _follow(self, application: Application) -> None:
        due = 0.0
        while not self._stopping.wait(TICK):
            self._guarded(application.advance)
            if application.refreshing or time.monotonic() >= due:
                if application.refreshing and self._stopping.wait(application.slow_look):
                    return
                self._guarded(application.look)
                due = time.monotonic() + self._poll

    def _begin(self, name: str, work: Callable[[], Any]) -> None:
        thread = threading.Thread(target=work, name=f"cluster:{name}", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _again(self, work: Callable[[], Any]) -> None:
        while not self._stopping.wait(TICK):
            self._guarded(work)

    def _guarded(self, work: Callable[[], Any]) -> None:
        try:
            work()
        except Exception:
            log.exception("the sandbox's cluster stumbled")

    def _pull(self, reference: str) -> Unpacked:
        """The image, unpacked once for each digest; what a failed pull leaves behind is removed."""
        name, tag, digest = split(reference)
        host, _, repository = name.partition("/")
        client = RegistryClient(host, self._credentials)
        digest = digest or client.resolve(repository, tag or "latest")
        with self._pulling:
            if digest not in self._pulled:
                images = self.folder / "images"
                images.mkdir(parents=True, exist_ok=True)
                place = Path(tempfile.mkdtemp(prefix="image-", dir=images))
                try:
                    self._pulled[digest] = client.unpack(repository, digest, place / "root")
                except BaseException:
                    shutil.rmtree(place, ignore_errors=True)
                    raise
            return self._pulled[digest]
