"""Flux applies what is merged: a version that crashes at start is taken back, and the revert says why."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bot.core.model import Kind
from bot.sandbox.cluster.flux import Plan
from bot.sandbox.demo.world import APPLICATION, MODEL, OVERLAY, TARGET
from tests.story.told import DEPLOYMENT, NAMESPACE, ToldWorld

LAST_WORDS = "FEATURE_STORE_URL is not set: this model cannot be served"


class FluxWorld(ToldWorld):
    """Flux hears of a merge from nobody but the bot, and tells the bot by its notifications."""

    senders = ("mlflow", "github", "flux")
    target: ClassVar[Mapping[str, Any]] = {
        "rollout": {"flux": APPLICATION},
        "verify": [
            {"workload": f"deployment/{DEPLOYMENT}", "namespace": NAMESPACE},
            {"http": "SERVICE/health", "json": {"model": MODEL}},
            {"prediction": "SERVICE"},
        ],
    }

    def follow(self) -> None:
        plan = Plan(
            APPLICATION,
            OVERLAY,
            NAMESPACE,
            source_interval=3600,
            interval=3600,
            timeout=8,
            health_poll=0.3,
            hook=f"{self.bot_url}/webhook/flux",
            hook_key=self.secrets["FLUX_SECRET"],
        )
        self.cluster.add_kustomization(plan)

    def more_settings(self) -> tuple[str, ...]:
        return (*super().more_settings(), "flux: {receiver: {env: GITOPS_BOT_FLUX_RECEIVER}}")

    def environment(self) -> dict[str, str]:
        return super().environment() | {"GITOPS_BOT_FLUX_RECEIVER": self.cluster.receiver_url(APPLICATION)}


@pytest.mark.story
@pytest.mark.timeout(600)
def test_a_version_that_crashes_under_flux_is_taken_back_with_the_words_of_its_crash(tmp_path: Path) -> None:
    with FluxWorld(tmp_path / "world", sweep="1h") as world:
        world.register("1", "2", "3")
        world.bring("1")
        assert world.serves() == "1"

        failed = world.promote("2")
        world.review(failed)
        world.until(lambda: world.proposals(Kind.REVERT, "2"), "the revert of version 2")
        assert world.serves() == "1"
        world.until_said("version 2 is held")

        revert = int(world.proposals(Kind.REVERT, "2")[0]["number"])
        for said in (world.pull(revert)["body"], "\n".join(world.comments(failed))):
            assert "crashed" in said
            assert "exit code 1" in said
            assert LAST_WORDS in said
        assert world.story() == [
            (f"Deploy {MODEL} version 1 to production", "merged"),
            (f"Deploy {MODEL} version 2 to production", "merged"),
            (f"Take back {MODEL} version 2 in production: go back to version 1", "merged"),
        ]
        shown = world.standing()
        assert (shown["wanted"], shown["pinned"], shown["live"]) == ("2", "1", "1")
        assert world.serves() == "1"

        # And a good one after that comes as if nothing had been.
        world.bring("3")
        assert world.serves() == "3"
        assert TARGET in world.woken_by("flux")
        assert "hook/" not in (world.folder / "bot.log").read_text(errors="replace")
