"""The fields of documents that strangers wrote: what is missing or of a wrong kind reads as nothing. Never raises."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any


def child(holder: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """The object at a path."""
    for key in path:
        value = holder.get(key)
        holder = value if isinstance(value, Mapping) else {}
    return holder


def maps(holder: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    """The objects in the list under a key."""
    value = holder.get(key)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def text(holder: Mapping[str, Any], key: str) -> str:
    """The text under a key."""
    value = holder.get(key)
    return value if isinstance(value, str) else ""


def texts(value: Any) -> tuple[str, ...]:
    """The texts in a list."""
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def moment(holder: Mapping[str, Any], key: str) -> datetime | None:
    """The time under a key, in UTC."""
    try:
        found = datetime.fromisoformat(text(holder, key))
        return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
