"""What in the settings of Flux's objects keeps verdicts from being right or quick: only what can be seen in them."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from bot.adapters.flux.gathering import Applied, applied, other
from bot.adapters.flux.kinds import better_check
from bot.adapters.flux.wording import excerpt
from bot.core.fields import child, maps, text

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)")
_SHORTEST = timedelta(seconds=30)
_LONG_CHECK = timedelta(minutes=5)
_LONG_POLL = timedelta(minutes=1)
_MOST_TOLD = 4


def advice(
    app: Mapping[str, Any],
    source: Mapping[str, Any] | None,
    release: Mapping[str, Any] | None,
    *,
    asked_at_once: bool,
) -> tuple[str, ...]:
    """One sentence for each finding, the gravest first. `asked_at_once`: whether a Receiver is configured. Never raises."""
    spec, name = child(app, "spec"), excerpt(text(child(app, "metadata"), "name"), 80)
    found = [
        *_stopped(app, source, release),
        *_health(spec, name, app, release),
        *_others(spec, app, release),
        *_time_out(spec, name),
        *_poll(source, asked_at_once),
        *_helm(release),
        *_beside_git(spec, name),
    ]
    return tuple(found)


def duration(written: str) -> timedelta | None:
    """`1h2m3.5s` as Go writes it; None for anything else."""
    parts = _DURATION.findall(written)
    if not parts or "".join(amount + unit for amount, unit in parts) != written:
        return None
    try:
        return timedelta(seconds=sum(float(amount) * _UNITS[unit] for amount, unit in parts))
    except OverflowError:
        return None


def _stopped(*documents: Mapping[str, Any] | None) -> list[str]:
    """07: the status stays green."""
    found = []
    for document in documents:
        if document is not None and child(document, "spec").get("suspend") is True:
            name = excerpt(text(child(document, "metadata"), "name"), 80)
            kind = text(document, "kind")
            found.append(f"{kind} {name} is suspended, so no commit gets through: flux resume it")
    if documents[1] is None:
        found.append("the source of the Kustomization is not there, so no commit gets through")
    return found


def _health(
    spec: Mapping[str, Any], name: str, app: Mapping[str, Any], release: Mapping[str, Any] | None
) -> list[str]:
    """03b, 16: without wait Ready=True says only that the manifests were applied."""
    if spec.get("wait") is True:
        return []
    checks = maps(spec, "healthChecks")
    if not checks:
        return [
            f"Kustomization {name} has no `wait: true` and no health checks: it is Ready as soon as it has applied, and"
            " reports no failing pods; set `wait: true`"
        ]
    checked = {(text(item, "kind"), text(item, "name")) for item in checks}
    if release is not None:
        released = ("HelmRelease", text(child(release, "metadata"), "name"))
        missed = [] if released in checked else [" ".join(released)]
    else:
        missed = [
            f"{item.kind} {item.name}"
            for item in (*applied([app]), *_serving([app]))
            if (item.kind, item.name) not in checked
        ]
    if not missed:
        return []
    names = excerpt(", ".join(missed[:4]))
    return [f"the health checks of Kustomization {name} leave out {names}: name them, or set `wait: true`"]


def _others(spec: Mapping[str, Any], app: Mapping[str, Any], release: Mapping[str, Any] | None) -> list[str]:
    """facts/products.md, section 4: kstatus reads a Rollout and an InferenceService wrongly, or not at all."""
    documents = [item for item in (app, release) if item is not None]
    holder = child(release, "spec") if release is not None else spec
    told = {text(item, "kind") for holds in (spec, holder) for item in maps(holds, "healthCheckExprs")}
    found = []
    for item in _serving(documents)[:_MOST_TOLD]:
        what = f"{item.kind} {excerpt(item.name, 80)}"
        check = excerpt(better_check(item.kind, item.name), 120)
        found.append(
            f"{what} is judged only by Flux's health checks, and by what it says of itself: a check by {check} proves more"
        )
        if item.kind in ("Rollout", "InferenceService") and item.kind not in told:
            found.append(
                f"Flux's built-in health check cannot judge {what}, and may hang or lie: write `healthCheckExprs` for"
                f" {item.kind}"
            )
    return found


def _serving(documents: Sequence[Mapping[str, Any]]) -> tuple[Applied, ...]:
    """What may run the image instead of a Deployment: jobs only where nothing else can; a Canary's primary can be read."""
    listed = [item for item in other(documents) if item.kind != "Canary"]
    lasting = tuple(item for item in listed if item.group != "batch")
    return lasting or (() if applied(documents) else tuple(listed))


