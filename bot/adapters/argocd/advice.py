"""What in an Application's settings keeps verdicts from being right or quick: only what one read of it shows."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.adapters.argocd.blame import suspects
from bot.adapters.argocd.reading import is_automated
from bot.core.fields import child, maps, text, texts
from bot.core.target import ArgoCD, Through
from bot.core.telling import excerpt

_IMAGE = "/spec/template/spec/containers/0/image"
_FIXED = re.compile(r"[0-9a-f]{40}|v?\d+\.\d+.*")


def advice(document: Mapping[str, Any], rollout: ArgoCD, base_branch: str | None) -> tuple[str, ...]:
    """One sentence with its cure for each finding, the gravest first. `base_branch` None is not known. Never raises.

    The reasons were measured: fixtures/argocd/README.md, by the numbers in the sentences' functions.
    """
    spec, name = child(document, "spec"), excerpt(rollout.application, 80)
    policy = child(spec, "syncPolicy")
    found = [
        *_manual(policy, spec, name),
        *_branch(spec, base_branch, name),
        *_ignored(spec, policy, name),
        *_overridden(spec, name),
        *_hydrated(spec, name),
        *_others(document),
        *_untold(document, rollout, name),
        *_retries(policy, rollout, name),
        *(_drift(child(policy, "automated"), name) if is_automated(spec) else ()),
    ]
    return tuple(found)


_ASKED_BETTER = {"InferenceService": "inferenceservice", "Rollout": "rollout", "Canary": "canary"}


def _others(document: Mapping[str, Any]) -> Iterator[str]:
    """Argo CD's health of these ignores generations or says nothing of the new version (facts/products.md, section 4)."""
    for resource in maps(child(document, "status"), "resources"):
        kind = _ASKED_BETTER.get(text(resource, "kind") or "")
        if kind is not None:
            which = f"{kind}/{excerpt(text(resource, 'name') or '', 80)}"
            yield (
                f"Argo CD calls {which} Healthy while it still serves the version before: add"
                f" `{{workload: {which}, namespace: …}}` to `verify:`"
            )


def _untold(document: Mapping[str, Any], rollout: ArgoCD, name: str) -> Iterator[str]:
    """24, and `resourceHealthSource: appTree`: a job that fails makes the whole Application Degraded."""
    found = suspects(document) if rollout.through is Through.KUBERNETES else ""
    if found:
        yield (
            f"through the Kubernetes API {name} does not tell what of it is Degraded, and that may be {excerpt(found)}: no release"
            " is taken back for it; set `through: api`, or add a `workload:` check to `verify:`"
        )


def of_windows(told: Mapping[str, Any]) -> tuple[str, ...]:
    """What `/syncwindows` tells, which no field of an Application does (08). Never raises."""
    assigned, active = maps(told, "assignedWindows"), maps(told, "activeWindows")
    if not assigned and not active:
        return ()
    denied = [window for window in active if text(window, "kind") == "deny"]
    allowing = [window for window in assigned if text(window, "kind") == "allow"]
    closed = bool(allowing) and not any(text(window, "kind") == "allow" for window in active)
    now = "denies syncs now" if denied or closed else "lets syncs through now"
    kinds = ", ".join(dict.fromkeys(_window(window) for window in (denied or assigned or active)[:3]))
    return (
        f"a sync window of the project {now} ({kinds}): what is merged while it is closed is applied by the first look after"
        " it, and stays pending until then; widen the window, or merge only while it is open",
    )


def _window(window: Mapping[str, Any]) -> str:
    what = f"{text(window, 'kind')} {text(window, 'schedule')} for {text(window, 'duration')}"
    return excerpt(what, 80)


def _manual(policy: Mapping[str, Any], spec: Mapping[str, Any], name: str) -> Iterator[str]:
    """07, 06c."""
    if not is_automated(spec):
        off = "switched off" if child(policy, "automated") else "not set"
        yield (
            f"the automated sync of {name} is {off}: a merge is applied only when a person syncs, and neither proven nor"
            " taken back before; set `spec.syncPolicy.automated: {enabled: true}`"
        )


