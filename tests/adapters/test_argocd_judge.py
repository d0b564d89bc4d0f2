"""The judge about situations that no recording has, and about documents that are broken or hostile."""

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.adapters.argocd.judge import judge
from bot.adapters.argocd.reading import is_stuck
from bot.core.verdict import Claim, Outcome, Verdict
from tests.recordings.adapter import claim_of
from tests.recordings.reader import changes, expectations

# The last state of a good bump: Synced and Healthy since 07:03:10, applied at 07:03:07.
LIVE = [change["object"] for change in changes("argocd", "02-image-bump") if change["object"]["kind"] == "Application"][-1]  # fmt: skip
COMMIT = LIVE["status"]["sync"]["revision"]
IMAGE = "127.0.0.1:5000/web:good-2"
MERGED = datetime(2026, 11, 23, 7, 3, 6, tzinfo=UTC)
LATER = "b" * 40


def claim(**changes_: Any) -> Claim:
    base = Claim(COMMIT, IMAGE, MERGED, settle=timedelta(seconds=3), deadline=timedelta(minutes=10))
    return Claim(**{slot: changes_.get(slot, getattr(base, slot)) for slot in Claim.__slots__})


def application(**status: Any) -> dict[str, Any]:
    """The live Application with other parts of its status; None takes a part away."""
    document = copy.deepcopy(LIVE)
    for key, value in status.items():
        if value is None:
            document["status"].pop(key, None)
        else:
            document["status"][key] = value
    return document


def after(seconds: float) -> datetime:
    """So long after the merge."""
    return MERGED + timedelta(seconds=seconds)


def said(document: dict[str, Any], about: Claim | None = None, seconds: float = 30) -> Verdict:
    return judge([document], about or claim(), after(seconds))


# --- Proof -----------------------------------------------------------------------------------------


def test_it_is_live_only_after_it_has_stayed_well_for_as_long_as_asked() -> None:
    waiting = said(LIVE, seconds=5)
    assert waiting.outcome is Outcome.PENDING
    assert waiting.again == timedelta(seconds=2)
    assert "must stay so until 2026-11-23 07:03:13 UTC" in waiting.because
    assert said(LIVE, seconds=7).outcome is Outcome.SUCCEEDED


def test_the_sentence_of_a_success_does_not_change_with_the_time() -> None:
    assert said(LIVE, seconds=30).because == said(LIVE, seconds=60).because
    assert "Healthy since 2026-11-23 07:03:10 UTC" in said(LIVE).because


def test_what_the_sync_operation_is_busy_with_is_not_proven_yet() -> None:
    assert said(LIVE | {"operation": {"sync": {"revision": COMMIT}}}).outcome is Outcome.PENDING


def test_health_that_was_read_before_the_sync_ended_proves_nothing() -> None:
    verdict = said(application(reconciledAt="2026-11-23T07:03:06Z"))
    assert verdict.outcome is Outcome.PENDING


def test_an_application_that_nobody_has_looked_at_for_ten_minutes_may_be_frozen() -> None:
    verdict = said(LIVE, seconds=700)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert not verdict.taken_in
    assert "is its controller running?" in verdict.because


def test_a_sync_that_took_a_newer_commit_than_it_was_asked_for_counts_for_that_one() -> None:
    """A retry with `refresh: true` does (recording 04d)."""
    operation = copy.deepcopy(LIVE["status"]["operationState"])
    operation["operation"]["sync"]["revision"] = "c" * 40
    assert said(application(operationState=operation), seconds=8).outcome is Outcome.SUCCEEDED


def test_a_digest_decides_whatever_the_tag_says() -> None:
    digest = "sha256:" + "1" * 64
    pods = application(summary={"images": [f"127.0.0.1:5000/web:v7@{digest}"]})
    assert said(pods, claim(image=f"127.0.0.1:5000/web:v7@{digest}")).outcome is Outcome.SUCCEEDED
    assert said(pods, claim(image=f"127.0.0.1:5000/web@{digest}")).outcome is Outcome.SUCCEEDED
    other = said(pods, claim(image="127.0.0.1:5000/web:v7@sha256:" + "2" * 64))
    assert other.outcome is Outcome.INCONCLUSIVE
    assert "no pod runs" in other.because


