"""At every point of the story the commands, the API and the dashboard say the same; and the commands do what they say."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import requests

from bot.core.model import Kind
from bot.sandbox.demo.world import MANIFESTS, MODEL, REVIEWER, TARGET
from tests.sandbox.github_description import Recorder
from tests.story.light import LightWorld
from tests.warm import run

PATIENCE = 90.0
MARK = '{"$gitops-bot": "fraud-detector/production:%s"}'


class CommandedWorld(LightWorld):
    """A light world with a command line."""

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What a person types, as a process of its own."""
        return run(self.command(*words), self.folder, self.environment())

    def printed(self, *words: str) -> Any:
        done = self.run(*words, "--json")
        assert done.returncode in (0, 1), done.stderr
        return json.loads(done.stdout)

    def until(self, words: str) -> None:
        self.until_true(lambda: words in str(self.standing()["because"]), words)

    def until_true(self, true: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not true():
            if time.monotonic() > deadline:
                pytest.fail(f"{what} did not come to be; the bot says: {self.standing()['because']}")
            time.sleep(0.1)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[CommandedWorld]:
    recorder = Recorder()
    with CommandedWorld(tmp_path / "world", around=recorder.around) as found:
        yield found
    # Whatever the bot was answered is what GitHub's own description allows, and so is what it asked.
    assert recorder.faults(requests=True) == []


def agree(world: CommandedWorld, words: str, columns: tuple[str | None, str | None, str | None]) -> None:
    """Journal, fresh look, explanation, API and page: one sentence, one set of columns."""
    world.until(words)
    shown = world.standing()
    assert (shown["wanted"], shown["pinned"], shown["live"]) == columns
    status = next(row for row in world.printed("status")["targets"] if row["target"] == TARGET)
    plan, explained = world.printed("plan")[0], world.printed("explain", TARGET)
    sentences = {shown["because"], status["because"], plan["because"], explained["because"]}
    assert len(sentences) == 1, sentences
    for said in (status, plan, explained):
        assert (said["wanted"], said["pinned"], said["live"]) == columns
    page = Text()
    page.feed(requests.get(f"{world.bot_url}/targets/{TARGET}", timeout=10).text)
    assert shown["because"].replace("`", "") in " ".join("".join(page.said).split())


class Text(HTMLParser):
    """What a page says, without its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def handle_data(self, data: str) -> None:
        self.said.append(data)


@pytest.mark.story
@pytest.mark.timeout(600)
def test_everything_says_the_same_at_every_point_of_the_story(world: CommandedWorld) -> None:
    agree(world, "no version of fraud-detector has the alias champion", (None, "unreleased", None))
    world.register("1", "2")
    assert world.run("promote", MODEL, "1", "--alias", "champion").returncode == 0
    agree(world, "#1 for version 1 waits for a reviewer", ("1", "unreleased", None))
    world.until_true(
        lambda: world.api(f"/repos/{MANIFESTS}/pulls/1")["mergeable_state"] == "clean", "#1 clean"
    )
    world.forge.merge(MANIFESTS, 1, by=REVIEWER)
    agree(world, "version 1 is wanted, pinned and live", ("1", "1", "1"))

    world.cluster.progress_deadline = 6
    world.alias("2")
    world.until_true(lambda: world.proposals(Kind.DEPLOY, "2"), "a proposal of version 2")
    world.until_true(
        lambda: world.api(f"/repos/{MANIFESTS}/pulls/2")["mergeable_state"] == "clean", "#2 clean"
    )
    world.forge.merge(MANIFESTS, 2, by=REVIEWER)
    agree(world, "version 2 is held", ("2", "1", "1"))
    assert world.run("plan").returncode == 1

    released = world.run("release", TARGET)
    assert "version 2 may be proposed" in released.stdout
    world.until("#4 for version 2 waits for a reviewer")
    world.forge.close(MANIFESTS, 4, by=REVIEWER)
    agree(world, f"version 2 is held: {REVIEWER} closed #4 without merging it", ("2", "1", "1"))
    assert world.run("sweep").returncode == 0
    actions = [entry["action"] for entry in world.printed("journal", TARGET, "--limit", "100")]
    for action in ("start build", "open proposal", "mark live", "open revert", "merge"):
        assert action in actions


@pytest.mark.story
@pytest.mark.timeout(600)
def test_plan_shows_the_exact_diff_and_touches_nothing(world: CommandedWorld) -> None:
    world.kill_bot()
    world.register("1")
    world.alias("1")
    runs: list[Any] = []
    world.forge.on_dispatch = runs.append
    assert world.run("sweep").returncode == 0  # starts the build, and waits
    world.until_true(lambda: runs, "a dispatched build")
    world.build(runs[0])
    before = world.forge.head(MANIFESTS), world.pull_requests()
    planned = world.printed("plan", TARGET)[0]
    assert "version 1 has its image: proposing it" in planned["because"]
    changed = [
        line for line in planned["diff"].splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    digest = world.image_digest("v1")
    said, mark = f"app.kubernetes.io/version: %s # {MARK % 'tag'}", MARK % "digest"
    assert changed == [
        "-    newTag: unreleased",
        "+    newTag: v1",
        f"+    digest: {digest}",
        f"-    {said % 'unreleased'}",
        f"+    {said % 'v1'}",
        f"-        {said % 'unreleased'}",
        f"+        {said % 'v1'}",
        f'-        gitops-bot/image-digest: "" # {mark}',
        f'+        gitops-bot/image-digest: "{digest}" # {mark}',
    ]
    assert (world.forge.head(MANIFESTS), world.pull_requests()) == before


@pytest.mark.story
@pytest.mark.timeout(600)
def test_doctor_finds_what_is_out_of_reach(world: CommandedWorld) -> None:
    well = world.printed("doctor")
    assert [item for item in well if item["good"] is False] == []
    world.kill_bot()
    world.cluster.stop()
    ill = world.run("doctor", "--json")
    assert ill.returncode == 1
    bad = [item for item in json.loads(ill.stdout) if item["good"] is False]
    assert [item["what"] for item in bad] == [f"{TARGET}: Argo CD"]
    assert bad[0]["fix"]
