"""The web application: `create_app(doors)`, whose one parameter is everything that the web may touch."""

from http import HTTPStatus

from flask import Flask, Response, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from werkzeug.exceptions import HTTPException

from bot.ports import Refused, Retryable
from bot.web import api, dashboard, receive
from bot.web.doors import Doors

__all__ = ["Doors", "create_app"]

_CONTENT_SECURITY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CONTENT_SECURITY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def create_app(doors: Doors) -> Flask:
    """Webhooks, health, metrics, the JSON API and the dashboard. Keeps no state of its own."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = receive.LARGEST
    app.url_map.strict_slashes = False
    app.register_blueprint(receive.blueprint(doors))
    app.register_blueprint(api.blueprint(doors), url_prefix="/api")
    app.register_blueprint(dashboard.blueprint(doors))
    _health(app, doors)
    _errors(app, doors)

    @app.after_request
    def secure(response: Response) -> Response:
        response.headers.update(_HEADERS)
        if request.endpoint != "static":
            response.headers["Cache-Control"] = "no-store"
        return response

    return app


def _health(app: Flask, doors: Doors) -> None:
    @app.get("/health")
    def health() -> ResponseReturnValue:
        return jsonify(status="healthy")

    @app.get("/ready")
    def ready() -> ResponseReturnValue:
        reasons = _not_ready_because(doors)
        leads = doors.leads is None or doors.leads()
        return jsonify(ready=not reasons, leads=leads, reasons=reasons), 503 if reasons else 200

    @app.get("/metrics")
    def metrics() -> ResponseReturnValue:
        return Response(generate_latest(doors.metrics.registry), content_type=CONTENT_TYPE_LATEST)


def _not_ready_because(doors: Doors) -> list[str]:
    reasons = []
    try:
        doors.journal.ping()
    except (Retryable, Refused) as error:
        reasons.append(str(error))
    try:
        catalogue = doors.catalogue()
    except (Retryable, Refused) as error:
        reasons.append(str(error))
    else:
        # A broken promotions.yaml is no reason: the dashboard that shows what is wrong with it must be reachable.
        if catalogue.commit is None and catalogue.problem is None:
            reasons.append("promotions.yaml has not been read yet")
    if not doors.alive():
        reasons.append("the loop that looks at targets is not running")
    return reasons


def _errors(app: Flask, doors: Doors) -> None:
    def answer(sentence: str, status: int) -> ResponseReturnValue:
        if request.path.startswith(("/api/", "/webhook/")):
            return jsonify(error=sentence), status
        title = HTTPStatus(status).phrase
        return render_template("error.html", title=title, sentence=sentence, doors=doors), status

    @app.errorhandler(HTTPException)
    def refused_request(error: HTTPException) -> ResponseReturnValue:
        sentence = _SENTENCES.get(error.code or 500, error.description or error.name)
        response = app.make_response(answer(sentence, error.code or 500))
        for name, value in error.get_headers():
            if name in {"Allow", "WWW-Authenticate"}:
                response.headers[name] = value
        return response

    @app.errorhandler(Retryable)
    @app.errorhandler(Refused)
    def out_of_reach(error: Exception) -> ResponseReturnValue:
        return answer(str(error), 503)


_SENTENCES = {
    404: "There is nothing here.",
    405: "This address does not take that method.",
    413: "That is too large.",
    500: "This is our bug; the log has its details.",
}
