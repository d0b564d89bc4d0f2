"""The sandbox's Kubernetes API: a usual client can read it, and its documents are those of the real controllers."""

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from lightkube import ApiError, Client, KubeConfig
from lightkube.generic_resource import create_namespaced_resource
from lightkube.resources.apps_v1 import Deployment, ReplicaSet
from lightkube.resources.core_v1 import Event, Pod
from lightkube.types import PatchType

from bot.sandbox.cluster.attempt import Retry
from bot.sandbox.cluster.kubernetes.store import DEPLOYMENTS, EVENTS, PODS, REPLICA_SETS, Resource
from tests.recordings.reader import HERE, changes, field_paths
from tests.sandbox.clusters import APPLICATION, IMPOSSIBLE_PORT, OVERLAY, TOKEN, World, cluster_world

pytestmark = pytest.mark.world

Application = create_namespaced_resource("argoproj.io", "v1alpha1", "Application", "applications")
NAMESPACE = "staging"
RECORDINGS = (
    "01-first-rollout-healthy",
    "02-image-bump-healthy",
    "03-image-bump-never-ready",
    "04-image-does-not-exist",
    "05-crash-loop",
    "11-rollback-after-failure",
    "14-ready-then-crash",
    "21-slow-but-healthy-after-deadline",
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with cluster_world(tmp_path) as found:
        yield found


@pytest.fixture
def live(world: World) -> World:
    """Version 1 serves."""
    commit = world.pin("1", world.build("1"))
    world.cluster.start()
    world.until_healthy(commit)
    return world


@pytest.fixture
def client(live: World) -> Iterator[Client]:
    """What a program uses that has a kubeconfig."""
    path = live.cluster.write_kubeconfig(live.folder / "kubeconfig")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("NO_PROXY", "127.0.0.1")
        yield Client(config=KubeConfig.from_file(path), namespace=NAMESPACE, trust_env=False)


def objects(world: World, resource: Resource) -> list[Any]:
    return world.cluster.objects(resource, NAMESPACE)


def deployment(world: World) -> Any:
    return objects(world, DEPLOYMENTS)[0]


def progressing(world: World) -> tuple[str, str]:
    found = next(item for item in deployment(world)["status"]["conditions"] if item["type"] == "Progressing")
    return found["status"], found["reason"]


def of_version(world: World, version: str) -> Any:
    """The newest pod of this version, or an empty document."""
    found = [pod for pod in objects(world, PODS) if f":v{version}@" in pod["spec"]["containers"][0]["image"]]
    return found[-1] if found else {"status": {}}


def container(world: World, version: str) -> Any:
    return (
        of_version(world, version)["status"].get("containerStatuses") or [{"state": {}, "lastState": {}}]
    )[0]


def ask(url: str) -> requests.Response:
    return requests.get(url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=5)


def real_answers() -> dict[str, Any]:
    """What a real API server answered, by what was done."""
    data = gzip.decompress((HERE / "kubernetes" / "09-invalid-spec-rejected.jsonl.gz").read_bytes())
    lines = [json.loads(line) for line in data.decode().splitlines()]
    return {line["did"]: line["object"] for line in lines if "did" in line}


class Watch:
    """Every version of every object from now on, in the order in which they came."""

    def __init__(self, world: World) -> None:
        self._store, self.seen = world.cluster.store, []

    def __enter__(self) -> "Watch":
        self._store.listeners.append(self.seen.append)
        return self

    def __exit__(self, *_: object) -> None:
        self._store.listeners.remove(self.seen.append)

    def of(self, kind: str) -> list[Any]:
        return [item for item in self.seen if item["kind"] == kind]


# --- Its API ---------------------------------------------------------------------------------------


def test_a_usual_client_reads_what_runs_and_what_it_says(live: World, client: Client) -> None:
    found = client.get(Deployment, "web")
    assert found.status.availableReplicas == found.spec.replicas == 1
    sets = list(client.list(ReplicaSet, labels={"app": "web"}))
    pods = list(
        client.list(
            Pod, labels={"app": "web", "pod-template-hash": sets[0].metadata.labels["pod-template-hash"]}
        )
    )
    assert [pod.metadata.ownerReferences[0].uid for pod in pods] == [sets[0].metadata.uid]
    assert pods[0].status.containerStatuses[0].ready
    events = list(client.list(Event, fields={"involvedObject.uid": pods[0].metadata.uid}))
    assert {"Scheduled", "Pulled", "Created", "Started"} <= {event.reason for event in events}
    assert list(client.list(Pod, labels={"app": "other"})) == []
    application = client.get(Application, APPLICATION, namespace="argocd")
    assert application["status"]["sync"]["status"] == "Synced"


def test_a_list_comes_in_pages(live: World, client: Client) -> None:
    whole = [event.metadata.name for event in client.list(Event)]
    paged = [event.metadata.name for event in client.list(Event, chunk_size=2)]
    assert paged == whole
    assert len(whole) > 2
    url = f"{live.cluster.kubernetes_url}/api/v1/namespaces/{NAMESPACE}/events?limit=2"
    answer = requests.get(url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=5).json()
    assert len(answer["items"]) == 2
    assert answer["metadata"]["remainingItemCount"] == len(whole) - 2


def test_an_annotation_makes_argocd_look(live: World, client: Client) -> None:
    commit = live.pin("2", live.build("2"))
    change = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}}
    client.patch(Application, APPLICATION, change, namespace="argocd", patch_type=PatchType.MERGE)
    live.until_healthy(commit)


