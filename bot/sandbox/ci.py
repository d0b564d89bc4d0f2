"""The CI runner of the sandbox: really builds and pushes the image of a model version, and reports the run."""

import contextlib
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TextIO

from bot.sandbox.image_layout import BadImage, Layer, Settings, write_layer
from bot.sandbox.image_registry.storage import NAME, TAG
from bot.sandbox.processes import end, spawn
from bot.sandbox.registry_client import RegistryClient, RegistryFailure

TRAINING_ENVIRONMENT = {"FEATURE_STORE_URL": "http://feature-store.training.example"}
"""What CI has and a serving pod has not: a model that needs it passes its validation and cannot be served."""

_log = logging.getLogger(__name__)
_PATIENCE = 300.0
_SECRET_NAME = re.compile(r"PASSWORD|PASSWD|TOKEN|SECRET|CREDENTIAL|PRIVATE|API_?KEY", re.IGNORECASE)
_CHILD = {
    # MLflow's own default tries an address that does not answer for four minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONWARNINGS": "ignore",
}


class Run(Protocol):
    """A dispatched workflow run; `inputs` are model_name, model_version, image, tag, correlation_id, maybe target."""

    @property
    def id(self) -> int:
        """The forge's number of it."""
        ...

    @property
    def inputs(self) -> Mapping[str, str]:
        """What was given with the dispatch."""
        ...


class Runs(Protocol):
    """Where runs are reported: the forge."""

    def begin_run(self, id: int) -> object:  # noqa: A002 - the forge's word
        """The run has started."""
        ...

    def finish_run(self, id: int, conclusion: str, log: str) -> object:  # noqa: A002
        """The run has ended: success or failure, with its log."""
        ...


class StepFailed(Exception):
    """A step of the build did not work; the message says what a person should know."""


class CI:
    """Builds images with the template's own `model-image` folder and pushes them to one registry on loopback."""

    def __init__(
        self,
        forge: Runs,
        tracking_uri: str,
        registry: str,
        template: Path,
        work: Path,
        *,
        credentials: tuple[str, str] | None = None,
        environment: Mapping[str, str] = TRAINING_ENVIRONMENT,
    ) -> None:
        """`registry` is its `127.0.0.1:PORT`, `template` the gitops-template folder, `environment` what models find."""
        self._forge, self._tracking_uri, self._registry = forge, tracking_uri, registry
        self._template, self._work, self._credentials = template, work, credentials
        self._environment = dict(environment)
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def build(self, run: Run) -> None:
        """Build, push and report one run; returns when it is reported. Give it a thread of its own."""
        self._forge.begin_run(run.id)
        log = _BuildLog(self._secrets())
        conclusion = "failure"
        self._work.mkdir(parents=True, exist_ok=True)
        try:
            with tempfile.TemporaryDirectory(dir=self._work, prefix="run-") as folder:
                self._steps(dict(run.inputs), Path(folder), log)
            conclusion = "success"
        except (StepFailed, BadImage, RegistryFailure) as error:
            log.say(f"Error: {error}")
        except Exception as error:  # noqa: BLE001 - a run must be reported, whatever happened
            log.say(f"Error: the CI itself failed ({type(error).__name__})")
            _log.exception("sandbox CI: run %s failed", run.id)
        log.say(f"Done: {conclusion}")
        self._forge.finish_run(run.id, conclusion, log.text())

    def stop(self) -> None:
        """End what runs; its runs are reported as failed."""
        self._stopped = True
        for process in list(self._running):
            end(process, grace=1)

    def _steps(self, inputs: Mapping[str, str], folder: Path, log: "_BuildLog") -> None:
        repository, tag = self._destination(inputs)
        log.say(f"Sandbox CI builds {repository}:{tag} [{inputs.get('correlation_id', '')}]")
        log.step("Fetch the model from MLflow and validate it in the training environment")
        self._fetch(inputs, folder, log)
        release = json.loads((folder / "release.json").read_text())
        log.step("Lay out the image")
        layers = self._layers(folder)
        for layer in layers:
            log.say(f"Layer {layer.digest}, {layer.size} bytes")
        log.step(f"Push {repository}:{tag} to {self._registry}")
        client = RegistryClient(self._registry, self._credentials)
        digest = client.push(repository, tag, settings(release), layers)
        log.say(f"Pushed {self._registry}/{repository}:{tag}@{digest}")

    def _destination(self, inputs: Mapping[str, str]) -> tuple[str, str]:
        for name in ("model_name", "model_version", "image", "tag"):
            if not inputs.get(name):
                raise StepFailed(f"the input {name} is missing")
        host, _, repository = inputs["image"].partition("/")
        if host != self._registry:
            raise StepFailed(f"this CI pushes to {self._registry} only, not to {host!r}")
        if not NAME.match(repository) or not TAG.match(inputs["tag"]):
            raise StepFailed(f"{inputs['image']!r} with tag {inputs['tag']!r} is not the name of an image")
        return repository, inputs["tag"]

    def _fetch(self, inputs: Mapping[str, str], folder: Path, log: "_BuildLog") -> None:
        output = folder / "fetch.log"
        process = spawn(
            [sys.executable, str((self._template / "model-image" / "fetch.py").resolve()), str(folder)],
            log=output,
            folder=folder,
            inherit=False,  # a model's code runs in there: it has no business with the bot's secrets
            environment={
                **_CHILD,
                **self._environment,
                "MLFLOW_TRACKING_URI": self._tracking_uri,
                "MODEL_NAME": inputs["model_name"],
                "MODEL_VERSION": inputs["model_version"],
            },
        )
        self._running.add(process)
        try:
            with output.open(errors="replace") as lines:
                code = _follow(process, lines, log)
        finally:
            end(process)
            self._running.discard(process)
        if code != 0:
            how = f"took longer than {_PATIENCE:.0f} s" if code is None else f"ended with {code}"
            raise StepFailed(f"fetching and validating the model {'was stopped' if self._stopped else how}")

    def _layers(self, folder: Path) -> tuple[Layer, ...]:
        source = self._template / "model-image"
        names = ("answer.py", "scoring.py", "serve.py", "serving_settings.py")
        server = {f"/app/{name}": source / name for name in names}
        return (
            write_layer(server, folder / "server.tar.gz"),
            write_layer({"/app/model": folder / "model"}, folder / "model.tar.gz"),
        )

    def _secrets(self) -> set[str]:
        found = {value for name, value in os.environ.items() if _SECRET_NAME.search(name)}
        address = re.match(r"[a-z+]+://([^/@]*)@", self._tracking_uri)
        found |= {address[1], address[1].partition(":")[2]} if address else set()
        return found | ({self._credentials[1]} if self._credentials else set())


