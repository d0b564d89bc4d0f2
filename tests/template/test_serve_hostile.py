"""Whatever is sent to the model server of the template, it answers with a prediction or a sentence, and lives on."""

import json
import socket
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.template.serving import ANSWER, SPLIT, Serving

pytestmark = [pytest.mark.world, pytest.mark.xdist_group("serve")]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from("abc") | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["dataframe_split", "dataframe_records", "inputs", "instances", "params", "messages", "columns"]
)
SPLITS = st.fixed_dictionaries(
    {"columns": st.just(["a", "b", "c"]) | JSON, "data": st.lists(st.lists(JSON, max_size=4), max_size=3)},
    optional={"index": JSON, "orient": JSON},
)
BODIES = (
    st.dictionaries(FIELDS, JSON, min_size=1, max_size=2)
    | st.fixed_dictionaries({"dataframe_split": SPLITS}, optional={"params": JSON})
    | JSON
)
QUICK = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _is_answered(served: Serving, body: Any, content_type: str | None) -> None:
    answer = served.ask(body, content_type)
    if answer.status_code == 200:
        assert "predictions" in answer.json()
        return
    assert 400 <= answer.status_code < 500
    sentence = answer.json()["error"]
    assert sentence.strip()
    assert "\n" not in sentence
    assert "Traceback" not in sentence
    assert '.py"' not in sentence


@QUICK
@given(body=BODIES)
def test_whatever_json_comes_gets_a_prediction_or_a_sentence(served: Serving, body: Any) -> None:
    _is_answered(served, body, "application/json")


@QUICK
@given(
    body=st.binary(max_size=50) | st.text(alphabet='abc,;"\n\r\0 1e-.', max_size=60).map(str.encode),
    content_type=st.sampled_from(["text/csv", "application/json", "text/csv; charset=utf-8"]),
)
def test_whatever_bytes_come_get_a_prediction_or_a_sentence(
    served: Serving, body: bytes, content_type: str
) -> None:
    _is_answered(served, body, content_type)


@QUICK
@given(content_type=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40).map(str.strip))
def test_whatever_content_type_is_named_gets_a_prediction_or_a_sentence(
    served: Serving, content_type: str
) -> None:
    _is_answered(served, SPLIT, content_type)


@QUICK
@given(head=st.binary(max_size=80))
def test_what_is_not_http_is_refused_and_harms_nobody(served: Serving, head: bytes) -> None:
    with served.connection() as connection:
        connection.sendall(head + b"\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        said = connection.recv(65536)
    assert said == b"" or said.startswith(b"HTTP/1.1 4")
    assert b"Traceback" not in said


def test_two_requests_in_one_are_two_and_are_answered_in_turn(served: Serving) -> None:
    body = json.dumps(SPLIT).encode()
    head = f"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    with served.connection() as connection:
        connection.sendall((head.encode() + b"\r\n\r\n" + body) * 2)
        said = b""
        while said.count(ANSWER.encode()) < 2:
            said += connection.recv(65536)
    assert said.count(b"HTTP/1.1 200 ") == 2


def test_after_all_that_it_still_predicts_and_has_written_no_stack_trace(served: Serving) -> None:
    answer = served.ask(SPLIT)
    assert (answer.status_code, answer.text) == (200, ANSWER)
    assert "Traceback" not in served.log.read_text()
