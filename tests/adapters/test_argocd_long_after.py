"""A release that was good goes on to be judged: what becomes unwell later may be another's doing, and has its own time."""

import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.adapters.argocd.judge import judge
from bot.adapters.argocd.places import TREE
from bot.core.verdict import Claim, Outcome, Verdict
from tests.recordings.reader import changes

# The last state of a good bump.
LIVE = [change["object"] for change in changes("argocd", "02-image-bump") if change["object"]["kind"] == "Application"][-1]  # fmt: skip
COMMIT, IMAGE = LIVE["status"]["sync"]["revision"], "127.0.0.1:5000/web:good-2"
CLAIM = Claim(COMMIT, IMAGE, datetime(2026, 11, 23, 7, 3, 6, tzinfo=UTC), timedelta(seconds=3), timedelta(minutes=15))  # fmt: skip
NOW = CLAIM.merged_at + timedelta(hours=1)

NIGHTLY = {"group": "batch", "kind": "CronJob", "name": "nightly-report", "namespace": "web-a"}
WEB = {"group": "apps", "kind": "Deployment", "name": "web", "namespace": "web-a"}
OTHER = WEB | {"name": "other"}


def at(ago: timedelta) -> str:
    return f"{NOW - ago:%Y-%m-%dT%H:%M:%SZ}"


def application(
    health: str, *unwell: dict[str, str], ago: timedelta = timedelta(minutes=2), told: bool = True
) -> dict[str, Any]:
    """The Application an hour after the merge; `told` is whether its sync told which images it gave to what."""
    document = copy.deepcopy(LIVE)
    status = document["status"]
    status |= {"health": {"status": health, "lastTransitionTime": at(ago)}, "reconciledAt": at(timedelta(0))}
    status["resources"] = [item | {"health": {"status": health}} for item in unwell]
    if not told:
        for item in status["operationState"]["syncResult"]["resources"]:
            item.pop("images", None)
    return document


def applied(document: dict[str, Any], what: dict[str, str], *images: str) -> dict[str, Any]:
    document["status"]["operationState"]["syncResult"]["resources"].append(what | {"images": list(images)})
    return document


def tree(*nodes: dict[str, Any]) -> dict[str, Any]:
    return {"kind": TREE, "nodes": list(nodes)}


def node(
    what: dict[str, str], uid: str, *images: str, of: str = "", health: str = "Healthy"
) -> dict[str, Any]:
    parents = [{"uid": of}] if of else []
    return what | {"uid": uid, "images": list(images), "parentRefs": parents, "health": {"status": health}}


def said(*documents: dict[str, Any], claim: Claim = CLAIM, now: datetime = NOW) -> Verdict:
    return judge(documents, claim, now)


# --- Its own time ----------------------------------------------------------------------------------


def test_a_release_that_is_scaled_up_has_the_deadline_anew() -> None:
    scaled = application("Progressing", ago=timedelta(seconds=5))
    assert said(scaled).outcome is Outcome.INCONCLUSIVE
    assert (
        said(application("Progressing", ago=timedelta(minutes=14, seconds=59))).outcome is not Outcome.FAILED
    )


def test_a_release_that_stays_progressing_for_the_deadline_has_failed() -> None:
    verdict = said(application("Progressing", ago=timedelta(minutes=15, seconds=1)))
    assert verdict.outcome is Outcome.FAILED
    assert "is applied and Progressing, and the deadline has passed" in verdict.because


def test_one_that_never_was_healthy_has_failed_at_the_deadline() -> None:
    document = application("Progressing")
    document["status"]["health"]["lastTransitionTime"] = "2026-11-23T07:03:07Z"
    document["status"]["reconciledAt"] = "2026-11-23T07:18:00Z"
    about = CLAIM.merged_at + CLAIM.deadline
    assert said(document, now=about).outcome is Outcome.PENDING
    assert said(document, now=about + timedelta(seconds=2)).outcome is Outcome.FAILED


