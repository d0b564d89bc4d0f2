"""The sandbox's cluster: it follows git as Argo CD does, runs real processes, and leaves none behind."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from bot.sandbox.cluster.attempt import Retry
from tests.recordings.reader import changes, field_paths
from tests.sandbox.clusters import (
    APPLICATION,
    GIT_TOKEN,
    IMPOSSIBLE_PORT,
    LOGIN,
    OVERLAY,
    TOKEN,
    World,
    cluster_world,
)

pytestmark = pytest.mark.world

RECORDINGS = ("01-first-sync", "02-image-bump", "03-never-ready", "14-revert-after-degraded")


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


def below(folder: Path) -> list[int]:
    """The processes that work in this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if (entry / "cwd").readlink().is_relative_to(folder):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


# --- Running what git says -------------------------------------------------------------------------


def test_a_version_in_git_serves_at_an_address_that_never_changes(live: World) -> None:
    address = live.service
    assert live.version() == "1"
    commit = live.pin("2", live.build("2"))
    live.refresh()
    live.until_healthy(commit)
    assert live.service == address
    assert live.version() == "2"


def test_the_old_version_serves_until_the_new_one_is_ready(live: World) -> None:
    answers: list[str | None] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.wait(0.02):
            answers.append(live.version())

    commit = live.pin("2", live.build("2", ready_after=0.5))
    asking = threading.Thread(target=ask)
    asking.start()
    live.refresh()
    live.until_healthy(commit)
    time.sleep(0.2)
    stop.set()
    asking.join()
    assert None not in answers
    assert answers == sorted(answers, key=str)
    assert {"1", "2"} == set(answers)


def test_a_pod_finds_the_environment_of_image_and_deployment_and_nothing_else(live: World) -> None:
    os.environ["GITOPS_BOT_TEST_SECRET"] = "s3cret"
    try:
        commit = live.pin("2", live.build("2"))
        live.refresh()
        live.until_healthy(commit)
        found = requests.get(f"{live.service}/environment", timeout=5).json()
    finally:
        del os.environ["GITOPS_BOT_TEST_SECRET"]
    assert found["FROM_IMAGE"] == "yes"
    assert found["FROM_DEPLOYMENT"] == "yes"
    assert Path(found["PLACE"]).is_file()
    assert Path(found["HOME"]).is_relative_to(live.folder)
    known = {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "HOST", "PORT", "HOME", "TMPDIR"}
    assert set(found) - known == {"FROM_IMAGE", "FROM_DEPLOYMENT", "PLACE"}


def test_a_version_that_is_never_ready_is_degraded_at_the_deadline_and_the_old_one_serves(
    live: World,
) -> None:
    live.cluster.progress_deadline = 3
    commit = live.pin("2", live.build("2", ready_after=1000))
    live.refresh()
    began = time.monotonic()
    live.until(lambda: live.seen() == ("Synced", "Progressing", commit), "Progressing")
    live.until(lambda: live.seen() == ("Synced", "Degraded", commit), "Degraded")
    assert time.monotonic() - began > 2
    assert live.status()["operationState"]["phase"] == "Succeeded"
    assert live.version() == "1"
    assert len(live.status()["summary"]["images"]) == 2


def test_a_version_that_crashes_is_restarted_and_degraded_only_at_the_deadline(live: World) -> None:
    live.cluster.progress_deadline = 3
    commit = live.pin("2", live.build("2", crashes=True))
    live.refresh()
    live.until(lambda: "CrashLoopBackOff" in live.application.workload.waiting(), "a crash loop")
    assert live.seen()[1] == "Progressing"
    live.until(lambda: "(2 restarts)" in live.application.workload.waiting(), "a second start")
    live.until(lambda: live.seen() == ("Synced", "Degraded", commit), "Degraded")
    assert live.version() == "1"


def test_an_image_that_does_not_exist_is_progressing_until_the_deadline(live: World) -> None:
    live.cluster.progress_deadline = 3
    commit = live.pin("9", "sha256:" + "0" * 64)
    live.refresh()
    live.until(lambda: "ImagePullBackOff" in live.application.workload.waiting(), "a failed pull")
    live.until(lambda: live.seen() == ("Synced", "Progressing", commit), "Progressing")
    live.until(lambda: live.seen()[1] == "Degraded", "Degraded")
    assert live.version() == "1"


