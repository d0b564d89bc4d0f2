"""A pod of the sandbox: one real process of one image, pulled, started, probed, restarted, and ended by its id."""

import contextlib
import os
import signal
import subprocess
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests

from bot.sandbox.cluster.container import (
    Happening,
    Running,
    State,
    Template,
    Terminated,
    Waiting,
    command,
    environment,
)
from bot.sandbox.processes import end, spawn
from bot.sandbox.registry_client import Unpacked
from bot.sandbox.serving import free_port

Pull = Callable[[str], Unpacked]
FIRST_BACKOFF, LAST_BACKOFF = 1.0, 10.0
PROBE_UNREADY, PROBE_READY = 0.2, 1.0
SHOWN = 0.3  # seconds for which a container that ended, or an image that did not come, is told of as such
LOG_LIMIT = 64 << 10


class Pod:
    """Nothing in here waits for the process: `tick` is called again and again, always by the same thread.

    That thread must live as long as the pod, because the process ends with it.
    """

    def __init__(self, template: Template, pull: Pull, folder: Path) -> None:
        """Nothing runs yet. The process finds its home, its logs and its temporary files in `folder`."""
        self.template, self._pull, self._folder, self.name = template, pull, folder, folder.name
        self.uid, self.created = str(uuid.uuid4()), datetime.now(UTC)
        self.port = 0
        self.ready_since: float | None = None
        self.ready_changed = self.created
        self.restarts = 0
        self.state: State = Waiting("ContainerCreating")
        self.last: Terminated | None = None
        self.digest = ""
        self.deleted_at: datetime | None = None
        self.was_ready = False
        self.gone = False
        self.happenings: list[Happening] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = self._failures = 0
        self._next_start = self._next_probe = 0.0
        self._kill_at: float | None = None
        self._then: tuple[float, Waiting] | None = None

    @property
    def leaving(self) -> bool:
        """Whether it has been told to end."""
        return self._kill_at is not None or self.gone

    @property
    def started(self) -> bool:
        """Whether its container has ever run."""
        return self._starts > 0

    @property
    def waiting(self) -> str:
        """Why it does not run, for people; empty when it does."""
        if self.leaving:
            return "Terminating"
        if isinstance(self.state, Terminated):
            return f"Error: exit code {self.state.code}"
        if isinstance(self.state, Running):
            return ""
        if self.state.reason == "CrashLoopBackOff" and self.last is not None:
            return f"CrashLoopBackOff: exit code {self.last.code}"
        return f"{self.state.reason}: {self.state.message}" if self.state.message else self.state.reason

    def log(self, *, previous: bool = False) -> str | None:
        """The end of what the container has said, or of the one before it; None when there was none."""
        number = self._starts - (2 if previous and not isinstance(self.state, Waiting) else 1)
        path = self._folder / f"{number}.log"
        if number < 0 or (previous and self.last is None) or not path.exists():
            return None
        with path.open("rb") as said:
            said.seek(max(0, path.stat().st_size - LOG_LIMIT))
            return said.read().decode("utf-8", "replace")

    def tick(self, now: float) -> None:
        """Start it when that is due, see whether it is ready, and see it end."""
        if self.gone:
            return
        running = self._process is not None and self._process.poll() is None
        if self._then is not None and now >= self._then[0]:
            self.last = self.state if isinstance(self.state, Terminated) else self.last
            self.state, self._then = self._then[1], None
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
        self.was_ready, self.ready_since = self.ready_since is not None, None
        self._kill_at = now + self.template.grace
        self.deleted_at = datetime.now(UTC) + timedelta(seconds=self.template.grace)
        if self._process is not None:
            self._tell("Killing", f"Stopping container {self.template.container}")
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it now, whatever it does; done already is done."""
        if self._process is not None:
            end(self._process, grace=0.5)
        self._process, self.gone = None, True
        self._ready(None)

    def _leave(self, now: float, running: bool) -> None:
        if not running or (self._kill_at is not None and now >= self._kill_at):
            self.kill()

    def _start(self, now: float) -> None:
        container, image_name = self.template.container, self.template.image
        if not self.started:
            self._tell("Pulling", f'Pulling image "{image_name}"')
        try:
            image = self._pull(image_name)
        except Exception as problem:  # noqa: BLE001 -- whatever it is, the kubelet says so and tries again
            self._not_pulled(now, " ".join(str(problem).split())[:200])
            return
        how = "already present on machine" if self.started else "pulled"
        self._tell("Pulled", f'Container image "{image_name}" {how}')
        self.port, self.digest = free_port(), image.digest
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._process = spawn(
                command(self.template, image),
                log=self._folder / f"{self._starts}.log",
                environment=environment(self.template, image, self._folder, self.port),
                folder=image.root / image.working_folder.lstrip("/"),
                inherit=False,
            )
        except OSError as problem:
            self._back_off(now, Waiting("CreateContainerError", str(problem.strerror)))
            return
        self._tell("Created", f"Created container: {container}")
        self._tell("Started", f"Started container {container}")
        self.restarts = self._starts
        self._starts += 1
        self.last = self.state if isinstance(self.state, Terminated) else self.last
        self.state, self._then = Running(datetime.now(UTC)), None

    def _probe(self, now: float) -> None:
        if now < self._next_probe:
            return
        problem = self._unready()
        if problem:
            self._ready(None)
            self._next_probe = now + PROBE_UNREADY
            self._tell("Unhealthy", f"Readiness probe failed: {problem}", warning=True)
            return
        self._failures, self._next_probe = 0, now + PROBE_READY
        if self.ready_since is None:
            self._ready(now)

    def _ready(self, since: float | None) -> None:
        if (since is None) != (self.ready_since is None):
            self.ready_changed = datetime.now(UTC)
        self.ready_since = since

    def _unready(self) -> str:
        """Why the readiness probe fails; empty when it does not."""
        if self.template.ready_path is None:
            return ""
        with requests.Session() as session:
            session.trust_env = False  # no proxy leads to our own loopback
            try:
                url = f"http://127.0.0.1:{self.port}{self.template.ready_path}"
                status = session.get(url, timeout=1, allow_redirects=False).status_code
            except requests.ConnectionError:
                return f'Get "{url}": connect: connection refused'
            except requests.RequestException:
                return f'Get "{url}": context deadline exceeded'
        return "" if 200 <= status < 400 else f"HTTP probe failed with statuscode: {status}"

    def _ended(self, now: float, code: int) -> None:
        began = self.state.since if isinstance(self.state, Running) else datetime.now(UTC)
        ended = Terminated(128 - code if code < 0 else code, began, datetime.now(UTC))
        self._process, self.state = None, ended
        self._ready(None)
        # The kubelet's first restart comes at once, the later ones after a time that doubles.
        wait = min(FIRST_BACKOFF * 2 ** (self._failures - 1), LAST_BACKOFF) if self._failures else 0.0
        self._next_start = now + max(wait, SHOWN)
        self._failures = min(self._failures + 1, 10)
        if wait:
            whom = f"{self.name}_{self.template.namespace}({self.uid})"
            name = self.template.container
            said = f"back-off {wait:.0f}s restarting failed container={name} pod={whom}"
            self._then = (now + SHOWN, Waiting("CrashLoopBackOff", said))
            said = f"Back-off restarting failed container {name} in pod {whom}"
            self._tell("BackOff", said, warning=True)

    def _not_pulled(self, now: float, problem: str) -> None:
        image = self.template.image
        self._tell("Failed", f'Failed to pull image "{image}": {problem}', warning=True)
        self._tell("Failed", "Error: ErrImagePull", warning=True)
        self._tell("BackOff", f'Back-off pulling image "{image}"')
        said = f'Back-off pulling image "{image}": ErrImagePull: {problem}'
        self._back_off(now, Waiting("ErrImagePull", problem))
        self._then = (now + SHOWN, Waiting("ImagePullBackOff", said))

    def _back_off(self, now: float, why: Waiting) -> None:
        self.state, self._then = why, None
        self._next_start = now + min(FIRST_BACKOFF * 2**self._failures, LAST_BACKOFF)
        self._failures = min(self._failures + 1, 10)

    def _tell(self, reason: str, message: str, *, warning: bool = False) -> None:
        self.happenings.append(Happening(reason, message, warning))
