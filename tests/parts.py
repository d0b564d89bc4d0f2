"""Parts that tests need and a machine may lack: skipped on a laptop with the command that installs them, failed in CI."""

import os
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


def require(
    program: str, install: str, check: Callable[[str], bool] = lambda path: True, *, packaged: bool = True
) -> str:
    """The path of a program; without it the test skips (with `install`), or fails where CI is set.

    A program that is not `packaged` for Debian cannot be installed by `.ci/run`: there, too, its tests skip.
    """
    more = f"{Path(sys.executable).parent}:/usr/sbin:/usr/lib/postgresql/15/bin"
    path = shutil.which(program) or shutil.which(program, path=more)
    if path and check(path):
        return path
    sentence = f"{program} is missing here; install it with: {install}"
    if os.environ.get("CI") and packaged:
        pytest.fail(sentence)
    pytest.skip(sentence)


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
