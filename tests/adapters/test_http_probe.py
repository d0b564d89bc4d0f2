"""The prober against small real servers: what counts as proof, what as failure, and what only waits."""

import json
import re
import socket
import ssl
import subprocess
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.http_probe import HttpProber
from bot.adapters.http_probe.judging import different, lacking
from bot.adapters.http_probe.signature import misfit
from bot.core.model import Field
from bot.core.target import HttpCheck, PredictionCheck
from bot.core.verdict import Outcome, Verdict
from bot.ports import Expected
from tests.adapters.listening import Quiet, listening
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

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

    with listening(Handler, context) as port:
        check = HttpCheck(f"https://127.0.0.1:{port}/")
        distrusted = HttpProber().probe(check, EXPECTED, NOW)
        trusted = HttpProber(verify_tls=str(certificate)).probe(check, EXPECTED, NOW)
    assert distrusted.outcome is Outcome.INCONCLUSIVE
    assert "certificate is not trusted" in distrusted.because
    assert trusted.outcome is Outcome.SUCCEEDED


def answered(document: Any, wanted: Any, status: int = 200) -> Verdict:
    """What the prober says when `wanted` is to be answered."""
    with serving(lambda *_: (status, document)) as url:
        return HttpProber().probe(HttpCheck(url, json=wanted), EXPECTED, NOW)


@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        ({"status": "ok", "more": 1}, {"status": "ok"}),
        ({"a": {"b": {"c": 1, "d": 2}}}, {"a": {"b": {"c": 1.0}}}),
        (
            {"ready": True, "none": None, "list": [1, {"x": 2, "y": 3}]},
            {"ready": True, "none": None, "list": [1, {"x": 2}]},
        ),
        ({}, {}),
    ],
)
def test_every_wanted_key_with_its_value_is_proof(document: Any, wanted: Any) -> None:
    assert answered(document, wanted).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    ("document", "wanted", "why"),
    [
        ({"status": "ill"}, {"status": "ok"}, "status is 'ill' instead of 'ok'"),
        ({}, {"status": "ok"}, "status is missing"),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "a.b is 1 instead of 2"),
        ({"ready": 1}, {"ready": True}, "ready is 1 instead of true"),
        ({"ready": True}, {"ready": 1}, "ready is true instead of 1"),
        ({"n": "1"}, {"n": 1}, "n is '1' instead of 1"),
        ({"n": [1, 2]}, {"n": [1]}, "n is a list of 2 instead of 1 items"),
        ({"n": [1, 2]}, {"n": [1, 3]}, "n[1] is 2 instead of 3"),
        ({"n": None}, {"n": {"x": 1}}, "n is null instead of an object"),
        (b"<html>", {"status": "ok"}, "the answer is null instead of an object"),
    ],
)
def test_a_wanted_key_with_another_value_is_a_failure_that_names_both(
    document: Any, wanted: Any, why: str
) -> None:
    verdict = answered(document, wanted)
    assert verdict.outcome is Outcome.FAILED
    assert why in verdict.because


def test_json_on_a_page_that_is_too_large_says_nothing() -> None:
    assert answered({"a": "x" * 100_000, "status": "ok"}, {"status": "ok"}).outcome is Outcome.INCONCLUSIVE


def test_the_holes_of_an_address_are_filled_and_encoded() -> None:
    asked = []
    holes = {
        "version": "7",
        "tag": "v7/../x",
        "commit": "abc",
        "model": "fraud detector?",
        "environment": "production",
    }
    expected = Expected("fraud-detector", "7", placeholders=holes)
    with serving(lambda *request: (asked.append(request[1]), (200, {}))[1]) as url:
        check = HttpCheck(url + "/{environment}/{model}/{version}?tag={tag}&commit={commit}&{other}")
        verdict = HttpProber().probe(check, expected, NOW)
        HttpProber().probe(HttpCheck(url + "/{version}"), EXPECTED, NOW)
    assert verdict.outcome is Outcome.SUCCEEDED
    assert asked[0] == "/production/fraud%20detector%3F/7?tag=v7%2F..%2Fx&commit=abc&%7Bother%7D"
    assert asked[1] == "/%7Bversion%7D"


def test_the_time_to_look_again_is_the_interval_of_the_check() -> None:
    check = HttpCheck(f"http://127.0.0.1:{free_port()}/", interval=timedelta(seconds=9))
    assert HttpProber().probe(check, EXPECTED, NOW).again == timedelta(seconds=9)


# --- A prediction ----------------------------------------------------------------------------------


