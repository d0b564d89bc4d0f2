"""`gitops-bot init`: a tree of one team that every tool accepts, from any answers, and never over what is there."""

import importlib.util
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import Any

import kubernetes_validate
import pytest
import yaml
from click.testing import Result
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.cli.init_answers import LONGEST, Answers, kubernetes_name
from bot.cli.init_choices import ALWAYS, CHOSEN
from bot.cli.init_tree import Occupied, tree, write
from bot.config import answers as held
from bot.config.promotions import load_promotions, parse_promotions
from bot.core.names import TARGET
from bot.core.target import ArgoCD, Flux, Workflow
from bot.sandbox.cluster.render import render
from bot.sandbox.serving import free_port
from tests.cli.bots import gitops_bot
from tests.parts import require
from tests.template.rendered import TEMPLATE
from tests.template.test_gitops_schemas import SCHEMAS, check

ROOT = TEMPLATE.parent
IDENTITY = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
PROTOCOL = "acme.cert-manager.io"  # by which certificates are asked for; no team's name
LABEL = re.compile(r"[a-z][a-z0-9-]*[a-z0-9]\Z|[a-z]\Z")
PLAIN = Answers(
    "churn", "ghcr.io/Umbrella/churn".lower(), "https://github.com/umbrella/gitops.git", "github.com", "umbrella/gitops"
)  # fmt: skip
ODD = replace(
    PLAIN,
    model="Übel: \"Fraud-Detector' fraud-detector # {x}".replace(":", ""),
    image="umbrella.azurecr.io/ml/risk_model",
    url="ssh://git@ghe.umbrella.example/risk.team/manifests",
    host="ghe.umbrella.example",
    repository="risk-team/manifests",
)
TREES = {
    "argocd and github": PLAIN,
    "flux and azure, odd names": replace(ODD, gitops="flux", ci="azure"),
    "argocd and azure, odd names": replace(ODD, ci="azure"),
    "flux and github": replace(PLAIN, gitops="flux"),
}
LEFT_OUT = {"argocd": "flux", "flux": "argocd"}
# How what was not chosen is called. Building and proving an image is the same for both CIs, so model-image/ knows both.
CALLED = {
    "argocd": r"argo",
    "flux": r"flux",
    "github": r"GitHub Actions|deploy-on-model-promotion",
    "azure": r"Azure Pipelines|azure-pipelines|Azure DevOps",
}


