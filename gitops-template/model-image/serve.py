"""Serves one MLflow model over HTTP, for Kubernetes.

    GET  /health       200 as soon as the process listens: it is alive. Startup and liveness probes ask this.
    GET  /ready        200 only when the model is loaded AND has answered its own input example; 503 with the reason
                       before that and while the process is ending. The readiness probe asks this.
    POST /invocations  MLflow's scoring protocol: dataframe_split, dataframe_records, inputs or instances in JSON, or
                       CSV; answers {"predictions": ...}. Bad input is answered with 4xx and a sentence.
    GET  /version      which model version this is: MLflow's own server cannot tell.
    GET  /metrics      Prometheus text.

A model that cannot be loaded, or cannot answer its own input example, ends the process with exit code 1 and the reason
as the last log line: then Kubernetes shows a crash that stops the rollout, instead of a pod that is never ready.

SIGTERM: /ready is 503 at once and connections are no longer kept open, but requests are still accepted for
DRAIN_SECONDS, as Kubernetes keeps sending them until the endpoints have been updated; what runs then is finished, and
the process exits with 0 within 30 seconds.

Settings, from the environment: HOST, PORT, MODEL_PATH, MODEL_NAME, MODEL_VERSION, MLFLOW_RUN_ID, IMAGE_DIGEST,
DRAIN_SECONDS, MAX_BODY_BYTES.
"""

import asyncio
import json
import logging
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

FINISH_SECONDS = 20
LAST_RESORT_SECONDS = 3
FORMATS = ("dataframe_split", "dataframe_records", "inputs", "instances")
SENTENCE_LIMIT = 500

log = logging.getLogger("serve")

REQUESTS = Counter("model_requests_total", "Answers of /invocations", ["status"])
SECONDS = Histogram("model_request_seconds", "Seconds that an answer of /invocations took")
IN_FLIGHT = Gauge("model_requests_in_flight", "Requests to /invocations that are being answered")
READY = Gauge("model_ready", "1 when /ready answers 200")
INFO = Gauge("model_info", "Which model version this is", ["model", "version", "run_id", "image_digest"])


class BadInput(Exception):
    """The request cannot be answered; the message says why, in a sentence for the caller."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


class ServedModel:
    """The model and how far it is. `proven`: it has answered its own input example. `ending`: SIGTERM has come."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.proven = self.ending = False
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
        from mlflow.pyfunc import load_model

        model = load_model(str(self.path))
        self._model = model
        example = model.metadata.get_serving_input(str(self.path))
        if example is None:
            log.warning("the model has no input example: it counts as ready because it could be loaded")
        else:
            self.example_answer = self.answer(example.encode(), "application/json")
            log.info("the model has answered its own input example")
        self.proven = True

    def answer(self, body: bytes, content_type: str) -> str:
        """The JSON text that MLflow's scoring code answers; BadInput when it refuses the input."""
        from mlflow.exceptions import MlflowException
        from mlflow.pyfunc.scoring_server import invocations

        data = _checked(body) if content_type.partition(";")[0].strip() == "application/json" else body
        try:
            result = invocations(data, content_type, self._model, self._model.metadata.get_input_schema())
        except MlflowException as error:
            log.info("input refused: %s (%s)", _sentence(error), type(error.__context__ or error).__name__)
            raise BadInput(_sentence(error), min(max(error.get_http_status_code(), 400), 499)) from error
        except Exception as error:
            # MLflow wraps what the model raises, so this comes from reading the input.
            raise BadInput(f"The input cannot be read ({type(error).__name__}).") from error
        if result.status != 200:
            raise BadInput(str(result.response).partition(" IMPORTANT:")[0], result.status)
        return str(result.response)


