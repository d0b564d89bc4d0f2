"""The check on every pull request: what validate.py finds, and a workflow that strangers cannot turn against its owner."""

import importlib.util
import json
import re
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from bot.config import document
from bot.config.promotions import load_promotions
from tests.parts import require
from tests.template.rendered import OVERLAYS, TEMPLATE, copied, one, rendered
from tests.template.test_manifests_pins import V6, V7, Repo, diffs, repo_with, targets, with_component

FILE = TEMPLATE / ".github" / "workflows" / "validate.yml"
WORKFLOW = yaml.safe_load(FILE.read_text())
PRODUCTION = OVERLAYS["production"]


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("validate", TEMPLATE / ".github" / "validate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


VALIDATE = script()


def faults(documents: list[Any]) -> list[str]:
    return list(VALIDATE.faults(documents))


# --- what validate.py finds ---


@pytest.mark.parametrize("folder", OVERLAYS.values(), ids=OVERLAYS)
def test_nothing_is_wrong_with_the_template(folder: str) -> None:
    assert faults(rendered(folder)) == []


def test_everything_that_is_applied_is_looked_at() -> None:
    found = [str(folder.relative_to(TEMPLATE)) for folder in VALIDATE.leaves(TEMPLATE)]
    assert set(found) >= {*OVERLAYS.values(), "monitoring"}
    assert not [folder for folder in found if "/base" in folder or "/slots" in folder]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda spec: spec.update(minReadySecond=1), "Deployment inference-service: spec: "),
        (
            lambda spec: spec["template"]["spec"].pop("securityContext"),
            "container server: runAsNonRoot is not true",
        ),
        (
            lambda spec: spec["template"]["spec"]["containers"][0]["securityContext"].pop("capabilities"),
            "container server: capabilities is not",
        ),
        (
            lambda spec: spec["template"]["spec"]["containers"][0].update(image="ghcr.io/acme/x:latest"),
            "the image ghcr.io/acme/x:latest can be another one tomorrow",
        ),
        (
            lambda spec: spec["template"]["spec"]["containers"][0].update(image="registry:5000/x"),
            "the image registry:5000/x can be another one tomorrow",
        ),
        (
            lambda spec: spec["template"]["metadata"]["labels"].clear(),
            "Service inference-service: no pod of this commit has the labels app.kubernetes.io/name=inference-service",
        ),
    ],
)
def test_what_is_wrong_gets_a_sentence(change: Any, sentence: str) -> None:
    documents = rendered(PRODUCTION)
    change(one(documents, "Deployment")["spec"])
    assert any(sentence in fault for fault in faults(documents))


def test_an_image_with_a_digest_needs_no_tag() -> None:
    documents = rendered(PRODUCTION)
    container = one(documents, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    container["image"] = f"ghcr.io/acme/x@{V7.digest}"
    assert faults(documents) == []


def test_a_secret_in_git_is_refused() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"}, "stringData": {"a": "b"}}
    assert "Secret token: a secret in git is no secret: write where it comes from instead" in faults([secret])


RIGHTS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: {kind}
metadata: {{name: evil}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}}
subjects: [{{kind: ServiceAccount, name: inference-service, namespace: fraud-detector-staging}}]
"""


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (RIGHTS.format(kind="ClusterRoleBinding"), "ClusterRoleBinding evil: gives rights"),
        (RIGHTS.format(kind="RoleBinding"), "RoleBinding evil: gives rights"),
        (
            "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: mine}\nvalue: 1000000\n",
            "PriorityClass mine: is not in the namespace fraud-detector-staging",
        ),
        (
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: kube-system}\n",
            "Namespace kube-system: is a second namespace",
        ),
    ],
)
def test_a_release_brings_no_rights_and_stays_in_its_namespace(
    more: str, sentence: str, tmp_path: Path
) -> None:
    """Nobody has to approve staging's pins (CODEOWNERS), and Flux applies whatever it finds with all rights."""
    root = copied(tmp_path, "apps")
    assert list(VALIDATE.confined(rendered(OVERLAYS["staging"], "kubectl", root))) == []
    # Beside the overlay, whose `namespace:` would rename and move it.
    overlay = root / OVERLAYS["staging"] / "kustomization.yaml"
    inner = overlay.parent / "inner"
    inner.mkdir()
    text = re.sub(r"^  - (?=\.\./|ingress)", "  - ../", overlay.read_text(), flags=re.MULTILINE)
    (inner / "kustomization.yaml").write_text(text)
    (overlay.parent / "release.yaml").rename(inner / "release.yaml")
    (overlay.parent / "more.yaml").write_text(more)
    overlay.write_text("resources: [inner, more.yaml]\n")
    found = list(VALIDATE.confined(VALIDATE.render(overlay.parent)))
    assert len(found) == 1
    assert found[0].startswith(sentence)


