"""Every trap of fixtures/kubernetes/README.md by its name, from the recordings or in the shape that was recorded."""

import copy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.adapters.workload.situations import Situation, new_pods, situation

GOOD_1, GOOD_2 = "registry.example.com/shop/web:good-1", "registry.example.com/shop/web:good-2"
NEVER_READY = "registry.example.com/shop/web:never-ready"


def container(**status: Any) -> Any:
    """A change that gives every new pod's container another status."""

    def change(pod: dict[str, Any]) -> None:
        for item in pod["status"].get("containerStatuses", []):
            item.update(status)

    return change


def only_new(found: Situation, **status: Any) -> Situation:
    names = {pod["metadata"]["name"] for pod in new_pods(found)}
    change = container(**status)
    return found.changed("Pod", lambda pod: change(pod) if pod["metadata"]["name"] in names else None)


# --- Rules 1 to 4: the status is old, and done is strict ---------------------------------------------


def test_the_status_after_the_patch_is_the_old_rollouts() -> None:
    found = situation("02-image-bump-healthy", 0.38)
    status = found.of("Deployment")[0]["status"]
    assert status["updatedReplicas"] == status["availableReplicas"] == 3
    assert found.outcome == "pending"
    assert "has not looked" in found.verdict().because


def test_available_says_nothing_about_the_new_version() -> None:
    found = situation("03-image-bump-never-ready", 24)
    conditions = {item["type"]: item["status"] for item in found.of("Deployment")[0]["status"]["conditions"]}
    assert conditions["Available"] == "True"
    assert found.outcome == "pending"
    assert found.later(5).outcome == "failed"


def test_an_old_pod_that_is_left_keeps_it_from_being_done() -> None:
    assert situation("02-image-bump-healthy", 15.24).outcome == "pending"
    rolled = situation("02-image-bump-healthy", 15.28).verdict()
    assert "rolled out, and must stay well" in rolled.because


def test_too_many_replicas_are_not_done() -> None:
    """`kubectl rollout status` says done with 4 of 1 (12) and with 5 of 2 (15)."""
    assert "4 of 1 pods are new" in situation("12-hpa-conditions", 100.1).verdict().because
    assert situation("15-scaled-by-somebody-else-during-rollout", 16.99).outcome == "pending"


def test_absent_counters_after_recreate_are_zero_and_not_all_is_well() -> None:
    """18: every counter and `unavailableReplicas` are absent, and Progressing speaks of the ReplicaSet before."""
    found = situation("03-image-bump-never-ready", 20)

    def bare(deployment: dict[str, Any]) -> None:
        conditions = deployment["status"]["conditions"]
        progressing = next(item for item in conditions if item["type"] == "Progressing")
        progressing.update(
            reason="NewReplicaSetAvailable",
            message='ReplicaSet "web-68c4c74564" has successfully progressed.',
        )
        deployment["status"] = {"observedGeneration": 2, "conditions": conditions}

    outage = found.changed("Deployment", bare)
    assert outage.outcome == "pending"
    assert outage.later(10).outcome == "failed"


def test_nothing_to_look_at_is_neither_good_nor_bad() -> None:
    found = situation("01-first-rollout-healthy", 0.3, since=0.0)
    assert (found.outcome, found.verdict().taken_in) == ("pending", False)
    assert found.later(61).outcome == "inconclusive"


def test_it_must_stay_well_for_as_long_as_asked() -> None:
    found = situation("02-image-bump-healthy", 20)
    assert found.outcome == "pending"
    assert found.later(1).outcome == "succeeded"
    assert found.later(1).about(settle=timedelta(seconds=30)).outcome == "pending"


def test_the_sentence_of_a_success_does_not_change_with_the_time() -> None:
    found = situation("02-image-bump-healthy", 25)
    assert found.verdict().because == found.later(500).verdict().because


# --- Rule 5: done is not healthy ---------------------------------------------------------------------


