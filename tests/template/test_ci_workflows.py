"""The workflow and the pipeline that build model images: accepted by their tools, with no more rights than needed, and
nothing that a stranger, or a model's name, could turn against their owner."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.core.names import correlation
from bot.sandbox.forge import Forge
from tests.template.rendered import TEMPLATE

FILE = TEMPLATE / ".github" / "workflows" / "deploy-on-model-promotion.yml"
PIPELINE = TEMPLATE / "azure-pipelines.yml"
WORKFLOW: Any = yaml.safe_load(FILE.read_text())
AZURE: Any = yaml.safe_load(PIPELINE.read_text())
ON: Any = WORKFLOW[True]  # YAML 1.1 takes `on` for true
JOBS: Any = WORKFLOW["jobs"]
TOOLS = Path(sys.executable).parent
MLFLOW = {"MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"}


def ran(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def steps(job: str) -> list[Any]:
    return list(JOBS[job]["steps"])


def named(job: str, name: str) -> int:
    [found] = [number for number, step in enumerate(steps(job)) if name in step.get("run", "")]
    return found


# --- GitHub ---


def test_github_takes_it() -> None:
    ran(str(TOOLS / "check-jsonschema"), "--builtin-schema", "vendor.github-workflows", str(FILE))


def test_zizmor_finds_nothing_even_when_it_is_pedantic() -> None:
    said = ran(
        str(TOOLS / "zizmor"), "--offline", "--no-progress", "--persona", "pedantic", "--format", "json", str(FILE)
    )  # fmt: skip
    assert json.loads(said) == []


def test_actionlint_finds_nothing() -> None:
    ran(str(TOOLS / "actionlint"), str(FILE))


def test_only_those_who_may_write_can_start_it() -> None:
    assert set(ON) == {"workflow_dispatch", "repository_dispatch", "schedule"}
    assert ON["repository_dispatch"] == {"types": ["model-promoted"]}
    assert all("github.event.repository.fork != true" in JOBS[job]["if"] for job in ("asked", "missing"))
    assert set(JOBS["image"]["needs"]) == {"asked", "missing"}


def test_each_job_has_no_more_rights_than_it_needs() -> None:
    assert WORKFLOW["permissions"] == {}
    assert {job: spec["permissions"] for job, spec in JOBS.items()} == {
        "asked": {"contents": "read"},
        "missing": {"contents": "read"},
        "image": {"contents": "read", "packages": "write", "id-token": "write"},
    }
    assert all(spec["timeout-minutes"] <= 60 for spec in JOBS.values())
    for job in JOBS:
        [checkout] = [step for step in steps(job) if step.get("uses", "").startswith("actions/checkout@")]
        assert checkout["with"] == {"persist-credentials": False}


def test_actions_are_pinned_by_commit_with_the_version_beside_it() -> None:
    used = re.findall(r"uses: (.*)", FILE.read_text())
    assert {use.partition("@")[0] for use in used} == {
        "actions/checkout",
        "azure/login",
        "docker/setup-buildx-action",
        "sigstore/cosign-installer",
    }
    assert [
        use for use in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)
    ] == []


def test_no_script_has_an_expression_in_it() -> None:
    scripts = [step["run"] for job in JOBS for step in steps(job) if "run" in step]
    assert len(scripts) >= 12
    assert [script for script in scripts if "${{" in script] == []


def test_secrets_are_in_a_protected_environment_and_reach_no_step_that_runs_code_of_the_model() -> None:
    having = {
        (job, step["name"]): {key for key, value in step["env"].items() if "secrets." in str(value)}
        for job in JOBS
        for step in steps(job)
        if "secrets." in json.dumps(step)
    }
    assert having == {
        ("missing", "Ask MLflow what the targets of promotions.yaml want"): MLFLOW,
        ("missing", "Tell people that nobody knows"): {"NOTIFY_URL"},
        ("image", "Fetch the model; it exists, is READY, and says what it needs"): MLFLOW,
        ("image", "Keep what it answered in MLflow, for the bot to compare"): MLFLOW,
        ("image", "Tell people"): {"NOTIFY_URL"},
    }
    assert JOBS["missing"]["environment"] == JOBS["image"]["environment"] == "model-images"
    assert "environment" not in JOBS["asked"]
    assert "secrets" not in json.dumps([JOBS[job].get("env") for job in JOBS])
    assert "secrets" not in json.dumps(WORKFLOW.get("env"))


def test_the_tag_comes_last_after_everything_that_proves_the_image() -> None:
    order = [
        named("image", f"ci.sh {step}")
        for step in ("there", "fetch", "build", "prove", "keep", "sign", "publish")
    ]
    assert order == sorted(order)
    assert named("image", "docker login") < order[0]
    assert steps("image")[order[-1]]["if"] == "steps.before.outputs.there == 'false'"
    for last in ("summary", "tell"):
        assert named("image", f"ci.sh {last}") > order[-1]
        assert re.search(r"always\(\)|!cancelled\(\)", steps("image")[named("image", f"ci.sh {last}")]["if"])


def test_people_are_told_however_a_run_ends() -> None:
    [told] = [step for step in steps("missing") if "ci.sh tell" in step.get("run", "")]
    assert told["if"] == "${{ !success() }}"
    assert steps("image")[-1]["if"] == "${{ always() && steps.before.outputs.there != 'true' }}"
    told_by_azure = {
        step["displayName"]: step["condition"]
        for step in azure_steps(AZURE["stages"])
        if "tell" in step.get("bash", "")
    }
    assert told_by_azure == {
        "Tell people that nobody knows": "not(succeeded())",
        "Say how it went, and tell people": "and(always(), ne(variables.there, 'true'))",
    }


def test_only_steps_whose_log_gives_no_orders_run_what_reads_names() -> None:
    scripts = [step.get("run", "") for job in JOBS for step in steps(job)]
    for script in [*scripts, *(step.get("bash", "") for step in azure_steps(AZURE["stages"]))]:
        assert ".py" not in script


def test_runs_for_the_same_image_wait_for_each_other() -> None:
    group = JOBS["image"]["concurrency"]
    assert group == {
        "group": "model-image-${{ matrix.image }}-${{ matrix.tag }}",
        "cancel-in-progress": False,
    }
    assert all(word in WORKFLOW["concurrency"]["group"] for word in ("model_name", "model_version", "image"))


def test_every_step_that_the_workflows_name_is_one_of_the_script() -> None:
    script = (TEMPLATE / "model-image" / "ci.sh").read_text()
    known = set(re.findall(r"^(\w+)\(\) \{", script, re.MULTILINE))
    for file in (FILE, PIPELINE):
        used = set(re.findall(r"model-image/ci\.sh (\w+)", file.read_text()))
        assert used <= known
        assert {"tools", "there", "fetch", "build", "prove", "keep", "summary", "tell"} <= used


@pytest.mark.world
def test_the_bot_finds_its_run_again_by_the_title_that_the_workflow_gives(tmp_path: Path) -> None:
    import requests

    source = tmp_path / "source" / ".github" / "workflows"
    source.mkdir(parents=True)
    shutil.copy(FILE, source)
    forge = Forge(tmp_path / "forge", reviewer="alice")
    forge.start()
    try:
        forge.add_user("bot", "the-token", bot=True)
        forge.create_repository("acme/models", source=tmp_path / "source")
        mark = correlation("ghcr.io/acme/m", "v7")
        inputs = {
            "model_name": "m", "model_version": "7", "image": "ghcr.io/acme/m", "tag": "v7", "correlation_id": mark,
        }  # fmt: skip
        address = f"{forge.api_url}/repos/acme/models/actions"
        headers = {"Authorization": "Bearer the-token"}
        started = requests.post(
            f"{address}/workflows/{FILE.name}/dispatches",
            json={"ref": "main", "inputs": inputs}, headers=headers, timeout=20,
        )  # fmt: skip
        assert started.status_code < 300, started.text
        [run] = requests.get(f"{address}/runs", headers=headers, timeout=20).json()["workflow_runs"]
        assert run["display_title"] == f"Build m 7 [{mark}]"
    finally:
        forge.stop()


# --- Azure ---


def test_azure_takes_it() -> None:
    ran(
        str(TOOLS / "check-jsonschema"), "--builtin-schema", "vendor.azure-pipelines",
        "--data-transform", "azure-pipelines",
        # The schema has a pattern that the default dialect does not know.
        "--regex-variant", "nonunicode", str(PIPELINE),
    )  # fmt: skip


def test_no_pull_request_and_no_push_starts_the_pipeline() -> None:
    assert (AZURE["trigger"], AZURE["pr"]) == ("none", "none")
    [nightly] = AZURE["schedules"]
    assert (nightly["cron"], nightly["branches"]) == ("0 2 * * *", {"include": ["main"]})


def azure_steps(node: Any) -> list[Any]:
    """Every step, also below template expressions."""
    if isinstance(node, list):
        return [step for item in node for step in azure_steps(item)]
    if not isinstance(node, dict):
        return []
    if {"bash", "task", "checkout", "publish", "download"} & set(node):
        return [node]
    return [step for value in node.values() for step in azure_steps(value)]


def test_no_script_of_the_pipeline_has_anything_put_into_it() -> None:
    found = azure_steps(AZURE["stages"])
    scripts = [step.get("bash") or step.get("inputs", {}).get("inlineScript", "") for step in found]
    assert len(scripts) >= 15
    for script in scripts:
        assert "${{" not in script
        assert not re.search(r"\$\([A-Za-z.]+\)", script), script


def test_secrets_of_the_pipeline_reach_only_the_steps_that_need_them() -> None:
    secret = MLFLOW | {"NOTIFY_URL"}
    having = {
        step["displayName"]: secret & set(step["env"])
        for step in azure_steps(AZURE["stages"])
        if secret & set(step.get("env", {}))
    }
    assert having == {
        "Ask MLflow what the targets of promotions.yaml want": MLFLOW,
        "Tell people that nobody knows": {"NOTIFY_URL"},
        "Fetch the model; it exists, is READY, and says what it needs": MLFLOW,
        "Keep what it answered in MLflow, for the bot to compare": MLFLOW,
        "Say how it went, and tell people": {"NOTIFY_URL"},
    }


def test_images_get_their_tags_after_the_approvals_of_their_environment() -> None:
    *_, last = AZURE["stages"]
    [(key, [stage])] = last.items()
    assert key == "${{ each environment in parameters.environments }}"
    [job] = stage["jobs"]
    assert (job["deployment"], job["environment"]) == ("tag", "${{ environment }}")
    [environments] = [one for one in AZURE["parameters"] if one["name"] == "environments"]
    assert environments["default"] == ["staging", "production"]
    # One model that fails is no reason to keep, night for night, what was proven from the others.
    assert "in(dependencies.build.result, 'Succeeded', 'SucceededWithIssues', 'Failed')" in stage["condition"]
    scripts = json.dumps(AZURE["stages"][:-1])
    assert "publish" not in re.findall(r"ci\.sh (\w+)", scripts)
    connections = {
        step["inputs"]["azureSubscription"] for step in azure_steps(AZURE["stages"]) if "task" in step
    }
    assert connections == {"model-images"}
