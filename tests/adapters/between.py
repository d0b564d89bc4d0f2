"""A real HTTP proxy between an adapter and a server, to lose, delay or change what passes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import requests

from bot.sandbox.serving import Server


@dataclass(frozen=True)
class Passing:
    """A request on its way. `query` without the question mark."""

    method: str
    path: str
    query: str
    body: bytes


@dataclass(frozen=True)
class Coming:
    """An answer on its way back."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)


Onward = Callable[[Passing], Coming]
Meddle = Callable[[Passing, Onward], Coming]


class Between:
    """Passes everything on to the server of an address; `meddle` may do otherwise, and `seen` is what passed.

    `url` stands for the whole address, path included, as documents name their own addresses.
    """

    def __init__(self, address: str) -> None:
        self.seen: list[Passing] = []
        self.meddle: Meddle = lambda request, onward: onward(request)
        parts = urlsplit(address)
        self._upstream = f"{parts.scheme}://{parts.netloc}"
        self._server = Server(self._answer).start()
        self.url = self._server.url + parts.path

    def stop(self) -> None:
        self._server.stop()

    def count(self, method: str, ending: str) -> int:
        """How many requests of this method came for a path with this ending."""
        return sum(one.method == method and one.path.endswith(ending) for one in self.seen)

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        request = Passing(
            environ["REQUEST_METHOD"],
            environ["PATH_INFO"],
            environ["QUERY_STRING"],
            environ["wsgi.input"].read(),
        )
        self.seen.append(request)
        kept = {
            key: environ[variable]
            for key in ("Authorization", "Accept", "If-None-Match")
            if (variable := f"HTTP_{key.upper().replace('-', '_')}") in environ
        }

        def onward(passing: Passing) -> Coming:
            answer = requests.request(
                passing.method,
                f"{self._upstream}{passing.path}?{passing.query}",
                data=passing.body,
                headers={**kept, "Content-Type": "application/json"},
                timeout=15,
            )
            kind = answer.headers.get("Content-Type", "application/json")
            rest = ((name, answer.headers[name]) for name in ("ETag", "Link") if name in answer.headers)
            return Coming(answer.status_code, answer.content, (("Content-Type", kind), *rest))

        coming = self.meddle(request, onward)
        start_response(f"{coming.status} Said", list(coming.headers) if coming.body else [])
        return [coming.body]


def without(coming: Coming) -> Coming:
    """The same answer as a failure of the gateway: what it was about has happened all the same."""
    return replace(coming, status=502, body=b"{}")
