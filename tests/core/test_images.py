"""Images are compared by what identifies them, however much of a reference is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.images import Reference, carries, of_same_repository, parse


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("web", Reference("web", "", "")),
        ("r.io/a/web:v7", Reference("r.io/a/web", "v7", "")),
        ("localhost:5000/web", Reference("localhost:5000/web", "", "")),
        ("localhost:5000/web:v7@sha256:1", Reference("localhost:5000/web", "v7", "sha256:1")),
        ("r.io/web@sha256:1", Reference("r.io/web", "", "sha256:1")),
        ("", Reference("", "", "")),
    ],
)
def test_a_reference_has_three_parts_and_a_port_is_no_tag(text: str, parts: Reference) -> None:
    assert parse(text) == parts


@pytest.mark.parametrize(
    ("listed", "wanted", "same"),
    [
        ("r.io/a/web:v7", "r.io/a/web:v7", True),
        ("r.io/a/web:v7", "r.io/a/web:v8", False),
        ("r.io/a/web:v7@sha256:1", "r.io/a/web:v7", True),
        ("r.io/a/web:v7", "r.io/a/web:v7@sha256:1", False),
        ("r.io/a/web@sha256:1", "r.io/a/web:v7@sha256:1", True),
        ("r.io/a/web:v7@sha256:2", "r.io/a/web:v7@sha256:1", False),
        ("r.io/a/web", "r.io/a/web", True),
        ("localhost:5000/web", "localhost:5000/web:v7", False),
        ("localhost:5000/web:v7", "localhost:5001/web:v7", False),
        ("r.io/b/web:v7", "r.io/a/web:v7", False),
    ],
)
def test_images_are_the_same_by_digest_or_else_by_tag(listed: str, wanted: str, same: bool) -> None:
    assert carries(listed, wanted) is same


def test_images_of_one_repository_need_not_be_the_same() -> None:
    assert of_same_repository("localhost:5000/web", "localhost:5000/web:v7@sha256:1")
    assert not of_same_repository("localhost:5000/web", "localhost/web")


@given(st.text())
def test_whatever_is_listed_is_itself(text: str) -> None:
    assert carries(text, text)
    assert of_same_repository(text, text)
