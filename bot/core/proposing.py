"""The last situations of `decide`: what may go in has its image, and is proposed and merged."""

from bot.core.actions import Decision, NoteBaseline, OpenProposal, RenewProposal, Wait
from bot.core.holds import same
from bot.core.model import Branch, Image, Kind, Mergeability, ModelVersion, PinValue, Proposal, Snapshot
from bot.core.names import LABEL, LABEL_BROKEN
from bot.core.proving import SOON, merge
from bot.core.target import MergePolicy
from bot.core.verdict import Outcome


def proposed(look: Snapshot, wanted: ModelVersion, image: Image) -> Decision:
    """What the proposal of the wanted version needs: to be opened, written again, merged, or patience."""
    name, branch = f"version {wanted.version}", look.branch
    proposal = next((p for p in look.open if p.kind is Kind.DEPLOY), None)
    if proposal is None:
        if branch is not None and branch.foreign:
            return Decision(
                Wait(),
                f"the branch {branch.name} carries commits of a person: open a pull request from it, or delete it",
            )
        return Decision(OpenProposal(wanted, image), f"{name} has its image: proposing it")
    if branch is None:
        return Decision(
            Wait(SOON),
            f"the branch of #{proposal.number} is gone; the forge should close it, or a person does",
        )
    if branch.foreign:
        return Decision(
            Wait(), f"a person pushed to #{proposal.number} for {name}, so a person merges or closes it"
        )
    stale = _stale(look, proposal, branch, image)
    if stale:
        return Decision(
            RenewProposal(proposal, branch, wanted, image), f"{stale}: writing #{proposal.number} again"
        )
    noted = _baseline(look, proposal)
    if noted is not None:
        return noted
    open_question = look.baseline is not None and look.baseline.outcome is Outcome.PENDING
    soon = look.baseline.again if look.baseline is not None and open_question else None
    if look.target.merge is MergePolicy.REVIEW:
        return Decision(Wait(soon), f"#{proposal.number} for {name} waits for a reviewer")
    if open_question:
        return Decision(
            Wait(soon), f"#{proposal.number} for {name} waits for a moment: does what it replaces serve?"
        )
    return merge(proposal, branch, f"{name} may go in: merging #{proposal.number}")


def _baseline(look: Snapshot, proposal: Proposal) -> Decision | None:
    """Whether what is replaced serves is put on the proposal before its merge, and corrected as long as it is open."""
    found = look.baseline
    if found is None or found.outcome not in (Outcome.SUCCEEDED, Outcome.FAILED):
        return None
    broken = found.outcome is Outcome.FAILED
    if broken == (LABEL_BROKEN in proposal.labels):
        return None
    said = (
        f"what #{proposal.number} replaces does not serve: {found.because}; that will not be blamed on the new version"
        if broken
        else f"what #{proposal.number} replaces serves again"
    )
    return Decision(NoteBaseline(proposal, found), said)


def _stale(look: Snapshot, proposal: Proposal, branch: Branch, image: Image) -> str | None:
    if LABEL not in proposal.labels:
        return "opening it was interrupted"
    if proposal.mergeability is Mergeability.CONFLICT:
        return "the base branch changed in the same place"
    if not same(branch.value, PinValue(image.tag, image.digest)):
        return "the image of this version was built again"
    if not same(branch.replaces, look.pinned.value):
        return f"the base branch now pins {look.pinned.value}"
    return None
