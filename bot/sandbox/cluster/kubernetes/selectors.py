"""Label and field selectors, as lists are asked with them."""

import re
from collections.abc import Callable
from typing import Any

from bot.sandbox.cluster.kubernetes.store import EVENTS, PODS, Resource
from bot.sandbox.cluster.manifest import Document

Test = Callable[[Document], bool]

_FIELDS = {
    PODS: ("status.phase", "spec.nodeName", "spec.restartPolicy", "status.podIP"),
    EVENTS: (
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason", "type",
    ),
}  # fmt: skip
_SET = re.compile(r"^(\S+)\s+(in|notin)\s+\(([^)]*)\)$")


class BadSelector(Exception):
    """What the API server says about it."""


def by_labels(selector: str) -> Test:
    """Whether an object has these labels: `a=b`, `a!=b`, `a`, `!a`, `a in (b, c)`, `a notin (b)`. Raises BadSelector."""
    tests = [_label(part.strip()) for part in re.split(r",(?![^(]*\))", selector) if part.strip()]
    return lambda item: all(test(item["metadata"].get("labels", {})) for test in tests)


def by_fields(resource: Resource, selector: str) -> Test:
    """Whether an object has these values; only fields that the real API knows for this kind. Raises BadSelector."""
    tests = [_field(resource, part.strip()) for part in selector.split(",") if part.strip()]
    return lambda item: all(test(item) for test in tests)


def _label(part: str) -> Callable[[Document], bool]:
    found = _SET.match(part)
    if found:
        name, how, listed = found.groups()
        values = {item.strip() for item in listed.split(",")}
        return lambda labels: (labels.get(name) in values) == (how == "in")
    name, sign, value = _split(part)
    if sign:
        return lambda labels: (labels.get(name) == value) == (sign == "=")
    if not re.fullmatch(r"!?[\w./-]+", part):
        raise BadSelector(f"unable to parse requirement: {part!r}")
    return lambda labels: (part.removeprefix("!") in labels) != part.startswith("!")


def _field(resource: Resource, part: str) -> Test:
    name, sign, value = _split(part)
    if not sign:
        raise BadSelector(f"invalid selector: {part!r}; can't understand {part!r}")
    if name not in ("metadata.name", "metadata.namespace", *_FIELDS.get(resource, ())):
        raise BadSelector(f"field label not supported: {name}")
    return lambda item: (_at(item, name) == value) == (sign == "=")


def _split(part: str) -> tuple[str, str, str]:
    found = re.match(r"^([^=!\s]+)\s*(!=|==|=)\s*(.*)$", part)
    return (found[1], "!=" if found[2] == "!=" else "=", found[3]) if found else (part, "", "")


def _at(item: Any, path: str) -> str:
    for key in path.split("."):
        item = item.get(key) if isinstance(item, dict) else None
    return "" if item is None else str(item)
