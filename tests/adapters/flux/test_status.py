"""Flux judged by commit statuses: those that notification-controller really posted (recording 19), and their gaps."""

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.adapters.flux import FluxStatus
from bot.core.target import Flux, Through
from bot.core.verdict import Claim, Outcome, Verdict
from bot.ports import Retryable
from tests.adapters.flux.recorded import Moment
from tests.recordings.reader import HERE

SHOP = Flux("shop", namespace="fx-19", through=Through.FORGE)
STARTED = datetime(2026, 11, 23, 6, 53, 6, 206000, tzinfo=UTC)
POSTED = json.loads(gzip.decompress((HERE / "flux" / "statuses.json.gz").read_bytes()))
Status = tuple[str, str, str, datetime]


def recorded(at: float) -> Callable[[str], Sequence[Status]]:
    """What the forge answered about a commit at this second of recording 19."""

    def statuses(commit: str) -> Sequence[Status]:
        return [
            (item["context"], item["state"], item["description"], STARTED + timedelta(seconds=item["at"]))
            for item in POSTED
            if item["commit"] == commit and item["at"] <= at
        ]

    return statuses


def looked(commit: str, at: float) -> Verdict:
    """The verdict about a recorded claim at this second."""
    moment = Moment(f"19-notifications/{commit}", at)
    return FluxStatus(recorded(at)).look(SHOP, moment.claim, moment.now)


def test_a_success_of_the_kustomization_is_one_after_the_settle_time() -> None:
    assert looked("0421e90", 24).outcome is Outcome.PENDING
    assert looked("0421e90", 28).outcome is Outcome.SUCCEEDED


def test_the_app_of_apps_says_success_seconds_before_and_is_not_asked() -> None:
    assert any(item["context"].startswith("kustomization/root/") and item["at"] < 14 for item in POSTED)
    verdict = looked("0421e90", 20)
    assert (verdict.outcome, verdict.taken_in) == (Outcome.PENDING, False)


def test_a_failure_may_heal_until_the_deadline_and_has_failed_then() -> None:
    assert looked("98a0792", 70).outcome is Outcome.PENDING
    verdict = looked("98a0792", 100)
    assert verdict.outcome is Outcome.FAILED
    assert "health check failed" in verdict.because


def test_a_commit_with_another_image_that_came_through_supersedes() -> None:
    assert looked("2e2b747", 30).outcome is Outcome.SUPERSEDED


def test_a_failure_stays_one_when_another_commit_took_its_place() -> None:
    assert looked("98a0792", 126).outcome is Outcome.FAILED


SHA, NEXT = "a" * 40, "b" * 40
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CLAIM = Claim(
    SHA, "ghcr.io/acme/shop:2", NOW - timedelta(minutes=2), timedelta(seconds=3), timedelta(minutes=15)
)


def said(state: str, description: str = "", seconds: float = 60, provider: str = "6150b151") -> Status:
    """A status of this many seconds ago."""
    return (f"kustomization/shop/{provider}", state, description, NOW - timedelta(seconds=seconds))


def judged(posted: dict[str, list[Status]], claim: Claim = CLAIM, now: datetime = NOW) -> Verdict:
    """The verdict about a claim when this is posted."""
    return FluxStatus(lambda commit: posted.get(commit, [])).look(SHOP, claim, now)


def test_a_skipped_commit_is_proven_by_a_later_one_that_carries_the_image() -> None:
    later = replace(CLAIM, contains=(NEXT,), later=(NEXT,))
    assert judged({NEXT: [said("success")]}, later).outcome is Outcome.SUCCEEDED
    assert judged({NEXT: [said("success")]}).outcome is Outcome.PENDING


def test_no_status_at_the_deadline_is_inconclusive() -> None:
    verdict = judged({}, now=NOW + CLAIM.deadline)
    assert (verdict.outcome, verdict.taken_in) == (Outcome.INCONCLUSIVE, False)


@pytest.mark.parametrize("description", ["artifact failed", "dependency not ready"])
def test_what_is_not_the_commits_doing_never_fails(description: str) -> None:
    posted = {SHA: [said("failure", description)]}
    assert judged(posted).outcome is Outcome.INCONCLUSIVE
    assert judged(posted, now=NOW + CLAIM.deadline).outcome is Outcome.INCONCLUSIVE


def test_a_failure_that_healed_counts_from_when_it_healed_and_not_from_each_repeat() -> None:
    posted = {SHA: [said("success", seconds=1), said("failure", seconds=50), said("success", seconds=20)]}
    assert judged(posted).outcome is Outcome.SUCCEEDED
    assert judged({SHA: posted[SHA][:2]}).outcome is Outcome.PENDING


def test_two_clusters_must_both_succeed() -> None:
    posted = {SHA: [said("success"), said("failure", "health check failed", provider="4af2ec4e")]}
    assert judged(posted).outcome is Outcome.PENDING
    assert judged(posted, now=NOW + CLAIM.deadline).outcome is Outcome.FAILED


def test_a_later_failure_does_not_make_a_commit_failed_that_had_come_through() -> None:
    claim = replace(CLAIM, contains=(NEXT,), later=(NEXT,))
    posted = {SHA: [said("success")], NEXT: [said("failure", "health check failed")]}
    assert judged(posted, claim, NOW + CLAIM.deadline).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    "context",
    [
        "kustomization/shop",
        "kustomization/shop2/6150b151",
        "kustomization/shop/6150b151/x",
        "x/kustomization/shop/6150b151",
    ],
)
def test_another_context_is_not_flux_word_about_this(context: str) -> None:
    assert judged({SHA: [(context, "success", "", NOW - timedelta(minutes=1))]}).outcome is Outcome.PENDING


def test_a_forge_that_does_not_answer_is_inconclusive() -> None:
    def silent(commit: str) -> Sequence[Status]:
        raise Retryable("GitHub does not answer")

    verdict = FluxStatus(silent).look(SHOP, CLAIM, NOW)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "GitHub does not answer" in verdict.because


def test_at_most_ten_commits_are_asked_about_the_newest_first() -> None:
    asked: list[str] = []
    many = tuple(f"{n:040x}" for n in range(50))

    def statuses(commit: str) -> Sequence[Status]:
        asked.append(commit)
        return []

    FluxStatus(statuses).look(SHOP, replace(CLAIM, contains=many, later=many), NOW)
    assert asked == list(reversed(many))[:10]


def test_what_cannot_be_seen_is_said_to_doctor() -> None:
    told = "\n".join(FluxStatus(lambda _: []).advice(replace(SHOP, helm_release="shop")))
    assert "wait: true" in told
    assert "no Receiver" in told
    assert "HelmRelease posts no commit status" in told
    FluxStatus(lambda _: []).ask_to_sync(SHOP)
    FluxStatus(lambda _: []).terminate(SHOP)