def test_going_back_after_degraded_starts_nothing_as_the_old_pod_is_still_there(live: World) -> None:
    live.cluster.progress_deadline = 3
    digest = live.remote.show(live.seen()[2], f"{OVERLAY}/kustomization.yaml").decode()
    live.pin("2", live.build("2", ready_after=1000))
    live.refresh()
    live.until(lambda: live.seen()[1] == "Degraded", "Degraded")
    before = set(below(live.folder / "cluster"))
    commit = live.remote.commit({f"{OVERLAY}/kustomization.yaml": digest}, "Revert")
    live.refresh()
    live.until_healthy(commit)
    live.until(lambda: len(live.status()["summary"]["images"]) == 1, "the bad pod is gone")
    assert set(below(live.folder / "cluster")) < before
    assert live.version() == "1"


def test_no_replicas_are_healthy_and_serve_nothing(live: World) -> None:
    commit = live.pin("2", live.build("2"), replicas=0)
    live.refresh()
    live.until_healthy(commit)
    live.until(lambda: "images" not in live.status()["summary"], "no pods")
    assert live.version() is None


def test_stopping_leaves_no_process_behind(tmp_path: Path) -> None:
    with cluster_world(tmp_path) as world:
        commit = world.pin("1", world.build("1"))
        world.cluster.start()
        world.until_healthy(commit)
        world.pin("2", world.build("2", ready_after=1000))
        world.refresh()
        world.until(lambda: len(below(tmp_path / "cluster")) == 2, "two pods")
        address = world.service
    assert below(tmp_path) == []
    with pytest.raises(requests.ConnectionError):
        requests.get(address, timeout=2)


# --- Following git ---------------------------------------------------------------------------------


def test_nothing_is_noticed_until_somebody_asks(live: World) -> None:
    before = live.seen()
    commit = live.pin("2", live.build("2"))
    time.sleep(0.5)
    assert live.seen() == before
    answer = live.refresh()
    assert answer["status"]["sync"]["revision"] == commit
    assert "argocd.argoproj.io/refresh" not in answer["metadata"].get("annotations", {})


def test_polling_notices_it_too(tmp_path: Path) -> None:
    with cluster_world(tmp_path, poll=0.3) as world:
        world.cluster.start()
        commit = world.pin("1", world.build("1"))
        world.until_healthy(commit)


def test_a_push_event_makes_it_look(live: World) -> None:
    commit = live.pin("2", live.build("2"))
    assert live.push_event() == 200
    live.until_healthy(commit)


@pytest.mark.parametrize(
    ("changes_", "status"),
    [
        ({"ref": "refs/heads/other"}, 200),
        ({"repository": {"html_url": "https://git.example.com/other/repo"}}, 200),
        ({"repository": "nonsense"}, 200),
        ({"event": "ping"}, 200),
        ({"event": "issues"}, 400),
    ],
)
def test_an_event_that_does_not_concern_it_changes_nothing(
    live: World, changes_: dict[str, Any], status: int
) -> None:
    before = live.application.document()
    live.pin("2", live.build("2"))
    assert live.push_event(**changes_) == status
    time.sleep(0.4)
    assert live.application.document() == before


def test_a_commit_that_changes_no_manifest_moves_the_revision_only(live: World) -> None:
    before = live.status()
    commit = live.remote.commit({"README.md": "more words"})
    live.refresh()
    after = live.status()
    assert after["sync"]["revision"] == commit
    assert after["sync"]["status"] == "Synced"
    assert [after[key] for key in ("operationState", "history", "health", "summary")] == [
        before[key] for key in ("operationState", "history", "health", "summary")
    ]


def test_what_cannot_be_rendered_is_a_comparison_error_and_the_old_version_serves(live: World) -> None:
    kustomization = "resources: [../../base, missing.yaml]\n"
    live.remote.commit({f"{OVERLAY}/kustomization.yaml": kustomization})
    status = live.refresh()["status"]
    assert (status["sync"]["status"], status["sync"]["revision"]) == ("Unknown", "main")
    assert status["health"]["status"] == "Healthy"
    assert status["conditions"][0]["type"] == "ComparisonError"
    assert "missing.yaml" in status["conditions"][0]["message"]
    assert live.version() == "1"
    commit = live.pin("2", live.build("2"))
    live.refresh()
    live.until_healthy(commit)
    assert "conditions" not in live.status()