def test_a_prediction_for_every_row_is_proof() -> None:
    verdict = predicted(model([0, 1]))
    assert verdict.outcome is Outcome.SUCCEEDED
    assert verdict.because.startswith("fraud-detector version 7 answers its own input example at http://")
    assert re.fullmatch(r'200 in \d+ ms: {"predictions": \[0, 1\]}', verdict.evidence[0].answer)


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
        (b'{"predictions": null}', "missing (null)"),
    ],
)
def test_a_wrong_answer_of_the_right_version_is_a_failure(predictions: Any, why: str) -> None:
    verdict = predicted(model(predictions))
    assert verdict.outcome is Outcome.FAILED
    assert why in verdict.because
    assert "fraud-detector version 7 at http://" in verdict.because


def test_an_answer_that_is_too_large_to_read_says_nothing() -> None:
    """The bound is the bot's own: an input example may have many rows."""
    most = model([["x" * 1_000_000], ["y" * 1_000_000]])
    assert predicted(most).outcome is Outcome.SUCCEEDED
    verdict = predicted(model(["x" * 5_000_000, "y"]))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "more than is read here" in verdict.because


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


def fits(predictions: Any, *outputs: Field) -> Verdict:
    """What the prober says about these predictions for two rows of a model with this signature."""
    expected = Expected("fraud-detector", "7", example=EXAMPLE, outputs=outputs)
    return predicted(model(predictions), expected)


SCORE, LABEL = Field("score", "double"), Field("label", "string")


@pytest.mark.parametrize(
    ("predictions", "outputs"),
    [
        ([{"score": 0.5, "label": "ok"}, {"score": 1, "label": ""}], (SCORE, LABEL)),
        ([{"score": 0.5, "more": None}, {"score": 0.5}], (SCORE,)),
        ([{"score": 0.5}, {"score": 0.5, "label": None}], (SCORE, Field("label", "string", required=False))),
        ([0.5, 1], (Field("0", "double"),)),
        ([{"0": 1}, {"0": 2.0}], (Field("0", "long"),)),
        ([[1, "a"], [2, "b"]], (Field("0", "long"), Field("1", "string"))),
        ([0.5, 1], (SCORE,)),  # whoever logs a column and answers an array names nothing
        ([True, False], (Field("0", "boolean"),)),
        (["2026-03-01T03:00:00", "2026-03-01"], (Field("0", "datetime"),)),
        ([[0.1, 0.9], [0.2]], (Field("0", "Array(double)"),)),
        ([{"a": 1}, {"b": 2}], (Field("0", "Map(str -> long)"),)),
        (
            [{"p": {"x": [1]}}, {"p": {"x": [], "y": "t"}}],
            (Field("p", "{x: Array(long) (required), y: string (optional)}"),),
        ),
        ([{"a": 1}, 7], (Field("0", "Any"),)),
        ([0, 1], (Field("0", "Tensor('int64', (-1,))"),)),
        ([[0.1, 0.9], [0, 1]], (Field("0", "Tensor('float32', (-1, 2))"),)),
        ([[[{}], 1], ["x", None]], (Field("0", "Tensor('object', (-1, 2))"),)),
        (
            {"a": [1, 2], "b": ["x", "y"]},
            (Field("a", "Tensor('int64', (-1,))"), Field("b", "Tensor('str', (-1,))")),
        ),
        ([{"a": [1, 2]}, {"a": [3, 4]}], (Field("a", "Tensor('int64', (-1, 2))"),)),
        ("yes", (Field("0", "string"),)),
        ({"answer": "yes"}, (Field("answer", "string"),)),
        ([1, "x"], (Field("0", "a type of tomorrow"),)),
    ],
)
def test_predictions_that_fit_the_logged_signature_are_proof(
    predictions: Any, outputs: tuple[Field, ...]
) -> None:
    verdict = fits(predictions, *outputs)
    assert verdict.outcome is Outcome.SUCCEEDED, verdict.because


