"""Which alerts count against a release. Pure; labels and annotations are hostile text (facts/products.md, section 8)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.adapters.prometheus.wording import Seen, verdict
from bot.core.target import AlertsCheck
from bot.core.telling import at, excerpt
from bot.core.verdict import Outcome, Verdict
from bot.ports import Retryable

_MOST = 5


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that fires, or is about to (`pending`: its `for` has not passed), since `since`."""

    name: str
    firing: bool
    since: datetime | None
    labels: Mapping[str, Any]
    annotations: Mapping[str, Any]


def judge(data: Any, check: AlertsCheck, merged_at: datetime, now: datetime) -> Verdict:
    """FAILED when an alert fires that has become active after the merge.

    One that is about to fire since then only makes wait (PENDING): Prometheus ends that itself, after the alert's
    `for`. Those that were active before the merge do not count, whether or not they fired then; they are named.
    """
    ours = [alert for alert in _alerts(data) if _matches(alert, check)]
    asked = f"alerts with {_written(check.labels)}" if check.labels else "all alerts"
    seen = [Seen(asked, _told(alert)) for alert in ours[:_MOST]] or [Seen(asked, "none")]
    new = [alert for alert in ours if alert.since is not None and alert.since > merged_at]
    old = [alert for alert in ours if alert.since is not None and alert.since <= merged_at]
    firing = [alert for alert in new if alert.firing]
    if firing:
        seen = [Seen(asked, _told(alert)) for alert in firing[:_MOST]]
        because = f"{_names(firing)} fires since {at(min(_begun(firing)))}, after the merge{_besides(old)}"
        return verdict(Outcome.FAILED, because, seen, now)
    if len(new) + len(old) < len(ours):
        return verdict(Outcome.INCONCLUSIVE, "an alert does not say since when it is active", seen, now)
    if new:
        because = f"{_names(new)} is active since the merge and has not made up its mind{_besides(old)}"
        return verdict(Outcome.PENDING, because, seen, now)
    return verdict(Outcome.SUCCEEDED, f"no new alert fires ({asked}){_besides(old)}", seen, now)


def _alerts(data: Any) -> Iterable[Alert]:
    items = data.get("alerts") if isinstance(data, Mapping) else None
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise Retryable("its answer is no list of alerts")
    for item in items:
        labels, annotations = _texts(item.get("labels")), _texts(item.get("annotations"))
        if item.get("state") in ("firing", "pending"):
            name = excerpt(labels.get("alertname", "an alert"), 80)
            yield Alert(name, item["state"] == "firing", _moment(item.get("activeAt")), labels, annotations)


def _texts(mapping: Any) -> Mapping[str, str]:
    return {str(key): str(text) for key, text in mapping.items()} if isinstance(mapping, Mapping) else {}


def _matches(alert: Alert, check: AlertsCheck) -> bool:
    return all(alert.labels.get(key, "") == value for key, value in check.labels.items())


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _begun(alerts: Iterable[Alert]) -> list[datetime]:
    return [alert.since for alert in alerts if alert.since is not None]


def _told(alert: Alert) -> str:
    state = "firing" if alert.firing else "pending"
    since = at(alert.since) if alert.since is not None else "an unknown time"
    said = alert.annotations.get("summary") or alert.annotations.get("description") or ""
    labels = excerpt(_written({key: text for key, text in alert.labels.items() if key != "alertname"}), 200)
    return f"{alert.name} {state} since {since}, {labels}" + (f": {excerpt(said, 200)}" if said else "")


def _names(alerts: list[Alert]) -> str:
    names = sorted({alert.name for alert in alerts})
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return f"the alert {', '.join(names[:_MOST])}{more}"


def _besides(old: list[Alert]) -> str:
    return f"; {_names(old)} was active before the merge and does not count" if old else ""


def _written(labels: Mapping[str, str]) -> str:
    return "{" + ", ".join(f'{key}="{text}"' for key, text in sorted(labels.items())) + "}"
