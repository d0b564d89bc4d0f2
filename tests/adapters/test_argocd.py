"""The adapter for Argo CD: a contract for the port `Cluster`, held on the sandbox, and recorded answers of the real one."""

import gzip
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.argocd import ArgoCDCluster, ArgoCDObjects
from bot.adapters.argocd.tree import complaints
from bot.adapters.kubernetes import KubernetesObjects
from bot.core.target import ArgoCD
from bot.core.verdict import Claim, Outcome, Verdict
from bot.ports import Cluster, Refused, Retryable
from tests.adapters.listening import Quiet, listening
from tests.parts import free_port
from tests.recordings.reader import HERE, changes
from tests.sandbox.clusters import APPLICATION, OVERLAY, TOKEN, World, cluster_world

pytestmark = pytest.mark.world

ROLLOUT = ArgoCD(APPLICATION, project="default")


def claim(commit: str, image: str, **more: Any) -> Claim:
    """Merged just now."""
    about = {"settle": timedelta(seconds=1), "deadline": timedelta(seconds=60)} | more
    return Claim(commit=commit, image=image, merged_at=datetime.now(UTC), **about)


class ClusterContract:
    """What every cluster does for the bot. `world` pins versions; `cluster` is the adapter under test."""

    tells_of_resources = True  # whether health per resource and the pods are told

    def ask(self, world: World, cluster: Cluster) -> None:
        """Have it look, and wait until it has."""
        cluster.ask_to_sync(ROLLOUT)
        world.until(lambda: not world.application.refreshing, "the look that was asked for")

    def decided(self, cluster: Cluster, about: Claim, seconds: float = 30) -> list[Verdict]:
        """Every verdict until the first that is not pending."""
        seen, deadline = [], time.monotonic() + seconds
        while time.monotonic() < deadline:
            seen.append(cluster.look(ROLLOUT, about, datetime.now(UTC)))
            if seen[-1].outcome is not Outcome.PENDING:
                return seen
            time.sleep(0.03)
        raise AssertionError(f"still pending: {seen[-1].because}")

    def test_a_commit_that_nobody_told_of_is_pending_and_not_taken_in(
        self, world: World, cluster: Cluster
    ) -> None:
        digest = world.build("2")
        about = claim(world.pin("2", digest), world.reference("2", digest))
        verdict = cluster.look(ROLLOUT, about, datetime.now(UTC))
        assert verdict.outcome is Outcome.PENDING
        assert not verdict.taken_in
        assert f"commit {about.commit[:8]} is not taken in yet" in verdict.because

    def test_asked_to_look_it_takes_the_commit_in_and_the_version_is_proven(
        self, world: World, cluster: Cluster
    ) -> None:
        digest = world.build("2", ready_after=0.5)
        about = claim(world.pin("2", digest), world.reference("2", digest))
        self.ask(world, cluster)
        verdicts = self.decided(cluster, about)
        assert {verdict.outcome for verdict in verdicts[:-1]} == {Outcome.PENDING}
        assert all(verdict.taken_in for verdict in verdicts)
        assert verdicts[-1].outcome is Outcome.SUCCEEDED
        assert f"commit {about.commit[:8]} is Synced and Healthy since" in verdicts[-1].because
        assert world.version() == "2"
        assert about.commit[:8] in verdicts[-1].evidence[0].answer
        assert any("must stay so until" in v.because and v.again is not None for v in verdicts)

    def test_success_is_never_said_while_the_old_version_answers(
        self, world: World, cluster: Cluster
    ) -> None:
        digest = world.build("2", ready_after=0.3)
        about = claim(world.pin("2", digest), world.reference("2", digest), settle=timedelta(0))
        world.push_event()
        self.decided(cluster, about)
        assert world.version() == "2"

    def test_a_version_that_does_not_come_up_has_failed_with_evidence(
        self, world: World, cluster: Cluster
    ) -> None:
        world.cluster.progress_deadline = 3
        digest = world.build("2", crashes=True)
        about = claim(world.pin("2", digest), world.reference("2", digest))
        self.ask(world, cluster)
        verdict = self.decided(cluster, about)[-1]
        assert verdict.outcome is Outcome.FAILED
        assert "became Degraded" in verdict.because
        if not self.tells_of_resources:
            return
        assert "Deployment web is Degraded" in verdict.because
        assert any("exceeded its progress deadline" in item.answer for item in verdict.evidence)
        pods = [item.answer for item in verdict.evidence if item.asked.startswith("Resource tree")]
        seen = r".* is Progressing \((CrashLoopBackOff|Error), 0/1 ready\): exit code 1"
        assert any(re.match(seen, answer) for answer in pods)

    def test_going_back_is_proven_and_the_failure_is_not_held_against_it(
        self, world: World, cluster: Cluster
    ) -> None:
        before = world.remote.show(world.seen()[2], f"{OVERLAY}/kustomization.yaml")
        image = world.status()["summary"]["images"][0]
        world.cluster.progress_deadline = 3
        digest = world.build("2", ready_after=1000)
        bad = claim(world.pin("2", digest), world.reference("2", digest))
        self.ask(world, cluster)
        assert self.decided(cluster, bad)[-1].outcome is Outcome.FAILED
        back = world.remote.commit({f"{OVERLAY}/kustomization.yaml": before}, "Revert")
        about = claim(back, image, revert=True)
        self.ask(world, cluster)
        assert self.decided(cluster, about)[-1].outcome is Outcome.SUCCEEDED

    def test_a_later_commit_with_another_image_supersedes(self, world: World, cluster: Cluster) -> None:
        digest = world.build("2")
        first = world.pin("2", digest)
        later = world.build("3")
        third = world.pin("3", later)
        about = claim(first, world.reference("2", digest), later=(third,))
        self.ask(world, cluster)
        verdict = self.decided(cluster, about)[-1]
        assert verdict.outcome is Outcome.SUPERSEDED
        assert third[:8] in verdict.because

    def test_a_later_commit_that_changes_nothing_proves_it_too(self, world: World, cluster: Cluster) -> None:
        digest = world.build("2")
        commit = world.pin("2", digest)
        self.ask(world, cluster)
        later = world.remote.commit({"README.md": "more words"})
        self.ask(world, cluster)
        about = claim(commit, world.reference("2", digest), contains=(later,), later=(later,))
        assert self.decided(cluster, about)[-1].outcome is Outcome.SUCCEEDED

    def test_a_commit_that_cannot_be_rendered_is_inconclusive_with_the_message(
        self, world: World, cluster: Cluster
    ) -> None:
        commit = world.remote.commit({f"{OVERLAY}/kustomization.yaml": "resources: [missing.yaml]\n"})
        self.ask(world, cluster)
        verdict = cluster.look(ROLLOUT, claim(commit, "registry/web:v9"), datetime.now(UTC))
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert "missing.yaml" in verdict.because

    def test_an_application_that_does_not_exist_is_inconclusive_and_says_what_to_correct(
        self, world: World, cluster: Cluster
    ) -> None:
        about = claim("a" * 40, "registry/web:v9")
        missing = ArgoCD("no-such-app", project="default")
        verdict = cluster.look(missing, about, datetime.now(UTC))
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert "there is no Application no-such-app" in verdict.because
        with pytest.raises(Refused, match="no-such-app"):
            cluster.ask_to_sync(missing)


