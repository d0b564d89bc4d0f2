"""Pods as the judge reads them (fixtures/kubernetes, rules 10 and 11).

`phase` says only whether a pod has ended, as an evicted one has: it is Running for a crash, a killed process and a failed
probe alike, and Pending for an image that cannot be pulled. In a crash loop `state` is sometimes plainly `running`, and `lastState` sometimes empty.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.adapters.workload.fields import (
    Condition,
    Document,
    belongs_to,
    conditions,
    moment,
    name_of,
    number,
    of_kind,
)
from bot.core.fields import child, maps, text

_OWN_LIMIT = re.compile(
    r"exceeds the limit|exceeds the total limit of containers|exceeded its local ephemeral storage limit"
)
# No more pods of a workload than this are looked at; its counters speak for the others.
MOST_PODS = 500


@dataclass(frozen=True, slots=True)
class Ending:
    """How a container's process ended."""

    reason: str
    exit_code: int
    message: str
    started: datetime | None
    finished: datetime | None


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a pod; `init` ones end by themselves. `ended` is the newest ending that is known."""

    name: str
    image: str
    init: bool
    waiting: str
    message: str
    restarts: int
    running_since: datetime | None
    ended: Ending | None


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod; `ready_since` is when its readiness, or the lack of it, began.

    One that is `leaving`, or has ended, is no longer counted by its controller, whatever else it says of itself.
    `lost` is whether its containers were well and its node has fallen silent, `scheduled` whether a node was to take it.
    `evicted` is what the kubelet says of one that used more than its own limits.
    """

    name: str
    created: datetime | None
    leaving: bool
    ready: bool
    ready_since: datetime | None
    unschedulable: str | None
    containers: tuple[Container, ...]
    lost: bool = False
    scheduled: bool = False
    evicted: str = ""

    @property
    def since(self) -> datetime | None:
        """Since when it is ready or not."""
        return self.ready_since or self.created


def read_pod(document: Document) -> Pod:
    """The document of a pod. Never raises."""
    metadata, found = child(document, "metadata"), conditions(document)
    ready, scheduled = found.get("Ready"), found.get("PodScheduled")
    refused = scheduled is not None and scheduled.status == "False"
    phase = text(child(document, "status"), "phase")
    return Pod(
        name=name_of(document),
        created=moment(metadata, "creationTimestamp"),
        leaving=bool(metadata.get("deletionTimestamp")) or phase in ("Failed", "Succeeded"),
        ready=ready is not None and ready.status == "True",
        ready_since=ready.changed if ready else None,
        unschedulable=(scheduled.message or scheduled.reason) if scheduled and refused else None,
        containers=tuple(_containers(child(document, "status"))),
        lost=_lost(found),
        scheduled=scheduled is not None and scheduled.status == "True",
        evicted=_evicted(child(document, "status")),
    )


def evicted_of(documents: Sequence[Document], owner: Document | None) -> tuple[Pod, ...]:
    """Its pods that have ended by their own limits; those that the node had no room for are not among them."""
    owned = [item for item in of_kind(documents, "Pod") if owner is not None and belongs_to(item, owner)]
    return tuple(pod for pod in map(read_pod, owned) if pod.evicted)


def _lost(found: Mapping[str, Condition]) -> bool:
    """The node's controller then takes Ready away, and nothing else (kubernetes, MarkPodsNotReady)."""
    ready, containers = found.get("Ready"), found.get("ContainersReady")
    if ready is None or containers is None or ready.status != "False" or containers.status != "True":
        return False
    return ready.reason != "ReadinessGatesNotReady"


def _evicted(status: Document) -> str:
    """The words of the kubelet's eviction manager about limits of the pod's own, rather than about the node's lack."""
    message = text(status, "message")
    own = text(status, "reason") == "Evicted" and _OWN_LIMIT.search(message) is not None
    return message if own else ""


def _containers(status: Document) -> Iterator[Container]:
    for list_, init in (("initContainerStatuses", True), ("containerStatuses", False)):
        for item in maps(status, list_):
            waiting = child(item, "state", "waiting")
            yield Container(
                name=text(item, "name"),
                image=text(item, "image"),
                init=init,
                waiting=text(waiting, "reason"),
                message=text(waiting, "message"),
                restarts=number(item, "restartCount"),
                running_since=moment(child(item, "state", "running"), "startedAt"),
                ended=_ending(child(item, "state", "terminated"))
                or _ending(child(item, "lastState", "terminated")),
            )


def _ending(terminated: Document) -> Ending | None:
    if not terminated:
        return None
    return Ending(
        reason=text(terminated, "reason"),
        exit_code=number(terminated, "exitCode"),
        message=text(terminated, "message"),
        started=moment(terminated, "startedAt"),
        finished=moment(terminated, "finishedAt"),
    )
