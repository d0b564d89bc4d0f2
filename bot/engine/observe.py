"""Read the world for one target into one frozen Snapshot: reads only, cheapest first, and nothing that cannot matter."""

import logging
from dataclasses import replace
from datetime import timedelta

from bot.core.holds import agrees, hold
from bot.core.model import Earlier, Kind, ModelVersion, ProofState, Proposal, ProposalState, Snapshot
from bot.core.names import (
    LABEL_RELEASED,
    LABEL_REVERT,
    UNRELEASED,
    VERSION,
    correlation,
    deploy_branch,
    image_tag,
    revert_branch,
    version_of_tag,
)
from bot.core.target import RevertPolicy, Target
from bot.core.verdict import Outcome, Verdict
from bot.engine.memory import Streak, about, since
from bot.engine.verifying import DONE, GAP, NOTHING, rolled_out, verify
from bot.ports import Refused, Retryable, World

log = logging.getLogger(__name__)

# A baseline is broken when it has been bad in so many looks over so long.
BROKEN_FOR, BROKEN_LOOKS, BASELINE_AGAIN = timedelta(minutes=1), 3, timedelta(seconds=10)


def observe(target: Target, world: World) -> Snapshot:
    """One look. Raises `Retryable` when a neighbour cannot be asked, `Refused` when what it says needs a person.

    No look is of one instant. The forge is asked before git: a proposal that is merged meanwhile is then seen as
    pinned, never as merged and not pinned, which would look as if somebody had taken it back.
    """
    wanted, silent = _wanted_of(target, world)
    named = wanted is not None and VERSION.match(wanted.version) is not None
    is_open = tuple(p for p in world.forge.open_proposals() if p.target == target.name)
    last = (
        world.forge.newest(deploy_branch(target.name, wanted.version))
        if wanted is not None and named
        else None
    )
    world.manifests.fetch()
    pinned = world.manifests.pinned(target)
    look = Snapshot(
        target=target,
        now=world.clock(),
        pinned=pinned,
        wanted=wanted,
        pinned_version=version_of_tag(pinned.value.tag),
        open=is_open,
        last=last,
    )
    if target.paused:
        return look
    look = _proven(_history(look, world), world)
    if silent is not None:
        # What is merged is judged, and taken back, without the registry; for anything else it is needed.
        if look.verdict is None or look.brought_by is None:
            raise silent
        return replace(look, silent=str(silent))
    if not named:
        return look
    return _proposed(_made(_gated(_asked(look, world), world), world), world)


def _wanted_of(target: Target, world: World) -> tuple[ModelVersion | None, Retryable | None]:
    try:
        return world.registry.wanted(target.model, target.when), None
    except Retryable as problem:
        return None, problem


def _history(look: Snapshot, world: World) -> Snapshot:
    """Which proposal brought what is pinned, what takes it back, and what became of the wanted version before."""
    brought = world.forge.brought(look.pinned.commit)
    if brought is not None and brought.target != look.target.name:
        brought = None
    revert = _revert_of(brought, world)
    last, taken_back = look.last, None
    if (
        last is not None
        and last.state is ProposalState.MERGED
        and not agrees(look)
        and LABEL_RELEASED not in last.labels
    ):
        taken_back = (
            revert if brought is not None and brought.number == last.number else _revert_of(last, world)
        )
    # What was open when the forge was asked may be merged by now: it brought what is pinned.
    still_open = tuple(p for p in look.open if brought is None or p.number != brought.number)
    return replace(look, open=still_open, brought_by=brought, revert=revert, taken_back_by=taken_back)


def _revert_of(proposal: Proposal | None, world: World) -> Proposal | None:
    if proposal is None or proposal.kind is not Kind.DEPLOY:
        return None
    return world.forge.newest(revert_branch(proposal.target, proposal.version, proposal.number))


def _proven(look: Snapshot, world: World) -> Snapshot:
    """What is on record about the pinned commit, and a fresh verdict where nothing final is."""
    proof = world.forge.proof(look.pinned.commit, look.target.name)
    look = replace(look, proof=proof)
    if proof.state is ProofState.LIVE or (look.brought_by is None and not agrees(look)):
        return look
    look = replace(
        look,
        asked_to_sync_at=since(world, about(look, "asked-to-sync"), DONE),
        alarmed=since(world, about(look, "alarmed"), DONE) is not None,
    )
    if look.revert is not None and look.revert.state is ProposalState.OPEN:
        look = replace(look, revert_branch=world.manifests.branch(look.target, look.revert.branch))
    look = verify(look, world)
    return _failing(look, look.verdict, world) if look.verdict is not None else look


def _failing(look: Snapshot, verdict: Verdict, world: World) -> Snapshot:
    """What only matters once a verdict is bad: whether something was ended already, and how many reverts there were."""
    look = replace(look, reverts_per_hour=world.reverts_per_hour)
    if verdict.blocked:
        return replace(look, terminated_at=since(world, about(look, "terminated"), DONE))
    if verdict.outcome is Outcome.FAILED and _would_revert(look):
        hour_ago = look.now - timedelta(hours=1)
        own = look.revert is not None and look.revert.opened_at >= hour_ago
        recent = world.forge.reverts_since(hour_ago) - own
        return replace(look, recent_reverts=recent, before_proven=_before_proven(look, world))
    return look