class TestOnTheSandbox(ClusterContract):
    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[World]:
        with cluster_world(tmp_path) as world:
            commit = world.pin("1", world.build("1"))
            world.cluster.start()
            world.until_healthy(commit)
            yield world

    @pytest.fixture
    def cluster(self, world: World) -> Cluster:
        return ArgoCDCluster(world.cluster.url, lambda: TOKEN)


class TestThroughTheKubernetesApiOfTheSandbox(TestOnTheSandbox):
    tells_of_resources = False

    @pytest.fixture
    def cluster(self, world: World) -> Cluster:
        path = world.cluster.write_kubeconfig(world.folder / "kubeconfig")
        return ArgoCDObjects(KubernetesObjects(path))


# --- Answers of the real Argo CD -------------------------------------------------------------------

RECORDED = json.loads(gzip.decompress((HERE / "argocd" / "rest.json.gz").read_bytes()))
ABOUT = Claim("a" * 40, "registry/web:v9", datetime(2026, 11, 23, tzinfo=UTC), timedelta(0), timedelta(1))
SECRET = "eyJhbGciOi.secret-token"

Answer = tuple[int, bytes] | tuple[int, bytes, dict[str, str]]


@contextmanager
def answering(answer: Callable[[str], Answer]) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """A server that says this about every path, and the paths and Authorization headers that it was asked with."""
    asked: list[tuple[str, str | None]] = []

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_DELETE(self) -> None:
            # As the real server guards itself against requests of browsers.
            typed = self.headers.get("Content-Type") == "application/json"
            self.tell(
                f"DELETE {self.path}", (lambda path: answer(path)) if typed else (lambda _: (415, b"Invalid"))
            )

        def do_GET(self) -> None:
            self.tell(self.path, answer)

        def tell(self, path: str, answer: Callable[[str], Answer]) -> None:
            asked.append((path, self.headers.get("Authorization")))
            status, body, *more = answer(path)
            self.send_response(status)
            for key, value in (more[0] if more else {}).items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with listening(Handler) as port:
        yield f"http://127.0.0.1:{port}", asked


