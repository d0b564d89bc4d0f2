"""Webhooks: verify, store in the inbox, wake the targets that may have changed, answer 202. Nothing is decided here."""

import hashlib
import logging

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from bot.ports import Delivery, Refused, Retryable
from bot.web.doors import Doors
from bot.web.webhooks import SENDERS
from bot.web.webhooks.sender import BadDelivery, BadSignature, Reading

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
    """POST /webhook/<sender> for every one of `SENDERS`.

    202 {"woken": [targets]}; 401 bad signature, 400 not understood, 413 too large, 503 when the inbox cannot be
    written: the senders that try again then do, and the targets are looked at all the same.
    """
    doors.metrics.expects(SENDERS)
    routes = Blueprint("webhooks", __name__, url_prefix="/webhook")

    @routes.post(f"/<any({', '.join(SENDERS)}):sender>")
    def receive(sender: str) -> ResponseReturnValue:
        return _answer(doors, sender)

    return routes


def _answer(doors: Doors, sender: str) -> ResponseReturnValue:
    try:
        body = _body()
        reading = _reading(doors, sender, body)
        first = _take(doors, sender, reading, body)
    except Turned as error:
        doors.metrics.webhook(sender, error.result)
        _log.warning("a webhook of %s was turned away: %s", sender, error)
        return jsonify(error=str(error)), error.status
    doors.metrics.webhook(sender, "accepted" if first else "repeated")
    return jsonify(woken=list(reading.targets)), 202


def _body() -> bytes:
    if request.content_length is not None and request.content_length > LARGEST:
        raise Turned(413, "too large", f"a webhook has at most {LARGEST} bytes")
    return request.get_data(cache=False)


def _reading(doors: Doors, sender: str, body: bytes) -> Reading:
    try:
        return SENDERS[sender](doors, dict(request.headers), body)
    except BadSignature as error:
        raise Turned(401, "bad signature", str(error)) from error
    except BadDelivery as error:
        raise Turned(400, "malformed", str(error)) from error


def _take(doors: Doors, sender: str, reading: Reading, body: bytes) -> bool:
    """Store the delivery and wake its targets, those also when it cannot be stored: waking needs no database.

    A sender without ids of its own is known by a hash of the body. It may mean the same words twice, and a repeated
    delivery therefore wakes as the first did.
    """
    known = reading.id or hashlib.sha256(body).hexdigest()
    try:
        return doors.inbox.put(Delivery(sender, known, reading.event, doors.clock(), reading.targets))
    except (Retryable, Refused) as error:
        raise Turned(503, "unavailable", f"the inbox cannot be written: {error}") from error
    finally:
        for target in reading.targets:
            doors.wake(target)
