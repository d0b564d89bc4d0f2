"""The bot is killed at every effect of the story and started again; the end is the same, with one of everything."""

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from bot.core.model import Kind
from bot.sandbox.demo.world import APPLICATION, CHECK, MANIFESTS, MODEL, REVIEWER, TARGET
from tests.adapters.between import Between, Coming, Onward, Passing
from tests.story.light import LightWorld

PATIENCE = 90.0
MOST_KILLS = 90
WRITES = {"POST", "PUT", "PATCH", "DELETE"}

# What an effect is called: the first pattern that fits the request.
KINDS = {
    "dispatch a workflow": r"POST .*/dispatches$",
    "push or delete a branch": r"POST .*/git-receive-pack$",
    "open a pull request": r"POST .*/pulls$",
    "merge": r"PUT .*/pulls/\d+/merge$",
    "record a status": r"POST .*/statuses/",
    "comment": r"(POST|PATCH) .*/comments",
    "label": r"POST .*/labels$",
    "tag a version": r"POST .*/model-versions/set-tag$",
}


class Killer:
    """Kills the bot after each of its writes, before the answer reaches it."""

    def __init__(self) -> None:
        self.kills: list[str] = []
        self.kill: Callable[[], None] = lambda: None
        self._lock = threading.Lock()

    def around(self, app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        def killing(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            said: list[str] = []

            def start(status: str, headers: Any, *more: Any) -> Any:
                said.append(status)
                return start_response(status, headers, *more)

            body = list(app(environ, start))
            # Only the bot writes by HTTP here: people act by the forge's methods.
            if environ["REQUEST_METHOD"] in WRITES and said and said[0].startswith("2"):
                self.wrote(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
            return body

        return killing

    def meddle(self, request: Passing, onward: Onward) -> Coming:
        coming = onward(request)
        if request.path.endswith("set-tag"):
            self.wrote(f"POST {request.path}")
        return coming

    def wrote(self, request: str) -> None:
        kind = next((name for name, pattern in KINDS.items() if re.search(pattern, request)), None)
        if kind is None:
            return
        with self._lock:
            # The tags of one version are written one by one: dying after the first of them is dying after them all.
            again = kind == "tag a version" and self.kills[-1:] == [kind]
            if len(self.kills) < MOST_KILLS and not again:
                self.kills.append(kind)
                self.kill()


class CrashingWorld(LightWorld):
    """A light world whose bot is killed at every effect, and started again by `until`."""

    def __init__(self, folder: Path, killer: Killer, *, forget: bool) -> None:
        super().__init__(folder, sweep="10s", around=killer.around)
        self.killer, self.forget = killer, forget
        self.restarts = 0

    def mlflow_address(self) -> str:
        between = Between(self.tracking.url)
        between.meddle = self.killer.meddle
        self._stack.callback(between.stop)
        return between.url

    def until(self, true: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.bot_process.poll() is not None:
                self._again()
            if true():
                return
            time.sleep(0.1)
        said = (self.folder / "bot.log").read_text(errors="replace")[-2000:]
        pytest.fail(
            f"{what} did not come to be, after {len(self.killer.kills)} kills: {self.killer.kills}\n{said}"
        )

    def _again(self) -> None:
        self.restarts += 1
        if self.forget:
            shutil.rmtree(self.folder / "data")
        self.launch_bot()

    def merged(self, kind: Kind, version: str) -> object:
        found = self.proposals(kind, version)
        return found and found[0]["merged_at"]

    def review(self, version: str) -> None:
        """Merge the proposal when its check is green, and when the bot has opened it whole: nobody is that quick."""
        self.until(lambda: self.proposals(Kind.DEPLOY, version), f"a proposal of version {version}")
        number = int(self.proposals(Kind.DEPLOY, version)[0]["number"])
        path = f"/repos/{MANIFESTS}/pulls/{number}"
        self.until(lambda: self.api(path)["labels"], f"#{number} labelled")
        self.until(
            lambda: self.api(path)["mergeable_state"] == "clean", f"#{number} clean, with its check {CHECK}"
        )
        self.forge.merge(MANIFESTS, number, by=REVIEWER)

    def proven(self, version: str) -> bool:
        """Whether the head of the branch is recorded as live and pins this version."""
        head = self.forge.head(MANIFESTS)
        statuses = self.api(f"/repos/{MANIFESTS}/commits/{head}/statuses")
        state = next((s["state"] for s in statuses if s["context"] == f"gitops-bot/{TARGET}"), None)
        images = self.application(APPLICATION)["status"]["summary"].get("images", [])
        return state == "success" and any(f":v{version}@" in image for image in images)

    def tags(self, version: str) -> dict[str, str]:
        found = self._mlflow_get(f"model-versions/get?name={MODEL}&version={version}")["model_version"]
        return {tag["key"].rpartition(".")[2]: tag["value"] for tag in found.get("tags", [])}


@pytest.mark.story
@pytest.mark.timeout(600)
@pytest.mark.parametrize("forget", [False, True], ids=["database kept", "database deleted"])
def test_a_bot_that_dies_at_every_effect_comes_to_the_same_end(forget: bool, tmp_path: Path) -> None:
    killer = Killer()
    with CrashingWorld(tmp_path / "world", killer, forget=forget) as world:
        world.register("1", "2")
        killer.kill = world.kill_bot
        world.alias("1")
        world.review("1")
        world.until(lambda: world.proven("1"), "version 1 live")
        world.cluster.progress_deadline = 6
        world.alias("2")
        world.review("2")
        world.until(lambda: world.merged(Kind.REVERT, "2"), "the revert of version 2")
        world.until(lambda: world.proven("1"), "version 1 live again")
        world.until(lambda: world.tags("2").get("state") == "held", "version 2 said to be held")

        assert set(killer.kills) == set(KINDS)
        assert world.restarts >= len(killer.kills) - 1
        pulls = [(p["title"], p["state"], p["merged_at"] is not None) for p in world.pull_requests()]
        assert pulls == [
            (f"Deploy {MODEL} version 1 to production", "closed", True),
            (f"Deploy {MODEL} version 2 to production", "closed", True),
            (f"Take back {MODEL} version 2 in production: go back to version 1", "closed", True),
        ]
        labels = [{label["name"] for label in pull["labels"]} for pull in world.pull_requests()]
        assert labels == [{"gitops-bot"}, {"gitops-bot"}, {"gitops-bot", "gitops-bot/revert"}]
        assert world.tags("1")["state"] == "live"
        assert len(world.api("/repos/acme/models/actions/runs")["workflow_runs"]) == 2
        for number in (1, 2, 3):
            comments = [c["body"] for c in world.api(f"/repos/{MANIFESTS}/issues/{number}/comments")]
            assert len(comments) == len(set(comments)) <= 2
