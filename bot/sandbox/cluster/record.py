"""An Application's document through all its versions, and the requests for a look that wait for an answer."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from bot.sandbox.cluster.documents import REFRESH
from bot.sandbox.cluster.flux.documents import annotate
from bot.sandbox.cluster.manifest import Document, copied

STEP = 0.05  # seconds between two states of one sync; the real ones are 10 to 700 ms apart
STATES = 200


class Record:
    """Safe for threads. `states` are the last ones, oldest first: sync, revision, health, phase.

    `asked` is the number of the newest request for a look, `answered` that of the newest one with an answer.
    """

    def __init__(self, document: Document) -> None:
        """The first version."""
        self._document = document
        self._lock = threading.Lock()
        self.states: deque[tuple[str, str, str, str]] = deque(maxlen=STATES)
        self.asked = self.answered = 0

    def document(self) -> Document:
        """A copy as it stands."""
        with self._lock:
            return copied(self._document)

    def ask(self, how: str) -> int:
        """Ask for a look by the annotation, and return the request's number."""
        with self._lock:
            self.asked += 1
            mine = self.asked
        self.change(lambda app: annotate(app, {REFRESH: how}))
        return mine

    def change(self, change: Callable[[Document], Any], answers: int | None = None) -> None:
        """One new version of the document, if anything is new. `answers` is the request for a look that it answers."""
        with self._lock:
            after = copied(self._document)
            change(after)
            if answers is not None and self.asked == answers:
                annotate(after, {REFRESH: None})
            changed = after != self._document
            if changed:
                metadata = after["metadata"]
                metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)
                metadata["generation"] += 1
                self._document = after
                self._keep_state(after)
            if answers is not None:
                self.answered = max(self.answered, answers)
        if changed:
            time.sleep(STEP)

    def _keep_state(self, app: Document) -> None:
        now = app.get("status", {})
        sync, health = now.get("sync", {}), now.get("health", {})
        phase = now.get("operationState", {}).get("phase", "")
        state = (sync.get("status", ""), sync.get("revision", ""), health.get("status", ""), phase)
        if not self.states or self.states[-1] != state:
            self.states.append(state)
