"""Sends one question at a time, reads bounded answers, and keeps the library's exceptions here."""

import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2

from bot.adapters.kubernetes.access import Access
from bot.adapters.kubernetes.answers import Answer, excerpt
from bot.ports import Refused, Retryable

_MERGE_PATCH = "application/merge-patch+json"


class Conversation:
    """Safe for several threads. Opened again when the kubeconfig was replaced; a token file is read again after 401."""

    def __init__(self, access: Access) -> None:
        """Nothing is opened before the first question."""
        self._access = access
        self._lock = threading.Lock()
        self._open: tuple[object, httpx2.Client] | None = None

    def ask(self, path: str, query: Mapping[str, str | int], limit: int) -> Answer:
        """GET; a body of more than `limit` bytes raises `Retryable`."""
        return self._send("GET", path, query, limit)

    def merge(
        self, path: str, query: Mapping[str, str | int], document: Mapping[str, Any], limit: int
    ) -> Answer:
        """PATCH by a merge patch."""
        return self._send("PATCH", path, query, limit, document)

    def _send(
        self, method: str, path: str, query: Mapping[str, str | int], limit: int, document: Any = None
    ) -> Answer:
        client, patience = self._client(), self._access.timeout
        headers = {"Content-Type": _MERGE_PATCH} if document is not None else None
        began = time.monotonic()
        try:
            with client.stream(method, path, params=dict(query), json=document, headers=headers) as response:
                body = _bounded(response.iter_bytes(), limit, began + 3 * patience)
                return Answer(response.status_code, response.headers.get("Retry-After"), body)
        except httpx2.TimeoutException:
            raise Retryable(f"the cluster does not answer within {patience:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            raise _unreachable(error) from None

    def _client(self) -> httpx2.Client:
        with self._lock:
            stamp = self._access.stamp()
            if self._open is None or self._open[0] != stamp:
                # The one before is not closed: another thread may be in the middle of a question.
                self._open = stamp, self._access.open()
            return self._open[1]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The exception and those that it was raised from."""
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _unreachable(error: Exception) -> Refused | Retryable:
    """The text of these may repeat headers and addresses; the kind says enough."""
    for cause in _chain(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Refused(
                f"the cluster's certificate is not trusted ({excerpt(cause.verify_message, 120)}): correct the CA or the"
                " address in the kubeconfig"
            )
    return Retryable(f"the cluster cannot be reached ({type(error).__name__})")


def _bounded(chunks: Iterator[bytes], limit: int, until: float) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > limit:
            raise Retryable(f"the cluster's answer is larger than {limit >> 20} MiB")
        if time.monotonic() > until:
            raise Retryable("the cluster's answer comes too slowly")
    return bytes(body)
