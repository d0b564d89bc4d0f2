"""The cluster of the sandbox: Applications on a thread, and the part of Argo CD's API that reads them."""

import logging
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bot.sandbox.cluster import documents
from bot.sandbox.cluster.application import Application
from bot.sandbox.cluster.kubernetes.api import CannotPatch, create_kubernetes_api
from bot.sandbox.cluster.kubernetes.kubeconfig import write_kubeconfig
from bot.sandbox.cluster.kubernetes.rollout import Rollout
from bot.sandbox.cluster.kubernetes.store import APPLICATIONS, Resource, Store
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
    """Plays Argo CD over one manifests repo, and runs what its Deployments say. `url` is the API's and the page's.

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

    def service_url(self, name: str) -> str:
        """Where the Application's model is served, whichever process that is."""
        return f"http://127.0.0.1:{self.applications[name].workload.service.port}"

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
        if resource != APPLICATIONS:
            raise CannotPatch(f"the sandbox does not patch {resource.plural}")
        self.applications[name].patch(change)

    def container_log(self, namespace: str, pod: str, *, previous: bool) -> str | None:
        """What the process of a pod has said."""
        for application in self.applications.values():
            for found in application.workload.tracked():
                if (found.template.namespace, found.name) == (namespace, pod):
                    return found.log(previous=previous)
        return None

    def start(self) -> "Cluster":
        """Answer, and begin to follow the repo."""
        self._server.start()
        self._kubernetes.start()
        for application in self.applications.values():
            for work in (self._follow, self._run):
                thread = threading.Thread(
                    target=work, args=(application,), name=f"cluster:{application.name}", daemon=True
                )
                thread.start()
                self._threads.append(thread)
        return self

    def stop(self) -> None:
        """End every process and the API."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=10)
        for application in self.applications.values():
            application.rollout.stop()
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

    def _run(self, application: Application) -> None:
        while not self._stopping.wait(TICK):
            self._guarded(application.tick)

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
