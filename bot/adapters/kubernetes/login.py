"""Tokens that change: from a file, or from a program that a kubeconfig's `exec` names, as the cloud providers' do.

lightkube's own program login knows neither `client.authentication.k8s.io/v1` nor KUBERNETES_EXEC_INFO, which some
programs demand, and waits for ever; and what is wrong with a file's token would be found, and logged, by the HTTP library.
"""

import base64
import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from bot.adapters.kubernetes.answers import excerpt
from bot.ports import Refused, Retryable

_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_CONFIG = "client.authentication.k8s.io/exec"
_PATIENCE = 30.0
_EARLY = timedelta(seconds=30)
# client-go reads a token file again after a minute: the kubelet replaces it long before the old token expires, and a
# cluster counts the use of old ones.
_FILE = timedelta(minutes=1)


Credential = tuple[str, datetime | None]
"""The value of the header, and when it expires, where that is known."""


def bearer(token: Any, whose: str) -> str:
    """The value of the header. Raises `Refused` without the token when it cannot be one."""
    if (
        not isinstance(token, str)
        or not token
        or not token.isascii()
        or not token.isprintable()
        or " " in token
    ):
        raise Refused(f"{whose}: the token is empty or not one line of plain characters")
    return f"Bearer {token}"


@dataclass(frozen=True)
class Plugin:
    """A program that prints an ExecCredential. Its output is never shown; of what it complains about, one line is."""

    version: str
    command: Sequence[str]
    hint: str
    environment: Mapping[str, str] = field(repr=False)
    cluster: Mapping[str, Any] | None = None  # what the program asks to be told of the cluster

    def run(self) -> Credential:
        """Raises `Refused`, or `Retryable` when it takes too long."""
        name = excerpt(self.command[0], 120)
        spec = {"interactive": False} | ({"cluster": self.cluster} if self.cluster is not None else {})
        info = {"apiVersion": self.version, "kind": "ExecCredential", "spec": spec}
        # A plugin finds its own login where the person's shell would: that is what kubectl gives it, too.
        given = {**os.environ, **self.environment, "KUBERNETES_EXEC_INFO": json.dumps(info)}  # noqa: TID251
        try:
            done = subprocess.run(
                list(self.command), env=given, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False,
            )  # fmt: skip
        except FileNotFoundError:
            more = f": {excerpt(self.hint)}" if self.hint else ""
            raise Refused(f"the kubeconfig's program {name} is not installed{more}") from None
        except OSError as error:
            raise Refused(f"the kubeconfig's program {name} cannot be started: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise Retryable(f"the kubeconfig's program {name} has not ended after {_PATIENCE:g} s") from None
        if done.returncode != 0:
            said = excerpt(done.stderr.decode(errors="replace")) or "it says nothing"
            raise Refused(f"the kubeconfig's program {name} ended with {done.returncode}: {said}")
        return self._credential(done.stdout, name)

    def _credential(self, output: bytes, name: str) -> Credential:
        try:
            status = json.loads(output)["status"]
            token, expires = status.get("token"), status.get("expirationTimestamp")
            until = datetime.fromisoformat(expires).astimezone(UTC) if expires else None
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise Refused(f"the kubeconfig's program {name} did not print an ExecCredential") from None
        return bearer(token, f"the kubeconfig's program {name}"), until


def plugin(described: Mapping[str, Any], folder: Path, cluster: Mapping[str, Any]) -> Plugin:
    """The program that the `exec` of a kubeconfig in this folder describes. Raises `Refused` for what is not supported.

    With `provideClusterInfo`, which some programs cannot do without, it is told of the kubeconfig's `cluster`.
    """
    version, command = described.get("apiVersion"), described.get("command")
    if version not in _VERSIONS:
        raise Refused(
            f"`exec:` must have an apiVersion of {' or '.join(_VERSIONS)}, not {excerpt(str(version), 80)}"
        )
    if not isinstance(command, str) or not command:
        raise Refused("`exec:` has no command")
    arguments, variables = described.get("args") or [], described.get("env") or []
    try:
        environment = {str(item["name"]): str(item["value"]) for item in variables}
        words = [str(item) for item in arguments]
    except (TypeError, LookupError):
        raise Refused("`exec:` has `args` or `env` in another form than Kubernetes documents") from None
    # As kubectl does: a bare word is looked up in PATH, a relative path starts where the kubeconfig is.
    program = str(folder / command) if "/" in command else command
    told = _told(cluster, folder) if described.get("provideClusterInfo") is True else None
    return Plugin(version, (program, *words), str(described.get("installHint") or ""), environment, told)


def _told(cluster: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """The cluster as an ExecCredential holds it: a file of authorities becomes what is in it (client-go, exec)."""
    keys = ("server", "certificate-authority-data", "insecure-skip-tls-verify")
    told = {key: cluster[key] for key in keys if cluster.get(key)}
    authority = cluster.get("certificate-authority")
    if isinstance(authority, str) and authority and "certificate-authority-data" not in told:
        # What cannot be read is told by the conversation itself.
        with contextlib.suppress(OSError):
            told["certificate-authority-data"] = base64.b64encode((folder / authority).read_bytes()).decode()
    for item in cluster.get("extensions") or ():
        if isinstance(item, Mapping) and item.get("name") == _CONFIG:
            told["config"] = item.get("extension")
    return told


def token_file(path: Path) -> Callable[[], Credential]:
    """Reads the file anew, whenever it is called; what it says is good for a minute."""

    def read() -> Credential:
        try:
            text = path.read_bytes().decode().strip()
        except OSError as error:
            raise Refused(f"the token file {path} cannot be read ({error.strerror})") from None
        except ValueError:
            text = ""
        return bearer(text, f"the token file {path}"), datetime.now(UTC) + _FILE + _EARLY

    return read


class Login(httpx2.Auth):
    """Asks the source when there is no token yet, when it has expired, and when the cluster no longer takes it."""

    def __init__(self, source: Callable[[], Credential]) -> None:
        """Nothing is asked before the first request."""
        self._source = source
        self._lock = threading.Lock()
        self._held: Credential | None = None

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """The request with the token, and once more with a new one after 401."""
        used = self._header(None)
        request.headers["Authorization"] = used
        response = yield request
        if response.status_code == 401:
            request.headers["Authorization"] = self._header(used)
            yield request

    def _header(self, refused: str | None) -> str:
        with self._lock:
            held = self._held
            if held is None or held[0] == refused or (held[1] and datetime.now(UTC) >= held[1] - _EARLY):
                self._held = held = self._source()
            return held[0]
