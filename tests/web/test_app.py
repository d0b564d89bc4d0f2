"""Webhooks, health, metrics, the API and the pages' HTML, asked as senders, probes and browsers ask."""

import base64
import http.client
import json
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient

from bot.core.target import Alias, Catalogue, Stage
from bot.ports import Delivery, Entry, Queued, Standing
from bot.sandbox.serving import Server, serving
from bot.web.metrics import Metrics
from bot.web.receive import LARGEST
from tests.web.world import (
    MANIFESTS,
    NOW,
    Web,
    catalogue,
    github_body,
    github_headers,
    later,
    mlflow_body,
    mlflow_headers,
    target,
)

FRAUD = "fraud-detector/production"


def from_mlflow(client: FlaskClient, body: bytes, **how: Any) -> Any:
    return client.post("/webhook/mlflow", data=body, headers=mlflow_headers(body, **how))


def from_github(client: FlaskClient, event: str, body: bytes, **how: Any) -> Any:
    return client.post("/webhook/github", data=body, headers=github_headers(event, body, **how))


def counted(web: Web, sender: str, result: str) -> float | None:
    return web.metrics.registry.get_sample_value(
        "gitops_bot_webhooks_total", {"sender": sender, "result": result}
    )


# --- MLflow ----------------------------------------------------------------------------------------


def test_an_alias_wakes_the_targets_that_select_by_it(web: Web, client: FlaskClient) -> None:
    answer = from_mlflow(client, mlflow_body())
    assert (answer.status_code, answer.json) == (202, {"woken": [FRAUD]})
    assert web.queue.names == [FRAUD]
    (stored,) = web.journal.deliveries()
    assert stored == Delivery("mlflow", "1b4e28ba", "model_version_alias.created", NOW, (FRAUD,))
    assert counted(web, "mlflow", "accepted") == 1


def test_a_tag_wakes_the_targets_that_select_by_it(web: Web, client: FlaskClient) -> None:
    from_mlflow(
        client,
        mlflow_body(
            "model_version_tag", "set", name="fraud-detector", version="7", key="deploy", value="staging"
        ),
    )
    assert web.queue.names == ["fraud-detector/staging"]


def test_a_new_version_and_any_sign_of_a_model_that_is_selected_by_stage_wake_all_its_targets(
    web: Web, client: FlaskClient
) -> None:
    web.catalogue = catalogue(target(FRAUD), target("fraud-detector/legacy", when=Stage("Production")))
    from_mlflow(client, mlflow_body("model_version", "created", name="fraud-detector", version="8"))
    assert web.queue.names == [FRAUD, "fraud-detector/legacy"]
    from_mlflow(client, mlflow_body(name="fraud-detector", alias="other", version="8"))
    assert web.queue.names[2:] == ["fraud-detector/legacy"]


@pytest.mark.parametrize(
    "body",
    [
        mlflow_body(name="somebody-elses-model", alias="champion", version="1"),
        mlflow_body(name="fraud-detector", alias="Champion", version="1"),
        mlflow_body("model_version_tag", "set", name="fraud-detector", version="7", key=f"gitops-bot.{FRAUD}.state", value="live"),
        mlflow_body("prompt", "created", name="fraud-detector"),
    ],
)  # fmt: skip
def test_an_event_that_concerns_no_target_is_taken_and_wakes_nobody(
    web: Web, client: FlaskClient, body: bytes
) -> None:
    web.catalogue = catalogue(target(FRAUD), target("churn/production"))
    answer = from_mlflow(client, body)
    assert (answer.status_code, answer.json) == (202, {"woken": []})
    assert web.queue.names == []


def test_the_echo_of_a_tag_that_the_bot_wrote_wakes_nobody(web: Web, client: FlaskClient) -> None:
    web.catalogue = catalogue(target(FRAUD, when=Stage("Production")))
    own = {"name": "fraud-detector", "version": "7", "key": f"gitops-bot.{FRAUD}.state", "value": "live"}
    assert from_mlflow(client, mlflow_body("model_version_tag", "set", **own)).json == {"woken": []}


def test_either_of_two_secrets_is_good_while_one_is_rotated(client: FlaskClient) -> None:
    assert from_mlflow(client, mlflow_body(), secret="the next one").status_code == 202


