"""The model server of the template: trained models, and servers that are asked by many tests."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.template.serving import ROWS, Serving, ask, serving


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the models `good` (scikit-learn) and `stubborn`, as MLflow saves them."""
    folder = tmp_path_factory.mktemp("models")
    quiet = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    train = Path(__file__).with_name("train_models.py")
    subprocess.run(
        [sys.executable, str(train), str(folder)],
        check=True, capture_output=True, env=quiet, timeout=240, cwd=folder,
    )  # fmt: skip
    return folder


# Versions 1 (good), 2 (its code does what it says in example), 3 (without a list of dependencies) of one model, and eleven
# of another, some of which have an alias, tags, a stage.
REGISTER = """
import sys, mlflow
uri, folder = sys.argv[1:]
client = mlflow.MlflowClient(uri, uri)
client.create_registered_model("fraud")
for name in ("good", "stubborn", "bare"):
    client.create_model_version("fraud", f"{folder}/{name}")
client.create_registered_model("it's a model")
for version in range(11):
    client.create_model_version("it's a model", "file:///nowhere")
client.set_registered_model_alias("it's a model", "champion", "3")
for version in ("2", "10"):
    client.set_model_version_tag("it's a model", version, "deploy", "staging")
client.transition_model_version_stage("it's a model", "5", "Production")
"""


@pytest.fixture(scope="session")
def registry(models: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a model registry in a file, with the models `fraud` and `it's a model`."""
    folder = tmp_path_factory.mktemp("registry")
    for name in ("good", "stubborn"):
        shutil.copytree(models / name, folder / name)
    shutil.copytree(models / "good", folder / "bare")
    (folder / "bare" / "requirements.txt").unlink()
    (folder / "good" / "MLmodel").chmod(0o600)
    uri = f"sqlite:///{folder}/mlflow.db"
    quiet = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONWARNINGS": "ignore"}
    subprocess.run(
        [sys.executable, "-c", REGISTER, uri, str(folder)],
        check=True, capture_output=True, env=quiet, timeout=240, cwd=folder,
    )  # fmt: skip
    return uri


@dataclass(frozen=True)
class Start:
    """What a server answered while it was loading its model; now it is ready. `began`: when it was started (monotonic)."""

    served: Serving
    health: requests.Response
    ready: requests.Response
    prediction: requests.Response
    began: float


@pytest.fixture(scope="session")
def start(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """A server with the model `good`, and how it started."""
    folder = tmp_path_factory.mktemp("served")
    settings = {
        "MAX_BODY_BYTES": str(1 << 20), "SOURCE_COMMIT": "c0ffee", "BODY_SECONDS": "3", "LOAD_SECONDS": "60",
    }  # fmt: skip
    began = time.monotonic()
    with serving(models / "good", folder, **settings) as served:
        early = served.until("/ready", 503)
        health = requests.get(f"{served.url}/health", timeout=30)
        prediction = ask(served.url, {"inputs": ROWS})
        served.until("/ready", 200)
        yield Start(served, health, early, prediction, began)


@pytest.fixture
def served(start: Start) -> Serving:
    """A server that is ready."""
    return start.served


@pytest.fixture(scope="session")
def stubborn(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server that is ready, with the model `stubborn`: four requests at a time, of which two predict."""
    folder = tmp_path_factory.mktemp("stubborn")
    (folder / "now").mkdir()
    settings = {"MAX_REQUESTS": "4", "PREDICTION_THREADS": "2", "COUNTED": str(folder / "now")}
    with serving(models / "stubborn", folder, **settings) as served:
        served.until("/ready", 200)
        yield served
