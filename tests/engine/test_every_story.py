"""Every order of outside events, crashes and passes up to a bound: the promises of DESIGN.md hold in each state."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from bot.core.model import Kind, ProofState, ProposalState
from bot.core.target import HttpCheck, MergePolicy, PrometheusCheck, RevertPolicy
from bot.engine.reconcile import REPEATED_AGAIN, reconcile
from bot.ports import Retryable
from tests.engine.world import BrokenPromise, Crash, MemoryWorld, first, hand_pins, version_pinned

NAME = "fraud-detector/production"
EFFECTS = 8  # no action has more effects than this, so a crash after each of them is tried
REST_WITHIN = 12
# What each pass begins anew.
OF_ONE_PASS = {"reads", "writes", "was", "was_wanted", "were_reverts"}


@dataclass(frozen=True)
class Step:
    """One thing that happens, with the name it has in a failing story."""

    name: str
    do: Callable[[MemoryWorld], None]


def one_pass(world: MemoryWorld) -> bool:
    """A pass; true when it had an effect and wants another look at once."""
    try:
        again = reconcile(NAME, world.ports())
    except Retryable:
        return False  # the loop backs off
    return again in (timedelta(0), REPEATED_AGAIN)


def to_rest(world: MemoryWorld) -> None:
    for _ in range(REST_WITHIN):
        if not one_pass(world):
            return
    raise BrokenPromise(f"no rest within {REST_WITHIN} passes: {world.journal[0].because}")


def crash(after: int, *, forget: bool) -> Callable[[MemoryWorld], None]:
    def do(world: MemoryWorld) -> None:
        world.crash_after = after
        try:
            for _ in range(2):
                if not one_pass(world):
                    break
        except Crash:
            pass
        finally:
            world.crash_after = None
        if forget:
            world.forgets()

    return do


def events(world: MemoryWorld) -> Iterator[Step]:
    """What may happen next from outside."""
    yield Step("promote 2", lambda w: w.promote("2"))
    yield Step("promote 3", lambda w: w.promote("3"))
    if world.alias:
        yield Step("alias removed", lambda w: w.promote(None))
    yield from _images(world)
    yield from _people(world)
    yield from _cluster(world)
    yield Step("an hour passes", lambda w: w.hour_passes())
    yield Step("released", lambda w: w.person_releases())
    yield Step("asked to release", lambda w: w.person_asks_to_release())
    yield Step("a storm" if not world.other_reverts else "calm", _toggle_storm)
    yield Step("Argo CD unreachable" if world.reachable else "Argo CD back", _toggle)
    yield Step("MLflow away" if world.registry_up else "MLflow back", _toggle_registry)


def _images(world: MemoryWorld) -> Iterator[Step]:
    if any(b.state == "running" for b in world.builds.values()):
        yield Step("build ok", lambda w: w.build_ends(good=True))
        yield Step("build fails", lambda w: w.build_ends(good=False))
    if "v3" not in world.images:
        yield Step("the image of 3 appears", lambda w: w.image_appears("3"))


def _people(world: MemoryWorld) -> Iterator[Step]:
    for kind in Kind:
        if world.open(kind):
            yield Step(f"{kind} merged by a person", lambda w, k=kind: w.person_merges(k))
            yield Step(f"{kind} closed by a person", lambda w, k=kind: w.person_closes(k))
            yield Step(f"a person pushes to the {kind}", lambda w, k=kind: w.person_pushes(k))
    for value in hand_pins(world):
        if len(world.commits) < 6:
            yield Step(f"a person pins {value.tag}", lambda w, v=value: w.person_pins(v))


def _cluster(world: MemoryWorld) -> Iterator[Step]:
    for how in ("rolling", "good", "bad"):
        if world.serving.get(world.commits[-1].id) != how:
            yield Step(f"rollout {how}", lambda w, h=how: w.cluster_syncs(h))
    for probe in ("good", "bad", "silent"):
        if world.probe != probe:
            yield Step(f"probes {probe}", lambda w, p=probe: setattr(w, "probe", p))


def _toggle_registry(world: MemoryWorld) -> None:
    world.registry_up = not world.registry_up


def _toggle_storm(world: MemoryWorld) -> None:
    world.other_reverts = 0 if world.other_reverts else 9


def _toggle(world: MemoryWorld) -> None:
    world.reachable = not world.reachable


PASSES = (
    Step("pass", lambda w: one_pass(w) and None),
    Step("passes to rest", to_rest),
    *(Step(f"crash after effect {n}", crash(n, forget=False)) for n in range(1, EFFECTS)),
    Step("crash after effect 1, database lost", crash(1, forget=True)),
    Step("crash after effect 3, database lost", crash(3, forget=True)),
)


def holds(world: MemoryWorld) -> None:
    """What is true in every state, beside what the world itself refuses to let happen."""
    for kind in Kind:
        if len(world.open(kind)) > 1:
            raise BrokenPromise(f"{len(world.open(kind))} open {kind}s")
    for proposal in world.proposals:
        if proposal.kind is Kind.REVERT and proposal.reverts is not None:
            taken_back = world.proposals[proposal.reverts - 1]
            if taken_back.kind is not Kind.DEPLOY:
                raise BrokenPromise("a revert of a revert")


def exactly(world: MemoryWorld) -> str:
    """Everything there is, to the second: two worlds of which this is the same go on alike."""
    known = {name: value for name, value in vars(world).items() if name not in OF_ONE_PASS}
    # How long a pass took is of this machine.
    return repr(known | {"journal": [replace(entry, seconds=0) for entry in world.journal]})


def comes_to_rest(world: MemoryWorld) -> MemoryWorld:
    """Without outside change, time included, the bot stops doing things, and one more look then changes nothing."""
    world = world.copy()
    world.frozen = True
    to_rest(world)
    before = world.key()
    one_pass(world)
    if world.key() != before:
        raise BrokenPromise("a pass at rest changed the world")
    return world


def ends_well(world: MemoryWorld) -> None:
    """When everybody cooperates the wanted version ends live, or it is said what is in the way."""
    world = world.copy()
    world.reachable = world.registry_up = True
    world.probe = "good"
    for _ in range(30 if world.target.bake else 12):
        to_rest(world)
        world.build_ends(good=True)
        world.person_merges(Kind.REVERT)
        world.person_merges(Kind.DEPLOY)
        if world.serving.get(world.commits[-1].id) in (None, "rolling"):
            world.cluster_syncs("good")
        if world.target.bake:
            world.now += timedelta(minutes=2)  # what was not watched does not count
    to_rest(world)
    if world.alias is None or world.alias not in ("2", "3"):
        return
    proof = world.proofs.get(world.commits[-1].id)
    live = version_pinned(world) == world.alias and proof is not None and proof.state is ProofState.LIVE
    said = world.standing[NAME].because
    explained = any(
        word in said
        for word in (
            "is held",
            "could not build",
            "a person pushed",
            "does not serve",
            "carries commits",
            "did not help",
        )
    )
    if not live and not explained:
        raise BrokenPromise(f"everybody cooperated, yet {world.alias} is not live: {said}")


def explore(start: MemoryWorld, depth: int, limit: int) -> tuple[int, int]:
    """Breadth first over all stories; returns how many distinct states and steps were tried. Raises with the story."""
    seen = {start.key()}
    queue = deque([(start, ())])
    tried = 0
    while queue and len(seen) < limit:
        world, story = queue.popleft()
        if len(story) >= depth:
            continue
        for step in (*events(world), *PASSES):
            after = world.copy()
            told = (*story, step.name)
            tried += 1
            try:
                step.do(after)
                holds(after)
                key = after.key()
                if key in seen:
                    continue
                seen.add(key)
                comes_to_rest(after)
                ends_well(after)
            except BrokenPromise as broken:
                raise BrokenPromise(f"{broken}\nthe story: {' -> '.join(told)}") from broken
            queue.append((after, told))
    return len(seen), tried


def promoted(policy: dict[str, Any]) -> MemoryWorld:
    world = first(policy)
    world.promote("2")
    return world


def merged(policy: dict[str, Any]) -> MemoryWorld:
    world = promoted(policy)
    to_rest(world)
    world.build_ends(good=True)
    to_rest(world)
    world.person_merges(Kind.DEPLOY)
    assert version_pinned(world) == "2"
    return world


def reverting(policy: dict[str, Any]) -> MemoryWorld:
    world = merged(policy)
    world.cluster_syncs("bad")
    to_rest(world)
    assert world.proposals[-1].kind is Kind.REVERT
    return world


STARTS = {"from the start": first, "after a merge": merged, "after a failure": reverting}
POLICIES: dict[str, dict[str, Any]] = {
    "review": {"merge": MergePolicy.REVIEW, "revert": RevertPolicy.REVIEW},
    "auto": {"merge": MergePolicy.AUTO, "revert": RevertPolicy.AUTO, "move_alias_back": True},
    "off": {"merge": MergePolicy.REVIEW, "revert": RevertPolicy.OFF},
    "baking": {
        "bake": timedelta(minutes=20),
        "verify": (HttpCheck("https://f.test/health", attempts=1), PrometheusCheck("errors", below=0.05)),
    },
}


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("policy", POLICIES)
def test_the_promises_hold_in_every_story(start: str, policy: str) -> None:
    if start == "after a failure" and policy == "off":
        pytest.skip("nothing is reverted with `revert: off`; 'after a merge' covers its failures")
    world = STARTS[start](POLICIES[policy])
    states, tried = explore(world, depth=7, limit=1000)
    assert states >= 900
    assert tried > states


READS = 14  # no pass reads more often than this


def meanwhile(after: int, step: Step) -> Callable[[MemoryWorld], None]:
    """A pass during which something happens outside, between two of its reads."""

    def do(world: MemoryWorld) -> None:
        world.meanwhile = (after, step.do)
        one_pass(world)
        world.meanwhile = None

    return do


@pytest.mark.parametrize("start", STARTS)
def test_the_promises_hold_when_the_world_changes_during_a_look(start: str) -> None:
    world = STARTS[start]({"merge": MergePolicy.AUTO, "revert": RevertPolicy.AUTO})
    seen, queue, tried = {world.key()}, deque([(world, ())]), 0
    followed: set[str] = set()
    while queue and len(seen) < 180:
        world, story = queue.popleft()
        for step in events(world):
            for after in range(1, READS):
                other, told = world.copy(), (*story, f"{step.name} after read {after} of a pass")
                tried += 1
                try:
                    meanwhile(after, step)(other)
                    holds(other)
                    # Many moments of a look come to the very same world: what follows is then the same, too.
                    if (reached := exactly(other)) not in followed:
                        followed.add(reached)
                        comes_to_rest(other)
                        ends_well(other)
                except BrokenPromise as broken:
                    raise BrokenPromise(f"{broken}\nthe story: {' -> '.join(told)}") from broken
        for step in (*events(world), PASSES[0], PASSES[1]):
            after_step = world.copy()
            step.do(after_step)
            if after_step.key() not in seen:
                seen.add(after_step.key())
                queue.append((after_step, (*story, step.name)))
    assert tried > 3000


def test_the_happy_story_takes_one_proposal_and_ends_live() -> None:
    world = merged({})
    world.cluster_syncs("good")
    to_rest(world)
    assert [p.state for p in world.proposals] == [ProposalState.MERGED]
    assert world.proofs[world.commits[-1].id].state is ProofState.LIVE
    assert world.version_tags["2"]["gitops-bot.fraud-detector/production.state"] == "live"
    assert world.version_tags["1"]["gitops-bot.fraud-detector/production.state"] == "replaced"


def test_a_version_that_does_not_serve_is_taken_back_and_held() -> None:
    world = reverting({})
    to_rest(world)
    assert version_pinned(world) == "1"
    world.cluster_syncs("good")
    to_rest(world)
    assert [(p.kind, p.state) for p in world.proposals] == [(Kind.DEPLOY, "merged"), (Kind.REVERT, "merged")]
    assert "version 2 is held" in world.standing[NAME].because
    world.person_releases()
    to_rest(world)
    assert [p.version for p in world.open(Kind.DEPLOY)] == ["2"]
