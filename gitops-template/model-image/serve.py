"""Serves one MLflow model over HTTP, for Kubernetes.

    GET  /health       200 as soon as the process listens: it is alive. 503 when the model hangs: each thread has predicted
                       for more than PREDICT_SECONDS. Startup and liveness probes ask this.
    GET  /ready        200 only when the model is loaded AND has answered its own input example; 503 with the reason
                       before that, when the model hangs, and while the process is ending. The readiness probe asks this.
    POST /invocations  MLflow's scoring protocol, by MLflow's own code: dataframe_split, dataframe_records, inputs or
                       instances in JSON, with params, or CSV; answers {"predictions": ...}.
    GET  /version      which model version, and which build of it, this is: MLflow's own server cannot tell.
    GET  /metrics      Prometheus text.

What is not answered gets {"error": "a sentence"}: 4xx when the request is at fault, 500 when the model itself failed
(it could not reach what it needs), 503 when the server is not ready or has too much to do, 504 when the model did not
answer within PREDICT_SECONDS. Stack traces stay in here.

A model that cannot be loaded, cannot answer its own input example, or has not done both within LOAD_SECONDS, ends the
process with exit code 1 and the reason as the last log line: then Kubernetes shows a crash that stops the rollout, instead
of a pod that is never ready. No probe bounds this: /health answers at once. Where code in C hangs and lets no other thread
of Python run, the process ends 3 seconds later, and the log ends with where it hangs instead.

SIGTERM: /ready is 503 at once and connections are no longer kept open, but requests are still accepted for
DRAIN_SECONDS, as Kubernetes keeps sending them until the endpoints have been updated; what runs then has
FINISH_SECONDS to finish, and the process exits with 0 within 30 seconds, or with 1 when a prediction never ends.

Nothing is written but to the temporary folder. Settings, from the environment: the fields of
`serving_settings.Settings`.
"""

import asyncio
import faulthandler
import json
import logging
import math
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest
from scoring import NotAnswered, ServedModel
from serving_settings import Settings
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

LAST_RESORT_SECONDS = 3.0
CLIENT_IS_GONE = 499  # nobody reads it: the code exists for the metrics only

log = logging.getLogger("serve")

REQUESTS = Counter("model_requests_total", "Answers of /invocations", ["code"])
SECONDS = Histogram("model_request_seconds", "Seconds that an answer of /invocations took")
PREDICTIONS = Counter("model_predictions_total", "Rows that the model has predicted for callers")
IN_FLIGHT = Gauge("model_requests_in_flight", "Requests to /invocations that are being read or answered")
READY = Gauge("model_ready", "1 when /ready answers 200")
INFO = Gauge("model_info", "Which model version this is", ["model", "version", "run_id"])


