"""What builds and checks the project: pinned, with no more rights than needed, and nothing left running."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
TIDY = ROOT / ".ci" / "tidy.py"


@pytest.fixture(scope="module")
def workflow() -> Any:
    return YAML(typ="safe").load(ROOT / ".github" / "workflows" / "ci.yml")


def test_every_action_is_pinned_by_commit_with_its_version_beside_it() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    used = re.findall(r"uses: (.*)", text)
    assert used
    assert [
        use for use in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)
    ] == []


def test_no_job_may_write_and_one_gate_waits_for_all_of_them(workflow: Any) -> None:
    jobs = workflow["jobs"]
    assert workflow["permissions"] == {}
    assert {
        job: spec["permissions"]
        for job, spec in jobs.items()
        if spec["permissions"] not in ({}, {"contents": "read"})
    } == {}
    assert set(jobs["all-green"]["needs"]) == set(jobs) - {"all-green"}


def test_both_stages_and_the_ci_stand_on_the_same_image_by_digest(workflow: Any) -> None:
    stages = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert {*stages} == {workflow["jobs"]["test"]["container"]}
    assert re.fullmatch(r"python:3\.11-slim-bookworm@sha256:[0-9a-f]{64}", stages[0])


def tidy(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TIDY), "sh", "-c", textwrap.dedent(script)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted by prctl, which is Linux's")
def test_tidy_ends_what_a_command_leaves_behind_and_keeps_its_code(tmp_path: Path) -> None:
    done = tidy("setsid sleep 60 & echo $! > orphan; exit 7", tmp_path)
    assert done.returncode == 7
    process = (tmp_path / "orphan").read_text().strip()
    assert f"left running, ended now: {process} " in done.stderr
    with pytest.raises(ProcessLookupError):
        os.kill(int(process), 0)


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted by prctl, which is Linux's")
def test_tidy_has_nothing_to_say_about_a_command_that_leaves_nothing(tmp_path: Path) -> None:
    done = tidy("true", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
