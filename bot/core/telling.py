"""How a reading is told to people: UTC times with their date, short commits, hostile text on one bounded line."""

from datetime import UTC, datetime


def at(moment: datetime | None) -> str:
    """`2026-11-24 12:03:04 UTC`: with the date, as the reader may come much later."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if moment else "an unknown time"


def commit(revision: str | None) -> str:
    """`commit 1a2b3c4d`."""
    return f"commit {revision[:8]}" if revision else "no commit"


def line(text: str) -> str:
    """Hostile text on one line: what cannot be printed is a blank, and blanks are one."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def excerpt(text: str, limit: int = 240) -> str:
    """Hostile text on one line, bounded."""
    shown = line(text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
