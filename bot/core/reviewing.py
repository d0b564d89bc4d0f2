"""What a reviewer of a proposal wants to know: the body of a pull request that deploys a version."""

from dataclasses import dataclass
from math import isfinite

from bot.core.contract import Change, compare
from bot.core.markdown import block, code, link, plain, span
from bot.core.model import Image, ModelVersion, Pinned
from bot.core.names import version_of_tag
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

SHOWN_METRICS = 20


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
