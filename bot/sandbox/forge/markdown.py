"""Markdown of strangers as harmless HTML."""

import importlib
from typing import Any

from markupsafe import Markup


def rendered(text: str | None) -> Markup:
    """GitHub's Markdown as HTML; raw HTML and dangerous links are left out. Without cmarkgfm, the text as it is.

    cmark is safe unless told otherwise: raw HTML becomes a comment, `javascript:` and `data:` addresses become empty.
    What it lets through, images from elsewhere, the pages' Content-Security-Policy does not load.
    """
    try:
        cmark: Any = importlib.import_module("cmarkgfm")
    except ImportError:
        return Markup("<pre>{}</pre>").format(text or "")
    return Markup(cmark.github_flavored_markdown_to_html(text or ""))  # noqa: S704 - cmark has made it safe


def coloured(patch: str) -> list[tuple[str, str]]:
    """The lines of a unified diff, each with the name of its colour: hunk, added, removed, or same."""
    kinds = {"@": "hunk", "+": "added", "-": "removed"}
    return [(kinds.get(line[:1], "same"), line) for line in patch.split("\n")] if patch else []