def test_a_return_to_what_runs_anyway_needs_no_sync_of_its_own() -> None:
    about = claim(commit=LATER, revert=True, merged_at=after(20))
    document = application(sync={"status": "Synced", "revision": LATER}, reconciledAt="2026-11-23T07:03:27Z")
    assert said(document, about, seconds=24).outcome is Outcome.PENDING
    assert said(document, about, seconds=26).outcome is Outcome.SUCCEEDED


def test_a_return_is_believed_while_a_hooks_pod_of_the_bad_image_is_left() -> None:
    about = claim(commit=LATER, revert=True)
    pods = {"images": [IMAGE, "127.0.0.1:5000/web:bad"]}
    document = application(sync={"status": "Synced", "revision": LATER}, summary=pods)
    assert said(document, about).outcome is Outcome.SUCCEEDED


def test_a_sync_without_a_rollout_counts_from_its_end() -> None:
    """Only a label of the Service changes: the health stays what it was long before (recording 29)."""
    document = application(health={"status": "Healthy", "lastTransitionTime": "2026-11-23T06:00:00Z"})
    assert said(document, seconds=3).outcome is Outcome.PENDING
    assert said(document, seconds=5).outcome is Outcome.SUCCEEDED


def test_a_bump_for_which_nothing_was_applied_is_doubted_while_other_images_run() -> None:
    document = application(
        sync={"status": "Synced", "revision": LATER},
        summary={"images": [IMAGE, "127.0.0.1:5000/web:good-1", "docker.io/sidecar:1"]},
    )
    verdict = said(document, claim(commit=LATER))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "nothing was applied" in verdict.because
    assert "web:good-1" in verdict.because


def test_zero_replicas_serve_nothing() -> None:
    verdict = said(application(summary={}))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no replicas" in verdict.because
    assert "does not allow ReplicaSet and Pod" in verdict.because


# --- Failure ---------------------------------------------------------------------------------------


def degraded(since: str = "2026-11-23T07:03:40Z", **more: Any) -> dict[str, Any]:
    return application(health={"status": "Degraded", "lastTransitionTime": since}, **more)


def test_degraded_after_its_own_sync_is_its_failure() -> None:
    verdict = said(degraded(), seconds=60)
    assert verdict.outcome is Outcome.FAILED
    assert "became Degraded at 2026-11-23 07:03:40 UTC" in verdict.because


def test_what_is_degraded_is_named_where_the_answer_tells() -> None:
    health = {"status": "Degraded", "message": 'Deployment "web" exceeded its progress deadline'}
    resources = [
        {"kind": "Deployment", "name": "web", "health": health},
        {"kind": "Service", "name": "web", "health": {"status": "Healthy"}},
    ]
    verdict = said(degraded(resources=resources), seconds=60)
    assert "Deployment web is Degraded: Deployment" in verdict.because
    assert any("exceeded its progress deadline" in item.answer for item in verdict.evidence)


def test_degraded_since_before_the_commit_is_not_its_failure_however_long_it_takes() -> None:
    document = degraded("2026-11-23T07:00:00Z")
    assert said(document, seconds=5).outcome is Outcome.PENDING
    assert said(document, seconds=60).outcome is Outcome.INCONCLUSIVE
    late = application(
        health={"status": "Degraded", "lastTransitionTime": "2026-11-23T07:00:00Z"}, reconciledAt=None
    )
    assert said(late, seconds=6000).outcome is Outcome.INCONCLUSIVE


def test_degraded_before_a_later_sync_of_the_same_image_is_still_its_failure() -> None:
    """Another commit with the same image is synced after the rollout has failed: that mends nothing."""
    history = [
        {"revision": COMMIT, "deployStartedAt": "2026-11-23T07:03:06Z"},
        {"revision": LATER, "deployStartedAt": "2026-11-23T07:04:00Z"},
    ]
    operation = copy.deepcopy(LIVE["status"]["operationState"])
    operation["syncResult"]["revision"] = LATER
    operation |= {"startedAt": "2026-11-23T07:04:00Z", "finishedAt": "2026-11-23T07:04:01Z"}
    document = degraded(
        history=history, operationState=operation, sync={"status": "Synced", "revision": LATER}
    )
    verdict = said(document, claim(contains=(LATER,), later=(LATER,)), seconds=120)
    assert verdict.outcome is Outcome.FAILED


