"""How the model server serves, from its environment, and what it says that it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from typing import Any


@dataclass(frozen=True, slots=True)
class Settings:
    """How to serve. Each field is set by the environment variable of its name in capitals.

    `model_path` is the folder of the model. A request may have `max_body_bytes`, and `body_seconds` to arrive; more than
    `max_requests` at a time are sent away. `prediction_threads` predict at a time: 1 for models that are not
    thread-safe. A request is answered within `predict_seconds`: by default no longer than a proxy waits (60 s in nginx).
    The model has `load_seconds` to load and to answer its own input example. `drain_seconds` and
    `finish_seconds` together must stay under the grace period of the pod by 4 s.
    """

    host: str = "0.0.0.0"
    port: int = 8000
    model_path: str = "model"
    model_name: str = ""
    model_version: str = ""
    mlflow_run_id: str = ""
    image_digest: str = ""
    source_commit: str = ""
    max_body_bytes: int = 16 << 20
    max_requests: int = 32
    prediction_threads: int = 4
    body_seconds: float = 20.0
    predict_seconds: float = 60.0
    load_seconds: float = 150.0
    drain_seconds: float = 5.0
    finish_seconds: float = 20.0

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """Raises ValueError with a sentence for a number that is none."""
        found: dict[str, Any] = {}
        for name, field in cls.__dataclass_fields__.items():
            text = environment.get(name.upper(), "")
            if text:
                try:
                    found[name] = field.type(text)  # type: ignore[operator]  # str, int and float
                except ValueError:
                    raise ValueError(f"{name.upper()} must be a number, not {text!r}") from None
        return cls(**found)

    def identity(self) -> dict[str, str | None]:
        """What /version answers; None for what is not known."""
        said = {
            "model": self.model_name,
            "version": self.model_version,
            "run_id": self.mlflow_run_id,
            "image_digest": self.image_digest,
            "commit": self.source_commit,
            "mlflow": _installed("mlflow") or _installed("mlflow-skinny"),
        }
        return {name: value or None for name, value in said.items()}


def _installed(distribution: str) -> str:
    try:
        return version_of(distribution)
    except PackageNotFoundError:
        return ""
