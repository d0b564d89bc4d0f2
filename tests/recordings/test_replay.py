"""The production judges against what real products said: every verdict at every moment of every recording."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.recordings.adapter import judge
from tests.recordings.reader import changes, expectations, objects_at

ARGOCD = expectations("argocd")


def moments(seen: list[dict[str, Any]], expectation: Mapping[str, Any]) -> list[float]:
    """Every change, and every second up to the end of the last span."""
    last = max([span["to"] for span in expectation["verdicts"]] + [change["at"] for change in seen])
    asked = {change["at"] for change in seen} | {float(second) for second in range(int(last) + 1)}
    return sorted(at for at in asked if at >= expectation["claim"]["since"])


@pytest.mark.parametrize("expectation", ARGOCD, ids=[item["claim"]["id"] for item in ARGOCD])
def test_every_answer_about_a_recorded_rollout_is_right(expectation: dict[str, Any]) -> None:
    started = datetime.fromisoformat(expectation["started"])
    seen = changes("argocd", expectation["recording"])
    wrong = []
    for at in moments(seen, expectation):
        allowed = [s["allowed"] for s in expectation["verdicts"] if s["from"] <= at < s["to"]]
        objects = objects_at(seen, at)
        answer = judge("argocd", objects, expectation["claim"], started + timedelta(seconds=at))
        if allowed and answer not in allowed[0]:
            wrong.append((at, answer, allowed[0]))
    assert not wrong, f"{expectation['because']} First: {wrong[0]}"


def test_there_are_recordings_of_every_outcome() -> None:
    allowed = {word for item in ARGOCD for span in item["verdicts"] for word in span["allowed"]}
    assert {"pending", "succeeded", "failed", "inconclusive", "superseded"} == allowed
    assert len(ARGOCD) > 60
