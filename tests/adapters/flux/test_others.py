"""An image that no Deployment of the inventory runs: what Flux's health check proves then, and what objects to it.

The Kustomization, its source and the HelmRelease are recorded; the objects in place of their Deployment are written by
hand from facts/products.md, section 4.
"""

import copy
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.adapters.flux import FluxCluster
from bot.core.target import Flux
from bot.core.verdict import Outcome, Verdict
from tests.adapters.flux.recorded import Cluster, Moment

FAILED, PENDING, SUCCEEDED = Outcome.FAILED, Outcome.PENDING, Outcome.SUCCEEDED
INCONCLUSIVE = Outcome.INCONCLUSIVE

NEW, OLD = "registry.example.com/shop:good-2", "registry.example.com/shop:good-1"
READY = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-23T06:50:55Z"}
POD = {"containers": [{"name": "shop", "image": NEW}]}
TEMPLATE = {"template": {"spec": POD}}
PREDICTOR = {
    "latestCreatedRevision": "shop-2",
    "latestReadyRevision": "shop-2",
    "latestRolledoutRevision": "shop-2",
}
KINDS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "InferenceService": (
        "serving.kserve.io/v1beta1",
        {"predictor": POD},
        {
            "conditions": [READY],
            "components": {"predictor": PREDICTOR},
            "modelStatus": {"transitionStatus": "UpToDate"},
        },
    ),
    "Service": (
        "serving.knative.dev/v1",
        TEMPLATE,
        {
            "observedGeneration": 2,
            "conditions": [READY],
            "latestCreatedRevisionName": "shop-2",
            "latestReadyRevisionName": "shop-2",
            "traffic": [{"latestRevision": True, "percent": 100, "revisionName": "shop-2"}],
        },
    ),
    "Rollout": (
        "argoproj.io/v1alpha1",
        TEMPLATE,
        {"observedGeneration": "2", "phase": "Healthy", "currentPodHash": "6b5", "stableRS": "6b5"},
    ),
    "CronJob": ("batch/v1", {"jobTemplate": {"spec": TEMPLATE}}, {}),
    "Job": ("batch/v1", TEMPLATE, {"succeeded": 1}),
}  # fmt: skip
CANARY = {
    "apiVersion": "flagger.app/v1beta1",
    "kind": "Canary",
    "metadata": {"name": "shop", "namespace": "fx-02", "generation": 1},
    "spec": {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}},
    "status": {"phase": "Succeeded", "lastTransitionTime": "2026-11-23T06:50:55Z"},
}


class Instead:
    """A recorded moment of a good rollout, with an object of another kind in place of the Deployment."""

    def __init__(self, kind: str, identity: str = "02-bump-healthy/6b562c9", at: float = 35) -> None:
        self.moment = Moment(identity, at)
        self.claim = replace(self.moment.claim, deployment=None)
        self.namespace = self.moment.expected["claim"]["namespace"]
        version, spec, status = copy.deepcopy(KINDS[kind])
        self.object: dict[str, Any] = {
            "apiVersion": version,
            "kind": kind,
            "metadata": {"name": "shop", "namespace": self.namespace, "generation": 2},
            "spec": spec,
            "status": status,
        }
        self.moment.without("Deployment").documents.append(self.object)
        self.list_in("Kustomization", f"{version.partition('/')[0]}_{kind}")
        self.forbidden: list[str] = []

    @property
    def app(self) -> dict[str, Any]:
        return self.moment.of("Kustomization")

    def list_in(self, owner: str, listed: str) -> None:
        """The inventory of the owner has this in place of the Deployment."""
        entries = [{"id": f"{self.namespace}_shop__Service"}, {"id": f"{self.namespace}_shop_{listed}"}]
        self.moment.of(owner)["status"]["inventory"] = {"entries": entries}

    def condition(self, type_: str, status: str, owner: str = "Kustomization") -> None:
        """The owner says this of itself."""
        conditions = self.moment.of(owner)["status"]["conditions"]
        conditions[:] = [item for item in conditions if item["type"] != type_]
        conditions.append({"type": type_, "status": status, "lastTransitionTime": "2026-11-23T06:51:01Z"})

    def look(self, later: timedelta = timedelta(0), **more: Any) -> Verdict:
        name = self.moment.expected["claim"].get("via", self.moment.expected["claim"]["object"])
        flux = Flux(name.partition("/")[2], namespace=self.namespace, **more)
        self.cluster = Cluster(self.moment.documents, self.forbidden)
        return FluxCluster(self.cluster).look(flux, self.claim, self.moment.now + later)


