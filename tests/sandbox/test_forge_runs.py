"""Workflow runs of the forge: dispatched as GitHub allows it, played by whoever plays CI, told by webhooks."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import requests

from bot.sandbox.forge import Run
from tests.sandbox.forges import NAME, TOKEN, World
from tests.sandbox.github_description import webhook_faults
from tests.sandbox.receiving import receiver

pytestmark = pytest.mark.world
INPUTS = {"model": "fraud", "correlation_id": "gitops-bot-0123456789abcdef"}


def dispatch(world: World, workflow: str = "build.yml", **fields: object) -> requests.Response:
    body = {"ref": "main", "inputs": INPUTS, "return_run_details": True, **fields}
    return world.ask("POST", f"actions/workflows/{workflow}/dispatches", body)


def test_a_dispatched_run_is_played_and_told_step_by_step(world: World) -> None:
    played, done = [], threading.Event()

    def ci(run: Run) -> None:
        played.append(run)
        world.forge.begin_run(run.id)
        world.forge.finish_run(run.id, "success", "pushed the image\n")
        done.set()

    world.forge.on_dispatch = ci
    with receiver() as heard:
        world.forge.add_webhook(NAME, heard.url, "s", ("workflow_run",))
        told = dispatch(world).json()
        assert done.wait(10)
        assert world.forge.settle()
        assert heard.events() == [
            "workflow_run.requested",
            "workflow_run.in_progress",
            "workflow_run.completed",
        ]
        assert [
            fault
            for one in heard.received
            for fault in webhook_faults(one.headers["x-github-event"], one.document)
        ] == []
    assert [(run.id, run.repository, run.workflow, run.ref) for run in played] == [
        (told["workflow_run_id"], NAME, "build.yml", "main")
    ]
    assert played[0].inputs == {**INPUTS, "size": "small"}
    run = world.get(f"actions/runs/{told['workflow_run_id']}")
    assert (run["status"], run["conclusion"], run["event"]) == ("completed", "success", "workflow_dispatch")
    assert run["display_title"] == "build fraud gitops-bot-0123456789abcdef"
    assert "pushed the image" in requests.get(run["html_url"], timeout=10).text
    log = world.ask("GET", f"actions/runs/{run['id']}/logs")
    assert requests.get(log.headers["Location"], timeout=10).text == "pushed the image\n"


def test_without_asking_for_details_the_answer_is_empty(world: World) -> None:
    answer = dispatch(world, return_run_details=False)
    assert (answer.status_code, answer.content) == (204, b"")
    assert world.get("actions/runs")["total_count"] == 1


@pytest.mark.parametrize(
    ("workflow", "fields", "status", "said"),
    [
        ("nowhere.yml", {}, 404, "Not Found"),
        ("on-push.yml", {}, 422, "workflow_dispatch"),
        ("build.yml", {"ref": "nowhere"}, 422, "No ref found for: nowhere"),
        ("build.yml", {"ref": None}, 422, "Validation Failed"),
        ("build.yml", {"inputs": {**INPUTS, "other": "1"}}, 422, "Unexpected inputs provided: ['other']"),
        ("build.yml", {"inputs": {"model": "m"}}, 422, "Required input 'correlation_id' not provided"),
        ("build.yml", {"inputs": {**INPUTS, "size": "huge"}}, 422, "not in the list of allowed values"),
    ],
)
def test_what_github_would_not_start_is_not_started(
    world: World, workflow: str, fields: dict[str, object], status: int, said: str
) -> None:
    answer = dispatch(world, workflow, **fields)
    assert answer.status_code == status
    assert said in answer.json()["message"]
    assert world.get("actions/runs")["total_count"] == 0


def test_a_workflow_of_a_branch_alone_is_unknown(world: World) -> None:
    workflow = b"on: workflow_dispatch\njobs: {}\n"
    world.forge.push_commit(NAME, "bot/x", {".github/workflows/new.yml": workflow})
    assert dispatch(world, "new.yml", ref="bot/x", inputs={}).status_code == 404
    world.forge.push_commit(NAME, "main", {".github/workflows/new.yml": workflow})
    assert dispatch(world, "new.yml", ref="main", inputs={}).status_code == 200


def test_runs_are_found_by_what_github_filters_by(world: World) -> None:
    first = dispatch(world).json()["workflow_run_id"]
    second = dispatch(world).json()["workflow_run_id"]
    world.forge.begin_run(first)
    world.forge.finish_run(first, "failure", "")
    today, tomorrow = datetime.now(UTC).date(), datetime.now(UTC).date() + timedelta(days=1)
    expected = {
        "": [second, first],
        "status=queued": [second],
        "status=completed": [first],
        "status=failure": [first],
        "event=push": [],
        "branch=main&event=workflow_dispatch": [second, first],
        f"head_sha={world.forge.head(NAME)}": [second, first],
        f"created=%3E%3D{today}": [second, first],
        f"created={today}..{tomorrow}": [second, first],
        f"created=%3E{tomorrow}": [],
        f"created=%3C{today}": [],
        "per_page=1": [second],
    }
    for path in ("actions/runs", "actions/workflows/build.yml/runs"):
        found = {
            query: [run["id"] for run in world.get(f"{path}?{query}")["workflow_runs"]] for query in expected
        }
        assert found == expected
    assert world.get("actions/workflows/on-push.yml/runs")["total_count"] == 0


def test_a_run_is_run_again_under_its_id(world: World) -> None:
    number = dispatch(world).json()["workflow_run_id"]
    assert world.ask("POST", f"actions/runs/{number}/rerun").status_code == 403
    world.forge.begin_run(number)
    world.forge.finish_run(number, "failure", "no space left\n")
    played = threading.Event()
    world.forge.on_dispatch = lambda run: played.set() if run.attempt == 2 else None
    assert world.ask("POST", f"actions/runs/{number}/rerun").status_code == 201
    assert played.wait(10)
    run = world.get(f"actions/runs/{number}")
    assert (run["run_attempt"], run["status"], run["conclusion"]) == (2, "queued", None)
    assert world.get("actions/runs")["total_count"] == 1
    assert world.get(f"actions/runs/{number}/jobs")["jobs"][0]["run_attempt"] == 2


def test_pygithub_dispatches_and_follows(world: World) -> None:
    workflow = world.github().get_repo(NAME).get_workflow("build.yml")
    made = workflow.create_dispatch("main", dict(INPUTS), throw=True, return_run_details=True)
    world.forge.begin_run(made.id)
    assert [(run.id, run.status) for run in workflow.get_runs(event="workflow_dispatch")] == [
        (made.id, "in_progress")
    ]
    assert [found.name for found in world.github().get_repo(NAME).get_workflows()] == ["Build", "On push"]


def test_a_ci_that_crashes_leaves_the_forge_alive(world: World, caplog: pytest.LogCaptureFixture) -> None:
    crashed = threading.Event()

    def ci(run: Run) -> None:
        crashed.set()
        raise RuntimeError("the runner is broken")

    world.forge.on_dispatch = ci
    number = dispatch(world).json()["workflow_run_id"]
    assert crashed.wait(10)
    assert world.get(f"actions/runs/{number}")["status"] == "queued"
    assert TOKEN not in caplog.text
