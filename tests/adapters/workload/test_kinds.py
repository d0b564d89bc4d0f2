"""StatefulSets, DaemonSets, Argo Rollouts, Canaries and InferenceServices (facts/products.md, sections 3.1 and 4)."""

import copy
from typing import Any

import pytest

from bot.adapters.workload import WorkloadCluster
from bot.core.target import WorkloadKind
from tests.adapters.workload.cluster import MemoryObjects
from tests.adapters.workload.kinds import (
    NEW,
    OLD,
    asked,
    at,
    controller_revision,
    document,
    owned,
    pod,
    replica_set,
    template,
)
from tests.adapters.workload.situations import Situation

Documents = list[dict[str, Any]]
LATE = 700


def looked_as_judged(found: Situation) -> list[str]:
    """The client reads enough to say what the judge says; returns what it asked."""
    objects = MemoryObjects(found.documents)
    verdict = WorkloadCluster(objects).look(found.workload, found.claim, found.now)
    assert verdict.outcome is found.verdict().outcome
    return objects.asked


# --- StatefulSet -----------------------------------------------------------------------------------------


def stateful(new: int = 3, ready: bool = True, **spec: Any) -> Documents:
    """`new` of three pods are new, the highest first; the last one of them is ready or not."""
    well = new if ready else new - 1
    status = {
        "replicas": 3, "updatedReplicas": new, "readyReplicas": 3 - (new - well), "availableReplicas": 3 - (new - well),
        "updateRevision": "churn-b", "currentRevision": "churn-b" if new == 3 and ready else "churn-a",
    }  # fmt: skip
    sets = document("StatefulSet", "churn", {"replicas": 3, "template": template(NEW), **spec}, status)
    revisions = [
        controller_revision("churn-a", OLD, "churn", 1, -9000, "churn-a"),
        controller_revision("churn-b", NEW, "churn", 2, 2, "churn-b"),
    ]
    pods = [
        pod(f"churn-{i}", "churn", -900, -890, **{"controller-revision-hash": "churn-a"})
        for i in range(3 - new)
    ]
    for i in range(3 - new, 3):
        up = ready or i > 3 - new
        pods.append(
            pod(
                f"churn-{i}",
                "churn",
                5 + i,
                20 + i if up else None,
                **{"controller-revision-hash": "churn-b"},
            )
        )
    return [sets, *revisions, *pods]


def stateful_set(documents: Documents, seconds: float, **claimed: Any) -> Situation:
    return asked(WorkloadKind.STATEFUL_SET, documents, seconds, **claimed)


def test_a_stateful_set_is_done_when_its_revisions_agree_and_all_counters_do() -> None:
    assert stateful_set(stateful(), 30).outcome == "pending"
    assert stateful_set(stateful(), 40).outcome == "succeeded"
    assert len(looked_as_judged(stateful_set(stateful(), 40))) == 3
    behind = stateful()
    behind[0]["status"]["currentRevision"] = "churn-a"
    assert stateful_set(behind, 40).outcome == "pending"


def test_a_stateful_set_that_has_not_seen_the_change_is_not_done() -> None:
    found = stateful()
    found[0]["metadata"]["generation"] = 3
    assert stateful_set(found, 40).outcome == "pending"


def test_a_stateful_set_fails_at_the_bots_deadline_by_a_new_pod_that_is_not_ready() -> None:
    found = stateful(new=1, ready=False)
    assert stateful_set(found, 100).outcome == "pending"
    failed = stateful_set(found, LATE).verdict()
    assert failed.outcome == "failed"
    assert "pod churn-2 is not ready since" in failed.because


def test_a_slow_stateful_set_without_a_bad_pod_is_not_failed() -> None:
    assert stateful_set(stateful(new=1), LATE).outcome == "inconclusive"


def test_a_partition_keeps_old_pods_and_is_a_persons() -> None:
    found = stateful(new=1, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 2}})
    assert "partition of 2" in stateful_set(found, 60).verdict().because
    assert stateful_set(found, LATE).outcome == "inconclusive"