def _time_out(spec: Mapping[str, Any], name: str) -> list[str]:
    """03d, 06b: below 30 s it is raised. 13: a running check holds up the next commit, a revert too."""
    interval, written = duration(text(spec, "interval")), duration(text(spec, "timeout"))
    if written is not None and written < _SHORTEST:
        return [
            f"`timeout: {spec['timeout']}` of Kustomization {name} is raised to 30s by Flux: write what is in force"
        ]
    check = written or (interval - _SHORTEST if interval else None)
    if check is None or check <= _LONG_CHECK:
        return []
    given = f"`timeout: {spec['timeout']}`" if written else f"no `timeout`, so {interval} less 30 s"
    return [
        f"Kustomization {name} has {given}: a failing health check holds up the next commit, also a revert, for up to"
        f" {check}, unless kustomize-controller cancels checks for new revisions, which cannot be seen from here; set a"
        " shorter `timeout`"
    ]


def _poll(source: Mapping[str, Any] | None, asked_at_once: bool) -> list[str]:
    """(c): a poll takes up to its interval, a Receiver half a second; a patch is the larger right ((d))."""
    if source is None or asked_at_once:
        return []
    interval, name = (
        duration(text(child(source, "spec"), "interval")),
        text(child(source, "metadata"), "name"),
    )
    if interval is None or interval <= _LONG_POLL:
        return []
    return [
        f"{text(source, 'kind')} {excerpt(name, 80)} is fetched every {interval}, and the bot knows no Receiver: it must"
        " annotate the source, which needs the right to patch it; a Receiver of `type: generic` is the smaller right"
    ]


def _helm(release: Mapping[str, Any] | None) -> list[str]:
    """10c, 11c."""
    if release is None:
        return []
    spec, name = child(release, "spec"), excerpt(text(child(release, "metadata"), "name"), 80)
    upgrade, chart = child(spec, "upgrade"), child(child(spec, "chart"), "spec")
    found = []
    if upgrade.get("disableWait") is True or child(spec, "install").get("disableWait") is True:
        found.append(
            f"HelmRelease {name} does not wait for its pods (`disableWait`): it is Ready before they are"
        )
    if child(upgrade, "strategy").get("name") == "RetryOnFailure":
        found.append(
            f"HelmRelease {name} retries for ever (`RetryOnFailure`): a bad release fails only at the target's deadline"
        )
    local = child(chart, "sourceRef").get("kind") == "GitRepository"
    if local and chart.get("reconcileStrategy") != "Revision":
        found.append(
            f"HelmRelease {name} takes a chart from git by its version: a tag in the chart's own values is not rolled out"
            " until Chart.yaml's version is raised; keep the tag in `spec.values`, or set `reconcileStrategy: Revision`"
        )
    return found


def _beside_git(spec: Mapping[str, Any], name: str) -> list[str]:
    """18, 08."""
    found = []
    if child(spec, "postBuild"):
        found.append(
            f"Kustomization {name} substitutes variables (`postBuild`): they can change the image without a commit"
        )
    if maps(spec, "dependsOn"):
        found.append(
            f"Kustomization {name} depends on others: while one is not ready, no commit gets through"
        )
    return found
