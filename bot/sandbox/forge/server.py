"""The forge's server, which hangs up when it is stopped."""

import threading

from waitress import wasyncore

from bot.sandbox.serving import WSGI, Server


class HangingUpServer(Server):
    """`Server`, for clients that keep their connections: otherwise these would be served on, and waited for."""

    def __init__(self, app: WSGI, *, port: int = 0) -> None:
        """Bind at once; serve after `start`."""
        super().__init__(app, port=port, threads=12)

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
        super().stop()
