"""What is said about an Application's settings: one finding, one sentence with its cure."""

import copy
from typing import Any

import pytest

from bot.adapters.argocd.advice import advice, of_windows
from bot.core.target import ArgoCD, Through
from tests.recordings.reader import changes

ROLLOUT = ArgoCD("web", terminate=True)
GOOD: dict[str, Any] = {
    "project": "ml",
    "source": {"repoURL": "https://git.acme.dev/manifests", "path": "prod", "targetRevision": "main"},
    "syncPolicy": {"automated": {"prune": True, "selfHeal": True}, "retry": {"limit": 5, "refresh": True}},
}


def advised(spec: Any, rollout: ArgoCD = ROLLOUT, branch: str | None = "main") -> tuple[str, ...]:
    return advice({"spec": spec}, rollout, branch)


def spec(**changes_: Any) -> dict[str, Any]:
    return copy.deepcopy(GOOD) | changes_


def test_good_settings_need_no_advice() -> None:
    assert advised(GOOD) == ()


@pytest.mark.parametrize("policy", [{}, {"automated": None}, {"automated": {"enabled": False}}])
def test_without_automated_sync_nothing_is_ever_proven(policy: Any) -> None:
    """07."""
    (sentence,) = advised(spec(syncPolicy=policy | {"retry": {"refresh": True}}))
    assert "a merge is applied only when a person syncs" in sentence
    assert "set `spec.syncPolicy.automated: {enabled: true}`" in sentence


@pytest.mark.parametrize(
    ("retry", "tries"),
    [(None, "up to 5 times"), ({"limit": -1}, "for ever"), ({"limit": 3}, "up to 3 times")],
)
def test_retries_that_do_not_take_a_newer_commit_keep_a_revert_waiting(retry: Any, tries: str) -> None:
    """04c, 04e."""
    policy = {"automated": GOOD["syncPolicy"]["automated"], "retry": retry}
    (sentence,) = advised(spec(syncPolicy=policy))
    assert f"tried {tries} by web, and its revert waits meanwhile" in sentence
    assert "retry.refresh: true" in sentence
    assert "terminate" not in sentence
    (without,) = advised(spec(syncPolicy=policy), ArgoCD("web"))
    assert "or let the bot end it with `terminate: true`" in without


def test_no_retries_at_all_keep_nothing_waiting() -> None:
    assert advised(spec(syncPolicy=GOOD["syncPolicy"] | {"retry": {"limit": 0}})) == ()


def test_drift_that_nothing_mends_is_said() -> None:
    """15b."""
    (sentence,) = advised(spec(syncPolicy=GOOD["syncPolicy"] | {"automated": {}}))
    assert "does without `selfHeal` and `prune`" in sentence
    assert "automated: {selfHeal: true, prune: true}" in sentence


@pytest.mark.parametrize(
    "entry",
    [
        {"jsonPointers": ["/spec/template/spec/containers/0/image"]},
        {"jsonPointers": ["/spec/replicas", "/spec/template"]},
        {"jqPathExpressions": [".spec.template.spec.containers[].image"]},
    ],
)
def test_an_ignored_image_is_never_applied(entry: Any) -> None:
    """28."""
    ignored = [{"group": "apps", "kind": "Deployment", **entry}]
    policy = GOOD["syncPolicy"] | {"syncOptions": ["RespectIgnoreDifferences=true"]}
    (sentence,) = advised(spec(ignoreDifferences=ignored, syncPolicy=policy))
    assert "covers the image" in sentence
    assert "is never applied: take that entry away" in sentence
    (milder,) = advised(spec(ignoreDifferences=ignored))
    assert "is not noticed as a difference" in milder


def test_ignored_replicas_are_fine() -> None:
    assert advised(spec(ignoreDifferences=[{"jsonPointers": ["/spec/replicas", "/spec/templates"]}])) == ()


def test_the_recorded_application_with_an_ignored_image_is_told_so() -> None:
    document = changes("argocd", "28-image-in-ignoreDifferences")[0]["object"]
    assert "is never applied" in advice(document, ROLLOUT, "main")[0]


@pytest.mark.parametrize(
    ("source", "place"),
    [
        (
            {"kustomize": {"images": ["web=registry/web:good-1"]}},
            "`kustomize.images`: web=registry/web:good-1",
        ),
        ({"helm": {"parameters": [{"name": "image.tag", "value": "v1"}]}}, "`helm.parameters`: image.tag"),
    ],
)
def test_an_image_in_the_application_wins_over_the_repo(source: Any, place: str) -> None:
    """27."""
    (sentence,) = advised(spec(source=GOOD["source"] | source))
    assert place in sentence
    assert "unless the target's pin is that very place" in sentence


