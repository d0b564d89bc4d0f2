"""Calls of Argo CD, Flux and Alertmanager: recorded ones, hostile ones, and what they wake."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.target import AlertsCheck, ArgoCD, Flux, HttpCheck
from bot.sandbox.serving import serving
from bot.web.webhooks import SENDERS, alertmanager, argocd, flux
from bot.web.webhooks.sender import BadDelivery
from tests.web.world import ALERTMANAGER_TOKEN, ARGOCD_TOKEN, FLUX_SECRET, NOW, Web, catalogue, target

FOLDER = Path(__file__).with_name("deliveries")
# What the recordings were made with.
FLUX_KEY, ARGOCD_BEARER = "lab-hmac-key", "lab-fixture-token"

ALERTS = AlertsCheck({"model": "ranker", "severity": "page"})
CATALOGUE = catalogue(
    target("fraud/production", rollout=ArgoCD("fraud")),
    target("fraud/staging", rollout=ArgoCD("fraud", project="staging", namespace="argocd-staging")),
    target("churn/production", rollout=Flux("churn", "apps")),
    target("churn/staging", rollout=Flux("churn", "staging")),
    target("pricing/production", rollout=Flux("pricing", "apps", helm_release="churn")),
    target("pricing/staging", rollout=Flux("pricing", "apps", helm_release="churn", helm_namespace="other")),
    target("ranker/production", rollout=None, verify=(HttpCheck("https://x.test"), ALERTS)),
    target("ranker/staging", rollout=None, verify=(AlertsCheck({"model": "other"}),)),
    target("plain/production", rollout=None),
)
FLUX_TARGETS = ["churn/production", "churn/staging", "pricing/production", "pricing/staging"]
ALERTS_TARGETS = ["ranker/production", "ranker/staging"]


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    world = Web(tmp_path, CATALOGUE)
    yield world
    world.close()


def wire(secret: str) -> str:
    """A header's value as WSGI shows the bytes of this text."""
    return secret.encode().decode("latin-1")


