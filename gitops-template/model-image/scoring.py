"""One MLflow model and what it answers: MLflow's own scoring code, and a sentence for what it refuses.

Runs with what is installed for the model. Needs MLflow 2.16 or newer.
"""

import json
import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

FORMATS = ("dataframe_split", "dataframe_records", "inputs", "instances")
SENTENCE_LIMIT = 500
# With these the input is not at fault: the model could not reach what it needs. MLflow answers 400 to whatever it raises.
MODEL_FAULTS = (OSError, MemoryError, ImportError, SystemExit)

log = logging.getLogger("serve")


class NotAnswered(Exception):
    """There is no prediction; the message says why, in a sentence for the caller. `status` is that of HTTP.

    `reason` names the exception behind it, for the log: the sentence may repeat the caller's data.
    """

    def __init__(self, sentence: str, status: int = 400, reason: str = "") -> None:
        super().__init__(sentence)
        self.status, self.reason = status, reason


class ServedModel:
    """The model and how far it is. `proven`: it has answered its own input example. `ending`: SIGTERM has come. `since`:
    when each thread that is answering began (monotonic seconds, by its identity)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.proven = self.ending = False
        self.since: dict[int, float] = {}
        self.example_answer: str | None = None
        self._model: Any = None

    @property
    def not_ready(self) -> str:
        """Why no requests should be sent here, or the empty text when they should."""
        if self.ending:
            return "the server is ending"
        return "" if self.proven else "the model is still being loaded"

    def load(self) -> None:
        """Load the model and have it answer its own input example; raises when either fails."""
        os.environ["_MLFLOW_IS_IN_SERVING_ENVIRONMENT"] = "true"
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        # The code of a model may have a module of this name, which it would get this one for.
        sys.modules.pop(__name__, None)
        from mlflow.pyfunc import load_model

        model = load_model(str(self.path))
        self._model = model
        example = model.metadata.get_serving_input(str(self.path))
        if example is None:
            log.warning("the model has no input example: it counts as ready because it could be loaded")
        else:
            self.example_answer, _ = self.answer(example.encode(), "application/json")
            log.info("the model has answered its own input example")
        self.proven = True

    def answer(self, body: bytes, content_type: str) -> tuple[str, int]:
        """The JSON text that MLflow's scoring code answers and how many rows it predicts. Raises NotAnswered."""
        me = threading.get_ident()
        self.since[me] = time.monotonic()
        try:
            return self._answered(body, content_type)
        finally:
            del self.since[me]

    def _answered(self, body: bytes, content_type: str) -> tuple[str, int]:
        from mlflow.exceptions import MlflowException
        from mlflow.pyfunc.scoring_server import invocations

        data = _checked(body, content_type)
        asked = _Asked(self._model)
        try:
            result = invocations(data, content_type, asked, self._model.metadata.get_input_schema())
        except MlflowException as error:
            raise _refusal(error) from error
        except (Exception, SystemExit) as error:
            raise _failure(error, predicted=asked.rows is not None) from error
        if result.status != 200:
            raise NotAnswered(_sentence(str(result.response)), result.status)
        return _strict(str(result.response)), asked.rows or 0


class _Asked:
    """The model as MLflow's scoring code sees it for one request. `rows` is known when it has predicted."""

    def __init__(self, model: Any) -> None:
        self.metadata: Any = model.metadata
        self.rows: int | None = None
        self._model = model

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """What the model says."""
        result = self._model.predict(data, params=params)
        self.rows = _rows(result)
        return result


def _checked(body: bytes, content_type: str) -> Any:
    """What MLflow's scoring code gets. Raises NotAnswered for what it would answer to with a puzzle, or should not read."""
    kind = content_type.partition(";")[0].strip()
    if kind not in ("application/json", "text/csv"):
        raise NotAnswered("The Content-Type must be application/json or text/csv.", 415)
    if kind == "text/csv":
        return body
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise NotAnswered("The request is not JSON.") from None
    if not isinstance(document, dict):
        raise NotAnswered(f"The request must be a JSON object with one of {', '.join(FORMATS)}.")
    return document


def _strict(text: str) -> str:
    """MLflow writes NaN and Infinity, which are no JSON: null stands for them, as in what is asked."""
    if "NaN" not in text and "Infinity" not in text:
        return text
    return json.dumps(json.loads(text, parse_constant=lambda name: None))


def _rows(result: Any) -> int:
    # An array without dimensions has a length that cannot be asked for.
    single = isinstance(result, str | bytes | dict) or getattr(result, "ndim", 1) == 0
    return 1 if single or not hasattr(result, "__len__") else len(result)


def _refusal(error: Any) -> NotAnswered:
    """What MLflow's exception means for the caller."""
    cause = error.__context__ or error
    if isinstance(cause, MODEL_FAULTS):
        return _failure(cause, predicted=False)
    status = min(max(error.get_http_status_code(), 400), 499)
    return NotAnswered(_sentence(str(error.message)), status, type(cause).__name__)


def _failure(error: BaseException, *, predicted: bool) -> NotAnswered:
    name = type(error).__name__
    if predicted:
        return NotAnswered(f"What the model answers cannot be written as JSON ({name}).", 500, name)
    if isinstance(error, MODEL_FAULTS):
        return NotAnswered(f"The model itself failed ({name}).", 500, name)
    # MLflow wraps what the model raises, so this comes from reading the input.
    return NotAnswered(f"The input cannot be read ({name}).", 400, name)


def _sentence(text: str) -> str:
    """What MLflow says to the caller, on one line, without the whole input that it repeats."""
    text = text.partition("\nInput:")[0].partition(" IMPORTANT:")[0]
    if text.startswith(("Failed to predict data", "Failed to enforce schema")):
        text = text.rpartition("Error: ")[2]
    return " ".join(text.split())[:SENTENCE_LIMIT]