def validating() -> ModuleType:
    spec = importlib.util.spec_from_file_location("validate", TEMPLATE / ".github" / "validate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LEAVES = validating().leaves


@pytest.fixture(params=TREES)
def written(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Answers]:
    answers = TREES[request.param]
    write(tmp_path / "repo", tree(TEMPLATE, answers))
    return tmp_path / "repo", answers


def init(folder: Path, *more: str, **options: str) -> Result:
    given = {"model": "churn", "image": PLAIN.image, "repo": PLAIN.url, **options}
    return gitops_bot("init", str(folder), *[f"--{key}={value}" for key, value in given.items()], *more)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- the tree that it writes ---


def test_the_bot_understands_its_targets(written: tuple[Path, Answers]) -> None:
    folder, answers = written
    targets = load_promotions(folder / "promotions.yaml")
    assert [target.name for target in targets] == [f"{answers.name}/staging", f"{answers.name}/production"]
    for target in targets:
        assert (target.model, target.image) == (answers.model, answers.image)
        kind, name = (ArgoCD, "application") if answers.gitops == "argocd" else (Flux, "kustomization")
        assert isinstance(target.rollout, kind)
        assert getattr(target.rollout, name) == target.name.replace("/", "-")
        workflow = Workflow(answers.repository, "deploy-on-model-promotion.yml", "main")
        assert target.build == (workflow if answers.ci == "github" else None)
    check = gitops_bot("config", "check", str(folder / "promotions.yaml"))
    assert (check.exit_code, check.output.strip()) == (0, f"{folder / 'promotions.yaml'}: fine")


def test_everything_renders_and_is_valid(written: tuple[Path, Answers]) -> None:
    folder, answers = written
    leaves = [leaf.relative_to(folder.resolve()) for leaf in LEAVES(folder)]
    assert len(leaves) >= 6
    for leaf in leaves:
        for document in rendered(folder, str(leaf)):
            if f"{document['apiVersion']} {document['kind']}" in SCHEMAS:
                check(document)
            named = document["metadata"]
            for value in (named["name"], named.get("namespace", "a")):
                assert len(value) <= 63
                assert re.fullmatch(r"[a-z0-9]([a-z0-9.:-]*[a-z0-9])?", value), value
    production = rendered(folder, "apps/inference-service/overlays/production")
    for document in production:
        kubernetes_validate.validate(document, "1.33", strict=True)
    [deployment] = [document for document in production if document["kind"] == "Deployment"]
    assert deployment["metadata"]["namespace"] == f"{answers.name}-production"
    [server] = deployment["spec"]["template"]["spec"]["containers"]
    assert server["image"] == f"{answers.image}:unreleased"
    assert deployment["metadata"]["labels"]["gitops-bot/model"] == answers.name


@pytest.mark.world
def test_the_check_that_comes_with_it_finds_nothing_wrong(tmp_path: Path) -> None:
    """Until it is green nothing is merged, so it has to be from the first pull request on."""
    require("kubectl", "see https://kubernetes.io/docs/tasks/tools/ (1.27 or newer)", packaged=False)
    require("promtool", "apt-get install prometheus")
    write(tmp_path, tree(TEMPLATE, TREES["flux and azure, odd names"]))
    done = subprocess.run(
        [sys.executable, ".github/validate.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "Nothing is wrong."), done.stdout


def test_what_other_tests_prove_of_the_template_is_not_changed(written: tuple[Path, Answers]) -> None:
    """The model's image, its server, the steps of its CI, the check and the dashboard: no name is in them."""
    folder, _ = written
    kept = [
        path
        for path in content(folder)
        if path.startswith(("model-image/", "monitoring/dashboards/", ".github/validate.py"))
    ]
    assert len(kept) >= 12
    for path in kept:
        assert (folder / path).read_bytes() == (TEMPLATE / path).read_bytes(), path


def rendered(folder: Path, leaf: str) -> list[Any]:
    if shutil.which("kubectl"):
        command = ["kubectl", "kustomize", str(folder / leaf)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return [document for document in yaml.safe_load_all(done.stdout) if document]

    def read(path: str) -> bytes | None:
        return (folder / path).read_bytes() if (folder / path).is_file() else None

    # What only kustomize can render is left to machines that have it.
    return render(read, leaf) if leaf.startswith(("apps", "components")) else []


def test_it_holds_what_was_chosen_and_nothing_else(written: tuple[Path, Answers]) -> None:
    folder, answers = written
    other = LEFT_OUT[answers.gitops]
    assert (folder / answers.gitops).is_dir()
    assert not list(folder.rglob(other))
    assert (folder / "azure-pipelines.yml").exists() == (answers.ci == "azure")
    workflows = {path.name for path in (folder / ".github" / "workflows").iterdir()}
    assert workflows == {"validate.yml"} | (
        {"deploy-on-model-promotion.yml"} if answers.ci == "github" else set()
    )
    assert os.access(folder / "model-image" / "ci.sh", os.X_OK)


def test_nothing_speaks_of_what_was_not_chosen(written: tuple[Path, Answers]) -> None:
    folder, answers = written
    others = {"argocd", "flux", "github", "azure"} - {answers.gitops, answers.ci}
    for path, said in content(folder).items():
        if path.startswith(".schemas/"):
            continue
        text = said.decode().replace("argoproj-labs", "")
        for other in others:
            if other in ("github", "azure") and path.startswith("model-image/"):
                continue
            for number, line in enumerate(text.splitlines(), 1):
                assert not re.search(CALLED[other], line, re.IGNORECASE), f"{path}:{number}: {line}"
        assert "keep the one that you use" not in text, path


def test_every_rule_finds_something_in_the_template() -> None:
    rules = [*ALWAYS, *(rule for rules in CHOSEN.values() for rule in rules)]
    files = {str(path.relative_to(TEMPLATE)): path for path in TEMPLATE.rglob("*") if path.is_file()}
    for rule in rules:
        assert any(
            re.search(rule.pattern, path.read_text(), re.MULTILINE)
            for name, path in files.items()
            if fnmatchcase(name, rule.files) and not name.endswith(".pyc")
        ), rule


def test_every_path_that_a_readme_lists_is_there(written: tuple[Path, Answers]) -> None:
    folder, _ = written
    listed = 0
    for readme in folder.rglob("README.md"):
        for cell in re.findall(r"^\| (`[^|]*) \|", readme.read_text(), re.MULTILINE):
            for path in re.findall(r"`([\w./-]+(?:/|\.ya?ml))`", cell):
                assert (readme.parent / path).exists(), f"{readme.relative_to(folder)}: {path}"
                listed += 1
    assert listed >= 15


def test_images_are_built_where_the_manifests_are(written: tuple[Path, Answers]) -> None:
    """One repo, so that there is one token, one place of settings, and the nightly build finds promotions.yaml."""
    folder, answers = written
    readme = (folder / "README.md").read_text()
    assert "belongs into the repo that builds images" not in readme
    settings_of_ci = (
        "azure-pipelines.yml" if answers.ci == "azure" else ".github/workflows/deploy-on-model-promotion.yml"
    )
    said = (folder / settings_of_ci).read_text()
    assert "acme" not in said
    assert max(len(line) for line in said.splitlines() if line.startswith("#")) <= 130
    if answers.registry.endswith(".azurecr.io"):
        assert answers.beside in said


def test_no_name_of_the_example_is_left(
    written: tuple[Path, Answers],
) -> None:
    folder, answers = written
    for path, said in content(folder).items():
        if path.startswith(".schemas/"):
            assert said == (TEMPLATE / path).read_bytes()
            continue
        text = said.decode().replace(json.dumps(answers.model, ensure_ascii=False), "")
        text = text.replace("acme.cert-manager.io/", "")  # ACME, the protocol
        assert not re.search(r"fraud-detector|acme", text.replace(answers.name, "").replace(PROTOCOL, "")), (
            path
        )
        assert "fraud-detector" not in path.replace(answers.name, "")
    [settings_file] = folder.glob("bot/overlays/*/bot.yaml")
    document = yaml.safe_load(settings_file.read_text())
    assert document["manifests"] == {"url": answers.manifests, "repository": answers.repository}
    assert list(document["registries"]) == [answers.registry]


def test_the_bot_in_the_cluster_reaches_the_forge_with_its_token_alone(
    written: tuple[Path, Answers],
) -> None:
    """It has no key for ssh, and a token of GitHub Enterprise must never be shown to github.com."""
    folder, answers = written
    [settings_file] = folder.glob("bot/overlays/*/bot.yaml")
    document = yaml.safe_load(settings_file.read_text())
    api = document["forge"].get("api_url", "https://api.github.com")
    assert (
        api
        == {
            "github.com": "https://api.github.com",
            "ghe.umbrella.example": "https://ghe.umbrella.example/api/v3",
        }[answers.host]
    )
    assert document["manifests"]["url"].startswith(f"https://{answers.host}/")
    for path, said in content(folder).items():
        if not path.startswith(".schemas/"):
            assert b"ssh://" not in said, path


@pytest.mark.parametrize(
    ("repo", "manifests", "api"),
    [
        ("git@github.com:a/b.git", "https://github.com/a/b.git", None),
        ("a/b", "https://github.com/a/b.git", None),
        ("github.com/a/b", "https://github.com/a/b", None),
        ("ssh://git@ssh.github.com:443/a/b.git", "https://github.com/a/b.git", None),
        ("https://github.com/a/b", "https://github.com/a/b", None),
        (
            "https://ghe.example:8443/a/b.git",
            "https://ghe.example:8443/a/b.git",
            "https://ghe.example:8443/api/v3",
        ),
        ("ssh://git@ghe.example:2222/a/b", "https://ghe.example/a/b.git", "https://ghe.example/api/v3"),
        ("https://umbrella.ghe.com/a/b", "https://umbrella.ghe.com/a/b", "https://api.umbrella.ghe.com"),
    ],
)
def test_the_address_of_the_repo_says_where_the_forge_is(repo: str, manifests: str, api: str | None) -> None:
    url, host, repository = held.repository(repo)
    answers = replace(PLAIN, url=url, host=host, repository=repository)
    assert (answers.manifests, answers.page, answers.api) == (manifests, manifests.removesuffix(".git"), api)


# --- hosts ---


def test_hosts_are_below_the_domain_that_was_said(tmp_path: Path) -> None:
    assert init(tmp_path, domain="Models.Umbrella.example").exit_code == 0
    said = {
        path: text.decode().replace(PROTOCOL, "")
        for path, text in content(tmp_path).items()
        if not path.startswith(".schemas/")
    }
    assert not [path for path, text in said.items() if "acme" in text or "your-domain" in text]
    assert "https://churn.staging.models.umbrella.example/health" in said["promotions.yaml"]
    assert yaml.safe_load(said["bot/overlays/argocd/bot.yaml"])["server"]["public_url"] == (
        "https://gitops-bot.models.umbrella.example"
    )


def test_without_a_domain_the_hosts_are_nobodys_and_it_says_so(tmp_path: Path) -> None:
    result = init(tmp_path)
    assert result.exit_code == 0
    assert "--domain" in result.output
    [host] = {
        document["spec"]["rules"][0]["host"]
        for document in yaml.safe_load_all(
            (tmp_path / "apps/inference-service/overlays/production/ingress/ingress.yaml").read_text()
        )
    }
    assert host == "churn.your-domain.example"
    assert "--domain" not in init(tmp_path / "other", domain="umbrella.example").output


@pytest.mark.parametrize(
    "domain",
    [
        "", " ", "https://umbrella.example", "*.umbrella.example", ".umbrella.example", "umbrella.example.", "umbrella..example",
        "umbrella.example:8443", "umbrella.example/x", "user@umbrella.example", "10.0.0.1", "::1", "-a.example", "a-.example",
        "a_b.example", "a\nb.example", "bücher.example", "{x}", "a" * 64 + ".example", ".".join(["abcdefgh"] * 23),
    ],
)  # fmt: skip
def test_what_is_no_domain_is_refused_with_its_cure(domain: str, tmp_path: Path) -> None:
    result = init(tmp_path / "repo", domain=domain)
    assert result.exit_code == 2
    assert "--domain: " in result.output
    assert "`example.com`" in result.output
    assert not (tmp_path / "repo").exists()


# --- after it, before anything is there ---


def test_each_command_in_the_list_of_commands_is_told_to_its_end() -> None:
    listed = gitops_bot("--help").output.partition("Commands:")[2]
    assert "init " in listed
    assert "..." not in listed


def test_in_the_folder_that_it_wrote_config_check_needs_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tree's README says `gitops-bot config check`; a bot.yaml may come much later."""
    init(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITOPS_BOT_CONFIG", raising=False)
    result = gitops_bot("config", "check")
    assert (result.exit_code, result.output) == (0, "promotions.yaml: fine\n")
    monkeypatch.setenv("GITOPS_BOT_CONFIG", "nowhere.yaml")
    assert gitops_bot("config", "check").exit_code == 2


def test_while_nothing_is_reachable_doctor_asks_nobody_to_mend_what_may_be_good(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "token").write_text("t" * 40)
    (tmp_path / "token").chmod(0o600)
    (tmp_path / "bot.yaml").write_text(
        f"mlflow: {{url: 'http://127.0.0.1:{port}'}}\n"
        f"manifests: {{url: 'http://127.0.0.1:{port}/a/b.git', repository: a/b}}\n"
        f"forge: {{api_url: 'http://127.0.0.1:{port}', token: {{file: token}}}}\n"
        "data: data\n"
    )
    result = gitops_bot("doctor", "--json", "--config", str(tmp_path / "bot.yaml"))
    assert result.exit_code == 1, result.output
    found = {finding["what"]: finding for finding in json.loads(result.stdout)}
    assert found["manifests repo"]["good"] is False
    assert found["promotions.yaml"]["good"] is False
    assert "Mend the file" not in found["promotions.yaml"]["fix"]
    assert "manifests repo" in found["promotions.yaml"]["fix"]


# --- what its CI can do ---


@pytest.mark.parametrize(
    ("ci", "image", "warned"),
    [
        ("github", "ghcr.io/umbrella/churn", None),
        ("github", "umbrella.azurecr.io/churn", "the repo's variable IMAGES says umbrella.azurecr.io."),
        ("github", "ghcr.io/somebody/churn", "the repo's variable IMAGES says ghcr.io/somebody."),
        ("github", "docker.io/umbrella/churn", "logs in to ghcr.io and Azure Container Registry only"),
        ("azure", "umbrella.azurecr.io/churn", None),
        ("azure", "ghcr.io/umbrella/churn", "logs in to Azure Container Registry only"),
    ],
)
def test_a_registry_that_the_ci_does_not_log_in_to_is_named(
    ci: str, image: str, warned: str | None, tmp_path: Path
) -> None:
    result = init(tmp_path, ci=ci, image=image)
    assert result.exit_code == 0
    said = " ".join(result.output.split())
    assert (warned in said) if warned else ("logs in" not in said and "IMAGES" not in said)


def test_the_workflows_of_the_tree_pass_their_tools(written: tuple[Path, Answers]) -> None:
    folder, answers = written
    tools = Path(sys.executable).parent
    workflows = sorted(str(path) for path in (folder / ".github" / "workflows").iterdir())
    commands = [
        [str(tools / "check-jsonschema"), "--builtin-schema", "vendor.github-workflows", *workflows],
        [str(tools / "zizmor"), "--offline", "--no-progress", "--quiet", *workflows],
    ]
    if answers.ci == "azure":
        schema = ("--builtin-schema", "vendor.azure-pipelines", "--data-transform", "azure-pipelines")
        pipeline = str(folder / "azure-pipelines.yml")
        commands.append([str(tools / "check-jsonschema"), *schema, "--regex-variant", "nonunicode", pipeline])
    commands.append([str(tools / "actionlint"), *workflows])
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


# --- names ---


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("fraud-detector", "fraud-detector"),
        ("Fraud Detector", "fraud-detector"),
        ("fraud_detector.v2", "fraud-detector-v2"),
        ("  Straßen & Brücken  ", "straen-brucken"),
        ("2fast", "model-2fast"),
        ("true", "model-true"),
        ("Null", "model-null"),
        ("default", "model-default"),
        ("kustomization", "model-kustomization"),
    ],
)
def test_a_models_name_becomes_one_of_kubernetes(model: str, name: str) -> None:
    assert kubernetes_name(model) == name


def test_names_are_replaced_as_whole_words_and_once(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text(
        "fraud-detector fraud-detector-staging fraud-detectors antifraud-detector fraud-detector_2 "
        "acme/manifests acme/manifesto bacme/manifests @acme/platform @acmecorp ghcr.io/acme/fraud-detector:v7 "
        "https://github.com/acme/manifests.git https://github.com/acme/manifests/pulls acme.dev"
    )
    swapped = replace(PLAIN, model="acme", image="ghcr.io/acme/gitops-bot", repository="fraud-detector/acme")
    assert tree(tmp_path, swapped)["notes.md"].decode().split() == [
        "acme", "acme-staging", "fraud-detectors", "antifraud-detector", "fraud-detector_2",
        "fraud-detector/acme", "acme/manifesto", "bacme/manifests", "@fraud-detector/platform", "@acmecorp",
        "ghcr.io/acme/gitops-bot:v7",
        PLAIN.url, "https://github.com/umbrella/gitops/pulls", "your-domain.example",
    ]  # fmt: skip


def test_what_had_to_be_cut_still_tells_models_apart() -> None:
    names = {kubernetes_name(model) for model in ("模型", "欺诈", "a" * 100, "a" * 101)}
    assert len(names) == 4


@pytest.fixture(scope="module")
def little(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """So much of the template as depends on the model's name."""
    folder = tmp_path_factory.mktemp("little")
    shutil.copy(TEMPLATE / "promotions.yaml", folder)
    shutil.copytree(TEMPLATE / "argocd" / "projects", folder / "argocd" / "projects")
    return folder


def models() -> st.SearchStrategy[str]:
    return st.text(min_size=1, max_size=80).filter(_allowed)


def _allowed(text: str) -> bool:
    try:
        return held.model(text) == text
    except held.BadAnswer:
        return False


@settings(max_examples=100, deadline=None)
@given(models())
@example("fraud-detector fraud-detector")
@example("{tag}: &a *b !c".replace(":", ""))
@example("\\1 \\g<0> $(x) `id` ${{ y }}")
@example("model # ghcr.io acme")
def test_any_model_that_mlflow_has_is_written_as_itself(little: Path, model: str) -> None:
    answers = replace(PLAIN, model=model)
    assert LABEL.match(answers.name)
    assert len(answers.name) <= LONGEST
    assert yaml.safe_load(answers.name) == answers.name
    files = tree(little, answers)
    targets = parse_promotions(files["promotions.yaml"])
    assert {target.model for target in targets} == {model}
    assert all(TARGET.match(target.name) for target in targets)
    assert set(files) == {
        "promotions.yaml",
        "argocd/projects/kustomization.yaml",
        f"argocd/projects/{answers.name}.yaml",
    }


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("model", "a/b", "MLflow's names have no `/` and no `:`"),
        ("model", "a\u202eb", "characters that nobody can see"),
        ("image", "ghcr.io/acme/churn:v1", "a tag does not belong here"),
        ("image", "churn", "names no registry"),
        ("image", "[::1]:5000/x", "Give it a name"),
        ("image", "ghcr.io/a/b\n  evil", "is not an image repository"),
        ("repo", "https://token@github.com/acme/manifests.git", "must not carry credentials"),
        ("repo", "https://github.com/acme", "is not a GitHub repository"),
        ("repo", "https://dev.azure.com/acme/p/_git/manifests", "dev.azure.com is not GitHub"),
        ("repo", "git@gitlab.com:acme/manifests.git", "gitlab.com is not GitHub"),
        ("repo", "https://github.com/acme/a b", "no proper host"),
        ("repo", "https://github.com/acme/$(id)", "is not a GitHub repository"),
        ("repo", "--upload-pack=x", "not an http(s) URL"),
    ],
)
def test_a_bad_answer_is_refused_with_the_sentence_of_the_config(
    option: str, value: str, sentence: str, tmp_path: Path
) -> None:
    result = init(tmp_path / "repo", **{option: value})
    assert result.exit_code == 2
    assert f"--{option}: " in result.output
    assert sentence in " ".join(result.output.split())
    assert not (tmp_path / "repo").exists()


def test_the_host_of_an_image_is_written_as_ci_compares_it() -> None:
    assert held.image("GHCR.io:443/umbrella/churn") == "ghcr.io:443/umbrella/churn"


def test_addresses_of_repos_come_with_their_scheme() -> None:
    assert held.repository("git@github.com:acme/manifests.git") == (
        "ssh://git@github.com/acme/manifests.git",
        "github.com",
        "acme/manifests",
    )
    assert held.repository("https://ghe.example:8443/acme/manifests")[1:] == ("ghe.example", "acme/manifests")


# --- what is there already ---


def test_it_says_what_to_do_next(tmp_path: Path) -> None:
    folder = tmp_path / "a repo; rm -rf"
    result = init(folder)
    assert result.exit_code == 0, result.output
    commands = [row.split("   #")[0].strip() for row in result.output.splitlines() if row.startswith("  ")]
    assert len(commands) == 3
    found = subprocess.run(["sh", "-c", commands[0]], capture_output=True, text=True, check=False)
    for guessed in ("your-domain.example", "@umbrella/platform", "@umbrella/ml-reviewers", "your-vault"):
        assert guessed in found.stdout
    if shutil.which("kubectl"):
        subprocess.run(["sh", "-c", commands[1]], check=True, capture_output=True, timeout=60)
    remote = tmp_path / "remote.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(remote)], check=True)
    push = commands[2].replace(PLAIN.url, str(remote))
    subprocess.run(["sh", "-c", push], check=True, capture_output=True, env={**os.environ, **IDENTITY})
    listed = subprocess.run(
        ["git", "-C", str(remote), "ls-tree", "-r", "main"], capture_output=True, text=True, check=True
    ).stdout
    assert len(listed.splitlines()) == len(content(folder)) - len(list((folder / ".git").rglob("*")) and [
        path for path in (folder / ".git").rglob("*") if path.is_file()
    ])  # fmt: skip
    assert re.search(r"100755 blob \w+\tmodel-image/ci\.sh", listed)


def test_one_file_that_is_there_stops_all_of_them(tmp_path: Path) -> None:
    (tmp_path / "promotions.yaml").write_text("mine\n")
    result = init(tmp_path)
    assert result.exit_code == 2
    assert f"{tmp_path / 'promotions.yaml'}\n--force overwrites them." in result.output
    assert content(tmp_path) == {"promotions.yaml": b"mine\n"}
    assert list(tmp_path.iterdir()) == [tmp_path / "promotions.yaml"]


def test_with_force_it_is_overwritten_and_other_files_stay(tmp_path: Path) -> None:
    (tmp_path / "promotions.yaml").write_text("mine\n")
    (tmp_path / "notes.md").write_text("mine\n")
    assert init(tmp_path, "--force").exit_code == 0
    found = content(tmp_path)
    assert found["notes.md"] == b"mine\n"
    assert {path: said for path, said in found.items() if path != "notes.md"} == tree(TEMPLATE, PLAIN)


def test_what_another_choice_left_behind_is_named_and_not_removed(tmp_path: Path) -> None:
    init(tmp_path)
    result = init(tmp_path, "--force", gitops="flux", ci="azure")
    assert result.exit_code == 0
    said = " ".join(result.output.split())
    left = "argocd, bot/overlays/argocd, bot/access/argocd, .github/workflows/deploy-on-model-promotion.yml"
    assert f"Of what was not chosen now there still is: {left}." in said
    assert (tmp_path / "argocd" / "kustomization.yaml").exists()
    assert "not chosen" not in init(tmp_path / "new").output


def test_the_same_again_changes_nothing(tmp_path: Path) -> None:
    assert init(tmp_path).exit_code == 0
    before = content(tmp_path)
    assert init(tmp_path).exit_code == 0
    assert content(tmp_path) == before
    assert init(tmp_path, model="other").exit_code == 2
    assert content(tmp_path) == before


@pytest.mark.parametrize("force", [False, True])
def test_nothing_is_written_through_a_link_to_elsewhere(force: bool, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "apps").symlink_to(elsewhere)
    result = init(folder, *(["--force"] if force else []))
    assert result.exit_code == 2
    assert list(elsewhere.iterdir()) == []
    assert [path.name for path in folder.iterdir()] == ["apps"]


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine\n")
    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "README.md").symlink_to(outside)
    with pytest.raises(Occupied):
        write(folder, {"README.md": b"mine\n"})
    write(folder, {"README.md": b"new\n"}, force=True)
    assert (outside.read_text(), (folder / "README.md").read_text()) == ("mine\n", "new\n")


def test_where_nothing_can_be_written_there_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = init(tmp_path / "file" / "repo")
    assert result.exit_code == 2
    assert "cannot be written" in " ".join(result.output.split())


@pytest.mark.parametrize("what", ["a folder", "Ctrl-C"])
def test_what_comes_in_between_leaves_nothing_half_written(what: str, tmp_path: Path) -> None:
    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "a.md").write_text("mine\n")
    files = Meddled({"a.md": b"new\n", "b/c/d.md": b"new\n", "e.md": b"new\n"}, folder, what)
    with pytest.raises((OSError, KeyboardInterrupt)):
        write(folder, files, force=True)
    assert files.meddled
    assert content(folder) == {"a.md": b"mine\n"}
    assert {path.name for path in folder.iterdir()} - {"e.md"} == {"a.md"}


class Meddled(dict[str, bytes]):
    """Files, and somebody who does something as soon as the first of them is in its place."""

    def __init__(self, files: dict[str, bytes], folder: Path, what: str) -> None:
        super().__init__(files)
        self._folder, self._what, self.meddled = folder, what, False

    def __iter__(self) -> Iterator[str]:
        for path in super().__iter__():
            if path == "e.md" and (self._folder / "b/c/d.md").exists():
                self.meddled = True
                if self._what == "Ctrl-C":
                    signal.raise_signal(signal.SIGINT)
                (self._folder / path).mkdir()
            yield path


# --- asking ---


def test_without_a_terminal_what_is_missing_is_said(tmp_path: Path) -> None:
    result = gitops_bot("init", str(tmp_path), "--model=churn")
    assert result.exit_code == 2
    assert "--image is missing, --repo is missing, and there is no terminal" in " ".join(
        result.output.split()
    )
    assert list(tmp_path.iterdir()) == []


def test_what_it_says_to_push_goes_to_main_from_any_branch(tmp_path: Path) -> None:
    """A clone of an empty repo may be on `master`, and `git init` leaves it there."""
    folder, remote = tmp_path / "clone", tmp_path / "remote.git"
    for words in (["--bare", "-b", "main", str(remote)], ["-b", "master", str(folder)]):
        subprocess.run(["git", "init", "-q", *words], check=True)
    push = init(folder).output.splitlines()[-1].replace(PLAIN.url, str(remote))
    subprocess.run(["sh", "-c", push], check=True, capture_output=True, env={**os.environ, **IDENTITY})
    branches = subprocess.run(
        ["git", "-C", str(remote), "branch", "--format=%(refname:short)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert branches.stdout == "main\n"


def test_a_person_is_asked_until_the_answer_can_be_taken(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "bot", "init", str(tmp_path / "repo")]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT)
    os.close(theirs)
    try:
        said = _played(
            ours,
            [
                ("Model in MLflow", "a/b"),
                ("no `/` and no `:`", "Churn Model"),
                ("This repo at GitHub", "git@github.com:Umbrella/gitops.git"),
                ("What applies the manifests", "flux"),
                ("What builds images", ""),
                ("[ghcr.io/umbrella/churn-model]", ""),
                ("Domain that its hosts", "https://umbrella.example"),
                ("Write it alone", "umbrella.example"),
            ],
        )
        assert process.wait(30) == 0, said
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert (tmp_path / "repo" / "flux").is_dir()
    assert {target.model for target in load_promotions(tmp_path / "repo" / "promotions.yaml")} == {
        "Churn Model"
    }


def test_what_was_given_is_judged_before_anything_is_asked(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bot", "init", str(tmp_path / "repo"), "--domain=*.umbrella.example"],
            stdin=theirs, capture_output=True, text=True, cwd=ROOT, timeout=30, check=False,
        )  # fmt: skip
    finally:
        os.close(theirs)
        os.close(ours)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--domain: " in done.stderr


def test_ctrl_c_at_a_question_is_what_the_exit_codes_call_it(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "bot", "init", str(tmp_path / "repo"), "--model=churn"]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, start_new_session=True
    )
    os.close(theirs)
    try:
        said = _played(ours, [("This repo at GitHub", "x\x15")], ending=False)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130, said
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert not (tmp_path / "repo").exists()


def _played(terminal: int, story: list[tuple[str, str]], *, ending: bool = True) -> str:
    """Answer each question when it has been asked; with `ending`, listen to the end."""
    said, at, deadline = "", 0, time.monotonic() + 40
    for question, answer in [*story, *([("", "")] if ending else [])]:
        while question not in said[at:] or not question:
            if time.monotonic() > deadline or not select.select([terminal], [], [], 1)[0]:
                if not question:
                    return said
                assert time.monotonic() < deadline, said
                continue
            try:
                piece = os.read(terminal, 4096).decode(errors="replace")
            except OSError:  # the other side has ended
                return said
            said += piece
        at = said.index(question, at) + len(question)
        os.write(terminal, f"{answer}\n".encode())
    return said


# --- the wheel ---


@pytest.mark.world
def test_it_works_from_an_installed_wheel(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")],
        cwd=ROOT, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    [wheel] = (tmp_path / "dist").iterdir()
    place = tmp_path / "installed"
    uv = str(Path(sys.executable).parent / "uv")
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", sys.executable,
         "--target", str(place), str(wheel)],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    assert not [path for path in place.rglob("*") if path.name.endswith(("_cache", "__"))]
    script = "import bot, bot.cli; print(bot.__file__); bot.cli.main()"
    words = ["init", "repo", "--model=churn", f"--image={PLAIN.image}", f"--repo={PLAIN.url}"]
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, *words],
        cwd=tmp_path, env={**environment, "PYTHONPATH": str(place)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, str(place / "bot" / "__init__.py")), (
        done.stderr
    )
    assert content(tmp_path / "repo") == tree(TEMPLATE, PLAIN)
    assert os.access(tmp_path / "repo" / "model-image" / "ci.sh", os.X_OK)
    kubectl = require(
        "kubectl", "see https://kubernetes.io/docs/tasks/tools/ (1.27 or newer)", packaged=False
    )
    for leaf in LEAVES(tmp_path / "repo"):
        subprocess.run([kubectl, "kustomize", str(leaf)], check=True, capture_output=True, timeout=60)