def bearing(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {wire(secret)}", "Content-Type": "application/json"}


def signing(secret: str, body: bytes) -> dict[str, str]:
    return {"X-Signature": f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"}


def headers(sender: str, body: bytes, secret: str | None = None) -> dict[str, str]:
    if sender == "flux":
        return signing(FLUX_SECRET if secret is None else secret, body)
    usual = {"argocd": ARGOCD_TOKEN, "alertmanager": ALERTMANAGER_TOKEN}
    return bearing(usual[sender] if secret is None else secret)


def notification(**fields: Any) -> bytes:
    """Of Argo CD, with the template of facts/products.md, section 1.5."""
    usual = {"kind": "argocd/v1", "trigger_hint": "on-deployed", "app": "fraud", "sync": {"status": "Synced"}}
    return json.dumps({**usual, **fields}).encode()


def event(kind: str = "Kustomization", name: str = "churn", namespace: str = "apps", **fields: Any) -> bytes:
    """Of Flux."""
    involved = {"kind": kind, "namespace": namespace, "name": name, "uid": "596b45af"}
    usual = {"involvedObject": involved, "severity": "error", "reason": "HealthCheckFailed"}
    return json.dumps({**usual, **fields}).encode()


def call(*labels: Mapping[str, str], **fields: Any) -> bytes:
    """Of Alertmanager."""
    alerts = [{"status": "firing", "labels": one, "annotations": {}} for one in labels]
    usual = {"version": "4", "status": "firing", "truncatedAlerts": 0, "alerts": alerts}
    return json.dumps({**usual, **fields}).encode()


BODIES: Mapping[str, bytes] = {
    "argocd": notification(),
    "flux": event(),
    "alertmanager": call({"model": "ranker", "severity": "page"}),
}
WOKEN = {"argocd": "fraud/production", "flux": "churn/production", "alertmanager": "ranker/production"}
each_sender = pytest.mark.parametrize("sender", BODIES)


def send(web: Web, sender: str, body: bytes, **how: Any) -> Any:
    return web.app.test_client().post(f"/webhook/{sender}", data=body, headers=headers(sender, body, **how))


def counted(web: Web, sender: str, result: str) -> float | None:
    labels = {"sender": sender, "result": result}
    return web.metrics.registry.get_sample_value("gitops_bot_webhooks_total", labels)


# --- What they wake --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "woken"),
    [
        (notification(), ["fraud/production", "fraud/staging"]),
        (notification(namespace="argocd", project="default"), ["fraud/production"]),
        (notification(namespace="argocd-staging", project="staging"), ["fraud/production", "fraud/staging"]),
        (notification(namespace="<no value>", project=""), ["fraud/production", "fraud/staging"]),
        (notification(app="fraud-2"), []),
        (notification(app="churn"), []),
    ],
)
def test_argo_cd_wakes_the_targets_of_the_application(web: Web, body: bytes, woken: list[str]) -> None:
    answer = send(web, "argocd", body)
    assert (answer.status_code, answer.json) == (202, {"woken": woken})
    assert web.queue.names == woken
    assert web.journal.deliveries()[0].event == "on-deployed"


@pytest.mark.parametrize(
    ("body", "woken"),
    [
        (event(), ["churn/production"]),
        (event(namespace="staging"), ["churn/staging"]),
        (event(name="pricing"), ["pricing/production", "pricing/staging"]),
        (event("HelmRelease"), ["pricing/production"]),
        (event("HelmRelease", namespace="other"), ["pricing/staging"]),
        (event("GitRepository", "fleet", "flux-system"), FLUX_TARGETS),
        (event("OCIRepository", "fleet", "flux-system"), FLUX_TARGETS),
        (event("Kustomization", "fraud"), []),
        (event("HelmRelease", "pricing"), []),
        (event("ImagePolicy"), []),
    ],
)
def test_flux_wakes_the_targets_of_the_object(web: Web, body: bytes, woken: list[str]) -> None:
    answer = send(web, "flux", body)
    assert (answer.status_code, answer.json) == (202, {"woken": woken})
    assert web.queue.names == woken


@pytest.mark.parametrize(
    ("body", "woken"),
    [
        (call({"model": "ranker", "severity": "page", "pod": "x"}), ["ranker/production"]),
        (call({"model": "ranker", "severity": "warning"}), []),
        (call({"model": "ranker"}), []),
        (call({"alertname": "Watchdog"}, {"model": "other"}), ["ranker/staging"]),
        (call({"alertname": "Watchdog"}), []),
        (call({"alertname": "Watchdog"}, truncatedAlerts=3), ALERTS_TARGETS),
        (call(), ALERTS_TARGETS),
        (call({"model": "other"}, status="resolved"), ["ranker/staging"]),
    ],
)
def test_alertmanager_wakes_the_targets_that_ask_for_such_alerts(
    web: Web, body: bytes, woken: list[str]
) -> None:
    answer = send(web, "alertmanager", body)
    assert (answer.status_code, answer.json) == (202, {"woken": woken})
    assert web.queue.names == woken


@each_sender
def test_what_is_said_again_wakes_again_and_is_stored_once(web: Web, sender: str) -> None:
    for _ in range(2):
        assert WOKEN[sender] in send(web, sender, BODIES[sender]).json["woken"]
    assert web.queue.names.count(WOKEN[sender]) == 2
    (stored,) = web.journal.deliveries()
    assert (stored.sender, stored.received_at) == (sender, NOW)
    assert (counted(web, sender, "accepted"), counted(web, sender, "repeated")) == (1, 1)


@each_sender
def test_with_the_database_down_the_sender_is_asked_to_retry_and_the_target_is_woken_all_the_same(
    web: Web, sender: str
) -> None:
    web.break_journal()
    assert send(web, sender, BODIES[sender]).status_code == 503
    assert WOKEN[sender] in web.queue.names
    assert counted(web, sender, "unavailable") == 1


# --- Who is believed -------------------------------------------------------------------------------


@each_sender
def test_either_of_two_secrets_is_good_while_one_is_rotated(web: Web, sender: str) -> None:
    assert send(web, sender, BODIES[sender], secret="the next one").status_code == 202


@each_sender
@pytest.mark.parametrize("secret", ["", "guessed", "the next one ", "the next", "THE NEXT ONE", "ü" * 5000])
def test_who_does_not_know_the_secret_is_not_believed(web: Web, sender: str, secret: str) -> None:
    if sender != "flux":
        secret = secret.strip()  # blanks around a header's value are not part of it
    answer = send(web, sender, BODIES[sender], secret=secret if secret != "the next one" else "next one")
    assert answer.status_code == 401
    assert answer.json["error"]
    assert (web.queue.names, list(web.journal.deliveries())) == ([], [])
    assert counted(web, sender, "bad signature") == 1


@each_sender
def test_without_a_configured_secret_nobody_is_believed(tmp_path: Path, sender: str) -> None:
    for number, none in enumerate((tuple, lambda: ("",))):
        world = Web(tmp_path / str(number), CATALOGUE, {f"{sender}_secrets": none})
        for secret in ("", "guessed"):
            assert send(world, sender, BODIES[sender], secret=secret).status_code == 401
        bare = world.app.test_client().post(f"/webhook/{sender}", data=BODIES[sender])
        assert (bare.status_code, world.queue.names) == (401, [])
        world.close()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"Authorization": "Bearer the next one"}, 202),
        ({"Authorization": "bearer the next one"}, 202),
        ({"X-Gitops-Bot-Token": "the next one"}, 202),
        ({"X-Gitops-Bot-Token": "the next one", "Authorization": "Basic Zm9yOnRoZXByb3h5"}, 202),
        ({"X-Gitops-Bot-Token": "the next one", "Authorization": "Bearer guessed"}, 401),
        ({"X-Gitops-Bot-Token": "Bearer the next one"}, 401),
        ({"Authorization": "the next one"}, 401),
        ({"Authorization": "Basic the next one"}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({}, 401),
    ],
)
@pytest.mark.parametrize("sender", ["argocd", "alertmanager"])
def test_the_token_stands_in_one_of_two_headers(
    web: Web, sender: str, sent: dict[str, str], status: int
) -> None:
    client = web.app.test_client()
    answer = client.post(f"/webhook/{sender}", data=BODIES[sender], headers=sent)
    assert answer.status_code == status


