"""Run a command, then end every process that it left behind; exits with the command's code. Linux only."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
PATIENCE = 5.0


def children() -> list[int]:
    """The processes whose parent is this one: orphans of the command come here instead of to init."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            name_and_rest = status.read_text().rpartition(")")
        except OSError:
            continue
        if int(name_and_rest[2].split()[1]) == os.getpid():
            found.append(int(status.parent.name))
    return found


def reap() -> list[int]:
    """The children that still run, after those that have ended are collected."""
    while True:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return []
        if ended == 0:
            return children()


def tidy() -> None:
    """End what is left, politely first; what the ended ones leave comes here in turn."""
    said: set[int] = set()
    began = time.monotonic()
    while (left := reap()) and time.monotonic() - began < 2 * PATIENCE:
        for process in left:
            if process not in said:
                print(f"left running, ended now: {process} {command_line(process)}", file=sys.stderr)
            said.add(process)
            os.kill(process, signal.SIGTERM if time.monotonic() - began < PATIENCE else signal.SIGKILL)
        time.sleep(0.2)


def command_line(process: int) -> str:
    """What a child runs; it stays readable until this process collects it."""
    return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:200]


def main() -> int:
    """The command's exit code, as a shell would give it."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        code = subprocess.run(sys.argv[1:], check=False).returncode
    finally:
        tidy()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
