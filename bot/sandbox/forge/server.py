"""The forge's server, which hangs up when it is stopped."""

from waitress import wasyncore

from bot.sandbox.serving import WSGI, Server


class HangingUpServer(Server):
    """`Server`, for clients that keep their connections: otherwise these would be served on, and waited for."""

    def __init__(self, app: WSGI, *, port: int = 0) -> None:
        """Bind at once; serve after `start`."""
        super().__init__(app, port=port, threads=12)

    def stop(self) -> None:
        """Finish what is being answered, then end every connection and stop to listen; done already is done."""
        self._server.task_dispatcher.shutdown(timeout=2)
        if self._thread.is_alive():
            self._server.trigger.pull_trigger(self._hang_up)
            self._thread.join(timeout=5)
        super().stop()

    def _hang_up(self) -> None:
        # On the server's own thread, whose loop ends when nothing is open any more.
        wasyncore.close_all(self._server._map, ignore_all=True)
