"""The steps that both CIs share: which versions are built, and how an image is proven before it gets its tag.

There is no container engine here: tests/template/engine.py says what stands in for it.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.core.images import parse
from tests.parts import free_port, require
from tests.sandbox.receiving import receiver
from tests.template import engine
from tests.template.serving import MODEL_IMAGE

IMAGE = "ghcr.io/acme/fraud-detector"
ASKED = {
    "MODEL_NAME": "fraud-detector",
    "MODEL_VERSION": "7",
    "IMAGE": IMAGE,
    "TAG": "v7",
    "IMAGES": "ghcr.io/acme",
}
ITEM = {"model_name": "fraud-detector", "model_version": "7", "image": IMAGE, "tag": "v7", "environment": ""}
SECRET = "not-for-the-model"


def wanted(step: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(MODEL_IMAGE / "wanted.py"), step]
    clean = {"PATH": os.environ["PATH"], "MLFLOW_DISABLE_TELEMETRY": "true", **environment}
    return subprocess.run(command, capture_output=True, text=True, env=clean, timeout=120, check=False)


# --- which versions ---


def test_what_the_bot_asks_for_is_built() -> None:
    done = wanted("asked", **ASKED, TARGET="fraud-detector/production")
    assert json.loads(done.stdout) == [{**ITEM, "environment": "production"}]


def test_a_person_may_leave_out_what_follows() -> None:
    asked = {**ASKED, "IMAGE": "-", "TAG": ""}
    assert json.loads(wanted("asked", **asked).stdout) == [ITEM]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"MODEL_VERSION": "7; id"}, "is not a version"),
        ({"MODEL_VERSION": ""}, "is not a version"),
        ({"MODEL_NAME": "a/../b"}, "is not a model name"),
        ({"MODEL_NAME": "x\n::set-env name=PATH::/tmp"}, "is not a model name"),
        ({"MODEL_NAME": "$(MLFLOW_TRACKING_PASSWORD)"}, "is not a model name"),
        ({"IMAGE": "ghcr.io/evil/fraud-detector"}, "is not below ghcr.io/acme"),
        ({"IMAGE": "ghcr.io/acme-evil/fraud-detector"}, "is not below ghcr.io/acme"),
        ({"IMAGE": "ghcr.io/acme/x,push=true"}, "is not an image"),
        ({"IMAGE": "evil.azurecr.io/acme/x"}, "is not below"),
        ({"TAG": "buildcache"}, "is not a tag"),
        ({"TAG": "-v7"}, "is not a tag"),
        ({"TAG": "sha256-" + "7" * 64 + ".sig"}, "is not a tag"),
        ({"IMAGES": ""}, "any of IMAGES, which is not set"),
        ({"MODEL_NAME": "unknown", "IMAGE": ""}, "which image is meant?"),
        ({"BUILD_ACTORS": "alice bot[bot]", "ACTOR": "mallory"}, "not one of BUILD_ACTORS"),
    ],
)
def test_what_is_not_a_model_a_version_and_an_image_of_ours_is_refused(
    changed: Mapping[str, str], sentence: str
) -> None:
    done = wanted("asked", **{**ASKED, **changed})
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_actor_that_is_known_may() -> None:
    assert wanted("asked", **ASKED, BUILD_ACTORS="alice bot[bot]", ACTOR="bot[bot]").returncode == 0


TARGETS = """
defaults: {model: "it's a model", image: ghcr.io/acme/m}
targets:
  - {name: m/built-elsewhere, image: docker.io/them/m, when: {alias: champion}}
  - {name: m/production, when: {alias: champion}}
  - {name: m/twin, when: {alias: champion}}
  - {name: m/staging, when: {tag: deploy=staging}}
  - {name: m/stage, when: {stage: Production}}
  - {name: m/later, when: {alias: nobody}}
  - {name: m/unknown, model: unknown, when: {alias: champion}}
