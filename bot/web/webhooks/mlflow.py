"""MLflow's webhooks: is this delivery genuine, and what does it hint at (facts/mlflow.md, sections 3, 4 and 9).

A delivery is only a hint: MLflow repeats, reorders and loses them, so that the registry is asked afterwards anyway.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bot.core.names import PREFIX
from bot.core.target import Alias, Catalogue, Stage, Target
from bot.web.webhooks.sender import BadDelivery, BadSignature, Reading, header, keys

if TYPE_CHECKING:
    from bot.web.doors import Doors

SIGNATURE = "X-MLflow-Signature"
TIMESTAMP = "X-MLflow-Timestamp"
DELIVERY_ID = "X-MLflow-Delivery-Id"

# Retries keep the first try's timestamp, and the last one of MLflow's own begins 97 s after it (section 4.2). What
# comes later was held up by a Retry-After of something between, or is a replay: refusing it costs the time until
# the next sweep. The other half of the five minutes, and all of them ahead of us, are for clocks that differ.
TOLERANCE = timedelta(minutes=5)

_ID = re.compile(rb"[0-9A-Za-z_-]{1,100}\Z")
_SECONDS = re.compile(rb"[0-9]{1,11}\Z")
_WORD = re.compile(r"[a-z][a-z_]{0,39}\Z")
_ABOUT_MODELS = ("registered_model", "model_version", "model_version_tag", "model_version_alias")
_LARGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Hint:
    """What may have changed. `event` is `entity.action`; prompts and budgets have no model and concern no target.

    Every text is as MLflow sent it. `version` and `alias` say what the event was about and not what holds now.
    """

    event: str
    model: str | None = None
    version: str | None = None
    alias: str | None = None
    key: str | None = None
    workspace: str | None = None

    @property
    def own(self) -> bool:
        """Whether this is the echo of a tag that the bot itself wrote (see `core.names.version_tag`)."""
        return self.key is not None and self.key.startswith(f"{PREFIX}.")


def read(doors: "Doors", headers: Mapping[str, str], body: bytes) -> Reading:
    """Verify a delivery by its signature, and name the targets that it may concern."""
    verify(doors.mlflow_secrets(), headers, body, doors.clock())
    hint = interpret(body)
    return Reading(hint.event, targets_of(hint, doors.catalogue()), header(headers, DELIVERY_ID))


def targets_of(hint: Hint, catalogue: Catalogue) -> tuple[str, ...]:
    """The targets that an event of the registry may concern: those of its model whose selector could have moved."""
    if hint.own:
        return ()
    return tuple(
        target.name
        for target in catalogue.targets.values()
        if target.model == hint.model and _moved(target, hint)
    )


def _moved(target: Target, hint: Hint) -> bool:
    when = target.when
    # A stage moves without a word (facts/mlflow.md, section 3), so that any sign of life is a reason to look.
    if isinstance(when, Stage) or (hint.alias is None and hint.key is None):
        return True
    return hint.alias == when.name if isinstance(when, Alias) else hint.key == when.key


def verify(
    secrets: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
    tolerance: timedelta = TOLERANCE,
) -> None:
    """Return when one of the secrets signed exactly this id, timestamp and body, recently; else `BadSignature`.

    Several secrets are for rotation: MLflow may use the old one for a minute more (facts/mlflow.md, section 4.7).
    """
    identity, seconds, signature = (
        header(headers, name).encode("utf-8", "replace") for name in (DELIVERY_ID, TIMESTAMP, SIGNATURE)
    )
    known = keys(secrets)
    if not known:
        raise BadSignature("no secret is configured for MLflow's webhook, so nothing can be believed")
    if not signature:
        raise BadSignature(
            f"the delivery has no {SIGNATURE} header: create the webhook in MLflow with a secret"
        )
    if not _ID.match(identity) or not _SECONDS.match(seconds):
        raise BadSignature(f"{DELIVERY_ID} or {TIMESTAMP} is missing or is not as MLflow sends it")
    content = b".".join((identity, seconds, body))
    # All are compared, so that the time taken does not tell which secret fits.
    if not sum(hmac.compare_digest(_signature(key, content), signature) for key in known):
        raise BadSignature(
            "the signature does not fit the body: another secret is set in MLflow than here, or something on the "
            "way changed the delivery"
        )
    _be_recent(now - datetime.fromtimestamp(int(seconds), UTC), tolerance)


def _signature(key: bytes, content: bytes) -> bytes:
    return b"v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256))


def _be_recent(age: timedelta, tolerance: timedelta) -> None:
    if abs(age) > tolerance:
        seconds = abs(age) // timedelta(seconds=1)
        when = f"{seconds} s {'old' if age > timedelta(0) else 'ahead of our clock'}"
        raise BadSignature(
            f"the delivery is signed correctly but {when}, more than {tolerance // timedelta(seconds=1)} s: it is a "
            "replay, or one of the two clocks is wrong"
        )


def interpret(body: bytes) -> Hint:
    """What a verified delivery hints at; `BadDelivery` for everything that MLflow does not send."""
    document = _object(_parsed(body), "the body")
    entity, action = document.get("entity"), document.get("action")
    if not all(isinstance(word, str) and _WORD.match(word) for word in (entity, action)):
        raise BadDelivery("the body has no entity and action in MLflow's words")
    workspace = _text(document, "workspace")
    data = _object(document.get("data"), "data")
    if entity not in _ABOUT_MODELS:
        return Hint(f"{entity}.{action}", workspace=workspace)
    model = _text(data, "name")
    if not model:
        raise BadDelivery("data.name is missing, so nobody can say which model this is about")
    return Hint(
        event=f"{entity}.{action}",
        model=model,
        version=_text(data, "version"),
        alias=_text(data, "alias"),
        key=_text(data, "key"),
        workspace=workspace,
    )


def _parsed(body: bytes) -> Any:
    if len(body) > _LARGEST:
        raise BadDelivery(f"the body has {len(body)} bytes, more than any of MLflow's")
    try:
        return json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as problem:
        raise BadDelivery("the body is not JSON in UTF-8") from problem


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadDelivery(f"{what} is not a JSON object")
    return value


def _text(data: Mapping[str, Any], name: str) -> str | None:
    value = data.get(name)
    if value is None:
        return None
    # Half of a surrogate pair is valid JSON, and cannot be stored or shown.
    if not isinstance(value, str) or any("\ud800" <= character <= "\udfff" for character in value):
        raise BadDelivery(f"{name} is not a text")
    return value
