"""The light world with another target in promotions.yaml, and the words in which stories are told."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar

import pytest
import requests
import yaml  # type: ignore[import-untyped]

from bot.core.model import Kind
from bot.sandbox.demo.world import CHECK, MANIFESTS, REVIEWER, TARGET
from tests.story.light import LightWorld

PATIENCE = 120.0
NAMESPACE, DEPLOYMENT = "fraud-detector-production", "inference-service"


class ToldWorld(LightWorld):
    """As `LightWorld`; what `target` says replaces what the template's target says.

    The word `SERVICE` in its URLs is where the model is served. The bot has the sandbox's Kubernetes API, too.
    """

    target: ClassVar[Mapping[str, Any]] = {}

    def promotions(self, text: str) -> str:
        document = yaml.safe_load(text)
        document["targets"][0] |= self.target
        written: str = yaml.safe_dump(document, sort_keys=False)
        return written.replace("SERVICE", self.service_url)

    def more_settings(self) -> tuple[str, ...]:
        kubeconfig = self.cluster.write_kubeconfig(self.folder / "kubeconfig")
        return (f"kubernetes: {{kubeconfig: '{kubeconfig}'}}",)

    # --- waiting ---

    def until(self, true: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not true():
            if time.monotonic() > deadline:
                log = (self.folder / "bot.log").read_text(errors="replace")[-3000:]
                pytest.fail(f"{what} did not come to be; the bot says: {self.standing()['because']}\n{log}")
            time.sleep(0.1)

    def until_said(self, words: str) -> None:
        self.until(lambda: words in str(self.standing()["because"]), words)

    def looks_again(self, after: Callable[[], object], target: str = TARGET) -> float:
        """Do this, and wait until the bot has looked once more; how long that took, in seconds."""
        before = self.looked_at(target)
        began = time.monotonic()
        after()
        self.until(lambda: self.looked_at(target) > before, "another look")
        return time.monotonic() - began

    def restart(self) -> None:
        """Kill the bot, and start it again."""
        self.kill_bot()
        self.start_bot()

    # --- people ---

    def promote(self, version: str) -> int:
        """Promote; the number of the pull request that comes, when a reviewer may merge it."""
        self.alias(version)
        return self.proposed(Kind.DEPLOY, version)

    def proposed(self, kind: Kind, version: str) -> int:
        """The number of the newest pull request of this kind, once it is open and its check is green."""

        def clean() -> bool:
            found = [pull for pull in self.proposals(kind, version) if pull["state"] == "open"]
            return bool(found) and self.pull(int(found[-1]["number"]))["mergeable_state"] == "clean"

        self.until(clean, f"a {kind} of version {version} that a reviewer may merge, with its check {CHECK}")
        return int(self.proposals(kind, version)[-1]["number"])

    def review(self, number: int) -> None:
        """Merge it; nobody is so quick that the bot has not labelled it."""
        self.until(lambda: self.pull(number)["labels"], f"#{number} labelled")
        self.forge.merge(MANIFESTS, number, by=REVIEWER)

    def bring(self, version: str) -> None:
        """Promote, review, and wait until it is live."""
        self.review(self.promote(version))
        self.until_said(f"version {version} is wanted, pinned and live")

    # --- looking ---

    def pull(self, number: int) -> Any:
        return self.api(f"/repos/{MANIFESTS}/pulls/{number}")

    def comments(self, number: int) -> list[str]:
        return [c["body"] for c in self.api(f"/repos/{MANIFESTS}/issues/{number}/comments")]

    def story(self) -> list[tuple[str, str]]:
        """The pull requests, oldest first: title, and open, merged or closed."""
        return [(p["title"], "merged" if p["merged_at"] else p["state"]) for p in self.pull_requests()]

    def looked_at(self, target: str = TARGET) -> datetime:
        """When the bot last looked at a target."""
        return datetime.fromisoformat(self.standing(target)["looked_at"])

    def said(self) -> list[str]:
        """What the bot has said about the target, newest first."""
        return [str(entry["because"]) for entry in self.standing()["timeline"]]

    def woken_by(self, sender: str) -> set[str]:
        """The targets that webhooks of this sender have woken."""
        found = requests.get(f"{self.bot_url}/api/deliveries", timeout=10).json()["deliveries"]
        return {target for one in found if one["sender"] == sender for target in one["targets"]}

    def serves(self) -> str:
        """The version that answers."""
        return str(requests.get(f"{self.service_url}/version", timeout=5).json()["version"])
