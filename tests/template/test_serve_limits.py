"""What the model server of the template takes at most, and that it always answers who asks for its health."""

import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.template.serving import SPLIT, Serving, SlowRequest, serving, soon

pytestmark = [pytest.mark.world, pytest.mark.xdist_group("serve")]


def _told(do: str, seconds: float) -> dict[str, object]:
    return {"dataframe_split": {"columns": ["do", "seconds"], "data": [[do, seconds]]}}


def test_a_body_that_is_too_large_is_refused(served: Serving) -> None:
    answer = served.ask(b" " * ((1 << 20) + 1))
    assert answer.status_code == 413
    assert "more than the 1048576 bytes" in answer.json()["error"]


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(served: Serving) -> None:
    with served.connection() as connection:
        connection.sendall(
            b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: 9999999\r\n\r\n"
        )
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_body_without_a_length_is_refused_when_it_gets_too_large(served: Serving) -> None:
    pieces = (b"x" * 65536 for _ in range(20))
    headers = {"Content-Type": "text/csv"}
    answer = requests.post(f"{served.url}/invocations", data=pieces, headers=headers, timeout=30)
    assert answer.status_code == 413


def test_a_body_that_does_not_arrive_is_not_waited_for(served: Serving) -> None:
    slow = SlowRequest(served)
    said = slow.answer()
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"did not arrive within 3 seconds" in said


def test_who_hangs_up_is_counted_and_takes_no_place(served: Serving) -> None:
    before = served.metric('model_requests_total{code="499"}')
    slow = SlowRequest(served)
    assert soon(lambda: served.metric("model_requests_in_flight") == 1)
    slow.hang_up()
    assert soon(lambda: served.metric('model_requests_total{code="499"}') == before + 1)
    assert served.metric("model_requests_in_flight") == 0
    assert "Traceback" not in served.log.read_text()


def test_more_requests_than_it_takes_are_sent_away_and_the_others_are_answered(stubborn: Serving) -> None:
    with ThreadPoolExecutor(12) as callers:
        answers = list(callers.map(lambda _: stubborn.ask(_told("count", 1.5)), range(12)))
    codes = Counter(answer.status_code for answer in answers)
    assert set(codes) == {200, 503}
    assert codes[200] >= 4
    away = next(answer for answer in answers if answer.status_code == 503)
    assert away.json() == {"error": "The server has too much to do; try again in a second."}
    assert away.headers["Retry-After"] == "1"
    at_a_time = [int(line) for line in stubborn.log.with_name("most").read_text().split()]
    assert max(at_a_time) == 2
    assert stubborn.ask(_told("answer", 1.0)).status_code == 200


def test_it_answers_for_its_health_while_the_model_predicts(stubborn: Serving) -> None:
    prediction = threading.Thread(target=stubborn.ask, args=(_told("sleep", 4.0),))
    prediction.start()
    assert soon(lambda: stubborn.metric("model_requests_in_flight") == 1)
    took = []
    while stubborn.metric("model_requests_in_flight") == 1 and len(took) < 20:
        began = time.monotonic()
        assert requests.get(f"{stubborn.url}/health", timeout=10).ok
        assert requests.get(f"{stubborn.url}/ready", timeout=10).ok
        took.append(time.monotonic() - began)
    prediction.join(30)
    assert len(took) >= 3
    assert min(took) < 1.0


def test_a_large_request_is_answered_and_so_are_small_ones_meanwhile(served: Serving) -> None:
    rows = b"1.0,0.0,9.0\n" * 80_000
    answers: list[requests.Response] = []
    large = threading.Thread(target=lambda: answers.append(served.ask(b"a,b,c\n" + rows, "text/csv")))
    large.start()
    while large.is_alive():
        assert served.ask(SPLIT).status_code == 200
    large.join()
    assert len(answers[0].json()["predictions"]) == 80_000


def test_a_prediction_that_hangs_is_not_waited_for_and_when_all_do_the_process_is_not_alive(
    models: Path, tmp_path: Path
) -> None:
    settings = {
        "PREDICT_SECONDS": "1.5",
        "PREDICTION_THREADS": "2",
        "DRAIN_SECONDS": "0",
        "FINISH_SECONDS": "1",
    }
    with serving(models / "stubborn", tmp_path, **settings) as served:
        served.until("/ready", 200)
        answer = served.ask(_told("sleep", 300.0))
        assert answer.status_code == 504
        assert answer.json() == {"error": "The model did not answer within 1.5 seconds."}
        # One thread is left: it is worth asking.
        assert served.ask(_told("answer", 1.0)).status_code == 200
        assert requests.get(f"{served.url}/health", timeout=10).ok
        assert served.metric("model_ready") == 1
        assert served.ask(_told("sleep", 300.0)).status_code == 504
        assert served.until("/health", 503, 30).json()["status"].startswith("the model hangs: ")
        assert served.until("/ready", 503, 30).json()["status"].startswith("the model hangs: ")
        assert served.metric("model_ready") == 0
        # What waits for a thread is answered, too; nobody waits for it any more when one is free.
        assert served.ask(_told("answer", 1.0)).status_code == 504
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(30) == 1