def test_on_delete_waits_for_a_person_and_is_done_when_all_pods_are_new() -> None:
    waiting = stateful(new=0, updateStrategy={"type": "OnDelete"})
    assert "OnDelete" in stateful_set(waiting, 60).verdict().because
    done = stateful(updateStrategy={"type": "OnDelete"})
    done[0]["status"]["currentRevision"] = "churn-a"
    assert stateful_set(done, 60).outcome == "succeeded"


def test_a_broken_pod_of_the_release_before_blocks_the_revert_and_that_is_said() -> None:
    found = stateful(new=0)
    found[-1]["status"]["conditions"][0]["status"] = "False"
    stuck = stateful_set(found, LATE).verdict()
    assert stuck.outcome == "inconclusive"
    assert "pod churn-2 of an earlier release is not ready" in stuck.because


def test_a_stateful_set_that_asks_for_another_image_by_now_is_superseded() -> None:
    assert stateful_set(stateful(), 60, image=OLD).outcome == "superseded"
    assert stateful_set(stateful(), 60, image="ghcr.io/acme/churn:v3").outcome == "pending"


# --- DaemonSet --------------------------------------------------------------------------------------------


def daemons(new: int = 2, available: int = 2, **spec: Any) -> Documents:
    status = {
        "desiredNumberScheduled": 2, "currentNumberScheduled": 2, "updatedNumberScheduled": new,
        "numberReady": available, "numberAvailable": available,
    }  # fmt: skip
    sets = document("DaemonSet", "churn", {"template": template(NEW), **spec}, status)
    revisions = [
        controller_revision("churn-a", OLD, "churn", 1, -9000, "aaa"),
        controller_revision("churn-b", NEW, "churn", 2, 2, "bbb"),
    ]
    pods = [
        pod(
            f"churn-{i}",
            "churn",
            5,
            20 if available == 2 or i else None,
            **{"controller-revision-hash": "bbb"},
        )
        for i in range(new)
    ]
    return [sets, *revisions, *pods]


def daemon_set(documents: Documents, seconds: float, **claimed: Any) -> Situation:
    return asked(WorkloadKind.DAEMON_SET, documents, seconds, **claimed)


def test_a_daemon_set_is_done_when_every_node_has_a_new_pod_that_is_available() -> None:
    assert daemon_set(daemons(), 40).outcome == "succeeded"
    assert daemon_set(daemons(new=1), 40).outcome == "pending"
    assert len(looked_as_judged(daemon_set(daemons(), 40))) == 3


def test_a_daemon_set_fails_by_a_new_pod_and_not_by_a_node_that_is_down() -> None:
    assert daemon_set(daemons(available=1), LATE).outcome == "failed"
    down = daemons(new=1)
    down[0]["status"]["numberAvailable"] = 1
    assert daemon_set(down, LATE).outcome == "inconclusive"


def silent(documents: Documents, **conditions: str) -> Documents:
    """The same with the pod on the first node saying this."""
    first = next(item for item in documents if item["kind"] == "Pod")
    first["status"]["conditions"] = [
        {"type": type_, "status": status, "lastTransitionTime": at(5)} for type_, status in conditions.items()
    ]
    return documents


def test_a_node_that_falls_silent_is_not_the_releases_fault() -> None:
    """The node's controller takes Ready away, and the pod of a DaemonSet stays there for ever."""
    lost = silent(daemons(available=1), Ready="False", ContainersReady="True")
    verdict = daemon_set(lost, LATE).verdict()
    assert verdict.outcome == "inconclusive"
    assert "pod churn-0 is on a node that does not answer" in verdict.because
    unready = silent(daemons(available=1), Ready="False", ContainersReady="False")
    assert daemon_set(unready, LATE).outcome == "failed"
    gates = silent(daemons(available=1), Ready="False", ContainersReady="True")
    gates[-2]["status"]["conditions"][0]["reason"] = "ReadinessGatesNotReady"
    assert daemon_set(gates, LATE).outcome == "failed"


