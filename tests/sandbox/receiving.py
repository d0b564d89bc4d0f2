"""A receiver of webhooks on loopback that keeps what comes."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bot.sandbox.serving import Server


@dataclass(frozen=True)
class Received:
    """One delivery; headers in lower case."""

    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> str:
        """What happened, with its action: `pull_request.opened`."""
        action = self.document.get("action")
        return self.headers["x-github-event"] + (f".{action}" if action else "")

    @property
    def document(self) -> Any:
        """The payload."""
        return json.loads(self.body)


class Receiver:
    """Answers 202, or what `status` says."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.status = "202 Accepted"
        self._lock = threading.Lock()
        self._server = Server(self).start()
        self.url = f"{self._server.url}/hook"

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        headers = {
            key.removeprefix("HTTP_").replace("_", "-").lower(): value
            for key, value in environ.items()
            if key.startswith("HTTP_") or key == "CONTENT_TYPE"
        }
        with self._lock:
            self.received.append(Received(headers, environ["wsgi.input"].read()))
        start_response(self.status, [("Content-Type", "text/plain")])
        return [b"heard"]

    def events(self) -> list[str]:
        """What happened, in the order of arrival, without the ping."""
        return [one.event for one in self.received if one.event != "ping"]

    def newest(self, event: str) -> Received:
        """The last delivery of an event."""
        return [one for one in self.received if one.event == event][-1]

    def stop(self) -> None:
        """Listen no more."""
        self._server.stop()


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver for the length of the block."""
    found = Receiver()
    try:
        yield found
    finally:
        found.stop()
