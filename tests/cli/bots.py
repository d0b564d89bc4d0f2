"""A bot over the world in memory, for commands that need one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from click.testing import CliRunner, Result

from bot.cli import main
from bot.cli.shell import Shell
from bot.core.actions import Decision, OpenProposal
from bot.core.holds import hold
from bot.core.model import Snapshot
from bot.core.target import Catalogue
from bot.engine.reconcile import judge, reconcile
from bot.ports import Entry, Journal, Refused, Retryable, World
from tests.engine.world import MemoryWorld, first

NAME = "fraud-detector/production"
DIFF = "--- a/kustomization.yaml\n+++ b/kustomization.yaml\n@@ -1 +1 @@\n-  newTag: v1\n+  newTag: v2\n"


@dataclass(frozen=True)
class Plan:
    target: str
    decision: Decision
    snapshot: Snapshot
    diff: str


@dataclass(frozen=True)
class Finding:
    what: str
    good: bool | None
    sentence: str
    fix: str = ""


@dataclass
class MemoryBot:
    """The commands' bot over the world in memory: the engine's own passes, none of the products."""

    memory: MemoryWorld = field(default_factory=first)
    problem: str | None = None
    findings: tuple[Finding, ...] = ()
    served: int = 0

    @property
    def world(self) -> World:
        return replace(self.memory.ports(), catalogue=self.catalogue)

    @property
    def journal(self) -> Journal:
        return self.world.journal

    def catalogue(self) -> Catalogue:
        return Catalogue({NAME: self.memory.target}, "c0ffee", self.problem)

    def run(self) -> None:
        self.served += 1

    def sweep(self) -> list[Entry]:
        entries: list[Entry] = []
        for _ in range(20):
            try:
                if reconcile(NAME, self.world, entries.append) != timedelta(0):
                    break
            except (Retryable, Refused):
                break
        return entries

    def plan(self, names: Sequence[str] | None) -> list[Plan]:
        judged = judge(self.memory.target, self.world)
        diff = DIFF if isinstance(judged.decision.action, OpenProposal) else ""
        return [Plan(NAME, judged.decision, judged.look, diff)]

    def release(self, target: str) -> str:
        look = judge(self.memory.target, self.world).look
        reason = hold(look)
        self.memory.person_releases()
        return f"released: {reason}" if reason else f"{target} holds nothing back"

    def promote(self, model: str, version: str, alias: str) -> str:
        self.memory.promote(version)
        return f"{model} version {version} now has the alias {alias}"

    def doctor(self) -> Sequence[Finding]:
        return self.findings


def gitops_bot(*arguments: str, bot: MemoryBot | None = None, fails: Exception | None = None) -> Result:
    """One call of the command line, as a person makes it; `fails` is what the wiring ends in."""

    def assemble(path: Path) -> MemoryBot:
        if fails is not None:
            raise fails
        return bot or MemoryBot()

    # Without a bot of the test's, exactly what a person's shell would start.
    shell = None if bot is None and fails is None else Shell(assemble=assemble)
    return CliRunner().invoke(main, list(arguments), obj=shell, prog_name="gitops-bot")


Story = Callable[[MemoryBot], None]


def promoted(bot: MemoryBot) -> None:
    """Version 2 is wanted and has its image."""
    bot.memory.promote("2")
    bot.memory.images["v2"] = "sha256:" + "2" * 4
