"""Flux through the Kubernetes API: what is read for one look, how Flux is asked to fetch, and what doctor is told."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bot.adapters.flux import FluxCluster
from bot.adapters.flux.advice import duration
from bot.adapters.flux.cluster import REQUESTED
from bot.core.target import Flux
from bot.core.verdict import Outcome
from bot.ports import Refused, Retryable
from tests.adapters.flux.recorded import Cluster, Moment

SECRET = "/hook/" + "f2e3" * 16


def rollout(moment: Moment, **more: Any) -> Flux:
    """The rollout of a recorded claim."""
    name = moment.expected["claim"].get("via", moment.expected["claim"]["object"]).partition("/")[2]
    return Flux(name, namespace=moment.expected["claim"]["namespace"], **more)


# --- Looking ---------------------------------------------------------------------------------------


def test_a_look_reads_the_kustomization_its_source_and_its_workload_and_no_pods() -> None:
    moment = Moment("02-bump-healthy/6b562c9", 35)
    cluster = Cluster(moment.documents)
    verdict = FluxCluster(cluster).look(rollout(moment), moment.claim, moment.now)
    assert verdict.outcome is Outcome.SUCCEEDED
    assert cluster.asked == ["get Kustomization", "get GitRepository", "get Deployment"]


def test_workloads_are_found_by_the_image_where_the_claim_names_none() -> None:
    moment = Moment("02-bump-healthy/6b562c9", 35)
    object.__setattr__(moment.claim, "deployment", None)
    look = FluxCluster(Cluster(moment.documents)).look
    assert look(rollout(moment), moment.claim, moment.now).outcome is Outcome.SUCCEEDED
    moment.of("Deployment")["spec"]["template"]["spec"]["containers"][0]["image"] = (
        "registry.example.com/other:good-2"
    )
    verdict = look(rollout(moment), moment.claim, moment.now)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "another Kustomization deploys it" in verdict.because


def test_a_failure_brings_the_pods_and_they_may_clear_the_commit() -> None:
    moment = Moment("03-bump-never-ready/e70c4cc", 120)
    cluster = Cluster(moment.documents)
    verdict = FluxCluster(cluster).look(rollout(moment), moment.claim, moment.now)
    assert cluster.asked[-1] == "list Pod"
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "Unschedulable" in verdict.because


def test_pods_that_may_not_be_read_leave_the_failure_and_are_said() -> None:
    moment = Moment("03-bump-never-ready/e70c4cc", 120)
    cluster = Cluster(moment.documents, forbidden=["Pod"])
    verdict = FluxCluster(cluster).look(rollout(moment), moment.claim, moment.now)
    assert verdict.outcome is Outcome.FAILED
    assert "may not list pods" in verdict.evidence[-1].answer


def test_deployments_that_may_not_be_read_are_never_a_success() -> None:
    moment = Moment("02-bump-healthy/6b562c9", 35)
    cluster = Cluster(moment.documents, forbidden=["Deployment"])
    verdict = FluxCluster(cluster).look(rollout(moment), moment.claim, moment.now)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "may not get deployments" in verdict.because


def test_a_kustomization_that_is_not_there_or_may_not_be_read_is_inconclusive() -> None:
    moment = Moment("02-bump-healthy/6b562c9", 35)
    missing = FluxCluster(Cluster([])).look(rollout(moment), moment.claim, moment.now)
    forbidden = FluxCluster(Cluster(moment.documents, forbidden=["Kustomization"]))
    refused = forbidden.look(rollout(moment), moment.claim, moment.now)
    assert {missing.outcome, refused.outcome} == {Outcome.INCONCLUSIVE}
    assert "there is no Kustomization fx-02/shop" in missing.because
    assert "grant it" in refused.because
    assert missing.again is not None


def test_a_helm_release_is_read_with_what_it_installed() -> None:
    moment = Moment("10-helm-bump-healthy/e9d4ea0", 40)
    flux = rollout(moment, helm_release="shop")
    assert (
        FluxCluster(Cluster(moment.documents)).look(flux, moment.claim, moment.now).outcome
        is Outcome.SUCCEEDED
    )


def test_a_helm_release_that_is_not_there_yet_is_pending() -> None:
    moment = Moment("10-helm-bump-healthy/e9d4ea0", 40).without("HelmRelease")
    flux = rollout(moment, helm_release="shop")
    assert (
        FluxCluster(Cluster(moment.documents)).look(flux, moment.claim, moment.now).outcome is Outcome.PENDING
    )


@pytest.mark.parametrize("lacks", [(), ("helmreleases.helm.toolkit.fluxcd.io/v2",)])
def test_what_an_older_flux_has_installed_is_found_by_its_labels(lacks: Sequence[str]) -> None:
    """Before an inventory there was none in a HelmRelease, and before Flux 2.3 no version `v2` of it."""
    moment = Moment("10-helm-bump-healthy/e9d4ea0", 40)
    moment.of("HelmRelease")["status"].pop("inventory")
    deployment = moment.of("Deployment")
    deployment["metadata"]["labels"] = {
        "helm.toolkit.fluxcd.io/name": "shop",
        "helm.toolkit.fluxcd.io/namespace": deployment["metadata"]["namespace"],
    }
    flux, claim = rollout(moment, helm_release="shop"), replace(moment.claim, deployment=None)
    cluster = Cluster(moment.documents, forbidden=["StatefulSet", "DaemonSet"], lacks=lacks)
    assert FluxCluster(cluster).look(flux, claim, moment.now).outcome is Outcome.SUCCEEDED
    deployment["metadata"]["labels"] = {}
    assert FluxCluster(cluster).look(flux, claim, moment.now).outcome is Outcome.INCONCLUSIVE


def test_a_source_in_an_older_version_is_read_and_asked_in_that_version() -> None:
    moment = Moment("20-delays/f60c10f", 30)
    source = moment.of("GitRepository")
    source |= {"kind": "OCIRepository", "apiVersion": "source.toolkit.fluxcd.io/v1beta2"}
    moment.of("Kustomization")["spec"]["sourceRef"]["kind"] = "OCIRepository"
    cluster = Cluster(moment.documents, lacks=["ocirepositories.source.toolkit.fluxcd.io/v1"])
    assert any(item.asked.startswith("Source ") for item in FluxCluster(cluster).look(rollout(moment), moment.claim, moment.now).evidence)  # fmt: skip
    FluxCluster(cluster).ask_to_sync(rollout(moment))
    assert REQUESTED in source["metadata"]["annotations"]


def test_what_is_deployed_to_another_cluster_is_not_looked_for_in_this_one() -> None:
    moment = Moment("02-bump-healthy/6b562c9", 35)
    moment.of("Kustomization")["spec"]["kubeConfig"] = {"secretRef": {"name": "west"}}
    cluster = Cluster(moment.documents)
    verdict = FluxCluster(cluster).look(rollout(moment), moment.claim, moment.now)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "deploys to another cluster" in verdict.because
    assert "(`through: forge`)" in verdict.because
    assert cluster.asked == ["get Kustomization", "get GitRepository"]


# --- Asking to fetch -------------------------------------------------------------------------------


@contextmanager
def receiver(status: int, seen: list[tuple[str, str]], location: str = "") -> Iterator[str]:
    """A server that answers as notification-controller does; yields its whole secret address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append((self.path, self.headers.get("Authorization", "")))
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{SECRET}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_without_a_receiver_the_source_is_annotated_with_something_new_each_time() -> None:
    moment = Moment("20-delays/f60c10f", 30)
    cluster, values = Cluster(moment.documents), set()
    for _ in range(2):
        FluxCluster(cluster).ask_to_sync(rollout(moment))
        values.add(moment.of("GitRepository")["metadata"]["annotations"][REQUESTED])
    assert len(values) == 2
    assert REQUESTED not in moment.of("Kustomization")["metadata"].get("annotations", {})


