"""Perform the one action of a decision, through the ports. Every branch is safe to repeat after a crash anywhere.

The order inside a branch matters: what stops the action from being chosen again comes last.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import assert_never

from bot.core import wording
from bot.core.actions import (
    Alarm,
    AskToSync,
    Close,
    Decision,
    MarkFailed,
    MarkLive,
    Merge,
    MoveAliasBack,
    NoteBaseline,
    OpenProposal,
    OpenRevert,
    Release,
    RenewProposal,
    Rest,
    StartBuild,
    Terminate,
    Wait,
)
from bot.core.model import Kind, Pinned, PinValue, Proof, ProofState, ProposalState, Snapshot
from bot.core.names import (
    LABEL,
    LABEL_BROKEN,
    LABEL_PERSON,
    LABEL_RELEASED,
    LABEL_REVERT,
    correlation,
    deploy_branch,
    image_tag,
    revert_branch,
    version_of_tag,
    version_tag,
)
from bot.core.proving import STORM
from bot.core.reviewing import Why, deploy_body
from bot.core.target import RevertPolicy
from bot.core.verdict import Outcome
from bot.engine.memory import about, remember
from bot.engine.telling import FAILED, NEEDS_A_PERSON, UNDECIDED, tell
from bot.engine.verifying import DONE
from bot.ports import Refused, Retryable, World

log = logging.getLogger(__name__)


def act(decision: Decision, look: Snapshot, world: World) -> str | None:  # noqa: C901 -- one branch per action
    """Do it; returns the address of what was touched, for the journal. Raises `Retryable` or `Refused`."""
    match decision.action:
        case Rest() | Wait():
            return None
        case AskToSync() as action:
            return _ask_to_sync(action, look, world)
        case Terminate() as action:
            return _terminate(action, look, world)
        case StartBuild() as action:
            return _start_build(action, look, world)
        case OpenProposal() | RenewProposal() as action:
            return _propose(action, look, world)
        case NoteBaseline() as action:
            return _note_baseline(action, world)
        case Merge() as action:
            return _merge(action, look, world)
        case Close() as action:
            return _close(action, look, world)
        case MarkLive() as action:
            return _mark_live(action, look, world)
        case MarkFailed() as action:
            return _mark_failed(action, decision.because, look, world)
        case OpenRevert() as action:
            return _open_revert(action, decision.because, look, world)
        case Alarm():
            return _alarm(decision.because, look, world)
        case MoveAliasBack() as action:
            return _move_alias_back(action, look, world)
        case Release() as action:
            return _release(action, world)
    assert_never(decision.action)


def _ask_to_sync(action: AskToSync, look: Snapshot, world: World) -> str | None:
    if look.target.rollout is not None:
        world.cluster.ask_to_sync(look.target.rollout)
    remember(world, about(look, "asked-to-sync"), DONE, look.now)
    return look.brought_by.url if look.brought_by is not None else None


def _terminate(action: Terminate, look: Snapshot, world: World) -> str | None:
    if look.target.rollout is not None:
        world.cluster.terminate(look.target.rollout)
    remember(world, about(look, "terminated"), DONE, look.now)
    return look.brought_by.url if look.brought_by is not None else None


def _start_build(action: StartBuild, look: Snapshot, world: World) -> str:
    target = look.target
    if target.build is None:
        raise Refused(f"{target.name} has no `build:`")
    tag = image_tag(action.wanted.version)
    inputs = {
        "model_name": target.model,
        "model_version": action.wanted.version,
        "image": target.image,
        "tag": tag,
    }
    return world.ci.start(target.build, correlation(target.image, tag), inputs).url


def _propose(action: OpenProposal | RenewProposal, look: Snapshot, world: World) -> str:
    target = look.target
    why = _why(action, look, world)
    title = wording.deploy_title(target, action.wanted.version)
    branch = deploy_branch(target.name, action.wanted.version)
    value = PinValue(tag=action.image.tag, digest=action.image.digest, repository=action.image.repository)
    message = wording.commit_message(title, wording.deploy_trailers(why))
    world.manifests.write(
        target, branch, value, message, expect=look.branch.head if look.branch else None, only_where=None
    )
    return world.forge.open(branch, title, deploy_body(why), labels=(LABEL,), reviewers=target.reviewers).url


def _why(action: OpenProposal | RenewProposal, look: Snapshot, world: World) -> Why:
    build = look.build
    if build is None and look.target.build is not None:
        build = world.ci.find(look.target.build, correlation(look.target.image, action.image.tag))
    return Why(
        target=look.target,
        wanted=action.wanted,
        image=action.image,
        pinned=look.pinned,
        live=look.live,
        build_url=build.url if build else None,
        page=world.page(look.target.name),
    )


def _note_baseline(action: NoteBaseline, world: World) -> str:
    proposal, baseline = action.proposal, action.baseline
    if baseline.outcome is Outcome.FAILED:
        world.forge.comment(proposal.number, "broken-before", wording.broken_before_comment(baseline))
        world.forge.label(proposal.number, [LABEL_BROKEN])
    else:
        world.forge.comment(proposal.number, "serves-again", wording.serves_again_comment())
        world.forge.label(proposal.number, [], [LABEL_BROKEN])
    return proposal.url


def _merge(action: Merge, look: Snapshot, world: World) -> str:
    proposal = action.proposal
    trailers = _trailers(action, look)
    world.forge.merge(
        proposal, f"{proposal.title} (#{proposal.number})", wording.commit_message("", trailers).strip()
    )
    world.manifests.delete(proposal.branch, expect=proposal.head)
    return proposal.url


def _trailers(action: Merge, look: Snapshot) -> Mapping[str, str]:
    proposal, target = action.proposal, look.target
    if proposal.kind is Kind.REVERT and look.brought_by is not None and look.pinned.before is not None:
        return wording.revert_trailers(target, look.brought_by, look.pinned, look.pinned.before)
    if look.wanted is None or look.image is None:
        raise Refused(f"#{proposal.number} cannot be merged: what it brings is not known any more")
    return wording.deploy_trailers(Why(target, look.wanted, look.image, look.pinned))


def _close(action: Close, look: Snapshot, world: World) -> str:
    proposal = action.proposal
    world.forge.close(proposal, wording.close_comment(action.why))
    branch = world.manifests.branch(look.target, proposal.branch)
    if branch is not None and not branch.foreign:
        world.manifests.delete(proposal.branch, expect=branch.head)
    return proposal.url


def _mark_live(action: MarkLive, look: Snapshot, world: World) -> str | None:
    target, brought = look.target, look.brought_by
    _say(look, world, look.pinned_version, "live")
    if brought is not None and brought.kind is Kind.REVERT:
        _say(look, world, brought.version, "taken back")
    else:
        _say(look, world, _before(action.pinned), "replaced")
    if brought is not None:
        world.forge.comment(brought.number, "live", wording.live_comment(action.pinned, action.verdict))
    proof = Proof(ProofState.LIVE, action.verdict.because)
    world.forge.record(action.pinned.commit, target.name, proof, world.page(target.name))
    return brought.url if brought is not None else None


def _mark_failed(action: MarkFailed, because: str, look: Snapshot, world: World) -> str | None:
    target, brought = look.target, look.brought_by
    _say(look, world, look.pinned_version, "failed")
    if brought is not None:
        text = wording.failed_comment(action.pinned, action.verdict, wording.left_to_a_person(because))
        world.forge.comment(brought.number, "failed", text)
    url = brought.url if brought is not None else world.page(target.name)
    tell(FAILED, because, url, look, world)
    proof = Proof(ProofState.FAILED, because)
    world.forge.record(action.pinned.commit, target.name, proof, world.page(target.name))
    return brought.url if brought is not None else None


def _open_revert(action: OpenRevert, because: str, look: Snapshot, world: World) -> str | None:
    target, failed = look.target, action.failed
    branch = revert_branch(target.name, failed.version, failed.number)
    existing = world.manifests.branch(target, branch)
    if existing is not None and existing.foreign:
        raise Refused(
            f"the branch {branch} carries commits of a person: open a pull request from it, or delete it"
        )
    title = wording.revert_title(target, failed, action.to)
    message = wording.commit_message(title, wording.revert_trailers(target, failed, action.pinned, action.to))
    expect = existing.head if existing is not None else None
    try:
        world.manifests.write(
            target, branch, action.to, message, expect=expect, only_where=action.pinned.value
        )
    except Refused as refused:
        impossible = f"{because}; but that cannot be written: {refused}; a person must look"
        return _mark_failed(MarkFailed(action.pinned, action.verdict), impossible, look, world)
    _say(look, world, failed.version, "failed")
    follows = "A pull request that takes it back follows."
    world.forge.comment(
        failed.number, "failed", wording.failed_comment(action.pinned, action.verdict, follows)
    )
    return _opened(action, because, branch, title, look, world)


def _opened(action: OpenRevert, because: str, branch: str, title: str, look: Snapshot, world: World) -> str:
    """Open it; the label that says that nothing is left to do comes last."""
    target = look.target
    with world.reverting:
        person = action.person or (STORM if _stormy(look, world) else "")
        revert = look.revert
        seen = revert.opened_at if revert and revert.state is ProposalState.OPEN else look.now
        body = wording.revert_body(replace(action, person=person), target, seen)
        labels = (LABEL, LABEL_PERSON) if person else (LABEL, LABEL_REVERT)
        proposal = world.forge.open(branch, title, body, labels=labels, reviewers=target.reviewers)
    if person:
        tell(NEEDS_A_PERSON, because, proposal.url, look, world)
        world.forge.label(proposal.number, [LABEL_REVERT])
    return proposal.url


def _stormy(look: Snapshot, world: World) -> bool:
    """Counted once more, one after the other: several targets may have failed in this very moment."""
    if look.target.revert is not RevertPolicy.AUTO or look.revert is not None:
        return False
    return world.forge.reverts_since(look.now - timedelta(hours=1)) >= look.reverts_per_hour


def _alarm(because: str, look: Snapshot, world: World) -> str | None:
    url = look.brought_by.url if look.brought_by is not None else world.page(look.target.name)
    tell(UNDECIDED, because, url, look, world)
    remember(world, about(look, "alarmed"), DONE, look.now)
    return url


def _move_alias_back(action: MoveAliasBack, look: Snapshot, world: World) -> str | None:
    model = look.target.model
    if world.registry.version(model, action.version) is None:
        raise Refused(
            f"the alias {action.alias} cannot go back to version {action.version}, which the registry has no more: set it to another version"
        )
    wanted = world.registry.wanted(model, look.target.when)
    if wanted is None or wanted.version != action.failed:
        return None  # a person moved it meanwhile
    world.registry.set_alias(model, action.version, action.alias)
    return look.brought_by.url if look.brought_by is not None else None


def _release(action: Release, world: World) -> str:
    world.forge.label(action.proposal.number, [LABEL_RELEASED])
    return action.proposal.url


def _before(pinned: Pinned) -> str | None:
    return version_of_tag(pinned.before.tag) if pinned.before is not None else None


def _say(look: Snapshot, world: World, version: str | None, state: str) -> None:
    """Tell a version's page in the registry, if the version is still there."""
    if version is None:
        return
    try:
        if world.registry.version(look.target.model, version) is not None:
            world.registry.tag(look.target.model, version, {version_tag(look.target.name, "state"): state})
    except (Refused, Retryable) as problem:
        # Tags are for people: a registry that is away, or lets nobody write them, must not stop a revert.
        log.warning("no tag on version %s: %s", version, problem)
