"""Pages for people."""

import flask

from bot.sandbox.forge.state import State


def pages_app(state: State, reviewer: str) -> flask.Flask:
    """The pages; forms act as `reviewer`."""
    app = flask.Flask("sandbox forge pages", static_folder=None)

    @app.get("/")
    def _index() -> str:
        return "sandbox"

    return app
