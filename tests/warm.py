"""Processes of Python that run at once: forked from one that has imported already what they would import.

What they are for a test is the same: a process of its own, with its own group, environment, folder and log, that dies by any signal
and by itself, and takes nothing along. Only the seconds of importing are spent once.
"""

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ClassVar

from bot.sandbox.processes import die_with_parent
from bot.sandbox.tracking import TrackingServer

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.warmed"])
_PATIENCE = 60.0


class Child:
    """As much of `subprocess.Popen` as the sandbox and the tests use."""

    def __init__(self, process: Any, command: Sequence[str]) -> None:
        self._process = process
        self.args = list(command)
        self.pid = int(process.pid)

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def poll(self) -> int | None:
        code: int | None = self._process.exitcode
        return code

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    errors: Path | None = None,
) -> Any:
    """As `bot.sandbox.processes.spawn`, for `[sys.executable, "-m", module, …]`; `errors` is a log for stderr alone."""
    if list(command[:2]) != [sys.executable, "-m"]:
        raise ValueError(f"only modules of this Python can be warm, not {command}")
    begun, tell = _CONTEXT.Pipe(duplex=False)
    there = {**os.environ, **(environment or {})}
    where = (str(folder or Path.cwd()), str(log), str(errors or log))
    process = _CONTEXT.Process(target=_become, args=(list(command[2:]), there, where, tell), daemon=True)
    with closing(begun), closing(tell):
        process.start()
        # Until then it has no group of its own that could be killed.
        if not begun.poll(_PATIENCE):
            raise RuntimeError(f"{command} does not start")
    return Child(process, command)


def run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run` with its output captured, by way of two files in `folder`, where it also runs."""
    said, shown = folder / "stdout", folder / "stderr"
    said.write_bytes(b"")
    shown.write_bytes(b"")
    child = spawn(command, log=said, errors=shown, environment=environment, folder=folder)
    code = child.wait(timeout)
    return subprocess.CompletedProcess(list(command), code, said.read_text(), shown.read_text())


def _become(
    words: list[str], environment: dict[str, str], where: tuple[str, str, str], tell: Connection
) -> None:
    folder, log, errors = where
    os.setsid()
    # It would keep alive the process that it is forked from, which must end with the test's: it ends with that one.
    os.close(forkserver._forkserver._forkserver_alive_fd)  # type: ignore[attr-defined]
    die_with_parent()
    for number, name in ((0, os.devnull), (1, log), (2, errors)):
        opened = os.open(name, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = words
    with closing(tell):
        tell.send(None)
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()


class WarmTracking(TrackingServer):
    """As `TrackingServer`, started warm, with the empty tables that the first one of this test process made."""

    spawn = staticmethod(spawn)
    _tables: ClassVar[bytes] = b""

    def launch(self) -> "WarmTracking":
        database = self.folder / "mlflow.db"
        if WarmTracking._tables and not database.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            database.write_bytes(WarmTracking._tables)
        self._fresh = not database.exists()
        super().launch()
        return self

    def wait(self, timeout: float = 90.0) -> "WarmTracking":
        super().wait(timeout)
        if self._fresh:
            WarmTracking._tables = (self.folder / "mlflow.db").read_bytes()
        return self