class Server(uvicorn.Server):
    """uvicorn, but it goes on accepting for a while after SIGTERM, and then exits with 0."""

    def __init__(self, config: uvicorn.Config, model: ServedModel, settings: Settings) -> None:
        super().__init__(config)
        self.failure = ""
        self._served, self._ending, self._patience = model, False, settings.load_seconds
        self._drain, self._finish = settings.drain_seconds, settings.finish_seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end. Asked again, from a terminal, or before anything was sent here: end without waiting."""
        self._served.ending = True
        if not self._ending:
            self._ending = True
            patience = self._drain if self._served.proven and sig != signal.SIGINT else 0.0
            _later(patience + self._finish + LAST_RESORT_SECONDS, _give_up)
            if patience:
                _later(patience, self._stop_accepting)
                return
        self.should_exit = True

    def _stop_accepting(self) -> None:
        log.info("no more requests are accepted")
        self.should_exit = True

    def load(self) -> None:
        """Load the model; when that fails, or takes too long, say why and end."""
        log.info("the model has %g s to load", self._patience)
        watch = _later(self._patience, self._too_long)
        faulthandler.dump_traceback_later(self._patience + LAST_RESORT_SECONDS, exit=True)
        try:
            self._served.load()
        except BaseException as error:  # noqa: BLE001 - whatever a model does while it is loaded ends here
            traceback.print_exc()
            self.failure = f"{type(error).__name__}: {error}"[:2000]
            self.should_exit = True
        else:
            log.info("ready")
        finally:
            watch.cancel()
            faulthandler.cancel_dump_traceback_later()

    def _too_long(self) -> None:
        log.error(
            "cannot serve: the model is not loaded and proven within LOAD_SECONDS, which is %g",
            self._patience,
        )
        os._exit(1)


class Invocations:
    """Answers /invocations: so many requests at a time, and the model never on the thread that reads from sockets."""

    def __init__(self, model: ServedModel, settings: Settings) -> None:
        self._model, self._settings = model, settings
        self._running = 0
        self._threads = ThreadPoolExecutor(settings.prediction_threads, thread_name_prefix="predict")
        IN_FLIGHT.set_function(lambda: self._running)

    @property
    def not_alive(self) -> str:
        """Why the process should be ended, or the empty text: each thread predicts what nobody waits for any more."""
        since, seconds = sorted(self._model.since.values()), self._settings.predict_seconds
        busy = len(since) == self._settings.prediction_threads
        hangs = busy and time.monotonic() - since[-1] > seconds
        return f"the model hangs: no thread has ended a prediction for {seconds:g} seconds" if hangs else ""

    @property
    def not_ready(self) -> str:
        """Why no requests should be sent here, or the empty text when they should."""
        return self._model.not_ready or self.not_alive

    async def __call__(self, request: Request) -> tuple[int, object]:
        """The status, and JSON as text or as a document with the `error`."""
        if not self._model.proven:
            return 503, {"error": self._model.not_ready}
        if self._running >= self._settings.max_requests:
            return 503, {"error": "The server has too much to do; try again in a second."}
        self._running += 1
        try:
            return 200, await self._predicted(request)
        except NotAnswered as error:
            level = logging.ERROR if error.status >= 500 else logging.INFO
            log.log(level, "not answered: %s %s", error.status, error.reason)
            return error.status, {"error": str(error)}
        except ClientDisconnect:
            return CLIENT_IS_GONE, {"error": "The request was not sent to its end."}
        finally:
            self._running -= 1

    async def _predicted(self, request: Request) -> str:
        body = await self._body(request)
        content_type = request.headers.get("content-type", "")
        seconds, loop = self._settings.predict_seconds, asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                text, rows = await loop.run_in_executor(self._threads, self._model.answer, body, content_type)
        except TimeoutError:
            sentence = f"The model did not answer within {seconds:g} seconds."
            raise NotAnswered(sentence, 504, "it took too long") from None
        PREDICTIONS.inc(rows)
        return text

    async def _body(self, request: Request) -> bytes:
        limit, seconds = self._settings.max_body_bytes, self._settings.body_seconds
        too_large = f"The request has more than the {limit} bytes that this server takes."
        if int(request.headers.get("content-length", "0")) > limit:
            raise NotAnswered(too_large, 413)
        body = bytearray()
        try:
            async with asyncio.timeout(seconds):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > limit:
                        raise NotAnswered(too_large, 413)
        except TimeoutError:
            raise NotAnswered(f"The request did not arrive within {seconds:g} seconds.", 408) from None
        return bytes(body)


def make_app(model: ServedModel, settings: Settings) -> FastAPI:
    """The application; it answers in JSON, whatever is asked."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    invoke, identity = Invocations(model, settings), settings.identity()
    READY.set_function(lambda: float(not invoke.not_ready))

    def reply(status: int, document: object, **headers: str) -> Response:
        text = document if isinstance(document, str) else json.dumps(document)
        if model.ending:
            headers["Connection"] = "close"
        return Response(text, status, headers, "application/json")

    @app.get("/health")
    async def health() -> Response:
        reason = invoke.not_alive
        return reply(503 if reason else 200, {"status": reason or "alive"})

    @app.get("/ready")
    async def ready() -> Response:
        reason = invoke.not_ready
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
        status, document = await invoke(request)
        REQUESTS.labels(str(status)).inc()
        SECONDS.observe(time.perf_counter() - started)
        return reply(status, document, **({"Retry-After": "1"} if status == 503 else {}))

    @app.exception_handler(HTTPException)
    async def no_such_thing(request: Request, error: HTTPException) -> Response:
        known = "/health, /ready, /version and /metrics to GET, and /invocations to POST"
        return reply(error.status_code, {"error": f"There is nothing here for that: there is {known}."})

    return app


def _later(seconds: float, action: Callable[..., object], *values: object) -> threading.Timer:
    timer = threading.Timer(seconds, action, values)
    timer.daemon = True
    timer.start()
    return timer


def _give_up() -> None:
    log.error("a prediction did not end in time: ending without it")
    os._exit(1)


def _leave(code: int, model: ServedModel) -> int:
    """The code to exit with, soon: a thread that the model has left behind would keep the process for ever."""
    if model.proven and model.since:
        _give_up()
    _later(LAST_RESORT_SECONDS, os._exit, code)
    return code


def _listening(app: FastAPI, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        # Those that are tested, whatever else the model's dependencies bring.
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # Longer than a proxy keeps a connection (60 s in nginx), so that no request meets one that is being closed.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, math.ceil(settings.finish_seconds)),
    )


def main() -> int:
    """Serve until told to end; 1 when the model could not be served."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr
    )
    try:
        settings = Settings.read(os.environ)
    except ValueError as error:
        log.error("cannot serve: %s", error)  # noqa: TRY400 - the sentence says it all
        return 1
    model = ServedModel(Path(settings.model_path))
    INFO.labels(settings.model_name, settings.model_version, settings.mlflow_run_id).set(1)
    for code in ("200", "400", "500", "503", "504"):
        REQUESTS.labels(code)  # so that the first one counts as an increase
    server = Server(_listening(make_app(model, settings), settings), model, settings)
    threading.Thread(target=server.load, name="load", daemon=True).start()
    server.run()
    if server.failure:
        log.error("cannot serve: %s", server.failure)
    return _leave(1 if server.failure or not server.started else 0, model)


if __name__ == "__main__":
    sys.exit(main())