def test_a_patch_of_an_old_version_is_a_conflict_and_ends_no_operation(live: World) -> None:
    real = real_answers()["patch with the resourceVersion one has seen as a precondition, stale"]
    url = f"{live.cluster.kubernetes_url}/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/{APPLICATION}"
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/merge-patch+json"}

    def terminate(version: str) -> requests.Response:
        state = {"operationState": {"phase": "Terminating"}}
        change = {"metadata": {"resourceVersion": version}, "status": state}
        return requests.patch(url, data=json.dumps(change), headers=headers, timeout=5)

    stale = terminate("1")
    assert stale.status_code == 409
    assert stale.json()["reason"] == real["reason"]
    assert stale.json()["message"].partition(": ")[2] == real["message"].partition(": ")[2]
    live.application.retry = Retry(5, 60.0)
    live.pin("2", live.build("2"), more=IMPOSSIBLE_PORT)
    live.refresh()
    live.until(lambda: live.status().get("operationState", {}).get("retryCount") == 1, "a retry is booked")
    live.until(lambda: "annotations" not in live.application.document()["metadata"], "at rest")
    assert terminate(requests.get(url, headers=headers, timeout=5).json()["metadata"]["resourceVersion"]).ok
    live.until(lambda: live.status()["operationState"]["phase"] == "Failed", "terminated")
    assert "operation" not in live.application.document()


def test_what_is_missing_or_not_allowed_is_answered_as_the_real_api_does(live: World, client: Client) -> None:
    recorded = real_answers()
    with pytest.raises(ApiError) as missing:
        client.get(Deployment, "nope")
    assert missing.value.status.code == 404
    url = f"{live.cluster.kubernetes_url}/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = requests.get(f"{url}/nope", headers=headers, timeout=5)
    assert answer.json() == recorded["get a Deployment that does not exist"]
    answer = requests.get(url, headers={"Authorization": "Bearer wrong"}, timeout=5)
    assert (answer.status_code, answer.json()) == (401, recorded["list with a token that is not valid"])
    live.cluster.forbidden.add(("list", "pods"))
    answer = requests.get(
        f"{live.cluster.kubernetes_url}/api/v1/namespaces/shop-09/pods", headers=headers, timeout=5
    )
    said = recorded["list pods as a service account without rights"]
    assert answer.status_code == 403
    assert answer.json()["details"] == said["details"]
    assert answer.json()["message"].partition(" cannot ")[2] == said["message"].partition(" cannot ")[2]
    for query in ("fieldSelector=spec.secret=1", "labelSelector=a%20b"):
        assert requests.get(f"{url}?{query}", headers=headers, timeout=5).status_code == 400


def test_only_the_owner_can_read_the_kubeconfig_and_its_token(live: World) -> None:
    path = live.cluster.write_kubeconfig(live.folder / "kubeconfig")
    live.cluster.write_kubeconfig(path)  # again is the same
    for file in (path, path.with_name("kubeconfig.token")):
        assert file.stat().st_mode & 0o777 == 0o600
    assert TOKEN not in path.read_text()


# --- Its documents ---------------------------------------------------------------------------------


def reduced(document: Any) -> tuple[bool, str, bool, bool, bool]:
    """A Deployment's state: is the status of this spec, Progressing's reason, new pods, old pods, enough available."""
    status, size = document["status"], document["spec"]["replicas"]
    known = [item for item in status.get("conditions", []) if item["type"] == "Progressing"]
    updated = status.get("updatedReplicas", 0)
    return (
        document["metadata"]["generation"] == status.get("observedGeneration"),
        known[0]["reason"] if known else "",
        updated > 0,
        status.get("replicas", 0) > updated,
        status.get("availableReplicas", 0) >= size,
    )