"""


@pytest.mark.world
@pytest.mark.xdist_group("serve")
def test_what_the_targets_want_is_asked_of_mlflow(registry: str, tmp_path: Path) -> None:
    file = tmp_path / "promotions.yaml"
    file.write_text(TARGETS)
    place = {"MLFLOW_TRACKING_URI": registry, "PROMOTIONS": str(file), "IMAGES": "ghcr.io/acme"}
    done = wanted("missing", **place)
    assert [(item["tag"], item["environment"]) for item in json.loads(done.stdout)] == [
        ("v3", "production"),
        ("v10", "staging"),
        ("v5", "stage"),
    ], done.stderr
    assert "Nothing is wanted for m/later" in done.stderr
    assert "Nothing is wanted for m/unknown" in done.stderr
    assert "Nothing is built for m/built-elsewhere: docker.io/them/m is not below ghcr.io/acme" in done.stderr
    file.unlink()
    assert wanted("missing", **place).stdout == "[]\n"
    file.write_text("targets: {")
    assert "cannot be read" in wanted("missing", **place).stderr


def test_what_talks_to_mlflow_comes_by_hash_and_is_the_version_that_the_bot_uses() -> None:
    text = (MODEL_IMAGE / "fetch-requirements.txt").read_text()
    pins = re.findall(r"^([a-z0-9-]+)==\S+(?: ; .*)? \\$", text, re.MULTILINE)
    assert {"mlflow-skinny", "pyyaml"} <= set(pins)
    assert len(re.findall(r"^[a-z]", text, re.MULTILINE)) == len(pins)
    project = (MODEL_IMAGE.parents[1] / "pyproject.toml").read_text()
    [version] = re.findall(r'"mlflow-skinny==([\d.]+)"', project)
    assert f"\nmlflow-skinny=={version} \\" in text


# --- the steps ---


def no_order(logged: str) -> bool:
    """Whether the CI that shows this takes none of it for an order: GitHub's runner looks for ##[ in a line, and for :: at its
    beginning; Azure's agent for ##vso[ in a line. Comparing, .NET may skip what cannot be seen."""
    visible = re.sub(r"[^ -~\r\n]", "", logged)
    return "::" not in visible and "##" not in visible


@dataclass(frozen=True)
class Job:
    """A job of a CI: a copy of model-image, a folder for temporary files, and `docker` on its path."""

    folder: Path
    engine: Path

    def step(self, name: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """One step of ci.sh."""
        place = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "WORK": str(self.folder / "work"),
            "ENGINE": str(self.engine),
            "MODEL_IMAGE": str(MODEL_IMAGE),
            "MLFLOW_TRACKING_PASSWORD": SECRET,
            "PATIENCE": "60",
        }
        return subprocess.run(
            [str(self.folder / "model-image" / "ci.sh"), name, *words],
            capture_output=True, text=True, env={**place, **ASKED, **environment}, timeout=240, check=False,
        )  # fmt: skip

    def did(self, name: str, *words: str, **environment: str) -> str:
        """What a step printed that must succeed."""
        done = self.step(name, *words, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def tags(self) -> dict[str, str]:
        """What the registry has."""
        file = self.engine / "tags.json"
        return dict(json.loads(file.read_text())) if file.exists() else {}


@pytest.fixture
def job(tmp_path: Path) -> Job:
    for program in ("jq", "curl"):
        require(program, f"apt-get install {program}")
    for name in ("bin", "work", "engine", "model-image"):
        (tmp_path / name).mkdir()
    docker = tmp_path / "bin" / "docker"
    docker.write_text(f'#!/bin/sh\nexec {sys.executable} {engine.__file__} "$@"\n')
    docker.chmod(0o755)
    (tmp_path / "engine" / "port").write_text(str(free_port()))
    shutil.copy(MODEL_IMAGE / "ci.sh", tmp_path / "model-image")
    release = {
        "run_id": "abc",
        "created": "2026-11-24T10:00:00Z",
        "source": "https://git/x",
        "revision": None,
    }
    (tmp_path / "model-image" / "release.json").write_text(json.dumps(release))
    return Job(tmp_path, tmp_path / "engine")


@pytest.mark.world
@pytest.mark.xdist_group("serve")
def test_an_image_gets_its_tag_after_it_has_been_proven(job: Job, models: Path) -> None:
    shutil.copytree(models / "stubborn", job.engine / "model")
    assert job.did("there") == "false\n"
    built = job.step("build", MODEL_NAME="a `b` $(c)")
    assert built.returncode == 0
    assert no_order(built.stdout + built.stderr)
    job.did("prove")
    answered = json.loads((job.folder / "work" / "answer.json").read_text())
    assert answered == {"predictions": [6.0]}
    assert job.tags() == {}
    job.did("publish")
    assert job.tags() == {f"{IMAGE}:v7": engine.DIGEST}
    assert job.did("there") == "true\n"
    calls = [json.loads(call) for call in (job.engine / "calls").read_text().splitlines()]
    _build(next(call for call in calls if call[:2] == ["buildx", "build"]))
    for call in calls:
        if call[0] == "run":
            assert {"--read-only", "--cap-drop", "no-new-privileges", "--pids-limit"} <= set(call)
            # The first process of a container does not hear SIGTERM unless it says so; serve.py does.
            assert ("--init" in call) == ("--rm" in call)
            assert call[call.index("--network") + 1] == "none"
            assert parse(next(word for word in call if "@" in word)).digest == engine.DIGEST
        assert SECRET not in " ".join(call)
    assert [call[0] for call in calls][-5:].count("rm") == 1
    port = int((job.engine / "port").read_text())
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), 5):
        pass


