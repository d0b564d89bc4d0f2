"""Two signatures compared: what callers will notice."""

import pytest

from bot.core.contract import Change, compare
from bot.core.model import Field, Signature

AMOUNT = Field("amount", "double")


def signature(inputs: tuple[Field, ...], outputs: tuple[Field, ...] | None = None) -> Signature:
    return Signature(inputs, outputs)


CASES = {
    "nothing changed": (signature((AMOUNT,)), signature((AMOUNT,)), Change.SAME, []),
    "no old signature": (None, signature((AMOUNT,)), Change.UNKNOWN, []),
    "no new signature": (signature((AMOUNT,)), None, Change.UNKNOWN, []),
    "old one without inputs": (Signature(), signature((AMOUNT,)), Change.UNKNOWN, []),
    "new one without inputs": (signature((AMOUNT,)), Signature(), Change.UNKNOWN, []),
    "a new required input": (signature(()), signature((AMOUNT,)), Change.BREAKING, ["is new and required (double)"]),
    "a new optional input": (signature(()), signature((Field("a", "long", required=False),)), Change.WIDENED, ["is new and optional (long)"]),
    "an input less": (signature((AMOUNT,)), signature(()), Change.WIDENED, ["is no longer read"]),
    "a wider input": (signature((Field("a", "integer"),)), signature((Field("a", "long"),)), Change.WIDENED, ["was integer, is long"]),
    "a narrower input": (signature((Field("a", "long"),)), signature((Field("a", "integer"),)), Change.BREAKING, ["was long, is integer"]),
    "required now": (signature((Field("a", "long", required=False),)), signature((Field("a", "long"),)), Change.BREAKING, ["is now required"]),
    "optional now": (signature((Field("a", "long"),)), signature((Field("a", "long", required=False),)), Change.WIDENED, ["is now optional"]),
    "an output less": (signature((), (AMOUNT,)), signature((), ()), Change.BREAKING, ["is no longer answered"]),
    "an output more": (signature((), ()), signature((), (AMOUNT,)), Change.WIDENED, ["is new (double)"]),
    "an output of another type": (signature((), (AMOUNT,)), signature((), (Field("amount", "long"),)), Change.BREAKING, ["was double, is long"]),
    "outputs the same": (signature((), (AMOUNT,)), signature((), (AMOUNT,)), Change.SAME, []),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_signatures(case: str) -> None:
    old, new, expected, said = CASES[case]
    change, fields = compare(old, new)
    assert change is expected
    assert [field.said for field in fields] == said
