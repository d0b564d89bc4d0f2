"""A git remote over HTTP on loopback: bare repos behind `git http-backend`, with a token where one is set."""

import base64
import os
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.sandbox.serving import Server


@dataclass
class Remote:
    """One bare repo that people push to, and its server. `requests` are those that came, in order."""

    folder: Path
    work: Path
    token: str | None = None
    requests: list[str] = field(default_factory=list)
    before_push: Callable[[], None] | None = None
    server: Server | None = None

    @property
    def url(self) -> str:
        assert self.server is not None
        return f"{self.server.url}/acme/manifests.git"

    @property
    def bare(self) -> Path:
        return self.folder / "acme" / "manifests.git"

    def git(self, *arguments: str, at: Path | None = None, data: bytes | None = None) -> str:
        """A person's git, in the work tree or elsewhere."""
        identity = ["-c", "user.name=Jo", "-c", "user.email=jo@acme.dev", "-c", "commit.gpgsign=false"]
        command = ["git", "-C", str(at or self.work), *identity, *arguments]
        done = subprocess.run(command, input=data, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def commit(
        self, files: dict[str, str | bytes], message: str = "A person's change", branch: str = "main"
    ) -> str:
        """A person's commit on top of a branch, pushed."""
        self.git("checkout", "-q", branch)
        for path, text in files.items():
            file = self.work / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode() if isinstance(text, str) else text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        self.git("push", "-q", str(self.bare), f"HEAD:refs/heads/{branch}")
        return self.git("rev-parse", "HEAD")

    def show(self, commit: str, path: str) -> bytes:
        command = ["git", "-C", str(self.bare), "cat-file", "blob", f"{commit}:{path}"]
        return subprocess.run(command, capture_output=True, check=True).stdout

    def head(self, branch: str) -> str | None:
        """Where a branch is, or None."""
        command = ["git", "-C", str(self.bare), "rev-parse", "-q", "--verify", f"refs/heads/{branch}"]
        return subprocess.run(command, capture_output=True, check=False).stdout.decode().strip() or None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request by `git http-backend`."""
        self.requests.append(
            f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{environ.get('QUERY_STRING', '')}"
        )
        login = base64.b64encode(f"x-access-token:{self.token}".encode()).decode()
        if self.token is not None and environ.get("HTTP_AUTHORIZATION") != f"Basic {login}":
            start_response("401 Unauthorized", [("WWW-Authenticate", 'Basic realm="git"')])
            return [b"who are you?"]
        if self.before_push is not None and environ["PATH_INFO"].endswith("/git-receive-pack"):
            act, self.before_push = self.before_push, None
            act()
        keys = ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH")
        cgi = {key: str(environ[key]) for key in keys if environ.get(key)}
        cgi |= {
            "HTTP_CONTENT_ENCODING": environ.get("HTTP_CONTENT_ENCODING", ""),
            "GIT_PROJECT_ROOT": str(self.folder),
        }
        cgi |= {
            "GIT_PROTOCOL": environ.get("HTTP_GIT_PROTOCOL", ""),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH": os.environ["PATH"],
        }
        body = environ["wsgi.input"].read()
        done = subprocess.run(["git", "http-backend"], input=body, env=cgi, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [tuple(line.decode().split(": ", 1)) for line in head.split(b"\r\n") if line]
        status = next((value for key, value in headers if key == "Status"), "200 OK")
        start_response(status, [(key, value) for key, value in headers if key != "Status"])
        return [content]


def opened(folder: Path, files: dict[str, str | bytes]) -> Remote:
    """A served remote whose `main` has one commit with these files."""
    remote = Remote(folder / "remote", folder / "work")
    remote.bare.mkdir(parents=True)
    remote.git("init", "-q", "--bare", "--initial-branch=main", str(remote.bare), at=folder)
    for key, value in (
        ("http.receivepack", "true"),
        ("uploadpack.allowFilter", "true"),
        ("uploadpack.allowAnySHA1InWant", "true"),
    ):
        remote.git("config", key, value, at=remote.bare)
    remote.git("init", "-q", "--initial-branch=main", str(remote.work), at=folder)
    remote.git("commit", "-q", "--allow-empty", "-m", "Begin")
    remote.commit(files, "Add manifests")
    remote.server = Server(remote).start()
    return remote