def _build(call: list[str]) -> None:
    """What the build is told: names by the environment, cache and attestations, no tag."""
    assert "MODEL_NAME" in call
    assert "a `b` $(c)" not in call
    assert "MLFLOW_RUN_ID=abc" in call
    assert "REVISION=" in call
    assert f"type=registry,ref={IMAGE}:buildcache" in call
    assert any(word.startswith(f"type=registry,ref={IMAGE}:buildcache,mode=max") for word in call)
    assert {"type=sbom", "type=provenance,mode=max"} <= set(call)
    assert f"type=image,name={IMAGE},push=true,push-by-digest=true,name-canonical=true" in call
    assert not [word for word in call if word.startswith(("--tag", "-t"))]


@pytest.mark.world
@pytest.mark.xdist_group("serve")
def test_a_model_that_does_not_load_is_not_published(job: Job) -> None:
    (job.engine / "model").mkdir()
    job.did("build")
    done = job.step("prove")
    assert done.returncode == 1
    assert "does not load" in done.stderr
    assert job.tags() == {}


def test_nothing_is_published_without_a_digest(job: Job) -> None:
    (job.folder / "work" / "digest").write_text("null\n")
    done = job.step("publish")
    assert done.returncode != 0
    assert "there is no digest" in done.stderr
    assert job.tags() == {}


ORDERS = (
    "##vso[task.setvariable variable=there]true",
    "###vso[task.complete result=Succeeded]",
    "#\u200b#[add-path]/x",
)


