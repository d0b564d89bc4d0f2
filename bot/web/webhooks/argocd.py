"""Argo CD's notifications: which Application may have changed (facts/products.md, section 1.5).

They cannot be signed and their body is the operator's own template, so that they carry a token and little is asked of
the body: `app`, and where the template has them `namespace`, `project` and `event`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.core.target import ArgoCD, Catalogue
from bot.web.webhooks.sender import BadDelivery, Reading, expect_token, json_object, words

if TYPE_CHECKING:
    from bot.web.doors import Doors

_NOTHING = "<no value>"  # what Argo CD's template language prints for a field that is not there


@dataclass(frozen=True, slots=True)
class Hint:
    """The Application that may have changed; None where the template does not say it."""

    event: str
    application: str
    namespace: str | None = None
    project: str | None = None


def read(doors: "Doors", headers: Mapping[str, str], body: bytes) -> Reading:
    """Verify a delivery by its token, and name the targets that this Application applies."""
    expect_token(doors.argocd_secrets(), headers)
    hint = interpret(json_object(body, ": give the template a webhook section with a JSON body"))
    return Reading(hint.event, targets_of(hint, doors.catalogue()))


def interpret(body: Mapping[str, Any]) -> Hint:
    """What a notification hints at. Raises `BadDelivery` when no Application is named."""
    application = _text(body, "app")
    if application is None:
        raise BadDelivery('the template names no Application: add "app": {{ .app.metadata.name | toJson }}')
    event = words(body.get("event"), words(body.get("trigger_hint"), "notification"))
    return Hint(event, application, _text(body, "namespace"), _text(body, "project"))


def targets_of(hint: Hint, catalogue: Catalogue) -> tuple[str, ...]:
    """The targets whose rollout is this Application, as far as the notification tells it from others of its name."""
    return tuple(
        target.name
        for target in catalogue.targets.values()
        if isinstance(target.rollout, ArgoCD)
        and target.rollout.application == hint.application
        and _may_be(target.rollout.namespace, hint.namespace)
        and _may_be(target.rollout.project, hint.project)
    )


def _may_be(configured: str | None, told: str | None) -> bool:
    return configured is None or told is None or configured == told


def _text(body: Mapping[str, Any], key: str) -> str | None:
    value = body.get(key)
    if value is None or value in ("", _NOTHING):
        return None
    if not isinstance(value, str):
        raise BadDelivery(f"{key} is not a text")
    return value
