"""With `move_alias_back` the alias in MLflow follows the pins back, and only once the version before serves again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bot.sandbox.demo.world import MODEL
from tests.story.told import ToldWorld


class FollowedWorld(ToldWorld):
    """The alias goes back with the pins."""

    target: ClassVar[Mapping[str, Any]] = {"move_alias_back": True}

    def champion(self) -> str:
        """The version that holds the alias in MLflow."""
        found = self._mlflow_get(f"registered-models/alias?name={MODEL}&alias=champion")
        return str(found["model_version"]["version"])


@pytest.mark.story
@pytest.mark.timeout(300)
def test_the_alias_follows_the_pins_back_to_the_version_before(tmp_path: Path) -> None:
    with FollowedWorld(tmp_path / "world", sweep="1h") as world:
        world.register("1", "2", "3")
        world.bring("1")
        world.cluster.progress_deadline = 4
        world.review(world.promote("2"))
        world.until(lambda: world.champion() == "1", "the alias at version 1 again")
        world.until_said("version 1 is wanted, pinned and live")
        assert world.serves() == "1"
        assert [state for _, state in world.story()] == ["merged", "merged", "merged"]

        # The promotion goes on as if nothing had been: the next version takes the alias and comes.
        world.bring("3")
        assert (world.champion(), world.serves()) == ("3", "3")
