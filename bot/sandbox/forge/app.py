"""One WSGI application: git, the REST API, and pages for people."""

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import flask
from werkzeug.exceptions import HTTPException

from bot.sandbox.forge.refusals import Refusal
from bot.sandbox.forge.rest import actions, commits, door, hooks, issues, pulls, repositories
from bot.sandbox.forge.smart_http import PATH, SmartHttp

API = "/api/v3"
_BLUEPRINTS = (
    repositories.api,
    commits.api,
    pulls.api,
    issues.api,
    actions.api,
    hooks.api,
)


@functools.cache
def rest_app() -> flask.Flask:
    """The REST API, under `API`: one for all forges of a process, as its many rules take a while to compile.

    What it works on comes with each request.
    """
    app = flask.Flask("sandbox forge", static_folder=None)
    app.before_request(door.admit)
    app.after_request(door.finished)
    app.register_error_handler(Refusal, door.refused)
    app.register_error_handler(HTTPException, door.unknown)
    app.url_map.merge_slashes = False
    for blueprint in _BLUEPRINTS:
        app.register_blueprint(blueprint, url_prefix=API)
    return app


class Front:
    """Sends git to git, programs to the REST API, and people to the pages."""

    def __init__(self, services: door.Services, pages: flask.Flask) -> None:
        """What git and the REST API work on, and the pages."""
        self._services, self._pages = services, pages
        self._git, self._rest = SmartHttp(services.state), rest_app()

    def __call__(self, environ: Mapping[str, Any], start_response: Any) -> Iterable[bytes]:
        """WSGI. One answer is made at a time, so that it is about one moment; git takes the lock for pushes only."""
        path = environ["PATH_INFO"]
        if PATH.match(path) and not path.startswith(f"{API}/"):
            return self._git(environ, start_response)
        with self._services.state.lock:
            if path.startswith(f"{API}/"):
                return self._rest({**environ, door.SERVICES: self._services}, start_response)
            return self._pages(dict(environ), start_response)