def test_the_same_delivery_again_wakes_again_and_is_stored_once(web: Web, client: FlaskClient) -> None:
    assert from_mlflow(client, mlflow_body()).status_code == 202
    assert from_mlflow(client, mlflow_body()).json == {"woken": [FRAUD]}
    assert web.queue.names == [FRAUD, FRAUD]
    assert len(web.journal.deliveries()) == 1
    assert counted(web, "mlflow", "repeated") == 1


@pytest.mark.parametrize("how", [{"secret": "guessed"}, {"at": later(-3600)}, {"delivery": "../../etc"}])
def test_a_delivery_that_is_not_believed_does_nothing(
    web: Web, client: FlaskClient, how: dict[str, Any]
) -> None:
    answer = from_mlflow(client, mlflow_body(), **how)
    assert answer.status_code == 401
    assert answer.json["error"]
    assert (web.queue.names, list(web.journal.deliveries())) == ([], [])
    assert counted(web, "mlflow", "bad signature") == 1


def test_without_a_configured_secret_nobody_is_believed(tmp_path: Path) -> None:
    world = Web(tmp_path, options={"mlflow_secrets": tuple, "github_secrets": tuple})
    client = world.app.test_client()
    assert from_mlflow(client, mlflow_body(), secret="").status_code == 401
    body = github_body()
    assert from_github(client, "ping", body, secret="").status_code == 401
    world.close()


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"{}", mlflow_body(name=""), b"[" * 100_000])
def test_a_signed_body_that_mlflow_never_sends_is_refused_with_a_sentence(
    web: Web, client: FlaskClient, body: bytes
) -> None:
    answer = from_mlflow(client, body)
    assert answer.status_code == 400
    assert len(answer.json["error"]) > 10
    assert web.queue.names == []
    assert counted(web, "mlflow", "malformed") == 1


def test_with_the_database_down_mlflow_is_asked_to_retry_and_the_target_is_woken_all_the_same(
    web: Web, client: FlaskClient
) -> None:
    web.break_journal()
    answer = from_mlflow(client, mlflow_body())
    assert answer.status_code == 503
    assert web.queue.names == [FRAUD]
    assert counted(web, "mlflow", "unavailable") == 1


# --- GitHub ----------------------------------------------------------------------------------------

BRANCH = f"gitops-bot/{FRAUD}/v7"
PULL = {"head": {"ref": BRANCH, "sha": "a" * 40, "repo": {"full_name": MANIFESTS}}, "merged": True}


@pytest.mark.parametrize(
    ("event", "body", "woken"),
    [
        ("pull_request", github_body(action="closed", pull_request=PULL), [FRAUD]),
        ("push", github_body(ref="refs/heads/main"), [FRAUD, "churn/production", "fraud-detector/staging"]),
        ("push", github_body(ref=f"refs/heads/{BRANCH}"), [FRAUD]),
        ("push", github_body(ref="refs/heads/main", repository={"full_name": "acme/other", "default_branch": "main"}), []),
        ("workflow_run", github_body(action="completed", workflow_run={"event": "workflow_dispatch"}, repository={"full_name": "Acme/Models"}), [FRAUD]),
        ("workflow_run", github_body(action="completed", workflow_run={"event": "workflow_dispatch"}, repository={"full_name": "acme/churn"}), ["churn/production"]),
        ("ping", github_body(zen="Keep it logically awesome."), []),
        ("star", github_body(action="created"), []),
    ],
)  # fmt: skip
def test_an_event_of_github_wakes_the_targets_that_it_may_concern(
    web: Web, client: FlaskClient, event: str, body: bytes, woken: list[str]
) -> None:
    answer = from_github(client, event, body)
    assert answer.status_code == 202
    assert sorted(answer.json["woken"]) == sorted(web.queue.names) == sorted(woken)
    assert web.journal.deliveries()[0].event == event


def test_a_redelivery_of_github_wakes_again_and_is_stored_once(web: Web, client: FlaskClient) -> None:
    body = github_body(action="closed", pull_request=PULL)
    for _ in range(2):
        assert from_github(client, "pull_request", body).status_code == 202
    assert web.queue.names == [FRAUD, FRAUD]
    assert len(web.journal.deliveries()) == 1


