"""A Deployment of the sandbox: what serves, what is to replace it, and how healthy that is.

`spec.replicas` is followed only as far as zero or more: one process stands for all pods of a template.
"""

import contextlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bot.sandbox.cluster.container import Template
from bot.sandbox.cluster.forwarder import Forwarder
from bot.sandbox.cluster.manifest import Document
from bot.sandbox.cluster.pod import Pod, Pull

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True, slots=True)
class Spec:
    """A Deployment as far as it matters here, and the whole of it. `min_ready` and `deadline` are seconds."""

    template: Template
    replicas: int = 1
    min_ready: float = 0.0
    deadline: float = 600.0
    document: Document = field(default_factory=dict, compare=False)


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
        self._lock = threading.RLock()

    def apply(self, spec: Spec | None) -> bool:
        """Make this the wanted state, None meaning no Deployment. Whether pods have to change for it."""
        with self._lock:
            before, self._wanted = self._wanted, spec
            return before is None or spec is None or not _same_pods(before, spec)

    def tick(self) -> None:
        """Let pods start, get ready, fail, end, and replace each other."""
        with self._lock:
            now = self._monotonic()
            there = list(self._pods)
            self._arrange(now)
            for pod in there:  # a new one is seen before it starts
                pod.tick(now)
            self._pods = [pod for pod in self._pods if not pod.gone]
            self._switch(now)

    def _arrange(self, now: float) -> None:
        template = self._wanted.template if self._wanted is not None and self._wanted.replicas else None
        staying = [pod for pod in self._pods if not pod.leaving]
        if template is None:
            self._serving, self.service.target = None, None
        elif not any(pod.template == template for pod in staying):
            name = f"{template.replica_set}-{''.join(secrets.choice(_LETTERS) for _ in range(5))}"
            self._pods.append(Pod(template, self._pull, self._folder / name))
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
                self._serving = pod
        if self._serving is not None:
            self.service.target = self._serving.port

    def available(self, pod: Pod) -> bool:
        """Whether the pod has been ready for long enough to count."""
        with self._lock:
            if pod.leaving or pod.ready_since is None or self._wanted is None:
                return False
            return pod is self._serving or self._monotonic() - pod.ready_since >= self._wanted.min_ready

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

    def tracked(self) -> list[Pod]:
        """Every pod that is there, to be read on the thread that ticks."""
        with self._lock:
            return list(self._pods)

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