def test_what_an_api_server_would_reject_is_a_failed_sync_that_is_not_tried_again(live: World) -> None:
    history = live.status()["history"]
    live.application.retry = Retry(1, 0.2)
    commit = live.pin("2", live.build("2"), more=IMPOSSIBLE_PORT)
    live.refresh()
    live.until(lambda: live.status().get("operationState", {}).get("phase") == "Failed", "Failed")
    live.until(lambda: "conditions" in live.status(), "the condition")
    status = live.status()
    assert "must be between 1 and 65535" in status["operationState"]["message"]
    assert status["conditions"][0]["type"] == "SyncError"
    assert live.seen() == ("OutOfSync", "Healthy", commit)
    assert status["history"] == history
    live.refresh()
    assert live.status()["operationState"] == status["operationState"]
    assert live.version() == "1"


def _operation(app: Any, revision: str) -> tuple[Any, ...]:
    """What of an operation matters: is it there, its phase, whether it seems finished, tries, and what is compared."""
    status = app.get("status", {})
    state = status.get("operationState", {})
    return (
        "operation" in app,
        state.get("phase"),
        "finishedAt" in state,
        state.get("retryCount", 0) > 0,
        status.get("sync", {}).get("status"),
        status.get("sync", {}).get("revision") == revision,
        status.get("health", {}).get("status"),
    )


def test_a_rejected_commit_is_tried_again_and_blocks_newer_ones_until_it_is_terminated(live: World) -> None:
    """The trap of 04c: Running with finishedAt, and the revert is Synced and Healthy beside it."""
    seen: list[Any] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.005):
            seen.append(live.application.document())

    watching = threading.Thread(target=watch)
    before = live.remote.show(live.seen()[2], f"{OVERLAY}/kustomization.yaml").decode()
    live.application.retry = Retry(5, 1.0)
    watching.start()
    bad = live.pin("2", live.build("2"), more=IMPOSSIBLE_PORT)
    live.refresh()
    live.until(lambda: live.status().get("operationState", {}).get("retryCount") == 1, "a retry is booked")
    revert = live.remote.commit({f"{OVERLAY}/kustomization.yaml": before}, "Revert")
    live.refresh()
    live.until(lambda: live.status()["operationState"].get("retryCount") == 2, "a second retry is booked")
    assert live.seen() == ("Synced", "Healthy", revert)
    state = live.status()["operationState"]
    assert (state["phase"], "finishedAt" in state) == ("Running", True)
    assert state["operation"]["sync"]["revision"] == bad
    newer = live.pin("3", live.build("3"))
    live.refresh()
    time.sleep(0.5)
    assert live.seen() == ("OutOfSync", "Healthy", newer)
    url = f"{live.cluster.url}/api/v1/applications/{APPLICATION}/operation"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert requests.delete(url, headers=headers, timeout=5).status_code == 200
    live.until_healthy(newer)
    assert requests.delete(url, headers=headers, timeout=5).status_code == 400
    stop.set()
    watching.join()
    assert any(app["status"].get("operationState", {}).get("phase") == "Terminating" for app in seen)

    recorded = [item["object"] for item in changes("argocd", "04c-revert-while-retrying")]
    apps = [app for app in recorded if app["kind"] == "Application"]
    known = {path for app in apps for path in field_paths(app)} | {".metadata.annotations"}
    told = [app for app in seen if app["status"]["sync"]["revision"] in (bad, revert)]
    assert {path for app in told for path in field_paths(app)} - known == set()
    tried = [app for app in apps if app.get("status", {}).get("operationState", {}).get("retryCount")]
    real_bad = tried[0]["operation"]["sync"]["revision"]
    real = [_operation(app, real_bad) for app in apps]
    mine = [
        _operation(app, bad) for app in told if "Terminating" not in str(app["status"].get("operationState"))
    ]
    remaining = iter(real)
    steps = [step for earlier, step in zip([None, *mine], mine, strict=False) if step != earlier]
    assert [step for step in steps if step not in remaining] == []
    assert (True, "Running", True, True, "Synced", False, "Healthy") in steps


def test_after_the_last_try_a_rejected_commit_has_failed_for_good(live: World) -> None:
    live.application.retry = Retry(1, 0.3)
    commit = live.pin("2", live.build("2"), more=IMPOSSIBLE_PORT)
    live.refresh()
    live.until(lambda: "conditions" in live.status(), "the condition")
    state = live.status()["operationState"]
    assert (state["phase"], state["retryCount"]) == ("Failed", 1)
    assert state["message"].endswith("(retried 1 times).")
    assert live.seen() == ("OutOfSync", "Healthy", commit)


