"""What Flux's judge makes of each trap: real documents at the moment that matters, some of them changed by hand."""

import copy
import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.adapters.flux.fields import commit_of
from bot.adapters.flux.images import named
from bot.adapters.flux.judge import judge
from bot.core.verdict import Outcome
from tests.adapters.flux.recorded import Moment
from tests.recordings.adapter import claim_of
from tests.recordings.reader import changes, expectations, objects_at

SHA = "0f3c" * 10
FAILED, PENDING, SUCCEEDED = Outcome.FAILED, Outcome.PENDING, Outcome.SUCCEEDED
INCONCLUSIVE, SUPERSEDED = Outcome.INCONCLUSIVE, Outcome.SUPERSEDED


# --- Revisions (a) ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "revision",
    [
        f"main@sha1:{SHA}", f"release/1.x@sha1:{SHA}", f"v1.0.0@sha1:{SHA}", f"refs/heads/main@sha1:{SHA}",
        f"sha1:{SHA}", f"main/{SHA}", SHA,
    ],
)  # fmt: skip
def test_a_commit_is_read_from_every_format(revision: str) -> None:
    assert commit_of(revision) == SHA


@pytest.mark.parametrize(
    "revision", ["", "0.1.0", "0.1.0+0f3c0f3c0f3c", f"main@sha1:{SHA}0", "main", None, 7, [SHA]]
)
def test_what_is_no_commit_is_none(revision: Any) -> None:
    assert commit_of(revision) is None


# --- What misleads (b) -----------------------------------------------------------------------------


def test_ready_of_the_old_commit_is_not_the_new_ones() -> None:
    moment = Moment("02-bump-healthy/6b562c9", 9)
    assert moment.ready() == "True"
    verdict = moment.verdict()
    assert (verdict.outcome, verdict.taken_in) == (PENDING, False)


def test_ready_comes_before_last_applied_and_proves_nothing_then() -> None:
    moment = Moment("02-bump-healthy/6b562c9", 22.25)
    status = moment.of("Kustomization")["status"]
    assert moment.ready() == "True"
    assert moment.claim.commit in status["lastAttemptedRevision"]
    assert moment.claim.commit not in status["lastAppliedRevision"]
    assert moment.verdict().outcome is PENDING


def test_without_wait_ready_says_only_applied() -> None:
    moment = Moment("03b-bump-never-ready-wait-false/d40ca88", 30)
    assert moment.ready() == "True"
    assert moment.verdict().outcome is PENDING


def test_pods_that_no_node_takes_are_not_the_commits_fault() -> None:
    moment = Moment("03b-bump-never-ready-wait-false/d40ca88", 50)
    verdict = moment.verdict()
    assert verdict.outcome is INCONCLUSIVE
    assert "Unschedulable" in verdict.because
    assert moment.without("Pod").verdict().outcome is FAILED


def test_a_full_quota_is_not_the_commits_fault() -> None:
    moment = Moment("03-bump-never-ready/e70c4cc", 120).without("Pod")
    assert moment.verdict().outcome is FAILED
    refused = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": "exceeded quota: cpu",
    }
    moment.of("Deployment")["status"]["conditions"].append(refused)
    verdict = moment.verdict()
    assert verdict.outcome is INCONCLUSIVE
    assert "quota" in verdict.because


def test_a_pod_that_crashes_is_the_commits_fault_even_beside_one_that_is_not_scheduled() -> None:
    moment = Moment("03-bump-never-ready/e70c4cc", 120)
    crashed = copy.deepcopy(
        next(p for p in moment.documents if p["kind"] == "Pod" and "never" in str(p["spec"]))
    )
    crashed["metadata"]["name"] = "shop-crash"
    crashed["status"] = {
        "containerStatuses": [
            {
                "name": "shop",
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
                "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
            }
        ]
    }
    moment.documents.append(crashed)
    verdict = moment.verdict()
    assert verdict.outcome is FAILED
    told = " ".join(item.answer for item in verdict.evidence)
    assert "CrashLoopBackOff, OOMKilled, exit code 137" in told