@pytest.mark.parametrize("phase", ["Failed", "Running"])
def test_a_later_sync_that_fails_is_not_held_against_it_when_its_own_is_forgotten(phase: str) -> None:
    """The history has ten entries, and syncs of later commits with the image fill it."""
    later, newest = "b" * 40, "c" * 40
    document = application("Healthy")
    document["status"]["history"] = [{"revision": later, "deployStartedAt": "2026-11-23T07:30:00Z"}]
    document["status"]["sync"]["revision"] = newest
    document["status"]["operationState"] |= {"phase": phase, "retryCount": 2}
    document["status"]["operationState"]["syncResult"]["revision"] = newest
    about = Claim(COMMIT, IMAGE, CLAIM.merged_at, CLAIM.settle, CLAIM.deadline, contains=(later, newest))
    assert said(document, claim=about).outcome is Outcome.INCONCLUSIVE
    document["status"]["history"] = []
    assert said(document, claim=about).outcome is Outcome.FAILED


# --- Another workload ------------------------------------------------------------------------------


def test_another_workload_that_becomes_degraded_is_not_held_against_it() -> None:
    verdict = said(application("Degraded", NIGHTLY))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "another workload of the Application is Degraded since 2026-11-23 08:01:06 UTC (CronJob nightly-report)" in verdict.because  # fmt: skip


def test_another_workload_that_stays_progressing_is_not_held_against_it() -> None:
    verdict = said(application("Progressing", NIGHTLY, ago=timedelta(minutes=16)))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "another workload of the Application is Progressing" in verdict.because


def test_its_own_workload_that_becomes_degraded_has_failed_whatever_else_is() -> None:
    assert said(application("Degraded", WEB)).outcome is Outcome.FAILED
    assert said(application("Degraded", NIGHTLY, WEB)).outcome is Outcome.FAILED


def test_without_names_nobody_is_acquitted() -> None:
    assert said(application("Degraded")).outcome is Outcome.FAILED
    assert said(application("Degraded", NIGHTLY, told=False)).outcome is Outcome.FAILED


def test_only_what_makes_the_application_what_it_is_counts() -> None:
    """What is Progressing beside does not make it Degraded."""
    document = application("Degraded", NIGHTLY)
    document["status"]["resources"].append(WEB | {"health": {"status": "Progressing"}})
    assert said(document).outcome is Outcome.INCONCLUSIVE


def test_a_deployment_is_acquitted_when_its_manifest_has_another_image() -> None:
    assert said(application("Degraded", OTHER)).outcome is Outcome.FAILED
    other = applied(application("Degraded", OTHER), OTHER, "127.0.0.1:5000/web:other-1")
    assert said(other).outcome is Outcome.INCONCLUSIVE
    second = applied(application("Degraded", OTHER), OTHER, "sidecar:1", IMAGE)
    assert said(second).outcome is Outcome.FAILED


def test_the_deployment_that_the_claim_names_is_its_own() -> None:
    about = Claim(COMMIT, IMAGE, CLAIM.merged_at, CLAIM.settle, CLAIM.deadline, deployment="web")
    assert said(application("Degraded", WEB, told=False), claim=about).outcome is Outcome.FAILED
    assert said(application("Degraded", NIGHTLY, told=False), claim=about).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("group", "kind"),
    [("flagger.app", "Canary"), ("argoproj.io", "Rollout"), ("serving.kserve.io", "InferenceService"), ("serving.knative.dev", "Service")],
)  # fmt: skip
def test_what_may_speak_for_the_release_is_not_acquitted(group: str, kind: str) -> None:
    speaks = {"group": group, "kind": kind, "name": "web", "namespace": "web-a"}
    assert said(application("Degraded", speaks, ago=timedelta(minutes=16))).outcome is Outcome.FAILED
    for_a_while = kind in ("InferenceService", "Service")
    at_once = Outcome.INCONCLUSIVE if for_a_while else Outcome.FAILED
    assert said(application("Degraded", speaks)).outcome is at_once


