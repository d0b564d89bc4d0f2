"""`explain` in sentences: what one look read, and what would move a target that waits."""

from collections.abc import Iterator

from bot.cli.shell import Plan
from bot.core.actions import Rest, Wait
from bot.core.model import BuildState, Kind, Proposal, Snapshot
from bot.core.report import action_name, columns, state

Rows = list[tuple[str, str]]


def as_sections(item: Plan) -> Iterator[tuple[str, Rows]]:
    """Titles with named lines, in the order of a person's questions."""
    look, decision = item.snapshot, item.decision
    shown = columns(look, decision)
    yield (
        item.target,
        [
            ("wanted", f"{shown.wanted or '–'}   ({look.target.when} of {look.target.model})"),
            ("pinned", f"{shown.pinned or '–'}   ({look.pinned.value})"),
            ("live", shown.live or "–"),
        ],
    )
    yield "Decision", [(action_name(decision.action), decision.because)]
    yield "What would move it", [("", unblocks(item))]
    yield "What was read", list(_read(look))


def unblocks(item: Plan) -> str:
    """The sentence that says who or what moves this target next."""
    look, action = item.snapshot, item.decision.action
    if not isinstance(action, Rest | Wait):
        return "Nothing is in the way: the next pass does it (`gitops-bot sweep` does it now)."
    if look.target.paused:
        return "Set `paused: false` in promotions.yaml, by pull request."
    if look.wanted is None:
        return f"Promote a version of {look.target.model}: the {look.target.when} names none."
    if state(look, item.decision) == "held":
        return f"`gitops-bot release {item.target}`, or promote another version."
    return _waits(look, action)


def _waits(look: Snapshot, action: Rest | Wait) -> str:
    proposal = next(iter(look.open), None)
    if proposal is not None:
        return f"Review and merge {proposal.url}, or close it." + (
            f" The forge says: {proposal.blocked_by}." if proposal.blocked_by else ""
        )
    if isinstance(action, Rest):
        return "Nothing is to be done; promoting another version starts the next deployment."
    if look.image is None and look.build is not None and look.build.state is not BuildState.SUCCEEDED:
        return f"The CI run {look.build.url}."
    if look.verdict is not None:
        return f"The rollout, or the checks after it; {_again(action)}"
    return f"What the decision says; {_again(action)}"


def _again(action: Wait) -> str:
    if action.again is None:
        return "the bot looks again at the next event or sweep."
    return f"the bot looks again in {int(action.again.total_seconds())} s, or at the next event."


def _read(look: Snapshot) -> Iterator[tuple[str, str]]:
    yield "at", f"{look.now:%Y-%m-%d %H:%M:%S} UTC"
    if look.wanted is not None:
        yield (
            "version",
            f"{look.wanted.version} is {look.wanted.status}, run {look.wanted.run_id or 'unknown'}",
        )
    yield (
        "pin",
        f"commit {look.pinned.commit[:12]} of {look.pinned.changed_at:%Y-%m-%d %H:%M} by {look.pinned.author or 'somebody'}",
    )
    for name, proposal in (("brought by", look.brought_by), ("taken back", look.revert), ("last", look.last)):
        if proposal is not None:
            yield name, _proposal(proposal)
    for proposal in look.open:
        yield "open", _proposal(proposal)
    if look.branch is not None:
        yield "branch", f"{look.branch.name}, {len(look.branch.foreign)} commits of people"
    if look.image is not None:
        yield "image", look.image.reference
    if look.build is not None:
        yield "build", f"{look.build.state} {look.build.conclusion} {look.build.url}"
    if look.earlier is not None:
        yield (
            "earlier",
            f"{look.earlier.target} pins {look.earlier.version}, live: {'yes' if look.earlier.live else 'no'}",
        )
    yield (
        "on record",
        f"{look.proof.state}: {look.proof.sentence}" if look.proof.sentence else str(look.proof.state),
    )
    yield from _verdict(look)


def _verdict(look: Snapshot) -> Iterator[tuple[str, str]]:
    if look.verdict is None:
        return
    yield "verdict", f"{look.verdict.outcome}: {look.verdict.because}"
    for evidence in look.verdict.evidence[-10:]:
        yield (
            "",
            f"{evidence.at:%H:%M:%S} {evidence.verifier} {evidence.asked}: {evidence.outcome}, {evidence.answer[:200]}",
        )


def _proposal(proposal: Proposal) -> str:
    takes = "takes back" if proposal.kind is Kind.REVERT else "brings"
    return f"#{proposal.number} {takes} version {proposal.version}, {proposal.state}, {proposal.url}"