def test_a_github_delivery_without_an_id_is_known_by_its_body(web: Web, client: FlaskClient) -> None:
    for body in (github_body(), github_body(), github_body(zen="Anything added dilutes everything else.")):
        headers = {k: v for k, v in github_headers("ping", body).items() if k != "X-GitHub-Delivery"}
        assert client.post("/webhook/github", data=body, headers=headers).status_code == 202
    assert len(web.journal.deliveries()) == 2


def test_a_wrong_signature_of_github_is_refused(web: Web, client: FlaskClient) -> None:
    assert from_github(client, "push", github_body(ref="refs/heads/main"), secret="no").status_code == 401
    assert client.post("/webhook/github", data=b"{}").status_code == 401
    assert web.queue.names == []


@pytest.mark.parametrize("body", [b"payload=%7B%7D", b"[]", b"{}", b"[" * 100_000])
def test_a_signed_body_that_github_never_sends_is_refused(client: FlaskClient, body: bytes) -> None:
    answer = from_github(client, "push", body)
    assert answer.status_code == 400
    assert answer.json["error"]


# --- Over real sockets -----------------------------------------------------------------------------


@pytest.fixture
def served(web: Web) -> Iterator[Server]:
    with serving(web.app) as server:
        yield server


@pytest.mark.world
def test_a_webhook_is_answered_in_milliseconds(web: Web, served: Server) -> None:
    with requests.Session() as session:
        seconds = []
        for number in range(20):
            body = mlflow_body()
            began = time.perf_counter()
            answer = session.post(
                f"{served.url}/webhook/mlflow", data=body, headers=mlflow_headers(body, delivery=str(number))
            )
            seconds.append(time.perf_counter() - began)
            assert answer.status_code == 202
    assert sorted(seconds)[10] < 0.2
    assert len(web.journal.deliveries()) == 20


@pytest.mark.world
def test_a_body_that_is_too_large_is_refused_however_it_is_sent(web: Web, served: Server) -> None:
    large = b"x" * (LARGEST + 1)
    assert requests.post(f"{served.url}/webhook/mlflow", data=large, timeout=10).status_code == 413
    parts = (large[at : at + 65536] for at in range(0, len(large), 65536))
    answer = requests.post(f"{served.url}/webhook/github", data=parts, timeout=10)
    assert (answer.status_code, "error" in answer.json()) == (413, True)
    assert counted(web, "mlflow", "too large") == counted(web, "github", "too large") == 1