def looked(answer: Callable[[str], Answer], rollout: ArgoCD = ROLLOUT, **options: Any) -> Verdict:
    """The verdict from such a server."""
    with answering(answer) as (url, _):
        return ArgoCDCluster(url, lambda: SECRET, **options).look(rollout, ABOUT, ABOUT.merged_at)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "get-expired-token",
            "token is not accepted (invalid session: token has invalid claims: token is expired)",
        ),
        ("get-garbage-token", "token is not accepted (no session information): make a new one"),
        ("get-no-token", "token is not accepted"),
        ("get-missing-admin", "no Application no-such-app in its project, or the bot's token may not get it"),
        ("get-missing-admin-with-project", "there is no Application no-such-app: correct `rollout:`"),
        ("get-missing-role-with-project", "there is no Application no-such-app"),
        ("role-get-other-project", "grant `applications, get`"),
        ("role-get-wrong-project-param", "correct the name or the project"),
        ("get-account-without-rights", "or the bot's token may not get it (permission denied)"),
    ],
)
def test_every_recorded_refusal_is_inconclusive_and_says_what_a_person_can_do(
    name: str, sentence: str
) -> None:
    recorded = RECORDED[name]
    application = recorded["request"]["path"].partition("?")[0].rpartition("/")[2]
    body = json.dumps(recorded["body"]).encode()
    verdict = looked(lambda _: (recorded["status"], body), ArgoCD(application))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert sentence in verdict.because
    assert sentence[:60] in verdict.evidence[0].answer
    assert SECRET not in repr(verdict)


def test_a_recorded_application_is_judged() -> None:
    recorded = RECORDED["role-get-own-project"]["body"]
    revision = recorded["status"]["sync"]["revision"]
    now = datetime.fromisoformat(recorded["status"]["reconciledAt"]) + timedelta(minutes=1)
    about = Claim(
        revision,
        "registry.lab/web:good-1",
        now - timedelta(minutes=5),
        timedelta(seconds=3),
        timedelta(hours=1),
    )
    with answering(lambda _: (200, json.dumps(recorded).encode())) as (url, _):
        verdict = ArgoCDCluster(url, lambda: SECRET).look(ArgoCD("web-shop", "shop"), about, now)
    assert verdict.outcome is Outcome.SUCCEEDED


def test_what_is_wrong_with_the_pods_is_read_from_the_recorded_tree() -> None:
    tree = RECORDED["resource-tree-24-per-resource-health"]["body"]
    assert complaints(tree) == (
        "Pod other-579556676-nzx2s is Progressing (Pending, 0/1 ready)",
        "Pod other-579556676-sfjvc is Progressing (Pending, 0/1 ready)",
        'Deployment other is Degraded: Deployment "other" exceeded its progress deadline',
        "ReplicaSet other-579556676 is Progressing: Waiting for rollout to finish: 0 out of 2 new replicas are available...",
    )


def test_evidence_is_about_the_new_pods_and_what_they_belong_to_only() -> None:
    tree = json.loads(json.dumps(RECORDED["resource-tree-24-per-resource-health"]["body"]))
    own = next(node for node in tree["nodes"] if node["kind"] == "Pod" and node["name"].startswith("web"))
    own["health"] = {"status": "Degraded", "message": "back-off 10s restarting failed container"}
    said = complaints(tree, own["images"][0])
    assert [sentence.split()[1] for sentence in said] == [own["name"]]
    assert len(complaints(tree, "127.0.0.1:5000/web:never-was")) == 4, "where no pod runs it, all are told"


@pytest.mark.parametrize("tree", [{}, {"nodes": None}, {"nodes": [7, {}, {"health": "x"}, {"info": [1]}]}])
def test_a_tree_that_makes_no_sense_has_no_complaints(tree: dict[str, Any]) -> None:
    assert complaints(tree) == ()


