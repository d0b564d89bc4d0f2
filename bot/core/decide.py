"""What to do next for one target: a pure function of one look at the world.

Ordered guard clauses, first match wins; each is a situation with the sentence that a person can act on. Sentences
carry no running times, so that the same situation says the same on every look.
"""

from collections.abc import Callable
from datetime import timedelta

from bot.core.actions import (
    Close,
    Decision,
    MoveAliasBack,
    Release,
    Rest,
    StartBuild,
    Wait,
)
from bot.core.holds import agrees, hold, who
from bot.core.markdown import plain
from bot.core.model import (
    BuildState,
    Image,
    Kind,
    ModelVersion,
    ProofState,
    Proposal,
    Snapshot,
)
from bot.core.names import VERSION
from bot.core.proposing import proposed
from bot.core.proving import LATER, SOON, judged, unproven
from bot.core.target import Alias

BUILD = timedelta(seconds=20)
READ_AFTER_PUSH = timedelta(minutes=2)


def decide(look: Snapshot) -> Decision:
    """The next action for this target, with its reason. Total: every snapshot has exactly one."""
    for situation in _SITUATIONS:
        decision = situation(look)
        if decision is not None:
            return decision
    return proposed(look, _wanted(look), _found(look))


# --- 1. The target itself --------------------------------------------------------------------------


def _paused(look: Snapshot) -> Decision | None:
    if look.target.paused:
        return Decision(Wait(), "paused in promotions.yaml: nothing is proposed, merged or taken back")
    return None


def _partly(look: Snapshot) -> Decision | None:
    """What a person has changed in part is theirs; only what fails is taken back, where it still stands."""
    return Decision(Wait(), look.pinned.partly) if look.pinned.partly else None


# --- 3. to 6. What is wanted -----------------------------------------------------------------------


def _nothing_wanted(look: Snapshot) -> Decision | None:
    if look.silent is not None:
        return Decision(Wait(LATER), f"it is not known what is wanted: {look.silent}")
    if look.wanted is None:
        return Decision(
            Rest(),
            f"no version of {plain(look.target.model)} has the {plain(str(look.target.when))}: nothing is wanted, so nothing is changed",
        )
    if not VERSION.match(look.wanted.version):
        return Decision(
            Wait(),
            f"the registry names a version that is not a number ({plain(look.wanted.version)}): nothing is changed",
        )
    return None


def _agreed(look: Snapshot) -> Decision | None:
    """Wanted is pinned: tidy up, and say whether it is live."""
    if not agrees(look):
        return None
    version = f"version {look.pinned_version}"
    for proposal in look.open:
        if proposal.kind is Kind.DEPLOY or proposal.reverts != _number(look.brought_by):
            why = f"{version} is wanted and pinned already"
            return Decision(Close(proposal, why), f"{why}: closing #{proposal.number}")
    if look.proof.state is ProofState.LIVE:
        theirs = f"; #{look.open[0].number} is a person's: merge or close it" if look.open else ""
        return Decision(Rest(), f"{version} is wanted, pinned and live{theirs}")
    decision = judged(look, look.verdict) if look.verdict is not None else None
    return decision or Decision(
        Wait(), f"{version} is wanted and pinned, but not live: {look.proof.sentence or 'no verdict yet'}"
    )


def _superseded(look: Snapshot) -> Decision | None:
    """Close what no longer matters: proposals for other versions, reverts of what is not pinned any more."""
    wanted = _wanted(look)
    for proposal in look.open:
        if proposal.kind is Kind.DEPLOY and proposal.version != wanted.version:
            why = f"the {plain(str(look.target.when))} now names version {wanted.version}"
            return Decision(
                Close(proposal, why), f"{why}: closing #{proposal.number} for version {proposal.version}"
            )
        if proposal.kind is Kind.REVERT and proposal.reverts != _number(look.brought_by):
            why = f"version {proposal.version} is not pinned any more, so there is nothing to take back"
            return Decision(Close(proposal, why), f"{why}: closing #{proposal.number}")
    return None


def _held(look: Snapshot) -> Decision | None:
    reason, last = hold(look), look.last
    if reason is None or last is None:
        return None
    if look.asked_to_release is not None:
        asked = who(look.asked_to_release)
        return Decision(
            Release(last, look.asked_to_release),
            f"{asked} asked for it: version {_wanted(look).version} may be proposed again",
        )
    moved = _alias_back(look)
    if moved is not None:
        return moved
    how = f"`gitops-bot release {look.target.name}` lets it be proposed again"
    return Decision(Wait(), f"version {_wanted(look).version} is held: {reason}; {how}")