def test_what_is_done_and_crashes_is_failed_although_nothing_else_says_so() -> None:
    found = situation("14-ready-then-crash", 20.3)
    assert found.outcome == "failed"
    assert "crashed once (exit code 1), the new pods twice in all" in found.verdict().because


def test_one_restart_asks_for_a_longer_look_and_not_for_a_revert() -> None:
    found = situation("14-ready-then-crash", 18.1)
    assert found.outcome == "pending"
    # All three pods are ready here. The one that crashed had run for 12 s, so its successor must outlive that.
    assert found.later(6).outcome == "pending"
    assert found.later(20).outcome == "succeeded"


def test_a_liveness_probe_that_fails_after_done_ends_with_exit_code_zero() -> None:
    """20: the process obeys SIGTERM, so its ending is Completed with exit code 0, and it is running again."""
    found = situation("02-image-bump-healthy", 26).later(60)
    assert found.outcome == "succeeded"
    ended = {"reason": "Completed", "exitCode": 0, "startedAt": "2026-11-23T07:08:12Z", "finishedAt": "2026-11-23T07:08:30Z"}  # fmt: skip
    running = {"running": {"startedAt": "2026-11-23T07:08:31Z"}}
    restarted = only_new(found, restartCount=1, lastState={"terminated": ended}, state=running)
    assert restarted.outcome == "failed"
    assert "Completed, exit code 0" in restarted.verdict().because


def test_ten_minutes_of_running_forgive_early_crashes() -> None:
    found = situation("02-image-bump-healthy", 26)
    restarted = only_new(found, restartCount=3)
    assert restarted.later(60).outcome == "failed"
    assert restarted.later(900).outcome == "succeeded"


def test_restarts_of_before_the_merge_are_not_this_release_s() -> None:
    """11: a rollback revives old pods, whose count is of days ago."""
    found = only_new(situation("11-rollback-after-failure", 33.5, image=GOOD_1, since=26.32), restartCount=7)
    assert found.outcome == "succeeded"
    ended = {"exitCode": 1, "reason": "Error", "startedAt": "2026-11-23T07:14:41Z", "finishedAt": "2026-11-23T07:14:43Z"}  # fmt: skip
    assert only_new(found, restartCount=9, lastState={"terminated": ended}).outcome == "failed"


def test_min_ready_seconds_hide_a_crash_loop_from_kubernetes_but_not_from_the_bot() -> None:
    """14b: ready 4 but available 3, restarts grow, and ProgressDeadlineExceeded never comes."""
    found = situation("14-ready-then-crash", 28.2)

    def waiting(deployment: dict[str, Any]) -> None:
        deployment["spec"]["minReadySeconds"] = 20
        deployment["status"].update(replicas=4, updatedReplicas=1, readyReplicas=4, availableReplicas=3)

    assert found.changed("Deployment", waiting).outcome == "failed"


# --- Rules 6 and 7: Kubernetes' deadline is a hint ---------------------------------------------------


def test_progress_deadline_exceeded_is_said_and_decides_nothing() -> None:
    found = situation("21-slow-but-healthy-after-deadline", 12)
    assert found.outcome == "pending"
    assert "has timed out progressing, which may pass" in found.verdict().because


def test_progress_deadline_exceeded_of_the_release_before_is_not_told() -> None:
    found = situation("11-rollback-after-failure", 26.35, image=GOOD_1, since=26.32)
    assert "timed out" not in found.verdict().because
    assert found.outcome == "pending"


def test_the_deadline_is_the_bots_own_and_counts_from_the_merge() -> None:
    found = situation("21-slow-but-healthy-after-deadline", 45)
    assert found.outcome == "pending"
    assert found.about(deadline=timedelta(seconds=40)).outcome == "failed"


def test_that_the_replica_set_before_was_rolled_out_gives_the_new_one_no_time() -> None:
    """18: until the controller writes of the new one, Progressing speaks of the one before."""

    def stale(deployment: dict[str, Any]) -> None:
        for item in deployment["status"]["conditions"]:
            if item["type"] == "Progressing":
                item.update(
                    reason="NewReplicaSetAvailable",
                    message='ReplicaSet "web-old" has successfully progressed.',
                )

    found = situation("21-slow-but-healthy-after-deadline", 46, deadline=timedelta(seconds=40))
    assert found.changed("Deployment", stale).outcome == "failed"


