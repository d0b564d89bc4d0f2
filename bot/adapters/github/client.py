"""GitHub's REST API as PyGithub speaks it, made fit for several threads, for counting and for conditional requests."""

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, ItemsView, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import requests
from github.Auth import Auth
from github.AuthenticatedUser import AuthenticatedUser
from github.Repository import Repository
from github.Requester import Requester
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from bot.ports import Retryable

API_VERSION = (
    "2022-11-28"  # the later one drops merge_commit_sha from every pull request (facts/products.md, 5.1)
)
REMEMBERED = 256

# Only reads are tried again, and never for long: a longer wait belongs to the loop. PyGithub's own policy repeats POST
# on 5xx, which opens pull requests and starts builds twice (facts/products.md, 5.9).
_READS_AGAIN = Retry(
    total=2,
    backoff_factor=0.2,
    status_forcelist=range(500, 600),
    allowed_methods={"GET", "HEAD"},
    respect_retry_after_header=False,
    raise_on_status=False,
    redirect=False,
)


class _FreshToken(Auth):
    """Asks for the token on every request, as an App's installation token lives for an hour only."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._read = token

    @property
    def token_type(self) -> str:
        return "Bearer"

    @property
    def token(self) -> str:
        return self._read()

    @property
    def _masked_token(self) -> str:
        return "Bearer (removed)"


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came back, in the shape that PyGithub reads from a connection."""

    status: int
    headers: Mapping[str, str]
    text: str

    def getheaders(self) -> ItemsView[str, str]:
        return self.headers.items()

    def read(self) -> str:
        return self.text


class _Exchange:
    """One request and its answer.

    PyGithub keeps the request on a connection that all callers share, between two calls: threads would mix them up.
    """

    def __init__(self, send: Callable[..., _Answer]) -> None:
        self._send = send

    def request(
        self, verb: str, url: str, body: str | None, headers: Mapping[str, str], stream: bool = False
    ) -> None:
        self._asked = (verb, url, body, headers)

    def getresponse(self) -> _Answer:
        return self._send(*self._asked)


class _Transport(Requester):
    """A Requester of PyGithub's whose every JSON request has an exchange of its own."""

    send: Callable[..., _Answer]

    def requestJsonAndCheck(  # noqa: N802 -- PyGithub's name
        self, verb: str, url: str, *args: Any, **keywords: Any
    ) -> tuple[dict[str, Any], Any]:
        # Documents name their own addresses. Only the path of those counts, so that the token goes nowhere else, and
        # a GitHub that is reached under another name than its own works.
        if not url.startswith("/"):
            own, named = urlsplit(self.base_url), urlsplit(url)
            url = urlunsplit(("", "", named.path.removeprefix(own.path), named.query, ""))
        return super().requestJsonAndCheck(verb, url, *args, **keywords)

    def requestJson(  # noqa: N802 -- PyGithub's name
        self,
        verb: str,
        url: str,
        parameters: dict[str, Any] | None = None,
        headers: dict[str, Any] | None = None,
        input: Any | None = None,  # noqa: A002 -- PyGithub's name
        cnx: Any = None,
        follow_302_redirect: bool = False,
    ) -> tuple[int, dict[str, Any], str]:
        exchange = cast(Any, _Exchange(self.send))
        return super().requestJson(verb, url, parameters, headers, input, exchange, follow_302_redirect)


class Client:
    """The connection to one GitHub, for any number of threads. `calls` counts requests by HTTP method.

    Lists are asked for conditionally: an unchanged one does not count against the rate limit (facts/products.md, 5.9).
    A single pull request is always asked for anew, because what is merged must be what was judged.
    """

    def __init__(self, token: Callable[[], str], api_url: str, timeout: float, per_page: int = 100) -> None:
        """`token` is called for every request and kept nowhere; `timeout` in seconds; lists come in pages."""
        self.calls: Counter[str] = Counter()
        self._origin = "{0.scheme}://{0.netloc}".format(urlsplit(api_url))
        self._timeout = timeout
        self._known: OrderedDict[tuple[str, str], _Answer] = OrderedDict()
        self._lock = threading.Lock()
        self._session = requests.Session()
        self._session.auth = lambda request: request  # otherwise requests looks into ~/.netrc
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=_READS_AGAIN, pool_maxsize=16))
        self._transport = _Transport(
            auth=_FreshToken(token),
            base_url=api_url.rstrip("/"),
            timeout=int(timeout),
            user_agent="gitops-bot",
            per_page=per_page,
            verify=True,
            retry=_READS_AGAIN,
            pool_size=16,
            lazy=True,
            api_version=API_VERSION,
        )
        self._transport.send = self._send

    def repository(self, name: str) -> Repository:
        """A handle on `owner/name`; asks nothing."""
        return Repository(self._transport, url=f"/repos/{name}")

    def login(self) -> str:
        """The login that the token belongs to; asks every time."""
        return AuthenticatedUser(self._transport, url="/user").login

    def _send(self, verb: str, path: str, body: str | None, headers: Mapping[str, str]) -> _Answer:
        key = (path, headers.get("Accept", "")) if verb == "GET" and "?" in path else None
        with self._lock:
            self.calls[verb] += 1
            known = self._known.get(key) if key else None
        if known is not None:
            headers = {**headers, "If-None-Match": known.headers["etag"]}
        response = self._session.request(
            verb,
            self._origin + path,
            data=body,
            headers=headers,
            timeout=self._timeout,
            allow_redirects=False,
        )
        if response.status_code == 304 and known is not None:
            return known
        fresh = {name.lower(): value for name, value in response.headers.items()}
        answer = _Answer(response.status_code, fresh, response.content.decode("utf-8", "replace"))
        if answer.status < 300 and answer.text[:1] not in {"", "{", "["}:
            raise Retryable(f"what answers at {self._origin} does not speak as GitHub does")
        if key and answer.status == 200 and "etag" in fresh:
            self._remember(key, answer)
        return answer

    def _remember(self, key: tuple[str, str], answer: _Answer) -> None:
        with self._lock:
            self._known[key] = answer
            self._known.move_to_end(key)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
