"""An Application whose image runs in an InferenceService or its like: its Healthy may be the version before, so pods decide."""

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.adapters.argocd.indirect import wants_tree
from bot.adapters.argocd.judge import judge
from bot.adapters.argocd.places import TREE, roots
from bot.core.verdict import Claim, Outcome, Verdict
from tests.recordings.reader import changes

LIVE = [
    item["object"] for item in changes("argocd", "02-image-bump") if item["object"]["kind"] == "Application"
][-1]
MERGED = datetime(2026, 11, 23, 7, 3, 6, tzinfo=UTC)
IMAGE, OLD = "127.0.0.1:5000/web:good-2", "127.0.0.1:5000/web:good-1"
CLAIM = Claim(
    LIVE["status"]["sync"]["revision"], IMAGE, MERGED, timedelta(seconds=3), deadline=timedelta(minutes=10)
)
SERVICE = {
    "group": "serving.kserve.io",
    "version": "v1beta1",
    "kind": "InferenceService",
    "name": "web",
    "namespace": "web",
    "status": "Synced",
}
ROLLOUT = SERVICE | {"group": "argoproj.io", "version": "v1alpha1", "kind": "Rollout"}
NIGHTLY = SERVICE | {"group": "batch", "version": "v1", "kind": "CronJob", "name": "nightly"}
STATEFUL = SERVICE | {"group": "apps", "version": "v1", "kind": "StatefulSet"}
KNATIVE = SERVICE | {"group": "serving.knative.dev", "version": "v1", "kind": "Service"}


def application(images: list[str], *resources: dict[str, Any], **status: Any) -> dict[str, Any]:
    """The recorded Application, live, had it these in place of its Deployment, and pods of these images."""
    document: dict[str, Any] = copy.deepcopy(LIVE)
    document["status"] |= {"resources": list(resources or (SERVICE,)), "summary": {"images": images}} | status
    # A sync tells images of what has a pod template where a Deployment has it; an InferenceService has none.
    document["status"]["operationState"]["syncResult"]["resources"] = []
    return document


def tree(*pods: tuple[str, str], of: dict[str, Any] = SERVICE) -> dict[str, Any]:
    """A resource tree of the API: the object, its ReplicaSet, and pods with an image and a health each."""
    nodes = [
        {**of, "uid": "top", "health": {"status": "Healthy"}},
        {"group": "apps", "kind": "ReplicaSet", "name": "web-1", "namespace": "web", "uid": "rs", "parentRefs": [{"uid": "top"}]},
    ]  # fmt: skip
    for number, (image, health) in enumerate(pods):
        pod = {
            "kind": "Pod",
            "name": f"web-1-{number}",
            "namespace": "web",
            "uid": f"pod-{number}",
            "images": [image],
        }
        nodes.append(pod | {"parentRefs": [{"uid": "rs"}], "health": {"status": health}})
    return {"kind": TREE, "nodes": nodes}


def said(*documents: dict[str, Any], claim: Claim = CLAIM, seconds: float = 60) -> Verdict:
    return judge(documents, claim, MERGED + timedelta(seconds=seconds))


def outcome(images: list[str], image: str = IMAGE) -> Outcome:
    return said(application(images), claim=replace(CLAIM, image=image)).outcome


# --- The pods of the Application -------------------------------------------------------------------


def test_the_image_of_its_pods_is_enough() -> None:
    assert outcome([IMAGE]) is Outcome.SUCCEEDED
    assert outcome([IMAGE, "kserve/storage-initializer:v0.15.0"]) is Outcome.SUCCEEDED


def test_knative_runs_digests_in_place_of_tags_and_a_claim_with_its_digest_finds_them() -> None:
    digest = "sha256:" + "ab" * 32
    assert outcome([f"127.0.0.1:5000/web@{digest}"], f"{IMAGE}@{digest}") is Outcome.SUCCEEDED
    assert outcome([f"127.0.0.1:5000/web@{digest}"]) is Outcome.INCONCLUSIVE


