"""What one promotion costs the neighbours, and one quiet pass: API calls and bytes, and milliseconds beside one round trip."""

import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
from rich.console import Console
from rich.table import Table

from bot.core.model import Kind
from bot.sandbox.demo.world import APPLICATION, MANIFESTS, REVIEWER
from tests.adapters.between import Between, Coming, Onward, Passing
from tests.story.light import LightWorld

PATIENCE = 120.0
QUIET_PASSES = 20


class Meter:
    """Counts what the bot asks the forge (REST and git) and MLflow."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.bytes = 0
        self.asked: list[tuple[float, str]] = []  # when, what

    def _count(self, kind: str) -> None:
        self.calls[kind] += 1
        self.asked.append((time.time(), kind))

    def between(self, start: float, end: float) -> Counter[str]:
        """What was asked between two moments of the wall clock."""
        return Counter(kind for when, kind in list(self.asked) if start <= when <= end)

    def around(self, app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        def counting(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            said: list[str] = []

            def start(status: str, headers: Any, *more: Any) -> Any:
                said.append(status)
                return start_response(status, headers, *more)

            body = list(app(environ, start))
            # The bench itself asks with this user agent, and is not to be counted.
            if not environ.get("HTTP_USER_AGENT", "").startswith("bench"):
                kind = (
                    "git over HTTP"
                    if ".git/" in environ["PATH_INFO"]
                    else f"forge {environ['REQUEST_METHOD']}"
                )
                self._count(kind + (" 304" if said and said[0].startswith("304") else ""))
                self.bytes += sum(len(part) for part in body)
            return body

        return counting

    def meddle(self, request: Passing, onward: Onward) -> Coming:
        self._count(f"MLflow {request.method}")
        coming = onward(request)
        self.bytes += len(coming.body)
        return coming

    def since(self, before: Counter[str]) -> Counter[str]:
        return self.calls - before


class MeteredWorld(LightWorld):
    """A light world whose traffic is counted; its own requests to the forge are not."""

    def __init__(self, folder: Path, meter: Meter) -> None:
        super().__init__(folder, sweep="1h", around=meter.around)
        self.meter = meter

    def mlflow_address(self) -> str:
        between = Between(self.tracking.url)
        between.meddle = self.meter.meddle
        self._stack.callback(between.stop)
        return between.url

    def api(self, path: str) -> Any:
        headers = {"Authorization": f"Bearer {self.secrets['FORGE_TOKEN']}", "User-Agent": "bench"}
        return requests.get(f"{self.forge.api_url}{path}", headers=headers, timeout=10).json()

    def until(self, true: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not true():
            if time.monotonic() > deadline:
                raise TimeoutError(str(self.standing()["because"]))
            time.sleep(0.2)


def promoted(world: MeteredWorld, version: str) -> None:
    """From the alias to live, with a reviewer who is quick."""
    world.alias(version)
    world.until(lambda: world.proposals(Kind.DEPLOY, version))
    number = int(world.proposals(Kind.DEPLOY, version)[0]["number"])
    world.until(lambda: world.api(f"/repos/{MANIFESTS}/pulls/{number}")["mergeable_state"] == "clean")
    world.forge.merge(MANIFESTS, number, by=REVIEWER)
    world.until(lambda: world.standing()["live"] == version and world.standing()["action"] == "rest")
    assert world.application(APPLICATION)["status"]["sync"]["status"] == "Synced"


def taken_back(world: MeteredWorld, version: str) -> Table:
    """From failed evidence to an opened revert: the one pass that gets the verdict, decides, and opens it."""
    world.alias(version)
    world.until(lambda: world.proposals(Kind.DEPLOY, version))
    number = int(world.proposals(Kind.DEPLOY, version)[0]["number"])
    world.until(lambda: world.api(f"/repos/{MANIFESTS}/pulls/{number}")["mergeable_state"] == "clean")
    world.cluster.progress_deadline = 5.0
    world.forge.merge(MANIFESTS, number, by=REVIEWER)
    world.until(lambda: world.proposals(Kind.REVERT, version))

    def opening() -> Any:
        return next((e for e in world.standing()["timeline"] if e["action"] == "open revert"), None)

    world.until(opening)
    entry = opening()
    end = datetime.fromisoformat(entry["at"]).timestamp()
    spent = world.meter.between(end - entry["seconds"], end)
    table = Table("from failed evidence to an opened revert", "", title_justify="left")
    for kind, calls in sorted(spent.items()):
        table.add_row(kind, str(calls))
    table.add_row("the bot's own seconds", f"{entry['seconds']:.2f}")
    table.add_row("to reach", "under 2")
    return table


def passes(world: MeteredWorld) -> tuple[int, float]:
    """How many passes there were, and the seconds of all."""
    text = requests.get(f"{world.bot_url}/metrics", timeout=10).text
    lines = {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line[:1] != "#"
    }
    return int(lines["gitops_bot_pass_seconds_count"]), lines["gitops_bot_pass_seconds_sum"]


def quiet(world: MeteredWorld) -> list[float]:
    """Milliseconds of passes over a target that is at rest, each woken by a webhook of MLflow."""
    took = []
    for _ in range(QUIET_PASSES):
        count, seconds = passes(world)
        world.alias("2")
        world.until(lambda count=count: passes(world)[0] > count)
        after, total = passes(world)
        took.append((total - seconds) / (after - count) * 1000)
    return took


def round_trip(world: MeteredWorld) -> float:
    """Milliseconds of one conditional-free GET of the forge, median of 20: the unit of comparison."""
    took = []
    for _ in range(20):
        began = time.perf_counter()
        world.api(f"/repos/{MANIFESTS}")
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def main() -> None:
    """Print the table."""
    meter = Meter()
    with tempfile.TemporaryDirectory() as folder, MeteredWorld(Path(folder) / "world", meter) as world:
        world.broken = frozenset({"3"})
        world.register("1", "2", "3")
        promoted(world, "1")
        before, size, (count, seconds) = Counter(meter.calls), meter.bytes, passes(world)
        promoted(world, "2")
        spent, after = meter.since(before), passes(world)
        table = Table("one promotion, from the alias to live", "", title_justify="left")
        for kind, number in sorted(spent.items()):
            table.add_row(kind, str(number))
        table.add_row("bytes received", f"{meter.bytes - size:,}")
        table.add_row("passes", str(after[0] - count))
        table.add_row("the bot's own seconds", f"{after[1] - seconds:.2f}")
        Console().print(table)
        before, unit = Counter(meter.calls), round_trip(world)
        took = quiet(world)
        each = {kind: number / QUIET_PASSES for kind, number in sorted(meter.since(before).items())}
        rest = Table("one pass over a target at rest", "")
        for kind, number in each.items():
            rest.add_row(kind, f"{number:.1f}")
        rest.add_row("milliseconds, median", f"{statistics.median(took):.0f}")
        rest.add_row("one GET of the forge, median", f"{unit:.1f} ms")
        rest.add_row("a pass costs as much as", f"{statistics.median(took) / unit:.0f} GETs")
        Console().print(rest)
        Console().print(taken_back(world, "3"))