def test_a_failure_stands_without_the_tree() -> None:
    failed = json.loads(json.dumps(RECORDED["role-get-own-project"]["body"]))
    failed["status"]["health"] = {"status": "Degraded", "lastTransitionTime": "2026-11-23T07:02:40Z"}
    about = replace(ABOUT, commit=failed["status"]["sync"]["revision"])
    body = json.dumps(failed).encode()
    with answering(lambda path: (500, b"") if "tree" in path else (200, body)) as (url, asked):
        verdict = ArgoCDCluster(url, lambda: SECRET).look(ArgoCD("web-shop", "shop"), about, ABOUT.merged_at)
    assert verdict.outcome is Outcome.FAILED
    assert [path for path, _ in asked] == [
        "/api/v1/applications/web-shop?project=shop",
        "/api/v1/applications/web-shop/resource-tree?project=shop",
    ]


def test_project_and_namespace_are_always_sent_when_they_are_known() -> None:
    with answering(lambda _: (404, b"{}")) as (url, asked):
        cluster = ArgoCDCluster(url + "/", lambda: SECRET)
        cluster.look(ArgoCD("web/../x", "shop", "team a"), ABOUT, ABOUT.merged_at)
        cluster.look(ArgoCD("web"), ABOUT, ABOUT.merged_at)
    assert asked == [
        ("/api/v1/applications/web%2F..%2Fx?project=shop&appNamespace=team+a", f"Bearer {SECRET}"),
        ("/api/v1/applications/web", f"Bearer {SECRET}"),
    ]


def test_the_token_is_read_anew_for_every_question() -> None:
    tokens = iter(["first", "second"])
    with answering(lambda _: (404, b"{}")) as (url, asked):
        cluster = ArgoCDCluster(url, lambda: next(tokens))
        cluster.look(ROLLOUT, ABOUT, ABOUT.merged_at)
        cluster.look(ROLLOUT, ABOUT, ABOUT.merged_at)
    assert [header for _, header in asked] == ["Bearer first", "Bearer second"]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((200, b"<html>login</html>"), "does not speak as Argo CD does"),
        ((200, b"[]"), "does not speak as Argo CD does"),
        ((200, b'{"items": []}'), "does not speak as Argo CD does"),
        ((200, b"[" * 100_000), "does not speak as Argo CD does"),
        ((502, b"bad gateway"), "answered 502"),
        ((400, b'{"message": "a\\nb\\u001b[31m"}'), "refused the question"),
        ((200, b"x" * (17 << 20)), "larger than 16 MiB"),
    ],
)
def test_an_answer_that_makes_no_sense_is_inconclusive(answer: Answer, sentence: str) -> None:
    verdict = looked(lambda _: answer)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert sentence in verdict.because
    assert "\x1b" not in repr(verdict.because)
    assert len(verdict.evidence[0].answer) <= 500


def test_the_token_does_not_follow_a_redirect() -> None:
    with answering(lambda _: (200, b"{}")) as (other, asked_there):
        verdict = looked(lambda _: (302, b"", {"Location": f"{other}/api/v1/applications/web"}))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "redirects elsewhere" in verdict.because
    assert asked_there == []


def test_out_of_reach_is_inconclusive_to_look_and_to_be_tried_again_to_ask() -> None:
    cluster = ArgoCDCluster(f"http://127.0.0.1:{free_port()}", lambda: SECRET)
    verdict = cluster.look(ROLLOUT, ABOUT, ABOUT.merged_at)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "cannot be reached" in verdict.because
    assert verdict.again is not None
    with pytest.raises(Retryable, match="cannot be reached"):
        cluster.ask_to_sync(ROLLOUT)


