"""Names lead back to what they name; several verdicts become one."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import names
from bot.core.model import Kind
from bot.core.names import BranchName
from bot.core.target import Stage, Tag
from bot.core.verdict import Outcome, Verdict, combine
from tests.core.situations import deploy, look, pinned, value

TARGETS = st.from_regex(names.TARGET, fullmatch=True)


@given(TARGETS, st.from_regex(names.VERSION, fullmatch=True), st.integers(1, 10**9))
def test_a_branch_leads_back_to_its_target(target: str, version: str, number: int) -> None:
    assert names.parse_branch(names.deploy_branch(target, version)) == BranchName(
        Kind.DEPLOY, target, version
    )
    back = names.parse_branch(names.revert_branch(target, version, number))
    assert back == BranchName(Kind.REVERT, target, version, number)


@pytest.mark.parametrize(
    "name", ["main", "gitops-bot/x/v1", "gitops-bot/x/y/v", "gitops-bot/x/y/vx", "gitops-bot/X/y/v1", "gitops-bot/x/y/v1\n", "gitops-bot/x/y/revert-v1", "feature/gitops-bot/x/y/v1"]
)  # fmt: skip
def test_other_branches_are_nobodys(name: str) -> None:
    assert names.parse_branch(name) is None


@given(st.text())
def test_any_branch_name_can_be_asked(name: str) -> None:
    found = names.parse_branch(name)
    assert found is None or name.startswith("gitops-bot/")


def test_a_tag_leads_back_to_its_version() -> None:
    assert names.version_of_tag(names.image_tag("7")) == "7"
    assert [names.version_of_tag(tag) for tag in (None, "", "7", "v", "v1.2", "latest", "v7\n")] == [None] * 7


def test_targets_that_share_an_image_share_its_build() -> None:
    one = names.correlation("ghcr.io/acme/fraud-detector", "v7")
    assert one == names.correlation("ghcr.io/acme/fraud-detector", "v7")
    assert one != names.correlation("ghcr.io/acme/fraud-detector", "v8")
    assert names.status_context("a/b") == "gitops-bot/a/b"


def test_selectors_and_values_read_well() -> None:
    assert (str(Tag("deploy", "production")), str(Stage("Production"))) == (
        "tag deploy=production",
        "stage Production",
    )
    assert str(value("6")).startswith("ghcr.io/acme/fraud-detector:v6@sha256:")
    assert str(type(value("6"))()) == "nothing"
    assert look().target.environment == "production"
    assert (deploy(1, "7").kind, pinned("7").later) == (Kind.DEPLOY, ())


def test_what_failed_outweighs_what_is_not_known() -> None:
    good, bad = Verdict(Outcome.SUCCEEDED, "good"), Verdict(Outcome.FAILED, "bad")
    unknown = Verdict(Outcome.INCONCLUSIVE, "who knows", taken_in=False, again=timedelta(seconds=9))
    slow = Verdict(Outcome.PENDING, "slow", again=timedelta(seconds=3))
    assert combine((good, bad, unknown)).because == "bad"
    assert combine((good, unknown, slow)).outcome is Outcome.INCONCLUSIVE
    assert combine((unknown, slow)).again == timedelta(seconds=3)
    assert combine((good, unknown)).taken_in is False
    assert combine((good, Verdict(Outcome.SUCCEEDED, "too"))).because == "good; too"
    assert combine(()).outcome is Outcome.SUCCEEDED
    assert "nothing is configured" in combine(()).because
