"""One question to a registry and its answer: login by token, redirects, limits, and what the status codes mean."""

import base64
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.utils import parse_dict_header

from bot.ports import Refused, Retryable

Credentials = Callable[[str], tuple[str, str] | None]
"""User and password (or token) for a registry host, or None."""

_ABSENT = {"MANIFEST_UNKNOWN", "NAME_UNKNOWN", "BLOB_UNKNOWN", "NOT_FOUND"}
_TIMEOUT = (5.0, 20.0)
_BODY_LIMIT = 4 << 20
_REDIRECTS = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (any case) and at most 4 MiB of body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Conversation:
    """Talks to registries; safe for several threads."""

    def __init__(self, credentials: Credentials, insecure_hosts: frozenset[str]) -> None:
        """Hosts in `insecure_hosts` are spoken to by plain http."""
        self._credentials = credentials
        self._insecure = insecure_hosts
        self._authorizations: dict[tuple[str, str], str] = {}
        self._local = threading.local()

    def ask(self, method: str, host: str, name: str, place: str, accept: str) -> Answer | None:
        """The registry's answer, None for 404; with a token where one is asked for, got once and used until refused."""
        scheme = "http" if host in self._insecure else "https"
        url = f"{scheme}://{host}/v2/{name}/{place}"
        key = (host, name)
        answer = self._send(method, url, accept, self._authorizations.get(key))
        if answer.status == 401:
            self._authorizations[key] = self._log_in(host, name, answer.headers.get("WWW-Authenticate", ""))
            answer = self._send(method, url, accept, self._authorizations[key])
        if answer.status == 404:
            if not _says_absent(answer):
                # HEAD has no body that could say so.
                answer = self._send("GET", url, accept, self._authorizations.get(key))
            if answer.status == 404 and not _says_absent(answer):
                raise Refused(
                    f"{host} answers 404, but not as a registry does; correct the name of {host}/{name}"
                )
            return None
        if answer.status in (401, 403):
            self._authorizations.pop(key, None)
            raise Refused(self._may_not(host, name))
        return _checked(answer, host)

    def _log_in(self, host: str, name: str, challenge: str) -> str:
        scheme, _, rest = challenge.partition(" ")
        wanted = parse_dict_header(rest)  # type: ignore[no-untyped-call]
        login = self._credentials(host)
        if scheme.lower() == "basic" and login is not None:
            return f"Basic {base64.b64encode(':'.join(login).encode()).decode()}"
        realm = wanted.get("realm") or ""
        if scheme.lower() != "bearer" or not self._trusted(realm, host):
            raise Refused(self._may_not(host, name))
        asked = {
            "service": wanted.get("service") or host,
            "scope": wanted.get("scope") or f"repository:{name}:pull",
        }
        answer = self._fetch("GET", realm, host, params=asked, auth=login)
        if answer.status in (400, 401, 403, 404):
            raise Refused(self._may_not(host, name))
        return f"Bearer {_token(_checked(answer, host).body, host)}"

    def _trusted(self, realm: str, host: str) -> bool:
        """Whether credentials may go there: by TLS, or to the plain-http host itself."""
        try:
            parts = urlsplit(realm)
        except ValueError:
            return False
        plain = host in self._insecure and parts.hostname == urlsplit(f"//{host}").hostname
        return parts.scheme == "https" or (parts.scheme == "http" and plain)

    def _may_not(self, host: str, name: str) -> str:
        if self._credentials(host) is None:
            return (
                f"{host} wants a login before {name} may be pulled; set credentials for the registry {host}"
            )
        return f"the login for {host} may not pull {name}; set credentials that may, or grant it the right to pull"

    def _send(self, method: str, url: str, accept: str, authorization: str | None) -> Answer:
        """Follow redirects ourselves: what proves who we are never goes to another host."""
        asked = host = urlsplit(url).netloc
        headers = {"Accept": accept} | ({"Authorization": authorization} if authorization else {})
        for _ in range(_REDIRECTS + 1):
            answer = self._fetch(method, url, asked, headers=headers)
            if answer.status not in (301, 302, 303, 307, 308):
                return answer
            url, host = self._next(url, answer.headers.get("Location", ""), asked)
            if host != asked:
                headers.pop("Authorization", None)
        raise Retryable(f"{asked} redirects again and again")

    def _next(self, url: str, location: str, asked: str) -> tuple[str, str]:
        try:
            url = urljoin(url, location)
            parts = urlsplit(url)
        except ValueError as error:
            raise Refused(f"{asked} redirects to something that is no address") from error
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.netloc in self._insecure):
            raise Refused(f"{asked} redirects to an address without TLS")
        return url, parts.netloc

    def _fetch(self, method: str, url: str, host: str, **options: Any) -> Answer:
        try:
            with self._session().request(
                method, url, timeout=_TIMEOUT, allow_redirects=False, stream=True, **options
            ) as response:
                body = b"" if method == "HEAD" else _bounded(response, host)
                return Answer(response.status_code, response.headers, body)
        except ValueError as error:
            # requests reads the address of a redirect even when it is not to follow it; its InvalidURL is one too.
            raise Refused(f"{host} names an address that cannot be asked") from error
        except (requests.RequestException, OSError) as error:
            raise Retryable(f"the image registry {host} does not answer ({type(error).__name__})") from error

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.auth = _nothing_from_netrc
        return self._local.session  # type: ignore[no-any-return]


def _nothing_from_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Without this, requests replaces our Authorization by what it finds in ~/.netrc."""
    return request


def _checked(answer: Answer, host: str) -> Answer:
    if answer.status == 429 or answer.status >= 500:
        raise Retryable(f"the image registry {host} answers {answer.status}", _retry_after(answer.headers))
    if answer.status != 200:
        raise Refused(f"the image registry {host} answers {answer.status}, which it should not")
    return answer


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Seconds or an HTTP date, at most an hour."""
    text = headers.get("Retry-After", "").strip()
    try:
        wait = (
            timedelta(seconds=int(text))
            if text.isdecimal()
            else parsedate_to_datetime(text) - datetime.now(UTC)
        )
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, timedelta(0)), timedelta(hours=1))


def _bounded(response: requests.Response, host: str) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(1 << 16):
        body += chunk
        if len(body) > _BODY_LIMIT:
            raise Refused(f"{host} sends more than the 4 MiB that a manifest or configuration may have")
    return bytes(body)


def _token(body: bytes, host: str) -> str:
    try:
        document = json.loads(body)
        return str(document.get("token") or document["access_token"])
    except (ValueError, KeyError, AttributeError) as error:
        raise Retryable(f"the login of {host} was answered without a token") from error


def _says_absent(answer: Answer) -> bool:
    """Whether it is the registry that says 404, and not whatever else may listen there."""
    try:
        codes = {str(error["code"]) for error in json.loads(answer.body)["errors"]}
    except (ValueError, KeyError, TypeError):
        codes = set()
    return "Docker-Distribution-Api-Version" in answer.headers or bool(codes & _ABSENT)
