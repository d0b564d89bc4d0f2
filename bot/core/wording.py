"""Every text that people read in the forge: titles, bodies, comments, commit messages."""

from collections.abc import Mapping
from datetime import datetime

from bot.core.actions import OpenRevert
from bot.core.markdown import block, code, plain, span, spoken
from bot.core.model import Pinned, PinValue, Proposal
from bot.core.names import (
    TRAILER_IMAGE,
    TRAILER_REPLACES,
    TRAILER_REVERTS,
    TRAILER_TARGET,
    TRAILER_VERSION,
    version_of_tag,
)
from bot.core.reviewing import Why
from bot.core.target import (
    RevertPolicy,
    Target,
)
from bot.core.verdict import Evidence, Verdict

SHOWN_EVIDENCE = 20


def deploy_title(target: Target, version: str) -> str:
    """`Deploy fraud-detector version 7 to production`; the model's name only as far as it is harmless."""
    return f"Deploy {plain(target.model, 60)} version {plain(version, 20)} to {target.environment}"


def revert_title(target: Target, failed: Proposal, to: PinValue) -> str:
    """`Take back fraud-detector version 7 in production: go back to version 6`."""
    version = version_of_tag(to.tag)
    back = f"version {version}" if version else plain(to.tag or str(to), 60)
    return f"Take back {plain(target.model, 60)} version {failed.version} in {target.environment}: go back to {back}"


def commit_message(title: str, trailers: Mapping[str, str]) -> str:
    """A title and the trailers by which the commit explains itself without a database."""
    lines = "\n".join(f"{key}: {value}" for key, value in trailers.items())
    return f"{title}\n\n{lines}\n"


def deploy_trailers(why: Why) -> dict[str, str]:
    """Who, what, and what it replaces."""
    return {
        TRAILER_TARGET: why.target.name,
        TRAILER_VERSION: why.wanted.version,
        TRAILER_IMAGE: why.image.reference,
        TRAILER_REPLACES: _one_line(why.pinned.value),
    }


def revert_trailers(target: Target, failed: Proposal, pinned: Pinned, to: PinValue) -> dict[str, str]:
    """As above, with the number of the proposal that is taken back."""
    return {
        TRAILER_TARGET: target.name,
        TRAILER_VERSION: version_of_tag(to.tag) or "unknown",
        TRAILER_REPLACES: _one_line(pinned.value),
        TRAILER_REVERTS: str(failed.number),
    }


def _one_line(value: PinValue) -> str:
    return plain(str(value), 300)


def revert_body(action: OpenRevert, target: Target, seen: datetime) -> str:
    """What failed, since when (`seen` at first), what it goes back to, and the evidence: for somebody who was just woken."""
    failed, pinned, to, verdict = action.failed, action.pinned, action.to, action.verdict
    version = version_of_tag(to.tag)
    back = f"version {code(version)}" if version else code(str(to))
    policy = {
        RevertPolicy.AUTO: "The bot merges this as soon as it may.",
        RevertPolicy.REVIEW: "A person must merge this.",
        RevertPolicy.OFF: "",
    }[target.revert]
    if action.person:
        policy = f"**A person must merge this:** {action.person}."
    return "\n\n".join([
        f"Version {code(failed.version)} of {code(target.model)} does not serve in {code(target.environment)}."
        f" This goes back to {back}. {policy}",
        f"**What failed:** {code(verdict.because, 500)}",
        f"**Since when:** seen failing at {seen:%Y-%m-%d %H:%M:%S} UTC,"
        f" {span(seen - pinned.changed_at)} after the merge of #{failed.number}.",
        "\n".join([
            "| | now | after the merge |", "|---|---|---|",
            f"| image | {code(str(pinned.value))} | {code(str(to))} |",
        ]),
        f"It came with #{failed.number}, merged as {code(pinned.commit[:12])} on {pinned.changed_at:%Y-%m-%d %H:%M:%S} UTC."
        " Only the pins that still hold what that pull request wrote are changed; later edits by people stay.",
        evidence(verdict.evidence),
        f"After the merge version {code(failed.version)} is held. To try it again: {code(f'gitops-bot release {target.name}')},"
        f" or the comment {code('/gitops-bot release')} here.",
    ]) + "\n"  # fmt: skip


def evidence(items: tuple[Evidence, ...]) -> str:
    """A collapsed list of what was asked and what came back."""
    if not items:
        return "There is no further evidence."
    shown = items[-SHOWN_EVIDENCE:]
    lines = [f"{e.at:%H:%M:%S} {e.verifier}: {e.asked}\n    -> {e.outcome}: {e.answer[:500]}" for e in shown]
    return f"<details><summary>Evidence</summary>\n\n{block(chr(10).join(lines), 8000)}\n\n</details>"


def live_comment(pinned: Pinned, verdict: Verdict) -> str:
    """What the bot says under a merged proposal that serves."""
    what = version_of_tag(pinned.value.tag)
    named = f"Version {code(what)}" if what else code(str(pinned.value))
    return f"{named} is live: {code(verdict.because, 500)}\n\n{evidence(verdict.evidence)}"


def failed_comment(pinned: Pinned, verdict: Verdict, follows: str) -> str:
    """What the bot says under a merged proposal that does not serve; `follows` is what happens next, in our words."""
    what = version_of_tag(pinned.value.tag)
    named = f"Version {code(what)}" if what else code(str(pinned.value))
    return (
        f"{named} does not serve: {code(verdict.because, 500)}\n\n{follows}\n\n{evidence(verdict.evidence)}"
    )


def broken_before_comment(baseline: Verdict) -> str:
    """What the bot says under an open proposal when that which it replaces does not serve either."""
    return (
        f"What this replaces does not serve **now**, before the merge: {code(baseline.because, 500)}\n\n"
        "So a failure after the merge will not be blamed on the new version, and the bot will not take it back."
        f"\n\n{evidence(baseline.evidence)}"
    )


def left_to_a_person(because: str) -> str:
    """Why nothing is taken back by the bot, for its comment on the failure."""
    return f"Nothing is taken back by the bot, a person must look: {code(because, 800)}"


def serves_again_comment() -> str:
    """What takes back the comment above."""
    return "What this replaces serves again: a failure after the merge will be blamed on the new version."


def incident(target: Target, because: str) -> tuple[str, str]:
    """Title and text of what people are told at once, beyond the forge: plain text, for a chat or a pager."""
    return f"{target.name}: a person must look", spoken(because)


def close_comment(why: str) -> str:
    """Why the bot closes a proposal."""
    return f"Closed by the bot: {why}."