@pytest.mark.world
def test_a_sender_that_hangs_up_early_does_no_harm(web: Web, served: Server) -> None:
    with socket.create_connection((served.host, served.port)) as hasty:
        hasty.sendall(b"POST /webhook/mlflow HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    connection = http.client.HTTPConnection(served.host, served.port, timeout=5)
    connection.request("GET", "/health")
    assert connection.getresponse().read() == b'{"status":"healthy"}\n'
    connection.close()
    assert web.queue.names == []


# --- Health and metrics ----------------------------------------------------------------------------


def test_health_never_touches_the_database(web: Web, client: FlaskClient) -> None:
    web.break_journal()
    answer = client.get("/health")
    assert (answer.status_code, answer.json) == (200, {"status": "healthy"})


def test_it_is_ready_when_journal_catalogue_and_loop_are(client: FlaskClient) -> None:
    assert client.get("/ready").json == {"ready": True, "leads": True, "reasons": []}


def test_a_replica_that_follows_is_ready_and_says_that_it_does_not_lead(tmp_path: Path) -> None:
    leads = False
    web = Web(tmp_path, options={"leads": lambda: leads})
    client = web.app.test_client()
    assert client.get("/ready").json == {"ready": True, "leads": False, "reasons": []}
    assert "this replica follows" in client.get("/").text
    leads = True
    assert client.get("/ready").json == {"ready": True, "leads": True, "reasons": []}
    assert "this replica leads" in client.get("/").text
    web.close()


def test_a_bot_without_replicas_says_nothing_of_them(client: FlaskClient) -> None:
    assert "this replica" not in client.get("/").text


def test_metrics_tell_whether_this_replica_leads(web: Web, client: FlaskClient) -> None:
    assert "gitops_bot_leads 1.0" in client.get("/metrics").text
    following = Metrics(
        catalogue=lambda: web.catalogue, standings=dict, queue=list, leads=lambda: False
    ).registry
    assert following.get_sample_value("gitops_bot_leads") == 0.0


def test_it_says_why_it_is_not_ready(web: Web, client: FlaskClient) -> None:
    web.break_journal()
    web.catalogue = Catalogue({})
    web.alive = False
    answer = client.get("/ready")
    assert answer.status_code == 503
    journal, promotions, loop = answer.json["reasons"]
    assert "no promotion is lost" in journal
    assert "promotions.yaml" in promotions
    assert "loop" in loop


def test_a_broken_promotions_file_keeps_the_dashboard_reachable(web: Web, client: FlaskClient) -> None:
    web.catalogue = Catalogue({}, problem="line 3: no such key")
    assert client.get("/ready").status_code == 200
    assert "line 3: no such key" in client.get("/").text


def test_metrics_tell_passes_webhooks_targets_and_queue(web: Web, client: FlaskClient) -> None:
    web.metrics.passed(Entry(FRAUD, NOW, "open proposal", "b", seconds=0.3))
    web.metrics.swept(NOW)
    web.journal.stand(Standing(FRAUD, NOW, "7", "7", "7", "rest", "b", ((1, "u", "t"),)))
    web.queue.queued.append(Queued("churn/production", "delayed", timedelta(seconds=5)))
    answer = client.get("/metrics")
    assert answer.content_type.startswith("text/plain")
    swept = web.metrics.registry.get_sample_value("gitops_bot_last_sweep_timestamp_seconds")
    assert swept == NOW.timestamp()
    for line in (
        'gitops_bot_passes_total{action="open proposal",outcome="done"} 1.0',
        "gitops_bot_pass_seconds_sum 0.3",
        'gitops_bot_targets{state="live"} 1.0',
        'gitops_bot_targets{state="not looked at yet"} 2.0',
        'gitops_bot_queue_length{state="delayed"} 1.0',
        f'gitops_bot_proposals_open{{target="{FRAUD}"}} 1.0',
        "gitops_bot_journal_up 1.0",
        "gitops_bot_catalogue_broken 0.0",
        'gitops_bot_build_info{version="0.1.0"} 1.0',
    ):
        assert line in answer.text


def test_words_of_strangers_never_become_labels(web: Web, client: FlaskClient) -> None:
    web.catalogue = catalogue(target(FRAUD), target("evil evil/x"))
    web.metrics.passed(Entry(FRAUD, NOW, "evil\n", "b", outcome='"} 1'))
    web.metrics.webhook("evil", "evil")
    from_mlflow(client, mlflow_body(name="evil", alias="evil", version="1"))
    web.journal.stand(Standing("evil evil/x", NOW, "7", "7", "7", "rest", "b"))
    text = client.get("/metrics").text
    assert "evil" not in text
    assert 'gitops_bot_passes_total{action="other",outcome="other"} 1.0' in text


def test_metrics_are_served_with_the_journal_down(web: Web, client: FlaskClient) -> None:
    web.break_journal()
    text = client.get("/metrics").text
    assert "gitops_bot_journal_up 0.0" in text
    assert "gitops_bot_queue_length" in text


# --- The API ---------------------------------------------------------------------------------------


def test_the_api_tells_what_the_dashboard_shows(web: Web, client: FlaskClient) -> None:
    web.journal.stand(
        Standing(FRAUD, NOW, "7", "6", "6", "wait", "waits", ((12, "https://f.test/12", "Deploy"),))
    )
    for seconds in range(3):
        web.journal.write(Entry(FRAUD, later(seconds), "wait", "waits", version="7", url="https://f.test/12"))
    listed = client.get("/api/targets").json
    assert [item["target"] for item in listed["targets"]] == [
        "churn/production",
        FRAUD,
        "fraud-detector/staging",
    ]
    one = client.get(f"/api/targets/{FRAUD}").json
    assert {key: one[key] for key in ("wanted", "pinned", "live", "state")} == {
        "wanted": "7", "pinned": "6", "live": "6", "state": "proposed",
    }  # fmt: skip
    assert one["proposals"] == [{"number": 12, "url": "https://f.test/12", "title": "Deploy"}]
    (entry,) = one["timeline"]
    assert (entry["first_at"], entry["at"], entry["times"]) == (
        "2026-11-24T12:00:00.000+00:00", "2026-11-24T12:00:02.000+00:00", 3,
    )  # fmt: skip


def test_the_api_tells_queue_and_deliveries(web: Web, client: FlaskClient) -> None:
    web.queue.queued.append(Queued(FRAUD, "failing", timedelta(seconds=40), 3, "no route"))
    from_mlflow(client, mlflow_body())
    assert client.get("/api/queue").json == {
        "queue": [{"target": FRAUD, "state": "failing", "due_in_seconds": 40.0, "failures": 3, "problem": "no route"}]
    }  # fmt: skip
    (delivery,) = client.get("/api/deliveries?limit=7").json["deliveries"]
    assert (delivery["sender"], delivery["targets"]) == ("mlflow", [FRAUD])


def test_the_api_answers_errors_as_json(web: Web, client: FlaskClient) -> None:
    for path, status in (("/api/targets/no/such", 404), ("/api/nothing", 404), ("/webhook/gitlab", 404)):
        answer = client.get(path)
        assert (answer.status_code, list(answer.json)) == (status, ["error"])
    assert client.get("/webhook/mlflow").status_code == 405
    assert client.get("/api/targets?limit=abc").status_code == 200
    web.break_journal()
    answer = client.get("/api/targets")
    assert answer.status_code == 503
    assert "no promotion is lost" in answer.json["error"]


# --- The pages' HTML -------------------------------------------------------------------------------

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)>\"'>{{7*7}}`<b>`</title></pre></details>\u202e"
)