def test_without_any_pod_nothing_serves() -> None:
    verdict = said(application([]))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "InferenceService web is scaled to zero, or still the version before" in verdict.because
    assert "`workload: inferenceservice/web` in `verify:` proves more" in verdict.because


@pytest.mark.parametrize(
    ("of", "check"),
    [
        (SERVICE, "workload: inferenceservice/web"),
        (ROLLOUT, "workload: rollout/web"),
        (KNATIVE, "prediction:"),
    ],
)
def test_healthy_proves_nothing_while_pods_of_the_version_before_run_too(
    of: dict[str, Any], check: str
) -> None:
    """KServe without Knative is Ready while old pods are available; a partition and OnDelete keep old pods for ever."""
    document = application([IMAGE, OLD], of)
    verdict = said(document)
    assert verdict.outcome is Outcome.PENDING
    assert f"pods of {OLD} run too, and may be what serves" in verdict.because
    assert f"`{check}` in `verify:` proves more" in verdict.because
    document["status"]["reconciledAt"] = "2026-11-23T07:13:00Z"
    assert said(document, seconds=601).outcome is Outcome.INCONCLUSIVE


def test_another_tag_that_its_sync_gave_to_something_is_not_left_over() -> None:
    document = application([IMAGE, OLD], SERVICE, NIGHTLY)
    assert said(document).outcome is Outcome.PENDING
    document["status"]["operationState"]["syncResult"]["resources"] = [NIGHTLY | {"images": [OLD]}]
    assert said(document).outcome is Outcome.SUCCEEDED


