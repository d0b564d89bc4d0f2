"""Asks the served model itself: is it there, is it this version, and does it predict?"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import requests

from bot.adapters.http_probe.address import filled
from bot.adapters.http_probe.asking import Answer, Asking, NoAnswer, json_of, nothing_from_netrc, text_of
from bot.adapters.http_probe.judging import lacking
from bot.adapters.http_probe.predictions import wrong
from bot.core.names import ANSWER_TAG
from bot.core.target import HttpCheck, PredictionCheck, Probe
from bot.core.telling import excerpt
from bot.core.verdict import Outcome, Verdict
from bot.ports import Expected

__all__ = ["HttpProber"]

_SENT_LIMIT = 4 << 20
_TOO_MUCH = "more than is read here, so nothing can be said about it"
# What a gateway, or a server that is not ready, says while a rollout switches over: no answer of the model's.
_NOT_NOW = frozenset({429, 502, 503, 504})


class HttpProber:
    """Fills the port `Prober`. TLS is verified, redirects to another host are refused, bodies are bounded."""

    def __init__(self, *, verify_tls: bool | str = True) -> None:
        """`verify_tls` may be the path of a file of authorities to trust."""
        self._verify = verify_tls

    def probe(self, check: Probe, expected: Expected, now: datetime) -> Verdict:
        """One attempt. FAILED only on a wrong answer; PENDING while nobody, or another version, answers.

        INCONCLUSIVE when nothing can be said: no way there, an answer too large to read, a server that does not tell
        which version it is, or nothing on record to compare its answer with.
        """
        check = replace(check, url=filled(check.url, expected.placeholders))
        with requests.Session() as session:
            session.auth = nothing_from_netrc
            asking = Asking(session, self._verify, now, check.interval)
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
    if answer.status != check.status:
        because = f"{asked} answers {answer.status} instead of {check.status}"
        outcome = Outcome.PENDING if answer.status in _NOT_NOW else Outcome.FAILED
        return asking.verdict(outcome, asked, said, because)
    if check.json is None:
        return asking.verdict(Outcome.SUCCEEDED, asked, said, f"{asked} answers {answer.status}")
    if not answer.whole:
        return asking.verdict(Outcome.INCONCLUSIVE, asked, said, f"{asked} answers {_TOO_MUCH}")
    fault = lacking(check.json, json_of(answer))
    if fault is not None:
        return asking.verdict(Outcome.FAILED, asked, said, f"{asked} answers wrongly: {excerpt(fault, 200)}")
    because = f"{asked} answers {answer.status} with the expected JSON"
    return asking.verdict(Outcome.SUCCEEDED, asked, said, because)


def _predicts(asking: Asking, check: PredictionCheck, expected: Expected) -> Verdict:
    """The version goes first: until it is the right one, its predictions are another model's."""
    waiting = _other_version(asking, check, expected)
    if waiting is not None:
        return waiting
    asked = f"POST {check.url.rstrip('/')}/invocations"
    nothing = _nothing_to_send(check, expected)
    if nothing is not None:
        return asking.verdict(Outcome.INCONCLUSIVE, asked, "not asked", nothing)
    try:
        answer = asking("POST", asked.partition(" ")[2], check.timeout, expected.example)
    except NoAnswer as problem:
        return asking.unanswered(asked, problem)
    return _answered(asking, check, expected, answer)


def _nothing_to_send(check: PredictionCheck, expected: Expected) -> str | None:
    """Why the model is not asked, or None."""
    if expected.example is None:
        return f"{_who(expected)} answers at {check.url}, but has no input example that could be sent"
    if len(json.dumps(expected.example)) > _SENT_LIMIT:
        return f"the input example of {_who(expected)} is too large"
    return None


def _answered(asking: Asking, check: PredictionCheck, expected: Expected, answer: Answer) -> Verdict:
    """What an answer of the right version proves. Only one that is right can lack something to compare with."""
    asked = f"POST {check.url.rstrip('/')}/invocations"
    took = f"{answer.took.total_seconds() * 1000:.0f} ms"
    said = f"{answer.status} in {took}: {text_of(answer)}"
    if answer.status in _NOT_NOW:
        return asking.verdict(Outcome.PENDING, asked, said, f"{asked} answers {answer.status}: not ready")
    if answer.status == 200 and not answer.whole:
        return asking.verdict(Outcome.INCONCLUSIVE, asked, said, f"{asked} answers {_TOO_MUCH}")
    problem = wrong(answer, expected, check)
    if problem is not None:
        because = f"{_who(expected)} at {check.url} does not predict as it should: {problem}"
        return asking.verdict(Outcome.FAILED, asked, said, because)
    if check.tolerance is not None and expected.answer is None:
        because = (
            f"{_who(expected)} predicts at {check.url}, but there is nothing to compare it with: CI must record the"
            f" answer to the input example, as JSON, in the model version's tag `{ANSWER_TAG}`"
        )
        return asking.verdict(Outcome.INCONCLUSIVE, asked, said, because)
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
    because = (
        f"{check.url} still serves {excerpt(model, 80)} version {excerpt(version, 20)}, not {_who(expected)}"
    )
    return asking.verdict(Outcome.PENDING, asked, said, because)


def _who(expected: Expected) -> str:
    return f"{excerpt(expected.model, 80)} version {expected.version}"
