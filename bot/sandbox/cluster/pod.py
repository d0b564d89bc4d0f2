"""A pod of the sandbox: one real process of one image, pulled, started, probed, restarted, and ended by its id."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import requests

from bot.sandbox.processes import end, spawn
from bot.sandbox.registry_client import Unpacked
from bot.sandbox.serving import free_port

Pull = Callable[[str], Unpacked]
FIRST_BACKOFF, LAST_BACKOFF = 1.0, 10.0
PROBE_UNREADY, PROBE_READY = 0.2, 1.0


@dataclass(frozen=True, slots=True)
class Template:
    """What of a pod template matters here. Without a `ready_path` a pod is ready when it runs. `grace` in seconds."""

    image: str
    command: tuple[str, ...] | None
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    ready_path: str | None
    grace: float = 30.0


class Pod:
    """Nothing in here waits for the process: `tick` is called again and again, always by the same thread.

    That thread must live as long as the pod, because the process ends with it.
    """

    def __init__(self, template: Template, pull: Pull, folder: Path) -> None:
        """Nothing runs yet. The process finds its home, its log and its temporary files in `folder`."""
        self.template, self._pull, self._folder, self.name = template, pull, folder, folder.name
        self.port = 0
        self.ready_since: float | None = None
        self.restarts = 0
        self.waiting = "ContainerCreating"
        self.gone = False
        self._process: subprocess.Popen[bytes] | None = None
        self._failures = 0
        self._next_start = self._next_probe = 0.0
        self._kill_at: float | None = None

    @property
    def leaving(self) -> bool:
        """Whether it has been told to end."""
        return self._kill_at is not None or self.gone

    def tick(self, now: float) -> None:
        """Start it when that is due, see whether it is ready, and see it end."""
        if self.gone:
            return
        running = self._process is not None and self._process.poll() is None
        if self.leaving:
            self._leave(now, running)
        elif running:
            self._probe(now)
        elif self._process is not None:
            self._ended(now, self._process.returncode)
        elif now >= self._next_start:
            self._start(now)

    def leave(self, now: float) -> None:
        """Tell it to end; it has its grace period for that, and is ended for good after it."""
        if self.leaving:
            return
        self.ready_since, self.waiting = None, "Terminating"
        self._kill_at = now + self.template.grace
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it now, whatever it does; done already is done."""
        if self._process is not None:
            end(self._process, grace=0.5)
        self._process, self.gone, self.ready_since = None, True, None

    def _leave(self, now: float, running: bool) -> None:
        if not running or (self._kill_at is not None and now >= self._kill_at):
            self.kill()

    def _start(self, now: float) -> None:
        try:
            image = self._pull(self.template.image)
        except Exception as problem:  # noqa: BLE001 -- whatever it is, the kubelet says so and tries again
            self._back_off(now, f"ImagePullBackOff: {' '.join(str(problem).split())[:200]}")
            return
        self.port = free_port()
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._process = spawn(
                self._command(image),
                log=self._folder / "pod.log",
                environment=self._environment(image),
                folder=image.root / image.working_folder.lstrip("/"),
                inherit=False,
            )
        except OSError as problem:
            self._back_off(now, f"CreateContainerError: {problem.strerror}")
            return
        self.waiting = ""

    def _command(self, image: Unpacked) -> list[str]:
        first, *rest = (*(self.template.command or image.entrypoint), *self.template.arguments)
        # The image brings no Python here, as it is not a real root file system.
        program = sys.executable if first in ("python", "python3") else _placed(first, image.root)
        return [program, *(_placed(word, image.root) for word in rest)]

    def _environment(self, image: Unpacked) -> dict[str, str]:
        said = {**image.environment, **self.template.environment}
        # An image's own search path leads to programs that are not in it here.
        said.pop("PATH", None)
        placed = {name: _placed(value, image.root) for name, value in said.items()}
        home = str(self._folder)
        return {**placed, "HOST": "127.0.0.1", "PORT": str(self.port), "HOME": home, "TMPDIR": home}

    def _probe(self, now: float) -> None:
        if now < self._next_probe:
            return
        if not self._answers():
            self.ready_since, self._next_probe = None, now + PROBE_UNREADY
            return
        self._failures, self._next_probe = 0, now + PROBE_READY
        if self.ready_since is None:
            self.ready_since = now

    def _answers(self) -> bool:
        if self.template.ready_path is None:
            return True
        with requests.Session() as session:
            session.trust_env = False  # no proxy leads to our own loopback
            try:
                url = f"http://127.0.0.1:{self.port}{self.template.ready_path}"
                return 200 <= session.get(url, timeout=1, allow_redirects=False).status_code < 400
            except requests.RequestException:
                return False

    def _ended(self, now: float, code: int) -> None:
        self._process, self.ready_since = None, None
        self.restarts += 1
        self._back_off(now, f"CrashLoopBackOff: exit code {code}")

    def _back_off(self, now: float, why: str) -> None:
        self.waiting = why
        self._next_start = now + min(FIRST_BACKOFF * 2**self._failures, LAST_BACKOFF)
        self._failures = min(self._failures + 1, 10)


def _placed(word: str, root: Path) -> str:
    """An absolute path that is in the image becomes the one where the image is unpacked."""
    inside = root / word.lstrip("/")
    return str(inside) if word.startswith("/") and ".." not in word and inside.exists() else word