def test_a_slow_look_leaves_the_old_revision_synced_and_healthy(live: World) -> None:
    before = live.seen()
    live.application.slow_look = 1.5
    commit = live.pin("2", live.build("2"))
    assert live.push_event() == 200
    time.sleep(0.8)
    assert live.seen() == before
    assert live.application.document()["metadata"]["annotations"] == {"argocd.argoproj.io/refresh": "normal"}
    live.until_healthy(commit)


def test_a_model_that_answers_nonsense_is_healthy_everywhere(live: World) -> None:
    commit = live.pin("2", live.build("2", answers=-7.0))
    live.refresh()
    live.until_healthy(commit)
    assert live.version() == "2"
    body = {"dataframe_split": {"columns": ["a"], "data": [[1.0]]}}
    answer = requests.post(f"{live.service}/invocations", json=body, timeout=5).json()
    assert answer == {"predictions": [-7.0]}


def test_without_automation_nothing_is_synced(tmp_path: Path) -> None:
    with cluster_world(tmp_path) as world:
        world.cluster.add_application("by-hand", path=OVERLAY, automated=False)
        commit = world.pin("1", world.build("1"))
        world.cluster.start()
        application = world.cluster.applications["by-hand"]
        world.until(lambda: "status" in application.document(), "a comparison")
        status = application.document()["status"]
        assert (status["sync"]["status"], status["sync"]["revision"]) == ("OutOfSync", commit)
        assert status["health"]["status"] == "Missing"
        assert "operationState" not in status


def test_a_commit_can_be_checked_before_it_is_merged(world: World) -> None:
    good = world.pin("1", "sha256:" + "0" * 64)
    bad = world.remote.commit({f"{OVERLAY}/kustomization.yaml": "resources: [missing.yaml]\n"})
    assert world.cluster.renders(good, OVERLAY)
    assert not world.cluster.renders(bad, OVERLAY)


# --- Looking like Argo CD --------------------------------------------------------------------------


def _whole_story(world: World) -> tuple[list[dict[str, Any]], list[tuple[str, str, str]]]:
    """The documents and the states of 01, 02, 03 and 14 in a row."""
    seen: list[dict[str, Any]] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.005):
            document = world.application.document()
            if not seen or seen[-1] != document:
                seen.append(document)

    watching = threading.Thread(target=watch)
    watching.start()
    first = world.pin("1", world.build("1"))
    world.cluster.start()
    world.until_healthy(first)
    good = world.build("2")
    second = world.pin("2", good)
    world.push_event()
    world.until_healthy(second)
    world.cluster.progress_deadline = 3
    world.pin("3", world.build("3", ready_after=1000))
    world.push_event()
    world.until(lambda: world.seen()[1] == "Degraded", "Degraded")
    fourth = world.pin("2", good)
    world.push_event()
    world.until_healthy(fourth)
    world.until(lambda: len(world.status()["summary"]["images"]) == 1, "the bad pod is gone")
    time.sleep(0.2)
    stop.set()
    watching.join()
    return seen, [(sync, health, phase) for sync, _, health, phase in world.application.states]


def _recorded_states() -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    for recording in RECORDINGS:
        for change in changes("argocd", recording):
            if change["object"]["kind"] == "Application":
                status = change["object"].get("status", {})
                state = (
                    status.get("sync", {}).get("status") or "",
                    status.get("health", {}).get("status") or "",
                    status.get("operationState", {}).get("phase") or "",
                )
                found.append(state)
    return _in_order(found)