def _before_proven(look: Snapshot, world: World) -> bool:
    """Whether what is gone back to was proven live; what the bot did not bring is trusted."""
    before = look.pinned.before
    version = version_of_tag(before.tag) if before is not None else None
    # What is open carries the answer since it was labelled.
    opened = look.revert is not None and LABEL_REVERT in look.revert.labels
    if version is None or opened:
        return True
    brought = world.forge.newest(deploy_branch(look.target.name, version))
    if brought is None or brought.merge_commit is None:
        return True
    return world.forge.proof(brought.merge_commit, look.target.name).state is ProofState.LIVE


def _would_revert(look: Snapshot) -> bool:
    """Whether the bot would take back by itself what is pinned now."""
    bad, revert = look.brought_by, look.revert
    merged = revert is not None and revert.state is ProposalState.MERGED
    return (
        look.target.revert is RevertPolicy.AUTO and bad is not None and bad.kind is Kind.DEPLOY and not merged
    )


def _asked(look: Snapshot, world: World) -> Snapshot:
    """Whether a person asked in a comment to lift the hold, under the proposal that caused it or under its revert."""
    if hold(look) is None or look.last is None:
        return look
    numbers = [look.last.number] + ([look.taken_back_by.number] if look.taken_back_by is not None else [])
    # What was said before the hold began was not about it.
    ended = (look.taken_back_by or look.last).ended_at or look.last.opened_at
    try:
        logins = [world.forge.asked_to_release(number, ended) for number in numbers]
    except Refused as refused:
        # Comments are one way of three: a token that may not ask who may write must not stop a pass.
        log.warning("%s: comments are not read: %s", look.target.name, refused)
        return look
    return replace(look, asked_to_release=next((login for login in logins if login), None))


def _gated(look: Snapshot, world: World) -> Snapshot:
    """How the earlier environment stands, where the target waits for one."""
    after = look.target.after
    if after is None or agrees(look) or hold(look) is not None:
        return look
    other = world.catalogue().targets.get(after.target)
    if other is None:
        return replace(look, earlier=Earlier(after.target, None, live=False))
    pinned = world.manifests.pinned(other)
    proof = world.forge.proof(pinned.commit, other.name)
    version = version_of_tag(pinned.value.tag) if not pinned.partly else None
    return replace(look, earlier=Earlier(other.name, version, proof.state is ProofState.LIVE, proof.at))


def _made(look: Snapshot, world: World) -> Snapshot:
    """The image of the wanted version, or the build that makes it."""
    target, wanted = look.target, _wanted(look)
    if agrees(look) or hold(look) is not None:
        return look
    tag = image_tag(wanted.version)
    image = world.images.find(target.image, tag)
    if image is not None or target.build is None:
        return replace(look, image=image)
    return replace(look, build=world.ci.find(target.build, correlation(target.image, tag)))


def _proposed(look: Snapshot, world: World) -> Snapshot:
    """The open proposal in full, its branch, and what the reviewer will compare with."""
    if look.image is None:
        return look
    name = deploy_branch(look.target.name, _wanted(look).version)
    others = tuple(p for p in look.open if p.branch != name)
    current = look.last if look.last is not None and look.last.state is ProposalState.OPEN else None
    live = world.registry.version(look.target.model, look.pinned_version) if look.pinned_version else None
    look = replace(
        look,
        open=(*others, *((current,) if current else ())),
        branch=world.manifests.branch(look.target, name),
        live=live,
    )
    return _baseline(look, world) if current is not None else look


def _baseline(look: Snapshot, world: World) -> Snapshot:
    """How what is going to be replaced serves, as long as the proposal is open.

    One bad look is no baseline: it must be bad again and again, because it will keep the bot from taking back.
    A rollout that only moves says nothing.
    """
    if look.pinned.value.tag == UNRELEASED or (look.target.rollout is None and not look.target.verify):
        return look
    found = look if look.verdict is not None else verify(look, world, baseline=True)
    verdict = found.verdict
    look, key = replace(look, notes=found.notes), about(look, "baseline")
    if verdict is None or verdict.outcome is Outcome.SUCCEEDED:
        return replace(look, baseline=verdict, notes=(*look.notes, (key, NOTHING)))
    if verdict.outcome is not Outcome.FAILED and not (
        verdict.outcome is Outcome.PENDING and rolled_out(found)
    ):
        return look
    streak = Streak.read(world, key, look.now, GAP).and_now(look.now)
    look = replace(look, notes=(*look.notes, (key, str(streak))))
    lasts = look.now - streak.first >= max(look.target.settle, BROKEN_FOR) and streak.count >= BROKEN_LOOKS
    outcome = Outcome.FAILED if lasts else Outcome.PENDING
    return replace(look, baseline=replace(verdict, outcome=outcome, again=None if lasts else BASELINE_AGAIN))


def _wanted(look: Snapshot) -> ModelVersion:
    assert look.wanted is not None  # noqa: S101 -- observe asked
    return look.wanted
