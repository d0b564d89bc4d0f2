"""A forge with a repository and a bot for tests, and short ways to ask it."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from github import Auth, Github

from bot.sandbox.forge import Forge
from tests.sandbox.github_description import Recorder

NAME = "acme/manifests"
TOKEN = "the-token-of-the-bot"
WORKFLOW = """\
name: Build
run-name: build ${{ inputs.model }} ${{ inputs.correlation_id }}
on:
  workflow_dispatch:
    inputs:
      model: {type: string, required: true}
      correlation_id: {type: string, required: true}
      size: {type: choice, options: [small, large], default: small}
jobs: {}
"""
FILES = {
    "apps/values.yaml": "".join(f"line{number}: {number}\n" for number in range(1, 21)),
    "README.md": "# Manifests\n",
    ".github/workflows/build.yml": WORKFLOW,
    ".github/workflows/on-push.yml": "name: On push\non: push\njobs: {}\n",
}


@dataclass
class World:
    """`forge` with the repository `NAME`, and what the bot needs to talk to it."""

    forge: Forge
    recorder: Recorder
    folder: Path
    session: requests.Session = field(default_factory=requests.Session)

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """One request of the bot's; the path begins behind the repository unless it begins with a slash."""
        address = path if path.startswith("/") else f"/repos/{NAME}/{path}".rstrip("/")
        headers = {"Authorization": f"Bearer {TOKEN}", **options.pop("headers", {})}
        options.setdefault("allow_redirects", False)
        return self.session.request(
            method, self.forge.api_url + address, json=body, headers=headers, timeout=20, **options
        )

    def get(self, path: str, **options: Any) -> Any:
        """The document under a path."""
        answer = self.ask("GET", path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def github(self) -> Github:
        """PyGithub as the bot, without its pauses."""
        return Github(
            auth=Auth.Token(TOKEN), base_url=self.forge.api_url, retry=None,
            seconds_between_requests=0, seconds_between_writes=0,
        )  # fmt: skip

    def change(self, branch: str, line: int = 10, text: str = "changed", **options: Any) -> str:
        """A commit on a branch that changes one line of apps/values.yaml as it is there."""
        repo = self.forge.repository(NAME)
        at = repo.git.branch(branch) or repo.git.branch("main")
        before = repo.git.run("show", f"{at}:apps/values.yaml").stdout.decode().splitlines()
        before[line - 1] = f"line{line}: {text}"
        content = "\n".join(before).encode() + b"\n"
        return self.forge.push_commit(NAME, branch, {"apps/values.yaml": content}, **options)

    def open(self, branch: str, **fields: Any) -> Any:
        """A pull request of the bot's; the branch must be there."""
        answer = self.ask(
            "POST", "pulls", {"title": f"Pull {branch}", "head": branch, "base": "main", **fields}
        )
        assert answer.status_code == 201, answer.text
        return answer.json()

    def proposal(self, branch: str = "bot/x", **options: Any) -> int:
        """Branch, change and pull request; returns its number."""
        self.change(branch, **options)
        return int(self.open(branch)["number"])

    def judged(self, number: int) -> Any:
        """The pull request as it is told to who asks twice."""
        self.get(f"pulls/{number}")
        return self.get(f"pulls/{number}")

    def lines(self, branch: str = "main") -> list[str]:
        """The lines of apps/values.yaml on a branch."""
        shown = self.forge.repository(NAME).git.run("show", f"refs/heads/{branch}:apps/values.yaml")
        return shown.stdout.decode().splitlines()

    def git(self, *words: str, folder: Path | None = None, fails: bool = False) -> str:
        """One git command of the bot's in a folder; returns what it said on both channels."""
        settings = {
            **os.environ,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
        }
        names = ["-c", "user.name=bot", "-c", "user.email=bot@example.org", "-c", "init.defaultBranch=main"]
        done = subprocess.run(
            ["git", *names, *words],
            cwd=folder or self.folder,
            env=settings,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode != 0) == fails, done.stderr
        return done.stdout + done.stderr

    def git_url(self, token: str = TOKEN) -> str:
        """Where git finds the repository."""
        return self.forge.url.replace("://", f"://x-access-token:{token}@") + f"/{NAME}.git"

    def clone(self, name: str = "work", *options: str) -> Path:
        """A clone in a folder of its own."""
        self.git("clone", "--quiet", *options, self.git_url(), str(self.folder / name))
        return self.folder / name


@contextmanager
def forge_world(folder: Path, files: Mapping[str, str] = FILES, **options: Any) -> Iterator[World]:
    """A running forge; leaving the block holds every answer, and what was asked for it, to GitHub's description."""
    for path, content in files.items():
        file = folder / "source" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    recorder = Recorder()
    with Forge(folder / "forge", around=recorder.around, **options) as forge:
        forge.add_user("bot", TOKEN, bot=True)
        forge.add_user("alice", "the-token-of-alice")
        forge.create_repository(NAME, source=folder / "source")
        world = World(forge, recorder, folder)
        with world.session:
            yield world
    faults = recorder.faults(requests=True)
    assert not faults, "\n".join(faults)
