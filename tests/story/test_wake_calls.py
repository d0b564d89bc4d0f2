"""Flux, Argo CD and Alertmanager wake their targets at once, if they prove who they are; without them it is the sweep's turn."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml  # type: ignore[import-untyped]

from bot.sandbox.demo.world import APPLICATION, MODEL, TARGET
from tests.story.told import ToldWorld

SOON = 1.0  # seconds
TRIES = 5  # as a machine may be busy with something else for a moment
FLUXED, WATCHED = f"{MODEL}/fluxed", f"{MODEL}/watched"
CALLS: Mapping[str, Mapping[str, Any]] = {
    "argocd": {"app": APPLICATION, "event": "on-health-changed"},
    "flux": {
        "involvedObject": {"kind": "Kustomization", "namespace": "flux-system", "name": "fluxed"},
        "reason": "HealthCheckFailed",
        "severity": "error",
    },
    "alertmanager": {"status": "firing", "alerts": [{"labels": {"service": MODEL, "alertname": "Errors"}}]},
}
OTHERS: Mapping[str, Mapping[str, Any]] = {
    FLUXED: {"rollout": {"flux": "fluxed"}},
    WATCHED: {"verify": [{"alerts": {"service": MODEL}}]},
}
WOKEN = {"argocd": TARGET, "flux": FLUXED, "alertmanager": WATCHED}


class CalledWorld(ToldWorld):
    """Three targets of one model, each of which only one of the callers knows; the sweep comes once an hour."""

    senders = ("mlflow", "github", *CALLS)

    def promotions(self, text: str) -> str:
        document = yaml.safe_load(super().promotions(text))
        for name, more in OTHERS.items():
            environment = name.rpartition("/")[2]
            folder = self.folder / "manifests" / "apps" / environment
            folder.mkdir()
            entry = {"name": "server", "newName": self.image, "newTag": "unreleased"}
            (folder / "kustomization.yaml").write_text(yaml.safe_dump({"images": [entry]}))
            pins = [{"kustomize": f"apps/{environment}"}]
            document["targets"].append({"name": name, "when": {"alias": environment}, "pins": pins, **more})
        written: str = yaml.safe_dump(document, sort_keys=False)
        return written

    def call(self, sender: str, *, secret: str | None = None, body: bytes | None = None) -> requests.Response:
        """What the sender posts, proven by its secret, or by another one."""
        sent = body if body is not None else json.dumps(CALLS[sender]).encode()
        headers = {"Content-Type": "application/json"} | self.proof(sender, secret)
        return requests.post(f"{self.bot_url}/webhook/{sender}", data=sent, headers=headers, timeout=10)

    def wakes(self, sender: str, target: str) -> float:
        """Let the sender call; how long its target then waits for a look, in seconds."""

        def called() -> None:
            assert self.call(sender).json() == {"woken": [target]}

        return self.looks_again(called, target)

    def proof(self, sender: str, secret: str | None) -> dict[str, str]:
        key = self.secrets[f"{sender.upper()}_SECRET"] if secret is None else secret
        if sender != "flux":
            return {"Authorization": f"Bearer {key}"}
        signed = hmac.new(key.encode(), json.dumps(CALLS[sender]).encode(), hashlib.sha256).hexdigest()
        return {"X-Signature": f"sha256={signed}"}


@pytest.mark.story
@pytest.mark.timeout(300)
def test_calls_of_the_cluster_wake_their_target_within_a_second_and_others_are_turned_away(
    tmp_path: Path,
) -> None:
    with CalledWorld(tmp_path / "world", sweep="1h") as world:
        for name in WOKEN.values():
            world.until(lambda name=name: world.standing(name)["looked_at"], f"a first look at {name}")  # type: ignore[misc]
        for sender, woken in WOKEN.items():
            before = {name: world.looked_at(name) for name in WOKEN.values()}
            for refused in (
                world.call(sender, secret="guessed"),
                world.call(sender, secret=""),
                world.call(sender, secret=world.secrets["GITHUB_SECRET"]),
            ):
                assert refused.status_code == 401
                assert "error" in refused.json()
            assert world.woken_by(sender) == set()
            assert {name: world.looked_at(name) for name in WOKEN.values()} == before

            assert any(world.wakes(sender, woken) < SOON for _ in range(TRIES))
            assert world.woken_by(sender) == {woken}
            still = {name: world.looked_at(name) for name in WOKEN.values() if name != woken}
            assert still == {name: at for name, at in before.items() if name != woken}
        # What Flux signed is that body and no other.
        changed = json.dumps({**CALLS["flux"], "reason": "Progressing"}).encode()
        assert world.call("flux", body=changed).status_code == 401
