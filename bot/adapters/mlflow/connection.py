"""Talking to one MLflow server: credentials, patience, and what its answers mean for the bot."""

import contextlib
import os
import re
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import requests

from bot.ports import Refused, Retryable

Secret = Callable[[], str]

_LATER = (
    "INTERNAL_ERROR",
    "TEMPORARILY_UNAVAILABLE",
    "REQUEST_LIMIT_EXCEEDED",
    "DEADLINE_EXCEEDED",
    "ABORTED",
)
_DENIED = ("PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED")
_ARTIFACT = "/model-versions/get-artifact"
_CHUNK = 65536
_REPEATED = re.compile(r"too many (\d{3}) error responses")


class Gone(Exception):
    """MLflow itself says that there is no such thing."""


class Unreadable(Exception):
    """The server cannot hand out a model's file, whatever the reason is on its side."""


class Connection:
    """MLflow's own REST clients (of mlflow-skinny), with the bot's credentials and the bot's patience.

    Every request is tried once, for `timeout` seconds at most: the loop repeats, not the client, which would go on
    for minutes by default. The credentials are asked for with every request, so that they may change.
    """

    def __init__(
        self,
        uri: str,
        *,
        username: Secret | None,
        password: Secret | None,
        token: Secret | None,
        timeout: int,
    ) -> None:
        """Import MLflow (seconds) and set it up; nothing is sent yet. `Refused` for an address with a password in it."""
        self.uri = _plain(uri)
        self._credentials = {"username": username, "password": password, "token": token}
        self._timeout = timeout
        # Read while MLflow is imported, hence not one of the settings below.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # noqa: TID251
        import mlflow.environment_variables as settings
        from mlflow.store.model_registry.rest_store import RestStore as Models
        from mlflow.store.tracking.rest_store import RestStore as Runs

        settings.MLFLOW_DISABLE_TELEMETRY.set("true")
        settings.MLFLOW_HTTP_REQUEST_MAX_RETRIES.set(0)
        settings.MLFLOW_HTTP_REQUEST_TIMEOUT.set(timeout)
        self.models: Any = Models(self._host)
        self.runs: Any = Runs(self._host)

    def _host(self) -> Any:
        from mlflow.utils.rest_utils import MlflowHostCreds

        given = {name: secret() for name, secret in self._credentials.items() if secret is not None}
        return MlflowHostCreds(self.uri, **given)

    def file(self, model: str, version: str, path: str, limit: int) -> bytes:
        """A file of a model version, read through the server, so that its storage needs no credentials of ours.

        `Gone` where there is none; `Unreadable` when it is longer than `limit` or the server itself cannot read it.
        """
        from mlflow.utils.rest_utils import http_request

        with (
            self.asking(),
            contextlib.closing(
                http_request(
                    self._host(),
                    _ARTIFACT,
                    "GET",
                    params={"name": model, "version": version, "path": path},
                    stream=True,
                    raise_on_status=False,
                    timeout=self._timeout,
                )
            ) as answer,
        ):
            return self._content(answer, limit)

    def _content(self, answer: requests.Response, limit: int) -> bytes:
        if answer.status_code == 404:
            raise Gone
        if answer.status_code in (429, 502, 503, 504):
            raise Retryable(f"MLflow at {self.uri} answers {answer.status_code}")
        if answer.status_code in (401, 403):
            raise self._denied(answer.raw.read(1000, decode_content=True).decode("utf-8", "replace"))
        if not answer.ok:
            raise Unreadable
        content = b""
        for chunk in answer.iter_content(_CHUNK):
            content += chunk
            if len(content) > limit:
                raise Unreadable
        return content

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Translate what goes wrong inside to `Gone`, `Retryable` or `Refused`."""
        from mlflow.exceptions import MlflowException

        try:
            yield
        except requests.RequestException as problem:
            raise Retryable(f"MLflow at {self.uri} broke off: {type(problem).__name__}") from problem
        except MlflowException as problem:
            raise self._meaning(problem) from problem

    def _meaning(self, problem: Any) -> Exception:
        said = " ".join(str(problem).split())[:300]
        if problem.error_code == "RESOURCE_DOES_NOT_EXIST":
            return Gone(said)
        if problem.error_code in _DENIED:
            return self._denied(said)
        if "not in a valid JSON format" in said:
            return Refused(f"{self.uri} does not answer like MLflow; is a login page in front of it?")
        if "CERTIFICATE_VERIFY_FAILED" in said:
            return Refused(
                f"the certificate of {self.uri} is not trusted here: name its CA in REQUESTS_CA_BUNDLE"
            )
        if problem.error_code in _LATER:
            return Retryable(f"MLflow at {self.uri} {_trouble(problem, said)}")
        return Refused(f"MLflow at {self.uri} refused the request: {said}")

    def _denied(self, said: str) -> Refused:
        host = urllib.parse.urlsplit(self.uri).netloc
        if "Invalid Host header" in said:
            return Refused(
                f"MLflow does not want to be called {host}: start its server with --allowed-hosts {host} "
                "(beside the names that are in use), which its protection against DNS rebinding asks for"
            )
        return Refused(
            f"MLflow at {self.uri} denies access: check the bot's credentials there; it reads models and runs and "
            f"sets tags on model versions ({' '.join(said.split())[:200]})"
        )


def _trouble(problem: Exception, said: str) -> str:
    """Why there was no good answer, in few words: requests' own text is long and says everything twice."""
    told = str(problem)
    if status := _REPEATED.search(told):
        return f"answers {status[1]}"
    cause = problem.__context__
    if isinstance(cause, requests.Timeout) or "Read timed out" in told:
        return "does not answer in time"
    return "cannot be reached" if isinstance(cause, requests.ConnectionError) else f"fails: {said}"


def _plain(uri: str) -> str:
    parts = urllib.parse.urlsplit(uri)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refused("the address of MLflow must be an http or https URL: webhooks need a server")
    if "@" in parts.netloc:
        raise Refused("the address of MLflow carries a user or a password: configure them apart from it")
    return uri.rstrip("/")
