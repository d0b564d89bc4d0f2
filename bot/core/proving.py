"""The second situation of `decide`: what is merged must be proven, or taken back."""

from datetime import timedelta

from bot.core.actions import (
    AskToSync,
    Close,
    Decision,
    MarkFailed,
    MarkLive,
    Merge,
    OpenRevert,
    Terminate,
    Wait,
)
from bot.core.holds import hold, touched, who
from bot.core.markdown import plain, span
from bot.core.model import (
    ArgoCD,
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
from bot.core.names import LABEL_BROKEN, LABEL_PERSON, LABEL_REVERT, UNRELEASED
from bot.core.verdict import Outcome, Verdict

SOON = timedelta(seconds=2)
ROLLOUT = timedelta(seconds=10)
LATER = timedelta(minutes=1)
ASK_AGAIN = timedelta(minutes=5)
NOT_SEEN_YET = timedelta(minutes=2)
BAKE_OFTEN, BAKE_SELDOM = timedelta(seconds=5), timedelta(minutes=1)


def unproven(look: Snapshot) -> Decision | None:
    """What the bot brought must be proven or taken back before anything newer."""
    if look.brought_by is None or look.verdict is None:
        return None
    if look.verdict.outcome in (Outcome.PENDING, Outcome.INCONCLUSIVE) and _overtaken(look):
        return None
    if look.verdict.outcome is Outcome.SUCCEEDED and _baking(look) is not None and _newer(look):
        return None
    return judged(look, look.verdict)


def _overtaken(look: Snapshot) -> bool:
    """A newer version is wanted and the deadline has passed without an answer: the old one must not block it for ever."""
    return _newer(look) and look.now - look.pinned.changed_at > look.target.deadline


def _newer(look: Snapshot) -> bool:
    """Whether another version than the pinned one is wanted and may come."""
    return look.wanted is not None and look.wanted.version != look.pinned_version and hold(look) is None


def judged(look: Snapshot, verdict: Verdict) -> Decision | None:
    """What a verdict about the pinned commit leads to; None when it failed, that is on record, and no revert follows."""
    pinned = look.pinned
    what = f"version {look.pinned_version}" if look.pinned_version else f"{pinned.value}"
    if verdict.outcome is Outcome.SUCCEEDED:
        return _proven(look, verdict, what)
    if verdict.outcome is Outcome.FAILED:
        return _failed(look, verdict, what)
    if verdict.blocked:
        return _blocked(look, verdict, what)
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


def _blocked(look: Snapshot, verdict: Verdict, what: str) -> Decision:
    """Another commit's operation is retried again and again, and this one waits behind it (fixtures/argocd, 04c)."""
    rollout = look.target.rollout
    stuck = f"{what} is merged and cannot be applied: {verdict.because}"
    if not isinstance(rollout, ArgoCD) or not rollout.terminate:
        return Decision(
            Wait(verdict.again or ROLLOUT),
            f"{stuck}; a person ends that operation, or `rollout: {{terminate: true}}` lets the bot do it",
        )
    if look.terminated_at is not None and look.now - look.terminated_at < ASK_AGAIN:
        return Decision(Wait(verdict.again or ROLLOUT), f"{stuck}; it was asked to end that operation")
    return Decision(Terminate(look.pinned.commit), f"{stuck}; ending that operation")


def _baking(look: Snapshot) -> Decision | None:
    """What good must stay good for `bake` before it counts; a verdict that is not good starts it anew."""
    bake, since = look.target.bake, look.good_since
    if not bake or (since is not None and look.now - since >= bake):
        return None
    again = min(max(bake / 20, BAKE_OFTEN), BAKE_SELDOM)
    if since is None:
        return Decision(Wait(again), "")
    left = since + bake - look.now
    return Decision(Wait(min(again, left)), f"until {since + bake:%Y-%m-%d %H:%M:%S} UTC")


def _proven(look: Snapshot, verdict: Verdict, what: str) -> Decision:
    revert, baking = look.revert, _baking(look)
    if baking is not None:
        until = baking.because or f"for {span(look.target.bake)} from now on"
        return Decision(baking.action, f"{what} serves and must stay good {until}: {verdict.because}")
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
    if LABEL_BROKEN in bad.labels:
        return _reported(
            look,
            verdict,
            f"{what} does not serve, and neither did what #{bad.number} replaced: {verdict.because}; the bot does not blame {what}, so a person takes it back or mends it",
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
    storm = look.target.revert is RevertPolicy.AUTO and look.recent_reverts >= look.reverts_per_hour
    opening = OpenRevert(bad, look.pinned, before, verdict, automatic=not storm)
    if revert is None or (revert.state is ProposalState.CLOSED and revert.closed_by_bot):
        person = (
            f"; there were {look.recent_reverts} other reverts within an hour, so a person must merge this one"
            if storm
            else ""
        )
        return Decision(
            opening,
            f"{what} does not serve: {verdict.because}; going back to {before.tag or before.digest}{person}",
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
    if LABEL_PERSON in revert.labels:
        return Decision(
            Wait(),
            f"{what} does not serve: {verdict.because}; there were too many reverts within an hour, so a person must merge #{revert.number}",
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
