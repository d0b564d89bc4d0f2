"""The connection to GitHub, against a small server that answers what a test tells it to."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from bot.adapters.github.ci import GitHubActions
from bot.adapters.github.client import Client
from bot.adapters.github.errors import translated
from bot.adapters.github.forge import GitHubForge
from bot.adapters.github.texts import shortened
from bot.core.model import ProofState
from bot.ports import Refused, Retryable
from bot.sandbox.serving import Server, free_port

pytestmark = pytest.mark.world

SHA = "1" * 40
TARGET = "fraud-detector/production"


Answer = Callable[[str, str], tuple[str, dict[str, str], Any]]


def _nothing(method: str, path: str) -> tuple[str, dict[str, str], Any]:
    return "200 OK", {}, []


class Told:
    """A server on loopback. `answer` says what comes back for (method, path); `seen` are the requests that came."""

    def __init__(self) -> None:
        self.answer: Answer = _nothing
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self._lock = threading.Lock()
        self._server = Server(self).start()
        self.url = self._server.url

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        headers = {
            key[5:].replace("_", "-").lower(): value
            for key, value in environ.items()
            if key.startswith("HTTP_")
        }
        with self._lock:
            self.seen.append((method, path, headers))
        status, sent, body = self.answer(method, path)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = [] if isinstance(body, bytes) else [("Content-Type", "application/json")]
        start_response(status, [*kind, *sent.items()])
        return [content] if status[:3] not in {"204", "304"} else [b""]

    def stop(self) -> None:
        self._server.stop()


@pytest.fixture(scope="module")
def server() -> Iterator[Told]:
    told = Told()
    yield told
    told.stop()


@pytest.fixture
def told(server: Told) -> Told:
    server.seen.clear()
    server.answer = _nothing
    return server


def forge(url: str, **options: Any) -> GitHubForge:
    return GitHubForge("acme/manifests", lambda: "a-secret-token", api_url=url, login="gitops-bot", **options)


def status(
    description: str = "",
    context: str = f"gitops-bot/{TARGET}",
    state: str = "success",
    by: str = "gitops-bot",
) -> dict[str, Any]:
    at, creator = "2026-05-04T10:00:00Z", {"login": by}
    return {
        "context": context,
        "state": state,
        "description": description,
        "created_at": at,
        "creator": creator,
    }


def test_a_status_of_somebody_else_proves_nothing(told: Told) -> None:
    told.answer = lambda method, path: (
        "200 OK",
        {},
        [status("theirs", by="mallory"), status("mine", state="failure")],
    )
    proof = forge(told.url).proof(SHA, TARGET)
    assert (proof.state, proof.sentence) == (ProofState.FAILED, "mine")


# --- Reads are tried again, writes are not ---------------------------------------------------------


def test_a_read_is_tried_again_when_github_fails(told: Told) -> None:
    told.answer = lambda method, path: (
        ("502 Bad Gateway", {}, {}) if len(told.seen) < 3 else ("200 OK", {}, [status("up")])
    )
    assert forge(told.url).proof(SHA, TARGET).sentence == "up"
    assert len(told.seen) == 3


def test_a_read_that_goes_on_failing_is_for_later(told: Told) -> None:
    told.answer = lambda method, path: ("503 Unavailable", {"Retry-After": "7"}, {})
    with pytest.raises(Retryable, match="503") as caught:
        forge(told.url).proof(SHA, TARGET)
    assert caught.value.after == timedelta(seconds=7)
    assert len(told.seen) == 3


def test_a_write_is_sent_once_though_github_fails(told: Told) -> None:
    told.answer = lambda method, path: ("200 OK", {}, []) if method == "GET" else ("502 Bad Gateway", {}, {})
    with pytest.raises(Retryable, match="502"):
        forge(told.url).open(f"gitops-bot/{TARGET}/v7", "title", "body", labels=())
    assert [method for method, _, _ in told.seen].count("POST") == 1


# --- Silence ---------------------------------------------------------------------------------------


def test_nobody_there_is_for_later() -> None:
    with pytest.raises(Retryable, match="did not answer"):
        forge(f"http://127.0.0.1:{free_port()}").proof(SHA, TARGET)


def test_a_slow_answer_is_not_waited_for(told: Told) -> None:
    def slow(method: str, path: str) -> tuple[str, dict[str, str], Any]:
        time.sleep(0.5)
        return "200 OK", {}, []

    told.answer = slow
    with pytest.raises(Retryable, match="did not answer"):
        forge(told.url, timeout=0.1).proof(SHA, TARGET)


def test_a_proxys_page_in_githubs_place_is_for_later(told: Told) -> None:
    told.answer = lambda method, path: (
        "200 OK",
        {"Content-Type": "text/html"},
        b"<html>Please sign in</html>",
    )
    with pytest.raises(Retryable):
        forge(told.url).proof(SHA, TARGET)


def test_half_an_answer_is_for_later(told: Told) -> None:
    told.answer = lambda method, path: ("200 OK", {}, b'[{"context": "gitops')
    with pytest.raises(Retryable):
        forge(told.url).proof(SHA, TARGET)


# --- Limits and refusals ---------------------------------------------------------------------------


def refusal(told: Told, status: str, headers: dict[str, str], message: str) -> Exception:
    told.answer = lambda method, path: (status, headers, {"message": message})
    with pytest.raises((Retryable, Refused)) as caught:
        forge(told.url).proof(SHA, TARGET)
    assert len(told.seen) == 1
    return caught.value


@pytest.mark.parametrize("status", ["429 Too Many Requests", "403 Forbidden"])
def test_a_rate_limit_says_when_to_come_back(told: Told, status: str) -> None:
    error = refusal(told, status, {"Retry-After": "17"}, "You have exceeded a secondary rate limit")
    assert isinstance(error, Retryable)
    assert error.after == timedelta(seconds=17)


def test_a_used_up_hour_is_waited_for_until_its_reset(told: Told) -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 600)}
    error = refusal(told, "403 Forbidden", headers, "API rate limit exceeded for user ID 1.")
    assert isinstance(error, Retryable)
    assert error.after is not None
    assert timedelta(seconds=590) < error.after < timedelta(seconds=602)


def test_a_rate_limit_without_a_time_is_worth_a_minute(told: Told) -> None:
    error = refusal(told, "403 Forbidden", {}, "You have exceeded a secondary rate limit.")
    assert isinstance(error, Retryable)
    assert error.after == timedelta(seconds=60)


@pytest.mark.parametrize(
    ("status", "headers", "message", "said"),
    [
        ("401 Unauthorized", {}, "Bad credentials", "renew"),
        ("403 Forbidden", {"X-Accepted-GitHub-Permissions": "statuses=read"}, "Resource not accessible", "statuses=read"),
        ("404 Not Found", {}, "Not Found", "may not see it"),
        ("451 Unavailable For Legal Reasons", {}, "Repository access blocked", "access blocked"),
    ],
)  # fmt: skip
def test_a_refusal_says_what_a_person_can_do(
    told: Told, status: str, headers: dict[str, str], message: str, said: str
) -> None:
    error = refusal(told, status, headers, message)
    assert isinstance(error, Refused)
    assert said in str(error)
    assert "a-secret-token" not in str(error)


# --- Conditional requests, counting, threads, tokens -----------------------------------------------


def test_an_unchanged_list_is_remembered_and_a_changed_one_is_read(told: Told) -> None:
    current = {"etag": '"a"', "sentence": "first"}

    def conditional(method: str, path: str) -> tuple[str, dict[str, str], Any]:
        if told.seen[-1][2].get("if-none-match") == current["etag"]:
            return "304 Not Modified", {"ETag": current["etag"]}, None
        return "200 OK", {"ETag": current["etag"]}, [status(current["sentence"])]

    told.answer = conditional
    asked = forge(told.url)
    assert [asked.proof(SHA, TARGET).sentence for _ in range(2)] == ["first", "first"]
    assert [headers.get("if-none-match") for _, _, headers in told.seen] == [None, '"a"']
    current.update(etag='"b"', sentence="second")
    assert asked.proof(SHA, TARGET).sentence == "second"
    assert asked.proof(SHA, TARGET).sentence == "second"


def test_requests_are_counted_by_method(told: Told) -> None:
    told.answer = lambda method, path: ("200 OK", {}, []) if method == "GET" else ("502 Bad Gateway", {}, {})
    asked = forge(told.url)
    asked.proof(SHA, TARGET)
    with pytest.raises(Retryable):
        asked.open(f"gitops-bot/{TARGET}/v7", "title", "body", labels=())
    assert dict(asked.calls) == {"GET": 2, "POST": 1}


def test_threads_get_the_answers_to_their_own_questions(told: Told) -> None:
    told.answer = lambda method, path: ("200 OK", {}, [status(path.split("/")[5])])
    asked = forge(told.url)
    commits = [f"{number:040x}" for number in range(100)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda commit: asked.proof(commit, TARGET).sentence, commits))
    assert answers == commits


def test_every_request_carries_the_token_of_the_moment_and_the_pinned_version(told: Told) -> None:
    tokens = iter(["first", "second"])
    asked = GitHubForge("acme/manifests", lambda: next(tokens), api_url=told.url)
    for _ in range(2):
        asked.proof(SHA, TARGET)
    assert [headers["authorization"] for _, _, headers in told.seen] == ["Bearer first", "Bearer second"]
    assert {headers["x-github-api-version"] for _, _, headers in told.seen} == {"2022-11-28"}


def test_the_token_is_in_no_repr(told: Told) -> None:
    client = Client(lambda: "a-secret-token", told.url, 1)
    shown = [repr(forge(told.url)), repr(GitHubActions(lambda: "a-secret-token")), repr(vars(client))]
    assert "a-secret-token" not in "".join(shown)


def test_a_redirect_of_a_renamed_repository_is_followed(told: Told) -> None:
    def renamed(method: str, path: str) -> tuple[str, dict[str, str], Any]:
        if path.startswith("/repos/acme/"):
            return "301 Moved", {"Location": f"{told.url}/repositories/7/commits/{SHA}/statuses"}, {}
        return "200 OK", {}, [status("moved")]

    told.answer = renamed
    assert forge(told.url).proof(SHA, TARGET).sentence == "moved"


def test_a_redirect_to_another_server_is_refused(told: Told) -> None:
    told.answer = lambda method, path: ("301 Moved", {"Location": "http://elsewhere.invalid/"}, {})
    with pytest.raises(Refused, match="elsewhere"):
        forge(told.url).proof(SHA, TARGET)


def test_a_bug_of_ours_is_not_mistaken_for_github() -> None:
    with pytest.raises(ZeroDivisionError), translated("dividing"):
        _ = 1 / 0


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("fits", 4, "fits"),
        ("one two three", 9, "one two…"),
        ("one two three", 8, "one two…"),
        ("one two three", 7, "one…"),
        ("unbroken", 5, "unbr…"),
    ],
)
def test_a_text_is_shortened_on_a_word(text: str, limit: int, short: str) -> None:
    assert shortened(text, limit) == short
    assert len(short) <= limit
