"""Two replicas on PostgreSQL: webhooks reach the one that follows, the one that leads is killed, and there is one of everything."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
import requests

from bot.core.model import Kind
from bot.sandbox.demo.world import APPLICATION, CHECK, MANIFESTS, MODEL, REVIEWER, TARGET
from bot.sandbox.processes import end
from bot.sandbox.serving import free_port
from tests import postgres
from tests.story.light import LightWorld

PATIENCE = 90.0
TAKEN_OVER = 15.0  # seconds
SOON = 2.0  # seconds from a webhook at the one that follows to the look of the one that leads
PASSWORD = "hunter2-and-more"


class ReplicatedWorld(LightWorld):
    """A second bot leads; the first one, to which all webhooks go, follows. Nobody sweeps within the hour."""

    def __init__(self, folder: Path, database: str) -> None:
        super().__init__(folder, sweep="1h")
        self.secrets["DATABASE"] = database
        self.other_port = free_port()
        self.other_url = f"http://127.0.0.1:{self.other_port}"
        self.other: Popen[bytes]
        self.built = threading.Event()  # CI waits for it
        self.built.set()

    def more_settings(self) -> tuple[str, ...]:
        return ("database: {env: GITOPS_BOT_DATABASE}",)

    def start_bot(self) -> None:
        self.start_other()
        self.until(lambda: self.ready(self.other_url).get("leads"), "a bot that leads")
        super().start_bot()

    def start_other(self) -> None:
        """Its data folder and port are its own, all else is the same."""
        text = self.settings.read_text().replace(f"port: {self.bot_port}", f"port: {self.other_port}")
        settings = self.folder / "other.yaml"
        settings.write_text(text.replace("data: data", "data: other-data"))
        environment = self.environment() | {"GITOPS_BOT_CONFIG": str(settings)}
        log = self.folder / "other.log"
        self.other = self.spawn(self.command("serve"), log=log, environment=environment, folder=self.folder)
        self._stack.callback(end, self.other, grace=10)

    def kill_other(self) -> None:
        os.killpg(self.other.pid, signal.SIGKILL)
        self.other.wait(timeout=10)

    def build(self, run: Any) -> None:
        self.forge.begin_run(run.id)
        assert self.built.wait(PATIENCE)
        super().build(run)

    def ready(self, url: str) -> Any:
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{url}/ready", timeout=5).json()
        return {}

    def leads(self, url: str) -> float:
        """What the metrics say."""
        lines = requests.get(f"{url}/metrics", timeout=5).text.splitlines()
        return float(next(line for line in lines if line.startswith("gitops_bot_leads ")).split()[1])

    def passes(self, url: str) -> float:
        lines = requests.get(f"{url}/metrics", timeout=5).text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith("gitops_bot_passes_total{"))

    def looked_at(self) -> datetime:
        return datetime.fromisoformat(self.standing()["looked_at"])

    def until(self, true: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if true():
                return
            time.sleep(0.05)
        pytest.fail(f"{what} did not come to be:\n{self.logs()[-3000:]}")

    def logs(self) -> str:
        return "".join(
            (self.folder / name).read_text(errors="replace")
            for name in ("bot.log", "other.log")
            if (self.folder / name).exists()
        )

    def review(self, version: str) -> None:
        self.until(lambda: self.proposals(Kind.DEPLOY, version), f"a proposal of version {version}")
        number = int(self.proposals(Kind.DEPLOY, version)[0]["number"])
        path = f"/repos/{MANIFESTS}/pulls/{number}"
        self.until(lambda: self.api(path)["mergeable_state"] == "clean", f"#{number} clean, with {CHECK}")
        self.forge.merge(MANIFESTS, number, by=REVIEWER)

    def live(self, version: str) -> bool:
        head = self.forge.head(MANIFESTS)
        statuses = self.api(f"/repos/{MANIFESTS}/commits/{head}/statuses")
        state = next((s["state"] for s in statuses if s["context"] == f"gitops-bot/{TARGET}"), None)
        images = self.application(APPLICATION)["status"]["summary"].get("images", [])
        return state == "success" and any(f":v{version}@" in image for image in images)

    def wakes(self) -> float:
        """How long a promotion waits from its webhook at the one that follows to the look of the other, in seconds."""
        delivered = requests.get(f"{self.bot_url}/api/deliveries?limit=500", timeout=10).json()["deliveries"]
        first = min(
            datetime.fromisoformat(item["received_at"]) for item in delivered if item["sender"] == "mlflow"
        )
        entry = next(entry for entry in self.timeline() if entry["action"] == "start build")
        ended = datetime.fromisoformat(entry["first_at"])
        return (ended - first).total_seconds() - float(entry["seconds"])

    def timeline(self) -> Any:
        answer = requests.get(f"{self.bot_url}/api/targets/{TARGET}?limit=500", timeout=10)
        return answer.json()["timeline"]


@pytest.mark.story
@pytest.mark.timeout(400)
def test_a_promotion_goes_on_when_the_replica_that_leads_is_killed(tmp_path: Path) -> None:
    with postgres.running() as server:
        database = server.database().replace("bot@", f"bot:{PASSWORD}@")
        with ReplicatedWorld(tmp_path / "world", database) as world:
            assert world.ready(world.bot_url) == {"ready": True, "leads": False, "reasons": []}
            assert (world.leads(world.bot_url), world.leads(world.other_url)) == (0, 1)
            assert "this replica follows" in requests.get(world.bot_url, timeout=10).text
            world.register("1", "2")

            # A webhook at the one that follows has the other one look, and that one alone.
            world.built.clear()
            world.alias("1")
            world.until(lambda: "start build" in {e["action"] for e in world.timeline()}, "a build")
            assert world.wakes() < SOON
            assert world.passes(world.bot_url) == 0

            # Killed while the image is built; no webhook comes until the other one has looked.
            seen = world.looked_at()
            world.kill_other()
            world.until(lambda: world.ready(world.bot_url)["leads"], "another that leads", TAKEN_OVER)
            world.until(lambda: world.looked_at() > seen, "a look by the one that leads now", SOON + 3)
            world.built.set()

            world.review("1")
            world.until(lambda: world.live("1"), "version 1 live")

            # The killed one comes back and follows; then the one that leads says goodbye.
            world.start_other()
            world.until(lambda: world.ready(world.other_url).get("ready"), "the killed one ready again")
            assert not world.ready(world.other_url)["leads"]
            world.alias("2")
            world.until(lambda: world.proposals(Kind.DEPLOY, "2"), "a proposal of version 2")
            world.bot_process.terminate()
            assert world.bot_process.wait(timeout=30) == 0
            world.until(lambda: world.ready(world.other_url)["leads"], "the other that leads", TAKEN_OVER)
            world.until(lambda: world.passes(world.other_url), "a look by it")

            pulls = [(p["title"], p["state"], p["merged_at"] is not None) for p in world.pull_requests()]
            assert pulls == [
                (f"Deploy {MODEL} version 1 to production", "closed", True),
                (f"Deploy {MODEL} version 2 to production", "open", False),
            ]
            assert len(world.api("/repos/acme/models/actions/runs")["workflow_runs"]) == 2
            for number in (1, 2):
                comments = [c["body"] for c in world.api(f"/repos/{MANIFESTS}/issues/{number}/comments")]
                assert len(comments) == len(set(comments)) <= 2
            assert PASSWORD not in world.logs()
