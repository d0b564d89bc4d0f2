"""Texts as GitHub takes them: short enough, in characters that it stores, and with marks that people do not see."""

import re

from bot.core.names import PREFIX


def described(text: str) -> str:
    """The text in one line of characters that a status may have: GitHub refuses emoji and the like there (422)."""
    return re.sub(r"[^\x20-\ud7ff\ue000-\uffff]", "\ufffd", " ".join(text.split()))


def hidden(marker: str) -> str:
    """The first line of a comment of the bot's, which people do not see."""
    return f"<!-- {PREFIX}:{marker} -->"


def shortened(text: str, limit: int) -> str:
    """The text, or as many of its words as fit in `limit` characters with an ellipsis."""
    if len(text) <= limit:
        return text
    words = re.match(rf"(?s).{{1,{limit - 1}}}(?=\s)", text)
    return f"{words.group().rstrip() if words else text[: limit - 1]}…"