@pytest.mark.world
def test_a_receiver_is_posted_to_and_nothing_is_annotated() -> None:
    moment = Moment("20-delays/f60c10f", 30)
    seen: list[tuple[str, str]] = []
    cluster = Cluster(moment.documents)
    with receiver(200, seen) as url:
        FluxCluster(cluster, lambda: url).ask_to_sync(rollout(moment))
    assert seen == [(SECRET, "")]
    assert cluster.asked == []


@pytest.mark.world
@pytest.mark.parametrize(
    ("status", "problem", "word"),
    [
        (400, Refused, "type: generic"), (404, Refused, "webhookPath"), (302, Refused, "redirects"),
        (403, Refused, "403"), (429, Retryable, "429"), (500, Retryable, "500"),
    ],
)  # fmt: skip
def test_a_receiver_that_says_no_is_told_without_its_secret(
    status: int, problem: type[Exception], word: str
) -> None:
    moment = Moment("20-delays/f60c10f", 30)
    elsewhere: list[tuple[str, str]] = []
    with (
        receiver(200, elsewhere) as other,
        receiver(status, [], other) as url,
        pytest.raises(problem) as told,
    ):
        FluxCluster(Cluster(moment.documents), lambda: url).ask_to_sync(rollout(moment))
    assert word in str(told.value)
    assert "/hook" not in str(told.value)
    assert told.value.__cause__ is None
    assert elsewhere == []