@pytest.mark.parametrize("entry", ["https://evil.example/more.yaml", "github.com/evil/more//deploy?ref=main"])
def test_nothing_is_taken_in_that_changes_without_a_pull_request(entry: str, tmp_path: Path) -> None:
    root = copied(tmp_path, "apps")
    assert list(VALIDATE.outside(root)) == []
    overlay = root / OVERLAYS["staging"] / "kustomization.yaml"
    overlay.write_text(overlay.read_text().replace("  - ingress\n", f"  - ingress\n  - {entry}\n"))
    [fault] = VALIDATE.outside(root)
    assert fault.startswith(f"{OVERLAYS['staging']}: {entry} is not in this repo")
    assert VALIDATE.main(root) == 1  # and nothing is fetched


def test_traffic_is_not_switched_to_a_version_that_neither_slot_runs(tmp_path: Path) -> None:
    repo, known = repo_with("blue-green", tmp_path), with_component("blue-green")
    for name in ("blue", "green", "production"):
        repo.set(known[f"fraud-detector/{name}"], V6)
    assert faults(rendered(PRODUCTION, root=tmp_path)) == []
    repo.set(known["fraud-detector/production"], V7)
    [fault] = faults(rendered(PRODUCTION, root=tmp_path))
    assert "no pod of this commit has the labels" in fault
    assert "app.kubernetes.io/version=v7" in fault


def test_the_slot_that_serves_is_not_filled(tmp_path: Path) -> None:
    repo, known = repo_with("blue-green", tmp_path), with_component("blue-green")
    blue, green, production = (known[f"fraud-detector/{name}"] for name in ("blue", "green", "production"))
    for target, value in ((blue, V6), (green, V7), (production, V7)):
        repo.set(target, value)
    assert faults(rendered(PRODUCTION, root=tmp_path)) == []
    repo.set(green, V6)
    [fault] = faults(rendered(PRODUCTION, root=tmp_path))
    assert "app.kubernetes.io/version=v7" in fault


@pytest.mark.parametrize(
    ("line", "instead", "sentence"),
    [
        ("    merge: auto #", "    merge: always #", "promotions.yaml: targets.0.merge: "),
        ("    after: {target:", "    afterwards: {target:", "promotions.yaml: targets.1: "),
        ("targets:\n", "targets: [\n", "promotions.yaml: "),
    ],
)
def test_promotions_that_the_bot_would_not_take_are_not_merged(
    line: str, instead: str, sentence: str, tmp_path: Path
) -> None:
    root = copied(tmp_path, "promotions.yaml", ".schemas")
    assert list(VALIDATE.promotion_faults(root)) == []
    file = root / "promotions.yaml"
    assert line in file.read_text()
    file.write_text(file.read_text().replace(line, instead, 1))
    [fault] = VALIDATE.promotion_faults(root)
    assert fault.startswith(sentence)
    assert len(fault.splitlines()) == 1
    file.unlink()
    assert list(VALIDATE.promotion_faults(root)) == []


