"""Recorded objects as they are when the merge is long past: still well, scaled up just now, or with a pod replaced just now."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

Document = dict[str, Any]
Change = Callable[[list[Document], datetime], list[Document]]

_COUNTERS = ("readyReplicas", "availableReplicas")


def unchanged(documents: list[Document], now: datetime) -> list[Document]:
    return documents


def scaled_up(documents: list[Document], now: datetime) -> list[Document]:
    """One more replica is asked for and there, and it is not ready."""
    for item in _of(documents, "Deployment"):
        item["spec"]["replicas"] = item["spec"].get("replicas", 1) + 1
        for counter in ("replicas", "updatedReplicas"):
            item["status"][counter] = item["status"].get(counter, 0) + 1
        item["status"]["unavailableReplicas"] = 1
    return _with_a_new_pod(documents, now)


def replaced(documents: list[Document], now: datetime) -> list[Document]:
    """One pod is gone, the one that takes its place is not ready, and fewer are available than asked for."""
    for item in _of(documents, "Deployment"):
        for counter in _COUNTERS:
            item["status"][counter] = max(item["status"].get(counter, 0) - 1, 0)
        item["status"]["unavailableReplicas"] = 1
        for condition in item["status"].get("conditions", []):
            if condition["type"] == "Available":
                condition.update(status="False", lastTransitionTime=_at(now), lastUpdateTime=_at(now))
    newest = _newest_pod(documents)
    return _with_a_new_pod([item for item in documents if item is not newest], now)


def long_ago(documents: list[Document], by: timedelta) -> list[Document]:
    """Every time that a document tells, moved back, and an Application was compared as lately before as it was."""
    return [_aged(item, by) for item in documents]


def _with_a_new_pod(documents: list[Document], now: datetime) -> list[Document]:
    for item in _of(documents, "Application"):
        item["status"]["health"] = {"status": "Progressing", "lastTransitionTime": _at(now)}
    like = _newest_pod(documents)
    if like is None:
        return documents
    pod = copy.deepcopy(like)
    pod["metadata"].update(name="just-now", uid="just-now", creationTimestamp=_at(now))
    pod["status"] = {"phase": "Pending", "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": _at(now)}]}  # fmt: skip
    return [*documents, pod]


def _newest_pod(documents: list[Document]) -> Document | None:
    """Of the newest ReplicaSet, as its pods are the newest where no rollout is under way."""
    staying = [item for item in _of(documents, "Pod") if not item["metadata"].get("deletionTimestamp")]
    return max(staying, key=lambda item: item["metadata"].get("creationTimestamp", ""), default=None)


def _of(documents: list[Document], kind: str) -> list[Document]:
    return [item for item in documents if item.get("kind") == kind]


def _aged(value: Any, by: timedelta, key: str = "") -> Any:
    if isinstance(value, dict):
        return {inner: _aged(item, by, inner) for inner, item in value.items()}
    if isinstance(value, list):
        return [_aged(item, by, key) for item in value]
    if isinstance(value, str) and key != "reconciledAt" and value[:2] == "20" and value.endswith("Z"):
        return _at(datetime.fromisoformat(value) - by)
    return value


def _at(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
