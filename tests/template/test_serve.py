"""The model server of the template with a real scikit-learn model over a real socket."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.sandbox.processes import end, spawn
from tests.parts import free_port

pytestmark = [pytest.mark.world, pytest.mark.xdist_group("serve")]

SERVE = Path(__file__).parents[2] / "gitops-template" / "model-image" / "serve.py"
ROWS = [[1.0, 0.0, 9.0], [0.0, 1.0, 9.0]]
SPLIT = {"dataframe_split": {"columns": ["a", "b", "c"], "data": ROWS}}
TRAIN = """
import sys, mlflow, numpy, pandas
from sklearn.linear_model import LogisticRegression
inputs = pandas.DataFrame(numpy.random.default_rng(1).random((200, 3)), columns=["a", "b", "c"])
labels = (inputs.a > inputs.b).astype(int)
model = LogisticRegression(C=1000).fit(inputs, labels)
signature = mlflow.models.infer_signature(inputs, model.predict(inputs))
mlflow.sklearn.save_model(model, sys.argv[1], input_example=inputs.head(2), signature=signature,
                          pip_requirements=["mlflow", "scikit-learn"])
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "model"
    quiet = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    subprocess.run(
        [sys.executable, "-c", TRAIN, str(folder)], check=True, capture_output=True, env=quiet, timeout=120
    )
    return folder


@contextlib.contextmanager
def _serving(model: Path, folder: Path, **more: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = free_port()
    environment = {
        "HOST": "127.0.0.1", "PORT": str(port), "MODEL_PATH": str(model), "MODEL_NAME": "fraud-detector",
        "MODEL_VERSION": "7", "MLFLOW_RUN_ID": "abc", "DRAIN_SECONDS": "0.5", **more,
    }  # fmt: skip
    process = spawn(
        [sys.executable, str(SERVE)], log=folder / "serve.log", environment=environment, folder=folder
    )
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        end(process)


def _until(url: str, status: int, process: subprocess.Popen[bytes], seconds: float = 90) -> requests.Response:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(requests.ConnectionError):
            answer = requests.get(url, timeout=5)
            if answer.status_code == status:
                return answer
        time.sleep(0.05)
    pytest.fail(f"{url} never answered {status}")


@dataclass(frozen=True)
class Start:
    """What a server answered while it was loading its model, and its log when it had become ready."""

    url: str
    ready: requests.Response
    health: requests.Response
    prediction: requests.Response
    log: str


@pytest.fixture(scope="module")
def start(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    folder = tmp_path_factory.mktemp("served")
    with _serving(model, folder, MAX_BODY_BYTES=str(1 << 20)) as (url, process):
        early = _until(f"{url}/ready", 503, process)
        health, prediction = requests.get(f"{url}/health", timeout=5), _ask(url, {"inputs": ROWS})
        _until(f"{url}/ready", 200, process)
        yield Start(url, early, health, prediction, (folder / "serve.log").read_text())


@pytest.fixture
def served(start: Start) -> str:
    return start.url


def _ask(url: str, body: object, content_type: str = "application/json") -> requests.Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return requests.post(f"{url}/invocations", data=data, headers={"Content-Type": content_type}, timeout=30)


def test_it_is_alive_before_it_is_ready_and_ready_after_its_own_example(start: Start) -> None:
    assert start.health.json() == {"status": "alive"}
    assert start.ready.json() == {"status": "the model is still being loaded"}
    assert start.prediction.status_code == 503
    assert "has answered its own input example" in start.log
    assert requests.get(f"{start.url}/ready", timeout=5).json() == {"status": "ready"}


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": ["a", "b", "c"], "data": ROWS}},
        {"dataframe_split": {"columns": ["c", "b", "a"], "data": [row[::-1] for row in ROWS]}},
        {"dataframe_records": [dict(zip("abc", row, strict=True)) for row in ROWS]},
        {"inputs": {"a": [1.0, 0.0], "b": [0.0, 1.0], "c": [9.0, 9.0]}},
        {"instances": [dict(zip("abc", row, strict=True)) for row in ROWS]},
    ],
    ids=lambda body: "-".join(body),
)
def test_each_form_of_mlflows_protocol_gets_the_right_prediction(served: str, body: object) -> None:
    answer = _ask(served, body)
    assert (answer.status_code, answer.json()) == (200, {"predictions": [1, 0]})


def test_csv_gets_the_right_prediction(served: str) -> None:
    assert _ask(served, b"a,b,c\n1,0,9\n0,1,9\n", "text/csv").json() == {"predictions": [1, 0]}


def test_it_says_which_version_it_is(served: str) -> None:
    said = requests.get(f"{served}/version", timeout=5).json()
    assert said.pop("mlflow")
    assert said == {"model": "fraud-detector", "version": "7", "run_id": "abc", "image_digest": None}


