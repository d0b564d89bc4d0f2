"""A release that was good goes on to be judged, for weeks: while it bakes, and before the next merge (recordings, aged)."""

import copy
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.recordings.adapter import judge
from tests.recordings.aging import Change, long_ago, replaced, scaled_up, unchanged
from tests.recordings.reader import changes, expectations, objects_at

PRODUCTS = ("argocd", "flux", "kubernetes")
MONTH = timedelta(days=30)
QUARTER = timedelta(minutes=15)


def ended(product: str, allowed: list[str]) -> list[tuple[str, dict[str, Any], float]]:
    """The claims of which only this may be said in the end, and when their recordings end."""
    found = []
    for expectation in expectations(product):
        last = max(expectation["verdicts"], key=lambda span: span["to"])
        if last["allowed"] == allowed:
            seen = changes(product, expectation["recording"])
            found.append(
                (product, expectation, min(max(last["from"] + 1, seen[-1]["at"]), last["to"] - 0.01))
            )
    return found


GOOD = [item for product in PRODUCTS for item in ended(product, ["succeeded"])]
BAD = [item for product in PRODUCTS for item in ended(product, ["failed"])]


def last_state(
    product: str, expectation: dict[str, Any], at: float
) -> tuple[list[dict[str, Any]], dict[str, Any], datetime]:
    """The objects, the claim and the time at the end of a recording, the claim with a merge of a month ago."""
    claim = dict(expectation["claim"])
    merged = datetime.fromisoformat(claim["since_utc"]) - MONTH
    claim |= {"since_utc": merged.isoformat(), "deadline": QUARTER.total_seconds()}
    documents = copy.deepcopy(objects_at(changes(product, expectation["recording"]), at))
    return documents, claim, datetime.fromisoformat(expectation["started"]) + timedelta(seconds=at)


def of_claims(found: list[tuple[str, dict[str, Any], float]]) -> Any:
    return pytest.mark.parametrize(
        ("product", "expectation", "at"), found, ids=[item["claim"]["id"] for _, item, _ in found]
    )


@of_claims(GOOD)
@pytest.mark.parametrize("change", [unchanged, scaled_up, replaced])
@pytest.mark.parametrize("objects_age", [timedelta(0), MONTH], ids=["young-objects", "old-objects"])
def test_what_was_good_has_not_failed_because_a_pod_is_new_a_month_later(
    product: str, expectation: dict[str, Any], at: float, change: Change, objects_age: timedelta
) -> None:
    documents, claim, now = last_state(product, expectation, at)
    changed = change(long_ago(documents, objects_age), now)
    for seconds in (0, 1, 20, 300):
        asked = now + timedelta(seconds=seconds)
        answer = judge(product, changed, claim, asked)
        assert answer != "failed", f"{seconds} s later"
        if change is unchanged and seconds == 0:
            assert answer == "succeeded"


@of_claims(BAD)
def test_what_was_never_good_has_failed_however_late_it_is_asked_about(
    product: str, expectation: dict[str, Any], at: float
) -> None:
    documents, claim, now = last_state(product, expectation, at)
    assert judge(product, long_ago(documents, MONTH), claim, now) == "failed"


def test_there_are_good_and_bad_ones_of_each_product() -> None:
    for product in PRODUCTS:
        assert len([item for item in GOOD if item[0] == product]) >= 10
        assert len([item for item in BAD if item[0] == product]) >= 1