def _branch(spec: Mapping[str, Any], base_branch: str | None, name: str) -> Iterator[str]:
    """A source that follows another revision than the one that the bot merges into never takes a merge in."""
    followed = [
        text(source, "targetRevision") or "HEAD" for source in _sources(spec) if not text(source, "chart")
    ]
    if not followed:
        return
    shown = excerpt(", ".join(dict.fromkeys(followed)), 120)
    if all(_FIXED.fullmatch(revision) for revision in followed):
        yield (
            f"{name} follows the fixed revision {shown}, so that a merge never reaches it: set `targetRevision` to the"
            " branch that proposals are merged into"
        )
    elif base_branch is not None and not {base_branch, f"refs/heads/{base_branch}", "HEAD"} & set(followed):
        yield (
            f"{name} follows {shown}, and proposals are merged into {excerpt(base_branch, 80)}: set `targetRevision` to"
            " that branch, or `base_branch` to the one that is followed"
        )


def _ignored(spec: Mapping[str, Any], policy: Mapping[str, Any], name: str) -> Iterator[str]:
    """28: Synced and Healthy for ever, with the old image."""
    respected = "RespectIgnoreDifferences=true" in texts(policy.get("syncOptions"))
    for entry in maps(spec, "ignoreDifferences"):
        pointers = [p for p in texts(entry.get("jsonPointers")) if _covers_image(p)]
        found = pointers + [
            e for e in texts(entry.get("jqPathExpressions")) if "image" in e or "containers" in e
        ]
        if found:
            effect = "is never applied" if respected else "is not noticed as a difference"
            yield (
                f"`ignoreDifferences` of {name} covers the image ({excerpt(found[0], 120)}), so that a new one {effect}:"
                " take that entry away"
            )
            return


def _covers_image(pointer: str) -> bool:
    return pointer.endswith("/image") or _IMAGE.startswith(f"{pointer.rstrip('/')}/")


def _overridden(spec: Mapping[str, Any], name: str) -> Iterator[str]:
    """27: what the Application itself says about images wins over the repo."""
    for source in _sources(spec):
        images = texts(child(source, "kustomize").get("images"))
        parameters = [text(item, "name") for item in maps(child(source, "helm"), "parameters")]
        said = [*images, *(key for key in parameters if "image" in key.lower())]
        if said:
            where = "kustomize.images" if images else "helm.parameters"
            yield (
                f"{name} sets an image itself (`{where}`: {excerpt(said[0], 120)}), which wins over the manifests repo:"
                " unless the target's pin is that very place, take it away"
            )
            return


def _hydrated(spec: Mapping[str, Any], name: str) -> Iterator[str]:
    """facts/products.md, 1.2: with the source hydrator, revisions are those of the hydrated branch."""
    if child(spec, "sourceHydrator"):
        yield (
            f"{name} uses the source hydrator, so that it names commits of another branch than the one that is merged into, and"
            " tells which merge they come from only of the newest: verify the workload, too"
        )


def _retries(policy: Mapping[str, Any], rollout: ArgoCD, name: str) -> Iterator[str]:
    """Section (e): without `retry` five tries of 10 to 160 s; a fix waits for their end (04c, 04e), unless 04d."""
    retry = child(policy, "retry")
    limit = retry.get("limit", 0 if retry else 5)
    if retry.get("refresh") is True or not isinstance(limit, int) or limit == 0:
        return
    tries = "for ever" if limit < 0 else f"up to {limit} times"
    instead = "" if rollout.terminate else ", or let the bot end it with `terminate: true` in `rollout:`"
    yield (
        f"a commit that the cluster rejects is tried {tries} by {name}, and its revert waits meanwhile: set"
        f" `spec.syncPolicy.retry.refresh: true`{instead}"
    )


def _drift(automated: Mapping[str, Any], name: str) -> Iterator[str]:
    """15b; and what git no longer has keeps an Application OutOfSync (facts/products.md, 1.3)."""
    missing = [key for key in ("selfHeal", "prune") if automated.get(key) is not True]
    if missing:
        keys = " and ".join(f"`{key}`" for key in missing)
        yield (
            f"{name} does without {keys}: what is changed by hand or removed from git keeps it OutOfSync, and then nothing"
            f" can be proven; set `spec.syncPolicy.automated: {{{', '.join(f'{key}: true' for key in missing)}}}`"
        )


def _sources(spec: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return maps(spec, "sources") or [child(spec, "source")]
