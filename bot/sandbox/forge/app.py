"""One WSGI application: git, the REST API, and pages for people."""

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


def rest_app(services: door.Services) -> flask.Flask:
    """The REST API, under `API`."""
    app = flask.Flask("sandbox forge", static_folder=None)
    app.extensions["forge"] = services
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

    def __init__(self, git: SmartHttp, rest: flask.Flask, pages: flask.Flask) -> None:
        """Three WSGI applications."""
        self._git, self._rest, self._pages = git, rest, pages

    def __call__(self, environ: Mapping[str, Any], start_response: Any) -> Iterable[bytes]:
        """WSGI."""
        path = environ["PATH_INFO"]
        if path.startswith(f"{API}/"):
            return self._rest(dict(environ), start_response)
        if PATH.match(path):
            return self._git(environ, start_response)
        return self._pages(dict(environ), start_response)
