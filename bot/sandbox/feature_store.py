"""A feature store that is there or away: all that the demo's models ask of it is whether it answers."""

import socket
import threading

from bot.sandbox.serving import free_port


class FeatureStore:
    """Accepts connections on loopback between `open` and `close`; the port stays the same."""

    def __init__(self) -> None:
        """It is away."""
        self.address = f"127.0.0.1:{free_port()}"
        self._listening: socket.socket | None = None

    def open(self) -> None:
        """Be there; there already is there."""
        if self._listening is not None:
            return
        host, _, port = self.address.partition(":")
        listening = socket.create_server((host, int(port)))
        self._listening = listening
        threading.Thread(target=_accept, args=(listening,), name="sandbox:features", daemon=True).start()

    def close(self) -> None:
        """Be away: connections are refused."""
        listening, self._listening = self._listening, None
        if listening is not None:
            # Closing alone would leave the thread in `accept`, and the port open with it.
            listening.shutdown(socket.SHUT_RDWR)
            listening.close()


def _accept(listening: socket.socket) -> None:
    while True:
        try:
            listening.accept()[0].close()
        except OSError:
            return
