"""git over HTTP: `git http-backend` as a WSGI application (facts/test-parts.md, section 3)."""

import base64
import binascii
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, Any, cast

from bot.sandbox.forge.git import clean_environment
from bot.sandbox.forge.pushes import received
from bot.sandbox.forge.state import Repository, State

PATH = re.compile(
    r"/(?P<name>[\w.-]+/[\w.-]+?)(?:\.git)?(?P<rest>/(?:info/refs|git-upload-pack|git-receive-pack|HEAD|objects/[\w/.-]+))\Z"
)
_PASSED = (
    "QUERY_STRING",
    "REQUEST_METHOD",
    "CONTENT_TYPE",
    "CONTENT_LENGTH",
    "HTTP_CONTENT_ENCODING",
    "REMOTE_ADDR",
)
_CHUNK = 64 * 1024

StartResponse = Callable[..., Any]


class SmartHttp:
    """Serves clone, fetch and push. The token is the password; who it belongs to is who pushes."""

    def __init__(self, state: State) -> None:
        """Serves the repositories that exist at the time of a request."""
        self._state = state

    def __call__(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """WSGI."""
        found = PATH.match(environ["PATH_INFO"])
        login = self._login(environ.get("HTTP_AUTHORIZATION", ""))
        if login is None:
            challenge = ("WWW-Authenticate", 'Basic realm="GitHub"')
            return _plain(
                start_response, "401 Unauthorized", "Authentication required for the sandbox.", challenge
            )
        repo = self._state.repository(found["name"]) if found else None
        if found is None or repo is None:
            return _plain(start_response, "404 Not Found", "Repository not found.")
        if found["rest"] == "/git-receive-pack":
            return self._receive(repo, login, environ, start_response)
        return self._run(repo, login, found["rest"], environ, start_response)

    def _login(self, authorization: str) -> str | None:
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            _, _, password = base64.b64decode(given).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return self._state.tokens.get(password)

    def _receive(
        self, repo: Repository, login: str, environ: Mapping[str, Any], start_response: StartResponse
    ) -> list[bytes]:
        """A push: what has moved while it ran is told to everyone, before the client hears that it is done."""
        with self._state.lock:
            before = repo.git.refs("refs/")
            answer = b"".join(self._run(repo, login, "/git-receive-pack", environ, start_response))
            received(self._state, repo, before, login)
        return [answer]

    def _run(
        self,
        repo: Repository,
        login: str,
        rest: str,
        environ: Mapping[str, Any],
        start_response: StartResponse,
    ) -> Iterator[bytes]:
        settings = {key: str(environ[key]) for key in _PASSED if environ.get(key)}
        settings |= {
            "GIT_PROJECT_ROOT": str(repo.git.path.absolute()),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": rest,
            "REMOTE_USER": login,
            "FORGE_ADMIN": "1" if self._state.user(login).admin else "",
            "GIT_PROTOCOL": str(environ.get("HTTP_GIT_PROTOCOL", "")),
        }
        with tempfile.TemporaryFile() as body:
            # A file instead of a pipe: git may answer before it has read everything.
            shutil.copyfileobj(environ["wsgi.input"], body)
            body.seek(0)
            process = subprocess.Popen(
                ["git", "http-backend"],
                stdin=body,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=clean_environment() | settings,
            )
        output = cast(IO[bytes], process.stdout)
        status, headers = _head(output)
        start_response(status, headers)
        return _body(process, output)


def _head(output: IO[bytes]) -> tuple[str, list[tuple[str, str]]]:
    status, headers = "200 OK", []
    for line in iter(output.readline, b""):
        name, _, value = line.decode("latin-1").strip().partition(": ")
        if not name:
            break
        if name.lower() == "status":
            status = value
        else:
            headers.append((name, value))
    return status, headers


def _body(process: subprocess.Popen[bytes], output: IO[bytes]) -> Iterator[bytes]:
    try:
        while chunk := output.read1(_CHUNK):  # type: ignore[attr-defined]
            yield chunk
    finally:
        output.close()
        process.wait()


def _plain(start_response: StartResponse, status: str, text: str, *headers: tuple[str, str]) -> list[bytes]:
    start_response(status, [("Content-Type", "text/plain"), *headers])
    return [text.encode()]
