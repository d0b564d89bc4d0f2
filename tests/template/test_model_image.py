"""The image of a model as the template builds it.

What differs here from a real build, because no base image can be pulled and no library installed: the Dockerfile is
built as it is, every stage and instruction of it, but on a base that is made of this machine's own Python, shell and
account programs; `apt-get` and `pip` in it are stand-ins that install nothing; and where the image is run, by chroot
instead of by a container engine, the libraries that this project has installed are mounted in their place.
"""

import json
import re
import shutil
import signal
import site
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from bot.sandbox.ci import settings
from bot.sandbox.processes import end, spawn
from tests.parts import free_port, require
from tests.template.rootfs import make_base, shut_in
from tests.template.serving import ANSWER, MODEL_IMAGE, SPLIT, Serving, ask

pytestmark = [pytest.mark.world, pytest.mark.xdist_group("serve")]

DOCKERFILE = MODEL_IMAGE / "Dockerfile"
RELEASE = {
    "model": "fraud detector",
    "version": "7",
    "run_id": "abc",
    "created": "2026-11-24T10:00:00Z",
    "source": "https://git.example/acme/models",
    "revision": "c0ffee",
}
ARGUMENTS = {
    "MODEL_NAME": RELEASE["model"],
    "MODEL_VERSION": RELEASE["version"],
    "MLFLOW_RUN_ID": RELEASE["run_id"],
    "CREATED": RELEASE["created"],
    "SOURCE": RELEASE["source"],
    "REVISION": RELEASE["revision"],
}


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, "--no-color", str(DOCKERFILE)], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_its_base_is_pinned_once_by_digest_and_is_that_of_the_bot() -> None:
    text = DOCKERFILE.read_text()
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert bases[1:] == ["python", "python"]
    assert re.fullmatch(r"python:3\.11-slim-bookworm@sha256:[0-9a-f]{64}", bases[0])
    assert bases[0] in (Path(__file__).parents[2] / "Dockerfile").read_text()


class Buildah:
    """buildah with a store of its own, as root and without a daemon."""

    def __init__(self, program: str, folder: Path) -> None:
        self._command = [
            program, "--root", str(folder / "store"), "--runroot", str(folder / "run"),
            "--storage-driver", "vfs",
        ]  # fmt: skip
        self._folder = folder
        (folder / "tmp").mkdir()

    def __call__(self, *words: str) -> str:
        done = subprocess.run(
            [*self._command, *words], capture_output=True, text=True, timeout=240,
            env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "TMPDIR": str(self._folder / "tmp")},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def build(self, name: str, context: Path, *more: str) -> None:
        self("build", "--isolation", "chroot", "--format", "docker", "--tag", name, *more, str(context))