class Tags(HTMLParser):
    """Every element of a page with the names of its attributes, and every address in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.shape: list[tuple[str, tuple[str, ...]]] = []
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.shape.append((tag, tuple(name for name, _ in attrs)))
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "action")]


def told_by(tmp_path: Path, text: str, url: str) -> Web:
    """A world in which every field that a stranger can write says `text`."""
    harmless = target(FRAUD, when=Alias(text), image=text, model=text)
    world = Web(tmp_path, catalogue=catalogue(harmless, problem=text, commit=text))
    world.journal.stand(Standing(FRAUD, NOW, text, text + "1", text + "2", text, text, ((1, url, text),), 1))
    world.journal.write(Entry(FRAUD, NOW, text, text, text, text, text, text, url))
    world.journal.put(Delivery(text, "1", text, NOW, (text,)))
    world.queue.queued.append(Queued(FRAUD, "failing", None, 1, text))
    return world


@pytest.mark.parametrize("path", ["/", f"/targets/{FRAUD}"])
def test_hostile_texts_change_nothing_about_a_page_but_its_texts(tmp_path: Path, path: str) -> None:
    pages = []
    for name, text, url in (
        ("a", "harmless text", "ftp://x/1"),
        ("b", HOSTILE, f"javascript:alert(1)//{HOSTILE}"),
    ):
        world = told_by(tmp_path / name, text, url)
        pages.append(world.app.test_client().get(path).text)
        world.close()
    harmless, hostile = (Tags(page) for page in pages)
    # Backticks are the one mark that sentences have, for code.
    assert [tag for tag in hostile.shape if tag[0] != "code"] == [
        tag for tag in harmless.shape if tag[0] != "code"
    ]
    assert all(address.startswith("/") or address == "#main" for address in hostile.addresses)
    assert "&lt;img src=x" in pages[1]
    assert "49" not in pages[1].replace(str(NOW), "")


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "data:text/html,x", "//evil.test", "https://", "https://a b/", "http://user:pass@h/", 'https://x/"onclick=', "https://x/\n", "https://[::1/"],
)  # fmt: skip
def test_only_plain_web_addresses_become_links(web: Web, client: FlaskClient, url: str) -> None:
    web.journal.write(Entry(FRAUD, NOW, "wait", "b", url=url))
    web.journal.stand(Standing(FRAUD, NOW, "7", "6", None, "wait", "b", ((1, url, "title"),)))
    page = Tags(client.get(f"/targets/{FRAUD}").text)
    assert all(address.startswith("/") or address == "#main" for address in page.addresses)
    assert client.get(f"/api/targets/{FRAUD}").json["timeline"][0]["url"] is None


def test_every_answer_forbids_what_no_page_needs(web: Web, client: FlaskClient) -> None:
    for path in ("/", "/health", "/nothing", "/static/style.css", "/api/queue"):
        headers = client.get(path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'self';")
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert client.get("/").headers["Cache-Control"] == "no-store"


def test_a_target_that_left_the_file_keeps_its_page_and_unknown_ones_have_none(
    web: Web, client: FlaskClient
) -> None:
    web.journal.stand(Standing("gone/production", NOW, "1", "1", "1", "rest", "b"))
    assert "no longer in promotions.yaml" in client.get("/targets/gone/production").text
    assert "gone/production" not in client.get("/").text
    assert client.get("/targets/never/heard").status_code == 404


def test_pages_say_it_when_nobody_looks_at_targets_any_more(web: Web, client: FlaskClient) -> None:
    assert "Nothing is being looked at" not in client.get("/").text
    web.alive = False
    assert "Nothing is being looked at" in client.get("/").text
    assert "Nothing is being looked at" in client.get(f"/targets/{FRAUD}").text


def test_pages_say_it_when_the_journal_is_down(web: Web, client: FlaskClient) -> None:
    web.break_journal()
    answer = client.get("/")
    assert answer.status_code == 503
    assert "no promotion is lost" in answer.text


# --- Lifting a hold --------------------------------------------------------------------------------

HELD = "version 9 is held: it was taken back with #32; `gitops-bot release x` lets it be proposed again"


PASSWORD = "an operator's pässword"


@pytest.fixture
def released(tmp_path: Path) -> Iterator[tuple[Web, list[str]]]:
    names: list[str] = []
    world = Web(tmp_path / "release", options={"release": lambda name: names.append(name) or "done"})
    world.journal.stand(Standing(FRAUD, NOW, "9", "8", "8", "wait", HELD))
    yield world, names
    world.close()


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[Web, list[str]]]:
    names: list[str] = []
    options = {"release": lambda name: names.append(name) or "done", "operator_token": lambda: PASSWORD}
    world = Web(tmp_path / "guarded", options=options)
    world.journal.stand(Standing(FRAUD, NOW, "9", "8", "8", "wait", HELD))
    yield world, names
    world.close()


def form(world: Web, name: str = FRAUD) -> dict[str, str]:
    """What the button's form on a target's page would send."""
    page = world.app.test_client().get(f"/targets/{name}").text
    found = re.search(r'name="form_token" value="([0-9a-f]{64})"', page)
    return {"form_token": found[1] if found else ""}


def press(world: Web, name: str = FRAUD, *, data: Any = None, **headers: str) -> Any:
    sent = {"Sec-Fetch-Site": "same-origin"} | {
        key.replace("_", "-"): value for key, value in headers.items()
    }
    fields = form(world, name) if data is None else data
    return world.app.test_client().post(f"/targets/{name}/release", data=fields, headers=sent)


def knowing(password: str, name: str = "ada") -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def test_a_hold_says_how_it_is_lifted_and_has_a_button_only_where_allowed(
    web: Web, client: FlaskClient, released: tuple[Web, list[str]]
) -> None:
    web.journal.stand(Standing(FRAUD, NOW, "9", "8", "8", "wait", HELD))
    page = client.get(f"/targets/{FRAUD}").text
    assert f"gitops-bot release {FRAUD}" in page
    assert "/gitops-bot release" in page
    assert "<form" not in page
    assert press(web).status_code == 404
    assert "<form" in released[0].app.test_client().get(f"/targets/{FRAUD}").text


def test_what_is_not_held_has_no_button(released: tuple[Web, list[str]]) -> None:
    world, _ = released
    world.journal.stand(Standing("churn/production", NOW, "9", "8", "8", "wait", "waits for a reviewer"))
    for name in ("churn/production", "fraud-detector/staging"):
        assert "<form" not in world.app.test_client().get(f"/targets/{name}").text


def test_the_button_lifts_the_hold_and_has_the_target_looked_at(released: tuple[Web, list[str]]) -> None:
    world, names = released
    answer = press(world)
    assert (answer.status_code, answer.location) == (303, f"/targets/{FRAUD}?released=1")
    assert names == world.queue.names == [FRAUD]
    assert press(world, "no/such", data=form(world)).status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Origin": "http://localhost"}, 303),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, 403),
        ({"Origin": "http://evil.test"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
    ],
)
def test_another_site_cannot_press_the_button(
    released: tuple[Web, list[str]], headers: dict[str, str], status: int
) -> None:
    world, names = released
    answer = world.app.test_client().post(f"/targets/{FRAUD}/release", data=form(world), headers=headers)
    assert answer.status_code == status
    assert names == ([FRAUD] if status == 303 else [])


def test_who_was_not_shown_this_targets_page_cannot_press_its_button(
    released: tuple[Web, list[str]], guarded: tuple[Web, list[str]]
) -> None:
    world, names = released
    other = "churn/production"
    world.journal.stand(Standing(other, NOW, "9", "8", "8", "wait", HELD))
    of_another_target, of_another_process = form(world, other), form(guarded[0])
    for token in ({}, {"form_token": ""}, {"form_token": "ü\0\uffff"}, of_another_target, of_another_process):
        answer = press(world, data=token)
        assert (answer.status_code, "reload the page" in answer.text) == (403, True)
    query = world.app.test_client().post(
        f"/targets/{FRAUD}/release", query_string=form(world), headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert (query.status_code, names) == (403, [])
    assert world.app.test_client().get(f"/targets/{FRAUD}/release").status_code == 405


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"Authorization": knowing(PASSWORD)}, 303),
        ({"Authorization": knowing(PASSWORD, "")}, 303),
        ({"Authorization": knowing(PASSWORD, "somebody else")}, 303),
        ({}, 401),
        ({"Authorization": knowing("")}, 401),
        ({"Authorization": knowing("guessed")}, 401),
        ({"Authorization": knowing(PASSWORD + " ")}, 401),
        ({"Authorization": "Bearer an operator's password"}, 401),
        ({"Authorization": "Basic"}, 401),
        ({"Authorization": "Basic //8="}, 401),
        ({"Authorization": "Basic " + "A" * 30_000}, 401),
    ],
)
def test_a_configured_password_is_asked_for(
    guarded: tuple[Web, list[str]], sent: dict[str, str], status: int
) -> None:
    world, names = guarded
    answer = press(world, **sent)
    assert answer.status_code == status
    assert names == ([FRAUD] if status == 303 else [])
    if status == 401:
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="the operator of gitops-bot", charset=UTF-8'
        assert "operator" in answer.text


def test_the_password_alone_presses_nothing(guarded: tuple[Web, list[str]]) -> None:
    world, names = guarded
    sent = {"Authorization": knowing(PASSWORD), "Sec_Fetch_Site": "cross-site"}
    assert press(world, **sent).status_code == press(world, data={}, **sent).status_code == 403
    assert press(world, data={}, Authorization=knowing(PASSWORD)).status_code == 403
    assert names == []


def test_an_empty_password_lets_nobody_in(tmp_path: Path) -> None:
    names: list[str] = []
    options = {"release": lambda name: names.append(name) or "done", "operator_token": lambda: ""}
    world = Web(tmp_path, options=options)
    world.journal.stand(Standing(FRAUD, NOW, "9", "8", "8", "wait", HELD))
    for sent in ({}, {"Authorization": knowing("")}):
        assert press(world, **sent).status_code == 401
    assert names == []
    world.close()


def test_a_wrong_password_is_logged_without_it(
    guarded: tuple[Web, list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    press(guarded[0], Authorization=knowing("pa55word-of-mine"))
    assert f"wrong password, for {FRAUD}" in caplog.text
    assert "pa55word" not in caplog.text


def test_the_empty_page_explains_what_to_do(web: Web, client: FlaskClient) -> None:
    web.catalogue = replace(web.catalogue, targets={})
    page = client.get("/").text
    assert "No targets yet" in page
    assert "gitops-bot config check" in page
    assert json.dumps(client.get("/api/targets").json["targets"]) == "[]"
