"""What adapters read from documents of strangers, and how they tell it: nothing raises, everything is bounded."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import fields, telling

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("abc"), ANYTHING, max_size=3))
def test_no_field_however_wrong_raises(document: dict[str, object]) -> None:
    for key in "abc":
        assert isinstance(fields.child(document, key, "a"), dict)
        assert all(isinstance(item, dict) for item in fields.maps(document, key))
        assert isinstance(fields.text(document, key), str)
        assert all(isinstance(item, str) for item in fields.texts(document.get(key)))
        found = fields.moment(document, key)
        assert found is None or found.tzinfo is UTC


def test_fields_that_are_there_are_read() -> None:
    document = {"a": {"b": {"c": "x"}}, "list": [1, {"d": 2}], "words": ["e", 3]}
    assert fields.text(fields.child(document, "a", "b"), "c") == "x"
    assert fields.maps(document, "list") == [{"d": 2}]
    assert fields.texts(document["words"]) == ("e",)


@pytest.mark.parametrize(
    "written", ["2026-11-24T12:00:00Z", "2026-11-24T12:00:00", "2026-11-24T14:00:00+02:00"]
)
def test_times_are_in_utc(written: str) -> None:
    assert fields.moment({"at": written}, "at") == NOON


@pytest.mark.parametrize("written", ["yesterday", "", 7, "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time_is_none(written: object) -> None:
    assert fields.moment({"at": written}, "at") is None


def test_times_and_commits_are_told_with_what_a_late_reader_needs() -> None:
    assert telling.at(NOON.astimezone(timezone(timedelta(hours=2)))) == "2026-11-24 12:00:00 UTC"
    assert telling.at(None) == "an unknown time"
    assert telling.commit("1a2b3c4d" * 5) == "commit 1a2b3c4d"
    assert telling.commit(None) == "no commit"


@given(st.text(max_size=300), st.integers(min_value=2, max_value=50))
def test_hostile_text_stays_on_one_bounded_line(text: str, limit: int) -> None:
    shown = telling.excerpt(text, limit)
    assert len(shown) <= limit
    assert shown.isprintable()
    assert "  " not in shown
