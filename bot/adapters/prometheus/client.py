"""Asks the HTTP API of Prometheus (facts/products.md, section 8), or of what speaks as it does: Thanos, Mimir, VictoriaMetrics."""

import ipaddress
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from requests.auth import AuthBase

from bot.core.telling import excerpt
from bot.ports import Refused, Retryable

_BODY_LIMIT = 4 << 20
_STRANGE = "what answers does not speak as Prometheus does: is the address right?"


class Client:
    """Safe for several threads. The token goes to `url` only: redirects are not followed."""

    def __init__(
        self, url: str, token: Callable[[], str] | None, timeout: float, verify_tls: bool | str
    ) -> None:
        """Raises `Refused` when the token would go over the network unprotected."""
        parts = urlsplit(url)
        if token is not None and parts.scheme != "https" and not _is_loopback(parts.hostname):
            raise Refused(
                f"the address of Prometheus must begin with https://, as the bot sends it a token: {shown(url)}"
            )
        self.url = url.rstrip("/")
        self._token = token
        self._timeout = timeout
        self._verify = verify_tls

    def get(self, place: str, query: Mapping[str, str]) -> Any:
        """The `data` of an answer to `/api/v1/place`.

        Warnings are no success: they say that the data may be partial, and then it proves nothing.
        """
        status, body = self._ask(f"{self.url}/api/v1/{place}", query)
        document = _document(body)
        if status == 200 and document is not None and document.get("status") == "success":
            warnings = document.get("warnings")
            if warnings:
                raise Retryable(f"its answer comes with a warning: {excerpt(str(warnings), 300)}")
            return document.get("data")
        raise _explained(status, document)

    def _ask(self, place: str, query: Mapping[str, str]) -> tuple[int, bytes]:
        credentials = _Bearer(self._token() if self._token is not None else None)
        try:
            with (
                requests.Session() as session,
                session.get(
                    place,
                    params=query,
                    auth=credentials,
                    timeout=self._timeout,
                    verify=self._verify,
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                return response.status_code, _bounded(response, self._timeout)
        except requests.exceptions.SSLError:
            raise Refused(f"the certificate of {shown(self.url)} is not trusted") from None
        except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError):
            raise Retryable(f"{shown(self.url)} does not answer within {self._timeout:g} s") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            # The text of these may repeat headers and addresses; the kind says enough.
            raise Retryable(f"{shown(self.url)} cannot be reached ({type(error).__name__})") from None


class _Bearer(AuthBase):
    """Sets the header itself, or none, so that neither a .netrc file nor the address brings another."""

    def __init__(self, token: str | None) -> None:
        if token is not None and (
            not token.isascii() or not token.isprintable() or " " in token or not token
        ):
            raise Refused(
                "the token for Prometheus is empty or not one line of plain characters: set another"
            )
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def shown(url: str) -> str:
    """Scheme, host and port: an address in a config file may carry a password before the host."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _bounded(response: requests.Response, seconds: float) -> bytes:
    body, started = bytearray(), time.monotonic()
    while chunk := response.raw.read1(1 << 16, decode_content=True):
        body += chunk
        if len(body) > _BODY_LIMIT:
            raise Retryable(
                "its answer is larger than 4 MiB: aggregate in the query, or name labels of the alerts"
            )
        if time.monotonic() - started > seconds:
            raise Retryable(f"no whole answer came within {seconds:g} s")
    return bytes(body)


def _document(body: bytes) -> Mapping[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, Mapping) else None


def _explained(status: int, document: Mapping[str, Any] | None) -> Refused | Retryable:
    """What an answer other than success means, and what a person can do."""
    said = excerpt(str((document or {}).get("error") or "without a reason"), 300)
    if status in (401, 403):
        return Refused(f"it answers {status} ({said}): the bot's token must be allowed to query")
    if status in (301, 302, 303, 307, 308):
        return Refused("its address redirects elsewhere, where nothing is asked: correct it")
    if status in (400, 422) and document is not None:
        return Refused(f"it refuses the query: {said}")
    if status >= 500 or status in (408, 429):
        return Retryable(f"it answers {status} ({said})")
    return Refused(f"{_STRANGE} It answers {status}.")


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