def test_an_application_of_deployments_may_have_pods_of_other_tags() -> None:
    deployment = SERVICE | {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert said(application([IMAGE, OLD], deployment)).outcome is Outcome.SUCCEEDED


def test_an_application_of_applications_has_no_pods_and_names_them() -> None:
    child = SERVICE | {"group": "argoproj.io", "kind": "Application", "name": "churn-production"}
    verdict = said(application([], child))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert (
        "deploys other Applications (churn-production), so name the one that runs the image"
        in verdict.because
    )


# --- With the tree of the API ----------------------------------------------------------------------


def test_the_tree_is_read_where_it_may_tell_more() -> None:
    good, failed = Verdict(Outcome.SUCCEEDED, ""), Verdict(Outcome.FAILED, "")
    assert wants_tree(application([IMAGE]), good)
    assert not wants_tree(LIVE, good)
    assert wants_tree(LIVE, failed)
    assert not wants_tree(application([IMAGE], health={"status": "Progressing"}), good)


def test_pods_of_the_version_before_under_it_keep_it_from_being_proven() -> None:
    both = application([IMAGE, OLD])
    assert said(both, tree((IMAGE, "Healthy"), (OLD, "Healthy"))).outcome is Outcome.PENDING
    assert said(application([IMAGE]), tree((IMAGE, "Healthy"))).outcome is Outcome.SUCCEEDED


def test_a_new_pod_under_it_that_is_not_well_keeps_it_from_being_proven() -> None:
    verdict = said(application([IMAGE]), tree((IMAGE, "Healthy"), (IMAGE, "Degraded")))
    assert verdict.outcome is Outcome.PENDING
    assert "InferenceService web is Healthy, but Pod web-1-1 is Degraded" in verdict.because


def test_pods_of_something_else_are_not_its_own() -> None:
    """A CronJob keeps the pods of its last runs for days."""
    document = application([IMAGE, OLD], SERVICE, NIGHTLY)
    beside = tree((IMAGE, "Healthy"))
    beside["nodes"] += [
        {**NIGHTLY, "uid": "nightly"},
        {"kind": "Pod", "name": "nightly-1", "namespace": "web", "uid": "x", "images": [OLD], "parentRefs": [{"uid": "nightly"}]},
    ]  # fmt: skip
    assert said(document, beside).outcome is Outcome.SUCCEEDED


def test_nodes_without_an_identity_are_each_their_own() -> None:
    anonymous = tree((IMAGE, "Healthy"))
    anonymous["nodes"] += [{"kind": "Secret", "name": "x"}, {"kind": "Secret", "name": "y"}]
    assert said(application([IMAGE]), anonymous).outcome is Outcome.SUCCEEDED
    assert {place[3] for place in roots([anonymous])} == {"web", "x", "y"}


def test_a_rollout_keeps_old_pods_for_a_while_after_its_promotion() -> None:
    """They stand by for `scaleDownDelaySeconds`, and its Healthy is of the generation that was asked for."""
    document = application([IMAGE, OLD], ROLLOUT)
    pods = tree((IMAGE, "Healthy"), (OLD, "Healthy"), of=ROLLOUT)
    assert said(document, pods, seconds=60).outcome is Outcome.PENDING
    assert said(document, pods, seconds=66).outcome is Outcome.SUCCEEDED


def test_pods_that_have_ended_say_nothing() -> None:
    """An evicted pod stands there until somebody takes it away."""
    pods = tree((IMAGE, "Healthy"), (OLD, "Degraded"), (IMAGE, "Degraded"))
    for pod in pods["nodes"][-2:]:
        pod["info"] = [{"name": "Status Reason", "value": "Evicted"}]
    assert said(application([IMAGE, OLD]), pods).outcome is Outcome.SUCCEEDED


# --- A cluster without room ------------------------------------------------------------------------


def waiting(reason: str = "Pending", node: str = "") -> dict[str, Any]:
    """A tree as Argo CD tells of a pod that is not ready; without a node nobody takes it."""
    pods = tree((IMAGE, "Progressing"), (OLD, "Healthy"))
    pods["nodes"][2]["info"] = [{"name": "Status Reason", "value": reason}, {"name": "Node", "value": node}]
    return pods


@pytest.mark.parametrize(("health", "seconds"), [("Degraded", 60), ("Progressing", 603)])
def test_pods_that_no_node_takes_condemn_nothing(health: str, seconds: float) -> None:
    deployment = SERVICE | {"group": "apps", "version": "v1", "kind": "Deployment"}
    document = unwell(health, "2026-11-23T07:03:30Z", deployment)
    document["status"]["health"]["lastTransitionTime"] = "2026-11-23T07:03:08Z"
    assert said(document, seconds=seconds).outcome is Outcome.FAILED
    verdict = said(document, waiting(), seconds=seconds)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no node takes its pods (web-1-0 is not scheduled)" in verdict.because
    assert said(document, waiting("CrashLoopBackOff", "node-1"), seconds=seconds).outcome is Outcome.FAILED
    assert said(document, waiting("ContainerCreating", "node-1"), seconds=seconds).outcome is Outcome.FAILED


def test_pods_that_a_quota_refuses_condemn_nothing() -> None:
    deployment = SERVICE | {"group": "apps", "version": "v1", "kind": "Deployment"}
    document = unwell("Degraded", "2026-11-23T07:03:30Z", deployment)
    refused = tree((OLD, "Healthy"))
    refused["nodes"][1]["health"] = {
        "status": "Degraded",
        "message": 'pods "web-2-x" is forbidden: exceeded quota: small',
    }
    verdict = said(document, refused)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "its pods cannot be created: pods" in verdict.because
    refused["nodes"][1]["health"]["message"] = 'admission webhook "v" denied the request: unsigned'
    assert said(document, refused).outcome is Outcome.FAILED


# --- Unwell ----------------------------------------------------------------------------------------


def unwell(health: str, since: str, *resources: dict[str, Any]) -> dict[str, Any]:
    document = application([IMAGE, OLD], *resources, health={"status": health, "lastTransitionTime": since})
    document["status"]["reconciledAt"] = "2026-11-23T07:13:10Z"
    return document


def test_an_inference_service_is_degraded_while_it_changes_and_has_until_the_deadline() -> None:
    """argo-cd, InferenceService/health.lua: any condition that is False makes it Degraded."""
    document = unwell("Degraded", "2026-11-23T07:03:08Z", SERVICE)
    waiting = said(document)
    assert waiting.outcome is Outcome.PENDING
    assert "InferenceService web may make the Application Degraded" in waiting.because
    assert said(document, seconds=603).outcome is Outcome.FAILED


def test_a_deployment_that_is_degraded_beside_it_fails_at_once() -> None:
    bad = {"health": {"status": "Degraded"}}
    deployment = SERVICE | {"group": "apps", "version": "v1", "kind": "Deployment"}
    document = unwell("Degraded", "2026-11-23T07:03:30Z", SERVICE | bad, deployment | bad)
    assert said(document).outcome is Outcome.FAILED
    assert said(unwell("Degraded", "2026-11-23T07:03:30Z", ROLLOUT)).outcome is Outcome.FAILED


def test_through_kubernetes_nobody_tells_whether_it_is_a_job_that_failed() -> None:
    """Since Argo CD 3.0 the object holds no health per resource."""
    deployment = SERVICE | {"group": "apps", "version": "v1", "kind": "Deployment"}
    verdict = said(unwell("Degraded", "2026-11-23T07:03:30Z", deployment, NIGHTLY))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "it may be CronJob nightly; ask Argo CD's API (`through: api`), or add a `workload:` check" in verdict.because  # fmt: skip
    hook = NIGHTLY | {"kind": "Job", "hook": True}
    assert said(unwell("Degraded", "2026-11-23T07:03:30Z", deployment, hook)).outcome is Outcome.FAILED
    service = SERVICE | {"group": "", "version": "v1", "kind": "Service"}
    assert said(unwell("Degraded", "2026-11-23T07:03:30Z", deployment, service)).outcome is Outcome.FAILED


def test_an_autoscaler_without_metrics_of_new_pods_is_no_failure_of_the_release() -> None:
    """gitops-engine, health_hpa.go: FailedGetResourceMetric is Degraded, and every rollout may show it for a while."""
    deployment = SERVICE | {"group": "apps", "version": "v1", "kind": "Deployment"}
    hpa = SERVICE | {"group": "autoscaling", "version": "v2", "kind": "HorizontalPodAutoscaler"}
    untold = unwell("Degraded", "2026-11-23T07:03:30Z", deployment, hpa)
    assert said(untold, seconds=60).outcome is Outcome.PENDING
    assert said(untold, seconds=90).outcome is Outcome.FAILED
    bad = {"health": {"status": "Degraded"}}
    told = unwell("Degraded", "2026-11-23T07:03:30Z", deployment | bad, hpa | bad)
    assert said(told, seconds=60).outcome is Outcome.FAILED
    alone = unwell(
        "Degraded", "2026-11-23T07:03:30Z", deployment | {"health": {"status": "Healthy"}}, hpa | bad
    )
    alone["status"]["operationState"]["syncResult"]["resources"] = [deployment | {"images": [IMAGE]}]
    assert said(alone, seconds=400).outcome is Outcome.INCONCLUSIVE


def test_a_suspended_cron_job_pauses_no_rollout() -> None:
    """It makes the whole Application Suspended (argo-cd, CronJob/health.lua), for as long as it is."""
    document = copy.deepcopy(LIVE)
    document["status"]["health"]["status"] = "Suspended"
    document["status"]["resources"].append(NIGHTLY | {"health": {"status": "Suspended"}})
    verdict = said(document)
    assert verdict.outcome is Outcome.SUCCEEDED
    assert "Synced and Healthy (but for what is suspended: CronJob nightly) since" in verdict.because
    for item in document["status"]["resources"]:
        item.pop("health", None)
    unknown = said(document)
    assert unknown.outcome is Outcome.INCONCLUSIVE
    assert "or CronJob nightly is suspended" in unknown.because


def test_what_was_progressing_before_the_commit_has_not_failed_at_the_deadline() -> None:
    """An Ingress that never gets an address keeps an Application Progressing for ever."""
    before = unwell("Progressing", "2026-11-20T07:03:08Z", SERVICE)
    verdict = said(before, seconds=603)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert (
        "which it has been since 2026-11-20 07:03:08 UTC, before this commit was applied" in verdict.because
    )
    assert said(unwell("Progressing", "2026-11-23T07:03:08Z", SERVICE), seconds=603).outcome is Outcome.FAILED
