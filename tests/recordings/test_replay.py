"""The production judges against what real products said: every verdict at every moment of every recording."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.recordings.adapter import judge
from tests.recordings.reader import changes, expectations, objects_at

PRODUCTS = ("argocd", "flux", "kubernetes")
RECORDED = [(product, expectation) for product in PRODUCTS for expectation in expectations(product)]


def moments(seen: list[dict[str, Any]], expectation: Mapping[str, Any]) -> list[float]:
    """Every change, and every second up to the end of the last span."""
    last = max([span["to"] for span in expectation["verdicts"]] + [change["at"] for change in seen])
    asked = {change["at"] for change in seen} | {float(second) for second in range(int(last) + 1)}
    return sorted(at for at in asked if at >= expectation["claim"]["since"])


@pytest.mark.parametrize(
    ("product", "expectation"), RECORDED, ids=[item["claim"]["id"] for _, item in RECORDED]
)
def test_every_answer_about_a_recorded_rollout_is_right(product: str, expectation: dict[str, Any]) -> None:
    started = datetime.fromisoformat(expectation["started"])
    seen = changes(product, expectation["recording"])
    wrong = []
    for at in moments(seen, expectation):
        allowed = [s["allowed"] for s in expectation["verdicts"] if s["from"] <= at < s["to"]]
        objects = objects_at(seen, at)
        answer = judge(product, objects, expectation["claim"], started + timedelta(seconds=at))
        if allowed and answer not in allowed[0]:
            wrong.append((at, answer, allowed[0]))
    assert not wrong, f"{expectation['because']} First: {wrong[0]}"


@pytest.mark.parametrize(("product", "at_least"), [("argocd", 60), ("flux", 80), ("kubernetes", 20)])
def test_there_are_recordings_of_every_outcome(product: str, at_least: int) -> None:
    recorded = expectations(product)
    allowed = {word for item in recorded for span in item["verdicts"] for word in span["allowed"]}
    assert {"pending", "succeeded", "failed", "inconclusive", "superseded"} == allowed
    assert len(recorded) > at_least