def recorded(kind: str, *recordings: str) -> list[Any]:
    return [
        change["object"]
        for recording in recordings
        for change in changes("kubernetes", recording)
        if change["object"].get("kind") == kind
    ]


def in_order(states: list[Any]) -> list[Any]:
    return [state for before, state in zip([None, *states], states, strict=False) if state != before]


def missing(states: list[Any], of: list[Any]) -> list[Any]:
    """What of these states does not follow in the recorded order."""
    remaining = iter(of)
    return [state for state in states if state not in remaining]


def test_a_rollout_goes_through_the_states_of_the_real_one_in_their_order(world: World) -> None:
    with Watch(world) as watch:
        first = world.pin("1", world.build("1"))
        world.cluster.start()
        world.until_healthy(first)
        second = world.pin("2", world.build("2"))
        world.refresh()
        world.until_healthy(second)
        world.until(lambda: len(objects(world, PODS)) == 1, "the old pod is gone")
    states = in_order([reduced(item) for item in watch.of("Deployment")])
    names = ("01-first-rollout-healthy", "02-image-bump-healthy")
    assert missing(states, in_order([reduced(item) for item in recorded("Deployment", *names)])) == []
    # The trap of point 1 in the recordings' README: right after the change the status is the old rollout's.
    assert (False, "NewReplicaSetAvailable", True, False, True) in states
    assert (False, "NewReplicaSetCreated", True, False, True) in states
    assert (True, "NewReplicaSetCreated", False, True, True) in states
    assert (True, "ReplicaSetUpdated", True, True, True) in states
    assert states[-1] == (True, "NewReplicaSetAvailable", True, False, True)
    sets = {
        item["metadata"]["annotations"]["deployment.kubernetes.io/revision"]: item
        for item in objects(world, REPLICA_SETS)
    }
    assert {revision: item["spec"]["replicas"] for revision, item in sets.items()} == {"1": 0, "2": 1}
    assert any("deletionTimestamp" in item["metadata"] for item in watch.of("Pod"))


