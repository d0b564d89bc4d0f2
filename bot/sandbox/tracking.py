"""A real MLflow tracking server with its model registry, on loopback, with everything that it keeps in one folder."""

import base64
import secrets
import sys
import time
import urllib.parse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import requests

from bot.sandbox.processes import end, spawn
from bot.sandbox.serving import free_port

_HOST = "127.0.0.1"
_SERVER = "mlflow.server.fastapi_app:app"
_OPTIONS = ("--workers", "1", "--no-access-log", "--log-level", "info")
_FIRST_START = 90.0
_LISTENS = "Uvicorn running on"
_LOG_SHOWN = 2000


class TrackingServer:
    """The MLflow server of the demo and of the tests: SQLite, artifacts served by it, signed webhooks.

    It is started as `mlflow server --workers 1` starts its own worker, with the same settings (`mlflow/server/
    constants.py`): that command spends half of its time on importing MLflow only to run this one (measured: 10 s
    against 5 s). Webhooks may go to loopback over http, and take effect at once (facts/mlflow.md, sections 2, 4.6
    and 4.7). `url` has no trailing slash and is known at once; the server answers when `start` has returned.
    """

    spawn = staticmethod(spawn)  # how its process is started

    def __init__(self, folder: Path, *, port: int = 0, python: str = sys.executable) -> None:
        """Choose folder and port; a server in a folder that was used before finds its models again."""
        self.folder = folder
        self.port = port or free_port(_HOST)
        self.url = f"http://{_HOST}:{self.port}"
        self.log = folder / "server.log"
        self._python = python
        self._process: Any = None
        self._said_before = 0
        # A proxy that the environment names does not lead to our own loopback.
        self._session = requests.Session()
        self._session.trust_env = False

    def start(self, timeout: float = _FIRST_START) -> "TrackingServer":
        """Start the server and wait until it serves its registry; RuntimeError with its log when it does not."""
        self.launch()
        return self.wait(timeout)

    def launch(self) -> "TrackingServer":
        """Start the process without waiting, so that other work can go on meanwhile."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._said_before = self.log.stat().st_size if self.log.exists() else 0
        self._process = self.spawn(
            [self._python, "-m", "uvicorn", *_OPTIONS, "--host", _HOST, "--port", str(self.port), _SERVER],
            log=self.log,
            environment=self._environment(),
            folder=self.folder,
        )
        return self

    def wait(self, timeout: float = _FIRST_START) -> "TrackingServer":
        """Return when the registry answers, which is also when the database has its tables."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and self._process.poll() is None:
            if self._answers():
                return self
            time.sleep(0.1)
        self.stop()
        raise RuntimeError(
            f"MLflow did not start within {timeout:.0f} s; it said:\n{self._said()[-_LOG_SHOWN:]}"
        )

    def stop(self) -> None:
        """End the server; done already is done."""
        self._session.close()
        if self._process is not None:
            end(self._process)
            self._process = None

    def create_webhook(self, url: str, secret: str, events: Iterable[str], name: str = "gitops-bot") -> str:
        """Have the server send these events (`model_version_alias.created`, …) to `url`, signed; returns its id.

        The receiver's host must resolve already: MLflow checks it here and again before every delivery.
        """
        wanted = [dict(zip(("entity", "action"), event.upper().split("."), strict=True)) for event in events]
        answer = self._session.post(
            f"{self.url}/api/2.0/mlflow/webhooks",
            json={"name": name, "url": url, "secret": secret, "events": wanted},
            timeout=30,
        )
        if not answer.ok:
            raise RuntimeError(f"MLflow refused the webhook: {answer.text[:500]}")
        return str(answer.json()["webhook"]["webhook_id"])

    def __enter__(self) -> "TrackingServer":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _said(self) -> str:
        return self.log.read_bytes()[self._said_before :].decode("utf-8", "replace")

    def _answers(self) -> bool:
        # Another program may have taken the port since it was free; what answers there must be this one.
        if _LISTENS not in self._said():
            return False
        try:
            health = self._session.get(f"{self.url}/health", timeout=5)
            if health.text != "OK":
                return False
            search = f"{self.url}/api/2.0/mlflow/registered-models/search"
            return self._session.get(search, timeout=60).ok
        except requests.RequestException:
            return False

    def _environment(self) -> dict[str, str]:
        artifacts = self.folder / "artifacts"
        return {
            "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{urllib.parse.quote(str(self.folder / 'mlflow.db'))}",
            "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
            "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(artifacts),
            "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": self._encryption_key(),
            "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
            "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
            "MLFLOW_WEBHOOK_CACHE_TTL": "0",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            # Without compiled modules the import alone takes 11 s instead of 5 s.
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONWARNINGS": "ignore",
        }

    def _encryption_key(self) -> str:
        # A server that comes back with another key cannot read the webhooks that it has (facts/mlflow.md, section 4.6).
        kept = self.folder / "webhook.key"
        if not kept.exists():
            kept.touch(mode=0o600)
            kept.write_text(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
        return kept.read_text()