def test_progressing_at_the_deadline_has_failed_if_it_was_begun_in_time() -> None:
    document = application(
        health={"status": "Progressing", "lastTransitionTime": "2026-11-23T07:03:08Z"}, reconciledAt=None
    )
    about = claim(deadline=timedelta(seconds=60))
    assert said(document, about, seconds=59).outcome is Outcome.PENDING
    verdict = said(document, about, seconds=61)
    assert verdict.outcome is Outcome.FAILED
    assert "Progressing, and the deadline has passed" in verdict.because


def test_progressing_at_the_deadline_goes_on_if_it_was_begun_late() -> None:
    document = application(
        health={"status": "Progressing", "lastTransitionTime": "2026-11-23T07:03:08Z"}, reconciledAt=None
    )
    about = claim(merged_at=after(-55), deadline=timedelta(seconds=60))
    verdict = said(document, about, seconds=10)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "nothing says that it is this commit's fault" in verdict.because
    assert said(document, about, seconds=61).outcome is Outcome.FAILED


def failed_sync(revision: str = COMMIT, **more: Any) -> dict[str, Any]:
    state = {
        "phase": "Failed",
        "message": "one or more objects failed to apply",
        "operation": {"sync": {"revision": revision}},
        "startedAt": "2026-11-23T07:03:06Z",
        "finishedAt": "2026-11-23T07:03:07Z",
    }
    return application(
        sync={"status": "OutOfSync", "revision": COMMIT}, operationState=state | more, history=[]
    )


def test_its_own_failed_sync_is_its_failure_with_the_message() -> None:
    verdict = said(failed_sync())
    assert verdict.outcome is Outcome.FAILED
    assert "one or more objects failed to apply" in verdict.because
    assert any("one or more objects" in item.answer for item in verdict.evidence)


def retrying(**more: Any) -> dict[str, Any]:
    return failed_sync(**({"phase": "Running", "retryCount": 2} | more)) | {
        "operation": {"sync": {"revision": COMMIT}}
    }


def test_a_sync_that_is_tried_again_has_failed_only_at_the_deadline() -> None:
    waiting = said(retrying())
    assert waiting.outcome is Outcome.PENDING
    assert "try 3: one or more objects failed to apply" in waiting.because
    assert said(retrying(), seconds=601).outcome is Outcome.FAILED


def test_trying_again_what_was_applied_before_is_no_failure() -> None:
    document = retrying()
    document["status"]["history"] = [{"revision": COMMIT}]
    assert said(document, seconds=601).outcome is Outcome.INCONCLUSIVE


def test_it_is_taken_in_as_soon_as_its_sync_has_begun() -> None:
    """For a moment the comparison still tells of the commit before (recording 02)."""
    document = retrying(retryCount=0)
    document["status"]["sync"] = {"status": "Synced", "revision": "d" * 40}
    assert said(document).taken_in
    document["status"].pop("operationState")
    assert said(document).taken_in


def test_progressing_for_another_reason_is_not_its_failure() -> None:
    """Nothing was applied for the commit, so what rolls out is something else."""
    document = application(
        health={"status": "Progressing", "lastTransitionTime": "2026-11-23T07:03:08Z"},
        sync={"status": "Synced", "revision": LATER},
        history=[{"revision": COMMIT}, {"revision": LATER, "deployStartedAt": "2026-11-23T07:03:06Z"}],
    )
    assert said(document, claim(commit=LATER), seconds=6000).outcome is Outcome.INCONCLUSIVE


def test_another_commits_failed_sync_is_not_its_failure() -> None:
    assert said(failed_sync("c" * 40)).outcome is not Outcome.FAILED
    assert said(failed_sync("c" * 40), seconds=6000).outcome is not Outcome.FAILED


def test_a_later_failed_sync_does_not_undo_that_it_was_applied() -> None:
    document = failed_sync()
    document["status"]["history"] = [{"revision": COMMIT}]
    assert said(document).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("seconds", [30, 6000])
