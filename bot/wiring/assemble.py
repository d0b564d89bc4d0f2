"""From settings to a bot that can be asked and run."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from bot.config.settings import Settings
from bot.core.actions import Decision, OpenProposal, OpenRevert, RenewProposal
from bot.core.holds import hold
from bot.core.model import PinValue, Snapshot
from bot.core.names import LABEL_RELEASED
from bot.core.target import Target
from bot.engine.reconcile import judge, reconcile
from bot.ports import Entry, Refused, Retryable, Standing, World
from bot.wiring.catalogue import Targets
from bot.wiring.doctor import Finding, examine
from bot.wiring.parts import Parts

log = logging.getLogger(__name__)

MOST_PASSES = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """What would happen next for a target, and why, with the exact diff where there is one; nothing was touched."""

    target: str
    decision: Decision
    snapshot: Snapshot
    diff: str
    standing: Standing


class Bot(Parts):
    """The assembled bot: what it can be asked and what it does."""

    @cached_property
    def catalogue(self) -> Targets:
        """The targets in force."""
        return Targets(self.manifests)

    @cached_property
    def world(self) -> World:
        """Everything that a pass may touch."""
        return World(
            catalogue=self.catalogue,
            registry=self.registry,
            images=self.images,
            ci=self.ci,
            manifests=self.manifests,
            forge=self.forge,
            cluster=self.cluster,
            prober=self.prober,
            monitoring=self.monitoring,
            notifier=self.notifier,
            journal=self.journal,
            clock=_now,
            page=self.page,
            reverts_per_hour=self.settings.reverts.per_hour,
        )

    def page(self, target: str) -> str | None:
        """The bot's own page about a target."""
        public = self.settings.server.public_url
        return f"{public.rstrip('/')}/targets/{target}" if public else None

    def target(self, name: str) -> Target:
        """The target of this name. Raises `Refused` naming the ones there are."""
        targets = self.catalogue().targets
        if name not in targets:
            raise Refused(f"there is no target {name}; there are: {', '.join(sorted(targets)) or 'none'}")
        return targets[name]

    def run(self) -> None:
        """Serve webhooks and pages and run the loop, until SIGTERM or SIGINT."""
        from bot.wiring.serve import serve

        serve(self)

    def sweep(self, names: Sequence[str] | None = None) -> list[Entry]:
        """Passes over every target, here and now, each until it has nothing more to do at once."""
        entries: list[Entry] = []
        for name in self._names(names):
            for _ in range(MOST_PASSES):
                try:
                    again = reconcile(name, self.world, entries.append)
                except Retryable:
                    break  # it is among the entries, with its sentence
                if again != timedelta(0):
                    break
        return entries

    def plan(self, names: Sequence[str] | None = None) -> list[Plan]:
        """What the next pass would do for each target; touches nothing."""
        from bot.engine.reconcile import standing

        plans = []
        for name in self._names(names):
            target = self.target(name)
            judged = judge(target, self.world)
            diff = self._diff(target, judged.decision)
            plans.append(Plan(name, judged.decision, judged.look, diff, standing(judged)))
        return plans

    def release(self, name: str) -> str:
        """Lift the hold on the wanted version of a target; returns what was done."""
        look = judge(self.target(name), self.world).look
        reason = hold(look)
        if reason is None or look.last is None or look.wanted is None:
            return f"{name} holds nothing back"
        self.forge.label(look.last.number, [LABEL_RELEASED])
        return f"version {look.wanted.version} may be proposed for {name} again (it was held: {reason})"

    def promote(self, model: str, version: str, alias: str) -> str:
        """Move an alias in MLflow, as a data scientist would."""
        self.registry.set_alias(model, version, alias)
        return f"{model} version {version} now has the alias {alias}"

    def pins(self, names: Sequence[str] | None = None) -> list[Any]:
        """Every pin of these targets: target, file, line, form, value, version. Raises `Refused` as editing would."""
        return [line for name in self._names(names) for line in self.manifests.pins(self.target(name))]

    def find_image(self, image: str) -> list[Any]:
        """Every place in the repo that names an image, with the line of promotions.yaml that would address it."""
        self.manifests.fetch()
        return list(self.manifests.naming(image))

    def doctor(self) -> list[Finding]:
        """Ask every neighbour one harmless question."""
        return examine(self)

    def standings(self) -> Mapping[str, Standing]:
        """How every target stood at the bot's last look."""
        found: Mapping[str, Standing] = self.journal.standings()
        return found

    def _names(self, names: Sequence[str] | None) -> Iterable[str]:
        return names if names is not None else sorted(self.catalogue().targets)

    def _diff(self, target: Target, decision: Decision) -> str:
        match decision.action:
            case OpenProposal(image=image) | RenewProposal(image=image):
                value = PinValue(image.tag, image.digest, image.repository)
            case OpenRevert(to=to):
                value = to
            case _:
                return ""
        return str(self.manifests.diff(target, value))


def assemble(settings: Settings) -> Bot:
    """The bot of these settings."""
    return Bot(settings)


def _now() -> datetime:
    return datetime.now(UTC)
