"""Fields of documents that others wrote: whatever is missing or of a wrong kind reads as nothing. Never raises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.core import fields
from bot.core.fields import child, maps, text

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition; `changed` is when its status became what it is, `updated` when its reason was last confirmed."""

    status: str
    reason: str
    message: str
    changed: datetime | None
    updated: datetime | None


def number(holder: Document, key: str, default: int = 0) -> int:
    """A whole number. Counters that are zero are absent (fixtures/kubernetes, rule 3)."""
    value = holder.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 1 << 63:
        return default
    return value


def moment(holder: Document, key: str) -> datetime | None:
    """A time in UTC; those of Kubernetes have whole seconds, cut off."""
    found = fields.moment(holder, key)
    return found if found is not None and 1970 < found.year < 9000 else None


def conditions(document: Document) -> Mapping[str, Condition]:
    """The conditions by their type: the list changes its order (fixtures/kubernetes, rule 8)."""
    return {
        text(item, "type"): Condition(
            status=text(item, "status"),
            reason=text(item, "reason"),
            message=text(item, "message"),
            changed=moment(item, "lastTransitionTime"),
            updated=moment(item, "lastUpdateTime") or moment(item, "lastTransitionTime"),
        )
        for item in maps(child(document, "status"), "conditions")
    }


def name_of(document: Document) -> str:
    """The object's name."""
    return text(child(document, "metadata"), "name")


def label(document: Document, key: str) -> str:
    """One of its labels."""
    return text(child(document, "metadata", "labels"), key)


def belongs_to(document: Document, owner: Document) -> bool:
    """Whether the owner controls it: by uid, as labels are shared by old and new (fixtures/kubernetes, rule 9)."""
    uid = text(child(owner, "metadata"), "uid")
    references = maps(child(document, "metadata"), "ownerReferences")
    return bool(uid) and any(
        text(item, "uid") == uid and item.get("controller") is True for item in references
    )


def of_kind(documents: Sequence[Document], kind: str) -> list[Document]:
    """The documents of one kind."""
    return [item for item in documents if item.get("kind") == kind]


def named(documents: Sequence[Document], kind: str, name: str) -> Document | None:
    """The one of a kind with this name."""
    return next((item for item in of_kind(documents, kind) if name_of(item) == name), None)
