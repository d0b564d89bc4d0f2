"""MLflow's deliveries: the recorded ones, hostile ones, and live ones from a real server."""

import base64
import hashlib
import hmac
import json
import queue
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.names import version_tag
from bot.sandbox.serving import Server, serving
from bot.sandbox.tracking import TrackingServer
from bot.web.webhooks.mlflow import (
    DELIVERY_ID,
    SIGNATURE,
    TIMESTAMP,
    TOLERANCE,
    BadDelivery,
    BadSignature,
    Hint,
    interpret,
    verify,
)

RECORDINGS = Path(__file__).with_name("deliveries") / "mlflow.jsonl"


@dataclass(frozen=True)
class Recorded:
    """One request that a real MLflow server sent, and the secret that its webhook had."""

    recording: str
    method: str
    secret: str
    headers: dict[str, str]
    body: bytes

    @property
    def sent_at(self) -> datetime:
        return datetime.fromtimestamp(int(self.headers[TIMESTAMP]), UTC)

    def verify(self, **changed: Any) -> None:
        verify(
            changed.get("secrets", [self.secret]),
            changed.get("headers", self.headers),
            changed.get("body", self.body),
            changed.get("now", self.sent_at),
        )


def recorded() -> list[Recorded]:
    """All of them, in the order of the recordings."""
    lines = [json.loads(line) for line in RECORDINGS.read_text(encoding="utf-8").splitlines()]
    return [Recorded(**{**line, "body": line["body"].encode()}) for line in lines]


ALL = recorded()
SIGNED = [one for one in ALL if one.method == "POST" and SIGNATURE in one.headers]
names = {"ids": lambda one: one.recording}


@pytest.mark.parametrize("delivery", SIGNED, **names)
def test_every_recorded_delivery_verifies_and_can_be_interpreted(delivery: Recorded) -> None:
    delivery.verify()
    assert interpret(delivery.body).event.partition(".")[0] in delivery.body.decode()


def test_the_recordings_are_all_there() -> None:
    assert len(ALL) == 89
    assert len(SIGNED) == 80


@pytest.mark.parametrize("delivery", [one for one in ALL if one not in SIGNED], **names)
def test_a_delivery_without_a_signature_or_without_its_body_is_refused(delivery: Recorded) -> None:
    with pytest.raises(BadSignature):
        delivery.verify()


def flips(content: bytes) -> Iterator[bytes]:
    """The content with one byte changed, for each position."""
    for position, byte in enumerate(content):
        for other in (byte ^ 1, byte ^ 0x20):
            yield content[:position] + bytes([other]) + content[position + 1 :]


