"""The sandbox plays Flux: its objects go through the states of the real ones, and misleads as they do."""

import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from bot.sandbox.cluster.flux import Follower, Plan
from bot.sandbox.cluster.kubernetes.store import GIT_REPOSITORIES, KUSTOMIZATIONS
from tests.recordings.reader import changes, field_paths
from tests.sandbox.clusters import IMPOSSIBLE_PORT, OVERLAY, TOKEN, World, cluster_world
from tests.sandbox.receiving import Receiver, receiver

pytestmark = pytest.mark.world

KEY = "flux-key-19ab"


class Flux:
    """A world in which Flux follows the overlay, and every version of its objects that there was."""

    def __init__(self, world: World, hook: Receiver, **options: Any) -> None:
        times = {"source_interval": 0.3, "timeout": 3.0, "health_poll": 0.2, "retry_interval": 600.0}
        plan = Plan("shop", OVERLAY, "staging", hook=hook.url, hook_key=KEY, **(times | options))
        self.world, self.hook = world, hook
        self.follower: Follower = world.cluster.add_kustomization(plan)
        self.seen: list[Any] = []
        world.cluster.store.listeners.append(self.seen.append)
        self.seen.append(self.kustomization())

    def kustomization(self) -> Any:
        return self.world.cluster.objects(KUSTOMIZATIONS, "flux-system")[0]

    def source(self) -> Any:
        return self.world.cluster.objects(GIT_REPOSITORIES, "flux-system")[0]

    def condition(self, name: str) -> tuple[str, str]:
        found = [
            item for item in self.kustomization()["status"].get("conditions", []) if item["type"] == name
        ]
        return (found[0]["status"], found[0]["reason"]) if found else ("", "")

    def applied(self, commit: str) -> bool:
        status = self.kustomization()["status"]
        return str(status.get("lastAppliedRevision")) == f"main@sha1:{commit}"

    def until(self, true: Any, what: str) -> None:
        self.world.until(true, f"{what}: {self.kustomization()['status'].get('conditions')}", 30)

    def live(self, version: str) -> str:
        commit = self.world.pin(version, self.world.build(version))
        self.until(lambda: self.applied(commit), f"version {version} is applied")
        return commit

    def start(self, version: str = "1") -> str:
        commit = self.world.pin(version, self.world.build(version))
        self.world.cluster.start()
        self.until(lambda: self.applied(commit), f"version {version} is applied")
        return commit

    def version(self) -> str:
        url = self.world.cluster.service_url("shop")
        return str(requests.get(f"{url}/version", timeout=5).json()["version"])

    def versions(self, begin: int = 0) -> list[Any]:
        """Every version of the Kustomization since `begin` things had been seen; with the one before."""
        before = [item for item in self.seen[:begin] if item["kind"] == "Kustomization"][-1:]
        return before + [item for item in self.seen[begin:] if item["kind"] == "Kustomization"]

    def patch(self, plural: str, group: str, name: str, change: Any) -> requests.Response:
        url = f"{self.world.cluster.kubernetes_url}/apis/{group}/v1/namespaces/flux-system/{plural}/{name}"
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/merge-patch+json"}
        return requests.patch(url, data=json.dumps(change), headers=headers, timeout=10)


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with cluster_world(tmp_path) as found:
        found.cluster.applications.clear()
        yield found


def states(versions: list[Any]) -> list[tuple[str, str, str, tuple[str, ...]]]:
    """Ready, Healthy, Ready's reason, and which of the revision fields moved with this version."""
    found: list[tuple[str, str, str, tuple[str, ...]]] = []
    for before, after in itertools.pairwise(versions):
        conditions = {item["type"]: item for item in after["status"].get("conditions", [])}
        ready, healthy = conditions.get("Ready", {}), conditions.get("Healthy", {})
        fields = ("lastAttemptedRevision", "lastAppliedRevision", "history")
        moved = tuple(key for key in fields if before["status"].get(key) != after["status"].get(key))
        state = (ready.get("status", ""), healthy.get("status", ""), ready.get("reason", ""))
        if moved or not found or found[-1][:3] != state:
            found.append((*state, moved))
    return [state for state in found if state[0]]  # nobody has looked at it before


def real(recording: str, begin: float, end: float) -> list[Any]:
    """The recorded versions of the Kustomization in these seconds; with the one before."""
    seen = [item for item in changes("flux", recording) if item["object"]["kind"] == "Kustomization"]
    before = [item["object"] for item in seen if item["at"] < begin][-1:]
    return before + [item["object"] for item in seen if begin <= item["at"] <= end]