def test_a_version_that_crashes_is_told_with_exit_code_restarts_and_last_words(
    live: World, client: Client
) -> None:
    live.cluster.progress_deadline = 6
    with Watch(live) as watch:
        live.pin("2", live.build("2", crashes=True))
        live.refresh()
        live.until(
            lambda: container(live, "2")["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff",
            "a crash loop",
        )
        pod = of_version(live, "2")
        assert pod["status"]["phase"] == "Running"
        assert container(live, "2")["restartCount"] >= 1
        assert container(live, "2")["lastState"]["terminated"]["exitCode"] == 1
        assert "back-off" in container(live, "2")["state"]["waiting"]["message"]
        name = pod["metadata"]["name"]
        lines = list(client.log(name, tail_lines=5))
        assert lines[-1].strip() == "this model cannot be loaded"
        url = f"{live.cluster.kubernetes_url}/api/v1/namespaces/{NAMESPACE}/pods/{name}/log?previous=true&tailLines=1"
        assert ask(url).text.strip() == "this model cannot be loaded"
        assert live.seen()[1] == "Progressing"
        live.until(lambda: progressing(live) == ("False", "ProgressDeadlineExceeded"), "the deadline")
        live.until(lambda: live.seen()[1] == "Degraded", "Degraded")
    told = [
        (
            item["restartCount"] > 0,
            next(iter(item["state"])),
            item["state"].get("waiting", {}).get("reason"),
            bool(item["lastState"]),
        )
        for pod in watch.of("Pod")
        if ":v2@" in pod["spec"]["containers"][0]["image"]
        for item in pod["status"]["containerStatuses"]
    ]
    assert (False, "waiting", "ContainerCreating", False) in told
    assert (False, "terminated", None, False) in told
    assert (True, "terminated", None, True) in told
    assert told.index((True, "terminated", None, True)) < told.index(
        (True, "waiting", "CrashLoopBackOff", True)
    )
    said = [item for item in objects(live, EVENTS) if item["reason"] == "BackOff"]
    assert said[0]["type"] == "Warning"
    assert live.version() == "1"


def test_an_image_that_is_not_there_is_pending_and_changes_its_reason(live: World, client: Client) -> None:
    live.cluster.progress_deadline = 4
    reasons: list[str] = []

    def reason() -> str:
        found = str(container(live, "9")["state"].get("waiting", {}).get("reason"))
        reasons.append(found)
        return found

    live.pin("9", "sha256:" + "0" * 64)
    live.refresh()
    live.until(lambda: reason() == "ErrImagePull", "a failed pull")
    live.until(lambda: reason() == "ImagePullBackOff", "waiting for the next try")
    live.until(lambda: reason() == "ErrImagePull", "the next try")
    assert of_version(live, "9")["status"]["phase"] == "Pending"
    assert live.seen()[:2] == ("Synced", "Progressing")
    with pytest.raises(ApiError):
        list(client.log(of_version(live, "9")["metadata"]["name"]))
    live.until(lambda: progressing(live)[1] == "ProgressDeadlineExceeded", "the deadline")
    messages = {item["message"] for item in objects(live, EVENTS) if item["reason"] == "Failed"}
    assert "Error: ErrImagePull" in messages


def test_going_back_gives_the_old_replica_set_a_new_revision_and_the_old_condition_stands_for_a_moment(
    live: World,
) -> None:
    live.cluster.progress_deadline = 2
    before = live.remote.show(live.seen()[2], f"{OVERLAY}/kustomization.yaml").decode()
    live.pin("2", live.build("2", ready_after=1000))
    live.refresh()
    live.until(lambda: live.seen()[1] == "Degraded", "Degraded")
    with Watch(live) as watch:
        commit = live.remote.commit({f"{OVERLAY}/kustomization.yaml": before}, "Revert")
        live.refresh()
        live.until_healthy(commit)
        live.until(lambda: progressing(live)[1] == "NewReplicaSetAvailable", "done")
    states = in_order([reduced(item) for item in watch.of("Deployment")])
    real = in_order([reduced(item) for item in recorded("Deployment", "11-rollback-after-failure")])
    assert (False, "ProgressDeadlineExceeded", True, True, True) in states
    assert missing(states, real) == []
    revisions = {
        item["metadata"]["annotations"]["deployment.kubernetes.io/revision"]: item["spec"]["replicas"]
        for item in objects(live, REPLICA_SETS)
    }
    assert revisions == {"2": 0, "3": 1}


def test_a_version_that_is_slower_than_the_deadline_is_degraded_and_recovers(live: World) -> None:
    live.cluster.progress_deadline = 1
    with Watch(live) as watch:
        commit = live.pin("2", live.build("2", ready_after=4))
        live.refresh()
        live.until(lambda: live.seen() == ("Synced", "Degraded", commit), "Degraded")
        assert progressing(live) == ("False", "ProgressDeadlineExceeded")
        live.until_healthy(commit)
    states = in_order([reduced(item) for item in watch.of("Deployment")])
    real = in_order([reduced(item) for item in recorded("Deployment", "21-slow-but-healthy-after-deadline")])
    assert missing(states, real) == []
    assert live.version() == "2"


def test_a_version_that_dies_after_it_was_ready_is_never_late_and_only_restarts_tell(live: World) -> None:
    live.cluster.progress_deadline = 1
    commit = live.pin("2", live.build("2", crashes_after=2.5))
    live.refresh()
    live.until_healthy(commit)
    live.until(lambda: container(live, "2").get("restartCount", 0) > 0, "a restart")
    time.sleep(1.2)
    assert progressing(live) == ("True", "NewReplicaSetAvailable")
    live.until(lambda: live.seen()[1] == "Progressing", "Progressing")


def test_every_field_is_one_of_the_real_documents(live: World) -> None:
    live.cluster.progress_deadline = 2
    with Watch(live) as watch:
        commit = live.pin("2", live.build("2", crashes=True))
        live.refresh()
        live.until(lambda: live.seen() == ("Synced", "Degraded", commit), "Degraded")
        live.pin("9", "sha256:" + "0" * 64)
        live.refresh()
        live.until(
            lambda: bool(container(live, "9")["state"].get("waiting", {}).get("message")), "a failed pull"
        )
    manifest = {".spec.template.spec.containers[].ports[].name", ".spec.containers[].ports[].name"}
    manifest |= {".spec.template.spec.containers[].env[].name", ".metadata.labels.app"}
    for kind in ("Deployment", "ReplicaSet", "Pod", "Event"):
        known = {path for item in recorded(kind, *RECORDINGS) for path in field_paths(item)}
        emitted = {path for item in watch.of(kind) for path in field_paths(item)}
        assert emitted - known - manifest == set(), kind
        status = {path for path in known if path.startswith(".status")}
        if kind == "Deployment":
            assert status <= emitted, kind