@pytest.mark.parametrize("order", ORDERS)
def test_what_is_asked_for_gives_no_orders_by_being_refused(order: str) -> None:
    script = str(MODEL_IMAGE / "ci.sh")
    clean = {"PATH": os.environ["PATH"], **ASKED, "MODEL_NAME": f"{order}:"}
    done = subprocess.run(
        [script, "asked"], capture_output=True, text=True, env=clean, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "is not a model name" in done.stderr
    assert no_order(done.stderr)


def test_a_model_that_is_fetched_gives_no_orders_by_what_it_is_called(job: Job) -> None:
    program = job.folder / "work" / "fetch" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.write_text(
        f"#!/bin/sh\nprintf '%s\\n' '{ORDERS[0]}' '{ORDERS[1]}' >&2\nprintf '%s\\n' '::add-path::/x'\n"
    )
    program.chmod(0o755)
    for step in ("fetch", "keep"):
        done = job.step(step)
        assert done.returncode == 0
        assert no_order(done.stdout + done.stderr)
        assert "task.setvariable" in done.stderr


# An engine of a few lines, whose parts a test replaces by what goes wrong.
ENGINE = """#!/bin/bash
case "$*" in
"run --rm"*) {ask} ;;
"run --detach"*) echo the-container ;;
exec*) {server} ;;
logs*) echo 'it says ##vso[x]' ;;
*) echo "$*" >>"$ENGINE/calls" ;;
esac
"""
SAYS_7 = """echo '{"version": "7"}'"""


def engine_that(job: Job, ask: str = "echo null", server: str = SAYS_7) -> None:
    (job.folder / "bin" / "docker").write_text(ENGINE.replace("{ask}", ask).replace("{server}", server))
    (job.folder / "work" / "digest").write_text(engine.DIGEST)


def test_the_server_has_all_of_its_time_however_long_the_model_was_asked_before(job: Job) -> None:
    engine_that(job, "sleep 2.5", f'[ -e "$ENGINE/up" ] || {{ touch "$ENGINE/up"; exit 1; }}; {SAYS_7}')
    job.did("prove", PATIENCE="2")


def test_a_model_that_never_answers_is_not_waited_for(job: Job) -> None:
    engine_that(job, "exec sleep 60")
    done = job.step("prove", PATIENCE="1")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "Error: the model did not load and answer its input example within 4 seconds"
    ]


def test_a_model_that_needs_more_memory_than_its_pod_has_is_told_so(job: Job) -> None:
    engine_that(job, "exit 137")
    done = job.step("prove")
    assert done.returncode == 1
    assert "it may need more than the memory that its pod has" in done.stderr


def test_a_server_that_is_another_version_is_not_published(job: Job) -> None:
    engine_that(job)
    done = job.step("prove", MODEL_VERSION="8")
    assert done.returncode == 1
    assert "the server says that it is another version" in done.stderr
    assert (job.engine / "calls").read_text() == "rm --force the-container\n"


def test_a_server_that_gets_never_ready_is_shown_by_its_log_and_removed(job: Job) -> None:
    engine_that(job, server="exit 1")
    done = job.step("prove", PATIENCE="1")
    assert done.returncode == 1
    assert "/health did not answer 200 within 1 seconds" in done.stderr
    assert "it says # #vso[x]" in done.stderr
    assert (job.engine / "calls").read_text() == "rm --force the-container\n"


def test_a_tag_that_is_there_is_never_moved(job: Job) -> None:
    other = "sha256:" + "8" * 64
    (job.engine / "tags.json").write_text(json.dumps({f"{IMAGE}:v7": other}))
    (job.folder / "work" / "digest").write_text(engine.DIGEST)
    done = job.step("publish")
    assert done.returncode == 1
    assert f"{IMAGE}:v7 is there already, and is another image: {other}" in done.stderr
    assert job.tags() == {f"{IMAGE}:v7": other}
    job.did("publish", TAG="v8")
    job.did("publish", TAG="v8")
    assert job.tags()[f"{IMAGE}:v8"] == engine.DIGEST


def test_people_are_told_what_happened_and_where(job: Job) -> None:
    with receiver() as heard:
        url = "https://ci.example/runs/1"
        job.did("tell", NOTIFY_URL=heard.url, RESULT="success", RUN_URL=url, MODEL_NAME='a "b" \\')
        job.did("tell", NOTIFY_URL=heard.url, RESULT="failure", RUN_URL=url)
        job.did("tell", NOTIFY_URL=heard.url, RESULT="cancelled", RUN_URL=url)
        job.did("tell", NOTIFY_URL=heard.url, RESULT="failure", RUN_URL=url, MODEL_NAME="")
        assert [one.document["text"] for one in heard.received] == [
            f'The image is built and proven: a "b" \\ version 7. {url}',
            f"There is no image: fraud-detector version 7. {url}",
            f"There is no image, as the run was cancelled or took too long: fraud-detector version 7. {url}",
            f"There is no image: what promotions.yaml wants is not known. {url}",
        ]
    # It is gone: that nobody could be told is no reason to fail.
    assert job.step("tell", NOTIFY_URL=heard.url).returncode == 0
    assert job.step("tell").returncode == 0