@pytest.mark.parametrize(
    "status",
    [
        {"health": {"status": "Suspended", "lastTransitionTime": "2026-11-23T07:03:10Z"}},
        {"health": {"status": "Unknown", "lastTransitionTime": "2026-11-23T07:03:10Z"}},
        {
            "sync": {"status": "Unknown", "revision": "main"},
            "conditions": [{"type": "ComparisonError", "message": "no"}],
        },
        {"sync": {"status": "OutOfSync", "revision": COMMIT}, "operationState": None, "history": []},
        {"sync": {"status": "Synced", "revision": "d" * 40}},
        {"sync": {"status": "Synced", "revision": "d" * 40}, "operationState": None, "history": []},
        {"summary": {"images": ["127.0.0.1:5000/web:good-1"]}},
    ],
)
def test_these_never_fail_a_commit_not_even_after_the_deadline(
    status: dict[str, Any], seconds: float
) -> None:
    verdict = said(application(**status), seconds=seconds)
    assert verdict.outcome in (Outcome.PENDING, Outcome.INCONCLUSIVE)
    # The engine calls what is pending and taken in failed, once the deadline has passed.
    assert seconds < 600 or verdict.outcome is Outcome.INCONCLUSIVE or not verdict.taken_in


def test_a_manual_policy_is_named() -> None:
    document = application(sync={"status": "OutOfSync", "revision": COMMIT}, operationState=None, history=[])
    document["spec"]["syncPolicy"] = {"automated": {"enabled": False}}
    assert "a person must sync it" in said(document).because


def test_several_sources_are_told_apart_by_address_or_by_commit() -> None:
    document = application(sync={"status": "Synced", "revisions": ["e" * 40, COMMIT]})
    document["spec"].pop("source")
    document["spec"]["sources"] = [
        {"repoURL": "https://git.acme.dev/chart"},
        {"repoURL": "https://git.acme.dev/values.git"},
    ]
    result = document["status"]["operationState"]["syncResult"]
    result.pop("revision")
    result["revisions"] = ["e" * 40, COMMIT]
    assert said(document).outcome is Outcome.SUCCEEDED
    assert said(document, claim(repository_url="https://GIT.acme.dev/values/")).outcome is Outcome.SUCCEEDED
    other = said(document, claim(repository_url="https://git.acme.dev/chart.git"))
    assert other.outcome is Outcome.PENDING
    mirrored = said(document, claim(repository_url="https://git.acme.dev/mirror"))
    assert mirrored.outcome is Outcome.SUCCEEDED
    elsewhere = claim(commit="c" * 40, repository_url="https://git.acme.dev/mirror")
    unknown = said(document, elsewhere)
    assert (unknown.outcome, unknown.taken_in) == (Outcome.PENDING, False)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("git@git.acme.dev:ml/values.git", "https://git.acme.dev/ml/values", True),
        ("ssh://git@git.acme.dev:2222/ml/values.git", "https://bot@git.acme.dev/ml/values/", True),
        ("https://git.acme.dev:8443/ml/values", "https://git.acme.dev/ml/values", False),
        ("git@git.acme.dev:ml/values.git", "git@git.acme.dev:ml/other.git", False),
    ],
)
def test_a_repository_is_known_by_host_and_path_however_it_is_written(
    one: str, other: str, same: bool
) -> None:
    """The commit stands at the first source, so an address that means the second one does not find it."""
    document = application(sync={"status": "Synced", "revisions": [COMMIT, "e" * 40]}, operationState=None)
    document["spec"].pop("source")
    document["spec"]["sources"] = [{"repoURL": "https://git.acme.dev/chart"}, {"repoURL": one}]
    verdict = said(document, claim(repository_url=other))
    assert verdict.taken_in is not same


def test_without_an_address_the_source_of_an_operation_is_found_before_anything_is_compared() -> None:
    """09: between retries of a first sync only the operation and the history know the commit."""
    sources = [{"repoURL": "https://git.acme.dev/chart"}, {"repoURL": "https://git.acme.dev/values"}]
    revisions = ["e" * 40, COMMIT]
    state = {
        "phase": "Running",
        "startedAt": "2026-11-23T07:03:07Z",
        "operation": {"sync": {"revisions": revisions}},
    }
    document = application(
        sync={"status": "OutOfSync", "revisions": ["e" * 40, "d" * 40]}, operationState=state, history=None
    )
    document["spec"].pop("source")
    document["spec"]["sources"] = sources
    assert f"is syncing commit {COMMIT[:8]}" in said(document).because
    again = application(
        sync=document["status"]["sync"], history=[{"revisions": revisions}], operationState=None
    )
    again["spec"] = document["spec"]
    assert "was applied, but the Application is at commit dddddddd now" in said(again).because


