"""Every text that people read in the forge: titles, bodies, comments, commit messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite

from bot.core.actions import OpenRevert
from bot.core.contract import Change, compare
from bot.core.markdown import block, code, link, plain, span, spoken
from bot.core.model import Image, ModelVersion, Pinned, PinValue, Proposal
from bot.core.names import (
    TRAILER_IMAGE,
    TRAILER_REPLACES,
    TRAILER_REVERTS,
    TRAILER_TARGET,
    TRAILER_VERSION,
    version_of_tag,
)
from bot.core.target import (
    AlertsCheck,
    ArgoCD,
    Check,
    HttpCheck,
    PredictionCheck,
    PrometheusCheck,
    RevertPolicy,
    Rollout,
    Target,
)
from bot.core.verdict import Evidence, Verdict

SHOWN_METRICS = 20
SHOWN_EVIDENCE = 20


@dataclass(frozen=True, slots=True)
class Why:
    """What the texts of one deploy need beside the version itself."""

    target: Target
    wanted: ModelVersion
    image: Image
    pinned: Pinned
    live: ModelVersion | None = None
    build_url: str | None = None
    page: str | None = None


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


def deploy_body(why: Why) -> str:
    """What a reviewer wants to know, in the order of the questions; facts that are missing are said to be missing."""
    sections = [
        ("What changes", _what_changes(why)),
        ("Why now", _why_now(why)),
        ("How good is it", _how_good(why)),
        ("What callers will notice", _callers(why)),
        ("Where it comes from", _origin(why)),
        ("What happens after the merge", _after_the_merge(why.target)),
    ]
    text = "\n\n".join(f"### {title}\n\n{body}" for title, body in sections)
    return text + (f"\n\n{link('Status of this target', why.page)}" if why.page else "") + "\n"


def _what_changes(why: Why) -> str:
    old = why.pinned.value
    version = version_of_tag(old.tag)
    return "\n".join([
        "| | now | after the merge |",
        "|---|---|---|",
        f"| version | {code(version) if version else code(old.tag or 'none')} | {code(why.wanted.version)} |",
        f"| image | {code(str(old))} | {code(why.image.reference)} |",
    ])  # fmt: skip


def _why_now(why: Why) -> str:
    who = (
        f"The run was made by {code(why.wanted.user)}."
        if why.wanted.user
        else "The run does not say who made it."
    )
    made = (
        f" The version was registered {why.wanted.created_at:%Y-%m-%d %H:%M} UTC."
        if why.wanted.created_at
        else ""
    )
    said = (
        f"\n\nIts description:\n\n{block(why.wanted.description, 1000)}"
        if why.wanted.description.strip()
        else ""
    )
    return (
        f"{code(str(why.target.when))} of {code(why.target.model)} names version {code(why.wanted.version)}."
        f" MLflow records neither who set it nor when. {who}{made}{said}"
    )


def _how_good(why: Why) -> str:
    new, old = why.wanted.metrics, why.live.metrics if why.live is not None else {}
    if not new:
        return "The run logged no metrics."
    then = f"version {why.live.version}" if why.live is not None else "before"
    rows = [
        f"| metric | {then} | version {plain(why.wanted.version, 20)} | difference |",
        "|---|--:|--:|--:|",
    ]
    rows += [_metric(name, old.get(name), new[name]) for name in sorted(new)[:SHOWN_METRICS]]
    more = len(new) - SHOWN_METRICS
    notes = [f"{more} more metrics are in the run."] if more > 0 else []
    gone = sorted(set(old) - set(new))
    if gone:
        notes.append("No longer logged: " + ", ".join(code(name) for name in gone[:SHOWN_METRICS]) + ".")
    if why.live is None:
        notes.append("There is no earlier version to compare with.")
    return "\n".join(rows) + "".join(f"\n\n{note}" for note in notes)


def _metric(name: str, old: float | None, new: float) -> str:
    difference = f"{new - old:+.4g}" if old is not None and isfinite(old) and isfinite(new) else "–"
    before = f"{old:.6g}" if old is not None else "not logged"
    return f"| {code(name, 80)} | {before} | {new:.6g} | {difference} |"


_CHANGE = {
    Change.SAME: "Nothing: inputs and outputs are the **same**.",
    Change.WIDENED: "The signature is **widened**: what worked goes on working.",
    Change.BREAKING: "The signature is **breaking**: some callers must change.",
}


def _callers(why: Why) -> str:
    if why.wanted.signature is None or why.wanted.signature.inputs is None:
        return "Unknown: this version logged **no signature**."
    if why.live is None:
        return "There is no earlier version to compare the signature with."
    verdict, changes = compare(why.live.signature, why.wanted.signature)
    if verdict is Change.UNKNOWN:
        return f"Unknown: version {code(why.live.version)} logged **no signature** to compare with."
    rows = [
        f"- {change.side} {code(change.name)} {plain(change.said)} ({change.change})"
        for change in changes[:50]
    ]
    return "\n".join([_CHANGE[verdict], *([""] if rows else []), *rows])


def _origin(why: Why) -> str:
    wanted = why.wanted
    run = link(f"run {code(wanted.run_id)}", wanted.run_url) if wanted.run_id else "no run is recorded"
    commit = code(wanted.source_commit) if wanted.source_commit else "not recorded in the run"
    build = link("CI run and its log", why.build_url) if why.build_url else "the image was there already"
    return "\n".join([
        f"- Model: {link('version page', wanted.url)}, {run}",
        f"- Source commit: {commit}",
        f"- Build: {build}",
        f"- Image digest: {code(why.image.digest)}",
    ])  # fmt: skip


def _after_the_merge(target: Target) -> str:
    checks = [_rollout(target.rollout)] if target.rollout is not None else []
    checks += [_check(check) for check in target.verify]
    listed = (
        "\n".join(f"- {check}" for check in checks)
        or "- nothing is configured to verify: merged counts as live"
    )
    fails = {
        RevertPolicy.AUTO: "the bot opens a pull request that takes it back, and merges that one as soon as it may",
        RevertPolicy.REVIEW: "the bot opens a pull request that takes it back, for a reviewer to merge",
        RevertPolicy.OFF: "the bot only reports it",
    }[target.revert]
    baked = f"\n\nAll of it must stay good for {span(target.bake)}." if target.bake else ""
    return f"The bot verifies, for at most {span(target.deadline)}:\n\n{listed}{baked}\n\nIf that fails, {fails}."


def _rollout(rollout: Rollout) -> str:
    if isinstance(rollout, ArgoCD):
        return f"Argo CD application {code(rollout.application)} is synced at the merge, healthy, and runs this image"
    release = f" and its HelmRelease {code(rollout.helm_release)}" if rollout.helm_release else ""
    return f"Flux Kustomization {code(rollout.kustomization)}{release} has applied the merge and is healthy with this image"


def _check(check: Check) -> str:
    match check:
        case HttpCheck():
            answered = " with the expected JSON" if check.json is not None else ""
            return f"{code(check.url)} answers {check.status}{answered}"
        case PredictionCheck():
            quick = f", within {span(check.latency)}" if check.latency is not None else ""
            same = ", and answers as it did when its image was built" if check.tolerance is not None else ""
            return f"{code(check.url)} answers the model's own input example{quick}, and says that it is this version{same}"
        case PrometheusCheck():
            bound = f"below {check.below:g}" if check.below is not None else f"above {check.above:g}"
            return f"{code(check.query)} stays {bound} for {span(check.window)} after the rollout"
        case AlertsCheck():
            labels = ", ".join(f"{key}={value}" for key, value in sorted(check.labels.items()))
            return f"no alert with {code(labels)} begins to fire"
        case _:
            workload = code(f"{check.namespace}/{check.name}")
            return f"{check.kind} {workload} runs this image completely, and its pods stay up"


def revert_body(action: OpenRevert, target: Target, now: datetime) -> str:
    """What failed, since when, what it goes back to, and the evidence: for somebody who was just woken."""
    failed, pinned, to, verdict = action.failed, action.pinned, action.to, action.verdict
    version = version_of_tag(to.tag)
    back = f"version {code(version)}" if version else code(str(to))
    policy = {
        RevertPolicy.AUTO: "The bot merges this as soon as it may.",
        RevertPolicy.REVIEW: "A person must merge this.",
        RevertPolicy.OFF: "",
    }[target.revert]
    if not action.automatic:
        policy = "**A person must merge this:** there were too many reverts within an hour, over all targets."
    return "\n\n".join([
        f"Version {code(failed.version)} of {code(target.model)} does not serve in {code(target.environment)}."
        f" This goes back to {back}. {policy}",
        f"**What failed:** {code(verdict.because, 500)}",
        f"**Since when:** seen failing at {now:%Y-%m-%d %H:%M:%S} UTC,"
        f" {span(now - pinned.changed_at)} after the merge of #{failed.number}.",
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
