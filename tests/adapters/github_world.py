"""A repository on a GitHub with a bot and a person who do things to it: the sandbox's, or a real one.

The person acts through the same REST API and pushes with real git, so that the contracts hold for both.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from bot.adapters.github.forge import GitHubForge

FILE = "image.txt"


@dataclass(frozen=True)
class World:
    """Where it is, and who acts. `clone` is the address for git."""

    api: str
    clone: str
    repository: str
    bot: str
    bot_token: str
    person: str
    person_token: str

    def forge(self, **options: Any) -> GitHubForge:
        """The adapter under test, as the bot."""
        options = {"api_url": self.api, "login": self.bot, **options}
        return GitHubForge(self.repository, lambda: self.bot_token, **options)

    def person_does(self, method: str, path: str, body: Any = None) -> Any:
        """A request by the person, below the repository; returns its document."""
        return self._ask(self.person_token, method, path, body)

    def bot_does(self, method: str, path: str, body: Any = None) -> Any:
        """A request by the bot past the adapter."""
        return self._ask(self.bot_token, method, path, body)

    def _ask(self, token: str, method: str, path: str, body: Any) -> Any:
        answer = requests.request(
            method,
            f"{self.api}/repos/{self.repository}/{path}",
            json=body,
            headers={"Authorization": f"Bearer {token}", "X-GitHub-Api-Version": "2022-11-28"},
            timeout=15,
        )
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def push(
        self, branch: str, content: str, *, base: str = "main", message: str = "Change the image"
    ) -> str:
        """One commit by the person that gives the file this content, on top of `base`, pushed as `branch`."""
        with self.checkout(base) as folder:
            (folder / FILE).write_text(content)
            self.git(folder, "add", FILE)
            self.git(folder, "commit", "--quiet", "--message", message)
            self.git(folder, "push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{branch}")
            return self.git(folder, "rev-parse", "HEAD")

    def head(self, branch: str = "main") -> str:
        """The commit that a branch is at."""
        with tempfile.TemporaryDirectory() as folder:
            return self.git(Path(folder), "ls-remote", self.clone, f"refs/heads/{branch}").split()[0]

    @contextmanager
    def checkout(self, branch: str) -> Iterator[Path]:
        """A fresh clone at a branch."""
        with tempfile.TemporaryDirectory() as parent:
            folder = Path(parent) / "repo"
            self.git(Path(parent), "clone", "--quiet", "--branch", branch, self.clone, str(folder))
            yield folder

    def git(self, folder: Path, *arguments: str) -> str:
        """Real git as the person; the token goes through the environment."""
        header = requests.auth._basic_auth_str("x-access-token", self.person_token)
        settings: Sequence[tuple[str, str]] = (
            ("http.extraHeader", f"Authorization: {header}"),
            ("user.name", "Maria"),
            ("user.email", "maria@example.com"),
            ("commit.gpgSign", "false"),
        )
        environment = {
            "GIT_CONFIG_COUNT": str(len(settings)),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        for number, (key, value) in enumerate(settings):
            environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()