def test_the_summary_shows_hostile_names_as_text(job: Job) -> None:
    (job.folder / "work" / "digest").write_text(engine.DIGEST)
    text = job.did("summary", MODEL_NAME="<img src=x> [a](b) `c` ::error::", RESULT="success")
    head, *rest = text.splitlines()
    assert head == "## The image is built and proven"
    assert f"    image    {IMAGE}:v7@{engine.DIGEST}" in rest
    assert all(row.startswith("    ") for row in rest if row)
    assert "::" not in text


def test_azure_gets_a_job_for_each_version_and_hands_out_by_environment(job: Job) -> None:
    other = {**ITEM, "tag": "v8", "environment": "production"}
    versions, environments = job.did("matrix", json.dumps([ITEM, other])).splitlines()
    mark = "##vso[task.setvariable variable={};isOutput=true]"
    assert environments == mark.format("environments") + "production,staging"
    assert json.loads(versions.removeprefix(mark.format("versions"))) == {
        "v0": {**{key.upper(): value for key, value in ITEM.items()}, "ENVIRONMENT": "staging"},
        "v1": {key.upper(): value for key, value in other.items()},
    }
    assert job.did("matrix", "[]").splitlines()[0] == mark.format("versions") + "{}"
    warning, versions, environments = job.did(
        "matrix", json.dumps([other]), ENVIRONMENTS="staging qa"
    ).splitlines()
    assert warning.startswith("##vso[task.logissue type=warning]Nothing is built for production: ")
    assert (versions, environments) == (mark.format("versions") + "{}", mark.format("environments"))
    (job.folder / "bin" / "az").symlink_to("/bin/true")
    for number, environment in enumerate(("staging", "production")):
        (job.folder / "work" / "digest").write_text(engine.DIGEST)
        proven = job.folder / "artifacts" / f"proven-{number}" / "proven.json"
        proven.parent.mkdir(parents=True)
        proven.write_text(job.did("note", TAG=f"v{number}", ENVIRONMENT=environment))
    job.did("hand_out", str(job.folder / "artifacts"), ENVIRONMENT="production")
    assert job.tags() == {f"{IMAGE}:v1": engine.DIGEST}


def test_an_image_that_gets_no_tag_keeps_no_other_from_its_own(job: Job) -> None:
    (job.folder / "bin" / "az").symlink_to("/bin/true")
    (job.folder / "work" / "digest").write_text(engine.DIGEST)
    for number in range(3):
        proven = job.folder / "artifacts" / f"proven-{number}" / "proven.json"
        proven.parent.mkdir(parents=True)
        proven.write_text(job.did("note", TAG=f"v{number}", ENVIRONMENT="staging"))
    other = "sha256:" + "8" * 64
    (job.engine / "tags.json").write_text(json.dumps({f"{IMAGE}:v1": other}))
    done = job.step("hand_out", str(job.folder / "artifacts"), ENVIRONMENT="staging")
    assert done.returncode == 1
    assert f"{IMAGE}:v1 is there already" in done.stderr
    assert job.tags() == {f"{IMAGE}:v0": engine.DIGEST, f"{IMAGE}:v1": other, f"{IMAGE}:v2": engine.DIGEST}


def test_shellcheck_has_nothing_to_say() -> None:
    shellcheck = require("shellcheck", "apt-get install shellcheck")
    done = subprocess.run(
        [shellcheck, str(MODEL_IMAGE / "ci.sh")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