@pytest.mark.world
def test_a_receiver_that_is_gone_is_tried_later_and_its_secret_stays_one() -> None:
    with receiver(200, []) as url:
        pass
    with pytest.raises(Retryable) as told:
        FluxCluster(Cluster([]), lambda: url, timeout=2).ask_to_sync(Flux("shop"))
    assert "hook" not in str(told.value)


@pytest.mark.parametrize(
    "url", ["http://flux.example.com/hook/x", "ftp://localhost/x", "hook", "", "http://[::1/x"]
)
def test_an_address_that_would_show_the_secret_is_refused(url: str) -> None:
    with pytest.raises(Refused, match="https://"):
        FluxCluster(Cluster([]), lambda: url).ask_to_sync(Flux("shop"))


def test_there_is_nothing_to_terminate() -> None:
    cluster = Cluster([])
    FluxCluster(cluster).terminate(Flux("shop"))
    assert cluster.asked == []


# --- Advice ----------------------------------------------------------------------------------------


def advised(moment: Moment, **more: Any) -> str:
    """All advice in one text."""
    return "\n".join(FluxCluster(Cluster(moment.documents)).advice(rollout(moment, **more)))


def test_good_settings_need_no_advice() -> None:
    assert advised(Moment("02-bump-healthy/6b562c9", 35)) == ""


def test_no_wait_and_no_health_checks_is_said() -> None:
    assert "set `wait: true`" in advised(Moment("03b-bump-never-ready-wait-false/d40ca88", 30))


def test_health_checks_that_miss_the_workload_are_said() -> None:
    assert "leave out Deployment shop" in advised(Moment("16-health-checks/3d91f3d", 85))
    assert "leave out" not in advised(Moment("16-health-checks/a3047cc", 20))


def test_what_is_suspended_is_said() -> None:
    assert "Kustomization shop is suspended" in advised(Moment("07-suspended/7f30e55", 25))
    assert "GitRepository fleet is suspended" in advised(Moment("07-suspended/540e0a0", 60))


def test_a_time_out_below_thirty_seconds_and_a_long_one_are_said() -> None:
    assert "raised to 30s" in advised(Moment("03d-slow-rollout/685968c", 45))
    moment = Moment("02-bump-healthy/6b562c9", 35)
    del moment.of("Kustomization")["spec"]["timeout"]
    assert "0:09:30" in advised(moment)


def test_a_slow_poll_is_said_only_where_no_receiver_is_known() -> None:
    moment = Moment("20-delays/f60c10f", 30)
    moment.of("GitRepository")["spec"]["interval"] = "10m"
    assert "every 0:10:00" in advised(moment)
    asked = FluxCluster(Cluster(moment.documents), lambda: "https://flux.example.com/hook/x")
    assert "every" not in "\n".join(asked.advice(rollout(moment)))


def test_releases_that_prove_little_are_said() -> None:
    assert "retries for ever" in advised(
        Moment("11c-helm-retry-on-failure/11006f8", 100), helm_release="shop"
    )
    assert "reconcileStrategy: Revision" in advised(
        Moment("10-helm-bump-healthy/e9d4ea0", 40), helm_release="shop"
    )
    assert advised(Moment("10b-helm-revision-strategy/0be103d", 34), helm_release="shop") == ""


def test_what_changes_or_stops_rollouts_beside_git_is_said() -> None:
    assert "postBuild" in advised(Moment("18-post-build/bd6a392", 30))
    assert "depends on others" in advised(Moment("08-depends-on/9b3dc0f", 105))


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("10m", 600),
        ("1h2m3s", 3723),
        ("500ms", 0.5),
        ("1.5m", 90),
        ("", None),
        ("10", None),
        ("soon", None),
        ("5 m", None),
    ],
)
def test_durations_are_read_as_go_writes_them(written: str, seconds: float | None) -> None:
    assert duration(written) == (None if seconds is None else timedelta(seconds=seconds))
