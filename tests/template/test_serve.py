"""The model server of the template with real models over a real socket: what each address answers."""

import shutil
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.template.conftest import Start
from tests.template.serving import ROWS, SPLIT, Serving, serving

pytestmark = [pytest.mark.world, pytest.mark.xdist_group("serve")]


def _stubborn(do: str, seconds: float = 2.0, **more: object) -> dict[str, object]:
    return {"dataframe_split": {"columns": ["do", "seconds"], "data": [[do, seconds]]}, **more}


def test_it_is_alive_before_it_is_ready_and_ready_after_its_own_example(start: Start) -> None:
    assert start.health.json() == {"status": "alive"}
    assert start.ready.json() == {"status": "the model is still being loaded"}
    assert start.prediction.status_code == 503
    assert start.prediction.json() == {"error": "the model is still being loaded"}
    assert start.prediction.headers["Retry-After"] == "1"
    assert "has answered its own input example" in start.served.log.read_text()
    assert requests.get(f"{start.served.url}/ready", timeout=5).json() == {"status": "ready"}


@pytest.mark.parametrize(
    "body",
    [
        SPLIT,
        {"dataframe_split": {"columns": ["c", "b", "a"], "data": [row[::-1] for row in ROWS]}},
        {"dataframe_records": [dict(zip("abc", row, strict=True)) for row in ROWS]},
        {"inputs": {"a": [1.0, 0.0], "b": [0.0, 1.0], "c": [9.0, 9.0]}},
        {"instances": [dict(zip("abc", row, strict=True)) for row in ROWS]},
    ],
    ids=lambda body: "-".join(body),
)
def test_each_form_of_mlflows_protocol_gets_the_right_prediction(served: Serving, body: object) -> None:
    answer = served.ask(body)
    assert (answer.status_code, answer.json()) == (200, {"predictions": [1, 0]})
    assert answer.headers["Content-Type"] == "application/json"


def test_csv_gets_the_right_prediction(served: Serving) -> None:
    csv = b"a,b,c\n1,0,9\n0,1,9\n"
    assert served.ask(csv, "text/csv; charset=utf-8").json() == {"predictions": [1, 0]}


def test_params_reach_the_model(stubborn: Serving) -> None:
    assert stubborn.ask(_stubborn("answer")).json() == {"predictions": [2.0]}
    assert stubborn.ask(_stubborn("answer", params={"factor": 5.0})).json() == {"predictions": [10.0]}
    wrong = stubborn.ask(_stubborn("answer", params={"factor": "much"}))
    assert wrong.status_code == 400
    assert "factor" in wrong.json()["error"]


def test_an_answer_is_json_for_those_too_whose_json_has_no_nan(stubborn: Serving) -> None:
    rows = [["answer", value] for value in (1.5, None)]
    answer = stubborn.ask({"dataframe_split": {"columns": ["do", "seconds"], "data": rows}})
    assert answer.text == '{"predictions": [1.5, null]}'
    assert stubborn.ask(_stubborn("answer", float("-inf"))).text == '{"predictions": [null]}'
    assert stubborn.ask(_stubborn("say NaN")).text == '{"predictions": ["NaN", "Infinity"]}'


def test_it_says_which_version_it_is(served: Serving) -> None:
    said = requests.get(f"{served.url}/version", timeout=5).json()
    assert said.pop("mlflow")
    assert said == {
        "model": "fraud-detector",
        "version": "7",
        "run_id": "abc",
        "image_digest": None,
        "commit": "c0ffee",
    }


def test_its_metrics_count_answers_by_code_and_predictions_by_row(served: Serving) -> None:
    names = [
        'model_requests_total{code="200"}',
        'model_requests_total{code="400"}',
        "model_predictions_total",
        "model_request_seconds_count",
    ]
    before = [served.metric(name) for name in names]
    served.ask(SPLIT)
    served.ask({})
    assert [served.metric(name) for name in names] == [
        before[0] + 1,
        before[1] + 1,
        before[2] + 2,
        before[3] + 2,
    ]
    assert served.metric('model_info{model="fraud-detector",run_id="abc",version="7"}') == 1
    assert served.metric("model_ready") == 1
    assert served.metric("model_requests_in_flight") == 0