class Server(uvicorn.Server):
    """uvicorn, but it goes on accepting for a while after SIGTERM, and then exits with 0."""

    def __init__(self, config: uvicorn.Config, model: ServedModel, drain: float) -> None:
        super().__init__(config)
        self.failure = ""
        self._served, self._drain, self._ending = model, drain, False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; asked again, or from a terminal, end without waiting for the load balancer."""
        self._served.ending = True
        if self._ending or sig == signal.SIGINT:
            self.should_exit = True
            return
        self._ending = True
        _later(self._drain, self._stop_accepting)
        _later(self._drain + FINISH_SECONDS + LAST_RESORT_SECONDS, _give_up)

    def _stop_accepting(self) -> None:
        self.should_exit = True

    def load(self) -> None:
        """Load the model; when that fails, say why and end."""
        try:
            self._served.load()
        except BaseException as error:  # noqa: BLE001 - whatever a model does while it is loaded ends here
            traceback.print_exc()
            self.failure = _cause(error)
            self.should_exit = True
        else:
            log.info("ready")


def make_app(model: ServedModel, identity: dict[str, str | None], body_limit: int) -> FastAPI:
    """The application; `identity` is what /version answers."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    READY.set_function(lambda: float(not model.not_ready))

    def reply(status: int, document: object) -> Response:
        text = document if isinstance(document, str) else json.dumps(document)
        headers = {"Connection": "close"} if model.ending else None
        return Response(text, status, headers, "application/json")

    @app.get("/health")
    async def health() -> Response:
        return reply(200, {"status": "alive"})

    @app.get("/ready")
    async def ready() -> Response:
        reason = model.not_ready
        return reply(503 if reason else 200, {"status": reason or "ready"})

    @app.get("/version")
    async def version() -> Response:
        return reply(200, identity)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @app.post("/invocations")
    async def invocations(request: Request) -> Response:
        started = time.perf_counter()
        with IN_FLIGHT.track_inprogress():
            status, document = await _invoke(model, request, body_limit)
        REQUESTS.labels(str(status)).inc()
        SECONDS.observe(time.perf_counter() - started)
        return reply(status, document)

    return app


async def _invoke(model: ServedModel, request: Request, body_limit: int) -> tuple[int, object]:
    if not model.proven:
        return 503, {"error": model.not_ready}
    try:
        body = await _body(request, body_limit)
        content_type = request.headers.get("content-type", "")
        return 200, await asyncio.to_thread(model.answer, body, content_type)
    except BadInput as error:
        return error.status, {"error": str(error)}


async def _body(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise BadInput(f"The request has more than the {limit} bytes that this server takes.", 413)
    return bytes(body)


def _checked(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadInput("The request is not JSON.") from error
    if not isinstance(document, dict):
        raise BadInput(f"The request must be a JSON object with one of {', '.join(FORMATS)}.")
    return document


def _sentence(error: Exception) -> str:
    """What MLflow says to the caller, without the caller's data that it repeats: those may be personal."""
    text = str(getattr(error, "message", error)).partition("\nInput:")[0].partition(" IMPORTANT:")[0]
    if text.startswith(("Failed to predict data", "Failed to enforce schema")):
        text = text.rpartition("Error: ")[2]
    return text.strip()[:SENTENCE_LIMIT]


def _cause(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:2000]


def _later(seconds: float, action: Any) -> None:
    timer = threading.Timer(seconds, action)
    timer.daemon = True
    timer.start()


def _give_up() -> None:
    log.error("a prediction did not end in time: ending without it")
    os._exit(1)


def _identity(settings: dict[str, str]) -> dict[str, str | None]:
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str | None] = {
        key: settings.get(name) or None
        for key, name in {
            "model": "MODEL_NAME",
            "version": "MODEL_VERSION",
            "run_id": "MLFLOW_RUN_ID",
            "image_digest": "IMAGE_DIGEST",
        }.items()
    }
    INFO.labels(*(value or "" for value in found.values())).set(1)
    for distribution in ("mlflow", "mlflow-skinny"):
        try:
            return {**found, "mlflow": version(distribution)}
        except PackageNotFoundError:
            continue
    return {**found, "mlflow": None}


def main() -> int:
    """Serve until told to end; 1 when the model could not be served."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr
    )
    settings = dict(os.environ)
    model = ServedModel(Path(settings.get("MODEL_PATH", "model")))
    app = make_app(model, _identity(settings), int(settings.get("MAX_BODY_BYTES", 16 << 20)))
    config = uvicorn.Config(
        app,
        host=settings.get("HOST", "0.0.0.0"),
        port=int(settings.get("PORT", "8000")),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=FINISH_SECONDS,
    )
    server = Server(config, model, float(settings.get("DRAIN_SECONDS", "5")))
    threading.Thread(target=server.load, name="load", daemon=True).start()
    server.run()
    if server.failure:
        log.error("cannot serve: %s", server.failure)
    return 1 if server.failure or not server.started else 0


if __name__ == "__main__":
    sys.exit(main())