def test_a_node_that_never_begins_with_a_pod_is_not_the_releases_fault() -> None:
    given = silent(daemons(available=1), PodScheduled="True")
    given[-2]["status"].pop("containerStatuses")
    assert daemon_set(given, 60).outcome == "pending"
    verdict = daemon_set(given, LATE).verdict()
    assert verdict.outcome == "inconclusive"
    assert "pod churn-0 is given to a node that has not begun with it" in verdict.because


def test_a_daemon_set_that_no_node_wants_serves_nobody() -> None:
    found = daemons()
    found[0]["status"] = {"observedGeneration": 2, "desiredNumberScheduled": 0}
    assert daemon_set(found, 40).outcome == "inconclusive"


def test_a_daemon_set_with_on_delete_waits_for_a_person() -> None:
    found = daemons(new=1, updateStrategy={"type": "OnDelete"})
    assert "OnDelete" in daemon_set(found, LATE).verdict().because


def test_a_daemon_set_whose_newest_revision_is_another_template_is_not_done() -> None:
    found = [item for item in daemons() if item["metadata"]["name"] != "churn-b"]
    assert daemon_set(found, 40).outcome == "pending"


# --- Argo Rollout --------------------------------------------------------------------------------------------


def rollout(
    phase: str = "Healthy", promoted: bool = True, ready: float | None = 20, **status: Any
) -> Documents:
    hash_ = "rollouts-pod-template-hash"
    known = {
        "observedGeneration": "2", "phase": phase, "currentPodHash": "bbb", "stableRS": "bbb" if promoted else "aaa",
        "replicas": 2, "updatedReplicas": 2 if promoted else 1, "readyReplicas": 2, "availableReplicas": 2, **status,
    }  # fmt: skip
    steps = [{"setWeight": 20}, {"pause": {}}, {"pause": {"duration": "1m"}}]
    found = document(
        "Rollout",
        "churn",
        {"replicas": 2, "template": template(NEW), "strategy": {"canary": {"steps": steps}}},
        known,
    )
    sets = [
        replica_set("churn-aaa", OLD, "churn", 1, -9000, **{hash_: "aaa"}),
        replica_set("churn-bbb", NEW, "churn", 2, 2, **{hash_: "bbb"}),
    ]
    pods = [
        pod(f"churn-bbb-{i}", "churn-bbb", 5, ready, **{hash_: "bbb"}) for i in range(2 if promoted else 1)
    ]
    return [found, *sets, *pods]


def argo(documents: Documents, seconds: float, **claimed: Any) -> Situation:
    return asked(WorkloadKind.ROLLOUT, documents, seconds, **claimed)


def test_a_rollout_is_done_when_it_is_healthy_and_promoted() -> None:
    assert argo(rollout(), 40).outcome == "succeeded"
    assert argo(rollout(promoted=False), 40).outcome == "pending"
    assert argo(rollout(stableRS="aaa"), 40).outcome == "pending"
    assert len(looked_as_judged(argo(rollout(), 40))) == 3


def test_the_observed_generation_of_a_rollout_is_a_string() -> None:
    assert argo(rollout(observedGeneration="1"), 40).outcome == "pending"
    assert argo(rollout(observedGeneration=2), 40).outcome == "pending"


def test_a_pause_without_end_waits_for_a_person_and_one_with_an_end_does_not() -> None:
    pause: dict[str, Any] = {"pauseConditions": [{"reason": "CanaryPauseStep", "startTime": at(30)}]}
    meant = argo(rollout("Paused", promoted=False, currentStepIndex=1, **pause), LATE).verdict()
    assert (meant.outcome, "at step 2 of 3" in meant.because) == ("inconclusive", True)
    assert argo(rollout("Paused", promoted=False, currentStepIndex=2, **pause), 60).outcome == "pending"


def test_an_inconclusive_analysis_waits_for_a_person() -> None:
    pause: dict[str, Any] = {"pauseConditions": [{"reason": "InconclusiveAnalysisRun"}]}
    assert argo(rollout("Paused", promoted=False, **pause), 60).outcome == "inconclusive"