@pytest.mark.parametrize("delivery", SIGNED[:: len(SIGNED) // 12], **names)
def test_one_changed_byte_anywhere_does_not_verify(delivery: Recorded) -> None:
    tried = 0
    for body in flips(delivery.body):
        with pytest.raises(BadSignature):
            delivery.verify(body=body)
        tried += 1
    for name in (DELIVERY_ID, TIMESTAMP, SIGNATURE):
        for value in flips(delivery.headers[name].encode()):
            with pytest.raises(BadSignature):
                delivery.verify(headers={**delivery.headers, name: value.decode("latin-1")})
            tried += 1
    assert tried > 2 * len(delivery.body)


ONE = SIGNED[0]


@pytest.mark.parametrize("rest", ["", " ", "\n", "="])
def test_a_signature_with_something_after_it_does_not_verify(rest: str) -> None:
    headers = {**ONE.headers, SIGNATURE: ONE.headers[SIGNATURE] + rest}
    if rest:
        with pytest.raises(BadSignature, match="does not fit"):
            ONE.verify(headers=headers)
    else:
        ONE.verify(headers=headers)


def test_header_names_may_have_any_case() -> None:
    ONE.verify(headers={name.upper(): value for name, value in ONE.headers.items()})


def test_the_old_secret_verifies_as_long_as_it_is_listed() -> None:
    ONE.verify(secrets=["the new one", ONE.secret])
    with pytest.raises(BadSignature, match="another secret"):
        ONE.verify(secrets=["the new one"])


@pytest.mark.parametrize("secrets", [[], [""]])
def test_without_a_secret_nothing_is_believed_not_even_what_is_signed_with_none(secrets: list[str]) -> None:
    content = b".".join((b"id", b"1795398718", b"{}"))
    signature = base64.b64encode(hmac.digest(b"", content, hashlib.sha256)).decode()
    headers = {DELIVERY_ID: "id", TIMESTAMP: "1795398718", SIGNATURE: f"v1,{signature}"}
    with pytest.raises(BadSignature, match="no secret"):
        verify(secrets, headers, b"{}", datetime.fromtimestamp(1795398718, UTC))


@pytest.mark.parametrize("age", [timedelta(0), timedelta(seconds=130), TOLERANCE, -TOLERANCE])
def test_mlflows_own_retries_and_clocks_that_differ_are_tolerated(age: timedelta) -> None:
    ONE.verify(now=ONE.sent_at + age)


@pytest.mark.parametrize(
    ("age", "said"), [(TOLERANCE, "301 s old"), (-TOLERANCE, "301 s ahead of our clock")]
)
def test_a_delivery_from_long_ago_or_from_the_future_is_refused(age: timedelta, said: str) -> None:
    beyond = age + timedelta(seconds=1 if age > timedelta(0) else -1)
    with pytest.raises(BadSignature, match=said):
        ONE.verify(now=ONE.sent_at + beyond)


@pytest.mark.parametrize(
    "seconds", ["", "soon", "-1", "１７９５３９８７１８", "1795398718.0", "9" * 40, " 1795398718"]
)
def test_a_timestamp_that_is_none_is_refused(seconds: str) -> None:
    with pytest.raises(BadSignature):
        ONE.verify(headers={**ONE.headers, TIMESTAMP: seconds})


@pytest.mark.parametrize("seconds", ["0", "99999999999", "9" * 40])
def test_a_timestamp_that_no_clock_shows_is_refused_even_when_it_is_signed(seconds: str) -> None:
    content = b".".join((b"id", seconds.encode(), b"{}"))
    signature = base64.b64encode(hmac.digest(b"secret", content, hashlib.sha256)).decode()
    headers = {DELIVERY_ID: "id", TIMESTAMP: seconds, SIGNATURE: f"v1,{signature}"}
    with pytest.raises(BadSignature):
        verify(["secret"], headers, b"{}", ONE.sent_at)


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.sampled_from([DELIVERY_ID, TIMESTAMP, SIGNATURE, "Host"]), st.text()), st.binary())
def test_no_header_and_no_body_makes_verify_crash(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(BadSignature):
        verify(["secret"], headers, body, datetime(2026, 11, 24, tzinfo=UTC))


# --- What a delivery hints at ----------------------------------------------------------------------


def hint_of(recording: str) -> Hint:
    """What the recorded delivery hints at."""
    return interpret(next(one for one in ALL if one.recording == recording).body)


@pytest.mark.parametrize(
    ("recording", "hint"),
    [
        ("00-create_registered_model", Hint("registered_model.created", "churn")),
        ("01-log_model_registered_v1", Hint("model_version.created", "churn", "1")),
        ("06-set_model_version_tag", Hint("model_version_tag.set", "churn", "1", key="validation_status")),
        (
            "07-delete_model_version_tag",
            Hint("model_version_tag.deleted", "churn", "1", key="validation_status"),
        ),
        ("10-set_alias_move_to_v2", Hint("model_version_alias.created", "churn", "2", "champion")),
        ("12-delete_alias", Hint("model_version_alias.deleted", "churn", None, "champion")),
        ("27-alias_unicode", Hint("model_version_alias.created", "fraud-détection model", "1", "Champion-Ü")),
        ("17-register_prompt", Hint("prompt.created")),
        ("20-set_prompt_alias", Hint("prompt_alias.created")),
        ("test-budget_policy.exceeded", Hint("budget_policy.exceeded")),
        (
            "test-model_version_alias.created",
            Hint("model_version_alias.created", "example_model", "1", "example_alias"),
        ),
        (
            "workspace-leak-1",
            Hint("registered_model.created", "m-team-c-1795399558272432481", workspace="team-b"),
        ),
    ],
)
def test_a_delivery_names_the_model_that_may_have_changed(recording: str, hint: Hint) -> None:
    assert hint_of(recording) == hint


def test_the_echo_of_the_bots_own_tag_is_recognised_and_no_other_tag_is() -> None:
    def tag(key: str) -> bytes:
        data = {"name": "churn", "version": "1", "key": key, "value": "live"}
        return json.dumps({"entity": "model_version_tag", "action": "set", "data": data}).encode()

    assert interpret(tag(version_tag("churn/production", "state"))).own
    assert not interpret(tag("gitops-botany")).own
    assert not interpret(tag("deploy")).own


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"entity": "model_version"}',
        b'{"entity": "model_version", "action": "created", "data": []}',
        b'{"entity": "model_version", "action": "created", "data": {}}',
        b'{"entity": "model_version", "action": "created", "data": {"name": ["churn"]}}',
        b'{"entity": "model_version", "action": "created", "data": {"name": "\\ud800"}}',
        b'{"entity": "model_version\\n", "action": "created", "data": {"name": "churn"}}',
        b'{"entity": "model_version", "action": "<b>", "data": {"name": "churn"}}',
        b'{"entity": "prompt", "action": "created", "workspace": 7, "data": {}}',
        b'{"event": "MODEL_VERSION_TRANSITIONED_STAGE", "model_name": "churn", "version": "8"}',
        b'{"entity": ' + b"9" * 10_000 + b"}",
        b'{"entity": "model_version", "action": "created", "data": {"name": "' + b"x" * 1_000_001 + b'"}}',
    ],
    ids=lambda body: body[:60],
)
def test_what_mlflow_does_not_send_is_refused_with_a_sentence(body: bytes) -> None:
    with pytest.raises(BadDelivery, match=r"\w+ \w+"):
        interpret(body)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