@pytest.mark.parametrize(
    ("predictions", "outputs", "why"),
    [
        ([{"score": 0.5, "label": "ok"}, {"score": 0.5}], (SCORE, LABEL), "lacks the output label"),
        ([{"score": 0.5}, {"score": None}], (SCORE,), "lacks the output score"),
        ([[0.5, "ok"], [0.5, "ok"]], (SCORE, LABEL), "row 1 names none of the outputs score, label"),
        ([0.5, 0.5], (SCORE, LABEL), "names none of the outputs score, label"),
        (
            [{"score": 0.5}, {"score": "0.5"}],
            (SCORE,),
            "row 2, output score is '0.5', and the model logged double",
        ),
        ([{"other": 1}, {"other": 2}], (SCORE,), "lacks the output score"),
        (["a", "b"], (Field("0", "double"),), "row 1 is 'a', and the model logged double"),
        ([1, 2], (Field("0", "string"),), "row 1 is 1, and the model logged string"),
        ([1, True], (Field("0", "long"),), "row 2 is True, and the model logged long"),
        ([1, 0.5], (Field("0", "long"),), "row 2 is 0.5, and the model logged long"),
        ([1, 2**40], (Field("0", "integer"),), "and the model logged integer"),
        ([1, 0], (Field("0", "boolean"),), "row 1 is 1, and the model logged boolean"),
        (["today", "now"], (Field("0", "datetime"),), "the model logged datetime"),
        ([[1], 1], (Field("0", "Array(long)"),), "row 2 is 1, and the model logged Array(long)"),
        ([{"a": "x"}, {}], (Field("0", "Map(str -> long)"),), "row 1 is 'x', and the model logged long"),
        ([1, 2], (Field("0", "Map(str -> long)"),), "the model logged Map"),
        ([{"p": {}}, {"p": {}}], (Field("p", "{x: long (required)}"),), "row 1, output p lacks x"),
        ([{"p": {"x": "1"}}, {}], (Field("p", "{x: long (required)}"),), "output p.x is '1'"),
        ([{"p": 1}, {"p": 1}], (Field("p", "{x: long (required)}"),), "the model logged object"),
        ([[1], [2, 3]], (Field("0", "long"), Field("1", "long")), "row 1 does not have 2 values"),
        (
            [0.1, 0.9],
            (Field("0", "Tensor('int64', (-1,))"),),
            "the answer is 0.1, and the model logged int64",
        ),
        ([[0.1], [0.9]], (Field("0", "Tensor('float64', (-1, 2))"),), "does not have the shape (-1, 2)"),
        ([[0.1], [0.9]], (Field("0", "Tensor('float64', (-1,))"),), "does not have the shape (-1)"),
        ([0.1, 0.9], (Field("0", "Tensor('float64', (-1, 2))"),), "does not have the shape (-1, 2)"),
        (
            {"a": [1, 2]},
            (Field("a", "Tensor('int64', (-1,))"), Field("b", "Tensor('str', (-1,))")),
            "lacks the output b",
        ),
        (
            [1, 2],
            (Field("a", "Tensor('int64', (-1,))"), Field("b", "Tensor('str', (-1,))")),
            "names none of the outputs a, b",
        ),
        ([{"b": [1]}, {"b": [1]}], (Field("a", "Tensor('int64', (-1, 1))"),), "lacks the output a"),
    ],
)
def test_predictions_that_do_not_fit_the_logged_signature_are_a_failure(
    predictions: Any, outputs: tuple[Field, ...], why: str
) -> None:
    verdict = fits(predictions, *outputs)
    assert verdict.outcome is Outcome.FAILED
    assert why in verdict.because


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
TYPE = st.text(alphabet="{}(), :->1-'alxyATensor") | st.sampled_from(
    [
        "{a: {b: long (required)} (optional)}",
        "Array(Array(",
        "Map(str -> {",
        "Tensor('int', (-1, 2))",
        "}{",
        "{: (}",
    ]
)


@given(JSON, JSON, TYPE, st.floats(0, 1))
@settings(max_examples=200, deadline=None)
def test_no_answer_and_no_type_however_strange_breaks_the_judgement(
    answer: Any, other: Any, kind: str, tolerance: float
) -> None:
    assert isinstance(misfit(answer, [Field("0", kind)]), str | None)
    assert isinstance(different(answer, other, tolerance), str | None)
    assert isinstance(lacking(answer, other), str | None)