def test_what_the_bot_would_take_is_let_through(tmp_path: Path) -> None:
    root = copied(tmp_path, "promotions.yaml", ".schemas")
    file = root / "promotions.yaml"
    text = (
        file.read_text()
        .replace("    revert: auto #", "    revert: off #")
        .replace("# bake: 30m", "bake: 30m")
    )
    file.write_text(text)
    assert [str(target.revert) for target in load_promotions(file)] == ["off", "off"]
    assert list(VALIDATE.promotion_faults(root)) == []


@pytest.mark.parametrize(
    "word",
    [
        "off", "No", "y", "True", "10:30", "2026-12-24", "30m", "0x1f", "1_000", "1e3", "007", ".5", "1.", "0.1", "12",
        "-5", "true", "false", "null", "~", "",
    ],
)  # fmt: skip
def test_a_plain_word_is_what_it_is_for_the_bot(word: str) -> None:
    assert yaml.load(f"a: {word}", VALIDATE._Words) == document.read(f"a: {word}".encode(), "x").plain()


def test_the_script_goes_through_a_whole_repo(tmp_path: Path) -> None:
    require("promtool", "apt-get install prometheus")
    rendered("monitoring", "kubectl")
    root = copied(tmp_path, "apps", "components", "monitoring", ".github", ".schemas", "promotions.yaml")
    command = [sys.executable, ".github/validate.py"]
    good = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=200)
    assert (good.returncode, good.stdout.splitlines()[-1]) == (0, "Nothing is wrong."), (
        good.stdout + good.stderr
    )
    rules = root / "monitoring" / "rules" / "model.yaml"
    rules.write_text(rules.read_text().replace("> 0.05", "> 0.5"))
    overlay = root / PRODUCTION / "kustomization.yaml"
    overlay.write_text(overlay.read_text().replace("- ../../base\n", "- ../../bas\n"))
    promotions = root / "promotions.yaml"
    promotions.write_text(promotions.read_text().replace("merge: auto", "merge: always"))
    bad = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=200)
    assert (bad.returncode, bad.stdout.splitlines()[-1]) == (1, "3 faults")
    assert "promotions.yaml: targets.0.merge: " in bad.stdout
    assert "promtool test rules model.test.yaml" in bad.stdout
    assert f"{PRODUCTION}: " in bad.stdout


# --- the workflow ---


def test_the_workflow_sees_every_pull_request_and_no_secret() -> None:
    triggers = WORKFLOW[True]  # YAML 1.1 reads the key `on` as true
    assert set(triggers) == {"pull_request", "push"}
    assert triggers["pull_request"] is None  # no path is left out: a required check must always run
    assert "secrets." not in FILE.read_text()
    assert WORKFLOW["permissions"] == {}
    assert WORKFLOW["jobs"]["validate"]["permissions"] == {"contents": "read"}
    assert WORKFLOW["jobs"]["validate"]["name"] == "validate"


def test_no_script_contains_an_expression() -> None:
    steps = WORKFLOW["jobs"]["validate"]["steps"]
    assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []


def test_every_action_is_pinned_and_leaves_no_credentials() -> None:
    steps = [step for step in WORKFLOW["jobs"]["validate"]["steps"] if "uses" in step]
    for step in steps:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"])
        if step["uses"].startswith("actions/checkout@"):
            assert step["with"] == {"persist-credentials": False}
    ours = (TEMPLATE.parent / ".github" / "workflows" / "ci.yml").read_text()
    assert all(step["uses"] in ours for step in steps)


def test_what_the_workflow_installs_is_pinned_by_hash() -> None:
    text = (TEMPLATE / ".github" / "requirements.txt").read_text()
    packages = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", text))
    assert all("==" in package and "--hash=sha256:" in package for package in packages)
    assert {package.partition("==")[0].lower() for package in packages} >= {"kubernetes-validate", "pyyaml"}
    steps = WORKFLOW["jobs"]["validate"]["steps"]
    assert any("--require-hashes" in step.get("run", "") for step in steps)


