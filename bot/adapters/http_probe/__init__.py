"""Asks the served model itself: is it there, is it this version, and does it predict?"""

import json
from collections.abc import Mapping
from datetime import datetime

import requests

from bot.adapters.http_probe.asking import (
    Asking,
    NoAnswer,
    json_of,
    line,
    nothing_from_netrc,
    text_of,
)
from bot.adapters.http_probe.predictions import wrong
from bot.core.model import Check, HttpCheck, PredictionCheck
from bot.core.verdict import Outcome, Verdict
from bot.ports import Expected

__all__ = ["HttpProber"]

_SENT_LIMIT = 4 << 20
# What a gateway, or a server that is not ready, says while a rollout switches over: no answer of the model's.
_NOT_NOW = frozenset({429, 502, 503, 504})


class HttpProber:
    """Fills the port `Prober`. TLS is verified, redirects to another host are refused, bodies end at 64 KiB."""

    def __init__(self, *, verify_tls: bool | str = True) -> None:
        """`verify_tls` may be the path of a file of authorities to trust."""
        self._verify = verify_tls

    def probe(self, check: Check, expected: Expected, now: datetime) -> Verdict:
        """One attempt. FAILED only on a wrong answer; PENDING while nobody, or another version, answers.

        INCONCLUSIVE when nothing can be said: no way there, or a server that does not tell which version it is.
        """
        with requests.Session() as session:
            session.auth = nothing_from_netrc
            asking = Asking(session, self._verify, now)
            if isinstance(check, HttpCheck):
                return _reachable(asking, check)
            return _predicts(asking, check, expected)


def _reachable(asking: Asking, check: HttpCheck) -> Verdict:
    asked = f"GET {check.url}"
    try:
        answer = asking("GET", check.url, check.timeout)
    except NoAnswer as problem:
        return asking.unanswered(asked, problem)
    said = f"{answer.status} {text_of(answer)}"
    if answer.status == check.status:
        return asking.verdict(Outcome.SUCCEEDED, asked, said, f"{asked} answers {answer.status}")
    because = f"{asked} answers {answer.status} instead of {check.status}"
    outcome = Outcome.PENDING if answer.status in _NOT_NOW else Outcome.FAILED
    return asking.verdict(outcome, asked, said, because)


def _predicts(asking: Asking, check: PredictionCheck, expected: Expected) -> Verdict:
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
    except NoAnswer as problem:
        return asking.unanswered(asked, problem)
    said = f"{answer.status} {text_of(answer)}"
    if answer.status in _NOT_NOW:
        return asking.verdict(Outcome.PENDING, asked, said, f"{asked} answers {answer.status}: not ready")
    problem_with_it = wrong(answer, expected)
    if problem_with_it is not None:
        because = f"{_who(expected)} at {check.url} does not predict: {problem_with_it}"
        return asking.verdict(Outcome.FAILED, asked, said, because)
    because = f"{_who(expected)} answers its own input example at {check.url}"
    return asking.verdict(Outcome.SUCCEEDED, asked, said, because)


def _other_version(asking: Asking, check: PredictionCheck, expected: Expected) -> Verdict | None:
    """None when /version names the expected model version; otherwise what waits for it."""
    url = f"{check.url.rstrip('/')}/version"
    asked = f"GET {url}"
    try:
        answer = asking("GET", url, check.timeout)
    except NoAnswer as problem:
        return asking.unanswered(asked, problem)
    said = f"{answer.status} {text_of(answer)}"
    document = json_of(answer)
    if answer.status >= 500 or answer.status in _NOT_NOW:
        return asking.verdict(Outcome.PENDING, asked, said, f"{asked} answers {answer.status}: not ready")
    if answer.status != 200 or not isinstance(document, Mapping) or not {"model", "version"} <= set(document):
        because = f"{asked} answers {answer.status} without model and version, so nothing here is about {_who(expected)}"
        return asking.verdict(Outcome.INCONCLUSIVE, asked, said, because)
    model, version = str(document["model"]), str(document["version"])
    if (model, version) == (expected.model, expected.version):
        return None
    because = f"{check.url} still serves {line(model, 80)} version {line(version, 20)}, not {_who(expected)}"
    return asking.verdict(Outcome.PENDING, asked, said, because)


def _who(expected: Expected) -> str:
    return f"{line(expected.model, 80)} version {expected.version}"
