"""A Deployment of the sandbox: what serves, what is to replace it, and how healthy that is.

`spec.replicas` is followed only as far as zero or more: one process stands for all pods of a template.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bot.sandbox.cluster.forwarder import Forwarder
from bot.sandbox.cluster.pod import Pod, Pull, Template


@dataclass(frozen=True, slots=True)
class Spec:
    """A Deployment as far as it matters here. `min_ready` and `deadline` are seconds."""

    template: Template
    replicas: int = 1
    min_ready: float = 0.0
    deadline: float = 600.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How a pod stands. `reason` is what kubectl shows as its status, `message` the kubelet's words."""

    name: str
    image: str
    ready: bool
    reason: str
    message: str


class Workload:
    """A rolling update with one pod more than needed: the old one serves until the new one is ready.

    `apply` comes from one thread and `tick` from another, the one that lives as long as the pods.
    """

    def __init__(
        self, name: str, pull: Pull, folder: Path, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Nothing is applied yet, but the Service has its port, where it listens."""
        self.name, self._pull, self._folder, self._monotonic = name, pull, folder, monotonic
        self.service = Forwarder()
        self._pods: list[Pod] = []
        self._serving: Pod | None = None
        self._wanted: Spec | None = None
        self._began, self._complete, self._made = 0.0, False, 0
        self._lock = threading.RLock()

    def apply(self, spec: Spec | None) -> bool:
        """Make this the wanted state, None meaning no Deployment. Whether pods have to change for it."""
        with self._lock:
            before, self._wanted = self._wanted, spec
            if before is not None and spec is not None and _same_pods(before, spec):
                return False
            self._began, self._complete = self._monotonic(), False
            return True

    def tick(self) -> None:
        """Let pods start, get ready, fail, end, and replace each other."""
        with self._lock:
            now = self._monotonic()
            self._arrange(now)
            for pod in self._pods:
                pod.tick(now)
            self._pods = [pod for pod in self._pods if not pod.gone]
            self._switch(now)

    def _arrange(self, now: float) -> None:
        template = self._wanted.template if self._wanted is not None and self._wanted.replicas else None
        staying = [pod for pod in self._pods if not pod.leaving]
        if template is None:
            self._serving, self.service.target = None, None
        elif not any(pod.template == template for pod in staying):
            self._made += 1
            self._pods.append(Pod(template, self._pull, self._folder / f"pod-{self._made}"))
        for pod in staying:
            if template is None or (pod.template != template and pod is not self._serving):
                pod.leave(now)

    def _switch(self, now: float) -> None:
        """The Service goes to the new pod as soon as it has been ready for long enough; the old one may leave then."""
        spec = self._wanted
        if spec is None:
            return
        for pod in self._pods:
            good = pod.template == spec.template and pod.ready_since is not None and not pod.leaving
            if good and (pod is self._serving or now - (pod.ready_since or now) >= spec.min_ready):
                if self._serving is not None and self._serving is not pod:
                    self._serving.leave(now)
                self._serving, self._complete = pod, True
        if self._serving is not None:
            self.service.target = self._serving.port

    def health(self) -> tuple[str, str]:
        """Argo CD's word, with a message: Degraded at the progress deadline and not earlier (fixtures/argocd, 03, 20)."""
        with self._lock:
            spec, serving = self._wanted, self._serving
            if spec is None or not spec.replicas:
                return "Healthy", ""
            if serving is not None and serving.template == spec.template and serving.ready_since is not None:
                return "Healthy", ""
            if not self._complete and self._monotonic() - self._began > spec.deadline:
                return "Degraded", f'Deployment "{self.name}" exceeded its progress deadline'
            return "Progressing", "Waiting for rollout to finish: 0 of 1 updated replicas are available..."

    def images(self) -> list[str]:
        """The images of all pods that are there, also of those that only end."""
        with self._lock:
            return sorted({pod.template.image for pod in self._pods})

    def waiting(self) -> str:
        """Why the newest pod does not run, as the kubelet says it; empty when it does."""
        with self._lock:
            newest = next((pod for pod in reversed(self._pods) if not pod.leaving), None)
            if newest is None or not newest.waiting:
                return ""
            times = f" ({newest.restarts} restarts)" if newest.restarts else ""
            return f"{newest.waiting}{times}"

    def pods(self) -> list[Standing]:
        """Every pod that is there."""
        with self._lock:
            return [_standing(pod) for pod in self._pods]

    def stop(self) -> None:
        """End every process and the Service."""
        with self._lock:
            for pod in self._pods:
                pod.kill()
            self._pods, self._serving, self._wanted = [], None, None
        with contextlib.suppress(OSError):
            self.service.stop()


def _standing(pod: Pod) -> Standing:
    reason, _, message = pod.waiting.partition(": ")
    if message and pod.restarts:
        message = f"{message}, {pod.restarts} restarts"
    return Standing(pod.name, pod.template.image, pod.ready_since is not None, reason or "Running", message)


def _same_pods(one: Spec, other: Spec) -> bool:
    return one.template == other.template and bool(one.replicas) == bool(other.replicas)
