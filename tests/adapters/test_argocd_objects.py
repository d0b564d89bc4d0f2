"""Argo CD through the Kubernetes API: recorded Applications behind a small API server, asked by the real adapter."""

import copy
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.argocd import ArgoCDObjects
from bot.adapters.kubernetes import KubernetesObjects
from bot.core.target import ArgoCD, Through
from bot.core.verdict import Claim, Outcome
from bot.ports import Refused, Retryable
from tests.adapters.kubernetes_api import TOKEN, Api, kubeconfig, serving_api
from tests.recordings.reader import changes

pytestmark = pytest.mark.world

ROLLOUT = ArgoCD("web", through=Through.KUBERNETES)
PLACE = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/web"


def application(recording: str, second: float = 1e9) -> dict[str, Any]:
    """The Application at this second of a recording."""
    seen = [item for item in changes("argocd", recording) if item["object"]["kind"] == "Application"]
    return copy.deepcopy([item["object"] for item in seen if item["at"] <= second][-1])


LIVE = application("02-image-bump")
NOW = datetime.fromisoformat(LIVE["status"]["health"]["lastTransitionTime"]) + timedelta(seconds=30)
CLAIM = Claim(
    LIVE["status"]["sync"]["revision"], "127.0.0.1:5000/web:good-2", NOW - timedelta(minutes=1), timedelta(seconds=3),
    timedelta(minutes=10),
)  # fmt: skip


@pytest.fixture
def api() -> Iterator[Api]:
    with serving_api() as served:
        yield served


@pytest.fixture
def argocd(api: Api, tmp_path: Path) -> ArgoCDObjects:
    return ArgoCDObjects(
        KubernetesObjects(kubeconfig(tmp_path, api.url, {"token": TOKEN})), base_branch="main"
    )


def test_the_application_itself_proves_what_the_api_would(api: Api, argocd: ArgoCDObjects) -> None:
    api.objects[PLACE] = LIVE
    verdict = argocd.look(ROLLOUT, CLAIM, NOW)
    assert verdict.outcome is Outcome.SUCCEEDED
    assert [(method, path) for method, path, *_ in api.asked] == [("GET", PLACE)]


def test_it_may_live_in_another_namespace(api: Api, argocd: ArgoCDObjects) -> None:
    api.objects[PLACE.replace("/argocd/", "/team-a/")] = LIVE
    assert argocd.look(ArgoCD("web", namespace="team-a"), CLAIM, NOW).outcome is Outcome.SUCCEEDED


def test_an_application_that_is_gone_is_inconclusive_and_says_what_to_correct(argocd: ArgoCDObjects) -> None:
    verdict = argocd.look(ROLLOUT, CLAIM, NOW)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert (
        "there is no Application web in namespace argocd: correct `rollout:` or create it" in verdict.because
    )
    for ask in (argocd.advice, argocd.terminate):
        with pytest.raises(Refused, match="there is no Application web"):
            ask(ROLLOUT)
    with pytest.raises(Refused, match="there is no applications"):
        argocd.ask_to_sync(ROLLOUT)


def test_a_missing_right_is_told_with_the_rule_that_grants_it(api: Api, argocd: ArgoCDObjects) -> None:
    """Section (d): reading needs `get`, asking `patch`."""
    api.objects[PLACE] = application("04c-revert-while-retrying", 100)
    api.forbidden = {"get applications", "patch applications"}
    verdict = argocd.look(ROLLOUT, CLAIM, NOW)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert 'apiGroups: ["argoproj.io"], resources: ["applications"], verbs: ["get"]' in verdict.because
    api.forbidden = {"patch applications"}
    for ask in (argocd.ask_to_sync, argocd.terminate):
        with pytest.raises(Refused, match="lacks the right to patch applications"):
            ask(ROLLOUT)


def test_asking_to_sync_sets_the_annotation_that_the_controller_takes_away(
    api: Api, argocd: ArgoCDObjects
) -> None:
    """Section (c)."""
    api.objects[PLACE] = copy.deepcopy(LIVE)
    argocd.ask_to_sync(ROLLOUT)
    assert api.objects[PLACE]["metadata"]["annotations"]["argocd.argoproj.io/refresh"] == "normal"
    verdict = argocd.look(ROLLOUT, CLAIM, NOW)
    assert verdict.outcome is Outcome.PENDING
    assert "has been asked to look and has not done so yet" in verdict.because


def test_an_operation_that_blocks_a_newer_commit_is_terminated_by_its_phase(
    api: Api, argocd: ArgoCDObjects
) -> None:
    """04c."""
    before = application("04c-revert-while-retrying", 100)
    api.objects[PLACE] = copy.deepcopy(before)
    argocd.terminate(ROLLOUT)
    state = api.objects[PLACE]["status"]["operationState"]
    assert state == before["status"]["operationState"] | {"phase": "Terminating"}
    asked = len(api.asked)
    argocd.terminate(ROLLOUT)
    assert [method for method, *_ in api.asked[asked:]] == ["GET"], "it is being ended already"


@pytest.mark.parametrize("second", [5, 9.05, 500])
def test_an_operation_that_blocks_nothing_is_left_alone(
    api: Api, argocd: ArgoCDObjects, second: float
) -> None:
    before = application("04c-revert-while-retrying", second)
    api.objects[PLACE] = copy.deepcopy(before)
    argocd.terminate(ROLLOUT)
    assert api.objects[PLACE] == before


def test_an_operation_that_has_begun_since_the_look_is_not_hit(api: Api, argocd: ArgoCDObjects) -> None:
    seen = application("04c-revert-while-retrying", 100)
    api.objects[PLACE] = copy.deepcopy(LIVE)
    api.objects[PLACE]["metadata"]["resourceVersion"] = "999999"
    api.instead.append((200, {}, json.dumps(seen).encode()))
    with pytest.raises(Retryable, match="being changed by somebody else"):
        argocd.terminate(ROLLOUT)
    assert api.objects[PLACE]["status"]["operationState"]["phase"] == "Succeeded"


def test_advice_is_given_from_one_read(api: Api, argocd: ArgoCDObjects) -> None:
    api.objects[PLACE] = copy.deepcopy(LIVE)
    api.objects[PLACE]["spec"]["syncPolicy"] = {}
    assert any("the automated sync of web is not set" in sentence for sentence in argocd.advice(ROLLOUT))
    assert len(api.asked) == 1
