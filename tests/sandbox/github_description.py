"""Hold a forge's answers and webhooks to GitHub's published OpenAPI description (github-openapi.json.gz).

    recorder = Recorder()
    with Forge(folder, around=recorder.around) as forge: ...
    assert recorder.faults() == []

`requests=True` holds what was asked to it too, for clients that must ask what GitHub understands.
"""

import functools
import gzip
import io
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse
from openapi_schema_validator import OAS30Validator

from tests.sandbox.slim_openapi import DESCRIPTION

API = "/api/v3"
# Where a parameter of the path may have slashes, which openapi-core wants encoded.
_SLASHED = re.compile(
    r"(?P<before>/repos/[^/]+/[^/]+/(?:contents|git/ref|git/refs|git/matching-refs|branches|compare|labels|commits|issues/\d+/labels)/)"
    r"(?P<value>.+?)(?P<after>(?<=.)/(?:status|statuses|check-runs|pulls))?\Z"
)
# What the forge answers though the description has no such path: (method, pattern, why).
_UNDESCRIBED = (
    ("GET", r"/repos/[^/]+/[^/]+/statuses/.+", "the older address of commits/{ref}/statuses, which PyGithub asks under"),
    ("GET", r"/repos/[^/]+/[^/]+/contents/?", "the root folder: the description wants a path"),
    ("GET", r"/repos/[^/]+/[^/]+/git/matching-refs/", "all refs: the description wants a prefix"),
    ("GET", r"/nothing/here", "an address that does not exist"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer; the path begins behind `API`, with its query."""

    method: str
    path: str
    query: str
    sent: bytes
    status: int
    content_type: str
    body: bytes


class Recorder:
    """WSGI middleware that keeps every exchange with the REST API."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self._lock = threading.Lock()

    def around(self, app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        """The application, with everything under `API` recorded."""

        def recording(environ: Mapping[str, Any], start_response: Any) -> Iterable[bytes]:
            if not environ["PATH_INFO"].startswith(f"{API}/"):
                return app(environ, start_response)
            sent, told = environ["wsgi.input"].read(), []

            def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
                told[:] = [status, dict(headers)]
                return start_response(status, headers, *more)

            answer = app({**environ, "wsgi.input": io.BytesIO(sent)}, start)
            body = b"".join(answer)
            self._keep(environ, sent, told, body)
            return [body]

        return recording

    def _keep(self, environ: Mapping[str, Any], sent: bytes, told: list[Any], body: bytes) -> None:
        path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")[len(API) :]
        status, kind = int(told[0].split()[0]), told[1].get("Content-Type", "").partition(";")[0]
        kept = Exchange(
            environ["REQUEST_METHOD"], path, environ.get("QUERY_STRING", ""), sent, status, kind, body
        )
        with self._lock:
            self.exchanges.append(kept)

    def faults(self, *, requests: bool = False) -> list[str]:
        """A sentence for everything that GitHub would not have answered (or understood)."""
        with self._lock:
            exchanges = list(self.exchanges)
        return [fault for one in exchanges for fault in faults(one, requests=requests)]


def faults(exchange: Exchange, *, requests: bool = False) -> Iterator[str]:
    """What is wrong with one exchange."""
    where = f"{exchange.method} {exchange.path} -> {exchange.status}"
    if exchange.status == 304:
        if exchange.body:
            yield f"{where}: a body"
        return
    if any(
        exchange.method == method and re.fullmatch(path, exchange.path) for method, path, _ in _UNDESCRIBED
    ):
        return
    bare_list = exchange.path.endswith("/labels") and exchange.sent.startswith(
        b"["
    )  # understood, and not described
    checks = [_response] + ([_request] if requests and exchange.status < 400 and not bare_list else [])
    for check in checks:
        problem = check(exchange)
        if problem:
            yield f"{where}: {problem}"


@functools.cache
def _response(exchange: Exchange) -> str | None:
    response = MockResponse(
        exchange.body or b"", exchange.status, content_type=exchange.content_type or "application/json"
    )
    try:
        _openapi().validate_response(_asked(exchange), response)
    except OpenAPIError as error:
        return _told(error)
    return None


@functools.cache
def _request(exchange: Exchange) -> str | None:
    try:
        _openapi().validate_request(_asked(exchange))
    except OpenAPIError as error:
        return _told(error)
    return None


def _asked(exchange: Exchange) -> MockRequest:
    found = _SLASHED.match(exchange.path)
    path = exchange.path
    if found:
        path = found["before"] + quote(found["value"], safe="") + (found["after"] or "")
    arguments = dict(pair.partition("=")[::2] for pair in exchange.query.split("&") if pair)
    return MockRequest(
        "https://api.github.com", exchange.method.lower(), path, args=arguments, data=exchange.sent or None,
        content_type="application/json",
    )  # fmt: skip


def _told(error: Exception) -> str:
    cause = error.__cause__ or error
    details = [
        f"{list(one.absolute_path)}: {one.message[:300]}" for one in getattr(cause, "schema_errors", ())
    ]
    return f"{type(cause).__name__}: {'; '.join(details) or cause}"


@functools.cache
def description() -> dict[str, Any]:
    """GitHub's description, cut down by slim_openapi.py."""
    found: dict[str, Any] = json.loads(gzip.decompress(DESCRIPTION.read_bytes()))
    _as_meant(found)
    return found


def _as_meant(node: Any) -> None:
    """What GitHub means and OpenAPI 3.0 would not.

    Null where values are listed; a list that is told from an object; `created`, which takes `>=2026-05-04` too.
    """
    if isinstance(node, dict):
        if node.get("name") == "created" and node.get("in") == "query":
            del node["schema"]["format"]
        if node.get("nullable") is True and isinstance(node.get("enum"), list):
            node["enum"] = [*node["enum"], None]
        if "array" in node.get("discriminator", {}).get("mapping", {}):
            del node["discriminator"]
        for one in node.values():
            _as_meant(one)
    elif isinstance(node, list):
        for one in node:
            _as_meant(one)


@functools.cache
def _openapi() -> OpenAPI:
    """Errors that the description does not list must be GitHub's usual ones."""
    whole = json.loads(json.dumps(description()))
    usual = {
        "description": "",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/basic-error"}}},
    }
    for operations in whole["paths"].values():
        for method, operation in operations.items():
            if method in {"get", "post", "put", "patch", "delete"}:
                for status in ("400", "401", "403", "404", "405", "409", "422"):
                    operation["responses"].setdefault(status, usual)
    return OpenAPI.from_dict(whole, config=Config(spec_validator_cls=None))


def webhook_faults(event: str, payload: Mapping[str, Any]) -> list[str]:
    """What is wrong with the payload of a webhook."""
    name = "-".join([event, *([payload["action"]] if "action" in payload else [])]).replace("_", "-")
    schema = description()["x-webhooks"][name]["schema"]
    validator = OAS30Validator({"allOf": [schema], "components": description()["components"]})
    return [f"{list(error.absolute_path)}: {error.message[:300]}" for error in validator.iter_errors(payload)]
