"""One pass: observe, decide, act, journal."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.core.actions import Decision, Rest, Wait
from bot.core.decide import decide
from bot.core.model import Snapshot
from bot.core.report import action_name, again, columns, tags
from bot.core.target import Target
from bot.engine.act import act
from bot.engine.memory import kept, note
from bot.engine.observe import observe
from bot.engine.telling import tell_still
from bot.ports import Entry, Refused, Retryable, Standing, World

log = logging.getLogger(__name__)

REFUSED_AGAIN = timedelta(minutes=5)
# An effect that is decided twice in a row did not show yet: the forge's lists lag, or something undoes it.
REPEATED_AGAIN = timedelta(seconds=30)

Told = Callable[[Entry], None]


@dataclass(frozen=True, slots=True)
class Judged:
    """A look and what it leads to: what `plan` and `explain` show, and what a pass then does."""

    look: Snapshot
    decision: Decision


def judge(target: Target, world: World) -> Judged:
    """Observe and decide; touches nothing."""
    look = observe(target, world)
    return Judged(look, decide(look))


def reconcile(name: str, world: World, told: Told = lambda entry: None) -> timedelta | None:
    """One pass over the target of this name; returns when to look again (None: at the next event or sweep).

    What the world refuses is journalled for people and looked at again in minutes; what it cannot answer now is
    raised for the loop to back off; anything else is our bug: journalled, and raised. A journal that fails is
    logged and stops nothing: it is for people, and a cache.
    """
    target = world.catalogue().targets.get(name)
    if target is None:
        return None
    began = time.perf_counter()
    judged: Judged | None = None
    try:
        judged = judge(target, world)
        note(world, judged.look)  # also when the act fails: a flap must not be forgotten
        if world.catalogue().targets.get(name) != target:
            return timedelta(
                seconds=1
            )  # promotions.yaml changed during this look: look again with what it says now
        url = act(judged.decision, judged.look, world)
        if isinstance(judged.decision.action, Rest | Wait):
            tell_still(judged.look, world)
    except Refused as refused:
        _stumbled(world, told, _entry(world, name, judged, str(refused), "refused", began))
        return REFUSED_AGAIN
    except Retryable as retryable:
        _stumbled(world, told, _entry(world, name, judged, str(retryable), "retry", began))
        raise
    except Exception as bug:
        said = f"{type(bug).__name__}: a bug in the bot, see its log"
        _stumbled(world, told, _entry(world, name, judged, said, "crashed", began))
        raise
    _report(judged, world)
    entry = _entry(world, name, judged, judged.decision.because, "done", began, url)
    wait = _again(judged.decision, entry, world)
    _note(world, told, entry)
    kept(lambda: world.journal.stand(standing(judged)))
    return wait


def _again(decision: Decision, entry: Entry, world: World) -> timedelta | None:
    """When to look again; in a while when the same effect was decided twice in a row, in the journal's word or ours."""
    wait, key = again(decision.action), f"last:{entry.target}"
    said = f"{entry.action}: {entry.because}"
    newest: Sequence[Entry] = kept(lambda: world.journal.entries(entry.target, limit=1)) or ()
    before = f"{newest[0].action}: {newest[0].because}" if newest else world.memory.get(key, ("",))[0]
    world.memory[key] = (said, entry.at)
    return REPEATED_AGAIN if wait == timedelta(0) and before == said else wait


def _report(judged: Judged, world: World) -> None:
    """Bring the tags of the wanted version in line with what is the case; only differences are written."""
    wanted = judged.look.wanted
    if wanted is None:
        return
    said = {
        key: value
        for key, value in tags(judged.look, judged.decision).items()
        if wanted.tags.get(key) != value
    }
    if not said:
        return
    try:
        world.registry.tag(wanted.model, wanted.version, said)
    except (Refused, Retryable) as problem:
        # Tags are for people: a registry that is away, or lets nobody write them, must not stop a deployment.
        log.warning("no tags on %s version %s: %s", wanted.model, wanted.version, problem)


def standing(judged: Judged) -> Standing:
    """How the target stands after this look, for status, dashboard and explain alike."""
    look, decision = judged.look, judged.decision
    shown = columns(look, decision)
    return Standing(
        target=look.target.name,
        looked_at=look.now,
        wanted=shown.wanted,
        pinned=shown.pinned,
        live=shown.live,
        action=action_name(decision.action),
        because=decision.because,
        proposals=tuple((p.number, p.url, p.title) for p in look.open),
    )


def _entry(
    world: World,
    name: str,
    judged: Judged | None,
    because: str,
    outcome: str,
    began: float,
    url: str | None = None,
) -> Entry:
    look = judged.look if judged else None
    return Entry(
        target=name,
        at=world.clock(),
        action=action_name(judged.decision.action) if judged else "observe",
        because=because,
        outcome=outcome,
        detail=judged.decision.because if judged and outcome != "done" else "",
        version=look.wanted.version if look and look.wanted else None,
        commit=look.pinned.commit if look else None,
        url=url,
        seconds=time.perf_counter() - began,
    )


def _note(world: World, told: Told, entry: Entry) -> None:
    log.info(
        "%s: %s: %s",
        entry.target,
        entry.action,
        entry.because,
        extra={"target": entry.target, "outcome": entry.outcome},
    )
    kept(lambda: world.journal.write(entry))
    told(entry)


def _stumbled(world: World, told: Told, entry: Entry) -> None:
    """A pass that came to no decision, or could not carry it out: people must see that instead of the last good news."""
    _note(world, told, entry)

    def stand() -> None:
        before = world.journal.standings().get(entry.target)
        known = before or Standing(entry.target, entry.at, None, None, None, entry.action, entry.because)
        failures = known.failures + 1
        world.journal.stand(
            replace(known, looked_at=entry.at, action=entry.action, because=entry.because, failures=failures)
        )

    kept(stand)
