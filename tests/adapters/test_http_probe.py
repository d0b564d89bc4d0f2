"""The prober against small real servers: what counts as proof, what as failure, and what only waits."""

import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.http_probe import HttpProber
from bot.core.model import HttpCheck, PredictionCheck
from bot.core.verdict import Outcome, Verdict
from bot.ports import Expected
from tests.parts import free_port, require

pytestmark = pytest.mark.world

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
EXAMPLE = {"dataframe_split": {"columns": ["amount"], "data": [[1.0], [2.0]]}}
EXPECTED = Expected("fraud-detector", "7", example=EXAMPLE)

Reply = tuple[int, Any] | tuple[int, Any, dict[str, str]]


@contextmanager
def serving(answer: Callable[[str, str, bytes], Reply]) -> Iterator[str]:
    """A server that answers every request as `answer(method, path, body)` says."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, content, *more = answer(self.command, self.path, body)
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for key, value in (more[0] if more else {}).items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def model(
    predictions: Any, *, status: int = 200, version: str = "7", name: str = "fraud-detector"
) -> Callable[..., Reply]:
    """A model server that always answers this; bytes are sent as they are."""

    def answer(method: str, path: str, body: bytes) -> Reply:
        if path == "/version":
            return 200, {"model": name, "version": version}
        if (method, path) != ("POST", "/invocations") or json.loads(body) != EXAMPLE:
            return 418, {}
        return status, predictions if isinstance(predictions, bytes) else {"predictions": predictions}

    return answer


def predicted(answer: Callable[..., Reply], expected: Expected = EXPECTED) -> Verdict:
    """What the prober says about that server."""
    with serving(answer) as url:
        check = PredictionCheck(url, timeout=timedelta(seconds=1))
        return HttpProber().probe(check, expected, NOW)


def reached(answer: Callable[..., Reply], status: int = 200, path: str = "/health") -> Verdict:
    """What the prober says about one address of that server."""
    with serving(answer) as url:
        check = HttpCheck(url + path, status=status, timeout=timedelta(seconds=0.5))
        return HttpProber().probe(check, EXPECTED, NOW)


# --- An address ------------------------------------------------------------------------------------


def test_the_expected_status_is_proof() -> None:
    verdict = reached(lambda *_: (200, {"status": "alive"}))
    assert verdict.outcome is Outcome.SUCCEEDED
    assert verdict.evidence[0].answer == '200 {"status": "alive"}'
    assert "/health answers 200" in verdict.because
    assert verdict.evidence[0].at == NOW


def test_another_status_is_a_failure_that_names_both() -> None:
    verdict = reached(lambda *_: (404, {}))
    assert verdict.outcome is Outcome.FAILED
    assert "404 instead of 200" in verdict.because


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_gateway_that_has_nobody_to_ask_yet_only_waits(status: int) -> None:
    verdict = reached(lambda *_: (status, {}))
    assert verdict.outcome is Outcome.PENDING
    assert verdict.again is not None


def test_a_status_that_is_no_success_can_be_the_expected_one() -> None:
    assert reached(lambda *_: (401, {}), status=401).outcome is Outcome.SUCCEEDED


def test_nobody_listening_only_waits() -> None:
    check = HttpCheck(f"http://127.0.0.1:{free_port()}/health")
    verdict = HttpProber().probe(check, EXPECTED, NOW)
    assert verdict.outcome is Outcome.PENDING
    assert "nobody answers there" in verdict.because


@pytest.mark.parametrize(
    ("url", "why"),
    [("http://[broken", "no whole answer"), ("http://no-such-host.invalid/", "name cannot be resolved")],
)
def test_no_way_there_says_nothing_about_the_model(url: str, why: str) -> None:
    verdict = HttpProber().probe(HttpCheck(url), EXPECTED, NOW)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert why in verdict.because
    assert verdict.again is not None


def test_a_redirect_on_the_same_host_is_followed() -> None:
    def answer(method: str, path: str, body: bytes) -> Reply:
        return (200, {}) if path == "/there" else (302, {}, {"Location": "/there"})

    assert reached(answer).outcome is Outcome.SUCCEEDED


def test_a_redirect_to_another_host_is_not_followed() -> None:
    asked = []
    with serving(lambda *request: (asked.append(request), (200, {}))[1]) as other:
        verdict = reached(lambda *_: (302, {}, {"Location": f"{other}/health"}))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "redirects to another address" in verdict.because
    assert asked == []


@pytest.mark.parametrize("place", ["/health", "http://[broken"])
def test_a_redirect_without_end_or_to_nonsense_says_nothing(place: str) -> None:
    assert reached(lambda *_: (302, {}, {"Location": place})).outcome is Outcome.INCONCLUSIVE


def test_a_large_body_is_read_only_in_part() -> None:
    verdict = reached(lambda *_: (200, b"x" * 10_000_000))
    assert verdict.outcome is Outcome.SUCCEEDED
    assert len(verdict.evidence[0].answer) <= 500


def test_a_server_that_sends_byte_by_byte_gets_no_more_time_than_others() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()

    def drip() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not stopping.wait(0.1):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    started = datetime.now(UTC)
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        verdict = HttpProber().probe(HttpCheck(url, timeout=timedelta(seconds=0.5)), EXPECTED, NOW)
    finally:
        stopping.set()
        thread.join()
        listener.close()
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert datetime.now(UTC) - started < timedelta(seconds=5)


def test_a_silent_server_says_nothing_about_the_model() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        verdict = HttpProber().probe(HttpCheck(url, timeout=timedelta(seconds=0.3)), EXPECTED, NOW)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no answer within 0.3 s" in verdict.because


def test_a_certificate_that_nobody_vouches_for_is_no_proof(tmp_path: Path) -> None:
    certificate = _self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        check = HttpCheck(f"https://127.0.0.1:{server.server_port}/")
        distrusted = HttpProber().probe(check, EXPECTED, NOW)
        trusted = HttpProber(verify_tls=str(certificate)).probe(check, EXPECTED, NOW)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert distrusted.outcome is Outcome.INCONCLUSIVE
    assert "certificate is not trusted" in distrusted.because
    assert trusted.outcome is Outcome.SUCCEEDED


# --- A prediction ----------------------------------------------------------------------------------


def test_a_prediction_for_every_row_is_proof() -> None:
    verdict = predicted(model([0, 1]))
    assert verdict.outcome is Outcome.SUCCEEDED
    assert verdict.because.startswith("fraud-detector version 7 answers its own input example at http://")
    assert verdict.evidence[0].answer == '200 {"predictions": [0, 1]}'


@pytest.mark.parametrize(
    ("predictions", "why"),
    [
        ([0], "2 rows were sent and 1 predictions came"),
        ([0, 1, 1], "2 rows were sent and 3 predictions came"),
        ([0.5, float("nan")], "not a finite number"),
        ([[0.1, float("inf")], [0.1, 0.2]], "not a finite number"),
        ([0, None], "missing (null)"),
        ([], "0 predictions came"),
        (b"<html>", "not JSON with `predictions`"),
        (b"[0, 1]", "not JSON with `predictions`"),
        (b'{"result": [0, 1]}', "not JSON with `predictions`"),
        (b"[" * 60_000, "not JSON with `predictions`"),
        (b'{"predictions": ["' + b"x" * 70_000 + b'"]}', "larger than 64 KiB"),
    ],
)
def test_a_wrong_answer_of_the_right_version_is_a_failure(predictions: Any, why: str) -> None:
    verdict = predicted(model(predictions))
    assert verdict.outcome is Outcome.FAILED
    assert why in verdict.because
    assert "fraud-detector version 7 at http://" in verdict.because


@pytest.mark.parametrize("status", [400, 404, 500])
def test_a_refusal_of_the_right_version_is_a_failure(status: int) -> None:
    verdict = predicted(model(b'{"error": "no feature store"}', status=status))
    assert verdict.outcome is Outcome.FAILED
    assert f"the answer is {status}" in verdict.because
    assert "no feature store" in verdict.evidence[0].answer


def test_a_model_that_is_not_ready_only_waits() -> None:
    assert predicted(model([], status=503)).outcome is Outcome.PENDING


@pytest.mark.parametrize(
    ("version", "name"), [("6", "fraud-detector"), ("8", "fraud-detector"), ("7", "churn")]
)
def test_another_version_that_answers_only_waits_and_is_not_asked_to_predict(version: str, name: str) -> None:
    asked = []
    inner = model(b"nonsense", version=version, name=name)
    verdict = predicted(lambda *request: (asked.append(request[1]), inner(*request))[1])
    assert verdict.outcome is Outcome.PENDING
    assert f"still serves {name} version {version}, not fraud-detector version 7" in verdict.because
    assert asked == ["/version"]


@pytest.mark.parametrize(
    "answer", [(404, {}), (200, b"3.17.2"), (200, {"version": "7"}), (200, {"model": "m"}), (200, [])]
)
def test_a_server_that_does_not_say_its_version_proves_nothing_and_fails_nothing(answer: Reply) -> None:
    """MLflow's own server answers /version with the version of MLflow (facts/mlflow.md)."""
    verdict = predicted(lambda *_: answer)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "without model and version" in verdict.because


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_that_cannot_say_its_version_yet_only_waits(status: int) -> None:
    assert predicted(lambda *_: (status, {})).outcome is Outcome.PENDING


