"""Whether a version is held, and other questions that several situations ask of one look."""

from datetime import datetime

from bot.core.markdown import plain
from bot.core.model import Branch, PinValue, ProposalState, Snapshot
from bot.core.names import LABEL_RELEASED


def same(one: PinValue | None, other: PinValue | None) -> bool:
    """Whether two values name the same release: equal tags, and equal digests where both carry one."""
    if one is None or other is None:
        return one is other
    return one.tag == other.tag and (one.digest == other.digest or None in (one.digest, other.digest))


def hold(look: Snapshot) -> str | None:
    """Why the wanted version must not be proposed again until a person releases it; None when it may be.

    Derived from the forge and git alone: a proposal that a person closed, a merged one that was taken back by the
    bot's revert or by a person's later change of the pin. The label `gitops-bot/released` lifts it.
    """
    last = look.last
    if last is None or LABEL_RELEASED in last.labels or agrees(look):
        return None
    if last.state is ProposalState.CLOSED and not last.closed_by_bot:
        return f"{who(last.closed_by)} closed #{last.number} without merging it"
    if last.state is not ProposalState.MERGED:
        return None
    if look.taken_back_by is not None and look.taken_back_by.state is ProposalState.MERGED:
        return f"it was merged with #{last.number}, did not serve, and was taken back with #{look.taken_back_by.number}"
    # Whatever is pinned now came after that merge, as the merge itself changed the pin; no clock needs to agree.
    if look.brought_by is None:
        return (
            f"it was merged with #{last.number}, and {who(look.pinned.author)} changed the pin by hand after that"
            f" (commit {look.pinned.commit[:8]})"
        )
    return None


def agrees(look: Snapshot) -> bool:
    """Whether the wanted version is the pinned one."""
    return look.wanted is not None and look.pinned_version == look.wanted.version


def touched(branch: Branch | None) -> bool:
    """Whether a person pushed to a proposal's branch; what cannot be seen counts as touched."""
    return branch is None or bool(branch.foreign)


def who(login: str | None) -> str:
    """A person's login as far as it is harmless, or that it was some person."""
    return plain(login) if login else "a person"


def merged_at(look: Snapshot) -> datetime:
    """When the pinned commit came to the base branch: a commit that was made long before may be pushed today."""
    ended = look.brought_by.ended_at if look.brought_by is not None else None
    return max(look.pinned.changed_at, ended) if ended is not None else look.pinned.changed_at