@pytest.mark.world
def test_a_token_of_any_characters_is_believed_over_a_real_socket(web: Web) -> None:
    with serving(web.app) as server:
        for sender in ("argocd", "alertmanager"):
            sent = {"Authorization": f"Bearer {ARGOCD_TOKEN}".encode()}
            answer = requests.post(
                f"{server.url}/webhook/{sender}", data=BODIES[sender], headers=sent, timeout=10
            )
            assert answer.status_code == (202 if sender == "argocd" else 401)


def test_one_changed_byte_of_a_signed_body_is_not_believed(web: Web) -> None:
    body = event()
    sent = signing(FLUX_SECRET, body)
    client = web.app.test_client()
    for place in range(0, len(body), 7):
        changed = bytes(byte ^ (index == place) for index, byte in enumerate(body))
        assert client.post("/webhook/flux", data=changed, headers=sent).status_code == 401
    for wrong in (
        "",
        sent["X-Signature"].upper(),
        sent["X-Signature"][7:],
        f"sha512{sent['X-Signature'][6:]}",
    ):
        answer = client.post("/webhook/flux", data=body, headers={"X-Signature": wrong})
        assert answer.status_code == 401
    assert web.queue.names == []


@each_sender
def test_secrets_of_another_sender_are_not_believed(web: Web, sender: str) -> None:
    others = {"argocd": ALERTMANAGER_TOKEN, "flux": ARGOCD_TOKEN, "alertmanager": ARGOCD_TOKEN}
    assert send(web, sender, BODIES[sender], secret=others[sender]).status_code == 401


# --- Recordings ------------------------------------------------------------------------------------


