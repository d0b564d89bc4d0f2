"""Argo CD behind proxies: answers that trickle, are compressed, or ask to stay away."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler

import pytest

from bot.adapters.argocd import ArgoCDCluster
from bot.core.target import ArgoCD
from bot.core.verdict import Claim, Outcome, Verdict
from tests.adapters.listening import Quiet, listening
from tests.recordings.reader import changes

pytestmark = pytest.mark.world

LIVE = [change["object"] for change in changes("argocd", "02-image-bump") if change["object"]["kind"] == "Application"][-1]  # fmt: skip
CLAIM = Claim(
    LIVE["status"]["sync"]["revision"],
    "127.0.0.1:5000/web:good-2",
    datetime(2026, 11, 23, 7, 3, 6, tzinfo=UTC),
    timedelta(seconds=3),
    timedelta(minutes=10),
)


@contextmanager
def served(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[tuple[str, list[str]]]:
    """A server that answers like this; yields its address and the paths that were asked for."""
    asked: list[str] = []

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            answer(self)

    with listening(Handler) as port:
        yield f"http://127.0.0.1:{port}", asked


def looked(url: str, timeout: float = 5) -> Verdict:
    cluster = ArgoCDCluster(url, lambda: "t0ken", timeout=timeout)
    return cluster.look(ArgoCD("web", "shop"), CLAIM, CLAIM.merged_at + timedelta(seconds=30))


def test_a_compressed_answer_below_a_base_path_is_read() -> None:
    """`--rootpath`, and what an ingress does to answers."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        body = gzip.compress(json.dumps(LIVE).encode())
        request.send_response(200)
        request.send_header("Content-Encoding", "gzip")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    with served(answer) as (url, asked):
        assert looked(f"{url}/tools/argocd/").outcome is Outcome.SUCCEEDED
    assert asked == ["/tools/argocd/api/v1/applications/web?project=shop"]


def test_an_answer_that_trickles_for_ever_holds_nobody_up() -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        for _ in range(200):
            try:
                request.wfile.write(b" ")
                request.wfile.flush()
            except OSError:
                return
            time.sleep(0.05)

    with served(answer) as (url, _):
        began = time.monotonic()
        verdict = looked(url, timeout=0.3)
    assert time.monotonic() - began < 3
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "comes too slowly" in verdict.because


@pytest.mark.parametrize(
    ("wait", "seconds"), [("120", 120), ("99999", 3600), ("Wed, 21 Oct 2026 07:28:00 GMT", 30), ("-1", 30)]
)
def test_a_proxy_that_asks_to_stay_away_is_obeyed(wait: str, seconds: int) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(429)
        request.send_header("Retry-After", wait)
        request.send_header("Content-Length", "0")
        request.end_headers()

    with served(answer) as (url, _):
        verdict = looked(url)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.again == timedelta(seconds=seconds)