def test_zizmor_finds_nothing() -> None:
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "zizmor"),
            "--offline",
            "--no-progress",
            "--format",
            "json",
            str(FILE),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert json.loads(done.stdout) == [], done.stdout


def test_the_workflow_has_the_shape_that_github_wants() -> None:
    checker = str(Path(sys.executable).parent / "check-jsonschema")
    command = [checker, "--builtin-schema", "vendor.github-workflows", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout


def test_actionlint_finds_nothing() -> None:
    program = require("actionlint", "make install")
    done = subprocess.run([program, str(FILE)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout


# --- what else people read ---


def test_the_readme_shows_the_lines_that_a_release_changes(tmp_path: Path) -> None:
    text = (TEMPLATE / "README.md").read_text()
    [shown] = re.findall(r"```diff\n(.*?)```", text, re.DOTALL)
    repo, target = Repo(copied(tmp_path, "apps")), targets()["fraud-detector/production"]
    repo.set(target, V6)
    assert repo.set(target, V7) == shown.splitlines()


def test_every_path_that_the_readmes_and_the_owners_name_is_there() -> None:
    readmes = [TEMPLATE / "README.md", *(TEMPLATE / "components").glob("*/README.md")]
    for file in readmes:
        for path in re.findall(
            r"`((?:apps|components|monitoring|model-image|\.github)/[\w./-]+)`", file.read_text()
        ):
            # NAME stands for the reader's.
            assert "NAME" in path or (TEMPLATE / path).exists(), f"{file.name} names {path}"
    for line in (TEMPLATE / ".github" / "CODEOWNERS").read_text().splitlines():
        if line.startswith("/"):
            assert list(TEMPLATE.glob(line.split()[0].strip("/"))), line


def owners(path: str) -> list[str]:
    """Who must approve a change of this file: the last line of CODEOWNERS that matches."""
    found: list[str] = []
    for line in (TEMPLATE / ".github" / "CODEOWNERS").read_text().splitlines():
        words = line.partition("#")[0].split()
        if words and fnmatchcase(path, words[0].lstrip("/") + ("*" if words[0].endswith("/") else "")):
            found = words[1:]
    return found


def test_staging_can_be_merged_by_the_bot_and_production_cannot(tmp_path: Path) -> None:
    repo = Repo(copied(tmp_path, "apps"))
    merge = {name: str(target.merge) for name, target in targets().items()}
    assert merge == {"fraud-detector/staging": "auto", "fraud-detector/production": "review"}
    for target in targets().values():
        before = repo.files()
        repo.set(target, V7)
        changed = [path for path, said in repo.files().items() if said != before[path]]
        assert len(changed) == 2
        assert [bool(owners(path)) for path in changed] == [str(target.merge) == "review"] * 2
    assert owners("apps/inference-service/base/server/deployment.yaml") == ["@acme/platform"]
    assert owners(".github/validate.py") == ["@acme/platform"]


def test_whoever_sets_it_up_learns_what_an_owner_does_to_automatic_reverts() -> None:
    """GitHub calls such a pull request blocked for the bot, too: at night it would wait, and nobody would know why."""
    assert [str(target.revert) for target in targets().values()] == ["auto", "auto"]
    assert owners(f"{PRODUCTION}/release.yaml")
    [step] = re.findall(r"^4\. (?s:.*?)(?=^5\. )", (TEMPLATE / "README.md").read_text(), re.MULTILINE)
    assert "a revert of production waits for" in step
    assert "with no other approval" in step
    alerts = re.findall(r"`(GitopsBot\w+)`", step)
    assert all(alert in (TEMPLATE / "monitoring/rules/gitops-bot.yaml").read_text() for alert in alerts)
    for component in ("blue-green", "canary"):
        assert "`README.md`, step 4" in (TEMPLATE / "components" / component / "README.md").read_text()


def test_every_component_has_its_sequence_of_pull_requests() -> None:
    assert len(diffs("blue-green")) == 3
    assert len(diffs("canary")) == 2
