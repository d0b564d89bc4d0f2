"""What every request of the REST API passes: who asks, the JSON body, pages of lists, ETags, errors, rate limits."""

import base64
import binascii
import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

import flask
from werkzeug.exceptions import HTTPException

from bot.sandbox.forge.refusals import Refusal, not_found
from bot.sandbox.forge.runs import Runs
from bot.sandbox.forge.state import Repository, State
from bot.sandbox.forge.webhooks import Courier

HOURLY = 5000
SERVICES = "sandbox.forge"
_T = TypeVar("_T")


class Services:
    """What the handlers of requests work on."""

    def __init__(self, state: State, runs: Runs, courier: Courier) -> None:
        """`used` counts requests by login, for the rate limit that is shown and never enforced."""
        self.state, self.runs, self.courier = state, runs, courier
        self.used: dict[str, int] = {}


def services() -> Services:
    """Those of the forge that was asked: they come with the request."""
    return cast(Services, flask.request.environ[SERVICES])


def state() -> State:
    """Everything that the forge knows."""
    return services().state


def actor() -> str:
    """The login of whoever asks."""
    return cast(str, flask.g.actor)


def repository(owner: str, name: str) -> Repository:
    """The repository of the address, or 404."""
    found = state().repository(f"{owner}/{name}")
    if found is None:
        raise not_found()
    return found


def admit() -> None:
    """Let in who carries a token: everything here is private."""
    given = flask.request.headers.get("Authorization", "")
    scheme, _, token = given.partition(" ")
    if scheme.lower() == "basic":
        try:
            token = base64.b64decode(token).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            token = ""
    if not given:
        raise Refusal(401, "Requires authentication")
    login = state().tokens.get(token.strip())
    if login is None:
        raise Refusal(401, "Bad credentials")
    flask.g.actor = login


def refused(refusal: Refusal) -> flask.Response:
    """A refusal as GitHub words it."""
    return answer(refusal.document(), refusal.status)


def unknown(error: HTTPException) -> flask.Response:
    """What there is no handler for."""
    code = 404 if error.code in {None, 404, 405} else error.code
    return refused(Refusal(code, "Not Found" if code == 404 else error.name))


def answer(document: Any, status: int = 200) -> flask.Response:
    """A document as JSON."""
    body = json.dumps(document, ensure_ascii=False).encode()
    return flask.Response(body, status, content_type="application/json; charset=utf-8")


def nothing(status: int = 204) -> flask.Response:
    """An answer without a body."""
    return flask.Response(b"", status)


def finished(response: flask.Response) -> flask.Response:
    """Add the headers that every answer of GitHub's has; answer 304 to whoever knows the document already."""
    request = flask.request
    unchanged = False
    if request.method == "GET" and response.status_code == 200 and not response.is_streamed:
        tag = hashlib.sha256(response.get_data()).hexdigest()
        response.headers["ETag"] = f'W/"{tag}"'
        unchanged = any(tag in known for known in request.headers.getlist("If-None-Match"))
    if unchanged:
        response.status_code = 304
        response.set_data(b"")
        response.headers.pop("Content-Type", None)
    else:
        login = flask.g.get("actor", "")
        services().used[login] = services().used.get(login, 0) + 1
    _limits(response, flask.g.get("actor", ""))
    response.headers["X-GitHub-Media-Type"] = "github.v3; format=json"
    response.headers["X-GitHub-Request-Id"] = uuid.uuid4().hex[:24].upper()
    response.headers["X-GitHub-Api-Version-Selected"] = request.headers.get(
        "X-GitHub-Api-Version", "2022-11-28"
    )
    response.headers["X-Sandbox"] = "forge"
    return response


def _limits(response: flask.Response, login: str) -> None:
    used = services().used.get(login, 0) % HOURLY
    reset = int(state().now().timestamp()) // 3600 * 3600 + 3600
    values = {"Limit": HOURLY, "Remaining": HOURLY - used, "Used": used, "Reset": reset, "Resource": "core"}
    for name, value in values.items():
        response.headers[f"X-RateLimit-{name}"] = str(value)


def given() -> dict[str, Any]:
    """The JSON object of the request; 400 when it is none."""
    try:
        body = json.loads(flask.request.get_data() or b"{}")
    except ValueError as error:
        raise Refusal(400, "Problems parsing JSON") from error
    if not isinstance(body, dict):
        raise Refusal(400, "Body should be a JSON object")
    return body


def text(body: dict[str, Any], key: str, resource: str, *, required: bool = False) -> str | None:
    """A text of the body; 422 as GitHub words it when it is another type, or missing and required."""
    value = body.get(key)
    if value is None or (required and value == ""):
        if required:
            error = {"resource": resource, "field": key, "code": "missing_field"}
            raise Refusal(422, "Validation Failed", [error])
        return None
    if not isinstance(value, str):
        raise Refusal(422, f"Invalid request.\n\nFor '{key}', {json.dumps(value)[:80]} is not a string.")
    try:
        storable = "\0" not in value and value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        storable = False
    if storable is False:
        raise Refusal(422, f"Invalid request.\n\n'{key}' is not a text that can be kept.")
    return value


def one_of(value: str, allowed: Iterable[str], key: str) -> str:
    """The value, if it is one of these; else 422."""
    if value not in allowed:
        raise Refusal(422, f"Invalid request.\n\nFor '{key}', {value[:80]} is not one of {sorted(allowed)}.")
    return value


def paged(found: Sequence[_T], document: Callable[[_T], Any]) -> flask.Response:
    """One page of a list, with its Link header."""
    page, links = _page(found)
    response = answer([document(one) for one in page])
    if links:
        response.headers["Link"] = links
    return response


def counted(found: Sequence[_T], key: str, document: Callable[[_T], Any]) -> flask.Response:
    """One page of a list that GitHub wraps with its length."""
    page, links = _page(found)
    response = answer({"total_count": len(found), key: [document(one) for one in page]})
    if links:
        response.headers["Link"] = links
    return response


def _page(found: Sequence[_T]) -> tuple[Sequence[_T], str]:
    arguments = flask.request.args
    size = min(max(arguments.get("per_page", 30, int), 1), 100)
    number = max(arguments.get("page", 1, int), 1)
    last = max((len(found) + size - 1) // size, 1)
    near = {"prev": number - 1, "next": number + 1, "first": 1, "last": last}
    wanted = ("prev", "first") if number >= last else ("next", "last") if number == 1 else tuple(near)
    if last == 1 and number == 1:
        wanted = ()
    address = f"{state().url}{flask.request.path}"
    links = [f'<{address}?{_query(near[rel], size)}>; rel="{rel}"' for rel in wanted]
    return found[(number - 1) * size : number * size], ", ".join(links)


def _query(page: int, size: int) -> str:
    rest = [
        (key, value) for key, value in flask.request.args.items(multi=True) if key not in {"page", "per_page"}
    ]
    return urlencode([*rest, ("per_page", size), ("page", page)])