@pytest.mark.parametrize("revision", ["f" * 40, "v1.2.3"])
def test_a_fixed_revision_is_never_reached_by_a_merge(revision: str) -> None:
    (sentence,) = advised(spec(source=GOOD["source"] | {"targetRevision": revision}), branch=None)
    assert "follows the fixed revision" in sentence


def test_another_branch_than_the_one_that_is_merged_into_is_said() -> None:
    other = spec(source=GOOD["source"] | {"targetRevision": "release"})
    (sentence,) = advised(other)
    assert "follows release, and proposals are merged into main" in sentence
    assert advised(other, branch=None) == ()


@pytest.mark.parametrize("revision", ["", "HEAD", "main", "refs/heads/main"])
def test_the_base_branch_may_be_written_in_several_ways(revision: str) -> None:
    assert advised(spec(source=GOOD["source"] | {"targetRevision": revision})) == ()


def test_of_several_sources_one_follows_the_base_branch_and_charts_do_not_count() -> None:
    chart = {"repoURL": "https://charts.acme.dev", "chart": "web", "targetRevision": "1.2.3"}
    values = {"repoURL": "https://git.acme.dev/values", "targetRevision": "main", "ref": "values"}
    several = {key: value for key, value in GOOD.items() if key != "source"} | {"sources": [chart, values]}
    assert advised(several) == ()
    values["targetRevision"] = "release"
    assert "follows release" in advised(several)[0]
    assert advised(several | {"sources": [chart]}) == ()


def test_of_hydrated_manifests_only_the_newest_merge_is_known() -> None:
    (sentence,) = advised(spec(sourceHydrator={"drySource": {"repoURL": "https://git.acme.dev/dry"}}))
    assert "only of the newest: verify the workload, too" in sentence


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"canSync": True}, None),
        (
            {"assignedWindows": [{"kind": "allow"}], "activeWindows": [{"kind": "allow"}]},
            "lets syncs through now",
        ),
        (
            {"assignedWindows": [{"kind": "allow", "schedule": "0 9 * * 1-5"}]},
            "denies syncs now (allow 0 9 * * 1-5",
        ),
        ({"assignedWindows": [{"kind": "deny"}]}, "lets syncs through now"),
        ({"assignedWindows": [{"kind": "deny"}], "activeWindows": [{"kind": "deny"}]}, "denies syncs now"),
    ],
)
def test_sync_windows_are_told_with_what_they_do_now(told: Any, sentence: str | None) -> None:
    found = of_windows(told)
    assert len(found) == (sentence is not None)
    assert sentence is None or sentence in found[0]


@pytest.mark.parametrize(
    "junk", [None, 7, "x", [], [None], {"a": None}, {"retry": {"limit": "x"}}, "x\x1b[31m" * 400]
)
def test_broken_settings_raise_nothing_and_sentences_stay_short(junk: Any) -> None:
    for key in ("source", "sources", "syncPolicy", "ignoreDifferences", "sourceHydrator"):
        sentences = advised(spec(**{key: junk}))
        assert all(len(sentence) < 500 and "\x1b" not in sentence for sentence in sentences)
    assert isinstance(advised(junk), tuple)
    assert isinstance(of_windows({"assignedWindows": junk, "activeWindows": junk}), tuple)


def test_a_workload_whose_health_says_little_is_asked_about_better_itself() -> None:
    document = {
        "spec": GOOD,
        "status": {
            "resources": [{"kind": "Service", "name": "f"}, {"kind": "InferenceService", "name": "fraud"}]
        },
    }
    (said,) = advice(document, ROLLOUT, "main")
    assert "`{workload: inferenceservice/fraud, namespace: …}`" in said


def test_through_kubernetes_what_may_be_degraded_beside_the_model_is_said() -> None:
    resources = [{"group": "batch", "kind": "CronJob", "name": "nightly"}, {"group": "apps", "kind": "Deployment", "name": "web"}]  # fmt: skip
    document = {"spec": GOOD, "status": {"resources": resources}}
    there = ArgoCD("web", through=Through.KUBERNETES)
    assert "that may be CronJob nightly: no release is taken back for it" in " ".join(
        advice(document, there, "main")
    )
    assert advice(document, ArgoCD("web"), "main") == ()
