"""A workload of any kind as the judge sees it. Each kind's module reads its documents into this."""

from dataclasses import dataclass
from datetime import datetime

from bot.adapters.workload.pods import Pod


@dataclass(frozen=True, slots=True)
class Revision:
    """A version of the pod template that the cluster keeps: a ReplicaSet, or a ControllerRevision with its number."""

    name: str
    created: datetime | None
    images: tuple[str, ...]
    number: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """What one look tells about a workload.

    `images` are those that its template asks for, `current` the revision of that template, `pods` the pods of that
    revision that are not leaving. `done` is whether the kind's own rule says that all of it is rolled out and
    available, `done_since` when that was written at the earliest. `completed` is whether the current revision was
    rolled out before, so that what is missing now came later. `failed`, `held` and `blocked` are sentences: its
    controller gave the release up (at `failed_at`), a person's setting stops it, something beside the release stops it.
    `refused` is a sentence, too: what creates its pods is told that they are not allowed, which only the deadline ends.
    `evicted` are pods of the current revision that have gone because they used more than they may.
    With `patient` the deadline condemns only where a new pod is not ready. An `elastic` one may have no pods at all
    while it is well.
    """

    what: str
    images: tuple[str, ...]
    counted: str
    deleting: bool = False
    observed: bool = True
    wanted: int = 1
    done: bool = False
    done_since: datetime | None = None
    completed: bool = False
    current: Revision | None = None
    revisions: tuple[Revision, ...] = ()
    pods: tuple[Pod, ...] = ()
    failed: str | None = None
    failed_at: datetime | None = None
    held: str | None = None
    blocked: str | None = None
    refused: str | None = None
    evicted: tuple[Pod, ...] = ()
    hint: str | None = None
    patient: bool = False
    elastic: bool = False
