"""Read the world for one target into one frozen Snapshot: reads only, cheapest first, and nothing that cannot matter."""

from dataclasses import replace

from bot.core.holds import agrees, hold
from bot.core.model import (
    Earlier,
    Kind,
    ModelVersion,
    ProofState,
    Proposal,
    ProposalState,
    Snapshot,
    Target,
)
from bot.core.names import (
    LABEL_RELEASED,
    VERSION,
    correlation,
    deploy_branch,
    image_tag,
    revert_branch,
    version_of_tag,
)
from bot.engine.verifying import remembered, verify
from bot.ports import Retryable, World


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
    return _proposed(_made(_gated(look, world), world), world) if named else look


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
    look = replace(look, asked_to_sync_at=remembered(world, asked_key(look.pinned.commit, look.target.name)))
    if look.revert is not None and look.revert.state is ProposalState.OPEN:
        look = replace(look, revert_branch=world.manifests.branch(look.target, look.revert.branch))
    return verify(look, world)


def asked_key(commit: str, target: str) -> str:
    """Where the journal remembers that the cluster was asked to look at a commit."""
    return f"asked-to-sync:{target}:{commit}"


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
    version = version_of_tag(pinned.value.tag)
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
    return replace(
        look,
        open=(*others, *((current,) if current else ())),
        branch=world.manifests.branch(look.target, name),
        live=live,
    )


def _wanted(look: Snapshot) -> ModelVersion:
    assert look.wanted is not None  # noqa: S101 -- observe asked
    return look.wanted
