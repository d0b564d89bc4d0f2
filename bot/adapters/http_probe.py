"""Asks the served model itself: is it there, is it this version, and does it predict?"""

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3.exceptions

from bot.core.model import Check, HttpCheck, PredictionCheck
from bot.core.verdict import Evidence, Outcome, Verdict
from bot.ports import Expected

_BODY_LIMIT = 64 << 10
_SENT_LIMIT = 4 << 20
_REDIRECTS = 3
_AGAIN = timedelta(seconds=2)
# What a gateway, or a server that is not ready, says while a rollout switches over: no answer of the model's.
_NOT_NOW = frozenset({429, 502, 503, 504})


class HttpProber:
    """Fills the port `Prober`. TLS is verified, redirects to another host are refused, bodies end at 64 KiB."""

    def __init__(self, *, verify_tls: bool | str = True) -> None:
        """`verify_tls` may be the path of a file of authorities to trust."""
        self._verify = verify_tls

    def probe(self, check: Check, expected: Expected, now: datetime) -> Verdict:
        """One attempt. FAILED only on a wrong answer; without an answer, or with another version's, PENDING."""
        with requests.Session() as session:
            session.auth = _nothing_from_netrc
            asking = _Asking(session, self._verify, now)
            if isinstance(check, HttpCheck):
                return _reachable(asking, check)
            return _predicts(asking, check, expected)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    whole: bool  # False: there was more than the limit


class _NoAnswer(Exception):
    """Nothing came that could be judged; the message says what happened instead."""


@dataclass(frozen=True)
class _Asking:
    session: requests.Session
    verify: bool | str
    now: datetime

    def __call__(
        self, method: str, url: str, timeout: timedelta, document: Mapping[str, Any] | None = None
    ) -> _Answer:
        """The answer after at most three redirects on the same host, or _NoAnswer."""
        place, seconds = url, timeout.total_seconds()
        body = None if document is None else json.dumps(document).encode()
        headers = {"Accept": "application/json, */*", "Accept-Encoding": "identity"}
        headers |= {"Content-Type": "application/json"} if body else {}
        # verify is given with each request: REQUESTS_CA_BUNDLE would win over the session's.
        options: dict[str, Any] = {"timeout": seconds, "verify": self.verify, "stream": True}
        for _ in range(_REDIRECTS + 1):
            try:
                with self.session.request(
                    method, place, data=body, headers=headers, allow_redirects=False, **options
                ) as response:
                    if not response.is_redirect:
                        return _Answer(response.status_code, *_bounded(response, seconds))
                    place = _same_host(place, response.headers.get("Location", ""))
            except requests.exceptions.SSLError:
                raise _NoAnswer("its certificate is not trusted") from None
            except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError):
                raise _NoAnswer(f"no answer within {seconds:g} s") from None
            # ValueError: requests reads the address of a redirect even when it is not to follow it.
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                raise _NoAnswer(f"no connection ({type(error).__name__})") from None
        raise _NoAnswer("it redirects again and again")

    def verdict(self, outcome: Outcome, asked: str, answer: str, because: str) -> Verdict:
        """A verdict with the one thing that was asked as its evidence."""
        seen = Evidence("probe", _line(asked, 300), self.now, _line(answer, 500), outcome)
        again = _AGAIN if outcome is Outcome.PENDING else None
        return Verdict(outcome, _line(because, 400), (seen,), again=again)


def _reachable(asking: _Asking, check: HttpCheck) -> Verdict:
    asked = f"GET {check.url}"
    try:
        answer = asking("GET", check.url, check.timeout)
    except _NoAnswer as problem:
        return asking.verdict(Outcome.PENDING, asked, str(problem), f"{asked}: {problem}")
    said = f"{answer.status} {_text(answer)}"
    if answer.status == check.status:
        return asking.verdict(Outcome.SUCCEEDED, asked, said, f"{asked} answers {answer.status}")
    because = f"{asked} answers {answer.status} instead of {check.status}"
    outcome = Outcome.PENDING if answer.status in _NOT_NOW else Outcome.FAILED
    return asking.verdict(outcome, asked, said, because)


def _predicts(asking: _Asking, check: PredictionCheck, expected: Expected) -> Verdict:
    """The version goes first: until it is the right one, its predictions are another model's."""
    waiting = _other_version(asking, check, expected)
    if waiting is not None:
        return waiting
    asked = f"POST {check.url.rstrip('/')}/invocations"
    if expected.example is None:
        because = f"{_who(expected)} answers at {check.url}, but has no input example that could be sent"
        return asking.verdict(Outcome.INCONCLUSIVE, asked, "not asked: no input example", because)
    if len(json.dumps(expected.example)) > _SENT_LIMIT:
        return asking.verdict(
            Outcome.INCONCLUSIVE, asked, "not asked", f"the input example of {_who(expected)} is too large"
        )
    try:
        answer = asking("POST", asked.partition(" ")[2], check.timeout, expected.example)
    except _NoAnswer as problem:
        return asking.verdict(Outcome.PENDING, asked, str(problem), f"{asked}: {problem}")
    said = f"{answer.status} {_text(answer)}"
    if answer.status in _NOT_NOW:
        return asking.verdict(Outcome.PENDING, asked, said, f"{asked} answers {answer.status}: not ready")
    wrong = _wrong(answer, expected)
    if wrong is not None:
        return asking.verdict(
            Outcome.FAILED, asked, said, f"{_who(expected)} at {check.url} does not predict: {wrong}"
        )
    because = f"{_who(expected)} answers its own input example at {check.url}"
    return asking.verdict(Outcome.SUCCEEDED, asked, said, because)


