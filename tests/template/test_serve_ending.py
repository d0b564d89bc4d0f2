"""How the model server of the template ends: no request is lost, and nothing keeps it for long."""

import signal
import threading
import time
from pathlib import Path

import pytest
import requests

from tests.template.serving import ANSWER, Callers, Serving, SlowRequest, serving, soon

pytestmark = [pytest.mark.world, pytest.mark.xdist_group("serve")]


def _sleep(served: Serving, seconds: float) -> threading.Thread:
    body = {"dataframe_split": {"columns": ["do", "seconds"], "data": [["sleep", seconds]]}}

    def asked() -> None:
        try:
            served.ask(body)
        except requests.ConnectionError:
            return

    thread = threading.Thread(target=asked)
    thread.start()
    assert soon(lambda: served.metric("model_requests_in_flight") == 1)
    return thread


def test_sigterm_under_load_loses_no_request(models: Path, tmp_path: Path) -> None:
    with serving(models / "good", tmp_path, DRAIN_SECONDS="3") as served:
        served.until("/ready", 200)
        callers, slow = Callers(served.url), SlowRequest(served)
        assert soon(lambda: len(callers.got) > 20)
        told = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        # As in Kubernetes: /ready is 503 at once, and requests stop only when that has got around.
        assert served.until("/ready", 503, 5).json() == {"status": "the server is ending"}
        before = len(callers.got)
        assert soon(lambda: len(callers.got) > before + 4, 2.5)
        callers.leave()
        assert set(callers.got) == {(200, ANSWER)}
        assert served.refused()
        assert slow.finish().endswith(ANSWER.encode())
        assert served.process.wait(30) == 0
        assert time.monotonic() - told < 30


def test_a_client_that_keeps_its_connection_is_told_to_leave(models: Path, tmp_path: Path) -> None:
    with serving(models / "stubborn", tmp_path, DRAIN_SECONDS="3") as served, requests.Session() as client:
        served.until("/ready", 200)
        assert "Connection" not in client.get(f"{served.url}/version", timeout=5).headers
        served.process.send_signal(signal.SIGTERM)
        served.until("/ready", 503, 5)
        assert client.get(f"{served.url}/version", timeout=5).headers["Connection"] == "close"
        assert served.process.wait(30) == 0


def test_a_prediction_that_runs_is_finished_however_idle_the_rest_is(models: Path, tmp_path: Path) -> None:
    with serving(models / "stubborn", tmp_path, DRAIN_SECONDS="0.2") as served:
        served.until("/ready", 200)
        idle = served.connection()
        prediction = _sleep(served, 2.0)
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(30) == 0
        prediction.join(10)
        idle.close()


def test_a_prediction_that_never_ends_does_not_keep_it(models: Path, tmp_path: Path) -> None:
    settings = {"DRAIN_SECONDS": "0.2", "FINISH_SECONDS": "1"}
    with serving(models / "stubborn", tmp_path, **settings) as served:
        served.until("/ready", 200)
        prediction = _sleep(served, 300.0)
        told = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(30) == 1
        assert time.monotonic() - told < 15
        prediction.join(10)
    assert "a prediction did not end in time" in served.log.read_text().splitlines()[-1]


def test_told_to_end_while_it_loads_it_ends_without_draining(models: Path, tmp_path: Path) -> None:
    with serving(models / "stubborn", tmp_path, DRAIN_SECONDS="25") as served:
        served.until("/ready", 503)
        told = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        served.process.wait(30)
        assert time.monotonic() - told < 20


def test_from_a_terminal_it_ends_without_draining(models: Path, tmp_path: Path) -> None:
    with serving(models / "stubborn", tmp_path, DRAIN_SECONDS="25") as served:
        served.until("/ready", 200)
        told = time.monotonic()
        served.process.send_signal(signal.SIGINT)
        assert served.process.wait(30) == 0
        assert time.monotonic() - told < 20