def test_one_failed_health_check_is_not_final_and_may_recover() -> None:
    failing = Moment("03d-slow-rollout/685968c", 45)
    assert failing.ready() == "False"
    assert failing.verdict().outcome is PENDING
    assert Moment("03d-slow-rollout/685968c", 68).verdict().outcome is SUCCEEDED


def test_a_health_check_that_fails_twice_has_failed_before_the_deadline() -> None:
    moment = Moment("03-bump-never-ready/e70c4cc", 93).without("Pod")
    assert moment.now - moment.claim.merged_at < moment.claim.deadline
    assert moment.of("Kustomization")["status"]["history"][0]["totalReconciliations"] == 2
    verdict = moment.verdict()
    assert verdict.outcome is FAILED
    assert "2 times" in verdict.because


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"paused": True}, "it is paused"),
        ({"updateStrategy": {"type": "OnDelete"}}, "its updateStrategy is OnDelete"),
        ({"updateStrategy": {"rollingUpdate": {"partition": 2}}}, "its partition is 2"),
    ],
)
def test_what_a_person_holds_back_has_not_failed_however_often_flux_says_so(
    setting: dict[str, Any], said: str
) -> None:
    moment = Moment("03-bump-never-ready/e70c4cc", 93).without("Pod")
    assert moment.verdict().outcome is FAILED
    moment.of("Deployment")["spec"] |= setting
    for later in (timedelta(0), moment.claim.deadline):
        moment.now += later
        verdict = moment.verdict()
        assert verdict.outcome is INCONCLUSIVE
        assert f"keeps old pods, as {said}: a person must let it go on" in verdict.because


def test_what_a_person_holds_back_is_said_where_flux_calls_it_done() -> None:
    moment = Moment("02-bump-healthy/6b562c9", 35)
    assert moment.verdict().outcome is SUCCEEDED
    deployment = moment.of("Deployment")
    deployment["spec"]["updateStrategy"] = {"rollingUpdate": {"partition": 1}}
    deployment["status"]["updatedReplicas"] = 1
    assert "as its partition is 1" in moment.verdict().because


def test_failures_of_an_earlier_try_of_the_same_manifests_do_not_count() -> None:
    moment = Moment("03-bump-never-ready/e70c4cc", 93).without("Pod")
    moment.of("Kustomization")["status"]["history"][0]["firstReconciled"] = "2026-11-01T00:00:00Z"
    assert moment.verdict().outcome is PENDING


def test_what_the_api_server_rejects_fails_at_once_although_healthy_stays_true() -> None:
    moment = Moment("04-api-rejects/47f94f6", 20)
    assert {"Healthy": "True"}.items() <= {
        c["type"]: c["status"] for c in moment.of("Kustomization")["status"]["conditions"]
    }.items()
    verdict = moment.verdict()
    assert verdict.outcome is FAILED
    assert "Invalid" in verdict.because


def failing(message: str, reason: str = "ReconciliationFailed") -> Moment:
    """A commit that Flux cannot apply for this reason, at its deadline."""
    moment = Moment("04-api-rejects/47f94f6", 20)
    for condition in moment.of("Kustomization")["status"]["conditions"]:
        condition["message"] = message
        if condition["type"] == "Ready":
            condition["reason"] = reason
    assert moment.verdict().outcome is PENDING
    moment.now += moment.claim.deadline
    return moment


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Deployment/fx-04/shop dry-run failed: failed calling webhook: context deadline exceeded", "ReconciliationFailed"),
        ("Deployment/fx-04/shop dry-run failed (ServiceUnavailable): the server is currently unable", "ReconciliationFailed"),
        ("cannot get sops data key: Error getting data key: 0 successful groups required, failed to decrypt", "BuildFailed"),
    ],
)  # fmt: skip
def test_a_commit_that_an_outage_keeps_from_being_applied_has_not_failed_at_the_deadline(
    message: str, reason: str
) -> None:
    """A revert could not be applied either, and an answer that never came is not a bad answer."""
    verdict = failing(message, reason).verdict()
    assert verdict.outcome is INCONCLUSIVE
    assert "the deadline has passed; but that is not by what is in it" in verdict.because


