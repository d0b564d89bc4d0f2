"""The corpus in other clothes: what an edit changes in a file, it changes in that file inside of another one."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from bot.adapters.manifests.editing import set_everywhere
from tests.corpus.test_corpus import accepted, packed


def block(text: str) -> str:
    """A ConfigMap with the text as a literal block."""
    lines = (f"    {line}\n" if line else "\n" for line in text.rstrip("\n").split("\n"))
    return f"kind: ConfigMap\ndata:\n  a: |\n{''.join(lines)}  z: 1\n"


def quoted(text: str) -> str:
    """A ConfigMap with the text in double quotes, as far as YAML can say it like JSON."""
    return f"kind: ConfigMap\ndata:\n  a: {json.dumps(text, ensure_ascii=False)}\n"


def in_json(text: str) -> str:
    """A JSON file of a ConfigMap with the text."""
    return json.dumps({"kind": "ConfigMap", "data": {"a": text}}, indent=1)


def windows(text: str) -> str:
    """The text with the line ends of Windows."""
    return re.sub("\r?\n", "\r\n", text)


CLOTHES: dict[str, Callable[[str], str]] = {
    "with Windows line ends": windows,
    "with a byte order mark": lambda text: f"\ufeff{text}",
    "without a final line end": lambda text: text.rstrip("\n"),
    "behind another document": lambda text: f"a: 1\n--- # c\n{text}",
    "behind empty documents": lambda text: f"---\n---\n{text}",
    "before blank lines": lambda text: f"{text}\n\n  \n",
    "in a block": block,
    "in a block with Windows line ends": lambda text: windows(block(text)),
    "in a block in a block": lambda text: block(block(text)),
    "in quotes": quoted,
    "in a JSON file": in_json,
    "in quotes in a block": lambda text: block(quoted(text)),
}


def fits(case: dict[str, Any], text: str) -> bool:
    """Whether the text may be dressed at all: not twice, and not where YAML could not say it."""
    odd = ("\r", "\t\n", " \n", "\n...", "\ufeff", "\u2028", "\x85")
    is_odd = text.startswith((" ", "\n", "%")) or any(mark in text for mark in odd)
    return not case["derived"] and case["form"] != "template-literal" and not is_odd


@pytest.mark.parametrize("clothes", CLOTHES)
def test_an_edit_is_exact(clothes: str) -> None:
    cases, files = packed()
    dress, done = CLOTHES[clothes], 0
    for case in cases:
        text = files[case["file"]].decode(errors="replace")
        if len(text) > 8000 or not fits(case, text):
            continue
        wanted = [dress(data.decode()) for data in accepted(files[case["file"]], case)]
        done += 1
        after = set_everywhere("f.yaml", dress(text).encode(), case["image"], case["new"]).decode()
        assert after in wanted, (case["id"], case["file"])
    assert done > 80
