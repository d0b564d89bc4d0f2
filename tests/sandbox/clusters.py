"""A small world around the sandbox's cluster: a git remote and an image registry that both want a login, and tiny models."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from bot.sandbox.cluster import Cluster
from bot.sandbox.image_layout import Settings, write_layer
from bot.sandbox.image_registry import ImageRegistry
from bot.sandbox.registry_client import RegistryClient
from tests.adapters.manifests.remote import Remote, opened

LOGIN = ("kubelet", "marlin-3f9c")
GIT_TOKEN = "git-token-5c1e"
TOKEN = "argocd-token-77ab"
APPLICATION = "fraud-detector-staging"
OVERLAY = "apps/inference-service/overlays/staging"

BASE = "apps/inference-service/base"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  progressDeadlineSeconds: 600
  template:
    spec:
      terminationGracePeriodSeconds: 5
      containers:
        - name: server
          image: web
          env:
            - name: FROM_DEPLOYMENT
              value: "yes"
            - name: PLACE
              value: /app/behaviour.json
          ports:
            - name: http
              containerPort: 8000
          readinessProbe:
            httpGet: {path: /ready, port: http}
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  ports: [{name: http, port: 80, targetPort: http}]
"""
KUSTOMIZATION = """\
resources: [deployment.yaml, service.yaml]
labels:
  - pairs: {app: web}
    includeSelectors: true
"""


IMPOSSIBLE_PORT = """patches:
  - patch: |
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: web}
      spec:
        template:
          spec:
            containers:
              - name: server
                ports: [{name: http, containerPort: 99999}]
"""


@dataclass
class World:
    """The parts, and what a person does with them."""

    folder: Path
    remote: Remote
    registry: ImageRegistry
    cluster: Cluster

    @property
    def application(self) -> Any:
        return self.cluster.applications[APPLICATION]

    @property
    def service(self) -> str:
        return self.cluster.service_url(APPLICATION)

    def build(self, version: str, **behaviour: Any) -> str:
        """Push an image under the tag `v<version>` and return its digest."""
        content = self.folder / f"build-{version}"
        content.mkdir()
        (content / "behaviour.json").write_text(json.dumps({"version": version, **behaviour}))
        files = {
            "/app/serve.py": Path(__file__).with_name("tiny_model.py"),
            "/app/behaviour.json": content / "behaviour.json",
        }
        layer = write_layer(files, content / "layer.tar.gz")
        settings = Settings(("python", "/app/serve.py"), "/app", {"FROM_IMAGE": "yes"}, (8000,))
        return RegistryClient(self.registry.host, LOGIN).push("acme/web", f"v{version}", settings, [layer])

    def pin(self, version: str, digest: str, *, replicas: int | None = None, more: str = "") -> str:
        """Commit the version to the overlay, and return the commit. Nobody is told."""
        text = f"resources: [../../base]\nnamespace: staging\nimages:\n  - name: web\n    newName: {self.image}\n"
        text += f"    newTag: v{version}\n    digest: {digest}\n"
        text += f"replicas:\n  - name: web\n    count: {replicas}\n" if replicas is not None else ""
        return self.remote.commit({f"{OVERLAY}/kustomization.yaml": text + more}, f"Deploy version {version}")

    @property
    def image(self) -> str:
        return f"{self.registry.host}/acme/web"

    def reference(self, version: str, digest: str) -> str:
        """What a pod carries."""
        return f"{self.image}:v{version}@{digest}"

    def push_event(self, **changes: Any) -> int:
        """What a forge posts after a push; returns the status of the answer."""
        body = {"ref": "refs/heads/main", "repository": {"html_url": self.remote.url.removesuffix(".git")}}
        headers = {"X-GitHub-Event": changes.pop("event", "push")}
        url = f"{self.cluster.url}/api/webhook"
        return requests.post(url, json=body | changes, headers=headers, timeout=5).status_code

    def ask(self, path: str, token: str | None = TOKEN, **query: str) -> requests.Response:
        """A question to the API."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.get(f"{self.cluster.url}{path}", params=query, headers=headers, timeout=20)

    def refresh(self) -> Any:
        """The Application after a look of the controller's."""
        return self.ask(f"/api/v1/applications/{APPLICATION}", project="default", refresh="normal").json()

    def status(self) -> Any:
        """The Application's status now."""
        return self.application.document().get("status", {})

    def seen(self) -> tuple[str, str, str]:
        """Sync status, health and revision now."""
        status = self.status()
        sync = status.get("sync", {})
        return sync.get("status", ""), status.get("health", {}).get("status", ""), sync.get("revision", "")

    def until(self, true: Callable[[], bool], what: str, seconds: float = 20) -> None:
        """Wait for it."""
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, f"{what} did not happen; {self.status()}"
            time.sleep(0.02)

    def until_healthy(self, commit: str) -> None:
        """Wait until this commit is rolled out."""
        self.until(lambda: self.seen() == ("Synced", "Healthy", commit), f"Synced and Healthy at {commit}")

    def version(self) -> str | None:
        """Which version answers at the Service."""
        with contextlib.suppress(requests.RequestException):
            return str(requests.get(f"{self.service}/version", timeout=5).json()["version"])
        return None


@contextlib.contextmanager
def cluster_world(folder: Path, **options: Any) -> Iterator[World]:
    """Everything running, with the base in the repo and no version pinned yet."""
    with contextlib.ExitStack() as stack:
        git = opened(folder / "git", {"README.md": "manifests"})
        git.token = GIT_TOKEN
        assert git.server is not None
        stack.callback(git.server.stop)
        git.commit(
            {
                f"{BASE}/deployment.yaml": DEPLOYMENT,
                f"{BASE}/service.yaml": SERVICE,
                f"{BASE}/kustomization.yaml": KUSTOMIZATION,
            }
        )
        registry = ImageRegistry(folder / "registry", users=dict([LOGIN])).start()
        stack.callback(registry.stop)
        limits = {"poll": 3600.0, "progress_deadline": 60.0, "min_ready": 0.2}
        cluster = Cluster(
            folder / "cluster", git_url=git.url, git_token=GIT_TOKEN, token=TOKEN, credentials=LOGIN, **(limits | options)
        )  # fmt: skip
        stack.callback(cluster.stop)
        cluster.add_application(APPLICATION, path=OVERLAY, namespace="staging")
        yield World(folder, git, registry, cluster)