almost = st.fixed_dictionaries(
    {},
    optional={
        "entity": st.sampled_from(["model_version", "model_version_alias", "prompt"]) | anything,
        "action": st.sampled_from(["created", "set"]) | anything,
        "workspace": anything,
        "data": st.dictionaries(st.sampled_from(["name", "version", "alias", "key"]), anything) | anything,
    },
)


@settings(deadline=None, max_examples=60)
@given(st.binary() | almost.map(lambda document: json.dumps(document).encode()))
def test_no_body_makes_interpret_crash(body: bytes) -> None:
    try:
        hint = interpret(body)
    except BadDelivery:
        return
    for text in (hint.event, hint.model, hint.version, hint.alias, hint.key, hint.workspace):
        assert text is None or text.encode("utf-8") is not None


# --- Live ------------------------------------------------------------------------------------------


@pytest.fixture
def received() -> Iterator[tuple[Server, "queue.Queue[tuple[dict[str, str], bytes]]"]]:
    """A receiver on loopback and what it got."""
    inbox: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        headers = {
            key[5:].replace("_", "-"): value for key, value in environ.items() if key.startswith("HTTP_")
        }
        inbox.put((headers, environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))))
        start_response("202 Accepted", [])
        return []

    with serving(app) as server:
        yield server, inbox


@pytest.mark.world
@pytest.mark.xdist_group("mlflow")
def test_live_deliveries_verify_at_once_and_hint_at_the_model(
    tracking: TrackingServer, received: tuple[Server, "queue.Queue[tuple[dict[str, str], bytes]]"]
) -> None:
    server, inbox = received
    secret = "live-secret-ünï"
    events = ["registered_model.created", "model_version_alias.created", "model_version_tag.set"]
    tracking.create_webhook(f"{server.url}/webhook/mlflow", secret, events)
    registry = f"{tracking.url}/api/2.0/mlflow"
    model = f"live {urllib.parse.quote('ü')} {time.time_ns()}"
    before = time.monotonic()
    own = {"name": model, "version": "1", "key": version_tag("churn/production", "state"), "value": "live"}
    calls = {
        "registered-models/create": {"name": model},
        "model-versions/create": {"name": model, "source": "s3://nowhere/model"},
        "registered-models/alias": {"name": model, "alias": "champion", "version": "1"},
        "model-versions/set-tag": own,
    }
    hints = []
    for path, body in calls.items():
        assert requests.post(f"{registry}/{path}", json=body, timeout=10).ok, path
        if path != "model-versions/create":
            headers, sent = inbox.get(timeout=10)
            verify([secret], headers, sent, datetime.now(UTC))
            hints.append(interpret(sent))
    assert [hint.event for hint in hints] == events
    assert {hint.model for hint in hints} == {model}
    assert [hint.own for hint in hints] == [False, False, True]
    assert time.monotonic() - before < 10