def test_a_refresh_that_is_never_answered_is_no_error_as_it_may_go_on() -> None:
    """With its controller down the real one takes `?refresh` and never answers (recording 26)."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        cluster = ArgoCDCluster(f"http://127.0.0.1:{listener.getsockname()[1]}", lambda: SECRET, timeout=0.3)
        cluster.ask_to_sync(ROLLOUT)
        verdict = cluster.look(ROLLOUT, ABOUT, ABOUT.merged_at)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "does not answer within 0.3 s" in verdict.because


@pytest.mark.parametrize("status", [401, 403, 404])
def test_asking_without_the_right_to_is_refused(status: int) -> None:
    with (
        answering(lambda _: (status, b"{}")) as (url, asked),
        pytest.raises(Refused) as refusal,
    ):
        ArgoCDCluster(url, lambda: SECRET).ask_to_sync(ROLLOUT)
    assert asked[0][0].endswith("refresh=normal")
    assert SECRET not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    ["http://argocd.acme.dev", "http://10.0.0.1", "http://localhost.acme.dev", "ftp://127.0.0.1", "argocd"],
)
def test_a_token_is_not_sent_over_the_network_in_the_clear(url: str) -> None:
    with pytest.raises(Refused, match="must begin with https://"):
        ArgoCDCluster(url, lambda: SECRET)


@pytest.mark.parametrize("url", ["https://argocd.acme.dev", "http://127.0.0.1:8080", "http://[::1]:8080"])
def test_https_and_loopback_are_taken(url: str) -> None:
    assert SECRET not in repr(ArgoCDCluster(url, lambda: SECRET))


def test_a_password_in_the_address_is_not_repeated() -> None:
    cluster = ArgoCDCluster(f"http://jo:hunter2@127.0.0.1:{free_port()}", lambda: SECRET)
    verdict = cluster.look(ROLLOUT, ABOUT, ABOUT.merged_at)
    assert "hunter2" not in repr(cluster) + repr(verdict)


@pytest.mark.parametrize("token", ["", "two\nlines", "with space", "tökén"])
def test_a_token_that_is_none_is_refused_without_repeating_it(token: str) -> None:
    with answering(lambda _: (200, b"{}")) as (url, asked):
        verdict = ArgoCDCluster(url, lambda: token).look(ROLLOUT, ABOUT, ABOUT.merged_at)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "empty or not one line" in verdict.because
    assert not token or token not in verdict.because
    assert asked == []


# --- An operation in the way (section (e)) ---------------------------------------------------------

STUCK = json.dumps(
    next(
        item["object"]
        for item in reversed(changes("argocd", "04c-revert-while-retrying"))
        if item["object"]["kind"] == "Application" and item["at"] < 300
    )
).encode()
LIVE = json.dumps(
    next(
        item["object"]
        for item in reversed(changes("argocd", "02-image-bump"))
        if item["object"]["kind"] == "Application"
    )
).encode()
IDLE = b'{"error": "...", "code": 3, "message": "Unable to terminate operation. No operation is in progress"}'
OPERATION = "DELETE /api/v1/applications/fraud-detector-staging/operation?project=default"


def terminated(before: bytes, status: int = 200, body: bytes = b"{}") -> list[str]:
    """What was asked to end the operation of such an Application."""
    told = lambda path: (status, body) if path.startswith("DELETE") else (200, before)  # noqa: E731
    with answering(told) as (url, asked):
        ArgoCDCluster(url, lambda: SECRET).terminate(ROLLOUT)
    return [path for path, _ in asked]


def test_an_operation_that_is_retried_behind_a_newer_commit_is_ended() -> None:
    assert terminated(STUCK) == ["/api/v1/applications/fraud-detector-staging?project=default", OPERATION]


def test_no_operation_in_the_way_is_done_already() -> None:
    assert terminated(LIVE) == ["/api/v1/applications/fraud-detector-staging?project=default"]
    assert terminated(STUCK, 400, IDLE)[-1] == OPERATION


def test_ending_an_operation_without_the_right_to_names_the_right() -> None:
    denied = b'{"code": 7, "message": "permission denied: applications, sync, shop/web-shop, sub: proj:shop:watcher"}'
    with pytest.raises(Refused, match="or grant `applications, sync`"):
        terminated(STUCK, 403, denied)
    with pytest.raises(Refused, match=r"refused the question .* with 400"):
        terminated(STUCK, 400, b'{"message": "bad request"}')
    with pytest.raises(Retryable, match="answered 500"):
        terminated(STUCK, 500, b"{}")


# --- Advice ----------------------------------------------------------------------------------------


def advised(windows: Answer) -> tuple[str, ...]:
    """What doctor is told."""
    told = lambda path: windows if "/syncwindows" in path else (200, LIVE)  # noqa: E731
    with answering(told) as (url, _):
        return tuple(ArgoCDCluster(url, lambda: SECRET, base_branch="main").advice(ROLLOUT))


def test_a_deny_window_is_told_although_no_field_of_the_application_shows_it() -> None:
    """08."""
    window = {"kind": "deny", "schedule": "* * * * *", "duration": "1h"}
    body = json.dumps({"activeWindows": [window], "assignedWindows": [window], "canSync": False}).encode()
    assert any("denies syncs now (deny * * * * * for 1h)" in sentence for sentence in advised((200, body)))


@pytest.mark.parametrize("windows", [(200, b'{"canSync": true}'), (403, b"{}"), (200, b"<html>")])
def test_advice_does_without_windows(windows: Answer) -> None:
    sentences = advised(windows)
    assert sentences
    assert not any("window" in sentence for sentence in sentences)


def test_advice_about_what_cannot_be_read_is_refused() -> None:
    with (
        answering(lambda _: (404, b"{}")) as (url, _),
        pytest.raises(Refused, match="there is no Application"),
    ):
        ArgoCDCluster(url, lambda: SECRET).advice(ROLLOUT)
