"""An Application whose image runs in an InferenceService: its pods are in Argo CD's tree, so the judge needs no Deployment."""

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.adapters.argocd.judge import judge
from bot.core.verdict import Claim, Outcome
from tests.recordings.reader import changes

LIVE = [
    item["object"] for item in changes("argocd", "02-image-bump") if item["object"]["kind"] == "Application"
][-1]
MERGED = datetime(2026, 11, 23, 7, 3, 6, tzinfo=UTC)
IMAGE = "127.0.0.1:5000/web:good-2"
SERVICE = {
    "group": "serving.kserve.io",
    "version": "v1beta1",
    "kind": "InferenceService",
    "name": "web",
    "namespace": "web",
    "status": "Synced",
}


def outcome(images: list[str], image: str = IMAGE) -> Outcome:
    """The recorded Application, live, had it an InferenceService in place of its Deployment and pods of these images."""
    document: dict[str, Any] = copy.deepcopy(LIVE)
    document["status"]["resources"] = [SERVICE]
    document["status"]["summary"] = {"images": images}
    settle = timedelta(seconds=3)
    claim = Claim(
        LIVE["status"]["sync"]["revision"], IMAGE, MERGED, settle=settle, deadline=timedelta(minutes=10)
    )
    return judge([document], replace(claim, image=image), MERGED + timedelta(minutes=1)).outcome


def test_the_image_of_its_pods_is_enough() -> None:
    assert outcome([IMAGE]) is Outcome.SUCCEEDED
    assert outcome([IMAGE, "kserve/storage-initializer:v0.15.0"]) is Outcome.SUCCEEDED


def test_knative_runs_digests_in_place_of_tags_and_a_claim_with_its_digest_finds_them() -> None:
    digest = "sha256:" + "ab" * 32
    assert outcome([f"127.0.0.1:5000/web@{digest}"], f"{IMAGE}@{digest}") is Outcome.SUCCEEDED
    assert outcome([f"127.0.0.1:5000/web@{digest}"]) is Outcome.INCONCLUSIVE


def test_without_any_pod_nothing_serves() -> None:
    assert outcome([]) is Outcome.INCONCLUSIVE