def test_an_aborted_rollout_serves_what_was_stable_and_git_must_follow() -> None:
    found = rollout(
        "Degraded", promoted=False, abort=True, abortedAt=at(90), message="RolloutAborted: metric failed"
    )
    failed = argo(found, 100).verdict()
    assert failed.outcome == "failed"
    assert "metric failed" in failed.because


def test_an_abort_of_before_the_merge_is_another_releases() -> None:
    found = rollout("Degraded", promoted=False, abort=True, abortedAt=at(-90))
    assert argo(found, 100).outcome == "pending"
    assert argo(found, LATE).outcome == "inconclusive"


def test_degraded_alone_is_a_hint_until_the_bots_own_deadline() -> None:
    found = rollout("Degraded", promoted=False, ready=None, message="ProgressDeadlineExceeded: timed out")
    assert "timed out" in argo(found, 300).verdict().because
    assert argo(found, 300).outcome == "pending"
    assert argo(found, LATE).outcome == "failed"


def test_an_invalid_spec_of_a_rollout_is_not_the_images_fault() -> None:
    invalid: dict[str, Any] = {
        "conditions": [{"type": "InvalidSpec", "status": "True", "message": "steps are wrong"}]
    }
    assert argo(rollout("Degraded", promoted=False, **invalid), LATE).outcome == "inconclusive"


def test_a_canary_that_still_walks_its_steps_at_the_deadline_is_not_failed() -> None:
    assert argo(rollout("Progressing", promoted=False, currentStepIndex=0), LATE).outcome == "inconclusive"


def test_a_rollout_that_borrows_its_template_is_judged_by_that_deployment() -> None:
    found = rollout(workloadObservedGeneration="2")
    del found[0]["spec"]["template"], found[0]["spec"]["selector"]
    found[0]["spec"]["workloadRef"] = {"kind": "Deployment", "name": "lender"}
    found.append(document("Deployment", "lender", {"template": template(NEW), "replicas": 0}, {}))
    assert argo(found, 40).outcome == "succeeded"
    assert len(looked_as_judged(argo(found, 40))) == 4
    found[0]["status"]["workloadObservedGeneration"] = "1"
    assert argo(found, 40).outcome == "pending"


# --- Flagger Canary ------------------------------------------------------------------------------------------


def deployment(
    name: str, image: str, replicas: int = 1, made: float = 2, ready: float | None = 60
) -> Documents:
    counters = (
        {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1} if replicas else {}
    )
    if ready is None:
        counters = {"replicas": 1, "updatedReplicas": 1, "unavailableReplicas": 1}
    found = document("Deployment", name, {"replicas": replicas, "template": template(image)}, counters)
    sets = replica_set(f"{name}-x", image, name, 2, made, **{"pod-template-hash": f"{name}-x"})
    pods = (
        [pod(f"{name}-x-0", f"{name}-x", made, ready, **{"pod-template-hash": f"{name}-x"})]
        if replicas
        else []
    )
    return [found, sets, *pods]


def canary(
    phase: str, primary: str, changed: float, *, candidate: int = 0, ready: float | None = 60
) -> Documents:
    spec = {"targetRef": {"kind": "Deployment", "name": "web"}}
    status = {"phase": phase, "lastTransitionTime": at(changed), "failedChecks": 3, "canaryWeight": 20}
    own = document("Canary", "churn", spec, status)
    return [own, *deployment("web", NEW, candidate, ready=ready), *deployment("web-primary", primary, made=-500 if primary == OLD else 50)]  # fmt: skip


def flagger(documents: Documents, seconds: float, **claimed: Any) -> Situation:
    return asked(WorkloadKind.CANARY, documents, seconds, **claimed)


def test_a_canary_is_proven_by_its_primary() -> None:
    found = flagger(canary("Succeeded", NEW, 65), 100)
    assert found.outcome == "succeeded"
    assert len(looked_as_judged(found)) <= 5


def test_succeeded_is_of_the_release_before_while_the_primary_still_has_that() -> None:
    found = flagger(canary("Succeeded", OLD, -500), 5)
    assert found.outcome == "pending"
    assert "is of the release before" in found.verdict().because
    looked_as_judged(found)


