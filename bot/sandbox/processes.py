"""Child processes that never outlive their parent."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Runs between fork and exec. Linux ends the child when the thread that started it ends, whatever killed it."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    inherit: bool = True,
) -> subprocess.Popen[bytes]:
    """Start a command in a process group of its own, with its output in `log`.

    `environment` is added to the parent's, or with `inherit=False` to nothing but PATH and language. Start it from a thread that lives as long as the child should.
    """
    with log.open("ab") as out:
        return subprocess.Popen(
            list(command),
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**_inherited(inherit), **(environment or {})},
            cwd=folder,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )


def _inherited(everything: bool) -> Mapping[str, str]:
    if everything:
        return os.environ
    return {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in os.environ}


def end(process: subprocess.Popen[bytes], *, grace: float = 5.0) -> int:
    """End the child's whole process group: politely first, after `grace` seconds for good. Returns its exit code."""
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=patience)
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait(timeout=5)
