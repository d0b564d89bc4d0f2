"""The second situation of `decide`: what is merged must be proven, or taken back."""

from datetime import timedelta

from bot.core.actions import AskToSync, Close, Decision, MarkFailed, MarkLive, Merge, OpenRevert, Wait
from bot.core.holds import hold, touched, who
from bot.core.markdown import plain
from bot.core.model import (
    Branch,
    Kind,
    Mergeability,
    PinValue,
    ProofState,
    Proposal,
    ProposalState,
    RevertPolicy,
    Snapshot,
)
from bot.core.names import LABEL_REVERT, UNRELEASED
from bot.core.verdict import Outcome, Verdict

SOON = timedelta(seconds=2)
ROLLOUT = timedelta(seconds=10)
LATER = timedelta(minutes=1)
ASK_AGAIN = timedelta(minutes=5)
NOT_SEEN_YET = timedelta(minutes=2)


def unproven(look: Snapshot) -> Decision | None:
    """What the bot brought must be proven or taken back before anything newer."""
    if look.brought_by is None or look.verdict is None:
        return None
    if look.verdict.outcome in (Outcome.PENDING, Outcome.INCONCLUSIVE) and _overtaken(look):
        return None
    return judged(look, look.verdict)


def _overtaken(look: Snapshot) -> bool:
    """A newer version is wanted and the deadline has passed without an answer: the old one must not block it for ever."""
    newer = look.wanted is not None and look.wanted.version != look.pinned_version
    return newer and hold(look) is None and look.now - look.pinned.changed_at > look.target.deadline


def judged(look: Snapshot, verdict: Verdict) -> Decision | None:
    """What a verdict about the pinned commit leads to; None when it failed, that is on record, and no revert follows."""
    pinned = look.pinned
    what = f"version {look.pinned_version}" if look.pinned_version else f"{pinned.value}"
    if verdict.outcome is Outcome.SUCCEEDED:
        return _proven(look, verdict, what)
    if verdict.outcome is Outcome.FAILED:
        return _failed(look, verdict, what)
    if not verdict.taken_in and look.target.rollout is not None and _may_ask(look):
        return Decision(
            AskToSync(pinned.commit), f"{what} is merged; asking the cluster to look now: {verdict.because}"
        )
    if verdict.outcome is Outcome.PENDING:
        return Decision(Wait(verdict.again or ROLLOUT), f"{what} is rolling out: {verdict.because}")
    if verdict.outcome is Outcome.SUPERSEDED:
        return Decision(
            Wait(verdict.again or SOON), f"{what} was replaced before it could be judged: {verdict.because}"
        )
    return Decision(
        Wait(verdict.again or LATER),
        f"it cannot be said whether {what} serves, so nothing is taken back: {verdict.because}",
    )


def _may_ask(look: Snapshot) -> bool:
    asked = look.asked_to_sync_at
    return asked is None or look.now - asked >= ASK_AGAIN


def _proven(look: Snapshot, verdict: Verdict, what: str) -> Decision:
    revert = look.revert
    if revert is not None and revert.state is ProposalState.OPEN and not touched(look.revert_branch):
        return Decision(
            Close(revert, f"{what} serves after all: {verdict.because}"),
            f"{what} serves after all: closing the revert #{revert.number}",
        )
    return Decision(MarkLive(look.pinned, verdict), f"{what} is live: {verdict.because}")


def _failed(look: Snapshot, verdict: Verdict, what: str) -> Decision | None:
    bad = look.brought_by
    if bad is None:
        return _reported(
            look,
            verdict,
            f"{what} was pinned by hand (commit {look.pinned.commit[:8]}) and does not serve: {verdict.because}; the bot takes back only what it brought",
        )
    if bad.kind is Kind.REVERT:
        return _reported(
            look,
            verdict,
            f"going back with #{bad.number} did not help, and nothing more is opened: {verdict.because}; a person must look",
        )
    if look.target.revert is RevertPolicy.OFF:
        return _reported(
            look,
            verdict,
            f"{what} does not serve: {verdict.because}; `revert: off`, so a person takes it back or promotes another version",
        )
    before = look.pinned.before
    if before is None or before.tag == UNRELEASED or (before.tag or before.digest) is None:
        return _reported(
            look,
            verdict,
            f"{what} does not serve: {verdict.because}; there is nothing to go back to, so a person mends it or promotes another version",
        )
    return _revert(look, verdict, bad, before)


def _reported(look: Snapshot, verdict: Verdict, sentence: str) -> Decision | None:
    """Put it on record once; after that let newer versions come."""
    if look.proof.state is ProofState.FAILED:
        return None
    return Decision(MarkFailed(look.pinned, verdict), sentence)


def _revert(look: Snapshot, verdict: Verdict, bad: Proposal, before: PinValue) -> Decision | None:
    what, revert = f"version {bad.version}", look.revert
    opening = OpenRevert(bad, look.pinned, before, verdict)
    if revert is None or (revert.state is ProposalState.CLOSED and revert.closed_by_bot):
        return Decision(
            opening, f"{what} does not serve: {verdict.because}; going back to {before.tag or before.digest}"
        )
    if revert.state is ProposalState.MERGED:
        return _merged_revert(look, verdict, revert, what)
    if revert.state is ProposalState.CLOSED:
        return _reported(
            look,
            verdict,
            f"{what} does not serve: {verdict.because}; {who(revert.closed_by)} closed the revert #{revert.number}, so it stays",
        )
    if touched(look.revert_branch):
        return Decision(
            Wait(),
            f"{what} does not serve; a person pushed to the revert #{revert.number}, so a person merges or closes it",
        )
    if LABEL_REVERT not in revert.labels:
        return Decision(opening, f"opening the revert #{revert.number} was interrupted: finishing it")
    if revert.mergeability is Mergeability.CONFLICT:
        return Decision(
            opening, f"the revert #{revert.number} conflicts with the base branch: writing it again"
        )
    if look.target.revert is RevertPolicy.REVIEW:
        return Decision(
            Wait(),
            f"{what} does not serve: {verdict.because}; the revert #{revert.number} waits for a reviewer",
        )
    return merge(revert, look.revert_branch, f"{what} does not serve: taking it back with #{revert.number}")


def _merged_revert(look: Snapshot, verdict: Verdict, revert: Proposal, what: str) -> Decision | None:
    """Merged, yet what it takes back is still pinned: not seen yet, or a person edited it."""
    if revert.ended_at is None or look.now - revert.ended_at < NOT_SEEN_YET:
        sentence = f"#{revert.number} takes {what} back and is merged; waiting to see it on the base branch"
        return Decision(Wait(SOON), sentence)
    sentence = f"{what} does not serve: {verdict.because}; #{revert.number} was merged, but did not take it back; a person must look"
    return _reported(look, verdict, sentence)


def merge(proposal: Proposal, branch: Branch | None, sentence: str) -> Decision:
    """Merge a proposal of the bot's if the forge would take it now, otherwise say what it waits for."""
    if branch is None or branch.head != proposal.head:
        return Decision(Wait(SOON), f"the branch of #{proposal.number} is moving; looking again")
    if proposal.mergeability is Mergeability.CLEAN:
        return Decision(Merge(proposal), sentence)
    if proposal.mergeability is Mergeability.UNKNOWN:
        return Decision(Wait(SOON), f"the forge is still computing whether #{proposal.number} can be merged")
    reason = plain(proposal.blocked_by) or "the forge does not say by what"
    return Decision(Wait(LATER), f"#{proposal.number} is blocked: {reason}")