def test_a_first_version_a_bump_a_failure_and_a_revert_go_through_the_states_of_the_real_one(
    world: World, hook: Receiver
) -> None:
    flux = Flux(world, hook)
    flux.start()
    assert states(flux.versions()) == states(real("01-first-healthy", 0.5, 100))

    begin = len(flux.seen)
    flux.live("2")
    assert states(flux.versions(begin)) == states(real("02-bump-healthy", 7.1, 25))

    begin = len(flux.seen)
    good = world.remote.show("main", f"{OVERLAY}/kustomization.yaml").decode()
    bad = world.pin("3", world.build("3", ready_after=1000))
    flux.until(
        lambda: flux.kustomization()["status"]["history"][0]["lastReconciledStatus"] == "HealthCheckFailed",
        "failed",
    )
    assert states(flux.versions(begin)) == states(real("03-bump-never-ready", 7.1, 50))
    status = flux.kustomization()["status"]
    assert status["lastAttemptedRevision"] == f"main@sha1:{bad}"
    assert status["lastAppliedRevision"] != f"main@sha1:{bad}"

    begin = len(flux.seen)
    revert = world.remote.commit({f"{OVERLAY}/kustomization.yaml": good}, "Revert")
    flux.until(lambda: flux.applied(revert), "the revert")
    assert states(flux.versions(begin)) == states(real("13-revert-after-failure", 62, 75))
    newest = flux.kustomization()["status"]["history"][0]
    assert (newest["totalReconciliations"], newest["metadata"]["revision"]) == (2, f"main@sha1:{revert}")
    assert flux.version() == "2"

    known = set()
    for recording in (
        "01-first-healthy",
        "02-bump-healthy",
        "03-bump-never-ready",
        "13-revert-after-failure",
    ):
        for item in changes("flux", recording):
            known |= {(item["object"]["kind"], path) for path in field_paths(item["object"])}
    kinds = ("Kustomization", "GitRepository")
    emitted = {
        (item["kind"], path) for item in flux.seen if item["kind"] in kinds for path in field_paths(item)
    }
    assert emitted - known == set()


def test_the_old_revision_looks_freshly_confirmed_for_a_moment(world: World, hook: Receiver) -> None:
    flux = Flux(world, hook)
    flux.start()
    commit = flux.live("2")
    page = requests.get(world.cluster.url, timeout=5).text
    assert f"Applied revision: main@sha1:{commit}" in page
    assert world.cluster.service_url("shop") in page
    assert any(
        item["status"]["conditions"][0]["message"] == f"Applied revision: main@sha1:{commit}"
        and item["status"]["lastAppliedRevision"] != f"main@sha1:{commit}"
        for item in flux.versions()
        if item["status"].get("lastAppliedRevision")
    )


def test_without_wait_a_version_that_is_never_ready_is_ready_at_once_and_has_no_health(
    world: World, hook: Receiver
) -> None:
    flux = Flux(world, hook, wait=False)
    flux.start()
    flux.until(lambda: world.cluster.kustomizations["shop"].rollout.health()[0] == "Healthy", "serving")
    commit = world.pin("2", world.build("2", ready_after=1000))
    flux.until(lambda: flux.applied(commit), "applied")
    assert flux.condition("Ready") == ("True", "ReconciliationSucceeded")
    assert flux.condition("Healthy") == ("", "")
    assert flux.version() == "1"


def test_ready_is_unknown_at_every_interval_though_nothing_changes(world: World, hook: Receiver) -> None:
    flux = Flux(world, hook, interval=0.5)
    commit = flux.start()
    begin = len(flux.seen)
    flux.until(
        lambda: flux.kustomization()["status"]["history"][0]["totalReconciliations"] > 2, "two more runs"
    )
    told = states(flux.versions(begin))
    assert ("Unknown", "True", "Progressing", ()) in told
    assert ("True", "True", "ReconciliationSucceeded", ("history",)) in told
    assert flux.applied(commit)


def test_a_deadline_before_the_time_out_fails_early_and_a_failure_may_heal(
    world: World, hook: Receiver
) -> None:
    flux = Flux(world, hook, timeout=30.0, retry_interval=0.5)
    flux.start()
    world.cluster.progress_deadline = 1
    commit = world.pin("2", world.build("2", ready_after=5))
    flux.until(lambda: flux.condition("Ready") == ("False", "HealthCheckFailed"), "failed")
    said = next(
        item["message"] for item in flux.kustomization()["status"]["conditions"] if item["type"] == "Healthy"
    )
    assert said == "failed early due to stalled resources: [Deployment/staging/web status: 'Failed']"
    flux.until(lambda: flux.applied(commit), "healed")
    failures = [
        item
        for item in flux.kustomization()["status"]["history"]
        if item["lastReconciledStatus"] == "HealthCheckFailed"
    ]
    assert failures[0]["metadata"]["revision"] == f"main@sha1:{commit}"