def _other_version(asking: _Asking, check: PredictionCheck, expected: Expected) -> Verdict | None:
    """None when /version names the expected model version; otherwise what waits for it."""
    url = f"{check.url.rstrip('/')}/version"
    asked = f"GET {url}"
    try:
        answer = asking("GET", url, check.timeout)
    except _NoAnswer as problem:
        return asking.verdict(Outcome.PENDING, asked, str(problem), f"{asked}: {problem}")
    said = f"{answer.status} {_text(answer)}"
    document = _json(answer)
    if answer.status != 200 or not isinstance(document, Mapping):
        return asking.verdict(
            Outcome.PENDING, asked, said, f"{asked} answers {answer.status} without saying which model serves"
        )
    model, version = str(document.get("model")), str(document.get("version"))
    if (model, version) == (expected.model, expected.version):
        return None
    because = (
        f"{check.url} still serves {_line(model, 80)} version {_line(version, 20)}, not {_who(expected)}"
    )
    return asking.verdict(Outcome.PENDING, asked, said, because)


# --- What a right prediction looks like ------------------------------------------------------------


def _wrong(answer: _Answer, expected: Expected) -> str | None:
    """What is wrong with an answer of /invocations, or None. Its form: facts/mlflow.md."""
    if answer.status != 200:
        return f"the answer is {answer.status}"
    if not answer.whole:
        return "the answer is larger than 64 KiB"
    document = _json(answer)
    if not isinstance(document, Mapping) or "predictions" not in document:
        return "the answer is not JSON with `predictions`"
    predictions = document["predictions"]
    if any(isinstance(number, float) and not math.isfinite(number) for number in _leaves(predictions)):
        return "a prediction is not a finite number"
    wanted = _rows(expected.example or {})
    if isinstance(predictions, Sequence) and not isinstance(predictions, str):
        if wanted is not None and len(predictions) != wanted:
            return f"{wanted} rows were sent and {len(predictions)} predictions came"
        if not predictions or any(item is None for item in predictions):
            return "there are no predictions" if not predictions else "a prediction is missing (null)"
    return _missing_columns(predictions, expected.outputs)


def _missing_columns(predictions: Any, outputs: tuple[str, ...] | None) -> str | None:
    rows = predictions if isinstance(predictions, list) else [predictions]
    if not outputs or not all(isinstance(row, Mapping) for row in rows):
        return None  # a bare list of numbers names no columns
    missing = [name for name in outputs if any(name not in row for row in rows)]
    return f"the answer lacks the output {_line(', '.join(missing), 120)}" if missing else None


def _rows(example: Mapping[str, Any]) -> int | None:
    """How many rows were sent, where the format tells."""
    split, records = example.get("dataframe_split"), example.get("dataframe_records")
    rows = split.get("data") if isinstance(split, Mapping) else records
    if rows is None:
        rows = example.get("instances", example.get("inputs"))
        if isinstance(rows, Mapping):  # named tensors: their first dimension counts
            rows = next(iter(rows.values()), None)
    return len(rows) if isinstance(rows, list) else None


def _leaves(value: Any) -> Iterator[Any]:
    """Every value inside nested lists and objects, without recursion: the nesting is the server's choice."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        else:
            yield item


# --- Answers as text -------------------------------------------------------------------------------


def _bounded(response: requests.Response, seconds: float) -> tuple[bytes, bool]:
    """At most 64 KiB, and whether that was all. A server that sends byte by byte gets no more time than others."""
    body, started = bytearray(), time.monotonic()
    while chunk := response.raw.read1(1 << 14, decode_content=True):
        body += chunk
        if len(body) > _BODY_LIMIT:
            return bytes(body[:_BODY_LIMIT]), False
        if time.monotonic() - started > seconds:
            raise _NoAnswer(f"no whole answer within {seconds:g} s")
    return bytes(body), True


def _nothing_from_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Without this, requests would send what it finds in ~/.netrc."""
    return request


def _same_host(here: str, location: str) -> str:
    there = urljoin(here, location)
    if urlsplit(there)[:2] != urlsplit(here)[:2]:
        raise _NoAnswer("it redirects to another address, where nothing is asked")
    return there


def _json(answer: _Answer) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def _who(expected: Expected) -> str:
    return f"{_line(expected.model, 80)} version {expected.version}"


def _text(answer: _Answer) -> str:
    return answer.body[:600].decode(errors="replace")


def _line(text: str, limit: int) -> str:
    """Hostile text on one line, bounded."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
