"""Syncs that end, or do not end, for reasons that no recording has, in the words of gitops-engine and of API servers."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.adapters.argocd.judge import judge
from bot.adapters.argocd.reading import is_stuck
from bot.core.verdict import Claim, Outcome, Verdict
from tests.recordings.reader import changes

LIVE = [change["object"] for change in changes("argocd", "02-image-bump") if change["object"]["kind"] == "Application"][-1]  # fmt: skip
COMMIT, IMAGE = LIVE["status"]["sync"]["revision"], "127.0.0.1:5000/web:good-2"
MERGED = datetime(2026, 11, 23, 7, 3, 6, tzinfo=UTC)
CLAIM = Claim(COMMIT, IMAGE, MERGED, settle=timedelta(seconds=3), deadline=timedelta(minutes=10))
TASKS = "one or more synchronization tasks completed unsuccessfully"


def syncing(phase: str, message: str, revision: str = COMMIT, **more: Any) -> dict[str, Any]:
    """The Application whose last operation has not succeeded; `resources` is what it says of its objects."""
    document = copy.deepcopy(LIVE)
    status = document["status"]
    result = {"revision": revision, "resources": more.pop("resources", [])}
    status["sync"]["status"], status["history"] = "OutOfSync", []
    status["operationState"] = {
        "phase": phase, "message": message, "startedAt": "2026-11-23T07:03:06Z", "syncResult": result,
        "operation": {"sync": {"revision": revision}}, **more,
    }  # fmt: skip
    status["reconciledAt"] = more.get("compared", "2026-11-23T07:13:00Z")
    return document


def said(document: dict[str, Any], seconds: float = 60, claim: Claim = CLAIM) -> Verdict:
    return judge([document], claim, MERGED + timedelta(seconds=seconds))


# --- Its own sync failed ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        f'{TASKS}, reason: Internal error occurred: failed calling webhook "x.acme.dev": connect: connection refused',
        "ComparisonError: rpc error: code = Unavailable desc = connection error: dial tcp 10.0.0.7:8081: i/o timeout",
        "Operation terminated",
    ],
)
def test_an_outage_or_a_person_that_ended_its_sync_does_not_condemn_it(message: str) -> None:
    for phase in ("Failed", "Error"):
        verdict = said(syncing(phase, message, finishedAt="2026-11-23T07:03:09Z"))
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert "a person must sync it" in verdict.because


def test_an_outage_that_outlasts_the_retries_does_not_condemn_it() -> None:
    document = syncing("Running", f"{TASKS}, reason: etcdserver: request timed out", retryCount=3)
    assert said(document).outcome is Outcome.PENDING
    assert said(document, 601).outcome is Outcome.INCONCLUSIVE


def test_older_versions_name_the_reason_only_beside_the_object() -> None:
    deployment = {"kind": "Deployment", "name": "web", "status": "SyncFailed"}
    refused = syncing("Failed", TASKS, resources=[deployment | {"message": 'Deployment.apps "web" is invalid: x'}])  # fmt: skip
    verdict = said(refused)
    assert verdict.outcome is Outcome.FAILED
    assert 'Deployment web: Deployment.apps "web" is invalid' in verdict.because
    outage = syncing("Failed", TASKS, resources=[deployment | {"message": "dial tcp: i/o timeout"}])
    assert said(outage).outcome is Outcome.INCONCLUSIVE


def test_a_hook_that_fails_condemns_it() -> None:
    hook = {"kind": "Job", "name": "migrate", "hookPhase": "Failed", "message": "Job has reached the specified backoff limit"}  # fmt: skip
    verdict = said(syncing("Failed", TASKS, resources=[hook]))
    assert verdict.outcome is Outcome.FAILED
    assert "Job migrate: Job has reached the specified backoff limit" in verdict.because


# --- A sync that waits -----------------------------------------------------------------------------


def test_a_sync_that_waits_for_its_own_pods_has_failed_at_the_deadline() -> None:
    """With waves, or a hook after the sync, the operation itself waits for health, and Argo CD sets it no time."""
    document = syncing("Running", "waiting for healthy state of apps/StatefulSet/web and 1 more resources")
    waiting = said(document)
    assert waiting.outcome is Outcome.PENDING
    assert "waiting for healthy state of apps/StatefulSet/web" in waiting.because
    verdict = said(document, 601)
    assert verdict.outcome is Outcome.FAILED
    assert "is not done, and the deadline has passed: waiting for healthy state" in verdict.because


@pytest.mark.parametrize(
    "message", ["waiting for completion of hook batch/Job/migrate", "waiting for healthy state of /Service/web", ""]
)  # fmt: skip
def test_a_sync_that_waits_for_something_else_is_not_known_and_says_for_what(message: str) -> None:
    verdict = said(syncing("Running", message), 601)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert message in verdict.because


def test_a_sync_that_nobody_drives_any_more_has_not_failed() -> None:
    document = syncing("Running", "waiting for healthy state of apps/Deployment/web")
    document["status"]["reconciledAt"] = "2026-11-23T07:03:07Z"
    assert said(document, 1200).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("message", ["waiting for completion of hook batch/Job/migrate", "waiting for healthy state of apps/Deployment/web"])  # fmt: skip
def test_a_sync_that_may_wait_for_ever_blocks_the_revert_and_may_be_ended(message: str) -> None:
    document = syncing("Running", message, revision="d" * 40)
    assert not said(document, 299).blocked
    verdict = said(document, 301)
    assert verdict.blocked
    assert f"is still busy with commit dddddddd, which is not this commit, since 2026-11-23 07:03:06 UTC: {message}" in verdict.because  # fmt: skip
    assert is_stuck(document)
    assert not is_stuck(syncing("Running", message)), "of the newest commit"
    assert not is_stuck(syncing("Running", "", revision="d" * 40)), "it gets on"