def test_a_failed_canary_is_scaled_to_zero_and_not_done() -> None:
    found = flagger(canary("Failed", OLD, 120), 130)
    assert found.outcome == "failed"
    assert "rolled it back after 3 failed checks" in found.verdict().because
    looked_as_judged(found)


def test_failed_after_a_return_to_what_was_promoted_is_stale() -> None:
    assert flagger(canary("Failed", NEW, -100), 100).outcome == "succeeded"
    assert flagger(canary("Failed", OLD, -100), 5).outcome == "pending"


@pytest.mark.parametrize("phase", ["Waiting", "WaitingPromotion", "Terminating"])
def test_a_canary_that_waits_for_a_person_is_never_failed(phase: str) -> None:
    assert flagger(canary(phase, OLD, 60, candidate=1), LATE).outcome == "inconclusive"


@pytest.mark.parametrize("phase", ["Initializing", "Progressing", "Promoting", "Finalising"])
def test_an_analysis_takes_its_time(phase: str) -> None:
    found = canary(phase, OLD, 60, candidate=1)
    assert flagger(found, 120).outcome == "pending"
    assert flagger(found, LATE).outcome == "inconclusive"
    looked_as_judged(flagger(found, 120))


def test_a_candidate_whose_pod_never_gets_ready_fails_at_the_deadline() -> None:
    assert flagger(canary("Progressing", OLD, 60, candidate=1, ready=None), LATE).outcome == "failed"


def test_a_suspended_canary_is_a_persons() -> None:
    found = canary("Succeeded", OLD, -500)
    found[0]["spec"]["suspend"] = True
    assert flagger(found, LATE).outcome == "inconclusive"


# --- KServe InferenceService -----------------------------------------------------------------------------------


URI = "s3://models/churn/2"


def inference(created: str = "churn-2", ready: str = "churn-2", runs: str = URI, **status: Any) -> Documents:
    predictor = {
        "latestCreatedRevision": created,
        "latestReadyRevision": ready,
        "latestRolledoutRevision": ready,
    }
    known = {
        "observedGeneration": 99,
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": at(30)}],
        "modelStatus": {"transitionStatus": "UpToDate"},
        "components": {"predictor": predictor},
        **status,
    }
    own = document("InferenceService", "churn", {"predictor": {"model": {"storageUri": URI}}}, known)
    source = {"internal.serving.kserve.io/storage-initializer-sourceuri": runs}
    revision = {"kind": "Revision", "metadata": {"name": created, "creationTimestamp": at(4), "annotations": source}, "spec": {}}  # fmt: skip
    return [own, revision]


def kserve(documents: Documents, seconds: float, **claimed: Any) -> Situation:
    return asked(WorkloadKind.INFERENCE_SERVICE, documents, seconds, **{"image": URI, **claimed})


def test_a_serverless_one_is_done_when_the_newest_revision_is_the_one_that_serves() -> None:
    found = kserve(inference(), 60)
    assert found.outcome == "succeeded"
    assert "its newest revision runs s3://models/churn/2" in found.verdict().because
    assert len(looked_as_judged(found)) == 3
    assert kserve(inference(ready="churn-1"), 60).outcome == "pending"


def test_ready_is_of_the_revision_before_until_the_newest_one_has_the_model() -> None:
    assert kserve(inference(runs="s3://models/churn/1"), 60).outcome == "pending"


def test_its_observed_generation_is_not_its_own() -> None:
    found = inference()
    assert found[0]["status"]["observedGeneration"] != found[0]["metadata"]["generation"]
    assert kserve(found, 60).outcome == "succeeded"


def test_traffic_that_still_goes_to_the_revision_before_is_not_done() -> None:
    found = inference()
    predictor = found[0]["status"]["components"]["predictor"]
    predictor["traffic"] = [
        {"revisionName": "churn-1", "percent": 90},
        {"latestRevision": True, "percent": 10},
    ]
    assert kserve(found, 60).outcome == "pending"
    found[0]["spec"]["predictor"]["canaryTrafficPercent"] = 10
    assert "canaryTrafficPercent of 10" in kserve(found, 60).verdict().because