def hydrating(**current: Any) -> dict[str, Any]:
    """The live Application, had the source hydrator rendered its commit into another branch as `e…`."""
    wet = "e" * 40
    document: dict[str, Any] = json.loads(json.dumps(LIVE).replace(COMMIT, wet))
    done = {"drySHA": COMMIT, "hydratedSHA": wet}
    document["status"]["sourceHydrator"] = {
        "lastSuccessfulOperation": done,
        "currentOperation": done | current,
    }
    return document


def test_a_merge_is_found_in_what_the_source_hydrator_made_of_it() -> None:
    document = hydrating(phase="Hydrated")
    verdict = said(document)
    assert verdict.outcome is Outcome.SUCCEEDED
    assert f"commit {COMMIT[:8]} is Synced and Healthy" in verdict.because
    document["status"].pop("sourceHydrator")
    assert not said(document).taken_in


def test_a_merge_that_the_source_hydrator_cannot_render_is_said() -> None:
    document = hydrating(phase="Failed", message="failed to push: denied", drySHA=LATER, hydratedSHA="")
    verdict = said(document, claim(commit=LATER))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "is not rendered by the source hydrator: failed to push: denied" in verdict.because


# --- An operation of another commit in the way -----------------------------------------------------


def recorded(recording: str, second: float) -> tuple[dict[str, Any], datetime]:
    """The Application at this second of a recording, and when that was."""
    seen = [item for item in changes("argocd", recording) if item["object"]["kind"] == "Application"]
    started = next(item["started"] for item in expectations("argocd") if item["recording"] == recording)
    document = [item["object"] for item in seen if item["at"] <= second][-1]
    return document, datetime.fromisoformat(started) + timedelta(seconds=second)


def recorded_claim(id_: str) -> Claim:
    return claim_of(
        next(item["claim"] for item in expectations("argocd") if item["claim"]["id"] == f"argocd/{id_}")
    )


@pytest.mark.parametrize("second", [20, 28.5, 50, 400])
def test_a_retrying_operation_of_a_bad_commit_blocks_its_revert_and_that_is_said(second: float) -> None:
    """04c: between the tries and during them, before and after the deadline."""
    document, now = recorded("04c-revert-while-retrying", second)
    verdict = judge([document], recorded_claim("04c-revert-while-retrying/revert"), now)
    assert verdict.blocked
    assert verdict.outcome is (Outcome.PENDING if second < 69 else Outcome.INCONCLUSIVE)
    assert "tries commit d76c98a9, which is not this commit, again and again (" in verdict.because
    assert "and this one waits until it gives up: one or more" in verdict.because or second == 28.5
    assert is_stuck(document)


@pytest.mark.parametrize(
    ("recording", "who", "second"),
    [
        ("04c-revert-while-retrying", "revert", 9.5),  # not compared with the revert yet
        ("04c-revert-while-retrying", "revert", 500),  # it has given up
        ("04c-revert-while-retrying", "bad", 20),  # the claim's own
        ("04c-revert-while-retrying", "bad", 9.05),  # its first try
    ],
)
def test_nothing_blocks_where_ending_the_operation_would_not_help(
    recording: str, who: str, second: float
) -> None:
    document, now = recorded(recording, second)
    assert not judge([document], recorded_claim(f"{recording}/{who}"), now).blocked


def test_an_operation_is_stuck_only_while_it_is_retried_behind_a_newer_commit() -> None:
    assert [is_stuck(recorded("04c-revert-while-retrying", at)[0]) for at in (5, 9.05, 9.5, 20, 500)] == [
        False, False, False, True, False,
    ]  # fmt: skip
    assert not is_stuck({})


