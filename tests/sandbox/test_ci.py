"""The CI of the sandbox with a real MLflow store, the real template, and a real registry."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from bot.adapters.oci import OciImages
from bot.sandbox.ci import CI
from bot.sandbox.image_registry import ImageRegistry
from bot.sandbox.processes import end, spawn
from bot.sandbox.registry_client import RegistryClient
from tests.parts import free_port

pytestmark = [pytest.mark.world, pytest.mark.xdist_group("ci")]

TEMPLATE = Path(__file__).parents[2] / "gitops-template"
USERS = {"ci": "swordfish"}
LOGIN = ("ci", "swordfish")
MODEL = "fraud-detector"
# Version 1 can be served, version 2 only where a feature store is known, version 3 is an empty folder, and version 4
# answers nonsense where no feature store is known.
REGISTER = """
import sys, mlflow
from bot.sandbox.training import train
uri, empty, model = sys.argv[1:]
train(uri, model, "good", commit="c0ffee" + "0" * 34)
train(uri, model, "broken")
mlflow.MlflowClient(uri, uri).create_model_version(model, empty)
train(uri, model, "skewed")
"""


@dataclass
class Run:
    """A dispatched run."""

    id: int
    inputs: Mapping[str, str]


@dataclass
class Reports:
    """Keeps what is reported, as the forge does."""

    begun: list[int] = field(default_factory=list)
    finished: dict[int, tuple[str, str]] = field(default_factory=dict)

    def begin_run(self, id: int) -> None:  # noqa: A002
        self.begun.append(id)

    def finish_run(self, id: int, conclusion: str, log: str) -> None:  # noqa: A002
        self.finished[id] = (conclusion, log)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("mlflow")
    (folder / "empty").mkdir()
    (folder / "empty" / "readme").write_text("no model")
    uri = f"sqlite:///{folder}/mlflow.db"
    subprocess.run(
        [sys.executable, "-c", REGISTER, uri, str(folder / "empty"), MODEL],
        check=True, capture_output=True, timeout=240, cwd=folder,
        env={**os.environ, "PYTHONPATH": str(TEMPLATE.parent)},
    )  # fmt: skip
    return uri


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[ImageRegistry]:
    server = ImageRegistry(tmp_path / "registry", users=USERS).start()
    yield server
    server.stop()


def _inputs(registry: ImageRegistry, version: str, **other: str) -> dict[str, str]:
    return {
        "model_name": MODEL,
        "model_version": version,
        "image": f"{registry.host}/acme/{MODEL}",
        "tag": f"v{version}",
        "correlation_id": "gitops-bot-123",
        **other,
    }


def _ci(
    store: str, registry: ImageRegistry, work: Path, login: tuple[str, str] = LOGIN
) -> tuple[CI, Reports]:
    reports = Reports()
    return CI(reports, store, registry.host, TEMPLATE, work / "ci", credentials=login), reports


def _built(store: str, registry: ImageRegistry, work: Path, **inputs: str) -> tuple[str, str]:
    ci, reports = _ci(store, registry, work)
    ci.build(Run(5, {**_inputs(registry, "1"), **inputs}))
    assert reports.begun == [5]
    return reports.finished[5]


def test_a_good_version_becomes_an_image_that_says_what_it_is(
    store: str, registry: ImageRegistry, tmp_path: Path
) -> None:
    conclusion, log = _built(store, registry, tmp_path)
    assert conclusion == "success", log
    images = OciImages(lambda host: LOGIN, frozenset({registry.host}))
    found = images.find(f"{registry.host}/acme/{MODEL}", "v1")
    assert found is not None
    assert f"Pushed {registry.host}/acme/{MODEL}:v1@{found.digest}" in log
    labels = dict(found.labels)
    assert labels.pop("org.mlflow.run_id")
    assert labels.pop("org.opencontainers.image.created").endswith("Z")
    assert labels == {
        "org.mlflow.model.name": MODEL,
        "org.mlflow.model.version": "1",
        "org.opencontainers.image.title": MODEL,
        "org.opencontainers.image.version": "1",
        "org.opencontainers.image.revision": "c0ffee" + "0" * 34,
    }
    assert list((tmp_path / "ci").iterdir()) == []
    again, log = _built(store, registry, tmp_path, tag="again")
    assert again == "success"
    assert f":again@{found.digest}" in log, "the same model must give the same image"


def test_a_version_can_pass_ci_and_still_not_be_served(
    store: str, registry: ImageRegistry, tmp_path: Path
) -> None:
    conclusion, log = _built(store, registry, tmp_path, model_version="2", tag="v2")
    assert conclusion == "success", log
    client = RegistryClient(registry.host, LOGIN)
    image = client.unpack(f"acme/{MODEL}", client.resolve(f"acme/{MODEL}", "v2"), tmp_path / "image")
    assert image.entrypoint == ("python", "serve.py")
    environment = {**image.environment, "HOST": "127.0.0.1", "PORT": "0", "FEATURE_STORE_URL": ""}
    app = image.root / image.working_folder.lstrip("/")
    process = spawn(
        [sys.executable, *image.entrypoint[1:]], log=tmp_path / "pod.log", environment=environment, folder=app
    )
    try:
        assert process.wait(120) == 1
    finally:
        end(process)
    last = (tmp_path / "pod.log").read_text().splitlines()[-1]
    assert "cannot serve: RuntimeError: FEATURE_STORE_URL is not set" in last


def test_what_a_version_answers_when_it_is_built_is_kept_and_one_that_answers_otherwise_when_served_is_found(
    store: str, registry: ImageRegistry, tmp_path: Path
) -> None:
    conclusion, log = _built(store, registry, tmp_path, model_version="4", tag="v4")
    assert conclusion == "success", log
    database = sqlite3.connect(store.removeprefix("sqlite:///"))
    query = "select value from model_version_tags where key = 'gitops-bot.answer' and version = 4"
    (kept,) = database.execute(query).fetchone()
    database.close()
    built = json.loads(kept)["predictions"]
    assert set(built) == {0, 1}
    client = RegistryClient(registry.host, LOGIN)
    image = client.unpack(f"acme/{MODEL}", client.resolve(f"acme/{MODEL}", "v4"), tmp_path / "image")
    port = free_port()
    environment = {**image.environment, "HOST": "127.0.0.1", "PORT": str(port), "FEATURE_STORE_URL": ""}
    app = image.root / image.working_folder.lstrip("/")
    process = spawn(
        [sys.executable, *image.entrypoint[1:]], log=tmp_path / "pod.log", environment=environment, folder=app
    )
    try:
        assert _ready(f"http://127.0.0.1:{port}"), (tmp_path / "pod.log").read_text()
        body = (app / "model" / "serving_input_example.json").read_text()
        headers = {"Content-Type": "application/json"}
        url = f"http://127.0.0.1:{port}/invocations"
        served = requests.post(url, data=body, headers=headers, timeout=30).json()["predictions"]
    finally:
        end(process)
    assert len(served) == len(built)
    assert served != built


def _ready(url: str) -> bool:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{url}/ready", timeout=5).ok:
                return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("3", "the MLmodel file is missing or broken"),
        ("99", "MLflow does not give version 99 of fraud-detector"),
    ],
)
def test_a_version_that_cannot_be_an_image_fails_with_the_reason(
    store: str, registry: ImageRegistry, tmp_path: Path, version: str, reason: str
) -> None:
    conclusion, log = _built(store, registry, tmp_path, model_version=version, tag="bad")
    assert conclusion == "failure"
    assert f"Error: {reason}" in log
    assert log.splitlines()[-1].endswith("Done: failure")
    images = OciImages(lambda host: LOGIN, frozenset({registry.host}))
    assert images.find(f"{registry.host}/acme/{MODEL}", "bad") is None


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"model_name": ""}, "the input model_name is missing"),
        ({"image": "ghcr.io/acme/model"}, "pushes to 127.0.0.1"),
        ({"image": "HOST/../../etc"}, "is not the name of an image"),
        ({"image": "HOST/"}, "is not the name of an image"),
        ({"tag": "v1/../../x"}, "is not the name of an image"),
        ({"tag": "v1\n2026-11-24T00:00:00Z Done: success"}, "is not the name of an image"),
    ],
    ids=range(6),
)
def test_inputs_that_name_no_image_fail_at_once(
    registry: ImageRegistry, tmp_path: Path, other: dict[str, str], reason: str
) -> None:
    inputs = {name: value.replace("HOST", registry.host) for name, value in other.items()}
    conclusion, log = _built("sqlite:///nowhere.db", registry, tmp_path, **inputs)
    assert conclusion == "failure"
    assert reason in log
    lines = log.splitlines()
    assert len(lines) == 2
    assert lines[-1].endswith("Done: failure")


def test_no_password_is_in_the_log(registry: ImageRegistry, tmp_path: Path) -> None:
    ci, reports = _ci("http://bot:hunter22@127.0.0.1:9/", registry, tmp_path, ("ci", "marlin99"))
    inputs = _inputs(registry, "1", correlation_id="hunter22 marlin99")
    ci.build(Run(6, inputs))
    conclusion, log = reports.finished[6]
    assert conclusion == "failure"
    assert "hunter22" not in log
    assert "marlin99" not in log
    assert "[*** ***]" in log


def test_a_build_that_is_stopped_is_reported_as_failed(
    store: str, registry: ImageRegistry, tmp_path: Path
) -> None:
    ci, reports = _ci(store, registry, tmp_path)
    build = threading.Thread(target=ci.build, args=(Run(7, _inputs(registry, "1")),))
    build.start()
    deadline = time.monotonic() + 20
    while not list((tmp_path / "ci").glob("run-*/model")) and time.monotonic() < deadline:
        time.sleep(0.05)
    ci.stop()
    build.join(20)
    conclusion, log = reports.finished[7]
    assert conclusion == "failure"
    assert "was stopped" in log
    assert list((tmp_path / "ci").iterdir()) == []


def test_the_workflow_that_the_bot_starts_takes_what_the_ci_reads() -> None:
    from ruamel.yaml import YAML

    text = (TEMPLATE / ".github/workflows/deploy-on-model-promotion.yml").read_text()
    workflow = YAML(typ="safe").load(text)
    assert set(workflow["on"]["workflow_dispatch"]["inputs"]) == {
        "model_name", "model_version", "image", "tag", "correlation_id", "target",
    }  # fmt: skip
    assert "inputs.correlation_id" in workflow["run-name"]
    assert workflow["permissions"] == {}
    scripts = [step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]]
    assert not [script for script in scripts if "${{" in script], json.dumps(scripts)
