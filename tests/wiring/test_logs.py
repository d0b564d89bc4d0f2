"""No secret reaches the log, in whatever way it is said."""

import json
import logging
import sys

import pytest

from bot.ports import Retryable
from bot.wiring.logs import Discreet

SECRET = "s3cr3t-value"


def unreadable() -> str:
    raise Retryable("the file is gone")


def record(message: str, *args: object, crashed: bool = False) -> logging.LogRecord:
    raised = None
    if crashed:
        try:
            raise ValueError(f"no access with {SECRET}")
        except ValueError:
            raised = sys.exc_info()
    return logging.LogRecord("bot.test", logging.INFO, __file__, 1, message, args, raised)


@pytest.mark.parametrize("as_json", [True, False])
def test_a_secret_is_blotted_out_everywhere(as_json: bool) -> None:
    form = Discreet([lambda: SECRET, unreadable, lambda: "ab"], as_json=as_json)
    text = form.format(record("token %s in ab", SECRET, crashed=True))
    assert SECRET not in text
    assert "token *** in ab" in text
    assert "no access with ***" in text


def test_minted_tokens_are_blotted_out_too() -> None:
    form = Discreet([], as_json=False)
    said = form.format(record("ghs_123_%s and eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.sig", "x" * 30))
    assert "ghs_" not in said
    assert "eyJ" not in said


def test_json_lines_carry_the_target() -> None:
    one = record("fraud-detector/production: wait: a\nb")
    one.target = "fraud-detector/production"
    line = Discreet([], as_json=True).format(one)
    assert "\n" not in line
    assert json.loads(line)["target"] == "fraud-detector/production"
