"""Fields of documents that may miss anything or hold anything, and revisions in all of Flux's formats."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.core.fields import maps, moment, text

_COMMIT = re.compile(r"(?:\A|[:/])([0-9a-f]{40}(?:[0-9a-f]{24})?)\Z")


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition; `since` is UTC with whole seconds, `generation` the one of the object that it speaks of."""

    status: str = ""
    reason: str = ""
    message: str = ""
    since: datetime | None = None
    generation: int | None = None

    def __bool__(self) -> bool:
        """Whether it is there and true."""
        return self.status == "True"


NONE = Condition()


def commit_of(revision: Any) -> str | None:
    """The commit in `main@sha1:<hex>`, `sha1:<hex>`, `refs/heads/main@sha1:<hex>`, `main/<hex>`, or None.

    fixtures/flux/README.md, section (a); facts/products.md, section 2.1.
    """
    found = _COMMIT.search(revision) if isinstance(revision, str) else None
    return found.group(1) if found else None


def conditions(status: Mapping[str, Any]) -> Mapping[str, Condition]:
    """By type; the last one of a type counts."""
    return {
        text(item, "type"): Condition(
            status=text(item, "status"),
            reason=text(item, "reason"),
            message=text(item, "message"),
            since=moment(item, "lastTransitionTime"),
            generation=number(item, "observedGeneration"),
        )
        for item in maps(status, "conditions")
    }


def number(holder: Mapping[str, Any], key: str) -> int | None:
    """The whole number under a key, or None."""
    value = holder.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def scalars(value: Any, depth: int = 24) -> list[tuple[str, Any]]:
    """Every scalar below a value with the key that it stands under; what is nested deeper is left out."""
    found: list[tuple[str, Any]] = []
    waiting: list[tuple[str, Any, int]] = [("", value, depth)]
    while waiting:
        key, item, left = waiting.pop()
        if isinstance(item, Mapping):
            waiting += [(str(name), inner, left - 1) for name, inner in item.items() if left]
        elif isinstance(item, list):
            waiting += [(key, inner, left - 1) for inner in item if left]
        else:
            found.append((key, item))
    return found