def _follow(process: subprocess.Popen[bytes], lines: TextIO, log: "_BuildLog") -> int | None:
    """Log what the process prints while it prints it, and return its exit code; None when it takes too long."""
    deadline = time.monotonic() + _PATIENCE
    code = None
    while code is None and time.monotonic() < deadline:
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(0.2)
        for line in lines:
            log.say(line.rstrip("\n"))
    return code


def settings(release: Mapping[str, Any]) -> Settings:
    """How a model image is run, and its labels, from what `fetch.py` found; what is not known gets no label.

    The server is started with `/app` as its working folder and finds the model at `model` in there.
    """
    labels = {
        "org.opencontainers.image.created": release["created"],
        "org.opencontainers.image.title": release["model"],
        "org.opencontainers.image.version": release["version"],
        "org.opencontainers.image.source": release["source"],
        "org.opencontainers.image.revision": release["revision"],
        "org.mlflow.model.name": release["model"],
        "org.mlflow.model.version": release["version"],
        "org.mlflow.run_id": release["run_id"],
    }
    return Settings(
        entrypoint=("python", "serve.py"),
        working_folder="/app",
        environment={
            "MODEL_NAME": release["model"],
            "MODEL_VERSION": release["version"],
            "MLFLOW_RUN_ID": release["run_id"] or "",
            "MODEL_PATH": "model",
            "PYTHONUNBUFFERED": "1",
        },
        ports=(8000,),
        labels={name: str(value) for name, value in labels.items() if value},
        created=release["created"],
    )


class _BuildLog:
    """Lines with the time in front, without any of the secrets."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._lines: list[str] = []
        self._secrets = sorted((secret for secret in secrets if len(secret) >= 4), key=len, reverse=True)

    def say(self, line: str) -> None:
        for secret in self._secrets:
            line = line.replace(secret, "***")
        shown = "".join(character if character.isprintable() else " " for character in line)
        self._lines.append(f"{datetime.now(UTC).strftime('%Y-%m-%dT%H:%M:%S.%fZ')} {shown}")

    def step(self, name: str) -> None:
        self.say(f"##[group]{name}")

    def text(self) -> str:
        return "\n".join(self._lines) + "\n"