def test_a_try_that_gets_no_answer_does_not_condemn_the_commit_while_it_waits() -> None:
    moment = failing(
        "Deployment/fx-04/shop dry-run failed: failed calling webhook: context deadline exceeded"
    )
    ready = next(c for c in moment.of("Kustomization")["status"]["conditions"] if c["type"] == "Ready")
    ready |= {"status": "Unknown", "reason": "Progressing", "message": "Reconciliation in progress"}
    ready["lastTransitionTime"] = f"{moment.now - timedelta(seconds=7):%Y-%m-%dT%H:%M:%SZ}"
    assert moment.verdict().outcome is INCONCLUSIVE


def test_an_admission_that_denies_it_has_until_the_deadline_and_condemns_it_then() -> None:
    denied = 'Deployment/fx-04/shop dry-run failed (Forbidden): admission webhook "v.acme.dev" denied the request: unsigned'
    assert failing(denied).verdict().outcome is FAILED


@pytest.mark.parametrize("reason", ["SourceNotReady", "DependencyNotReady", "ValuesError", "ArtifactFailed"])
def test_a_helm_release_that_cannot_begin_condemns_nothing(reason: str) -> None:
    """Its chart, a dependency or a Secret of values is missing: Flux's health check fails for that, again and again."""
    moment = Moment("11-helm-rollback/f01ee4b", 95)
    assert moment.verdict().outcome is FAILED
    conditions = moment.of("HelmRelease")["status"]["conditions"]
    conditions[:] = [item for item in conditions if item["type"] == "Ready"]
    conditions[0] |= {"status": "False", "reason": reason, "message": "HelmChart 'apps/shop' is not ready"}
    for entry in moment.of("Kustomization")["status"]["history"]:
        entry["totalReconciliations"] = 3
    for later in (timedelta(0), moment.claim.deadline):
        moment.now += later
        verdict = moment.verdict()
        assert verdict.outcome is INCONCLUSIVE
        assert f"the HelmRelease shop cannot go on ({reason})" in verdict.because


def test_the_digest_of_a_chart_from_a_registry_is_no_commit() -> None:
    """With `chartRef` to an OCIRepository the version carries 12 hex of a digest, and values may come from a ConfigMap."""
    moment = Moment("10-helm-bump-healthy/e9d4ea0", 40)
    assert moment.verdict().outcome is SUCCEEDED
    release = moment.of("HelmRelease")
    release["spec"]["values"], release["spec"]["valuesFrom"] = {}, [{"kind": "ConfigMap", "name": "shop"}]
    chart = "0.1.0+0cc9a8446c95"
    release["status"] |= {
        "lastAttemptedRevision": chart,
        "lastAttemptedRevisionDigest": "sha256:0cc9a8446c95" + "0" * 52,
    }
    release["status"]["history"][0]["chartVersion"] = chart
    assert moment.verdict().outcome is SUCCEEDED
    release["status"].pop("lastAttemptedRevisionDigest")
    assert moment.verdict().outcome is PENDING, "of another commit"


def test_a_kustomization_whose_own_settings_stop_it_says_so_instead_of_waiting() -> None:
    moment = Moment("02-bump-healthy/6b562c9", 35)
    status = moment.of("Kustomization")["status"]
    stopped = {
        "status": "False",
        "reason": "AccessDenied",
        "message": "cross-namespace references have been blocked",
    }
    conditions = [c for c in status["conditions"] if c["type"] == "Ready"]
    status["conditions"] = [conditions[0] | stopped, {"type": "Stalled", **stopped, "status": "True"}]
    assert "AccessDenied" in moment.verdict().because
    status["lastAttemptedRevision"] = status["lastAppliedRevision"] = "main@sha1:" + "0" * 40
    verdict = moment.verdict()
    assert verdict.outcome is INCONCLUSIVE
    assert "does not go on (AccessDenied): cross-namespace references have been blocked" in verdict.because


def test_a_commit_repaired_by_a_later_one_with_the_same_image_is_live_through_that_one() -> None:
    moment = Moment("04-api-rejects/47f94f6", 65)
    status = moment.of("Kustomization")["status"]
    assert any(moment.claim.commit in str(run) for run in status["history"])
    assert moment.claim.contains[0] in status["lastAppliedRevision"]
    assert moment.verdict().outcome is SUCCEEDED


