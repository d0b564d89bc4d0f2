"""Serve a WSGI application on loopback, on a thread, until stopped."""

import contextlib
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import waitress.server
from waitress import wasyncore

WSGI = Callable[..., Any]


def loopback_only(host: str) -> str:
    """The host itself, if it is a loopback address; a sandbox must never be reachable from elsewhere.

    Raises ValueError with the sentence for the person who tried.
    """
    address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    if not address.is_loopback:
        raise ValueError(f"the sandbox listens on loopback only, not on {host}: it has no real security")
    return str(address)


def free_port(host: str = "127.0.0.1") -> int:
    """A port that was free a moment ago, for servers that cannot say which one they took."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


class Server:
    """A WSGI application on a thread. `url` has no trailing slash."""

    def __init__(self, app: WSGI, *, host: str = "127.0.0.1", port: int = 0, threads: int = 8) -> None:
        """Bind at once, so that `url` is known; serve after `start`."""
        self._server: Any = waitress.server.create_server(
            app,
            host=loopback_only(host),
            port=port,
            threads=threads,
            clear_untrusted_proxy_headers=True,
            ident="sandbox",
        )
        self.host = host
        self.port = int(self._server.effective_port)
        self.url = f"http://{host}:{self.port}"
        self._thread = threading.Thread(target=self._run, name=f"sandbox:{self.port}", daemon=True)

    def _run(self) -> None:
        # Closing the socket from another thread ends the loop with OSError: that is how it stops.
        with contextlib.suppress(OSError):
            self._server.run()

    def start(self) -> "Server":
        """Begin to answer."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Finish what is being answered, then end every connection and stop to listen; done already is done."""
        self._server.task_dispatcher.shutdown(timeout=10)
        if self._thread.is_alive():
            pulled = threading.Event()

            def hang_up() -> None:
                # On the server's own thread, whose loop ends when nothing is open any more. An earlier pull may have
                # woken it, and the pipe that is written to below must not be closed before.
                pulled.wait(5)
                wasyncore.close_all(self._server._map, ignore_all=True)

            self._server.trigger.pull_trigger(hang_up)
            pulled.set()
            self._thread.join(timeout=5)
        else:
            self._server.close()


@contextlib.contextmanager
def serving(app: WSGI, **options: Any) -> Iterator[Server]:
    """The application, served for the length of the block."""
    server = Server(app, **options).start()
    try:
        yield server
    finally:
        server.stop()