def test_a_retry_that_will_take_the_newest_commit_blocks_nothing() -> None:
    """04d: with `retry.refresh` the next try takes the revert by itself."""
    document, now = recorded("04d-revert-while-retrying-with-retry-refresh", 15)
    verdict = judge([document], recorded_claim("04d-revert-while-retrying-with-retry-refresh/revert"), now)
    assert not verdict.blocked
    assert not is_stuck(document)
    assert "will take this commit at its next try of commit d6946fbd" in verdict.because


def test_a_fix_waits_behind_the_retries_of_what_it_fixes_too() -> None:
    """04e: the fix is compared and OutOfSync, the operation is of the commit before."""
    state = {"phase": "Running", "retryCount": 2, "message": "denied", "finishedAt": "2026-11-23T07:03:09Z"}
    state["operation"] = {"sync": {"revision": "d" * 40}}  # type: ignore[assignment]
    document = application(operationState=state) | {"operation": {"sync": {}}}
    document["status"]["sync"] |= {"status": "OutOfSync"}
    assert said(document).blocked
    assert not said(document, claim(later=("d" * 40,))).blocked, "a later commit is no earlier one's fault"


def test_several_sources_are_stuck_as_a_whole() -> None:
    document = application(sync={"status": "Synced", "revisions": ["e" * 40, COMMIT]})
    document["status"]["operationState"] = {
        "phase": "Running", "retryCount": 1, "syncResult": {"revisions": ["e" * 40, "d" * 40]},
    }  # fmt: skip
    assert is_stuck(document)
    document["status"]["operationState"]["syncResult"]["revisions"] = ["e" * 40, COMMIT]
    assert not is_stuck(document)


# --- A controller that is down (26) ----------------------------------------------------------------


@pytest.mark.parametrize("who", ["bump", "first"])
def test_an_object_that_no_longer_moves_is_noticed_whatever_it_says(who: str) -> None:
    document, now = recorded("26-controller-down", 30)
    about = recorded_claim(f"26-controller-down/{who}")
    assert judge([document], about, now).outcome in (Outcome.PENDING, Outcome.INCONCLUSIVE)
    verdict = judge([document], about, now + timedelta(minutes=11))
    assert (verdict.outcome, verdict.taken_in) == (Outcome.INCONCLUSIVE, False)
    assert (
        "has not looked at web-26 since 2026-11-23 07:16:33 UTC: is its controller running?"
        in verdict.because
    )


def test_a_rollout_that_was_last_seen_long_ago_has_not_failed_at_the_deadline() -> None:
    document = application(health={"status": "Progressing", "lastTransitionTime": "2026-11-23T07:03:08Z"})
    verdict = said(document, seconds=601 + 15)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "is its controller running?" in verdict.because
    document["status"]["reconciledAt"] = "2026-11-23T07:12:00Z"
    assert said(document, seconds=601 + 15).outcome is Outcome.FAILED


# --- Broken and hostile ----------------------------------------------------------------------------

JUNK: tuple[Any, ...] = (None, 7, True, "", "x\n\x1b[31m" * 400, [], {}, [None], [[]], {"a": None}, "9999-12-31T23:59:59-14:00")  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in the document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def replaced(document: Any, path: tuple[Any, ...], junk: Any) -> Any:
    changed = copy.deepcopy(document)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = junk
    return changed


@pytest.mark.parametrize("document", [LIVE, degraded(), failed_sync()], ids=["live", "degraded", "failed"])
def test_no_document_breaks_the_judge(document: dict[str, Any]) -> None:
    for path in places(document):
        for junk in JUNK:
            verdict = said(replaced(document, path, junk))
            assert len(verdict.because) <= 600
            assert all(len(item.answer) <= 500 and item.answer.isprintable() for item in verdict.evidence)
            assert verdict.because.isprintable()


def test_an_empty_document_is_not_taken_in() -> None:
    verdict = said({})
    assert (verdict.outcome, verdict.taken_in) == (Outcome.PENDING, False)


def test_no_document_at_all_is_inconclusive() -> None:
    assert judge([], claim(), after(10)).outcome is Outcome.INCONCLUSIVE


def test_judging_changes_nothing() -> None:
    before = json.dumps(LIVE)
    first, second = said(LIVE), said(LIVE)
    assert first == second
    assert json.dumps(LIVE) == before