def test_the_metrics_that_dashboards_name_are_there_from_the_start(served: Serving) -> None:
    answer = requests.get(f"{served.url}/metrics", timeout=5)
    assert answer.headers["Content-Type"].startswith("text/plain")
    families = {family.name: family.type for family in text_string_to_metric_families(answer.text)}
    assert {name: kind for name, kind in families.items() if name.startswith("model_")} == {
        "model_requests": "counter",
        "model_requests_created": "gauge",
        "model_request_seconds": "histogram",
        "model_request_seconds_created": "gauge",
        "model_predictions": "counter",
        "model_predictions_created": "gauge",
        "model_requests_in_flight": "gauge",
        "model_ready": "gauge",
        "model_info": "gauge",
    }
    assert 'model_requests_total{code="500"} 0.0' in answer.text


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"1" * 10_000, "not JSON"),
        ([1], "must be a JSON object"),
        ({}, "exactly one of the input fields"),
        ({"inputs": [1], "instances": [1]}, "exactly one of the input fields"),
        ({"dataframe_records": [{"a": 1.0}]}, "missing inputs"),
        ({"dataframe_records": [{"a": "x", "b": 1.0, "c": 1.0}]}, "Failed to convert column a"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}, "not a valid dataframe"),
        ({"dataframe_split": 5}, "must be a dictionary"),
    ],
    ids=range(12),
)  # fmt: skip
def test_bad_input_is_answered_with_a_sentence(served: Serving, body: object, sentence: str) -> None:
    answer = served.ask(body)
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]
    assert "\n" not in answer.json()["error"]
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/xml",
        "application/vnd.apache.parquet",
        "application/json; charset=latin-1",
        "text/csv; x=y",
    ],
)
def test_what_is_neither_json_nor_csv_is_refused(served: Serving, content_type: str | None) -> None:
    answer = served.ask(SPLIT, content_type)
    assert answer.status_code == 415
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/invocations", 405),
        ("POST", "/version", 405),
        ("GET", "/docs", 404),
        ("GET", "/openapi.json", 404),
        ("GET", "/../etc/passwd", 404),
    ],
)
def test_any_other_address_says_what_there_is(served: Serving, method: str, path: str, status: int) -> None:
    answer = requests.request(method, f"{served.url}{path}", timeout=5)
    assert answer.status_code == status
    assert "/invocations to POST" in answer.json()["error"]


@pytest.mark.parametrize(
    ("do", "status", "error"),
    [
        ("raise", 400, "Encountered an unexpected error while evaluating the model."),
        ("lose", 500, "The model itself failed (ConnectionError)."),
        ("exit", 500, "The model itself failed (SystemExit)."),
        ("object", 500, "What the model answers cannot be written as JSON (TypeError)."),
    ],
)
def test_a_model_that_fails_is_told_from_bad_input(
    stubborn: Serving, do: str, status: int, error: str
) -> None:
    answer = stubborn.ask(_stubborn(do))
    assert answer.status_code == status
    assert answer.json()["error"].startswith(error)
    assert "10.9.8.7" not in answer.text
    assert "Jane Doe" not in answer.text + stubborn.log.read_text()
    assert stubborn.ask(_stubborn("answer")).status_code == 200


def test_a_number_without_dimensions_counts_as_one_prediction(stubborn: Serving) -> None:
    before = stubborn.metric("model_predictions_total")
    assert stubborn.ask(_stubborn("scalar")).json() == {"predictions": 7.0}
    assert stubborn.metric("model_predictions_total") == before + 1


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("MLmodel", b"flavors: {}", "cannot serve: MlflowException"),
        ("serving_input_example.json", b'{"inputs": "nonsense"}', "cannot serve: NotAnswered"),
    ],
)  # fmt: skip
def test_a_model_that_cannot_be_served_ends_the_process_with_the_reason(
    models: Path, tmp_path: Path, file: str, content: bytes, reason: str
) -> None:
    broken = shutil.copytree(models / "good", tmp_path / "broken")
    (broken / file).write_bytes(content)
    with serving(broken, tmp_path) as served:
        assert served.process.wait(120) == 1
    assert reason in served.log.read_text().splitlines()[-1]


def test_a_setting_that_is_no_number_ends_the_process_with_the_reason(tmp_path: Path) -> None:
    with serving(tmp_path, tmp_path, MAX_REQUESTS="many") as served:
        assert served.process.wait(60) == 1
    assert (
        "cannot serve: MAX_REQUESTS must be a number, not 'many'" in served.log.read_text().splitlines()[-1]
    )
