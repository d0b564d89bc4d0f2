"""The manifests repo as the cluster reads it: a bare mirror, files at a commit."""

import base64
import os
import subprocess
import threading
from pathlib import Path


class GitFailed(Exception):
    """git did not do what was asked; the message is git's own, without secrets."""


class Repo:
    """A bare mirror of a repo over HTTP. The token is handed to git in its environment. Safe for threads."""

    def __init__(self, folder: Path, url: str, token: str | None) -> None:
        """Nothing is fetched yet."""
        self.folder, self.url = folder, url
        self._token = token
        self._lock = threading.Lock()
        self._files: dict[tuple[str, str], bytes] = {}

    def head(self, branch: str) -> str:
        """Fetch, and return the branch's commit."""
        with self._lock:
            if not self.folder.exists():
                self.folder.mkdir(parents=True)
                self._git("init", "--quiet", "--bare", ".")
            self._git("fetch", "--quiet", "--prune", "--no-tags", self.url, "+refs/heads/*:refs/heads/*")
        return self._git("rev-parse", f"refs/heads/{branch}").decode().strip()

    def read(self, commit: str, path: str) -> bytes | None:
        """A file's bytes, or None where there is none. `commit` is an object name, so that they never change."""
        found = self._files.get((commit, path))
        if found is None:
            try:
                found = self._git("cat-file", "blob", f"{commit}:{path}")
            except GitFailed:
                return None
            self._files[commit, path] = found
        return found

    def _git(self, *words: str) -> bytes:
        try:
            done = subprocess.run(
                ["git", *words],
                cwd=self.folder,
                env=self._environment(),
                capture_output=True,
                check=False,
                timeout=60,
            )
        except subprocess.TimeoutExpired:
            raise GitFailed(f"git {words[0]} did not end within 60 s") from None
        if done.returncode != 0:
            raise GitFailed(done.stderr.decode(errors="replace").strip()[-500:])
        return done.stdout

    def _environment(self) -> dict[str, str]:
        said = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
        }
        if self._token:
            basic = base64.b64encode(f"x-access-token:{self._token}".encode()).decode()
            said |= {
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "http.extraHeader",
                "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
            }
        return said
