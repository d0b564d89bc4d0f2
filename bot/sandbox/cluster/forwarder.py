"""A stable loopback port in front of whichever process serves now: the Service of the sandbox."""

import contextlib
import socket
import threading


class Forwarder:
    """Forwards every connection to `target`, or closes it while there is none."""

    def __init__(self) -> None:
        """Listen at once, on a free port."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self.target: int | None = None
        threading.Thread(target=self._accept, name=f"service:{self.port}", daemon=True).start()

    def stop(self) -> None:
        """Stop to listen; connections that are open end with their server."""
        # Closing alone does not wake a thread that is inside accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            if self.target is None:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
            except OSError:
                return
            with server:
                server.settimeout(None)
                back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                back.start()
                _pump(client, server)
                back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    # Whichever side ends, both do: a connection that is kept open must not outlive the process behind it.
    for end in (sink, source):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