def test_the_tree_tells_whose_pods_run_the_image() -> None:
    live = [node(WEB, "d"), node(WEB | {"kind": "ReplicaSet"}, "r", of="d")]
    live += [node({"kind": "Pod", "name": "p", "namespace": "web-a"}, "p", IMAGE, of="r")]
    nightly, web = application("Degraded", NIGHTLY, told=False), application("Degraded", WEB, told=False)
    assert said(nightly, tree(*live)).outcome is Outcome.INCONCLUSIVE
    assert said(web, tree(*live)).outcome is Outcome.FAILED


def test_the_tree_tells_who_is_unwell_where_the_application_does_not() -> None:
    document = application("Degraded")
    pod = node({"kind": "Pod", "name": "p", "namespace": "web-a"}, "p", IMAGE, of="d", health="Degraded")
    assert said(document, tree(node(NIGHTLY, "n", health="Degraded"))).outcome is Outcome.INCONCLUSIVE
    assert said(document, tree(node(WEB, "d"), pod)).outcome is Outcome.FAILED
    assert said(document, tree(node(WEB, "d", health="Degraded"), pod)).outcome is Outcome.FAILED


def test_pods_of_before_acquit_nobody() -> None:
    """A new version that no pod could be made of leaves only those of the version before."""
    second = node(
        {"kind": "Pod", "name": "q", "namespace": "web-a"}, "q", "127.0.0.1:5000/web:good-1", of="o"
    )
    third = node({"kind": "Pod", "name": "q", "namespace": "web-a"}, "q", "127.0.0.1:5000/report:1", of="o")
    document = application("Degraded", OTHER)
    assert said(document, tree(node(OTHER, "o"), second)).outcome is Outcome.FAILED
    assert said(document, tree(node(OTHER, "o"), third)).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("nodes", [None, 7, [7, None], [{"uid": 7}], [{"uid": "a", "parentRefs": [{"uid": "a"}, 7]}], [{"uid": "a", "parentRefs": [{"uid": "b"}]}, {"uid": "b", "parentRefs": [{"uid": "a"}], "images": [7]}]])  # fmt: skip
def test_a_broken_tree_changes_nothing(nodes: Any) -> None:
    broken = {"kind": TREE, "nodes": json.loads(json.dumps(nodes))}
    assert said(application("Degraded"), broken).outcome is Outcome.FAILED


# --- Out of sync -----------------------------------------------------------------------------------


def differing(*out: dict[str, str], **web: str) -> dict[str, Any]:
    """The Application an hour after the merge, OutOfSync because of these."""
    document = application("Healthy", ago=timedelta(minutes=50))
    document["status"]["sync"]["status"] = "OutOfSync"
    document["status"]["resources"] = [WEB | {"status": "Synced"} | web, *(item | {"status": "OutOfSync"} for item in out)]  # fmt: skip
    return document


HPA = {"group": "autoscaling", "kind": "HorizontalPodAutoscaler", "name": "web", "namespace": "web-a"}


def test_what_else_differs_from_git_for_ever_is_named_with_its_cure() -> None:
    """fixtures/argocd/README.md, section (a), 2: only Synced is proof."""
    verdict = said(differing(HPA))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "HorizontalPodAutoscaler web alone differs from git again" in verdict.because
    assert "`ignoreDifferences`" in verdict.because


def test_what_may_run_the_image_and_differs_from_git_is_not_called_something_else() -> None:
    verdict = said(differing(HPA, status="OutOfSync"))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert (
        "differs from git again (Deployment web, HorizontalPodAutoscaler web): changed by hand?"
        in verdict.because
    )
    assert "changed by hand?" in said(differing(OTHER)).because
    untold = differing(HPA)
    untold["status"]["operationState"]["syncResult"]["resources"] = []
    assert "changed by hand?" in said(untold).because
