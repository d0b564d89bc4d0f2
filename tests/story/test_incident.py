"""When the version before does not come back either, people are told, and the bot opens nothing more."""

import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bot.core.model import Kind
from bot.sandbox.demo.world import APPLICATION, MANIFESTS, MODEL, REVIEWER, TARGET
from tests.sandbox.receiving import Receiver, receiver
from tests.story.told import ToldWorld

KEY = "the key of the pager"


class PagedWorld(ToldWorld):
    """Whoever is on call is told by a signed webhook."""

    needing = frozenset({"1"})
    target: ClassVar[Mapping[str, Any]] = {
        "rollout": {"argocd": APPLICATION},
        "verify": [{"http": "SERVICE/health", "attempts": 2, "interval": "1s"}],
    }

    def __init__(self, folder: Path, pager: Receiver) -> None:
        super().__init__(folder, sweep="1h")
        self.pager = pager
        self.feature_store.touch()

    def more_settings(self) -> tuple[str, ...]:
        return (*super().more_settings(), "notify: [{env: GITOPS_BOT_PAGER_URL}]")

    def environment(self) -> dict[str, str]:
        return super().environment() | {"GITOPS_BOT_PAGER_URL": f"{self.pager.url}#{KEY}"}


@pytest.mark.story
@pytest.mark.timeout(300)
def test_people_are_told_once_when_going_back_does_not_help(tmp_path: Path) -> None:
    with receiver() as pager, PagedWorld(tmp_path / "world", pager) as world:
        world.register("1", "2", "3")
        world.bring("1")
        world.cluster.progress_deadline = 4
        world.review(world.promote("2"))
        world.feature_store.unlink()
        world.until(lambda: world.proposals(Kind.REVERT, "2"), "the revert of version 2")
        revert = int(world.proposals(Kind.REVERT, "2")[0]["number"])
        world.until(lambda: pager.received, "a call of the pager")

        call = pager.received[0]
        assert call.document["target"] == TARGET
        assert "did not help, and nothing more is opened" in call.document["text"]
        assert call.document["url"] == world.pull(revert)["html_url"]
        signed = hmac.new(KEY.encode(), call.body, hashlib.sha256).hexdigest()
        assert call.headers["x-gitops-bot-signature"] == f"sha256={signed}"

        # Whatever wakes the bot after that, people are not told again, and nothing more is opened.
        world.until_said("version 2 is held")
        world.looks_again(world.restart)
        note: dict[str, bytes | None] = {"NOTES.md": b"The feature store is down.\n"}
        world.looks_again(lambda: world.forge.push_commit(MANIFESTS, "main", note, author=REVIEWER))
        assert len(pager.received) == 1
        took_back = f"Take back {MODEL} version 2 in production: go back to version 1"
        assert [title for title, _ in world.story()][2:] == [took_back]
        assert KEY not in (world.folder / "bot.log").read_text(errors="replace")

        # A newer version may come all the same: that is how people mend it.
        world.review(world.promote("3"))
        world.until_said("version 3 is wanted, pinned and live")
        assert (world.serves(), len(pager.received)) == ("3", 1)
