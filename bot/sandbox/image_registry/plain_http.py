"""A server that turns TLS away at once, so that clients which try https first go on with http."""

from typing import Any

from waitress.channel import HTTPChannel

from bot.sandbox.serving import WSGI, Server

_HANDSHAKE = b"\x16\x03"


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress ships no types
    def received(self, data: bytes) -> Any:
        """Hang up on a TLS handshake: waiting for its end of line, both sides would wait (skopeo: 10 s)."""
        if self.request is None and data.startswith(_HANDSHAKE):
            self.handle_close()
            return False
        return super().received(data)


class PlainHttpServer(Server):
    """`Server`, for clients such as skopeo and docker."""

    def __init__(self, app: WSGI, *, port: int = 0) -> None:
        """Bind at once; serve after `start`."""
        super().__init__(app, port=port)
        self._server.channel_class = _Channel
