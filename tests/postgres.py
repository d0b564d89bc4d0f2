"""A real PostgreSQL server for tests: started as another user when we are root, ended and deleted afterwards."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
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
    control = [str(programs / "pg_ctl"), "-D", str(folder / "data"), "-w"]
    try:
        _as_nobody(folder)
        _run(
            [
                str(programs / "initdb"),
                "-D",
                str(folder / "data"),
                "-A",
                "trust",
                "-U",
                "bot",
                "--no-sync",
                "-E",
                "UTF8",
            ],
            folder,
        )
        port = _start(control, folder)
        try:
            yield Postgres(port)
        finally:
            _run([*control, "-m", "immediate", "stop"], folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(control: Sequence[str], folder: Path) -> int:
    for _ in range(3):
        port = free_port()
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        with contextlib.suppress(subprocess.CalledProcessError):  # somebody else took the port
            _run([*control, "-o", options, "-l", str(folder / "log"), "start"], folder)
            return port
    raise RuntimeError(f"PostgreSQL does not start: {(folder / 'log').read_text()}")


def _as_nobody(folder: Path) -> None:
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)


def _run(command: Sequence[str], folder: Path) -> None:
    other: dict[str, Any] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        nobody = pwd.getpwnam("nobody")
        other = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    subprocess.run(
        list(command), check=True, cwd=folder, env=environment, timeout=60,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **other,
    )  # fmt: skip