def test_a_build_failure_is_the_commits_and_a_wrong_path_is_not() -> None:
    assert Moment("05-build-failed/62f8084", 14).verdict().outcome is FAILED
    moved = Moment("05-build-failed/62f8084", 50)
    assert moved.ready() == "False"
    assert moved.verdict().outcome not in (FAILED, SUCCEEDED)


def test_a_decryption_that_fails_is_not_judged_before_the_deadline() -> None:
    moment = Moment("05-build-failed/62f8084", 14)
    for condition in moment.of("Kustomization")["status"]["conditions"]:
        condition["message"] = "failed to decrypt and replace values: KMS unavailable"
    assert moment.verdict().outcome is PENDING


def test_no_op_commits_keep_the_claim_live_while_flux_goes_over_them() -> None:
    moment = Moment("06-noop-commit/b70a24d", 38.2)
    assert moment.ready() == "Unknown"
    assert moment.verdict().outcome is SUCCEEDED


def test_a_no_op_commit_is_not_proven_by_its_parents_green_status() -> None:
    moment = Moment("06-noop-commit/75e6186", 57)
    assert moment.ready() == "True"
    assert moment.verdict().outcome is PENDING


def test_a_suspended_kustomization_is_inconclusive_however_green() -> None:
    moment = Moment("07-suspended/7f30e55", 25)
    assert moment.ready() == "True"
    verdict = moment.verdict()
    assert verdict.outcome is INCONCLUSIVE
    assert "suspended" in verdict.because
    moment.now += moment.claim.deadline
    assert moment.verdict().outcome is INCONCLUSIVE


def test_a_suspended_source_is_said() -> None:
    verdict = Moment("07-suspended/540e0a0", 60).verdict()
    assert verdict.outcome is INCONCLUSIVE
    assert "source fleet is suspended" in verdict.because
    assert not verdict.taken_in


def test_a_dependency_that_is_not_ready_never_fails_the_commit() -> None:
    moment = Moment("08-depends-on/9b3dc0f", 105)
    verdict = moment.verdict()
    assert verdict.outcome is INCONCLUSIVE
    assert "dependency" in verdict.because


def test_a_source_that_fails_is_inconclusive_while_the_kustomization_is_green() -> None:
    moment = Moment("14-source-fails/5f44bc4", 45)
    assert moment.ready() == "True"
    verdict = moment.verdict()
    assert verdict.outcome is INCONCLUSIVE
    assert "source fleet fails" in verdict.because
    moment.now += moment.claim.deadline
    assert moment.verdict().outcome is INCONCLUSIVE


def test_a_source_that_fails_later_does_not_undo_what_serves() -> None:
    assert Moment("14-source-fails/e127c05", 40).verdict().outcome is SUCCEEDED


def test_a_deployment_removed_by_hand_is_not_live_and_not_failed() -> None:
    moment = Moment("15-deleted/e127c05/30s", 25)
    assert moment.ready() == "True"
    assert moment.verdict().outcome in (PENDING, INCONCLUSIVE)
    assert Moment("15-deleted/e127c05/30s", 40).verdict().outcome is INCONCLUSIVE


def test_a_deleted_kustomization_is_said() -> None:
    verdict = Moment("15-deleted/e127c05", 102).without("Kustomization").verdict()
    assert verdict.outcome is INCONCLUSIVE
    assert "no such Kustomization" in verdict.because


def test_health_checks_that_miss_the_workload_prove_nothing() -> None:
    moment = Moment("16-health-checks/3d91f3d", 85)
    known = {c["type"]: c["status"] for c in moment.of("Kustomization")["status"]["conditions"]}
    assert (known["Ready"], known["Healthy"]) == ("True", "True")
    assert moment.verdict().outcome is PENDING


def test_pruned_to_nothing_is_not_live() -> None:
    moment = Moment("02-bump-healthy/6b562c9", 35)
    assert moment.verdict().outcome is SUCCEEDED
    assert moment.without("Deployment").verdict().outcome is INCONCLUSIVE


