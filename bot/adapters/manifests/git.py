"""Run git without a prompt, without anyone's configuration, without a secret in argv, and never for ever."""

import base64
import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.ports import Refused, Retryable

Token = Callable[[], str] | None

_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "SSH_ASKPASS": "true",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=20",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ALLOW_PROTOCOL": "http:https:ssh:file",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TRACE": "0",
    "GIT_TRACE_CURL": "0",
    "GIT_TRACE_PACKET": "0",
    "GIT_CURL_VERBOSE": "",
}
_AUTH = re.compile(
    r"Authentication failed|could not read (Username|Password)|returned error: (401|403)|Permission denied|Access denied"
)
_MISSING_REPO = re.compile(
    r"repository .*not found|Repository not found|returned error: 404|does not appear to be a git"
)
# Hints are for people at a terminal; `== Info: …` is what curl tells developers, whoever switched that on.
_NOISE = re.compile(
    r"hint:|(?:[0-9:.]+ \S+\.c:[0-9]+ +)?(?:== Info:|=> Send |<= Recv )|[0-9:.]+ \S+\.c:[0-9]+ |\* |[<>] "
)
_SLOW = 20  # seconds without traffic after which git gives up by itself


@dataclass(frozen=True)
class Answer:
    """What a git command said: its exit code, and both streams."""

    code: int
    out: bytes
    err: str


class Git:
    """git on one bare repository. `url` is only for sentences; the token goes by the environment, for this URL only."""

    def __init__(self, folder: Path, url: str, token: Token = None) -> None:
        """Nothing runs yet."""
        self._folder = folder
        self._url = url
        self._token = token
        self.started = 0  # git processes so far, for the benchmarks and the tests

    def run(self, *arguments: str, stdin: bytes = b"", remote: bool = False, patience: float = 60) -> bytes:
        """The command's output; a failure becomes `Retryable` or `Refused` with git's own words."""
        answer = self.ask(*arguments, stdin=stdin, remote=remote, patience=patience)
        if answer.code:
            raise self.failure(arguments[0], answer.err)
        return answer.out

    def ask(self, *arguments: str, stdin: bytes = b"", remote: bool = False, patience: float = 60) -> Answer:
        """The command's answer, whatever it is. Only a `remote` command is given the token."""
        secret = self._token() if remote and self._token else ""
        process = self._spawned(arguments, secret)
        out, err = self._ended(process, arguments[0], stdin, patience)
        return Answer(int(process.returncode), out, _without(err.decode(errors="replace"), secret))

    def begun(self, *arguments: str) -> Any:
        """A command without the token that goes on, as a `subprocess.Popen`; it is ended when nobody holds it any more."""
        return self._spawned(arguments, "")

    def _spawned(self, arguments: Sequence[str], secret: str) -> Any:
        # Imported late: importing GitPython runs git, and `--help` must not.
        from git.cmd import Git as Command

        home = str(self._folder)
        process = Command(home).execute(
            ["git", f"--git-dir={self._folder}", *arguments],
            istream=subprocess.PIPE,
            as_process=True,
            env={**_ENVIRONMENT, "HOME": home, "XDG_CONFIG_HOME": home, **self._login(secret)},
            start_new_session=True,
        )
        self.started += 1
        return process

    def _ended(self, process: Any, name: str, stdin: bytes, patience: float) -> tuple[bytes, bytes]:
        try:
            out, err = process.communicate(stdin, timeout=patience)
        except subprocess.TimeoutExpired:
            # git leaves the network to children: the whole session has to go.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise Retryable(
                f"git {name} for {self._url} took longer than {patience:.0f} s and was ended"
            ) from None
        return out, err

    def _login(self, secret: str) -> Mapping[str, str]:
        settings = {
            "http.lowSpeedLimit": "100",
            "http.lowSpeedTime": str(_SLOW),
            "credential.helper": "",
            "core.hooksPath": os.devnull,
            "safe.directory": "*",
            "protocol.version": "2",
            # The bot names objects in full: whether a ref is called the same is a dozen looks at files for each.
            "core.warnAmbiguousRefs": "false",
        }
        if secret:
            # GitHub, GitLab and Azure Repos take a token as the password of any user name.
            login = base64.b64encode(f"x-access-token:{secret}".encode()).decode()
            settings[f"http.{self._url}.extraHeader"] = f"Authorization: Basic {login}"
        pairs = list(settings.items())
        keys = {f"GIT_CONFIG_KEY_{number}": key for number, (key, _) in enumerate(pairs)}
        values = {f"GIT_CONFIG_VALUE_{number}": value for number, (_, value) in enumerate(pairs)}
        return {"GIT_CONFIG_COUNT": str(len(pairs)), **keys, **values}

    def failure(self, name: str, err: str) -> Retryable | Refused:
        """What git's complaint means for the bot, as an exception to raise."""
        said = words(err)
        if _AUTH.search(err):
            return Refused(
                f"{self._url} does not let the bot in ({said}); give it a token that may read and write there"
            )
        if _MISSING_REPO.search(err):
            return Refused(
                f"{self._url} is not there, or hidden from the bot ({said}); correct the URL or the token's access"
            )
        return Retryable(f"git {name} for {self._url} failed: {said}")


def words(err: str, limit: int = 300) -> str:
    """git's own words on one printable line, bounded; the hints for people at a terminal left out."""
    lines = [
        line.strip() for line in re.split(r"[\r\n]+", err) if line.strip() and not _NOISE.match(line.strip())
    ]
    line = "; ".join("".join(c if c.isprintable() else " " for c in text) for text in lines)
    return line[-limit:] or "git gave no reason"


def _without(text: str, secret: str) -> str:
    return text.replace(secret, "***") if secret else text


def lines(out: bytes) -> list[str]:
    """The lines of an output that holds nothing but object names and refs."""
    return out.decode().split()
