"""With `revert: review` a release that recovers before anybody has merged its revert stays."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import requests

from bot.core.model import Kind
from bot.sandbox.demo.world import APPLICATION, MODEL
from tests.story.told import ToldWorld


class ReviewedWorld(ToldWorld):
    """Argo CD is asked through the Kubernetes API, as its own knows no token of the bot's; it tells by notifications."""

    senders = ("mlflow", "github", "argocd")
    broken: frozenset[str] = frozenset()
    needing = frozenset({"2"})
    target: ClassVar[Mapping[str, Any]] = {
        "rollout": {"argocd": APPLICATION, "through": "kubernetes"},
        "revert": "review",
    }

    def environment(self) -> dict[str, str]:
        return super().environment() | {"GITOPS_BOT_ARGOCD_TOKEN": "unknown"}

    def notify(self) -> Any:
        """What Argo CD's notifications controller sends when the health of the Application changes."""
        token = {"Authorization": f"Bearer {self.secrets['ARGOCD_SECRET']}"}
        body = {"app": APPLICATION, "event": "on-health-changed"}
        return requests.post(f"{self.bot_url}/webhook/argocd", json=body, headers=token, timeout=5)

    def health(self) -> str:
        return str(self.application(APPLICATION)["status"]["health"]["status"])


@pytest.mark.story
@pytest.mark.timeout(300)
def test_a_release_that_recovers_before_its_revert_is_merged_stays(tmp_path: Path) -> None:
    with ReviewedWorld(tmp_path / "world", sweep="1h") as world:
        world.register("1", "2")
        world.bring("1")
        world.cluster.progress_deadline = 4
        deploy = world.promote("2")
        world.review(deploy)
        revert = world.proposed(Kind.REVERT, "2")
        world.until_said(f"the revert #{revert} waits for a reviewer")
        assert "Degraded" in world.pull(revert)["body"]
        assert world.serves() == "1"

        # Looking again changes nothing: the bot has no right to merge it.
        world.looks_again(world.notify)
        assert world.pull(revert)["state"] == "open"

        world.feature_store.touch()
        world.until(lambda: world.health() == "Healthy", "version 2 healthy")
        world.notify()
        world.until_said("version 2 is wanted, pinned and live")
        assert world.serves() == "2"
        assert world.story() == [
            (f"Deploy {MODEL} version 1 to production", "merged"),
            (f"Deploy {MODEL} version 2 to production", "merged"),
            (f"Take back {MODEL} version 2 in production: go back to version 1", "closed"),
        ]
        assert any("version 2 serves after all" in text for text in world.comments(revert))
        assert any("Version `2` is live" in text for text in world.comments(deploy))