def recorded(sender: str) -> list[dict[str, Any]]:
    lines = (FOLDER / f"{sender}.jsonl").read_text(encoding="utf-8").splitlines()
    return [{**one, "body": one["body"].encode()} for one in map(json.loads, lines)]


def test_every_recorded_event_of_flux_verifies_and_is_understood(tmp_path: Path) -> None:
    objects = catalogue(
        target("shop/production", rollout=Flux("shop", "fx-03")),
        target("shop/staging", rollout=Flux("other", "fx-09", helm_release="shop")),
    )
    world = Web(tmp_path, objects, {"flux_secrets": lambda: [FLUX_KEY]})
    client = world.app.test_client()
    deliveries = recorded("flux")
    assert len(deliveries) == 12
    for one in deliveries:
        answer = client.post("/webhook/flux", data=one["body"], headers=one["headers"])
        assert answer.status_code == 202, answer.json
        more = client.post("/webhook/flux", data=one["body"] + b"\n", headers=one["headers"])
        assert more.status_code == 401
    told = {item.event for item in world.journal.deliveries()}
    assert {
        "GitRepository NewArtifact",
        "Kustomization HealthCheckFailed",
        "HelmRelease RollbackSucceeded",
    } <= told
    assert set(world.queue.names) == {"shop/production", "shop/staging"}
    world.close()


def test_every_recorded_notification_of_argo_cd_is_understood_but_those_without_a_body_section(
    tmp_path: Path,
) -> None:
    objects = catalogue(target("web/production", rollout=ArgoCD("web-a", "default", "argocd")))
    world = Web(tmp_path, objects, {"argocd_secrets": lambda: [ARGOCD_BEARER]})
    client = world.app.test_client()
    deliveries = recorded("argocd")
    assert len(deliveries) == 9
    for one in deliveries:
        answer = client.open(
            "/webhook/argocd", method=one["method"], data=one["body"], headers=one["headers"]
        )
        assert answer.status_code == (202 if one["method"] == "POST" else 405)
    text = next(one["body"] for one in deliveries if one["method"] == "GET")
    refused = client.post("/webhook/argocd", data=text, headers=bearing(ARGOCD_BEARER))
    assert (refused.status_code, "webhook section" in refused.json["error"]) == (400, True)
    told = [item.event for item in world.journal.deliveries()]
    assert "app-health-degraded" in told
    assert len(world.queue.names) == sum(b'"app":"web-a"' in one["body"] for one in deliveries) == 4
    world.close()


# --- Bodies that no sender has ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "body"),
    [(sender, body) for sender in BODIES for body in (b"", b"[]", b"null", b"\xff", b"{}", b"[" * 100_000, b"payload=%7B%7D")]
    + [("argocd", notification(app=name)) for name in (None, "", "<no value>", 7, ["fraud"], {"a": 1})]
    + [("argocd", notification(namespace=7)), ("argocd", notification(project=[]))]
    + [("flux", event(involvedObject=other)) for other in (None, [], "x", {}, {"kind": "Kustomization", "name": "churn"})]
    + [("flux", event(name=name)) for name in (None, "", 7)]  # type: ignore[arg-type]
    + [("alertmanager", call(alerts=other)) for other in (None, {}, [7], [{}], [{"labels": []}], [{"labels": {"a": 1}}])],
)  # fmt: skip
def test_a_body_that_its_sender_never_sends_is_refused_with_a_sentence(
    web: Web, sender: str, body: bytes
) -> None:
    answer = send(web, sender, body)
    assert answer.status_code == 400
    assert len(answer.json["error"]) > 10
    assert (web.queue.names, list(web.journal.deliveries())) == ([], [])
    assert counted(web, sender, "malformed") == 1


