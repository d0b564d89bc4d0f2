"""The story, step by step: each step does one thing, waits for what must follow, and checks the claim itself."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import requests

from bot.core.model import Kind
from bot.sandbox.demo.world import APPLICATION, MANIFESTS, MODEL, OVERLAY, REVIEWER, SLOWEST_START, DemoWorld

PATIENCE = 180.0
QUICKEST_DEADLINE = 12.0
ALIAS_SET = "model_version_alias.created"
Found = TypeVar("Found")
EXAMPLE = {
    "columns": [
        "amount",
        "hour",
        "merchant_risk",
        "account_age_days",
        "country_mismatch",
        "past_chargebacks",
    ],
    "data": [[950.0, 3.0, 0.9, 4.0, 1.0, 2.0]],
}


class ClaimFailed(Exception):
    """What the step promised did not come true; the message says what was seen instead."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the story that came true: what was done, what proves it, and how long it took.

    `bot` is what the bot's own passes took of these seconds.
    """

    chapter: str
    what: str
    evidence: str
    seconds: float
    bot: float


@dataclass(frozen=True, slots=True)
class Task:
    """A step to come: `do` returns the evidence or raises `ClaimFailed`."""

    chapter: str
    what: str
    do: Callable[[], str]


class Story:
    """A good version, and three that are not: one crashes, one answers nonsense, one has to wait for somebody else."""

    def __init__(self, world: DemoWorld) -> None:
        """Nothing has happened yet."""
        self.world = world
        self._kinds: dict[str, str] = {}
        self._quickest = SLOWEST_START

    def tasks(self) -> Iterator[Task]:
        """Every step in its order."""
        yield from self._goes_well("1. A good version", "1", following=("2", "broken"))
        yield from self._goes_wrong(
            "2. It trains well, and crashes where it is served", "2", "broken", following=("3", "skewed")
        )
        yield from self._goes_wrong(
            "3. Its pods are healthy, and its answers are wrong", "3", "skewed", following=("4", "dependent")
        )
        last = "4. It crashes while its feature store is away, and recovers"
        yield from self._recovers(last, "4")
        yield Task(last, "everything agrees", self.everything_agrees)

    def _goes_well(self, chapter: str, version: str, following: tuple[str, str]) -> Iterator[Task]:
        yield Task(chapter, f"train and register version {version}", lambda: self.train(version, "good"))
        yield from self._comes_in(chapter, version, following)
        yield Task(chapter, f"version {version} is live", lambda: self.is_live(version))
        yield Task(chapter, f"version {version} answers", lambda: self.answers(version))

    def _goes_wrong(
        self, chapter: str, version: str, kind: str, following: tuple[str, str]
    ) -> Iterator[Task]:
        yield Task(chapter, f"train and register version {version}", lambda: self.train(version, kind))
        yield from self._comes_in(chapter, version, following)
        yield Task(
            chapter, f"version {version} fails, a revert is proposed", lambda: self.revert_opens(version)
        )
        yield Task(chapter, "the revert is merged", lambda: self.revert_is_merged(version))
        yield Task(chapter, "version 1 is live again", lambda: self.is_live("1"))
        yield Task(chapter, "version 1 answers again", lambda: self.answers("1"))
        yield Task(chapter, f"version {version} is held", lambda: self.is_held(version))

    def _recovers(self, chapter: str, version: str) -> Iterator[Task]:
        yield Task(chapter, f"train and register version {version}", lambda: self.train(version, "dependent"))
        yield from self._comes_in(chapter, version, None)
        yield Task(chapter, f"version {version} crashes, the bot waits", lambda: self.crashes(version))
        yield Task(chapter, f"the store is back, version {version} is live", lambda: self.is_live(version))
        yield Task(chapter, f"version {version} answers", lambda: self.answers(version))

    def _comes_in(self, chapter: str, version: str, following: tuple[str, str] | None) -> Iterator[Task]:
        yield Task(chapter, f"set alias champion to version {version}", lambda: self.promote(version))
        yield Task(chapter, "CI builds and pushes the image", lambda: self.builds(version, following))
        yield Task(chapter, "the bot opens a pull request", lambda: self.proposes(version))
        yield Task(chapter, f"{REVIEWER} merges it", lambda: self.merges(version))

    # --- steps ---

    def train(self, version: str, kind: str) -> str:
        """The version is registered; it may have been trained while other things went on."""
        self._kinds[version] = kind
        training = self.world.begin_training(version, kind)
        if training.process.wait(timeout=PATIENCE) != 0:
            raise ClaimFailed(f"training failed: {training.log.read_text()[-1000:]}")
        made = json.loads(training.log.read_text().strip().splitlines()[-1])
        if made["version"] != version:
            raise ClaimFailed(f"MLflow registered version {made['version']} instead of {version}")
        measured = ", ".join(f"{name} {value:.3f}" for name, value in list(made["metrics"].items())[:2])
        return f"run {made['run_id'][:8]}, {measured}"

    def promote(self, version: str) -> str:
        """What a data scientist does, and the signed webhook that follows."""
        before = {item["id"] for item in self.deliveries()}
        answer = requests.post(
            f"{self.world.tracking.url}/api/2.0/mlflow/registered-models/alias",
            json={"name": MODEL, "alias": "champion", "version": version},
            timeout=30,
        )
        answer.raise_for_status()

        def arrived() -> Any:
            news = [item for item in self.deliveries() if item["id"] not in before]
            return next((item for item in news if item["event"] == ALIAS_SET), None)

        newest = self._until(arrived, "no webhook of MLflow arrived")
        return f"signed webhook {newest['id'][:8]} verified"

    def builds(self, version: str, following: tuple[str, str] | None) -> str:
        """A real image is in the registry; meanwhile the next version may be trained."""
        broken = self._kinds[version] == "broken"
        self.world.cluster.progress_deadline = self._quickest if broken else SLOWEST_START
        if following is not None:
            self.world.begin_training(*following)

        def pushed() -> str | None:
            return self.world.image_digest(f"v{version}")

        digest = self._until(pushed, f"no image v{version} was pushed")
        return f"{self.world.image}:v{version}@{digest[:19]}…"

    def proposes(self, version: str) -> str:
        """Exactly one pull request, whose diff is the pin and nothing else."""
        pull = self._until(lambda: self._one(Kind.DEPLOY, version), f"no pull request for version {version}")
        title = f"Deploy {MODEL} version {version} to production"
        if pull["title"] != title:
            raise ClaimFailed(f"the title is {pull['title']!r}, not {title!r}")
        files = self.world.api(f"/repos/{MANIFESTS}/pulls/{pull['number']}/files")
        if any(not file["filename"].startswith(f"{OVERLAY}/") for file in files):
            raise ClaimFailed(f"it changes {[file['filename'] for file in files]}")
        added, removed = (sum(file[key] for file in files) for key in ("additions", "deletions"))
        if added - removed not in (0, 1):  # the first one adds the digest
            raise ClaimFailed(f"it changes more than values: +{added} -{removed}")
        changed = f"+{added} -{removed} lines in {len(files)} files"
        return f"#{pull['number']} {pull['title']} ({changed})"

    def merges(self, version: str) -> str:
        """What a reviewer does in the browser, once the required check is green."""
        number = int(self._one(Kind.DEPLOY, version)["number"])

        def green() -> bool:
            return str(self.world.api(f"/repos/{MANIFESTS}/pulls/{number}")["mergeable_state"]) == "clean"

        self._until(green, f"#{number} does not become mergeable")
        if self._kinds[version] == "dependent":
            self.world.features.close()
        self.world.forge.merge(MANIFESTS, number, by=REVIEWER)
        merged = self.world.api(f"/repos/{MANIFESTS}/pulls/{number}")
        return f"#{number} as {str(merged['merge_commit_sha'])[:8]}"

    def is_live(self, version: str) -> str:
        """The bot has proven that this version serves: wanted or not, pinned and live agree."""

        def live() -> bool:
            standing = self.world.standing()
            return bool(standing["pinned"] == version and standing["live"] == version)

        began = time.monotonic()
        self._until(live, f"version {version} is not proven live", SLOWEST_START)
        self._expect_starts_like(time.monotonic() - began)
        if self.world.proposals(Kind.REVERT, version):
            raise ClaimFailed(f"version {version} serves, and was taken back nevertheless")
        images = self.world.application(APPLICATION)["status"]["summary"]["images"]
        if not any(f":v{version}@" in image for image in images):
            raise ClaimFailed(f"Argo CD runs {images}")
        return f"Argo CD is Synced and Healthy on v{version}; the bot's probes agree"

    def _expect_starts_like(self, seconds: float) -> None:
        """How long a model server takes here is known now, and with it when one that cannot start has failed."""
        self._quickest = max(QUICKEST_DEADLINE, 1.2 * seconds)

    def answers(self, version: str) -> str:
        """Asked here, not by the bot: this version is served and predicts."""
        said = requests.get(f"{self.world.service_url}/version", timeout=10).json()
        if str(said.get("version")) != version:
            raise ClaimFailed(f"version {said.get('version')} answers, not {version}")
        answer = requests.post(
            f"{self.world.service_url}/invocations", json={"dataframe_split": EXAMPLE}, timeout=30
        )
        predictions = answer.json().get("predictions") if answer.ok else None
        if not predictions:
            raise ClaimFailed(f"the prediction failed: {answer.status_code} {answer.text[:200]}")
        return f"a prediction: {predictions}"

    def crashes(self, version: str) -> str:
        """Its first start failed, and nobody takes it back for that: then its store is there again."""

        pod = self._until(self.world.crashed_pod, f"version {version} does not crash")
        self.world.features.open()
        said = str(self.world.standing()["because"])
        if self.world.proposals(Kind.REVERT, version):
            raise ClaimFailed(f"version {version} is taken back: {said}")
        return f"pod {pod} has ended with an error; the bot: {said[:120]}"

    def revert_opens(self, version: str) -> str:
        """The bot noticed, with evidence, and proposes to go back."""
        pull = self._until(lambda: self._one(Kind.REVERT, version), f"no revert of version {version}")
        failed = str(pull["body"]).partition("**What failed:**")[2].strip().splitlines()[0].strip("`")
        return f"#{pull['number']}: {failed[:200]}"

    def revert_is_merged(self, version: str) -> str:
        """By the bot itself: `revert: auto`."""

        def merged() -> Any:
            pull = self._one(Kind.REVERT, version)
            return pull if pull and pull["merged_at"] else None

        pull = self._until(merged, f"the revert of version {version} is not merged")
        return f"#{pull['number']} {pull['title']}"

    def is_held(self, version: str) -> str:
        """Although the alias still points at it, nothing proposes it again."""
        because = self._until(
            self._held_sentence,
            f"version {version} is not held",
        )
        if len(self.world.proposals(Kind.DEPLOY, version)) != 1:
            raise ClaimFailed(f"version {version} was proposed again")
        return str(because).partition(":")[0]

    def _held_sentence(self) -> str | None:
        said = str(self.world.standing()["because"])
        return said if "is held" in said else None

    def everything_agrees(self) -> str:
        """Wanted, pinned and live are one; one pull request per step; `plan` says that nothing is left to do."""
        standing = self._until(self._at_rest, "the bot does not come to rest")
        if {standing["wanted"], standing["pinned"], standing["live"]} != {"4"}:
            raise ClaimFailed(f"wanted, pinned and live are {standing}")
        titles = [pull["title"] for pull in self.world.pull_requests()]
        if len(titles) != 6 or self.world.pull_requests("open"):
            raise ClaimFailed(f"there are {len(titles)} pull requests: {titles}")
        done = subprocess.run(  # the same command that a person types
            self.world.command("plan", "--json"), env=os.environ | self.world.environment(), capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        because = json.loads(done.stdout)[0]["because"] if done.returncode == 0 else done.stderr[-300:]
        if because != standing["because"]:
            raise ClaimFailed(f"`gitops-bot plan` says {because!r}, the dashboard {standing['because']!r}")
        return f"6 pull requests, 2 of them reverts; {because}"

    def _at_rest(self) -> Any:
        standing = self.world.standing()
        return standing if standing["action"] == "rest" else None

    # --- looking ---

    def deliveries(self) -> list[Any]:
        """MLflow's webhooks in the bot's inbox, newest first."""
        found = requests.get(f"{self.world.bot_url}/api/deliveries", timeout=10).json()
        return [item for item in found["deliveries"] if item["sender"] == "mlflow"]

    def _one(self, kind: Kind, version: str) -> Any:
        found = self.world.proposals(kind, version)
        if len(found) > 1:
            raise ClaimFailed(
                f"{len(found)} pull requests where one was meant: {[p['number'] for p in found]}"
            )
        return found[0] if found else None

    def _until(self, look: Callable[[], Found | None], otherwise: str, patience: float = PATIENCE) -> Found:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            found = look()
            if found:
                return found
            time.sleep(0.2)
        said = self.world.standing()
        raise ClaimFailed(f"{otherwise} after {patience:.0f} s; the bot says: {said['because']}")
