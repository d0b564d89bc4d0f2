"""Starts the model server of the template as a process, and asks it over real sockets."""

import contextlib
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from bot.sandbox.processes import end, spawn

MODEL_IMAGE = Path(__file__).parents[2] / "gitops-template" / "model-image"
SERVE = MODEL_IMAGE / "serve.py"
ROWS = [[1.0, 0.0, 9.0], [0.0, 1.0, 9.0]]
SPLIT = {"dataframe_split": {"columns": ["a", "b", "c"], "data": ROWS}}
RUNNING = re.compile(r"running on (http://[\d.:]+)")
ANSWER = '{"predictions": [1, 0]}'


@dataclass(frozen=True)
class Serving:
    """A server that runs. `log` is where it writes; it may already have ended."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def until(self, path: str, status: int, seconds: float = 120) -> requests.Response:
        """The first answer with that status."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(requests.RequestException):
                answer = requests.get(f"{self.url}{path}", timeout=5)
                if answer.status_code == status:
                    return answer
            time.sleep(0.05)
        pytest.fail(f"{path} never answered {status}: {self.log.read_text()}")

    def refused(self) -> bool:
        """Whether it stops to accept connections within ten seconds."""

        def accepted() -> bool:
            with contextlib.suppress(OSError), self.connection():
                return True
            return False

        return soon(lambda: not accepted(), 10)

    def connection(self) -> socket.socket:
        """A bare connection to it."""
        host, port = self.url.removeprefix("http://").split(":")
        return socket.create_connection((host, int(port)), timeout=30)

    def metric(self, name: str) -> float:
        """One number of /metrics, by its name and labels as they are written there; 0 when it is not there."""
        lines = requests.get(f"{self.url}/metrics", timeout=10).text.splitlines()
        found = [line for line in lines if line.rpartition(" ")[0] == name]
        return float(found[0].rpartition(" ")[2]) if found else 0.0

    def ask(self, body: object, content_type: str | None = "application/json") -> requests.Response:
        """The answer of /invocations."""
        return ask(self.url, body, content_type)


def ask(url: str, body: object, content_type: str | None = "application/json") -> requests.Response:
    """The answer of /invocations to bytes as they are, or to anything else as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": content_type} if content_type is not None else {}
    return requests.post(f"{url}/invocations", data=data, headers=headers, timeout=60)


@contextlib.contextmanager
def serving(model: Path, folder: Path, **more: str) -> Iterator[Serving]:
    """The server with that model, listening or ended; `more` are settings in its environment."""
    environment = {
        "HOST": "127.0.0.1", "PORT": "0", "MODEL_PATH": str(model), "MODEL_NAME": "fraud-detector",
        "MODEL_VERSION": "7", "MLFLOW_RUN_ID": "abc", "DRAIN_SECONDS": "0.5", **more,
    }  # fmt: skip
    log = folder / "serve.log"
    process = spawn([sys.executable, str(SERVE)], log=log, environment=environment, folder=folder)
    try:
        assert soon(lambda: process.poll() is not None or bool(RUNNING.search(log.read_text())), 60)
        running = RUNNING.search(log.read_text())
        yield Serving(running[1] if running else "http://ended.invalid", process, log)
    finally:
        end(process)


def soon(true: Callable[[], bool], seconds: float = 30) -> bool:
    """Whether it becomes true in that time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class Callers:
    """Clients that send one request after the other until told to leave; `got` are answers and exceptions."""

    def __init__(self, url: str, number: int = 4) -> None:
        self.got: list[object] = []
        self._url, self._leave = url, threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(number)]
        for thread in self._threads:
            thread.start()

    def _call(self) -> None:
        with requests.Session() as session:
            while not self._leave.is_set():
                try:
                    answer = session.post(f"{self._url}/invocations", json=SPLIT, timeout=60)
                    self.got.append((answer.status_code, answer.text))
                except requests.RequestException as error:
                    self.got.append(error)

    def leave(self) -> None:
        """Send nothing more, and wait for the answers."""
        self._leave.set()
        for thread in self._threads:
            thread.join(60)


class SlowRequest:
    """A request of which only a part has been sent yet."""

    def __init__(self, served: Serving) -> None:
        body = json.dumps(SPLIT).encode()
        head = "POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        self._connection = served.connection()
        self._connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:10])
        self._rest = body[10:]

    def finish(self) -> bytes:
        """Send the rest and return the answer, with its head."""
        self._connection.sendall(self._rest)
        return self.answer()

    def answer(self) -> bytes:
        """What comes until the server closes the connection, or for a second."""
        self._connection.settimeout(30)
        said = self._connection.recv(65536)
        self._connection.settimeout(1)
        with contextlib.suppress(TimeoutError):
            while more := self._connection.recv(65536):
                said += more
        self._connection.close()
        return said

    def hang_up(self) -> None:
        """Leave without having sent the rest."""
        self._connection.close()