def test_scaled_to_nothing_is_not_live() -> None:
    moment = Moment("02-bump-healthy/6b562c9", 35)
    deployment = moment.of("Deployment")
    deployment["spec"]["replicas"] = 0
    deployment["status"] = {"observedGeneration": deployment["metadata"]["generation"]}
    verdict = moment.verdict()
    assert verdict.outcome is INCONCLUSIVE
    assert "scaled to no pods" in verdict.because


def test_an_image_that_changes_without_a_commit_is_not_the_claims() -> None:
    moment = Moment("18-post-build/bd6a392", 25)
    assert moment.claim.commit in moment.of("Kustomization")["status"]["lastAppliedRevision"]
    assert "asks for another image" in moment.verdict().because


def test_pods_that_die_later_fail_at_the_deadline_only() -> None:
    gone = Moment("03e-degrades-later/953435b", 30)
    assert gone.ready() == "True"
    assert gone.verdict().outcome is PENDING
    assert Moment("03e-degrades-later/953435b", 90).verdict().outcome is FAILED


def test_what_serves_has_not_failed_because_flux_is_slow_to_say_so() -> None:
    moment = Moment("24-events-endpoint-down/d461d52/40s", 95)
    assert moment.now > moment.claim.merged_at + moment.claim.deadline
    assert moment.verdict().outcome is INCONCLUSIVE


def test_a_commit_that_nobody_fetched_cannot_have_failed() -> None:
    verdict = Moment("20-delays/f60c10f/40s", 60).verdict()
    assert (verdict.outcome, verdict.taken_in) == (INCONCLUSIVE, False)


def test_polling_every_interval_resets_nothing() -> None:
    moment = Moment("23-polling-reconcile/459435a", 57.5)
    assert moment.ready() == "Unknown"
    assert moment.verdict().outcome is SUCCEEDED


def test_a_spec_that_changed_must_be_gone_through_first() -> None:
    moment = Moment("02-bump-healthy/6b562c9", 35)
    moment.of("Kustomization")["metadata"]["generation"] += 1
    assert moment.verdict().outcome is PENDING


def test_a_rollout_that_a_changed_spec_began_is_not_the_commits_failure() -> None:
    moment = Moment("18-post-build/bd6a392", 30)
    moment.now += moment.claim.deadline
    assert moment.verdict().outcome is INCONCLUSIVE


def test_it_must_stay_good_for_the_settle_time() -> None:
    moment = Moment("02-bump-healthy/6b562c9", 35)
    moment.claim = replace(moment.claim, settle=timedelta(minutes=1))
    verdict = moment.verdict()
    assert verdict.outcome is PENDING
    assert verdict.again is not None
    moment.now += verdict.again
    assert moment.verdict().outcome is SUCCEEDED


def test_times_that_are_cut_to_whole_seconds_never_shorten_the_settle_time() -> None:
    moment = Moment("02-bump-healthy/6b562c9", 35)
    conditions = moment.of("Deployment")["status"]["conditions"]
    last = max(datetime.fromisoformat(c[key]) for c in conditions for key in c if key.startswith("last"))
    moment.now = last + moment.claim.settle + timedelta(seconds=0.9)
    assert moment.verdict().outcome is PENDING


# --- Other commits ---------------------------------------------------------------------------------


def test_a_skipped_commit_is_superseded_without_ever_having_failed() -> None:
    assert Moment("12-two-commits-quickly/fba59f0", 25).verdict().outcome is SUPERSEDED


def test_the_failure_of_a_successor_is_not_ones_own() -> None:
    assert Moment("03-bump-never-ready/96ece7c", 60).verdict().outcome is SUPERSEDED


def test_a_failure_of_a_thirtieth_of_a_second_is_found_in_the_history() -> None:
    moment = Moment("13-revert-after-failure/57b1385", 126)
    assert moment.claim.commit not in moment.of("Kustomization")["status"]["lastAttemptedRevision"]
    verdict = moment.verdict()
    assert verdict.outcome is FAILED
    assert "HealthCheckFailed" in verdict.because
    moment.of("Kustomization")["status"]["history"] = []
    assert moment.verdict().outcome is SUPERSEDED