def _alias_back(look: Snapshot) -> Decision | None:
    """The alias follows the pins back, where the policy says so, once the version before serves again."""
    when, revert, back = look.target.when, look.brought_by, look.pinned_version
    if not look.target.move_alias_back or not isinstance(when, Alias) or back is None:
        return None
    if revert is None or revert.kind is not Kind.REVERT or look.proof.state is not ProofState.LIVE:
        return None
    failed = _wanted(look).version
    if revert.version != failed:
        return None
    return Decision(
        MoveAliasBack(failed, back, when.name),
        f"version {failed} was taken back with #{revert.number} and version {back} serves again: the alias goes back to it",
    )


# --- 7. Gates --------------------------------------------------------------------------------------


def _gates(look: Snapshot) -> Decision | None:
    wanted = _wanted(look)
    if wanted.status != "READY":
        return Decision(
            Wait(LATER),
            f"the registry says that version {wanted.version} is {plain(wanted.status)}, not READY",
        )
    if look.earlier is not None and look.target.after is not None:
        return _earlier(look, look.earlier.target)
    return None


def _earlier(look: Snapshot, name: str) -> Decision | None:
    wanted, earlier, after = _wanted(look), look.earlier, look.target.after
    assert earlier is not None  # noqa: S101 -- _gates asked
    assert after is not None  # noqa: S101 -- _gates asked
    if earlier.version != wanted.version or not earlier.live:
        stands = (
            f"pins version {earlier.version}"
            if earlier.version != wanted.version
            else "has not proven it live"
        )
        return Decision(Wait(LATER), f"version {wanted.version} must be live in {name} first, which {stands}")
    if earlier.since is not None and look.now - earlier.since < after.soak:
        until = earlier.since + after.soak
        return Decision(
            Wait(until - look.now),
            f"version {wanted.version} soaks in {name} until {until:%Y-%m-%d %H:%M:%S} UTC",
        )
    return None


# --- 8. The image ----------------------------------------------------------------------------------


def _image(look: Snapshot) -> Decision | None:
    wanted, image = _wanted(look), look.image
    if image is None:
        return _build(look, wanted)
    made_from = image.labels.get("org.mlflow.run_id")
    if made_from and wanted.run_id and made_from != wanted.run_id:
        return Decision(
            Wait(LATER),
            f"{image.repository}:{image.tag} was built from run {plain(made_from)}, but version {wanted.version} is run"
            f" {plain(wanted.run_id)}: delete that tag, and run its build again",
        )
    return None


def _build(look: Snapshot, wanted: ModelVersion) -> Decision:
    build, name = look.build, f"version {wanted.version}"
    if look.target.build is None:
        return Decision(
            Wait(LATER),
            f"there is no image for {name} in {look.target.image}, and no `build:` to make one: push it",
        )
    if build is None:
        return Decision(StartBuild(wanted), f"{name} has no image yet: starting its build")
    if build.state is BuildState.RUNNING:
        return Decision(Wait(BUILD), f"CI is building the image of {name}: {build.url}")
    if build.state is BuildState.FAILED:
        return Decision(
            Wait(LATER),
            f"CI could not build the image of {name} ({plain(build.conclusion or 'failed')}): see {build.url}, mend it, and run it again there or dispatch it with the same inputs",
        )
    if build.ended_at is not None and look.now - build.ended_at < READ_AFTER_PUSH:
        return Decision(Wait(SOON), f"CI has built {name}; waiting for the registry to show the image")
    return Decision(
        Wait(LATER),
        f"CI says that it built {name}, but {look.target.image} has no such tag: run it again at {build.url}",
    )


def _wanted(look: Snapshot) -> ModelVersion:
    assert look.wanted is not None  # noqa: S101 -- _nothing_wanted asked
    return look.wanted


def _found(look: Snapshot) -> Image:
    assert look.image is not None  # noqa: S101 -- _image asked
    return look.image


def _number(proposal: Proposal | None) -> int | None:
    return proposal.number if proposal is not None and proposal.kind is Kind.DEPLOY else None


_SITUATIONS: tuple[Callable[[Snapshot], Decision | None], ...] = (
    _paused,
    unproven,
    _partly,
    _nothing_wanted,
    _agreed,
    _superseded,
    _held,
    _gates,
    _image,
)