def test_a_late_success_is_a_success() -> None:
    late = situation("21-slow-but-healthy-after-deadline", 76, deadline=timedelta(seconds=40))
    assert late.outcome == "succeeded"


def test_the_deadline_counts_from_when_it_was_applied_where_that_took_long() -> None:
    found = situation("03-image-bump-never-ready", 24)
    early = found.claim.merged_at - timedelta(hours=1)
    assert found.about(merged_at=early).outcome == "pending"
    assert found.later(10).about(merged_at=early).outcome == "failed"


def test_a_pause_is_a_persons_and_no_failure() -> None:
    found = situation("10-paused-deployment", 40)
    assert found.outcome == "inconclusive"
    assert "a person has paused it" in found.verdict().because
    assert found.later(3600).outcome == "inconclusive"


# --- Rule 9: which ReplicaSet is the new one ---------------------------------------------------------


def test_a_rollback_is_done_on_a_replica_set_that_is_older_than_the_claim() -> None:
    found = situation("11-rollback-after-failure", 33.5, image=GOOD_1, since=26.32)
    assert found.outcome == "succeeded"


def test_a_rollback_before_the_deadline_waits_until_the_other_pod_is_gone() -> None:
    """11b: updated 3, ready 3, available 3, but replicas 4."""
    found = situation("11-rollback-after-failure", 26.42, image=GOOD_1, since=26.32).later(60)
    assert found.outcome == "succeeded"
    left = found.changed("Deployment", lambda item: item["status"].update(replicas=4))
    assert left.outcome != "succeeded"


