"""Read the world for one target into one frozen Snapshot: reads only, cheapest first, and nothing that cannot matter."""

from dataclasses import replace
from datetime import timedelta

from bot.core.holds import agrees, hold
from bot.core.model import (
    Check,
    Earlier,
    HttpCheck,
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
from bot.core.verdict import Claim, Outcome, Verdict, combine
from bot.ports import Expected, World

PROBE_EVERY = timedelta(seconds=2)


def observe(target: Target, world: World) -> Snapshot:
    """One look. Raises `Retryable` when a neighbour cannot be asked, `Refused` when what it says needs a person.

    No look is of one instant. The forge is asked before git: a proposal that is merged meanwhile is then seen as
    pinned, never as merged and not pinned, which would look as if somebody had taken it back.
    """
    wanted = world.registry.wanted(target.model, target.when)
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
        problem=world.catalogue().problem,
    )
    if target.paused:
        return look
    look = _proven(_history(look, world), world)
    return _proposed(_made(_gated(look, world), world), world) if named else look


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
    asked = world.journal.recall(asked_key(look.pinned.commit, look.target.name))
    verdict = verify(look, world)
    branch = None
    if look.revert is not None and look.revert.state is ProposalState.OPEN:
        branch = world.manifests.branch(look.target, look.revert.branch)
    return replace(look, asked_to_sync_at=asked[1] if asked else None, verdict=verdict, branch=branch)


def asked_key(commit: str, target: str) -> str:
    """Where the journal remembers that the cluster was asked to look at a commit."""
    return f"asked-to-sync:{target}:{commit}"


def verify(look: Snapshot, world: World) -> Verdict:
    """All verifiers about the pinned commit. Probes wait for the rollout: before it they would ask the old version."""
    target, verdicts = look.target, []
    if target.rollout is not None:
        verdicts.append(world.cluster.look(target.rollout, claim(look), look.now))
    if all(verdict.outcome is Outcome.SUCCEEDED for verdict in verdicts):
        expected = _expected(look, world)
        verdicts += [
            _probed(look, check, world.prober.probe(check, expected, look.now)) for check in target.verify
        ]
    return _bounded(look, combine(tuple(verdicts)))


def _probed(look: Snapshot, check: Check, verdict: Verdict) -> Verdict:
    """A bad answer counts once there was time for all attempts since the merge: a server may stumble while it starts."""
    early = look.now - look.pinned.changed_at < check.attempts * PROBE_EVERY
    if verdict.outcome is not Outcome.FAILED or not early:
        return verdict
    return replace(
        verdict, outcome=Outcome.PENDING, because=f"{verdict.because}; trying again", again=PROBE_EVERY
    )


def _bounded(look: Snapshot, verdict: Verdict) -> Verdict:
    """A rollout that was taken in and is still not done at the bot's own deadline has failed."""
    late = look.now - look.pinned.changed_at > look.target.deadline
    if verdict.outcome is not Outcome.PENDING or not verdict.taken_in or not late:
        return verdict
    return replace(verdict, outcome=Outcome.FAILED, because=f"not done at the deadline: {verdict.because}")


def claim(look: Snapshot) -> Claim:
    """What the verifiers are to prove about the pinned commit."""
    pinned, target = look.pinned, look.target
    repository = pinned.value.repository or target.image
    reverting = look.brought_by is not None and look.brought_by.kind is Kind.REVERT
    return Claim(
        commit=pinned.commit,
        image=str(replace(pinned.value, repository=repository)),
        merged_at=pinned.changed_at,
        settle=target.settle,
        deadline=target.deadline,
        revert=reverting,
        contains=pinned.later,
        later=pinned.later,
    )


def _expected(look: Snapshot, world: World) -> Expected:
    """Whom the probes must find; the input example is fetched only when something is going to send it."""
    version, model = look.pinned_version or "", look.target.model
    predicts = any(not isinstance(check, HttpCheck) for check in look.target.verify)
    if not version or not predicts:
        return Expected(model, version)
    details = world.registry.version(model, version)
    outputs = details.signature.outputs if details is not None and details.signature is not None else None
    names = tuple(field.name for field in outputs) if outputs else None
    return Expected(model, version, example=world.registry.input_example(model, version), outputs=names)


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