def _can_mount(_: str) -> bool:
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    program = require("buildah", "apt-get install -y --no-install-recommends buildah")
    # A root that may not mount is no root here, in CI as on a laptop: nothing that is installed changes it.
    require("unshare", "nothing: this needs root with the right to mount", _can_mount, packaged=False)
    folder = tmp_path_factory.mktemp("buildah")
    buildah = Buildah(program, folder)
    yield buildah
    buildah("umount", "--all")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def image(buildah: Buildah, models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The image that the Dockerfile makes, as its configuration."""
    folder = tmp_path_factory.mktemp("image")
    make_base(folder / "base")
    (folder / "Containerfile").write_text(
        "FROM scratch\nCOPY base /\nENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
    )
    buildah.build("localhost/base", folder, "--file", str(folder / "Containerfile"))
    context = shutil.copytree(MODEL_IMAGE, folder / "context", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(models / "good", context / "model")
    (context / "model" / "__pycache__").mkdir()
    (context / "model" / "__pycache__" / "stale.pyc").write_text("stale")
    (context / "release.json").write_text(json.dumps(RELEASE))
    arguments = [f"--build-arg={name}={value}" for name, value in ARGUMENTS.items()]
    buildah.build("localhost/model:v7", context, "--from", "localhost/base", *arguments)
    inspected = json.loads(buildah("inspect", "--type", "image", "localhost/model:v7"))
    return dict(inspected["Docker"]["config"])


@pytest.fixture(scope="module")
def root(buildah: Buildah, image: dict[str, Any]) -> Path:
    """Its root file system."""
    return Path(buildah("mount", buildah("from", "--pull-never", "localhost/model:v7")))


def test_its_labels_are_those_that_the_bot_and_the_sandbox_know(image: dict[str, Any]) -> None:
    labels = dict(image["Labels"])
    assert labels.pop("org.opencontainers.image.description").startswith(
        "Version 7 of the MLflow model fraud"
    )
    labels.pop("io.buildah.version", None)
    assert labels == dict(settings(RELEASE).labels)
    assert labels["org.mlflow.run_id"] == "abc"


def test_it_is_configured_as_kubernetes_expects(image: dict[str, Any]) -> None:
    sandbox = settings(RELEASE)
    assert image["User"] == "1000:1000"
    assert list(image["ExposedPorts"]) == ["8000/tcp"]
    assert tuple(image["Entrypoint"]) == sandbox.entrypoint
    assert image["WorkingDir"] == sandbox.working_folder
    assert not image.get("Cmd")
    environment = dict(entry.split("=", 1) for entry in image["Env"])
    assert sandbox.environment.items() <= environment.items()
    assert environment["SOURCE_COMMIT"] == "c0ffee"
    assert environment["PATH"].startswith("/opt/venv/bin:/usr/local/bin")


def test_the_last_stage_has_the_model_its_server_and_nothing_that_builds(root: Path) -> None:
    app = root / "app"
    assert {str(path.relative_to(app)) for path in app.iterdir()} == {
        "answer.py",
        "scoring.py",
        "serve.py",
        "serving_settings.py",
        "model",
    }
    assert not (app / "model" / "__pycache__").exists()
    assert (app / "model" / "MLmodel").exists()
    assert not (root / "usr/bin/gcc").exists()
    assert not (root / "build").exists()
    assert not list((root / "opt/venv/bin").glob("pip*"))


def test_pip_was_asked_for_what_mlflow_logged_and_for_the_server(root: Path) -> None:
    asked = (root / "opt/venv/asked").read_text().splitlines()
    assert asked[0].startswith("--python /opt/venv/bin/python install ")
    assert asked[0].endswith("--requirement server.txt --requirement requirements.txt")
    assert asked[1:2] == ["mlflow"]


@pytest.fixture(scope="module")
def running(image: dict[str, Any], root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """The image as a pod of the template runs it."""
    port, log = free_port(), tmp_path_factory.mktemp("pod") / "pod.log"
    environment = dict(entry.split("=", 1) for entry in image["Env"])
    command = shut_in(
        root, Path(site.getsitepackages()[0]), image["User"], image["WorkingDir"], image["Entrypoint"]
    )
    more = {"HOST": "127.0.0.1", "PORT": str(port), "DRAIN_SECONDS": "0.5"}
    process = spawn(command, log=log, environment={**environment, **more}, inherit=False)
    try:
        yield Serving(f"http://127.0.0.1:{port}", process, log)
    finally:
        end(process)


def test_it_serves_as_nobody_in_particular_from_a_root_that_is_read_only(running: Serving) -> None:
    running.until("/ready", 200)
    said = requests.get(f"{running.url}/version", timeout=10).json()
    assert {name: said[name] for name in ("model", "version", "run_id", "commit")} == {
        "model": "fraud detector", "version": "7", "run_id": "abc", "commit": "c0ffee",
    }  # fmt: skip
    answer = ask(running.url, SPLIT)
    assert (answer.status_code, answer.text) == (200, ANSWER)
    process = Path(f"/proc/{running.process.pid}")
    status = process.joinpath("status").read_text()
    assert "Uid:\t1000\t1000\t1000\t1000" in status
    assert "CapEff:\t0000000000000000" in status
    mounts = [line.split() for line in process.joinpath("mountinfo").read_text().splitlines()]
    assert [fields[5].split(",")[0] for fields in mounts if fields[4] == "/"] == ["ro"]


def test_its_health_check_sees_it_and_sees_it_gone(image: dict[str, Any], running: Serving) -> None:
    running.until("/health", 200)
    kind, _, flag, code = image["Healthcheck"]["Test"]
    port = running.url.rpartition(":")[2]
    assert (kind, flag) == ("CMD", "-c")
    assert "8000" in code
    check = [sys.executable, "-c", code.replace("8000", port)]
    assert subprocess.run(check, timeout=30).returncode == 0
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(30) == 0
    assert subprocess.run(check, timeout=30, capture_output=True).returncode != 0