def _changed(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {key: _changed(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [_changed(item, old, new) for item in value]
    return new if value == old else value


# --- Believed --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_with_the_image_that_flux_calls_healthy_has_succeeded_and_the_evidence_is_said(
    kind: str,
) -> None:
    verdict = Instead(kind).look()
    assert verdict.outcome is SUCCEEDED
    assert f"{kind} shop asks for {NEW}" in verdict.because
    assert "the evidence that it serves is Flux's own health check" in verdict.because
    provable = kind in ("InferenceService", "Rollout")
    assert (f"`workload: {kind.lower()}/shop`" if provable else "`prediction:` or `http:`") in verdict.because
    assert any(item.asked == f"{kind} shop" for item in verdict.evidence)


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_with_the_old_image_is_pending_and_never_failed(kind: str) -> None:
    world = Instead(kind)
    world.object["spec"] = _changed(world.object["spec"], NEW, OLD)
    verdict = world.look()
    assert verdict.outcome is PENDING
    assert "asks for another image" in verdict.because
    assert world.look(later=timedelta(hours=1)).outcome is INCONCLUSIVE


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_of_another_repository_is_none_of_the_claim(kind: str) -> None:
    world = Instead(kind)
    world.object["spec"] = _changed(world.object["spec"], NEW, "registry.example.com/other:good-2")
    verdict = world.look()
    assert verdict.outcome is INCONCLUSIVE
    assert "no Deployment or other workload" in verdict.because


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_that_may_not_be_read_is_inconclusive_and_names_the_right(kind: str) -> None:
    world = Instead(kind)
    world.forbidden = [kind]
    verdict = world.look()
    assert verdict.outcome is INCONCLUSIVE
    assert "may not get" in verdict.because
    assert "grant it" in verdict.because


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_health_check_of_flux_nothing_is_proven(kind: str) -> None:
    world = Instead(kind)
    world.app["spec"]["wait"] = False
    verdict = world.look()
    assert verdict.outcome is INCONCLUSIVE
    assert "set `wait: true`" in verdict.because
    world.app["spec"]["healthChecks"] = [{"apiVersion": "v1", "kind": kind, "name": "shop"}]
    assert world.look().outcome is INCONCLUSIVE
    world.app["spec"]["healthChecks"][0]["apiVersion"] = world.object["apiVersion"]
    assert world.look().outcome is SUCCEEDED


def test_digests_decide_where_the_claim_has_one() -> None:
    world = Instead("InferenceService")
    world.claim = replace(world.claim, image=f"{NEW}@sha256:ab")
    assert world.look().outcome is PENDING
    world.object["spec"] = _changed(world.object["spec"], NEW, f"{NEW}@sha256:ab")
    assert world.look().outcome is SUCCEEDED


@pytest.mark.parametrize(
    ("type_", "status"),
    [
        ("Ready", "Unknown"), ("Ready", "False"), ("Healthy", "Unknown"), ("Healthy", "False"),
        ("Reconciling", "True"), ("Stalled", "True"),
    ],
)  # fmt: skip
def test_every_word_of_flux_must_be_there_at_once(type_: str, status: str) -> None:
    world = Instead("InferenceService")
    world.condition(type_, status)
    assert world.look().outcome in (PENDING, INCONCLUSIVE)
    assert world.look(later=timedelta(hours=1)).outcome is INCONCLUSIVE


def test_a_commit_that_is_attempted_but_not_applied_is_pending() -> None:
    world = Instead("InferenceService")
    world.app["status"]["lastAppliedRevision"] = "main@sha1:" + "0f3c" * 10
    assert world.look().outcome is PENDING
    world = Instead("InferenceService")
    world.claim = replace(world.claim, contains=("0f3c" * 10,))
    world.app["status"]["lastAttemptedRevision"] = "main@sha1:" + "0f3c" * 10
    assert world.look().outcome is PENDING


def test_a_source_that_fails_may_hide_a_newer_commit() -> None:
    world = Instead("InferenceService")
    world.condition("Ready", "False", "GitRepository")
    verdict = world.look()
    assert verdict.outcome is PENDING
    assert "may miss a newer commit" in verdict.because


def test_healthy_must_last_for_the_objects_own_controller_may_come_later() -> None:
    world = Instead("CronJob")
    healthy = datetime.fromisoformat(world.app["status"]["history"][0]["firstReconciled"])
    world.moment.now = healthy + timedelta(seconds=9)
    verdict = world.look()
    assert verdict.outcome is PENDING
    assert verdict.again is not None
    assert world.look(later=verdict.again).outcome is SUCCEEDED
    world.claim = replace(world.claim, settle=timedelta(minutes=2))
    assert world.look(later=timedelta(minutes=1)).outcome is PENDING
    assert world.look(later=timedelta(minutes=2)).outcome is SUCCEEDED


def test_a_new_ready_of_the_object_begins_the_settle_time_again() -> None:
    world = Instead("InferenceService")
    world.object["status"]["conditions"][0] |= {"lastTransitionTime": "2026-11-23T06:51:08Z"}
    assert world.look().outcome is PENDING
    # Times are cut to whole seconds: it may have been nearly the ninth.
    world.moment.now = datetime.fromisoformat("2026-11-23T06:51:18.5Z")
    assert world.look().outcome is PENDING
    assert world.look(later=timedelta(seconds=1)).outcome is SUCCEEDED


def test_one_that_keeps_the_old_image_beside_one_that_carries_the_claimed_one_is_meant_to() -> None:
    world = Instead("InferenceService")
    other = copy.deepcopy(world.object)
    other["metadata"]["name"], other["spec"] = "challenger", _changed(other["spec"], NEW, OLD)
    world.moment.documents.append(other)
    entries = world.app["status"]["inventory"]["entries"]
    entries.insert(0, {"id": "fx-02_challenger_serving.kserve.io_InferenceService"})
    verdict = world.look()
    assert verdict.outcome is SUCCEEDED
    assert "challenger" not in verdict.because


def test_the_evidence_of_many_objects_is_bounded() -> None:
    world = Instead("Job")
    for number in range(9):
        other = copy.deepcopy(world.object)
        other["metadata"]["name"] = f"job-{number}"
        world.moment.documents.append(other)
        world.app["status"]["inventory"]["entries"].append({"id": f"fx-02_job-{number}_batch_Job"})
    verdict = world.look()
    assert verdict.outcome is SUCCEEDED
    assert len(verdict.evidence) == 6


def test_the_release_of_helm_waits_for_what_it_installs() -> None:
    world = Instead("InferenceService", "10-helm-bump-healthy/e9d4ea0", 40)
    world.list_in("Kustomization", "helm.toolkit.fluxcd.io_HelmRelease")
    world.list_in("HelmRelease", "serving.kserve.io_InferenceService")
    world.moment.now += timedelta(seconds=5)
    assert world.look(helm_release="shop").outcome is SUCCEEDED
    spec = world.moment.of("HelmRelease")["spec"]
    for setting in ({"upgrade": {"disableWait": True}}, {"waitStrategy": {"name": "legacy"}}):
        world.moment.of("HelmRelease")["spec"] = spec | setting
        assert world.look(helm_release="shop").outcome is INCONCLUSIVE
    world.moment.of("HelmRelease")["spec"] = spec
    for type_, status in (("Ready", "Unknown"), ("Reconciling", "True")):
        world.condition(type_, status, "HelmRelease")
        assert world.look(helm_release="shop").outcome is PENDING
        world.condition("Ready", "True", "HelmRelease")


# --- Objections of the object itself ---------------------------------------------------------------


OBJECTIONS: list[tuple[str, dict[str, Any], str]] = [
    ("InferenceService", {"conditions": []}, "says nothing of itself"),
    ("InferenceService", {"conditions": [READY | {"status": "False"}]}, "Ready=False"),
    ("InferenceService", {"modelStatus": {"transitionStatus": "BlockedByFailedLoad"}}, "BlockedByFailedLoad"),
    ("InferenceService", {"components": {"predictor": PREDICTOR | {"latestCreatedRevision": "shop-3"}}}, "shop-3"),
    ("InferenceService", {"components": {"predictor": PREDICTOR | {"latestRolledoutRevision": "shop-1"}}}, "shop-2"),
    ("Service", {"latestCreatedRevisionName": "shop-3"}, "shop-3"),
    ("Service", {"traffic": [{"percent": 100, "revisionName": "shop-1"}]}, "sends traffic to others"),
    ("Service", {"observedGeneration": 1}, "was changed just now"),
    ("Service", {"conditions": [READY | {"status": "Unknown"}]}, "Ready=Unknown"),
    ("Rollout", {"observedGeneration": "1"}, "was changed just now"),
    ("Rollout", {"phase": "Degraded", "message": "RolloutAborted: metric"}, "Degraded RolloutAborted"),
    ("Rollout", {"phase": "Paused"}, "Paused"),
    ("Rollout", {"stableRS": "5a4"}, "has not promoted"),
    ("Job", {"succeeded": 0, "active": 1}, "no pod that runs or ran well"),
    ("Job", {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}, "BackoffLimit"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "status", "said"), OBJECTIONS, ids=[f"{item[0]} {item[2]}" for item in OBJECTIONS]
)
def test_what_the_object_says_against_itself_outweighs_flux(
    kind: str, status: dict[str, Any], said: str
) -> None:
    world = Instead(kind)
    world.object["status"] |= status
    verdict = world.look()
    assert verdict.outcome is PENDING
    assert said in verdict.because
    assert world.look(later=timedelta(hours=1)).outcome is INCONCLUSIVE


def test_a_suspended_cron_job_and_a_deleted_object_are_not_live() -> None:
    world = Instead("CronJob")
    world.object["spec"]["suspend"] = True
    assert "is suspended" in world.look().because
    world = Instead("Rollout")
    world.object["metadata"]["deletionTimestamp"] = "2026-11-23T06:51:00Z"
    assert "is being deleted" in world.look().because


def test_hostile_words_of_an_object_are_bounded() -> None:
    world = Instead("Rollout")
    world.object["status"] |= {"phase": "\x1b[31m" + "x" * 9000, "message": "@everyone\n" * 900}
    verdict = world.look()
    assert len(verdict.because) <= 500
    assert verdict.because.isprintable()
    assert all(len(item.answer) <= 500 and item.answer.isprintable() for item in verdict.evidence)


# --- What stands behind it -------------------------------------------------------------------------


def deployment(name: str, image: str, **more: Any) -> dict[str, Any]:
    """The recorded Deployment, completely rolled out, under another name and with another image."""
    found = copy.deepcopy(Moment("02-bump-healthy/6b562c9", 35).of("Deployment"))
    found["metadata"]["name"] = name
    found["spec"]["template"]["spec"]["containers"][0]["image"] = image
    found["spec"] |= more
    return found


def test_the_number_of_a_deployments_revision_is_no_revision_of_knative() -> None:
    """KServe without Knative writes it where the other would be."""
    world = Instead("InferenceService")
    world.object["status"]["components"] = {"predictor": {"latestCreatedRevision": "2"}}
    assert world.look().outcome is SUCCEEDED


def test_the_predictor_of_an_inference_service_without_knative_is_looked_at_itself() -> None:
    world = Instead("InferenceService")
    world.object["status"]["components"] = {}
    world.moment.documents.append(deployment("shop-predictor", OLD))
    verdict = world.look()
    assert verdict.outcome is PENDING
    assert "Deployment shop-predictor asks for another image" in verdict.because
    world.moment.documents[-1] = deployment("shop-predictor", NEW)
    verdict = world.look()
    assert verdict.outcome is SUCCEEDED
    assert "all pods of Deployment shop-predictor run" in verdict.because


class WithCanary(Instead):
    """A Canary beside the Deployment that it tries out, scaled to nothing after the promotion, and its primary."""

    def __init__(self, primary: str, phase: str) -> None:
        super().__init__("CronJob")
        self.moment.documents.remove(self.object)
        self.canary = copy.deepcopy(CANARY)
        self.canary["status"]["phase"] = phase
        self.target = deployment("shop", NEW, replicas=0)
        self.moment.documents += [self.canary, self.target, deployment("shop-primary", primary)]
        entries = [{"id": "fx-02_shop_apps_Deployment"}, {"id": "fx-02_shop_flagger.app_Canary"}]
        self.app["status"]["inventory"] = {"entries": entries}


def test_the_primary_of_a_canary_is_the_proof_although_its_target_is_scaled_to_nothing() -> None:
    verdict = WithCanary(NEW, "Succeeded").look()
    assert verdict.outcome is SUCCEEDED
    assert "all pods of Deployment shop-primary run" in verdict.because


@pytest.mark.parametrize("phase", ["Succeeded", "Progressing", "Failed", "WaitingPromotion"])
def test_a_canary_is_not_done_before_its_primary_has_the_image(phase: str) -> None:
    world = WithCanary(OLD, phase)
    world.target["spec"]["replicas"] = 2
    verdict = world.look()
    assert verdict.outcome is PENDING
    assert "Deployment shop-primary asks for another image" in verdict.because
    assert f"the Canary shop says {phase}" in verdict.because
    assert world.look(later=timedelta(hours=1)).outcome is INCONCLUSIVE


def test_a_canary_that_still_moves_traffic_is_pending_and_a_return_to_the_promoted_one_is_not() -> None:
    assert WithCanary(NEW, "Finalising").look().outcome is PENDING
    assert WithCanary(NEW, "Failed").look().outcome is SUCCEEDED


def test_the_settle_time_of_a_canary_begins_with_the_end_of_its_promotion() -> None:
    world = WithCanary(NEW, "Succeeded")
    world.canary["status"]["lastTransitionTime"] = "2026-11-23T06:51:07Z"
    assert world.look().outcome is PENDING
    assert world.look(later=timedelta(seconds=3)).outcome is SUCCEEDED


def test_a_canary_without_a_primary_and_one_that_may_not_be_read_are_never_a_success() -> None:
    for phase in ("Initializing", "Succeeded"):
        world = WithCanary(NEW, phase)
        del world.moment.documents[-1]
        assert world.look().outcome is PENDING
    world = WithCanary(NEW, "Succeeded")
    world.target["spec"]["replicas"] = 2
    world.forbidden = ["Canary"]
    verdict = world.look()
    assert verdict.outcome is INCONCLUSIVE
    assert "may not get canaries" in verdict.because


def test_a_canary_of_another_workload_changes_nothing() -> None:
    world = WithCanary(OLD, "Progressing")
    world.target["spec"]["replicas"] = 2
    world.canary["spec"]["targetRef"]["name"] = "cart"
    verdict = world.look()
    assert verdict.outcome is SUCCEEDED
    assert "all pods of Deployment shop run" in verdict.because


def test_a_canary_in_another_namespace_is_not_even_asked_for() -> None:
    world = WithCanary(OLD, "Progressing")
    world.target["spec"]["replicas"] = 2
    world.app["status"]["inventory"]["entries"][1] = {"id": "elsewhere_shop_flagger.app_Canary"}
    world.forbidden = ["Canary"]
    assert world.look().outcome is SUCCEEDED


def test_a_rollout_that_borrows_its_template_is_judged_in_place_of_the_lender() -> None:
    world = Instead("Rollout")
    world.object["spec"] = {"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}}
    lender = deployment("shop", NEW, replicas=0)
    world.moment.documents.append(lender)
    world.app["status"]["inventory"]["entries"].append({"id": "fx-02_shop_apps_Deployment"})
    assert world.look().outcome is PENDING
    world.object["status"]["workloadObservedGeneration"] = str(lender["metadata"]["generation"])
    verdict = world.look()
    assert verdict.outcome is SUCCEEDED
    assert "Rollout shop asks for" in verdict.because


def test_beside_a_deployment_of_the_image_nothing_else_is_asked_for() -> None:
    world = Instead("CronJob")
    world.moment.documents.append(deployment("shop", NEW))
    world.app["status"]["inventory"]["entries"].append({"id": "fx-02_shop_apps_Deployment"})
    assert world.look().outcome is SUCCEEDED
    assert world.cluster.asked == ["get Kustomization", "get GitRepository", "get Deployment"]


def test_no_more_than_twenty_objects_are_read() -> None:
    world = Instead("Job")
    entries = [{"id": f"fx-02_job-{number}_batch_Job"} for number in range(50)]
    world.app["status"]["inventory"] = {"entries": entries}
    assert world.look().outcome is INCONCLUSIVE
    assert world.cluster.asked.count("get Job") == 20


# --- Advice ----------------------------------------------------------------------------------------


def advised(world: Instead) -> str:
    flux = Flux("shop", namespace="fx-02")
    return "\n".join(FluxCluster(Cluster(world.moment.documents)).advice(flux))


@pytest.mark.parametrize("kind", KINDS)
def test_doctor_says_what_only_flux_judges(kind: str) -> None:
    assert f"{kind} shop is judged only by Flux's health checks" in advised(Instead(kind))


def test_doctor_says_where_flux_needs_expressions_until_there_are_some() -> None:
    world = Instead("Rollout")
    assert "write `healthCheckExprs` for Rollout" in advised(world)
    world.app["spec"]["healthCheckExprs"] = [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}]
    assert "healthCheckExprs" not in advised(world)
    assert "healthCheckExprs" not in advised(Instead("Service"))


def test_doctor_says_nothing_of_jobs_beside_a_deployment_and_of_canaries() -> None:
    assert "judged only" not in advised(WithCanary(NEW, "Succeeded"))
    world = Instead("CronJob")
    world.app["status"]["inventory"]["entries"].append({"id": "fx-02_shop_apps_Deployment"})
    assert "judged only" not in advised(world)


def test_doctor_says_which_of_them_the_health_checks_leave_out() -> None:
    world = Instead("InferenceService")
    world.app["spec"] |= {"wait": False, "healthChecks": [{"kind": "Deployment", "name": "cart"}]}
    assert "leave out InferenceService shop" in advised(world)
