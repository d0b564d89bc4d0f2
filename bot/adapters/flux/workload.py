"""What runs the image, where it is among the documents: it decides, as Flux does not look between two intervals.

fixtures/flux/README.md, section (a), point 7: without it 15, 03e, 16 and 17 are green while nothing serves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.adapters.flux.fields import conditions, number
from bot.adapters.flux.kinds import is_other, place, target
from bot.core.fields import child, maps, moment, text
from bot.core.images import carries, of_same_repository
from bot.core.verdict import Claim

KINDS = ("Deployment", "StatefulSet", "DaemonSet")
_CRASHED = (
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "ErrImagePull",
    "InvalidImageName",
    "CreateContainerConfigError",
)
# Times in conditions are cut to whole seconds.
_CUT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Workload:
    """One object that runs images of the claim's repository. `since` is when it last became good, at the latest.

    `completed` is whether it was rolled out before, so that what is missing now came later; `short_since` is since when
    fewer pods are available than must be, where it says so.
    """

    name: str
    carries: bool
    complete: bool
    empty: bool  # scaled to nothing
    quota: bool  # pods are refused, because a quota is used up
    since: datetime | None
    counted: str
    completed: bool
    serving: bool  # whether any pod at all is available
    short_since: datetime | None
    held: str = ""  # which setting of a person's keeps pods on the release before


@dataclass(frozen=True, slots=True)
class Pods:
    """The pods of the claimed image that are to stay: how many cannot be scheduled, and what is wrong with others.

    `unready_since` is since when the first of those is not ready that are not.
    """

    unschedulable: int = 0
    broken: tuple[str, ...] = ()
    unready_since: datetime | None = None


def workloads(documents: Sequence[Mapping[str, Any]], claim: Claim) -> tuple[Workload, ...]:
    """Those that the claim names; else those that run its image, or all of its repository where none does.

    An apply changes all at once, so one that keeps another tag beside one that has the claimed tag is meant to. What a
    Canary tries out, or a Rollout borrows its template from, serves nobody for long, and is none of them.
    """
    lenders = {target(document) for document in documents if is_other(document)}
    found = []
    for document in documents:
        if document.get("kind") not in KINDS or place(document) in lenders:
            continue
        name = text(child(document, "metadata"), "name")
        if name == claim.deployment if claim.deployment else _runs(document, claim.image):
            found.append(_workload(document, claim.image))
    carrying = tuple(item for item in found if item.carries)
    return tuple(found) if claim.deployment else carrying or tuple(found)


def images(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The images of a pod's, or a workload's, containers and init containers."""
    spec = child(document, "spec")
    spec = child(child(spec, "template"), "spec") or spec
    return tuple(text(item, "image") for key in ("containers", "initContainers") for item in maps(spec, key))


def _runs(document: Mapping[str, Any], image: str) -> bool:
    return any(of_same_repository(one, image) for one in images(document))


def _workload(document: Mapping[str, Any], image: str) -> Workload:
    metadata, spec, status = (child(document, key) for key in ("metadata", "spec", "status"))
    known = conditions(status)
    wanted, counts = _counts(document["kind"], spec, status)
    observed = number(status, "observedGeneration") == number(metadata, "generation")
    updates = [
        moment(item, "lastUpdateTime")
        for item in maps(status, "conditions")
        if item.get("type") == "Progressing"
    ]
    times = [
        moment for moment in (*updates, known["Available"].since if "Available" in known else None) if moment
    ]
    refused, available = known.get("ReplicaFailure"), known.get("Available")
    return Workload(
        name=f"{document['kind']} {text(metadata, 'name')}",
        carries=any(carries(one, image) for one in images(document)),
        complete=observed and set(counts.values()) == {wanted},
        empty=wanted == 0,
        quota=refused is not None and bool(refused) and "exceeded quota" in refused.message,
        since=max(times) + _CUT if times else None,
        counted=", ".join(f"{count} {name}" for name, count in counts.items()) + f" of {wanted} pods",
        completed=observed and _was_rolled_out(status),
        serving=counts["available"] > 0,
        short_since=available.since if available is not None and available.status == "False" else None,
        held=_held(spec),
    )


def _held(spec: Mapping[str, Any]) -> str:
    """A pause, a partition and `OnDelete` are meant, and look to Flux like a rollout that fails or one that is done."""
    strategy = child(spec, "updateStrategy")
    if spec.get("paused") is True:
        return "it is paused"
    if text(strategy, "type") == "OnDelete":
        return "its updateStrategy is OnDelete"
    partition = number(child(strategy, "rollingUpdate"), "partition") or 0
    return f"its partition is {partition}" if partition > 0 else ""


def _was_rolled_out(status: Mapping[str, Any]) -> bool:
    """Whether the newest template was done once: Deployments remember it, other kinds do not."""
    progressing = conditions(status).get("Progressing")
    return progressing is not None and progressing.reason == "NewReplicaSetAvailable"


def _counts(kind: str, spec: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[int, Mapping[str, int]]:
    """How many pods there should be, and the counters that must all say so (compared with ==)."""
    if kind == "DaemonSet":
        wanted = number(status, "desiredNumberScheduled") or 0
        keys = {
            "updated": "updatedNumberScheduled",
            "available": "numberAvailable",
            "present": "currentNumberScheduled",
        }
    else:
        asked = number(spec, "replicas")
        wanted = 1 if asked is None else asked
        keys = {"present": "replicas", "updated": "updatedReplicas", "available": "availableReplicas"}
    return wanted, {name: number(status, key) or 0 for name, key in keys.items()}


def pods(documents: Sequence[Mapping[str, Any]], claim: Claim) -> Pods:
    """What the pods of the claimed image say, as far as they are among the documents. Never raises."""
    unschedulable, broken, unready = 0, [], []
    for document in documents:
        if document.get("kind") != "Pod":
            continue
        if child(document, "metadata").get("deletionTimestamp"):
            continue
        if not any(carries(one, claim.image) for one in images(document)):
            continue
        status = child(document, "status")
        scheduled = conditions(status).get("PodScheduled")
        if scheduled is not None and scheduled.status == "False" and scheduled.reason == "Unschedulable":
            unschedulable += 1
        ready = conditions(status).get("Ready")
        if not ready:
            unready.append(
                (ready.since if ready is not None else None)
                or moment(child(document, "metadata"), "creationTimestamp")
            )
        trouble = _trouble(status)
        if trouble:
            broken.append(f"Pod {text(child(document, 'metadata'), 'name')}: {trouble}")
    return Pods(unschedulable, tuple(broken), min(filter(None, unready), default=None))


def _trouble(status: Mapping[str, Any]) -> str:
    """Flux never says why pods fail: the waiting reason and the last end of a container do (03f, 03g)."""
    for item in [*maps(status, "initContainerStatuses"), *maps(status, "containerStatuses")]:
        waiting, ended = child(child(item, "state"), "waiting"), child(child(item, "lastState"), "terminated")
        ended = ended or child(child(item, "state"), "terminated")
        reason, last, code = text(waiting, "reason"), text(ended, "reason"), number(ended, "exitCode")
        if reason in _CRASHED or (ended and code != 0):
            facts = [fact for fact in (reason, last, f"exit code {code}" if code is not None else "") if fact]
            message = text(waiting, "message") or text(ended, "message")
            return f"container {text(item, 'name')}: {', '.join(facts)}" + (f": {message}" if message else "")
    return ""
