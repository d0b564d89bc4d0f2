"""Asks Argo CD's REST API about one Application (facts/products.md, 1.4; fixtures/argocd, section (d))."""

import ipaddress
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from requests.auth import AuthBase

from bot.adapters.argocd.judge import judge
from bot.adapters.argocd.tree import complaints
from bot.adapters.argocd.wording import excerpt
from bot.core.model import ArgoCD
from bot.core.verdict import Claim, Evidence, Outcome, Verdict
from bot.ports import Refused, Retryable

_BODY_LIMIT = 16 << 20
_LATER = timedelta(seconds=30)
_STRANGE = "what answers does not speak as Argo CD does: is the address right?"


class ArgoCDCluster:
    """Fills the port `Cluster`; safe for several threads. Needs a token whose role may `get` the Applications.

    The token goes to `url` only: redirects are not followed. Plain http is taken for loopback alone.
    """

    def __init__(
        self, url: str, token: Callable[[], str], *, timeout: float = 10, verify_tls: bool | str = True
    ) -> None:
        """`timeout` in seconds for each answer; `verify_tls` may be the path of a file of authorities to trust.

        Raises `Refused` when the token would go over the network unprotected.
        """
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

    def __repr__(self) -> str:
        """Where it asks, never with what token."""
        return f"ArgoCDCluster({_shown(self._url)!r})"

    def look(self, rollout: ArgoCD, claim: Claim, now: datetime) -> Verdict:
        """Judge one fresh read. Whatever keeps the answer away is INCONCLUSIVE, with what a person can do about it."""
        try:
            document = _application(self._get(rollout, {}))
        except (Refused, Retryable) as problem:
            seen = Evidence(
                "argocd",
                f"Application {excerpt(rollout.application, 80)}",
                now,
                excerpt(str(problem), 500),
                Outcome.INCONCLUSIVE,
            )
            return Verdict(Outcome.INCONCLUSIVE, f"Argo CD: {problem}", (seen,), again=_LATER)
        verdict = judge([document], claim, now)
        return self._with_pods(verdict, rollout, now) if verdict.outcome is Outcome.FAILED else verdict

    def ask_to_sync(self, rollout: ArgoCD) -> None:
        """Have it compare with the repo now. It may go on after we have stopped to wait: that is no error.

        The right to `get` is enough: the server itself does the write (section (d)). With its controller down it
        never answers.
        """
        try:
            self._get(rollout, {"refresh": "normal"})
        except _NoAnswerInTime:
            return

    def _with_pods(self, verdict: Verdict, rollout: ArgoCD, now: datetime) -> Verdict:
        """A failure with what is wrong with the pods, as far as one more question tells: the right to `get` is enough."""
        try:
            tree = self._get(rollout, {}, "/resource-tree")
        except (Refused, Retryable):
            return verdict
        asked = f"Resource tree of {excerpt(rollout.application, 80)}"
        more = [Evidence("argocd", asked, now, text, Outcome.FAILED) for text in complaints(tree)]
        return replace(verdict, evidence=(*verdict.evidence, *more))

    def _get(self, rollout: ArgoCD, extra: Mapping[str, str], of_it: str = "") -> Mapping[str, Any]:
        # Without the project a missing Application is answered with 403, even to an administrator.
        named = {"project": rollout.project, "appNamespace": rollout.namespace}
        query = {key: value for key, value in named.items() if value} | dict(extra)
        place = f"{self._url}/api/v1/applications/{quote(rollout.application, safe='')}{of_it}"
        status, body = self._ask(place, query)
        if status == 200:
            return _document(body)
        raise _explained(status, body, rollout)

    def _ask(self, place: str, query: Mapping[str, str]) -> tuple[int, bytes]:
        credentials = _Bearer(self._token())
        try:
            with self._session().get(
                place,
                params=query,
                auth=credentials,
                timeout=self._timeout,
                verify=self._verify,
                allow_redirects=False,
                stream=True,
            ) as response:
                return response.status_code, _bounded(response)
        except requests.exceptions.ReadTimeout:
            raise _NoAnswerInTime(f"does not answer within {self._timeout:g} s") from None
        except requests.exceptions.SSLError:
            raise Refused(f"the certificate of {_shown(self._url)} is not trusted") from None
        except (requests.RequestException, OSError, ValueError) as error:
            # The text of these may repeat headers and addresses; the kind says enough.
            raise Retryable(f"{_shown(self._url)} cannot be reached ({type(error).__name__})") from None

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        session: requests.Session = self._local.session
        return session


class _NoAnswerInTime(Retryable):
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


def _bounded(response: requests.Response) -> bytes:
    body = b""
    for chunk in response.iter_content(1 << 16):
        body += chunk
        if len(body) > _BODY_LIMIT:
            raise Retryable("the answer is larger than 16 MiB")
    return body


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, Mapping):
        raise Retryable(_STRANGE)
    return document


def _application(document: Mapping[str, Any]) -> Mapping[str, Any]:
    if "metadata" not in document:
        raise Retryable(_STRANGE)
    return document


def _explained(status: int, body: bytes, rollout: ArgoCD) -> Refused | Retryable:
    """What an answer other than 200 means, and what a person can do (bodies recorded in fixtures/argocd/rest)."""
    name, said = excerpt(rollout.application, 80), _said(body)
    if status == 401:
        return Refused(f"the bot's token is not accepted ({said}): make a new one")
    if status == 403:
        where = f"project {excerpt(rollout.project, 80)}" if rollout.project else "its project"
        return Refused(
            f"there is no Application {name} in {where}, or the bot's token may not get it ({said}): correct the"
            " name or the project, or grant `applications, get`"
        )
    if status == 404:
        return Refused(f"there is no Application {name}: correct `rollout:` or create it ({said})")
    if status in (301, 302, 303, 307, 308):
        return Refused("the address of Argo CD redirects elsewhere, where the token must not go: correct it")
    if status >= 500 or status in (408, 429):
        return Retryable(f"answered {status} about {name} ({said})")
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
