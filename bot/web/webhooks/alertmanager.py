"""Alertmanager's calls: which alerts began or ended (facts/products.md, section 8).

They carry the token that `http_config.authorization` of the receiver has. Whether an alert fires, and since when, is
asked of Prometheus afterwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.core.target import AlertsCheck, Catalogue
from bot.web.webhooks.sender import BadDelivery, Reading, expect_token, json_object, words

if TYPE_CHECKING:
    from bot.web.doors import Doors


@dataclass(frozen=True, slots=True)
class Hint:
    """The labels of the alerts that a call names; `all` when it does not name all of them."""

    event: str
    alerts: tuple[Mapping[str, str], ...]
    all: bool


def read(doors: "Doors", headers: Mapping[str, str], body: bytes) -> Reading:
    """Verify a call by its token, and name the targets whose alerts it may concern."""
    expect_token(doors.alertmanager_secrets(), headers)
    hint = interpret(json_object(body))
    return Reading(hint.event, targets_of(hint, doors.catalogue()))


def interpret(body: Mapping[str, Any]) -> Hint:
    """What a call hints at. Raises `BadDelivery` when it lacks the alerts that Alertmanager always lists."""
    alerts = body.get("alerts")
    if not isinstance(alerts, list):
        raise BadDelivery("a call without the list alerts")
    # max_alerts of the receiver leaves out what is more than that, and says how many.
    incomplete = not alerts or bool(body.get("truncatedAlerts"))
    return Hint(words(body.get("status"), "alerts"), tuple(_labels(alert) for alert in alerts), incomplete)


def targets_of(hint: Hint, catalogue: Catalogue) -> tuple[str, ...]:
    """The targets that ask for an alert with labels of one of these; all that ask for any when not all are named."""
    return tuple(
        target.name
        for target in catalogue.targets.values()
        if any(isinstance(check, AlertsCheck) and _concerns(hint, check) for check in target.verify)
    )


def _concerns(hint: Hint, check: AlertsCheck) -> bool:
    return hint.all or any(check.labels.items() <= alert.items() for alert in hint.alerts)


def _labels(alert: Any) -> Mapping[str, str]:
    labels = alert.get("labels") if isinstance(alert, Mapping) else None
    if not isinstance(labels, Mapping) or not all(isinstance(value, str) for value in labels.values()):
        raise BadDelivery("an alert without labels")
    return labels
