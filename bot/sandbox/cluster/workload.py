"""A Deployment of the sandbox: one real process per image, replaced only when the new one is ready.

`spec.replicas` is not followed: one process stands for all pods.
"""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import requests

from bot.sandbox.cluster.forwarder import Forwarder
from bot.sandbox.cluster.render import Document, containers
from bot.sandbox.processes import end, spawn
from bot.sandbox.registry_client import Unpacked
from bot.sandbox.serving import free_port

Pull = Callable[[str], Unpacked]
FIRST_BACKOFF, LAST_BACKOFF = 1.0, 10.0


@dataclass(frozen=True, slots=True)
class Spec:
    """What of a pod template matters here. `min_ready` and `deadline` are seconds."""

    image: str
    environment: Mapping[str, str]
    ready_path: str
    min_ready: float
    deadline: float


def spec_of(document: Document, *, min_ready: float, deadline: float) -> Spec:
    """The first container of a Deployment; both times are capped, as nobody wants to wait here."""
    container = containers(document)[-1]
    probe = (container.get("readinessProbe") or {}).get("httpGet") or {}
    environment = {item["name"]: str(item["value"]) for item in container.get("env") or [] if "value" in item}
    asked = document["spec"]
    return Spec(
        image=str(container["image"]),
        environment=environment,
        ready_path=str(probe.get("path", "/")),
        min_ready=min(float(asked.get("minReadySeconds", 0)), min_ready),
        deadline=min(float(asked.get("progressDeadlineSeconds", 600)), deadline),
    )


class Pod:
    """One process of one image: pulled, started, restarted with growing pauses when it ends."""

    def __init__(self, spec: Spec, pull: Pull, folder: Path) -> None:
        """Nothing runs yet."""
        self.spec, self._pull, self._folder = spec, pull, folder
        self.port = 0
        self.ready_since: float | None = None
        self.restarts = 0
        self.waiting = "ContainerCreating"
        self._process: subprocess.Popen[bytes] | None = None
        self._next_start = 0.0

    def tick(self, now: float) -> None:
        """Start it when it is due, and see whether it is ready."""
        if self._process is not None and self._process.poll() is None:
            self._probe(now)
            return
        if self._process is not None:
            self._ended(now)
        elif now >= self._next_start:
            self._start(now)

    def _start(self, now: float) -> None:
        try:
            image = self._pull(self.spec.image)
        except Exception as problem:  # noqa: BLE001 -- whatever it is, the kubelet tries again and says so
            self.waiting = f"ImagePullBackOff: {str(problem)[:200]}"
            self._next_start = now + self._backoff()
            self.restarts += 1
            return
        self.port = free_port()
        command = [sys.executable if word == "python" else word for word in image.entrypoint]
        self._folder.mkdir(parents=True, exist_ok=True)
        self._process = spawn(
            command,
            log=self._folder / "pod.log",
            environment={**image.environment, **self.spec.environment, **self._given()},
            folder=image.root / image.working_folder.lstrip("/"),
            inherit=False,
        )
        self.waiting = ""

    def _given(self) -> dict[str, str]:
        home = {"HOME": str(self._folder), "TMPDIR": str(self._folder)}
        return {"HOST": "127.0.0.1", "PORT": str(self.port), **home}

    def _probe(self, now: float) -> None:
        try:
            good = requests.get(f"http://127.0.0.1:{self.port}{self.spec.ready_path}", timeout=2).ok
        except requests.RequestException:
            good = False
        if not good:
            self.ready_since = None
        elif self.ready_since is None:
            self.ready_since = now

    def _ended(self, now: float) -> None:
        code = self._process.returncode if self._process is not None else 0
        self._process, self.ready_since = None, None
        self.waiting = f"CrashLoopBackOff: exit code {code}"
        self._next_start = now + self._backoff()
        self.restarts += 1

    def _backoff(self) -> float:
        return float(min(FIRST_BACKOFF * 2 ** min(self.restarts, 10), LAST_BACKOFF))

    def stop(self) -> None:
        """End the process; done already is done."""
        if self._process is not None:
            end(self._process, grace=5)
            self._process = None


class Workload:
    """A Deployment: what serves, what is to replace it, and how healthy that is."""

    def __init__(
        self, name: str, pull: Pull, folder: Path, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Nothing is applied yet."""
        self.name, self._pull, self._folder, self._monotonic = name, pull, folder, monotonic
        self.service = Forwarder()
        self.serving: Pod | None = None
        self.coming: Pod | None = None
        self._began = 0.0
        self._pods = 0
        # One thread applies what git says, another lets the pods move.
        self._lock = threading.RLock()

    def apply(self, spec: Spec) -> bool:
        """Make this the wanted state; false when it is already."""
        with self._lock:
            return self._apply(spec)

    def _apply(self, spec: Spec) -> bool:
        wanted = self.coming or self.serving
        if wanted is not None and wanted.spec == spec:
            return False
        self._drop_coming()
        self._began = self._monotonic()
        if self.serving is None or self.serving.spec != spec:
            self._pods += 1
            self.coming = Pod(spec, self._pull, self._folder / f"pod-{self._pods}")
        return True

    def tick(self) -> None:
        """Let pods start, get ready, fail, and replace each other."""
        with self._lock:
            self._tick()

    def _tick(self) -> None:
        now = self._monotonic()
        for pod in (self.serving, self.coming):
            if pod is not None:
                pod.tick(now)
        coming = self.coming
        if (
            coming is not None
            and coming.ready_since is not None
            and now - coming.ready_since >= coming.spec.min_ready
        ):
            old, self.serving, self.coming = self.serving, coming, None
            self.service.target = coming.port
            if old is not None:
                old.stop()
        elif self.serving is not None and self.serving.port:
            self.service.target = self.serving.port

    def health(self) -> tuple[str, str]:
        """Argo CD's word for it, with its message: Degraded only at the progress deadline (fixtures/argocd, 03 and 20)."""
        pod = self.coming or self.serving
        if pod is None:
            return "Progressing", "waiting for the first pod"
        if self.coming is None and pod.ready_since is not None:
            return "Healthy", ""
        if self._monotonic() - self._began > pod.spec.deadline:
            return "Degraded", f'Deployment "{self.name}" exceeded its progress deadline'
        return "Progressing", "Waiting for rollout to finish: 1 old replicas are pending termination..."

    def images(self) -> list[str]:
        """The images of the pods that are there."""
        return sorted({pod.spec.image for pod in (self.serving, self.coming) if pod is not None})

    def waiting(self) -> str:
        """Why the newest pod is not there yet, as the kubelet says it."""
        pod = self.coming or self.serving
        return pod.waiting if pod is not None else ""

    def _drop_coming(self) -> None:
        if self.coming is not None:
            self.coming.stop()
            self.coming = None

    def stop(self) -> None:
        """End every process and the service."""
        self._drop_coming()
        if self.serving is not None:
            self.serving.stop()
        with contextlib.suppress(OSError):
            self.service.stop()
