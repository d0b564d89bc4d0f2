"""Telling people, over real sockets: everybody hears of it, repeats carry the same id, and no address is shown."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bot.adapters.notify import Webhooks
from bot.adapters.notify.places import SIGNATURE, Untold, signature, tell
from bot.ports import Notice, Retryable
from tests.parts import free_port

pytestmark = pytest.mark.world

NOTICE = Notice(
    "fraud/production:abc",
    "fraud/production",
    "fraud/production: a person must look",
    "Version 7 and version 6 fail; äöü <b>",
    "https://bot.acme.dev/targets/fraud/production",
)


class Receiver:
    """A webhook receiver with its address, what came, and what it answers."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.status = 200
        self.came: list[tuple[str, dict[str, str], bytes]] = []


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            receiver.came.append((self.path, dict(self.headers), body))
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def place(url: str) -> Callable[[], str]:
    """A secret that holds this URL."""
    return lambda: url


def through_apprise(receiver: Receiver) -> str:
    """The receiver's address as Apprise writes it."""
    return f"{receiver.url.replace('http', 'json')}/hook-s3cret"


def test_a_webhook_gets_the_notice_as_signed_json_with_its_id() -> None:
    with receiving() as receiver:
        Webhooks([place(f"{receiver.url}/hook?x=1#s3cret-key")]).tell(NOTICE)
    path, headers, body = receiver.came[0]
    assert path == "/hook?x=1"
    assert headers[SIGNATURE] == signature("s3cret-key", body)
    assert headers["X-GitOps-Bot-Delivery"] == NOTICE.id
    assert json.loads(body) == {
        "id": NOTICE.id,
        "target": NOTICE.target,
        "title": NOTICE.title,
        "text": NOTICE.text,
        "url": NOTICE.url,
    }


def test_a_webhook_without_a_key_gets_it_unsigned_and_a_login_goes_into_its_header() -> None:
    with receiving() as receiver:
        Webhooks([place(receiver.url.replace("//", "//me:pw@"))]).tell(NOTICE)
        Webhooks([place(receiver.url)]).tell(NOTICE)
    assert SIGNATURE not in receiver.came[0][1]
    assert receiver.came[0][1]["Authorization"] == "Basic bWU6cHc="
    assert "Authorization" not in receiver.came[1][1]


def test_a_service_that_apprise_knows_is_told_in_its_own_form() -> None:
    with receiving() as receiver:
        Webhooks([place(through_apprise(receiver))]).tell(NOTICE)
    path, _, body = receiver.came[0]
    told = json.loads(body)
    assert path == "/hook-s3cret"
    assert told["title"] == NOTICE.title
    assert told["message"] == f"{NOTICE.text}\n{NOTICE.url}"
    assert told["type"] == "failure"


@pytest.mark.parametrize(
    ("url", "service"),
    [
        ("https://hooks.slack.com/services/T1234567890/B1234567890/abcdefghijklmnopqrstuvwx", "Slack"),
        ("https://discord.com/api/webhooks/1234567890/abcdefghijklmnop", "Discord"),
        ("pagerduty://integrationkey@apikey", "Pager Duty"),
        ("mailtos://me:pw@mail.acme.dev?to=oncall@acme.dev", "E-Mail"),
    ],
)
def test_the_addresses_that_services_show_are_known(url: str, service: str) -> None:
    from bot.adapters.notify.places import _service

    assert _service(url).service_name == service


def test_one_place_that_fails_does_not_keep_the_others_from_being_told() -> None:
    def unreadable() -> str:
        raise Retryable("the environment variable PAGER is empty or not set")

    with receiving() as good, receiving() as bad:
        bad.status = 500
        places = [
            place(f"{bad.url}/s3cret"),
            place(through_apprise(bad)),
            unreadable,
            place("https://[s3cret"),
            place("http://s3cret.acme.dev/"),
            place("nonsense-s3cret"),
            place(f"http://127.0.0.1:{free_port()}/s3cret"),
            place(good.url),
            place(through_apprise(good)),
        ]
        with pytest.raises(Retryable) as caught:
            Webhooks(places).tell(NOTICE)
    said = str(caught.value)
    assert len(good.came) == 2
    assert "place 1 of `notify:`: the webhook answers 500" in said
    assert "place 2 of `notify:`: JSON did not take the notice" in said
    assert "place 3 of `notify:`: the environment variable PAGER is empty or not set" in said
    assert "place 4 of `notify:`: its URL cannot be read" in said
    assert "place 5 of `notify:`: its URL is neither" in said
    assert "place 6 of `notify:`: its URL is neither" in said
    assert "place 7 of `notify:`: the webhook cannot be reached (ConnectionError)" in said
    assert "place 8" not in said
    assert "s3cret" not in said


def test_a_repeat_tells_only_those_who_were_not_told_and_with_the_same_id() -> None:
    with receiving() as first, receiving() as second:
        webhooks = Webhooks([place(first.url), place(second.url)])
        second.status = 503
        for _ in range(2):
            with pytest.raises(Retryable):
                webhooks.tell(NOTICE)
        second.status = 204
        webhooks.tell(NOTICE)
        webhooks.tell(NOTICE)
    assert len(first.came) == 1
    assert [json.loads(body)["id"] for _, _, body in second.came] == [NOTICE.id] * 3


def test_another_notice_is_told_to_everybody_and_a_new_process_tells_again() -> None:
    with receiving() as receiver:
        webhooks = Webhooks([place(receiver.url)])
        webhooks.tell(NOTICE)
        webhooks.tell(Notice("other\r\nX-Evil: 1 ü", "t", "t", "t"))
        Webhooks([place(receiver.url)]).tell(NOTICE)
    assert len(receiver.came) == 3
    assert "X-Evil" not in receiver.came[1][1]
    assert json.loads(receiver.came[1][2])["id"] == "other\r\nX-Evil: 1 ü"


@pytest.mark.parametrize("status", [301, 302, 307, 308, 404])
def test_a_redirect_is_not_followed_and_counts_as_not_told(status: int) -> None:
    with receiving() as receiver:
        receiver.status = status
        with pytest.raises(Untold):
            tell(receiver.url, NOTICE, 5)
        with pytest.raises(Untold):
            tell(through_apprise(receiver), NOTICE, 5)
    assert len(receiver.came) == 2


def test_nobody_to_tell_is_fine() -> None:
    Webhooks([]).tell(NOTICE)


def test_no_address_is_logged_or_shown(caplog: pytest.LogCaptureFixture) -> None:
    with receiving() as receiver, caplog.at_level(logging.DEBUG):
        caplog.set_level(logging.WARNING, "urllib3")  # as bot.wiring.logs sets it
        receiver.status = 500
        places = [
            place(f"{receiver.url}/s3cret#k3y"),
            place(through_apprise(receiver)),
            place("slack://s3cret"),
        ]
        webhooks = Webhooks(places)
        with pytest.raises(Retryable) as caught:
            webhooks.tell(NOTICE)
    told = caplog.text + repr(webhooks) + repr(caught.value)
    assert "s3cret" not in told
    assert "k3y" not in told
