"""README's "Adopt it", command by command, by a team that begins with an empty repo: ten of them to the first pull request."""

import base64
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bot.core.model import Kind
from bot.sandbox.cluster import Cluster
from bot.sandbox.demo.world import ALIAS_EVENTS, MANIFESTS
from tests.parts import require
from tests.story.light import LightWorld

README = Path(__file__).parents[2] / "README.md"
ADOPT = README.read_text().partition("\n## Adopt it\n")[2].partition("\n## ")[0]
PATIENCE = 90.0
GIT = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


class NewTeam(LightWorld):
    """MLflow, an empty repo, an image registry, a cluster that follows nothing yet, and no bot."""

    def _ci(self) -> None:
        self.forge.create_repository(MANIFESTS)
        self.forge.on_dispatch = self.build

    def _cluster(self) -> None:
        self.cluster = Cluster(
            self.folder / "cluster",
            git_url=f"{self.forge.url}/{MANIFESTS}.git",
            git_token=self.secrets["FORGE_TOKEN"],
            credentials=("gitops-bot", self.secrets["REGISTRY_PASSWORD"]),
            token=self.secrets["ARGOCD_TOKEN"],
        ).start()
        self._stack.callback(self.cluster.stop)

    def _write_settings(self) -> None:
        """The README's, at this machine's addresses; and what a registry without TLS needs."""
        [block] = re.findall(r"^```yaml\n(mlflow: .*?)^```", ADOPT, re.MULTILINE | re.DOTALL)
        text = self.here(block).replace("host: 0.0.0.0", f"host: 127.0.0.1, port: {self.bot_port}")
        text = text.replace("forge: {", f"forge: {{api_url: '{self.forge.api_url}', ")
        login = "{username: gitops-bot, password: {env: REGISTRY_PASSWORD}, insecure: true}"
        self.settings = self.folder / "bot.yaml"
        self.settings.write_text(f"{text}registries: {{'{self.images.host}': {login}}}\n")
        bin_ = self.folder / "bin"
        bin_.mkdir()
        (bin_ / "gitops-bot").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m bot "$@"\n')
        (bin_ / "gitops-bot").chmod(0o755)

    def here(self, text: str) -> str:
        for theirs, ours in {
            "https://github.com/acme/manifests.git": f"{self.forge.url}/{MANIFESTS}.git",
            "ghcr.io/acme": f"{self.images.host}/acme",
            "https://mlflow.acme.dev": self.tracking.url,
            "https://argocd.acme.dev": self.cluster.url,
            "https://gitops-bot.acme.dev": self.bot_url,
        }.items():
            text = text.replace(theirs, ours)
        return text

    def environment(self) -> dict[str, str]:
        token = self.secrets["FORGE_TOKEN"]
        login = base64.b64encode(f"x:{token}".encode()).decode()
        return {
            **GIT,
            "HOME": str(self.folder),
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(README.parent),
            "GITHUB_TOKEN": token,
            "ARGOCD_TOKEN": self.secrets["ARGOCD_TOKEN"],
            "REGISTRY_PASSWORD": self.secrets["REGISTRY_PASSWORD"],
            "MLFLOW_WEBHOOK_SECRET": self.secrets["MLFLOW_SECRET"],
            "GITHUB_WEBHOOK_SECRET": self.secrets["GITHUB_SECRET"],
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {login}",
        }

    def start_bot(self) -> None:
        """By the README's command, later."""

    def _webhooks(self) -> None:
        """Into the one repo that there is."""
        self.tracking.create_webhook(
            f"{self.bot_url}/webhook/mlflow", self.secrets["MLFLOW_SECRET"], ALIAS_EVENTS
        )
        events = ("pull_request", "push", "status", "issue_comment", "workflow_run")
        self.forge.add_webhook(
            MANIFESTS, f"{self.bot_url}/webhook/github", self.secrets["GITHUB_SECRET"], events
        )

    def types(self, command: str) -> str:
        """What a command of the README prints."""
        done = subprocess.run(
            ["sh", "-c", self.here(command)],
            cwd=self.folder, env=os.environ | self.environment(), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def applies(self, folder: str) -> None:
        """What `kubectl apply -k` would bring to the cluster, as far as the sandbox has it."""
        for document in yaml.safe_load_all(self.types(f"kubectl kustomize {folder}")):
            name = document["metadata"]["name"]
            if document["kind"] == "Application" and name.startswith("fraud-detector"):
                spec = document["spec"]
                assert spec["source"]["repoURL"] == self.cluster.git_url
                self.cluster.add_application(
                    name, path=spec["source"]["path"], namespace=spec["destination"]["namespace"]
                )

    def serves(self, command: str) -> None:
        """Start a command that stays."""
        program, *words = shlex.split(command)
        assert program == "gitops-bot"
        self.command = lambda *_: [sys.executable, "-m", "bot", *words]  # type: ignore[method-assign]
        super().start_bot()


@pytest.fixture
def team(tmp_path: Path) -> Iterator[NewTeam]:
    require("kubectl", "see https://kubernetes.io/docs/tasks/tools/ (1.27 or newer)", packaged=False)
    with NewTeam(tmp_path / "team") as found:
        yield found


def commands() -> list[str]:
    [block] = re.findall(r"^```sh\n(pip install .*?)^```", ADOPT, re.MULTILINE | re.DOTALL)
    return [line.partition("  #")[0].strip() for line in block.splitlines() if line.strip()]


@pytest.mark.world
@pytest.mark.timeout(300)
def test_ten_commands_lead_from_nothing_to_the_first_pull_request(team: NewTeam) -> None:
    install, init, guessed, check, render, push, apply, doctor, serve, promote = commands()
    assert install == "pip install ."  # tests/cli/test_init.py installs a wheel
    printed = team.types(init)
    team.register("1")
    assert "CODEOWNERS" in team.types(guessed)
    assert team.types(check) == "manifests/promotions.yaml: fine\n"
    assert "inference-service" in team.types(render)
    # What init says is what the README says, but for the folder.
    assert self_same(team.here(guessed), printed)
    assert self_same(team.here(push), printed)
    team.types(push)
    team.applies(apply.removeprefix("kubectl apply -k "))
    said = team.types(f"{doctor} --json || true")
    findings = {finding["what"]: finding for finding in yaml.safe_load(said)}
    assert [finding for finding in findings.values() if finding["good"] is False] == []
    # Nothing is promoted yet, or the model is misspelt: MLflow says the same of both.
    assert findings["fraud-detector/staging: model"]["good"] is None
    assert "no version of fraud-detector has" in findings["fraud-detector/staging: model"]["sentence"]
    team.serves(serve)
    team.types(promote)
    deadline = time.monotonic() + PATIENCE
    while not team.proposals(Kind.DEPLOY, "1"):
        assert time.monotonic() < deadline, (team.folder / "bot.log").read_text()[-3000:]
        time.sleep(0.2)
    [first] = team.pull_requests()
    assert first["title"] == "Deploy fraud-detector version 1 to staging"


def self_same(command: str, printed: str) -> bool:
    return any(command == line.partition("   #")[0].strip() for line in printed.splitlines())