def test_what_mlflow_itself_answers_fits_what_it_infers() -> None:
    """The forms of facts/mlflow.md, made by MLflow: array, series, frame, dictionary of arrays, texts."""
    pytest.importorskip("pandas")
    import numpy as np
    import pandas as pd
    from mlflow.models import infer_signature
    from mlflow.utils.proto_json_utils import NumpyEncoder, _get_jsonable_obj

    from bot.adapters.mlflow.card import read

    answers = [
        np.array([0, 1]),
        np.array([[0.1, 0.9], [0.2, 0.8]], dtype="float32"),
        pd.Series([0, 1], name="label"),
        pd.Series([1.5, 2]),
        pd.DataFrame(
            {"score": [0.1, 0.2], "label": ["a", "b"], "when": pd.to_datetime(["2026-01-01", "2026-01-02"])}
        ),
        pd.DataFrame([[1, "a"], [2, "b"]]),
        {"a": np.array([1, 2]), "b": np.array(["x", "y"])},
        ["yes", "no"],
        [{"a": "x", "b": [1, 2]}, {"a": "y", "b": []}],
        [[0.1, 0.2], [0.3]],
        {"answer": "yes", "sources": ["a", "b"]},
        "yes",
        np.array([True, False]),
    ]
    for answer in answers:
        with warnings.catch_warnings(action="ignore"):
            logged = infer_signature(None, answer)
        signature = read(json.dumps({"signature": logged.to_dict()}).encode()).signature
        predictions = json.loads(json.dumps(_get_jsonable_obj(answer), cls=NumpyEncoder))
        assert signature is not None
        assert signature.outputs
        assert misfit(predictions, signature.outputs) is None, (predictions, signature.outputs)


# --- In time, and equal to what it was -------------------------------------------------------------


def test_a_right_answer_that_comes_too_late_is_a_failure_with_the_figures() -> None:
    slow = model([0, 1])

    def answer(*request: Any) -> Reply:
        threading.Event().wait(0.2 if request[1] == "/invocations" else 0)
        return slow(*request)

    with serving(answer) as url:
        late = HttpProber().probe(PredictionCheck(url, latency=timedelta(milliseconds=100)), EXPECTED, NOW)
        good = HttpProber().probe(PredictionCheck(url, latency=timedelta(seconds=5)), EXPECTED, NOW)
    assert late.outcome is Outcome.FAILED
    assert re.search(r"the answer took [23]\d\d ms, the bound is 100 ms", late.because)
    assert good.outcome is Outcome.SUCCEEDED


def same(predictions: Any, answer: Any, tolerance: float = 0.0) -> Verdict:
    """What the prober says when the model once answered `answer`."""
    expected = Expected("fraud-detector", "7", example=EXAMPLE, answer=answer)
    with serving(model(predictions)) as url:
        return HttpProber().probe(PredictionCheck(url, tolerance=tolerance), expected, NOW)


@pytest.mark.parametrize(
    ("predictions", "answer", "tolerance"),
    [
        ([0.5, 1], [0.5, 1.0], 0.0),
        ([0.5, 1], {"predictions": [0.5, 1]}, 0.0),
        ([100.9, 1], [100, 1], 0.01),
        ([{"a": ["x", True, 0.1000001]}, {}], [{"a": ["x", True, 0.1]}, {}], 1e-5),
    ],
)
def test_the_answer_of_build_time_within_the_tolerance_is_proof(
    predictions: Any, answer: Any, tolerance: float
) -> None:
    assert same(predictions, answer, tolerance).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    ("predictions", "answer", "tolerance", "why"),
    [
        ([0.5, 1], [0.5, 1.1], 0.01, "predictions[1] is 1 instead of 1.1"),
        ([0, 1], [0.1, 1], 0.5, "predictions[0] is 0 instead of 0.1"),
        ([0.5, 1], [0.5000001, 1], 0.0, "predictions[0] is 0.5 instead of 0.5000001"),
        ([1, 1], [True, 1], 0.5, "predictions[0] is 1 instead of true"),
        (["a", "b"], ["a", "c"], 1.0, "predictions[1] is 'b' instead of 'c'"),
        ([{"a": 1}, {}], [{"a": 1}, {"b": 1}], 1.0, "predictions[1].b is missing"),
        ([{"a": 1}, {"b": 1}], [{"a": 1}, {}], 1.0, "predictions[1].b is new"),
        ([1, 2], [1], 1.0, "predictions has 2 items instead of 1"),
        ([10**400, 2], [1.5, 2], 0.5, "a very large number instead of 1.5"),
    ],
)
def test_another_answer_than_at_build_time_is_a_failure(
    predictions: Any, answer: Any, tolerance: float, why: str
) -> None:
    verdict = same(predictions, answer, tolerance)
    assert verdict.outcome is Outcome.FAILED
    assert why in verdict.because


def test_without_an_answer_on_record_there_is_nothing_to_compare_and_the_sentence_says_how_to_record_it() -> (
    None
):
    verdict = same([0, 1], None)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "CI must record the answer" in verdict.because
    assert "`gitops-bot.answer`" in verdict.because


def test_a_wrong_answer_fails_even_where_there_is_nothing_to_compare_it_with() -> None:
    assert same([0], None).outcome is Outcome.FAILED


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
