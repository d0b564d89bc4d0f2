"""A person lets a version that was taken back be proposed again by a comment under the pull request."""

from pathlib import Path

import pytest

from bot.core.model import Kind
from bot.core.names import LABEL_RELEASED
from bot.sandbox.demo.world import MANIFESTS, MODEL, REVIEWER
from tests.story.told import ToldWorld

DEPLOY = f"Deploy {MODEL} version {{}} to production"
BACK = f"Take back {MODEL} version 2 in production: go back to version 1"


@pytest.mark.story
@pytest.mark.timeout(300)
def test_a_comment_lets_a_version_that_was_taken_back_be_proposed_again(tmp_path: Path) -> None:
    with ToldWorld(tmp_path / "world", sweep="1h") as world:
        world.register("1", "2")
        world.bring("1")
        world.cluster.progress_deadline = 4
        failed = world.promote("2")
        world.review(failed)
        world.until_said("version 2 is held")
        assert world.serves() == "1"

        # Nobody but a person lifts a hold, and by nothing but the command.
        world.forge.comment(MANIFESTS, failed, "/gitops-bot release", by="gitops-bot[bot]")
        asking = "Should we say `/gitops-bot release`?"
        world.looks_again(lambda: world.forge.comment(MANIFESTS, failed, asking, by=REVIEWER))
        assert world.standing()["because"].startswith("version 2 is held")

        world.forge.comment(MANIFESTS, failed, "The store is back.\n\n/gitops-bot release", by=REVIEWER)
        again = world.proposed(Kind.DEPLOY, "2")
        assert again > failed
        world.until_said(f"#{again} for version 2 waits for a reviewer")
        assert world.story() == [
            (DEPLOY.format(1), "merged"),
            (DEPLOY.format(2), "merged"),
            (BACK, "merged"),
            (DEPLOY.format(2), "open"),
        ]
        assert LABEL_RELEASED in {label["name"] for label in world.pull(failed)["labels"]}
        assert world.said().count(f"{REVIEWER} asked for it: version 2 may be proposed again") == 1
