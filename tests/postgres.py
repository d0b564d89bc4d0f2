"""A real PostgreSQL server for tests: started as another user when we are root, ended and deleted afterwards."""

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from tests.parts import free_port, require

_INSTALL = "apt-get install -y --no-install-recommends postgresql"


class Postgres:
    """A running server. `database()` makes an empty database and returns its URL for SQLAlchemy."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._made = 0

    def database(self) -> str:
        self._made += 1
        name = f"journal_{self._made}"
        address = f"host=127.0.0.1 port={self.port} user=bot dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql://bot@127.0.0.1:{self.port}/{name}"


@contextlib.contextmanager
def running() -> Iterator[Postgres]:
    """A server for the length of the block; skips (or fails in CI) where PostgreSQL is not installed."""
    programs = Path(require("initdb", _INSTALL)).resolve().parent
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        _as_nobody(folder)
        options = ["-A", "trust", "-U", "bot", "--no-sync", "-E", "UTF8"]
        subprocess.run(
            [str(programs / "initdb"), "-D", str(folder / "data"), *options],
            check=True, timeout=120, stdout=subprocess.DEVNULL, **_child(folder),
        )  # fmt: skip
        server, port = _start(programs, folder)
        try:
            yield Postgres(port)
        finally:
            server.send_signal(signal.SIGQUIT)
            server.wait(timeout=60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(programs: Path, folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    for _ in range(3):
        port = free_port()
        settings = ["listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "fsync=off"]
        command = [str(programs / "postgres"), "-D", str(folder / "data"), "-p", str(port)]
        command += [word for setting in settings for word in ("-c", setting)]
        with (folder / "log").open("ab") as log:
            server = subprocess.Popen(
                command, stdout=log, stderr=log, preexec_fn=_die_with_parent, **_child(folder)
            )
        if _answers(server, port):
            return server, port
    raise RuntimeError(f"PostgreSQL does not start: {(folder / 'log').read_text()}")


def _answers(server: subprocess.Popen[bytes], port: int) -> bool:
    for _ in range(600):
        if server.poll() is not None:
            return False  # somebody else took the port
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(f"host=127.0.0.1 port={port} user=bot dbname=postgres connect_timeout=2").close()
            return True
        time.sleep(0.1)
    server.kill()
    return False


def _die_with_parent() -> None:
    # Runs as the other user already: a change of user would forget it. SIGQUIT ends PostgreSQL at once.
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGQUIT)


def _as_nobody(folder: Path) -> None:
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)


def _child(folder: Path) -> dict[str, Any]:
    """How PostgreSQL's programs are run: not as root, which they refuse."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    usual: dict[str, Any] = {"cwd": folder, "env": environment, "stdin": subprocess.DEVNULL}
    if os.geteuid() != 0:
        return usual
    nobody = pwd.getpwnam("nobody")
    return {**usual, "user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
