"""How a reading is told to people: bounded, one line, without what looks like a secret."""

import re

from bot.core.telling import line

LIMIT = 500
_EXCERPT = 240
_ADDRESS = re.compile(r"(?<=://)[^/\s@]{1,200}@")
_SECRET = re.compile(
    r"(?i)\b([\w-]{0,40}(?:password|passwd|secret|token|api[_-]?key|authorization|credential)[\w-]{0,40})"
    r"(\W{0,3}[=:]\W{0,3})(?:(?:bearer|basic)\s+)?[^\s,;\"']{3,}"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}")
_TOKEN = re.compile(r"\b(?:gh[a-z]_|github_pat_|eyJ)[\w.-]{16,}")


def excerpt(hostile: str, limit: int = _EXCERPT) -> str:
    """Hostile text on one line, bounded, secrets that are marked as such blotted out (facts/products.md, 3.2)."""
    shown = line(hostile[: 8 * limit])
    for pattern, instead in (
        (_ADDRESS, "***@"),
        (_SECRET, r"\1\2***"),
        (_BEARER, r"\1 ***"),
        (_TOKEN, "***"),
    ):
        shown = pattern.sub(instead, shown)
    if len(shown) <= limit:
        return shown
    # The cause of an error stands at its end, and what it is about at its beginning.
    tail = limit // 3
    return f"{shown[: limit - tail - 1]}…{shown[-tail:]}"


def name(hostile: str) -> str:
    """The name of an object or container."""
    return excerpt(hostile, 80) or "without a name"


def times(count: int) -> str:
    """`once`, `twice`, `3 times`."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