def test_what_the_api_rejects_or_cannot_be_built_leaves_healthy_true(world: World, hook: Receiver) -> None:
    flux = Flux(world, hook)
    flux.start()
    begin = len(flux.seen)
    commit = world.pin("2", world.build("2"), more=IMPOSSIBLE_PORT)
    flux.until(
        lambda: (
            flux.kustomization()["status"]["history"][0]["lastReconciledStatus"] == "ReconciliationFailed"
        ),
        "rejected",
    )
    assert states(flux.versions(begin)) == states(real("04-api-rejects", 8, 13))
    assert flux.kustomization()["status"]["history"][0]["metadata"]["revision"] == f"main@sha1:{commit}"
    begin = len(flux.seen)
    world.remote.commit({f"{OVERLAY}/kustomization.yaml": "resources: [missing.yaml]\n"})
    flux.until(lambda: flux.condition("Ready") == ("False", "BuildFailed"), "not built")
    assert states(flux.versions(begin)) == states(real("05-build-failed", 8, 13))
    assert flux.version() == "1"


def test_a_source_that_fails_leaves_the_kustomization_ready(world: World, hook: Receiver) -> None:
    flux = Flux(world, hook)
    flux.start()
    world.remote.token = "another"
    world.pin("2", world.build("2"))
    flux.until(
        lambda: any(item["type"] == "FetchFailed" for item in flux.source()["status"]["conditions"]),
        "a failed fetch",
    )
    assert flux.condition("Ready") == ("True", "ReconciliationSucceeded")
    assert (
        next(item for item in flux.source()["status"]["conditions"] if item["type"] == "Ready")["reason"]
        == "GitOperationFailed"
    )


def test_suspended_it_says_ready_and_does_nothing_until_it_is_resumed(world: World, hook: Receiver) -> None:
    flux = Flux(world, hook)
    before = flux.start()
    group = "kustomize.toolkit.fluxcd.io"
    assert flux.patch("kustomizations", group, "shop", {"spec": {"suspend": True}}).status_code == 200
    commit = world.pin("2", world.build("2"))
    flux.until(lambda: flux.source()["status"]["artifact"]["revision"].endswith(commit), "fetched")
    time.sleep(0.5)
    assert flux.applied(before)
    assert flux.condition("Ready")[0] == "True"
    assert flux.patch("kustomizations", group, "shop", {"spec": {"suspend": None}}).status_code == 200
    flux.until(lambda: flux.applied(commit), "resumed")
    assert flux.patch("kustomizations", group, "shop", {"spec": {"path": "./x"}}).status_code == 422


def test_it_fetches_at_once_when_it_is_asked_by_annotation_or_by_receiver(
    world: World, hook: Receiver
) -> None:
    flux = Flux(world, hook, source_interval=3600.0)
    world.pin("1", world.build("1"))
    world.cluster.start()
    flux.until(lambda: flux.condition("Ready")[0] == "True", "live")
    commit = world.pin("2", world.build("2"))
    stamp = "2026-11-24T10:00:00Z"
    change = {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": stamp}}}
    assert flux.patch("kustomizations", "kustomize.toolkit.fluxcd.io", "shop", change).status_code == 200
    flux.until(lambda: flux.kustomization()["status"].get("lastHandledReconcileAt") == stamp, "handled")
    assert not flux.applied(commit), "a request to the Kustomization does not fetch"
    assert flux.patch("gitrepositories", "source.toolkit.fluxcd.io", "fleet", change).status_code == 200
    flux.until(lambda: flux.applied(commit), "fetched by annotation")
    assert flux.source()["status"]["lastHandledReconcileAt"] == stamp
    commit = world.pin("3", world.build("3"))
    assert requests.post(world.cluster.receiver_url("shop"), timeout=5).status_code == 200
    flux.until(lambda: flux.applied(commit), "fetched by receiver")
    assert requests.post(f"{world.cluster.url}/hook/{'0' * 64}", timeout=5).status_code == 404


def test_events_are_signed_hints_with_the_fields_of_the_real_ones(world: World, hook: Receiver) -> None:
    flux = Flux(world, hook)
    flux.start()
    world.pin("2", world.build("2", ready_after=1000))
    flux.until(lambda: flux.condition("Ready")[0] == "False", "failed")
    flux.until(lambda: any(item.document["severity"] == "error" for item in hook.received), "an error event")
    for item in hook.received:
        expected = hmac.new(KEY.encode(), item.body, hashlib.sha256).hexdigest()
        assert item.headers["x-signature"] == f"sha256={expected}"
    reasons = [item.document["reason"] for item in hook.received]
    assert [reason for reason in reasons if reason != "Progressing"] == [
        "NewArtifact", "ReconciliationSucceeded", "NewArtifact", "HealthCheckFailed",
    ]  # fmt: skip
    assert set(hook.received[-1].document) == {
        "involvedObject", "severity", "timestamp", "message", "reason", "metadata", "reportingController", "reportingInstance",
    }  # fmt: skip