def test_its_metrics_count_answers_by_status(served: str) -> None:
    def count(status: str) -> float:
        lines = requests.get(f"{served}/metrics", timeout=5).text.splitlines()
        found = [
            line.rpartition(" ")[2]
            for line in lines
            if line.startswith(f'model_requests_total{{status="{status}"')
        ]
        return float(found[0]) if found else 0.0

    before = count("200"), count("400")
    _ask(served, {"inputs": {"a": [1.0], "b": [0.0], "c": [0.0]}})
    _ask(served, {})
    assert (count("200"), count("400")) == (before[0] + 1, before[1] + 1)
    text = requests.get(f"{served}/metrics", timeout=5).text
    assert 'model_info{image_digest="",model="fraud-detector",run_id="abc",version="7"} 1.0' in text
    assert "model_ready 1.0" in text


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"{", 400, "not JSON"),
        (b"\xff\xfe", 400, "not JSON"),
        (b"[" * 100_000, 400, "not JSON"),
        ([1], 400, "must be a JSON object"),
        ({}, 400, "exactly one of the input fields"),
        ({"inputs": [1], "instances": [1]}, 400, "exactly one of the input fields"),
        ({"dataframe_records": [{"a": 1.0}]}, 400, "missing inputs"),
        ({"dataframe_records": [{"a": "x", "b": 1.0, "c": 1.0}]}, 400, "Failed to convert column a"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}, 400, "not a valid dataframe"),
        ({"dataframe_split": 5}, 400, "must be a dictionary"),
    ],
    ids=range(10),
)  # fmt: skip
def test_bad_input_is_answered_with_a_sentence(served: str, body: object, status: int, sentence: str) -> None:
    answer = _ask(served, body)
    assert answer.status_code == status
    assert sentence in answer.json()["error"]
    assert "Traceback" not in answer.text


def test_another_content_type_and_another_method_are_refused(served: str) -> None:
    assert _ask(served, b"<x/>", "text/xml").status_code == 415
    assert requests.get(f"{served}/invocations", timeout=5).status_code == 405
    assert requests.get(f"{served}/docs", timeout=5).status_code == 404


def test_a_body_that_is_too_large_is_refused(served: str) -> None:
    answer = _ask(served, b" " * ((1 << 20) + 1))
    assert answer.status_code == 413
    assert "more than the 1048576 bytes" in answer.json()["error"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from("abc") | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
FORMATS = st.sampled_from(
    ["dataframe_split", "dataframe_records", "inputs", "instances", "params", "messages"]
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.dictionaries(FORMATS, JSON, min_size=1, max_size=2) | JSON | st.binary(max_size=50),
    csv=st.booleans(),
)
def test_whatever_comes_gets_a_prediction_or_a_sentence(served: str, body: Any, csv: bool) -> None:
    answer = _ask(served, body, "text/csv" if csv else "application/json")
    if answer.status_code == 200:
        assert "predictions" in answer.json()
    else:
        assert 400 <= answer.status_code < 500
        assert answer.json()["error"].strip()
        assert "Traceback" not in answer.text
        assert '.py"' not in answer.text


class Callers:
    """Four clients that send one request after the other until told to leave; `got` are statuses and exceptions."""

    def __init__(self, url: str) -> None:
        self.got: list[object] = []
        self._url, self._leave = url, threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(4)]
        for thread in self._threads:
            thread.start()

    def _call(self) -> None:
        with requests.Session() as session:
            while not self._leave.is_set():
                try:
                    answer = session.post(f"{self._url}/invocations", json=SPLIT, timeout=30)
                    self.got.append((answer.status_code, answer.text))
                except requests.RequestException as error:
                    self.got.append(error)

    def leave(self) -> None:
        self._leave.set()
        for thread in self._threads:
            thread.join(30)


def test_sigterm_under_load_loses_no_request(model: Path, tmp_path: Path) -> None:
    with _serving(model, tmp_path, DRAIN_SECONDS="1.5") as (url, process):
        _until(f"{url}/ready", 200, process)
        callers, slow = Callers(url), SlowRequest(url)
        time.sleep(0.5)
        before = len(callers.got)
        process.send_signal(signal.SIGTERM)
        # As in Kubernetes: /ready is 503 at once, and requests stop only when that has got around.
        assert _until(f"{url}/ready", 503, process, 5).json() == {"status": "the server is ending"}
        time.sleep(0.7)
        callers.leave()
        assert len(callers.got) > before > 0
        assert set(callers.got) == {(200, '{"predictions": [1, 0]}')}
        _until_refused(url)
        assert slow.finish() == b'{"predictions": [1, 0]}'
        assert process.wait(30) == 0


class SlowRequest:
    """A request of which only a part has been sent yet."""

    def __init__(self, url: str) -> None:
        host, port = url.removeprefix("http://").split(":")
        body = json.dumps(SPLIT).encode()
        head = "POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        self._connection = socket.create_connection((host, int(port)), timeout=30)
        self._connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:10])
        self._rest = body[10:]

    def finish(self) -> bytes:
        """Send the rest and return the body of the answer."""
        with self._connection as connection:
            connection.sendall(self._rest)
            return b"".join(iter(lambda: connection.recv(65536), b"")).rpartition(b"\r\n\r\n")[2]


def _until_refused(url: str) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            requests.get(f"{url}/health", timeout=5)
        except requests.ConnectionError:
            return
        time.sleep(0.05)
    pytest.fail("it went on accepting connections")


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("MLmodel", b"flavors: {}", "cannot serve: MlflowException"),
        ("serving_input_example.json", b'{"inputs": "nonsense"}', "cannot serve: BadInput"),
    ],
)  # fmt: skip
def test_a_model_that_cannot_be_served_ends_the_process_with_the_reason(
    model: Path, tmp_path: Path, file: str, content: bytes, reason: str
) -> None:
    broken = shutil.copytree(model, tmp_path / "broken")
    (broken / file).write_bytes(content)
    with _serving(broken, tmp_path) as (_, process):
        assert process.wait(90) == 1
    assert reason in (tmp_path / "serve.log").read_text().splitlines()[-1]