def test_revision_numbers_move_when_an_old_replica_set_is_revived() -> None:
    """16: the ReplicaSet of good-1 is revision 3 after the rollback, and the bad one keeps its 2."""
    found = situation("11-rollback-after-failure", 30, image=NEVER_READY)
    numbers = {
        item["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
        for item in found.of("ReplicaSet")
    }
    assert numbers == {"2", "3"}
    assert found.outcome == "superseded"


def test_where_no_template_is_equal_the_revision_annotation_names_the_new_replica_set() -> None:
    found = situation("02-image-bump-healthy", 26)
    other = found.changed(
        "ReplicaSet", lambda item: item["spec"]["template"]["spec"].update(schedulerName="x")
    )
    assert other.outcome == "succeeded"
    stale = other.changed("Deployment", lambda item: item["metadata"]["annotations"].clear())
    assert stale.outcome == "pending"


def test_pods_of_another_owner_with_the_same_label_are_not_its_own() -> None:
    found = situation("05-crash-loop", 60)
    assert found.outcome == "failed"
    foreign = found.changed("Pod", lambda item: item["metadata"]["ownerReferences"][0].update(uid="another"))
    assert foreign.outcome != "failed"


# --- Rules 10 and 11: pods -----------------------------------------------------------------------------


def test_pods_that_leave_are_ignored() -> None:
    found = situation("05-crash-loop", 50)
    leaving = found.changed(
        "Pod", lambda item: item["metadata"].update(deletionTimestamp="2026-11-23T07:09:30Z")
    )
    assert leaving.outcome == "pending"


def test_an_evicted_pod_has_ended_and_is_ignored() -> None:
    found = situation("05-crash-loop", 50)
    evicted = found.changed("Pod", lambda item: item["status"].update(phase="Failed", reason="Evicted"))
    assert evicted.outcome == "pending"


@pytest.mark.parametrize(
    "message",
    [
        'Usage of EmptyDir volume "tmp" exceeds the limit "64Mi". ',
        "Pod ephemeral local storage usage exceeds the total limit of containers 2Gi. ",
        'Container web exceeded its local ephemeral storage limit "2Gi". ',
    ],
)
def test_pods_that_are_evicted_by_their_own_limits_condemn_the_release_though_others_are_well(
    message: str,
) -> None:
    """Each is well until it has filled what it may, and another follows: no counter ever says so."""
    found = situation("02-image-bump-healthy", 40)
    assert found.outcome == "succeeded"
    gone = copy.deepcopy(new_pods(found)[0])
    gone["status"] = {"phase": "Failed", "reason": "Evicted", "message": message}

    def with_gone(*names: str) -> Situation:
        pods = [{**gone, "metadata": gone["metadata"] | {"name": one}} for one in names]
        return replace(found, documents=[*found.documents, *pods])

    assert with_gone("web-a").outcome == "succeeded"
    verdict = with_gone("web-a", "web-b").verdict()
    assert verdict.outcome == "failed"
    assert "pod web-a was evicted, as it used more than it may, 2 pods in all" in verdict.because
    gone["status"]["message"] = (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 80Mi. "
    )
    assert with_gone("web-a", "web-b").outcome == "succeeded"
    gone["status"]["message"], gone["metadata"]["creationTimestamp"] = message, "2026-11-01T00:00:00Z"
    assert with_gone("web-a", "web-b").outcome == "succeeded", "of before the merge"


def test_a_crash_loop_whose_state_reads_running_is_seen() -> None:
    found = situation("05-crash-loop", 19)
    assert "running" in new_pods(found)[0]["status"]["containerStatuses"][0]["state"]
    assert new_pods(found)[0]["status"]["phase"] == "Running"
    assert found.outcome == "failed"


def test_out_of_memory_is_read_from_the_last_state() -> None:
    """06: after 4 s the state says CrashLoopBackOff, and only `lastState` says OOMKilled."""
    ended = {"reason": "OOMKilled", "exitCode": 137, "startedAt": "2026-11-23T07:09:07Z", "finishedAt": "2026-11-23T07:09:08Z"}  # fmt: skip
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s"}}
    found = only_new(situation("05-crash-loop", 21), state=waiting, lastState={"terminated": ended})
    assert found.outcome == "failed"
    assert "crashed twice (OOMKilled, exit code 137)" in found.verdict().because


def test_an_image_that_does_not_exist_fails_before_the_deadline() -> None:
    found = situation("04-image-does-not-exist", 15)
    assert found.outcome == "pending"
    assert found.later(10).outcome == "failed"
    assert "cannot start (ImagePullBackOff)" in found.verdict().because
    assert "not found" in situation("04-image-does-not-exist", 26.4).verdict().because


@pytest.mark.parametrize(
    "message",
    [
        'failed to do request: Head "https://registry.example.com/v2/": dial tcp 10.0.0.1:443: i/o timeout',
        "unexpected status code 503 Service Unavailable",
        "toomanyrequests: You have reached your pull rate limit",
        "pull access denied: authorization failed: 401 Unauthorized",
    ],
)
def test_a_registry_that_does_not_answer_is_not_the_releases_fault(message: str) -> None:
    waiting = {"waiting": {"reason": "ErrImagePull", "message": message}}
    found = only_new(situation("04-image-does-not-exist", 30), state=waiting)
    assert found.outcome == "inconclusive"
    assert found.later(3600).outcome == "inconclusive"


def test_the_name_of_an_image_is_no_sign_of_an_outage() -> None:
    image = "registry.example.com/shop/timeout-denied:eof"
    found = situation("04-image-does-not-exist", 30)
    text = f'failed to unpack image "{image}": wrong magic'
    named = found.about(image=image)
    for kind in ("Deployment", "ReplicaSet"):
        named = named.changed(kind, lambda item: _rename(item, image))
    named = only_new(
        named.changed("Pod", lambda pod: _rename_pod(pod, image)),
        image=image,
        state={"waiting": {"reason": "ErrImagePull", "message": text}},
    )
    assert named.outcome == "failed"


def _rename(owner: dict[str, Any], image: str) -> None:
    _rename_pod(owner["spec"]["template"], image)


def _rename_pod(pod: dict[str, Any], image: str) -> None:
    container_ = pod["spec"]["containers"][0]
    if container_["image"].endswith("does-not-exist"):
        container_["image"] = image


def test_a_missing_config_map_is_waited_for_a_little_and_then_fails() -> None:
    found = situation("17-missing-configmap", 10)
    assert found.outcome == "pending"
    failed = found.later(15).verdict()
    assert failed.outcome.value == "failed"
    assert 'CreateContainerConfigError): configmap "no-such" not found' in failed.because


def test_a_missing_secret_with_a_telling_name_is_no_outage() -> None:
    waiting = {
        "waiting": {"reason": "CreateContainerConfigError", "message": 'secret "tls-forbidden" not found'}
    }
    assert only_new(situation("17-missing-configmap", 30), state=waiting).outcome == "failed"


def test_an_invalid_image_name_is_accepted_by_the_api_and_fails_here() -> None:
    """22: InvalidImageName on a pod that is Pending, while the old pods serve."""
    said = (
        'Failed to apply default image tag "Shop/Web": couldn\'t parse image name: invalid reference format'
    )
    waiting = {"waiting": {"reason": "InvalidImageName", "message": said}}
    found = only_new(situation("04-image-does-not-exist", 30), state=waiting)
    assert found.outcome == "failed"
    assert "InvalidImageName" in found.verdict().because


# --- Rule 12: no pod, no container -----------------------------------------------------------------------


@pytest.mark.parametrize("recording", ["08-quota-exceeded", "08b-quota-exceeded-first-rollout"])
def test_a_full_quota_is_not_the_releases_fault_even_after_both_deadlines(recording: str) -> None:
    found = situation(recording, 44)
    assert found.outcome == "inconclusive"
    assert "exceeded quota" in found.verdict().because


def refusing(message: str) -> Situation:
    """08, where it is not a quota that keeps the pods away; 44 s is past the bot's own deadline."""

    def change(item: dict[str, Any]) -> None:
        for condition in item["status"].get("conditions", ()):
            if condition["type"] == "ReplicaFailure":
                condition["message"] = message

    return situation("08-quota-exceeded", 30).changed("ReplicaSet", change).changed("Deployment", change)


def test_pods_that_an_admission_refuses_condemn_the_release_at_the_deadline() -> None:
    found = refusing('admission webhook "verify.acme.dev" denied the request: the image is not signed')
    assert found.about(deadline=timedelta(minutes=5)).outcome == "pending"
    verdict = found.about(deadline=timedelta(seconds=20)).verdict()
    assert verdict.outcome == "failed"
    assert "its pods are refused: admission webhook" in verdict.because


def test_a_webhook_that_is_down_condemns_nothing() -> None:
    found = refusing('Internal error occurred: failed calling webhook "x": connect: connection refused')
    assert found.about(deadline=timedelta(seconds=20)).outcome == "inconclusive"


def test_pods_that_no_node_can_take_are_not_the_releases_fault() -> None:
    """07: no container status at all; only the condition PodScheduled speaks."""
    names = {pod["metadata"]["name"] for pod in new_pods(situation("03-image-bump-never-ready", 30))}

    def unscheduled(pod: dict[str, Any]) -> None:
        if pod["metadata"]["name"] in names:
            message = "0/2 nodes are available: 2 Insufficient cpu."
            pod["status"] = {
                "phase": "Pending",
                "conditions": [
                    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
                ],
            }

    found = situation("03-image-bump-never-ready", 39).changed("Pod", unscheduled)
    assert found.outcome == "inconclusive"
    assert "Insufficient cpu" in found.verdict().because


# --- Rules 13 and 14: others change it too ---------------------------------------------------------------


def test_what_stands_there_before_the_commit_is_applied_is_no_later_change() -> None:
    found = situation("13-pdb", 1, since=0.33)
    assert (found.outcome, found.verdict().taken_in) == ("pending", False)
    assert found.later(90).outcome == "inconclusive"


def test_a_revert_that_is_not_applied_yet_is_not_overtaken_by_what_it_takes_back() -> None:
    """11: the ReplicaSet of the image that is to come back is there since long ago."""
    assert situation("11-rollback-after-failure", 24, image=GOOD_1, since=20).outcome == "pending"


def test_another_image_that_came_later_has_overtaken_it() -> None:
    assert situation("13-pdb", 40, since=2.33).outcome == "superseded"
    assert situation("12-hpa-conditions", 64, image=GOOD_1, since=0.32).outcome == "superseded"


def test_another_persons_image_in_between_and_then_the_same_again() -> None:
    """16: good-1, never-ready, good-1: the first claim about good-1 is judged again when it stands there again."""
    assert situation("11-rollback-after-failure", 10, image=GOOD_1, since=-100).outcome == "superseded"
    assert situation("11-rollback-after-failure", 33.5, image=GOOD_1, since=-100).outcome == "succeeded"


def test_scaling_raises_the_generation_and_is_no_other_release() -> None:
    found = situation("12-hpa-conditions", 133, since=62.33)
    assert found.of("Deployment")[0]["metadata"]["generation"] == 7
    assert found.outcome == "succeeded"


def test_a_scale_up_after_it_was_done_has_its_own_deadline() -> None:
    """12 at 122.4 s, after the deadline: two of four pods are young."""
    found = situation("12-hpa-conditions", 122.4, since=62.33)
    assert found.outcome == "pending"
    assert found.later(120).outcome == "failed"


def test_an_eviction_makes_it_unfinished_and_not_failed() -> None:
    found = situation("13-pdb", 26, since=2.33, deadline=timedelta(seconds=10))
    assert found.outcome == "pending"


def test_a_scale_down_while_it_settles_does_not_hide_old_pods() -> None:
    found = situation("15-scaled-by-somebody-else-during-rollout", 10)
    assert found.outcome == "pending"
    assert "of 5 pods are new" in found.verdict().because


def test_a_restart_with_the_same_image_is_neither_failed_nor_overtaken() -> None:
    outcomes = {situation("19-same-image-applied-again", at / 2).outcome for at in range(2, 56)}
    assert outcomes == {"pending", "succeeded"}


def test_scaled_to_zero_serves_nobody() -> None:
    found = situation("02-image-bump-healthy", 26)

    def scaled(deployment: dict[str, Any]) -> None:
        deployment["spec"]["replicas"] = 0
        deployment["status"] = {"observedGeneration": 2, "conditions": deployment["status"]["conditions"]}

    assert found.changed("Deployment", scaled).outcome == "inconclusive"


def test_a_deployment_that_is_being_deleted_is_not_judged() -> None:
    found = situation("03-image-bump-never-ready", 39)
    leaving = found.changed(
        "Deployment", lambda item: item["metadata"].update(deletionTimestamp="2026-11-23T07:09:00Z")
    )
    assert leaving.outcome == "inconclusive"


def test_a_misspelled_container_is_found_as_an_image_that_stands_there() -> None:
    """09: a strategic merge ADDS a container; what matters is that its pods run."""
    found = situation("02-image-bump-healthy", 26, image="registry.example.com/shop/web:good-3")
    assert found.outcome in ("pending", "superseded")


# --- Rule 15: events prove nothing ----------------------------------------------------------------------


def test_events_do_not_change_the_verdict() -> None:
    for at in (2.0, 16.0, 22.0):
        found = situation("02-image-bump-healthy", at)
        assert found.changed("Event", lambda item: False).verdict() == found.verdict()


# --- What it costs to look again ---------------------------------------------------------------------------


def test_it_is_looked_at_again_soon_at_first_and_then_less_often() -> None:
    early, late = (
        situation("03-image-bump-never-ready", 1),
        situation("21-slow-but-healthy-after-deadline", 60),
    )
    assert early.verdict().again == timedelta(seconds=1)
    assert timedelta(seconds=5) < (late.verdict().again or timedelta(0)) <= timedelta(seconds=15)
    settling = situation("02-image-bump-healthy", 19.5).verdict()
    assert settling.again is not None
    assert settling.again < timedelta(seconds=2)
