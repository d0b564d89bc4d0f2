"""The sandbox's MLflow: it comes up, keeps what it has, and its broken model breaks where it should."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest
import requests

from bot.sandbox.tracking import TrackingServer
from bot.sandbox.training import FEATURE_STORE_VARIABLE, Trained, command
from tests.warm import run

pytestmark = [pytest.mark.world, pytest.mark.xdist_group("mlflow")]


def names(server: TrackingServer) -> list[str]:
    """The registered models."""
    answer = requests.get(f"{server.url}/api/2.0/mlflow/registered-models/search", timeout=10).json()
    return [model["name"] for model in answer.get("registered_models", ())]


def test_a_server_that_is_started_again_keeps_its_models_and_webhooks_and_leaves_nothing_running(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "with space %41 and ü"
    with TrackingServer(folder) as server:
        made = requests.post(
            f"{server.url}/api/2.0/mlflow/registered-models/create", json={"name": "churn"}, timeout=10
        )
        assert made.ok
        server.create_webhook("http://127.0.0.1:9/hook", "secret", ["model_version_alias.created"])
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{server.url}/health", timeout=5)
    with TrackingServer(folder) as again:
        assert names(again) == ["churn"]
        hooks = requests.get(f"{again.url}/api/2.0/mlflow/webhooks", timeout=10).json()["webhooks"]
        assert [hook["url"] for hook in hooks] == ["http://127.0.0.1:9/hook"]


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="No module named"):
        TrackingServer(tmp_path, python="/usr/bin/python3").start(timeout=30)


def test_another_program_on_the_port_is_not_taken_for_the_server(
    tmp_path: Path, tracking: TrackingServer
) -> None:
    slow = tmp_path / "python"
    slow.write_text("#!/bin/sh\necho still importing\nexec sleep 60\n")
    slow.chmod(0o755)
    with pytest.raises(RuntimeError, match="still importing"):
        TrackingServer(tmp_path, port=tracking.port, python=str(slow)).start(timeout=1)


def test_a_webhook_that_mlflow_does_not_take_is_an_error(tracking: TrackingServer) -> None:
    with pytest.raises(RuntimeError, match="scheme"):
        tracking.create_webhook("ftp://127.0.0.1:9/", "s", ["model_version.created"])


def predicts(server: TrackingServer, trained: Trained, environment: Mapping[str, str]) -> str:
    """What a fresh process makes of the model: its prediction for the input example, or its last words."""
    code = "import mlflow, sys; m = mlflow.pyfunc.load_model(sys.argv[1]); print(m.predict(m.input_example).tolist())"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, f"models:/{trained.model}/{trained.version}"],
        env={**os.environ, "MLFLOW_TRACKING_URI": server.url, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return (done.stdout or done.stderr.strip()).splitlines()[-1]


def made(server: TrackingServer, kind: str, folder: Path) -> Trained:
    """A model of this kind, trained in a process of its own."""
    words = command(server.url, f"{kind}-{uuid.uuid4().hex[:8]}", kind)
    done = run(words, folder, timeout=120)
    assert done.returncode == 0, done.stderr
    return Trained(**json.loads(done.stdout.splitlines()[-1]))


def test_the_broken_model_predicts_in_ci_and_cannot_be_loaded_where_it_is_served(
    tracking: TrackingServer, tmp_path: Path
) -> None:
    broken = made(tracking, "broken", tmp_path)
    assert broken.metrics["auc"] > 0.9
    assert predicts(tracking, broken, {FEATURE_STORE_VARIABLE: "http://store"}) == "[1, 0, 0]"
    assert f"{FEATURE_STORE_VARIABLE} is not set" in predicts(tracking, broken, {})


def test_the_better_model_is_better_and_loads_in_a_fresh_process(
    tracking: TrackingServer, trained: Trained, tmp_path: Path
) -> None:
    better = made(tracking, "better", tmp_path)
    for name in ("auc", "accuracy", "recall"):
        assert better.metrics[name] > trained.metrics[name]
    assert predicts(tracking, better, {}) == "[1, 0, 0]"
