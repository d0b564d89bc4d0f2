"""One question over HTTP and what came back: bounded in bytes and in time, never led to another host."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3.exceptions

from bot.core.telling import excerpt
from bot.core.verdict import Evidence, Outcome, Verdict

_PAGE_LIMIT = 64 << 10
_ANSWER_LIMIT = 4 << 20
_REDIRECTS = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and how long it took. `whole` is false when there was more of it than is read."""

    status: int
    body: bytes
    whole: bool
    took: timedelta


class NoAnswer(Exception):
    """Nothing came that could be judged; the message says what happened instead.

    PENDING when nobody listens, which a rollout mends or never will; INCONCLUSIVE when it may as well be the way there
    (name, certificate, time): that must not count against the model at the deadline.
    """

    def __init__(self, sentence: str, outcome: Outcome = Outcome.INCONCLUSIVE) -> None:
        """Keep both."""
        super().__init__(sentence)
        self.outcome = outcome


@dataclass(frozen=True)
class Asking:
    """Asks, and tells what was asked at this time as a verdict with its evidence."""

    session: requests.Session
    verify: bool | str
    now: datetime
    again: timedelta

    def __call__(
        self, method: str, url: str, timeout: timedelta, document: Mapping[str, Any] | None = None
    ) -> Answer:
        """The answer after at most three redirects on the same host, or NoAnswer.

        Of a page 64 KiB are read, of the answer to a document 4 MiB, as an input example may have many rows.
        """
        place, seconds, started = url, timeout.total_seconds(), time.monotonic()
        limit = _PAGE_LIMIT if document is None else _ANSWER_LIMIT
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
                        content, whole = _bounded(response, seconds, limit)
                        took = timedelta(seconds=time.monotonic() - started)
                        return Answer(response.status_code, content, whole, took)
                    place = _same_host(place, response.headers.get("Location", ""))
            except requests.exceptions.SSLError:
                raise NoAnswer("its certificate is not trusted") from None
            except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError):
                raise NoAnswer(f"no answer within {seconds:g} s") from None
            except requests.exceptions.ConnectionError as error:
                raise _nobody(error) from None
            # ValueError: requests reads the address of a redirect even when it is not to follow it.
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                raise NoAnswer(f"no whole answer ({type(error).__name__})") from None
        raise NoAnswer("it redirects again and again")

    def unanswered(self, asked: str, problem: NoAnswer) -> Verdict:
        """The verdict about a question without an answer."""
        return self.verdict(problem.outcome, asked, str(problem), f"{asked}: {problem}")

    def verdict(self, outcome: Outcome, asked: str, answer: str, because: str) -> Verdict:
        """A verdict with the one thing that was asked as its evidence."""
        seen = Evidence("probe", excerpt(asked, 300), self.now, excerpt(answer, 500), outcome)
        again = self.again if outcome in (Outcome.PENDING, Outcome.INCONCLUSIVE) else None
        return Verdict(outcome, excerpt(because, 400), (seen,), again=again)


def json_of(answer: Answer) -> Any:
    """The body as JSON; None where it is none."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def text_of(answer: Answer) -> str:
    """The beginning of the body."""
    return answer.body[:600].decode(errors="replace")


def _nobody(error: requests.exceptions.ConnectionError) -> NoAnswer:
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(reason, urllib3.exceptions.NameResolutionError):
        return NoAnswer("its name cannot be resolved")
    return NoAnswer("nobody answers there", Outcome.PENDING)


def _bounded(response: requests.Response, seconds: float, limit: int) -> tuple[bytes, bool]:
    """At most `limit` bytes, and whether that was all. A server that sends byte by byte gets no more time than others."""
    body, started = bytearray(), time.monotonic()
    while chunk := response.raw.read1(1 << 14, decode_content=True):
        body += chunk
        if len(body) > limit:
            return bytes(body[:limit]), False
        if time.monotonic() - started > seconds:
            raise NoAnswer(f"no whole answer within {seconds:g} s")
    return bytes(body), True


def _same_host(here: str, location: str) -> str:
    there = urljoin(here, location)
    if urlsplit(there)[:2] != urlsplit(here)[:2]:
        raise NoAnswer("it redirects to another address, where nothing is asked")
    return there


def nothing_from_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Without this, requests would send what it finds in ~/.netrc."""
    return request