def test_a_failure_that_healed_before_another_commit_came_is_not_told_as_one() -> None:
    moment = Moment("13-revert-after-failure/57b1385", 126)
    history = moment.of("Kustomization")["status"]["history"]
    run = next(r for r in history if moment.claim.commit in r["metadata"]["revision"])
    history.insert(history.index(run), run | {"lastReconciledStatus": "ReconciliationSucceeded"})
    assert moment.verdict().outcome is SUPERSEDED


def test_a_cancelled_health_check_is_no_failure() -> None:
    moment = Moment("13-revert-after-failure/0fb5dad", 53)
    assert moment.ready() == "False"
    moment.of("Kustomization")["status"]["history"] = []
    for condition in moment.of("Kustomization")["status"]["conditions"]:
        condition["reason"] = "HealthCheckCanceled"
    verdict = moment.verdict()
    assert verdict.outcome is PENDING
    assert "cancelled for a newer commit" in verdict.because


def test_a_revert_waits_behind_the_running_check_and_does_not_inherit_its_failure() -> None:
    waiting = Moment("13-revert-after-failure/dc69dfd", 110)
    assert waiting.verdict().outcome is PENDING
    assert "is fetched" in waiting.verdict().because
    assert Moment("13-revert-after-failure/dc69dfd", 128).verdict().outcome is SUCCEEDED


# --- HelmReleases ----------------------------------------------------------------------------------


def test_a_release_that_helm_rolled_back_has_failed_although_the_old_version_serves() -> None:
    moment = Moment("11-helm-rollback/f01ee4b", 95)
    release, deployment = moment.of("HelmRelease"), moment.of("Deployment")
    assert release["status"]["history"][0]["status"] == "deployed"
    assert deployment["status"]["availableReplicas"] == deployment["spec"]["replicas"]
    verdict = moment.verdict()
    assert verdict.outcome is FAILED
    assert "RollbackSucceeded" in verdict.because


def test_the_first_rollback_is_a_failure_before_helm_gives_up() -> None:
    moment = Moment("11-helm-rollback/f01ee4b", 55)
    assert "Stalled" not in {c["type"] for c in moment.of("HelmRelease")["status"]["conditions"]}
    assert moment.verdict().outcome is FAILED


def test_a_deployed_entry_with_other_values_is_not_this_release() -> None:
    moment = Moment("10-helm-bump-healthy/e9d4ea0", 40)
    moment.of("HelmRelease")["status"]["history"][0]["configDigest"] = "sha256:4ded"
    assert moment.verdict().outcome is PENDING


def test_a_no_op_commit_does_not_help_a_release_that_was_rolled_back() -> None:
    assert Moment("11-helm-rollback/f01ee4b", 150).verdict().outcome is FAILED


def test_the_revert_of_a_rolled_back_release_does_not_inherit_its_failure() -> None:
    moment = Moment("11-helm-rollback/2af2ef2", 178.32)
    assert moment.ready("HelmRelease") == "False"
    assert moment.verdict().outcome is PENDING
    assert Moment("11-helm-rollback/2af2ef2", 189).verdict().outcome is SUCCEEDED


def test_without_remediation_a_stalled_release_has_failed() -> None:
    moment = Moment("11b-helm-no-remediation/a69a1c3", 60).without("Pod")
    verdict = moment.verdict()
    assert verdict.outcome is FAILED
    assert "given" in verdict.because


def test_fixing_forward_does_not_inherit_the_old_failure() -> None:
    assert Moment("11b-helm-no-remediation/d085ad8", 87.3).verdict().outcome is PENDING
    assert Moment("11b-helm-no-remediation/d085ad8", 108).verdict().outcome is SUCCEEDED


def test_a_release_that_retries_for_ever_fails_at_the_deadline() -> None:
    assert Moment("11c-helm-retry-on-failure/11006f8", 100).without("Pod").verdict().outcome is PENDING
    assert Moment("11c-helm-retry-on-failure/11006f8", 130).without("Pod").verdict().outcome is FAILED


def test_one_rollback_is_enough() -> None:
    assert Moment("11d-helm-one-rollback/7ce48f0", 80).verdict().outcome is FAILED


