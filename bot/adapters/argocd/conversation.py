"""Speaks with Argo CD's REST API: one bounded answer at a time, the token to this address only (facts/products.md, 1.4)."""

import ipaddress
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import requests
import urllib3.exceptions
from requests.auth import AuthBase

from bot.core.target import ArgoCD
from bot.core.telling import excerpt
from bot.ports import Refused, Retryable

_BODY_LIMIT = 16 << 20
_LONGEST = 3  # times the time-out for a whole answer
_STRANGE = "what answers does not speak as Argo CD does: is the address right?"


class Conversation:
    """Safe for several threads. Redirects are not followed, and plain http is taken for loopback alone."""

    def __init__(self, url: str, token: Callable[[], str], timeout: float, verify_tls: bool | str) -> None:
        """Raises `Refused` when the token would go over the network unprotected."""
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname)):
            raise Refused(
                f"the address of Argo CD must begin with https://, as the bot sends it a token: {_shown(url)}"
            )
        self._url = url.rstrip("/")
        self._token = token
        self._timeout = timeout
        self._verify = verify_tls
        self._local = threading.local()

    def __str__(self) -> str:
        """Scheme, host and port."""
        return _shown(self._url)

    def application(self, rollout: ArgoCD, extra: Mapping[str, str]) -> Mapping[str, Any]:
        """The Application; `extra` goes into the query."""
        document = self.about(rollout, extra)
        if "metadata" not in document:
            raise Retryable(_STRANGE)
        return document

    def about(self, rollout: ArgoCD, extra: Mapping[str, str], of_it: str = "") -> Mapping[str, Any]:
        """What the API tells of an Application under this path below it. The right to `get` it is enough."""
        answer = self._ask("GET", *_place(rollout, of_it), extra)
        if answer.status == 200:
            return _document(answer.body)
        raise _explained(answer, rollout, "get")

    def end_operation(self, rollout: ArgoCD) -> None:
        """Needs the right to `sync` it. That none is in progress is no error."""
        answer = self._ask("DELETE", *_place(rollout, "/operation"), {})
        # The API says 400 for it; another reason for 400 is told to a person.
        nothing_to_end = answer.status == 400 and "no operation is in progress" in _said(answer.body).lower()
        if answer.status != 200 and not nothing_to_end:
            raise _explained(answer, rollout, "sync")

    def _ask(self, method: str, path: str, named: Mapping[str, str], extra: Mapping[str, str]) -> "_Answer":
        until = time.monotonic() + _LONGEST * self._timeout
        credentials = _Bearer(self._token())
        # Whatever is not a GET is answered with 415 unless it says that it is JSON.
        headers = {} if method == "GET" else {"Content-Type": "application/json"}
        try:
            with self._session().request(
                method,
                f"{self._url}{path}",
                params={**named, **extra},
                headers=headers,
                auth=credentials,
                timeout=self._timeout,
                verify=self._verify,
                allow_redirects=False,
                stream=True,
            ) as response:
                wait = response.headers.get("Retry-After", "")
                return _Answer(response.status_code, _bounded(response, until), wait)
        except (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError):
            raise NoAnswerInTime(f"does not answer within {self._timeout:g} s") from None
        except requests.exceptions.SSLError:
            raise Refused(f"the certificate of {self} is not trusted") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            # The text of these may repeat headers and addresses; the kind says enough.
            raise Retryable(f"{self} cannot be reached ({type(error).__name__})") from None

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        session: requests.Session = self._local.session
        return session


@dataclass(frozen=True, slots=True)
class _Answer:
    """`wait` is the header Retry-After, as it came."""

    status: int
    body: bytes
    wait: str

    @property
    def after(self) -> timedelta | None:
        """How long to stay away; at most an hour, and a date is not read."""
        told = self.wait.strip()
        seconds = int(told[:9]) if told.isascii() and told.isdigit() else 0
        return timedelta(seconds=min(seconds, 3600)) if seconds else None


class NoAnswerInTime(Retryable):
    """The question was taken and no answer came."""


class _Bearer(AuthBase):
    """Sets the header itself, so that a .netrc file cannot replace it."""

    def __init__(self, token: str) -> None:
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise Refused("the token for Argo CD is empty or not one line of plain characters: set another")
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _bounded(response: requests.Response, until: float) -> bytes:
    """Whole, or not at all: a proxy that sends byte by byte gets no more time than others."""
    body = bytearray()
    while chunk := response.raw.read1(1 << 16, decode_content=True):
        body += chunk
        if len(body) > _BODY_LIMIT:
            raise Retryable("the answer is larger than 16 MiB")
        if time.monotonic() > until:
            raise Retryable("the answer comes too slowly")
    return bytes(body)


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, Mapping):
        raise Retryable(_STRANGE)
    return document


def _place(rollout: ArgoCD, of_it: str) -> tuple[str, Mapping[str, str]]:
    """Path and query. Without the project a missing Application is answered with 403, even to an administrator."""
    named = {"project": rollout.project, "appNamespace": rollout.namespace}
    path = f"/api/v1/applications/{quote(rollout.application, safe='')}{of_it}"
    return path, {key: value for key, value in named.items() if value}


def _explained(answer: _Answer, rollout: ArgoCD, right: str) -> Refused | Retryable:
    """What an answer other than 200 means, and what a person can do (bodies recorded in fixtures/argocd/rest)."""
    name, said, status = excerpt(rollout.application, 80), _said(answer.body), answer.status
    if status == 401:
        return Refused(f"the bot's token is not accepted ({said}): make a new one")
    if status == 403:
        where = f"project {excerpt(rollout.project, 80)}" if rollout.project else "its project"
        return Refused(
            f"there is no Application {name} in {where}, or the bot's token may not {right} it ({said}): correct the"
            f" name or the project, or grant `applications, {right}`"
        )
    if status == 404:
        return Refused(f"there is no Application {name}: correct `rollout:` or create it ({said})")
    if status in (301, 302, 303, 307, 308):
        return Refused("the address of Argo CD redirects elsewhere, where the token must not go: correct it")
    if status >= 500 or status in (408, 429):
        return Retryable(f"answered {status} about {name} ({said})", answer.after)
    return Refused(f"refused the question about {name} with {status} ({said})")


def _said(body: bytes) -> str:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    message = document.get("message") if isinstance(document, Mapping) else None
    return excerpt(message) if isinstance(message, str) and message else "without a reason"


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _shown(url: str) -> str:
    """Scheme, host and port: an address in a config file may carry a password before the host."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
