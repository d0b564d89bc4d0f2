"""The second situation of `decide`: what is merged must be proven, or taken back."""

from datetime import timedelta

from bot.core.actions import (
    Alarm,
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
from bot.core.holds import hold, merged_at, touched, who
from bot.core.markdown import plain, span
from bot.core.model import Branch, Kind, Mergeability, PinValue, ProofState, Proposal, ProposalState, Snapshot
from bot.core.names import LABEL_BROKEN, LABEL_PERSON, LABEL_REVERT, UNRELEASED
from bot.core.target import ArgoCD, RevertPolicy
from bot.core.verdict import Outcome, Verdict

SOON = timedelta(seconds=2)
ROLLOUT = timedelta(seconds=10)
LATER = timedelta(minutes=1)
ASK_AGAIN = timedelta(minutes=5)
# Who waits for a person or a window longer than this many deadlines is told of; a revert is an incident after one.
PATIENT_DEADLINES = 4
# Why a person must merge a revert.
STORM = "there were too many reverts within an hour, over all targets"
UNPROVEN = "what it goes back to was never proven live"

_UNDECIDED = (Outcome.PENDING, Outcome.INCONCLUSIVE, Outcome.SUPERSEDED)
NOT_SEEN_YET = timedelta(minutes=2)
BAKE_OFTEN, BAKE_SELDOM = timedelta(seconds=5), timedelta(minutes=1)


def unproven(look: Snapshot) -> Decision | None:
    """What the bot brought must be proven or taken back before anything newer."""
    if look.brought_by is None or look.verdict is None:
        return None
    if look.pinned.partly and look.verdict.outcome is not Outcome.FAILED:
        return None
    if look.verdict.outcome in _UNDECIDED and _overtaken(look):
        return None
    if look.verdict.outcome is Outcome.SUCCEEDED and _baking(look) is not None and _newer(look):
        return None
    return judged(look, look.verdict)


def _overtaken(look: Snapshot) -> bool:
    """A newer version is wanted and the deadline has passed without an answer: the old one must not block it for ever."""
    return _newer(look) and look.now - merged_at(look) > look.target.deadline


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
    if _overdue(look) and not look.alarmed:
        return Decision(
            Alarm(pinned),
            f"{what} is merged, and long after its deadline it is not decided: {verdict.because}",
        )
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
            Wait(verdict.again or LATER), f"{what} was replaced before it could be judged: {verdict.because}"
        )
    return Decision(
        Wait(verdict.again or LATER),
        f"it cannot be said whether {what} serves, so nothing is taken back: {verdict.because}",
    )


def _overdue(look: Snapshot) -> bool:
    """Whether people must hear that what the bot brought is still not decided; after a revert that is an incident."""
    brought = look.brought_by
    if brought is None:
        return False
    times = 1 if brought.kind is Kind.REVERT else PATIENT_DEADLINES
    return look.now - merged_at(look) > times * look.target.deadline


def _may_ask(look: Snapshot) -> bool:
    asked = look.asked_to_sync_at
    return asked is None or look.now - asked >= ASK_AGAIN


def _blocked(look: Snapshot, verdict: Verdict, what: str) -> Decision:
    """Another commit's operation is retried again and again, and this one waits behind it (fixtures/argocd, 04c)."""
    rollout = look.target.rollout
    stuck = f"{what} is merged and cannot be applied: {verdict.because}"
    revert = look.brought_by is not None and look.brought_by.kind is Kind.REVERT
    if not revert:
        return Decision(
            Wait(verdict.again or ROLLOUT), f"{stuck}; a person ends that operation, or waits for its end"
        )
    if not isinstance(rollout, ArgoCD) or not rollout.terminate:
        return Decision(
            Wait(verdict.again or ROLLOUT),
            f"{stuck}; a person ends that operation, or `rollout: {{terminate: true}}` lets the bot do it",
        )
    if look.terminated_at is not None and look.now - look.terminated_at < ASK_AGAIN:
        return Decision(Wait(verdict.again or ROLLOUT), f"{stuck}; it was asked to end that operation")
    return Decision(Terminate(look.pinned.commit), f"{stuck}; ending that operation")


def _baking(look: Snapshot) -> timedelta | None:
    """How soon to look again at what is good and must stay so; None when it has for `bake`, as far as was seen."""
    left = look.target.bake - look.good_for
    if left <= timedelta(0):
        return None
    return min(max(look.target.bake / 20, BAKE_OFTEN), BAKE_SELDOM, left)


def _proven(look: Snapshot, verdict: Verdict, what: str) -> Decision:
    revert, baking = look.revert, _baking(look)
    if baking is not None:
        sentence = f"{what} serves and must stay good for {span(look.target.bake)}: {verdict.because}"
        return Decision(Wait(baking), sentence)
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


def _opening(look: Snapshot, verdict: Verdict, bad: Proposal, before: PinValue) -> tuple[OpenRevert, str]:
    """The revert to open, and why a person must merge it, if so."""
    storm = look.target.revert is RevertPolicy.AUTO and look.recent_reverts >= look.reverts_per_hour
    marked = look.revert is not None and LABEL_PERSON in look.revert.labels
    person = why = ""
    if not look.before_proven:
        person, why = UNPROVEN, ", which was never proven live, so a person must merge it"
    elif storm:
        person = STORM
        why = f"; there were {look.recent_reverts} other reverts within an hour, so a person must merge this one"
    elif marked:
        person = f"{STORM}, or {UNPROVEN}"
    return OpenRevert(bad, look.pinned, before, verdict, person), why


def _revert(look: Snapshot, verdict: Verdict, bad: Proposal, before: PinValue) -> Decision | None:
    what, revert = f"version {bad.version}", look.revert
    if look.proof.state is ProofState.FAILED and (revert is None or revert.state is not ProposalState.OPEN):
        return None  # on record: it could not be taken back, or a person wanted it to stay
    opening, why = _opening(look, verdict, bad, before)
    if revert is None or (revert.state is ProposalState.CLOSED and revert.closed_by_bot):
        return Decision(
            opening,
            f"{what} does not serve: {verdict.because}; going back to {before.tag or before.digest}{why}",
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
            Wait(LATER),
            f"{what} does not serve; a person pushed to the revert #{revert.number}, so a person merges or closes it",
        )
    unfinished = _unfinished(look, revert, opening, f"{what} does not serve: {verdict.because}")
    if unfinished is not None:
        return Decision(opening, unfinished)
    if look.target.revert is RevertPolicy.REVIEW:
        return Decision(
            Wait(LATER),
            f"{what} does not serve: {verdict.because}; the revert #{revert.number} waits for a reviewer",
        )
    if LABEL_PERSON in revert.labels:
        return Decision(
            Wait(LATER),
            f"{what} does not serve: {verdict.because}; a person must merge the revert #{revert.number}: {STORM}, or {UNPROVEN}",
        )
    return merge(revert, look.revert_branch, f"{what} does not serve: taking it back with #{revert.number}")


def _unfinished(look: Snapshot, revert: Proposal, opening: OpenRevert, failed: str) -> str | None:
    """Why an open revert must be written once more; None when it is as it should be."""
    if LABEL_REVERT not in revert.labels:
        return f"opening the revert #{revert.number} was interrupted: finishing it"
    if revert.mergeability is Mergeability.CONFLICT:
        return f"the revert #{revert.number} conflicts with the base branch: writing it again"
    if opening.person and LABEL_PERSON not in revert.labels:
        return f"{failed}; since #{revert.number} was opened there were {look.recent_reverts} other reverts within an hour, so a person must merge it"
    return None


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