def test_the_chart_version_names_the_commit_where_helm_follows_revisions() -> None:
    moment = Moment("10b-helm-revision-strategy/0be103d", 34)
    assert moment.verdict().outcome is SUCCEEDED
    moment.of("HelmRelease")["status"]["history"][0]["chartVersion"] = "0.1.0+b37c17c10e8f"
    assert moment.verdict().outcome is PENDING


def test_a_kustomization_may_be_green_before_helm_has_started() -> None:
    """10c: the chart's version was not raised, or Helm has not started: the Deployment keeps the old image."""
    moment = Moment("10b-helm-revision-strategy/0be103d", 34)
    release = moment.of("HelmRelease")
    release["status"]["lastAttemptedRevision"] = release["status"]["history"][0]["chartVersion"] = "0.1.0"
    assert moment.verdict().outcome is SUCCEEDED
    moment.of("Deployment")["spec"]["template"]["spec"]["containers"][0]["image"] = (
        "registry.example.com/shop:good-1"
    )
    assert moment.verdict().outcome is PENDING
    moment.now += moment.claim.deadline
    assert moment.verdict().outcome is INCONCLUSIVE


def test_new_values_are_not_proven_by_the_old_releases_ready() -> None:
    moment = Moment("10-helm-bump-healthy/e9d4ea0", 40)
    assert moment.verdict().outcome is SUCCEEDED
    moment.of("HelmRelease")["metadata"]["generation"] += 1
    assert moment.verdict().outcome is PENDING


def test_values_name_an_image_by_tag_or_digest_and_never_by_chance() -> None:
    image = "ghcr.io/acme/shop:2"
    assert named({"image": {"tag": "2"}}, image)
    assert named({"image": {"tag": 2}}, image)
    assert named({"images": ["ghcr.io/acme/shop:2"]}, image)
    assert not named({"replicas": 2, "image": {"tag": "1"}}, image)
    assert named({"x": {"digest": "sha256:ab"}}, "ghcr.io/acme/shop:2@sha256:ab")
    assert not named({"x": {"digest": "sha256:cd"}}, "ghcr.io/acme/shop:7@sha256:ab")


# --- Hostile documents -----------------------------------------------------------------------------


def _spoiled(value: Any, chance: random.Random) -> Any:
    """The same document with some parts missing or of a wrong kind."""
    if chance.random() < 0.03:
        return chance.choice(
            [None, 7, -1, True, "", "\x1b[31m@everyone <script>\n" * 40, [], {}, [None, "x"], {"a": []}]
        )
    if isinstance(value, dict):
        return {k: _spoiled(v, chance) for k, v in value.items() if chance.random() > 0.03}
    if isinstance(value, list):
        return [_spoiled(v, chance) for v in value]
    return value


SAMPLED = expectations("flux")[::4]


@pytest.mark.parametrize("expectation", SAMPLED, ids=[item["claim"]["id"] for item in SAMPLED])
def test_no_document_however_broken_raises_or_is_told_unbounded(expectation: dict[str, Any]) -> None:
    chance, moment = random.Random(expectation["claim"]["id"]), Moment(expectation["claim"]["id"][5:], 0)
    seen = changes("flux", expectation["recording"])
    for at in [change["at"] for change in seen][::7]:
        documents = []
        for item in objects_at(seen, at):
            spoiled = _spoiled(item, chance)
            documents.append({**(spoiled if isinstance(spoiled, dict) else {}), "kind": item["kind"]})
        verdict = judge(documents, claim_of(expectation["claim"]), moment.now + timedelta(seconds=at))
        assert len(verdict.because) <= 500
        assert verdict.because.isprintable()
        assert all(len(item.answer) <= 500 and item.answer.isprintable() for item in verdict.evidence)
        assert len(verdict.evidence) <= 12


def test_nothing_at_all_is_inconclusive() -> None:
    moment = Moment("02-bump-healthy/6b562c9", 35)
    assert judge([], moment.claim, moment.now).outcome is INCONCLUSIVE
    assert judge([{"kind": "Kustomization"}], moment.claim, moment.now).outcome is INCONCLUSIVE