def test_a_model_that_cannot_be_loaded_has_failed_with_what_kserve_says() -> None:
    last = {"reason": "ModelLoadFailed", "message": "no such key", "time": at(20)}
    found = inference(
        ready="churn-1", modelStatus={"transitionStatus": "BlockedByFailedLoad", "lastFailureInfo": last}
    )
    failed = kserve(found, 60).verdict()
    assert failed.outcome == "failed"
    assert "ModelLoadFailed: no such key" in failed.because
    looked_as_judged(kserve(found, 60))


def test_a_load_that_failed_before_the_merge_is_another_releases() -> None:
    last = {"reason": "ModelLoadFailed", "time": at(-200)}
    found = inference(
        ready="churn-1", modelStatus={"transitionStatus": "BlockedByFailedLoad", "lastFailureInfo": last}
    )
    assert kserve(found, 60).outcome == "pending"


def test_an_invalid_spec_makes_no_revision_and_fails_when_it_came_after_the_merge() -> None:
    last = {"reason": "NoSupportingRuntime", "time": at(3)}
    found = inference(
        runs="s3://models/churn/1", modelStatus={"transitionStatus": "InvalidSpec", "lastFailureInfo": last}
    )
    assert kserve(found, 60).outcome == "failed"
    del last["time"]
    assert kserve(copy.deepcopy(found), 60).outcome == "pending"


def test_a_stopped_one_serves_nobody() -> None:
    stopped = [{"type": "Stopped", "status": "True"}, {"type": "Ready", "status": "False"}]
    assert kserve(inference(conditions=stopped), LATE).outcome == "inconclusive"


def test_a_raw_one_is_judged_by_its_deployment() -> None:
    found = inference()
    found[0]["status"]["components"] = {"predictor": {}}
    behind = deployment("churn-predictor", "kserve/sklearnserver:v0.15")
    source = {"internal.serving.kserve.io/storage-initializer-sourceuri": URI}
    for item in behind[:2]:
        item["spec"]["template"]["metadata"]["annotations"] = source
    assert kserve([found[0], *behind], 100).outcome == "succeeded"
    assert len(looked_as_judged(kserve([found[0], *behind], 100))) == 4
    assert kserve([found[0]], 100).outcome == "pending"


@pytest.mark.parametrize("number", ["2", "17"])
def test_a_raw_one_whose_status_names_the_number_of_its_deployments_revision_is_judged_by_that(
    number: str,
) -> None:
    found = inference()
    found[0]["status"]["components"] = {"predictor": {"latestCreatedRevision": number}}
    behind = deployment("churn-predictor", "kserve/sklearnserver:v0.15")
    source = {"internal.serving.kserve.io/storage-initializer-sourceuri": URI}
    for item in behind[:2]:
        item["spec"]["template"]["metadata"]["annotations"] = source
    assert kserve([found[0], *behind], 100).outcome == "succeeded"
    looked_as_judged(kserve([found[0], *behind], 100))


def test_one_in_model_mesh_has_no_pods_of_its_own_and_says_what_can_tell() -> None:
    found = inference(created="churn__isvc-b52e1c8a05")[:1]
    found[0]["metadata"]["annotations"] = {"serving.kserve.io/deploymentMode": "ModelMesh"}
    verdict = kserve(found, 100).verdict()
    assert verdict.outcome == "inconclusive"
    assert "only a `prediction:` check can tell" in verdict.because
    looked_as_judged(kserve(found, 100))


def test_a_pod_of_the_newest_revision_that_crashes_condemns_it() -> None:
    crashing = pod("churn-2-x", "rs", 5, None, **{"serving.knative.dev/revision": "churn-2"})
    crashing["status"]["containerStatuses"][0]["restartCount"] = 3
    crashing["metadata"]["ownerReferences"] = owned("rs", "ReplicaSet")
    found = kserve([*inference(ready="churn-1"), crashing], 60)
    assert "container server of pod churn-2-x crashed 3 times" in found.verdict().because
    assert found.outcome == "failed"
    looked_as_judged(found)
