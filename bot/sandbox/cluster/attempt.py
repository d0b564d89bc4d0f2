"""A sync operation that may have to be tried several times (fixtures/argocd, section (e))."""

import time
from dataclasses import dataclass, field

from bot.sandbox.cluster.manifest import Document
from bot.sandbox.cluster.workload import Spec


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a failed automated sync is tried again, and the seconds before the first of these; doubled each time."""

    limit: int = 5
    first: float = 10.0


@dataclass(slots=True)
class Attempt:
    """What one operation applies. `tries` counts those after the first, `due` is when the next one is."""

    head: str
    wanted: list[Document]
    spec: Spec | None
    started: str
    retry: Retry
    tries: int = 0
    due: float = field(default_factory=time.monotonic)

    def wait(self) -> None:
        """Book the next try."""
        self.due = time.monotonic() + self.retry.first * 2**self.tries
        self.tries += 1