def _in_order(states: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Without what is seen for milliseconds, in either order: the operation's state and the comparison have two writers."""
    either = {("OutOfSync", ""), ("Synced", "Running")}
    kept = [state for state in states if (state[0], state[2]) not in either]
    return [state for before, state in zip([None, *kept], kept, strict=False) if state != before]


def test_documents_and_their_order_are_those_of_the_real_argocd(world: World) -> None:
    documents, states = _whole_story(world)

    recorded: set[str] = set()
    for recording in RECORDINGS:
        for change in changes("argocd", recording):
            if change["object"]["kind"] == "Application":
                recorded |= set(field_paths(change["object"]))
    emitted = {path for document in documents for path in field_paths(document)}
    assert emitted <= recorded

    remaining = iter(_recorded_states())
    missing = [state for state in _in_order(states) if state not in remaining]
    assert missing == [], f"{states} is not in the order of {_recorded_states()}"
    assert {("Synced", "Healthy", "Succeeded"), ("Synced", "Degraded", "Succeeded")} <= set(states)
    assert {("OutOfSync", "Healthy", "Running"), ("OutOfSync", "Healthy", "Succeeded")} <= set(states)


def test_during_a_bump_it_misleads_as_the_real_one_does(live: World) -> None:
    """The traps that a judge must not fall into are there: section (b) of the recordings' README."""
    old = live.seen()[2]
    seen: list[Any] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.005):
            seen.append(live.application.document())

    watching = threading.Thread(target=watch)
    watching.start()
    commit = live.pin("2", live.build("2"))
    live.push_event()
    live.until_healthy(commit)
    stop.set()
    watching.join()
    begun = [
        document
        for document in seen
        if "operation" in document and document["status"]["sync"]["revision"] == old
    ]
    assert any(document["status"]["sync"]["status"] == "Synced" for document in begun)
    assert all("operationState" not in document["status"] for document in begun)
    applied = [
        document["status"]
        for document in seen
        if document["status"].get("operationState", {}).get("phase") == "Succeeded"
        and document["status"]["sync"]["revision"] == commit
    ]
    assert any(s["sync"]["status"] == "OutOfSync" and s["health"]["status"] == "Healthy" for s in applied)
    assert any(len(s["summary"]["images"]) == 2 for s in applied)


# --- Its API ---------------------------------------------------------------------------------------


def test_the_api_wants_the_token(live: World) -> None:
    for token in (None, "wrong", "ünvalid"):
        answer = live.ask("/api/v1/applications", token and token.encode().decode("latin-1"))
        assert answer.status_code == 401
        assert answer.json()["code"] == 16


def test_a_missing_application_is_forbidden_without_its_project_and_missing_with_it(live: World) -> None:
    place = "/api/v1/applications/no-such-app"
    assert live.ask(place).status_code == 403
    assert live.ask(place, project="default").status_code == 404
    assert live.ask(f"/api/v1/applications/{APPLICATION}", project="other").status_code == 403
    assert live.ask(f"/api/v1/applications/{APPLICATION}").status_code == 200


def test_one_application_is_told_with_the_health_of_its_resources(live: World) -> None:
    found = live.ask(f"/api/v1/applications/{APPLICATION}").json()["status"]["resources"]
    assert {(item["kind"], item["health"]["status"]) for item in found} == {
        ("Deployment", "Healthy"),
        ("Service", "Healthy"),
    }
    listed = live.ask("/api/v1/applications").json()["items"]
    assert all("health" not in item for item in listed[0]["status"]["resources"])
    tree = live.ask(f"/api/v1/applications/{APPLICATION}/resource-tree").json()["nodes"]
    assert {node["kind"] for node in tree} == {"Deployment", "Service", "Pod"}
    assert {node["health"]["status"] for node in tree} == {"Healthy"}


def test_the_page_says_that_it_is_a_sandbox(live: World) -> None:
    page = requests.get(live.cluster.url, timeout=5).text
    assert "sandbox" in page
    assert APPLICATION in page
    assert "Healthy" in page
    assert live.service in page


def test_no_secret_is_in_an_answer_on_the_page_or_in_an_argument(live: World) -> None:
    text = requests.get(live.cluster.url, timeout=5).text + live.ask("/api/v1/applications").text
    arguments = subprocess.run(["ps", "-eo", "args"], capture_output=True, check=True).stdout.decode()
    for secret in (GIT_TOKEN, TOKEN, LOGIN[1]):
        assert secret not in text
        assert secret not in arguments
    config = (live.folder / "cluster" / "manifests.git" / "config").read_text()
    assert GIT_TOKEN not in config


def test_git_that_does_not_let_it_in_is_a_comparison_error_without_the_token(world: World) -> None:
    world.pin("1", world.build("1"))
    world.remote.token = "another"
    world.cluster.start()
    world.until(lambda: world.seen()[0] == "Unknown", "Unknown")
    message = world.status()["conditions"][0]["message"]
    assert GIT_TOKEN not in message
