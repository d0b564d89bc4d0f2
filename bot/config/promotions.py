"""promotions.yaml, at the root of each manifests repo, read into the targets of the core."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from bot.config import document
from bot.config.document import Node
from bot.config.entries import PromotionsFile, TargetEntry, When
from bot.config.faults import Fault, Faults, key_path
from bot.config.pinning import PinEntry
from bot.config.relations import Between, relations
from bot.config.validation import validate
from bot.config.verifying import RolloutEntry, VerifyEntry
from bot.core.target import (
    After,
    AlertsCheck,
    Alias,
    ArgoCD,
    Catalogue,
    Check,
    ContainerPin,
    FilePin,
    Flux,
    HttpCheck,
    KustomizePin,
    MarkerPin,
    MergePolicy,
    Pin,
    PredictionCheck,
    PrometheusCheck,
    RevertPolicy,
    Rollout,
    Selector,
    Stage,
    Tag,
    Target,
    Through,
    Workflow,
    Workload,
    WorkloadKind,
)

FILE = "promotions.yaml"


def parse_promotions(data: bytes, file: str = FILE) -> tuple[Target, ...]:
    """The targets of the file, in its order. Raises `Faults` with every fault; any bytes give the one or the other."""
    root = document.read(data, file)
    _take_defaults(root)
    entries = validate(PromotionsFile, root, file).targets
    targets = tuple(_target(entry) for entry in entries)
    faults = [_between(fault, root, file) for fault in relations(targets)]
    if faults:
        raise Faults(faults)
    return targets


def load_promotions(path: Path) -> tuple[Target, ...]:
    """The targets of a file on disk. Raises `Faults`."""
    return parse_promotions(
        document.read_file(path, "Name the file that is at the root of your repo."), str(path)
    )


def last_good(history: Callable[[], Iterable[tuple[str, bytes]]], file: str = FILE) -> Catalogue:
    """The newest version of the file that can be read, of (commit, bytes) pairs, newest first.

    What is wrong with the newest one, if anything, is the catalogue's problem. Nothing older than the first good one
    is read.
    """
    problem: str | None = None
    for commit, data in history():
        try:
            targets = parse_promotions(data, file)
        except Faults as faults:
            problem = problem or str(faults)
            continue
        return Catalogue({target.name: target for target in targets}, commit, problem)
    return Catalogue({}, None, problem or f"{file}: there is no such file at the root of the repo. Add one.")


def _take_defaults(root: Node) -> None:
    """Put the defaults into every target that leaves them out; each keeps the place where it is written."""
    defaults, targets = root.value.get("defaults"), root.value.get("targets")
    if (
        defaults is None
        or targets is None
        or not isinstance(defaults.value, dict)
        or not isinstance(targets.value, list)
    ):
        return
    for target in targets.value:
        if isinstance(target.value, dict):
            for key in defaults.value.keys() - target.value.keys() - {"name", "pins", "after"}:
                target.value[key], target.keys[key] = defaults.value[key], defaults.keys[key]


def _between(fault: Between, root: Node, file: str) -> Fault:
    return Fault(file, *root.place(fault.steps), key_path(fault.steps), fault.what, fault.how)


def _target(entry: TargetEntry) -> Target:
    build, rollout, after = entry.build, entry.rollout, entry.after
    target = Target(
        name=entry.name,
        model=entry.model,
        when=_selector(entry.when),
        image=entry.image,
        pins=tuple(_pin(pin) for pin in entry.pins),
        build=Workflow(build.github, build.workflow, build.ref) if build else None,
        rollout=_rollout(rollout) if rollout else None,
        verify=tuple(_check(check) for check in entry.verify or ()),
        after=After(after.target, after.soak) if after else None,
        reviewers=entry.reviewers or (),
        move_alias_back=bool(entry.move_alias_back),
        paused=bool(entry.paused),
    )
    given: dict[str, Any] = {
        "merge": entry.merge and MergePolicy(entry.merge),
        "revert": entry.revert and RevertPolicy(entry.revert),
        "settle": entry.settle,
        "deadline": entry.deadline,
        "bake": entry.bake,
    }
    # What is left out has its default in the core, and nowhere else.
    return replace(target, **{key: value for key, value in given.items() if value is not None})


def _selector(when: When) -> Selector:
    if when.alias is not None:
        return Alias(when.alias)
    if when.tag is not None:
        return Tag(*when.tag.split("=", 1))
    return Stage(str(when.stage))


def _pin(pin: PinEntry) -> Pin:
    if pin.kustomize is not None:
        return KustomizePin(pin.kustomize, pin.name, pin.add)
    if pin.container is not None:
        return ContainerPin(pin.container, pin.name)
    if pin.markers is not None:
        return MarkerPin(pin.markers, pin.policy)
    return FilePin(str(pin.file), pin.path, pin.document, pin.text, pin.every)


def _rollout(entry: RolloutEntry) -> Rollout:
    through = Through(entry.through) if entry.through is not None else None
    if entry.argocd is not None:
        return ArgoCD(
            entry.argocd, entry.project, entry.namespace, through or Through.API, terminate=entry.terminate
        )
    return Flux(
        str(entry.flux),
        entry.namespace or "flux-system",
        entry.helm_release,
        entry.helm_namespace,
        through or Through.KUBERNETES,
    )


def _check(check: VerifyEntry) -> Check:
    def given(*keys: str) -> dict[str, Any]:
        # What is left out has its default in the core, and nowhere else.
        return {key: value for key in keys if (value := getattr(check, key)) is not None}

    if check.http is not None:
        return HttpCheck(check.http, **given("status", "attempts", "timeout", "interval"), json=check.json_)
    if check.prediction is not None:
        latency = timedelta(milliseconds=check.latency_ms) if check.latency_ms is not None else None
        return PredictionCheck(
            check.prediction, **given("attempts", "timeout", "interval", "tolerance"), latency=latency
        )
    if check.prometheus is not None:
        bounds = given("below", "above", "window", "points", "failures", "samples", "at_least")
        if "points" in bounds and "failures" not in bounds:
            bounds["failures"] = bounds["points"] // 2 + 1
        return PrometheusCheck(check.prometheus, **bounds)
    if check.alerts is not None:
        return AlertsCheck(check.alerts)
    kind, _, name = str(check.workload).partition("/")
    return Workload(WorkloadKind(kind), name, str(check.namespace))
