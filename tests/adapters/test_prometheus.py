"""Watching through a real Prometheus, whose past is written beforehand so that no test waits for it."""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import requests

from bot.adapters.prometheus import PrometheusMonitoring
from bot.adapters.prometheus.window import looks_back
from bot.core.target import AlertsCheck, PrometheusCheck
from bot.core.verdict import Outcome, Verdict
from bot.ports import Refused
from tests.adapters.listening import Quiet, listening
from tests.parts import free_port, require

pytestmark = pytest.mark.world

DONE = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)  # when the rollout was done
MERGED = DONE - timedelta(minutes=2)
OVER = DONE + timedelta(minutes=6)
LABEL = 'model="fraud"'

RULES = """
groups:
  - name: watched
    interval: 1s
    rules:
      - alert: ErrorRate
        expr: vector(7)
        labels: {model: fraud, severity: page}
        annotations: {summary: "7 of 10 fail\\n@everyone"}
      - alert: Latency
        expr: vector(1)
        for: 10h
        labels: {model: churn}
      - alert: Quiet
        expr: vector(1) > 2
        labels: {model: quiet}
"""


def past() -> str:
    """Twenty minutes of samples, one every 15 seconds, with the rollout in the middle."""
    families: dict[str, list[str]] = {}
    for step in range(-40, 41):
        moment = int((DONE + timedelta(seconds=15 * step)).timestamp())
        after = 15 * step  # seconds
        rows = {
            "steady gauge": {LABEL: 0.01},
            "rises gauge": {LABEL: 0.01 if after <= 100 else 0.5},
            "flickers gauge": {LABEL: 0.5 if 100 < after <= 200 else 0.01},
            "void gauge": {LABEL: "NaN"},
            "endless gauge": {LABEL: "+Inf"},
            "early gauge": {LABEL: 0.01} if after <= -600 else {},
            "pods gauge": {LABEL + ',pod="a"': 1, LABEL + ',pod="b"': 2},
            "before counter": {LABEL: min(step + 40, 40) * 10},
            "asked counter": {LABEL: (step + 40) * 5},
        }
        for family, series in rows.items():
            name, kind = family.split()
            lines = families.setdefault(family, [f"# TYPE {name} {kind}"])
            suffix = "_total" if kind == "counter" else ""
            lines.extend(f"{name}{suffix}{{{labels}}} {number} {moment}" for labels, number in series.items())
    return "\n".join(line for lines in families.values() for line in lines) + "\n# EOF\n"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus with that past and with alerts that are made up."""
    prometheus = require("prometheus", "apt-get install prometheus")
    promtool = require("promtool", "apt-get install prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "past.txt").write_text(past())
    (folder / "rules.yml").write_text(RULES)
    (folder / "prometheus.yml").write_text("rule_files: [rules.yml]\n")
    making = [promtool, "tsdb", "create-blocks-from", "openmetrics", "past.txt", "data"]
    subprocess.run(making, cwd=folder, check=True, capture_output=True)
    port = free_port()
    command = [prometheus, "--config.file=prometheus.yml", f"--web.listen-address=127.0.0.1:{port}"]
    command += ["--storage.tsdb.path=data", "--storage.tsdb.retention.time=10y", "--log.level=error"]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as process,
    ):
        try:
            place = f"http://127.0.0.1:{port}"
            _until(lambda: requests.get(f"{place}/-/ready", timeout=2).status_code == 200)
            _until(
                lambda: len(requests.get(f"{place}/api/v1/alerts", timeout=2).json()["data"]["alerts"]) == 2
            )
            yield place
        finally:
            process.terminate()


def _until(good: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if good():
                return
        except requests.RequestException:
            pass
        threading.Event().wait(0.1)
    raise TimeoutError("Prometheus does not come up")


def watched(url: str, query: str, now: datetime = OVER, **more: Any) -> Verdict:
    """What is said about this query, 0.05 being its bound."""
    check = PrometheusCheck(query, **({"below": 0.05} | more))
    return PrometheusMonitoring(url).watch(check, MERGED, DONE, now)


# --- Queries ---------------------------------------------------------------------------------------


def test_a_value_within_its_bound_through_the_whole_window_is_proof(url: str) -> None:
    verdict = watched(url, "steady")
    assert verdict.outcome is Outcome.SUCCEEDED
    assert verdict.because == "steady stayed below 0.05 (0.01, 0.01, 0.01, 0.01, 0.01)"
    assert verdict.evidence[0].verifier == "prometheus"
    assert verdict.evidence[0].asked == "steady until 2026-03-01 03:05:00 UTC"
    assert verdict.evidence[0].at == OVER


def test_a_value_above_a_lower_bound_is_proof_and_at_it_is_none(url: str) -> None:
    assert watched(url, "steady", below=None, above=0.005).outcome is Outcome.SUCCEEDED
    assert watched(url, "steady", below=None, above=0.01).outcome is Outcome.FAILED
    assert watched(url, "steady", below=0.02, above=0.005).outcome is Outcome.SUCCEEDED
    assert watched(url, "steady", below=0.01).outcome is Outcome.FAILED


def test_nothing_is_proven_before_the_window_has_passed(url: str) -> None:
    for seconds, looks in ((10, 50), (70, 50), (299, 1)):
        verdict = watched(url, "steady", DONE + timedelta(seconds=seconds))
        assert verdict.outcome is Outcome.PENDING
        assert verdict.because == "steady must stay below 0.05 until 2026-03-01 03:05:00 UTC"
        assert verdict.again == timedelta(seconds=looks)
    assert watched(url, "steady", DONE + timedelta(seconds=300)).outcome is Outcome.SUCCEEDED


def test_enough_bad_samples_fail_before_the_window_has_passed(url: str) -> None:
    early = watched(url, "rises", DONE + timedelta(seconds=181))
    verdict = watched(url, "rises", DONE + timedelta(seconds=241))
    assert early.outcome is Outcome.PENDING
    assert "2 bad so far" in early.because
    assert verdict.outcome is Outcome.FAILED
    assert "must stay below 0.05, and 3 of 4 samples were not (0.01, 0.5, 0.5, 0.5)" in verdict.because


def test_fewer_bad_samples_than_it_takes_are_forgiven(url: str) -> None:
    assert watched(url, "flickers").outcome is Outcome.SUCCEEDED
    verdict = watched(url, "flickers", failures=2)
    assert verdict.outcome is Outcome.FAILED
    assert "2 of 5 samples were not" in verdict.because


def test_what_has_passed_stays_judged_however_late_one_looks(url: str) -> None:
    for outcome, query in ((Outcome.SUCCEEDED, "steady"), (Outcome.FAILED, "rises")):
        assert watched(url, query, DONE + timedelta(days=3)).outcome is outcome


@pytest.mark.parametrize("query", ["void", "endless", "no_such_metric", "steady > 0.05", "early"])
def test_no_number_is_never_proof_and_never_a_failure(url: str, query: str) -> None:
    verdict = watched(url, query)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no samples: is the metric there" in verdict.because
    assert verdict.again is not None
    assert watched(url, query, DONE + timedelta(minutes=3)).outcome is Outcome.PENDING


def test_missing_numbers_matter_only_where_they_could_have_changed_the_verdict(url: str) -> None:
    holes = f"steady unless on() (vector(time()) > {DONE.timestamp() + 190:.0f})"  # the last two samples are missing
    assert watched(url, holes, failures=3).outcome is Outcome.SUCCEEDED
    verdict = watched(url, holes, failures=2)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "2 of 5 samples are no numbers" in verdict.because


def test_several_series_where_one_is_meant_say_nothing(url: str) -> None:
    verdict = watched(url, "pods")
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "answers 2 series where one is meant: aggregate it" in verdict.because
    assert watched(url, "sum(pods)", below=4).outcome is Outcome.SUCCEEDED


def test_what_the_old_version_did_is_not_looked_at_by_a_query_that_looks_back(url: str) -> None:
    """The errors end with the rollout; a rate over 4 minutes is free of them 4 minutes later."""
    query = "rate(before_total[4m])"
    waiting = watched(url, query, DONE + timedelta(minutes=6))
    assert waiting.outcome is Outcome.PENDING
    assert "until 2026-03-01 03:09:00 UTC" in waiting.because
    assert watched(url, query, DONE + timedelta(minutes=9)).outcome is Outcome.SUCCEEDED


def test_too_few_samples_say_nothing_however_bad_they_are(url: str) -> None:
    few = {"samples": "increase(asked_total[5m])", "at_least": 1000}
    for query in ("steady", "rises"):
        verdict = watched(url, query, **few)
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert "increase(asked_total[5m]) is 100, and at least 1000 are wanted" in verdict.because
        assert watched(url, query, DONE + timedelta(seconds=241), **few).outcome is Outcome.PENDING
    none = watched(url, "steady", samples="no_such_metric")
    assert none.outcome is Outcome.INCONCLUSIVE
    assert "no_such_metric is nothing" in none.because


def test_enough_samples_let_the_verdict_stand(url: str) -> None:
    enough = {"samples": "increase(asked_total[5m])", "at_least": 90}
    assert watched(url, "steady", **enough).outcome is Outcome.SUCCEEDED
    assert watched(url, "rises", **enough).outcome is Outcome.FAILED
    assert watched(url, "steady", samples="scalar(sum(asked_total))").outcome is Outcome.SUCCEEDED


def test_a_query_that_prometheus_does_not_understand_is_said(url: str) -> None:
    verdict = watched(url, "sum(((")
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "refuses the query" in verdict.because
    assert "parse error" in verdict.because


@pytest.mark.parametrize(
    ("query", "span"),
    [
        ("up", timedelta(0)),
        ("rate(x[5m])", timedelta(minutes=5)),
        ("rate(x[90s]) / rate(y[1h30m])", timedelta(minutes=90)),
        ("max_over_time(rate(x[5m])[30m:1m])", timedelta(minutes=35)),
        ("max_over_time(rate(x[5m])[1d:])", timedelta(days=1, minutes=5)),
        ("x{path=~\"[5m]\"} + y{a='[1h]', b=~`[1d]`}", timedelta(0)),
        ("rate(x[99999999999999999999y])", timedelta(days=366)),
        ("x[5", timedelta(0)),
    ],
)
def test_how_far_a_query_looks_back_is_read_from_its_ranges(query: str, span: timedelta) -> None:
    assert looks_back(query) == span


# --- Alerts ----------------------------------------------------------------------------------------


def alerts(url: str, merged_at: datetime, **labels: str) -> Verdict:
    """What is said about these alerts of a release that was merged then."""
    now = datetime.now(UTC)
    return PrometheusMonitoring(url).watch(AlertsCheck(labels), merged_at, now, now)


LONG_AGO = datetime(2026, 3, 1, tzinfo=UTC)


def test_an_alert_that_fires_since_the_merge_is_a_failure(url: str) -> None:
    verdict = alerts(url, LONG_AGO, model="fraud")
    assert verdict.outcome is Outcome.FAILED
    assert verdict.because.startswith("the alert ErrorRate fires since 20")
    assert 'severity="page"}: 7 of 10 fail @everyone' in verdict.evidence[0].answer
    assert verdict.evidence[0].asked == 'alerts with {model="fraud"}'


def test_an_alert_that_was_active_before_the_merge_is_named_and_does_not_count(url: str) -> None:
    verdict = alerts(url, datetime.now(UTC), model="fraud")
    assert verdict.outcome is Outcome.SUCCEEDED
    assert "the alert ErrorRate was active before the merge and does not count" in verdict.because


def test_an_alert_that_is_about_to_fire_only_makes_wait(url: str) -> None:
    assert alerts(url, LONG_AGO, model="churn").outcome is Outcome.PENDING
    assert alerts(url, datetime.now(UTC), model="churn").outcome is Outcome.SUCCEEDED


def test_alerts_with_other_labels_are_not_ours(url: str) -> None:
    for labels in ({"model": "quiet"}, {"model": "fraud", "severity": "ticket"}, {"alertname": "Quiet"}):
        verdict = alerts(url, LONG_AGO, **labels)
        assert verdict.outcome is Outcome.SUCCEEDED
        assert verdict.evidence[0].answer == "none"


# --- The way there ---------------------------------------------------------------------------------


@contextmanager
def answering(
    status: int, body: Any, headers: dict[str, str] | None = None
) -> Iterator[tuple[str, list[Any]]]:
    """A server that always answers this, and what it was asked."""
    asked: list[Any] = []

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Authorization")))
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(data)

    with listening(Handler) as port:
        yield f"http://127.0.0.1:{port}", asked


def matrix(*series: Any, **more: Any) -> dict[str, Any]:
    """An answer to a range query."""
    return {"status": "success", "data": {"resultType": "matrix", "result": list(series)}} | more


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (503, {"status": "error", "error": "too busy"}, "answers 503 (too busy)"),
        (429, b"slow down", "answers 429"),
        (401, b"", "the bot's token must be allowed to query"),
        (302, b"", "redirects elsewhere"),
        (404, b"<html>", "does not speak as Prometheus does"),
        (200, b"<html>", "does not speak as Prometheus does"),
        (200, b"[" * 50_000, "does not speak as Prometheus does"),
        (200, b"x" * 5_000_000, "larger than 4 MiB"),
        (200, {"status": "success"}, "no matrix of numbers"),
        (200, matrix("x"), "no matrix of numbers"),
        (200, matrix({"values": [["x", "y"]]}), "a sample that is none"),
        (200, matrix({"values": [[1e300, "1"]]}), "a sample that is none"),
        (200, matrix({"values": [7]}), "a sample that is none"),
        (200, matrix(warnings=["store-2 did not answer"]), "store-2 did not answer"),
    ],
)
def test_whatever_keeps_the_answer_away_says_nothing_about_the_model(
    status: int, body: Any, why: str
) -> None:
    with answering(status, body, {"Location": "/elsewhere"} if status == 302 else None) as (place, asked):
        verdict = watched(place, "steady")
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert why in verdict.because
    assert len(asked) == 1


@pytest.mark.parametrize(
    "alert", [7, {"state": "firing", "labels": 3}, {"state": "firing", "labels": {}, "activeAt": "yesterday"}]
)
def test_alerts_that_cannot_be_understood_say_nothing(alert: Any) -> None:
    with answering(200, {"status": "success", "data": {"alerts": [alert]}}) as (place, _):
        assert alerts(place, LONG_AGO).outcome is Outcome.INCONCLUSIVE


def test_nobody_there_says_nothing_about_the_model() -> None:
    place = f"http://127.0.0.1:{free_port()}"
    assert watched(place, "steady").outcome is Outcome.INCONCLUSIVE
    assert alerts(place, LONG_AGO).outcome is Outcome.INCONCLUSIVE


def test_an_alert_with_hostile_text_stays_short_and_on_one_line() -> None:
    alert = {
        "state": "firing",
        "activeAt": "2026-03-02T00:00:00.123456789Z",
        "labels": {"alertname": "A\n# pwned" + "x" * 9000, "b": "y" * 9000},
        "annotations": {"summary": "\x1b[31m<img>\n" * 900},
    }
    with answering(200, {"status": "success", "data": {"alerts": [alert] * 50}}) as (place, _):
        verdict = alerts(place, LONG_AGO)
    assert verdict.outcome is Outcome.FAILED
    assert len(verdict.because) <= 500
    assert len(verdict.evidence) <= 5
    said = verdict.because + "".join(seen.answer for seen in verdict.evidence)
    assert "\n" not in said
    assert "\x1b" not in said
    assert len(said) < 4000


def test_the_token_is_sent_and_never_shown() -> None:
    with answering(200, matrix()) as (place, asked):
        place = place.replace("http://", "http://somebody:else@")
        monitoring = PrometheusMonitoring(f"{place}/prometheus/", lambda: "s3cret")
        monitoring.watch(PrometheusCheck("up", below=1), MERGED, DONE, OVER)
    assert asked[0][0].startswith("/prometheus/api/v1/query_range?query=up&start=1772334060.000&end=")
    assert asked[0][1] == "Bearer s3cret"
    assert "s3cret" not in repr(monitoring)
    assert "else" not in repr(monitoring)


def test_without_a_token_nothing_is_sent_that_the_address_carries() -> None:
    with answering(200, matrix()) as (place, asked):
        watched(place.replace("http://", "http://somebody:else@"), "up")
    assert asked[0][1] is None


def test_a_token_does_not_go_over_the_network_unprotected() -> None:
    with pytest.raises(Refused, match=r"must begin with https://.*: http://prometheus\.acme\.dev$"):
        PrometheusMonitoring("http://user:pw@prometheus.acme.dev", lambda: "s3cret")


@pytest.mark.parametrize("token", ["", "two\nlines", "with space", "schlüssel"])
def test_a_token_that_is_none_is_refused_without_being_shown(token: str) -> None:
    verdict = PrometheusMonitoring("http://127.0.0.1:9", lambda: token).watch(
        PrometheusCheck("up", below=1), MERGED, DONE, OVER
    )
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "set another" in verdict.because
    assert not token or token not in verdict.because