def test_words_of_a_stranger_are_stored_only_where_they_are_plain(web: Web) -> None:
    hostile = ("<b>x</b>", "a\nb", "\ud800", "x" * 81, "", "\u202e", 7, None)
    for number, word in enumerate(hostile):
        bodies = (
            ("argocd", notification(event=word, trigger_hint=word, number=number)),
            ("flux", event(reason=word, number=number)),
            ("alertmanager", call(status=word, number=number)),
        )
        for sender, body in bodies:
            assert send(web, sender, body).status_code == 202
    events = [item.event for item in web.journal.deliveries()]
    assert len(events) == 3 * len(hostile)
    assert set(events) == {"notification", "Kustomization event", "alerts"}


KEYS = st.sampled_from(
    ["app", "namespace", "project", "event", "trigger_hint", "involvedObject", "kind", "name", "reason", "alerts",
     "labels", "status", "truncatedAlerts", "model", "severity"]
)  # fmt: skip
TEXTS = st.sampled_from(
    ["fraud", "churn", "apps", "Kustomization", "HelmRelease", "GitRepository", "ranker", "page"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=25,
)
OBJECTS = st.dictionaries(KEYS | st.text(max_size=5), JSON, max_size=8)
Read = Callable[[Mapping[str, Any]], tuple[str, ...]]
READS: Mapping[str, Read] = {
    "argocd": lambda body: argocd.targets_of(argocd.interpret(body), CATALOGUE),
    "flux": lambda body: flux.targets_of(flux.interpret(body), CATALOGUE),
    "alertmanager": lambda body: alertmanager.targets_of(alertmanager.interpret(body), CATALOGUE),
}


@given(sender=st.sampled_from(sorted(READS)), body=OBJECTS)
@settings(max_examples=150, deadline=None)
def test_any_object_at_all_is_understood_or_turned_away_with_a_sentence(
    sender: str, body: Mapping[str, Any]
) -> None:
    try:
        said, woken = "", READS[sender](body)
    except BadDelivery as error:
        said, woken = str(error), ()
    assert bool(said) or set(woken) <= set(CATALOGUE.targets)
    assert len(set(woken)) == len(woken)


@pytest.fixture(scope="module")
def hardened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Web, FlaskClient]]:
    world = Web(tmp_path_factory.mktemp("hostile"), CATALOGUE)
    yield world, world.app.test_client()
    world.close()


@given(
    sender=st.sampled_from(sorted(BODIES)),
    body=st.binary(max_size=300) | JSON.map(lambda j: json.dumps(j).encode()),
)
@settings(max_examples=200, deadline=None)
def test_any_genuine_bytes_at_all_are_taken_or_refused_and_never_an_error_of_ours(
    hardened: tuple[Web, FlaskClient], sender: str, body: bytes
) -> None:
    _, client = hardened
    answer = client.post(f"/webhook/{sender}", data=body, headers=headers(sender, body))
    assert answer.status_code in (202, 400)


@given(
    sender=st.sampled_from(sorted(SENDERS)),
    sent=st.dictionaries(
        st.sampled_from(
            [
                "Authorization",
                "X-Gitops-Bot-Token",
                "X-Signature",
                "X-Hub-Signature-256",
                "X-MLflow-Signature",
            ]
        ),
        st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=80)
        | st.text(st.characters(min_codepoint=33, max_codepoint=255)).map("Bearer {}".format),
    ),
)
@settings(max_examples=200, deadline=None)
def test_no_headers_of_a_stranger_are_ever_believed(
    hardened: tuple[Web, FlaskClient], sender: str, sent: dict[str, str]
) -> None:
    world, client = hardened
    before = len(world.queue.names)
    answer = client.post(f"/webhook/{sender}", data=BODIES.get(sender, b"{}"), headers=sent)
    assert answer.status_code == 401
    assert len(world.queue.names) == before


# --- The table -------------------------------------------------------------------------------------


def test_every_sender_has_an_address_and_its_numbers(web: Web) -> None:
    client = web.app.test_client()
    text = client.get("/metrics").text
    for sender in SENDERS:
        assert client.get(f"/webhook/{sender}").status_code == 405
        assert f'gitops_bot_webhooks_total{{result="accepted",sender="{sender}"}} 0.0' in text
    assert client.post("/webhook/nobody", data=b"{}").status_code == 404
