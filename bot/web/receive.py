"""Webhooks: verify, store in the inbox, wake the targets that may have changed, answer 202. Nothing is decided here."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from bot.core.model import Alias, Catalogue, Stage, Target
from bot.ports import Delivery, Refused, Retryable
from bot.web.doors import Doors
from bot.web.webhooks import github, mlflow

LARGEST = (
    5 * 1024 * 1024
)  # bytes; a pull_request event with the longest body and its repositories has about 300 KiB

_log = logging.getLogger(__name__)


class Turned(Exception):
    """A delivery that is not taken: the status, the word for the metrics, and the sentence for the sender."""

    def __init__(self, status: int, result: str, sentence: str) -> None:
        """Keep all three."""
        super().__init__(sentence)
        self.status = status
        self.result = result


def blueprint(doors: Doors) -> Blueprint:
    """POST /webhook/mlflow and POST /webhook/github.

    202 {"woken": [targets]}; 401 bad signature, 400 not understood, 413 too large, 503 when the inbox cannot be
    written: MLflow and GitHub's redelivery then try again, and the targets are looked at all the same.
    """
    routes = Blueprint("webhooks", __name__, url_prefix="/webhook")

    @routes.post("/mlflow")
    def from_mlflow() -> ResponseReturnValue:
        return _answer(doors, "mlflow")

    @routes.post("/github")
    def from_github() -> ResponseReturnValue:
        return _answer(doors, "github")

    return routes


def _answer(doors: Doors, sender: str) -> ResponseReturnValue:
    try:
        body = _body()
        event, targets = _READERS[sender](doors, body)
        first = _take(doors, sender, event, targets, body)
    except Turned as error:
        doors.metrics.webhook(sender, error.result)
        _log.warning("a webhook of %s was turned away: %s", sender, error)
        return jsonify(error=str(error)), error.status
    doors.metrics.webhook(sender, "accepted" if first else "repeated")
    return jsonify(woken=list(targets)), 202


def _body() -> bytes:
    if request.content_length is not None and request.content_length > LARGEST:
        raise Turned(413, "too large", f"a webhook has at most {LARGEST} bytes")
    return request.get_data(cache=False)


def _take(doors: Doors, sender: str, event: str, targets: tuple[str, ...], body: bytes) -> bool:
    """Store the delivery and wake its targets, those also when it cannot be stored: waking needs no database."""
    try:
        return doors.inbox.put(Delivery(sender, _delivery_id(sender, body), event, doors.clock(), targets))
    except (Retryable, Refused) as error:
        raise Turned(503, "unavailable", f"the inbox cannot be written: {error}") from error
    finally:
        for target in targets:
            doors.wake(target)


def _delivery_id(sender: str, body: bytes) -> str:
    """The sender's own id, or a hash of the body where it sent none."""
    return request.headers.get(_ID_HEADERS[sender]) or hashlib.sha256(body).hexdigest()


def _read_mlflow(doors: Doors, body: bytes) -> tuple[str, tuple[str, ...]]:
    try:
        mlflow.verify(doors.mlflow_secrets(), dict(request.headers), body, doors.clock())
    except mlflow.BadSignature as error:
        raise Turned(401, "bad signature", str(error)) from error
    try:
        hint = mlflow.interpret(body)
    except mlflow.BadDelivery as error:
        raise Turned(400, "malformed", str(error)) from error
    return hint.event, targets_of_mlflow(hint, doors.catalogue())


def _read_github(doors: Doors, body: bytes) -> tuple[str, tuple[str, ...]]:
    if not github.verify(doors.github_secrets(), dict(request.headers), body):
        raise Turned(
            401, "bad signature", "the signature does not fit: is the secret the same on both sides?"
        )
    event = request.headers.get("X-GitHub-Event", "")
    try:
        hint = github.interpret(
            event,
            _mapping(body),
            delivery_id=_delivery_id("github", body),
            base_branch=doors.base_branch,
            own_login=doors.github_login,
        )
    except github.BadDelivery as error:
        raise Turned(400, "malformed", str(error)) from error
    return event, targets_of_github(hint, doors.catalogue(), doors.manifests_repository)


def _mapping(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Turned(
            400, "malformed", "the body is not JSON: choose the content type application/json"
        ) from error
    if not isinstance(value, dict):
        raise Turned(400, "malformed", "the body is not a JSON object")
    return value


def targets_of_mlflow(hint: mlflow.Hint, catalogue: Catalogue) -> tuple[str, ...]:
    """The targets that an event of the registry may concern: those of its model whose selector could have moved."""
    if hint.own:
        return ()
    return tuple(
        target.name
        for target in catalogue.targets.values()
        if target.model == hint.model and _moved(target, hint)
    )


def _moved(target: Target, hint: mlflow.Hint) -> bool:
    when = target.when
    # A stage moves without a word (facts/mlflow.md, section 3), so that any sign of life is a reason to look.
    if isinstance(when, Stage) or (hint.alias is None and hint.key is None):
        return True
    return hint.alias == when.name if isinstance(when, Alias) else hint.key == when.key


def targets_of_github(
    hint: github.Hint, catalogue: Catalogue, manifests: str | None = None
) -> tuple[str, ...]:
    """The targets that an event of the forge may concern: named by a branch, built where a workflow ran, or all.

    `manifests` is the manifests repo as `owner/name`; without it every repository counts as that one.
    """
    everything = hint.all_of_repository is not None and (
        manifests is None or _same_repository(hint.all_of_repository, manifests)
    )
    return tuple(
        target.name
        for target in catalogue.targets.values()
        if everything or target.name in hint.targets or _built_there(target, hint.workflow_repository)
    )


def _built_there(target: Target, repository: str | None) -> bool:
    return (
        repository is not None
        and target.build is not None
        and _same_repository(target.build.repository, repository)
    )


def _same_repository(one: str, other: str) -> bool:
    return one.lower() == other.lower()


_ID_HEADERS = {"mlflow": "X-MLflow-Delivery-Id", "github": "X-GitHub-Delivery"}
_READERS: Mapping[str, Callable[[Doors, bytes], tuple[str, tuple[str, ...]]]] = {
    "mlflow": _read_mlflow,
    "github": _read_github,
}
