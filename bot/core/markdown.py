"""Hostile text made inert: nothing that a stranger wrote may become a mention, a link, an image, HTML or a reference.

In GitHub's Markdown a code span is the one place where nothing acts; in titles and commit messages, which know no code
spans, only letters, digits and a few harmless marks stay.
"""

import re
import unicodedata
from datetime import timedelta

from bot.core.telling import excerpt

_PLAIN = re.compile(r"[^\w .,:+=/()\-]")
# `GH-12`, `owner/name` references need their marks; words that close issues need a `#`, which is not among the plain ones.
_REFERENCE = re.compile(r"\b(gh)-(?=\d)", re.IGNORECASE)
_WWW = re.compile(r"www\.", re.IGNORECASE)
_SHA = re.compile(r"\b([0-9a-f]{7})[0-9a-f]{33,57}\b")

_UNSPOKEN = str.maketrans({"@": "＠", "<": "‹", ">": "›", "*": "∗", "_": "＿", "`": "'", "|": "¦"})


def plain(text: str, limit: int = 120) -> str:
    """The text for a title, a commit message or a sentence: one line, no mark that any renderer acts on.

    Whatever is not a letter, a digit or one of ` .,:+=/()-_` becomes `·`. URLs lose their `//`.
    """
    shown = "".join(" " if unicodedata.category(char).startswith(("C", "Z")) else char for char in text)
    shown = _PLAIN.sub("·", " ".join(shown.split()))
    shown = _WWW.sub("www·", shown.replace("//", "/·"))
    shown = _SHA.sub(r"\1…", _REFERENCE.sub(r"\1·", shown))
    return shown if len(shown) <= limit else shown[: limit - 1].rstrip() + "…"


def code(text: str, limit: int = 200) -> str:
    """The text as a code span, also inside a table: one line, bounded, the fence longer than any run of backticks in it."""
    shown = "".join(
        " " if unicodedata.category(char)[0] == "C" or char in "\u2028\u2029" else char for char in text
    )
    shown = " ".join(shown.split()) or " "
    shown = shown if len(shown) <= limit else shown[: limit - 1] + "…"
    # A pipe would end a table's cell even inside code, and its escape shows there: a look-alike is the honest way out.
    shown = shown.replace("|", "¦")
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def block(text: str, limit: int = 4000) -> str:
    """The text as a fenced code block: bounded lines kept, control characters gone, the fence longer than any inside."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    shown = "\n".join(
        "".join(c for c in line if c == "\t" or unicodedata.category(c)[0] != "C") for line in lines
    )
    shown = shown if len(shown) <= limit else shown[:limit] + "\n…"
    fence = "`" * max(3, max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    return f"{fence}text\n{shown}\n{fence}"


def link(label: str, url: str | None) -> str:
    """A link with a label of ours; the URL comes from configuration and is percent-encoded where it was built.

    A URL that is not http(s), or carries a character that could end it, is shown as code instead.
    """
    if url is None:
        return label
    if re.fullmatch(r"https?://[A-Za-z0-9.\-_~:/?#\[\]@!$&'*+,;=%]+", url):
        return f"[{label}](<{url}>)"
    return f"{label}: {code(url)}"


def spoken(text: str, limit: int = 1000) -> str:
    """Text for a chat or a pager, which know marks of their own: one line, nobody is called, nothing is markup."""
    return excerpt(text.translate(_UNSPOKEN), limit)


def span(length: timedelta) -> str:
    """`45 s`, `12 min`, `3 h`: as exact as a sleepy reader wants it."""
    seconds = max(int(length.total_seconds()), 0)
    if seconds < 120:
        return f"{seconds} s" if seconds != 60 else "1 min"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