def test_nobody_there_to_predict_only_waits() -> None:
    check = PredictionCheck(f"http://127.0.0.1:{free_port()}")
    assert HttpProber().probe(check, EXPECTED, NOW).outcome is Outcome.PENDING


def test_without_an_input_example_nothing_is_proven_and_nothing_failed() -> None:
    verdict = predicted(model([0, 1]), Expected("fraud-detector", "7"))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no input example" in verdict.because


def test_the_logged_outputs_must_be_there() -> None:
    expected = Expected("fraud-detector", "7", example=EXAMPLE, outputs=("score", "label"))
    good, bad = {"score": 0.5, "label": "ok"}, {"score": 0.5}
    assert predicted(model([good, good]), expected).outcome is Outcome.SUCCEEDED
    verdict = predicted(model([good, bad]), expected)
    assert verdict.outcome is Outcome.FAILED
    assert "lacks the output label" in verdict.because


def test_numbers_without_names_are_not_searched_for_columns() -> None:
    expected = Expected("fraud-detector", "7", example=EXAMPLE, outputs=("prediction",))
    assert predicted(model([0, 1]), expected).outcome is Outcome.SUCCEEDED


def test_a_hostile_answer_stays_short_and_on_one_line() -> None:
    verdict = predicted(model([], version="7\n# pwned\x1b[31m " + "x" * 5000))
    assert verdict.outcome is Outcome.PENDING
    assert "\n" not in verdict.because + verdict.evidence[0].answer
    assert "\x1b" not in verdict.because + verdict.evidence[0].answer
    assert len(verdict.because) <= 400
    assert len(verdict.evidence[0].answer) <= 500


def _self_signed(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that vouches for itself."""
    openssl = require("openssl", "apt-get install openssl")
    path = folder / "server.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"), "-days", "2"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    path.write_bytes((folder / "key.pem").read_bytes() + (folder / "cert.pem").read_bytes())
    return path
