"""When each target is looked at again; the only file of the engine that waits."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from bot.engine.reconcile import Told, reconcile
from bot.ports import Queue, Refused, Retryable, World

log = logging.getLogger(__name__)


SOON = timedelta(seconds=5)
FOLLOWING = timedelta(seconds=30)  # how often a replica that follows brings its catalogue up to date


def _always() -> bool:
    return True


class Loop:
    """Sweeps wake every target, on start and on a schedule; the queue runs the passes.

    Of several replicas one leads. The others begin no pass: what wakes there is handed to the one that leads.
    """

    def __init__(
        self,
        world: World,
        queue: Queue,
        sweep_every: timedelta,
        told: Told = lambda entry: None,
        swept: Callable[[datetime], None] = lambda at: None,
        *,
        leads: Callable[[], bool] = _always,
        hand_over: Callable[[str], None] = lambda target: None,
        followed: Callable[[], None] = lambda: None,
    ) -> None:
        """`told` hears of every decision and `swept` of every sweep, for metrics.

        `leads` says whether this replica may begin passes; what it may not begin goes to `hand_over`, which is
        called again later when it raises. `followed` hears of every look at the catalogue where another one leads.
        """
        self._world, self._queue, self._told, self._swept = world, queue, told, swept
        self._leads, self._hand_over, self._followed = leads, hand_over, followed
        self._every = sweep_every
        self._stop, self._now = threading.Event(), threading.Event()
        self._known: frozenset[str] = frozenset()
        self.running = False

    def sweep(self) -> int:
        """Wake every target that is configured; returns how many. Neighbours that do not answer are for the next sweep."""
        try:
            names = sorted(self._world.catalogue().targets)
        except (Retryable, Refused) as problem:
            log.warning("no sweep: %s", problem)
            return 0
        self._known = frozenset(names)
        for name in names:
            self._queue.wake(name)
        self._swept(self._world.clock())
        return len(names)

    def run(self) -> None:
        """Sweep and run passes until `stop`; what runs is finished."""
        sweeper = threading.Thread(target=self._sweeping, name="sweep", daemon=True)
        sweeper.start()
        self.running = True
        self._queue.run(self._pass)
        self.running = False
        self.stop()
        sweeper.join(timeout=5)

    def turned(self) -> None:
        """Whether this replica leads has changed: sweep now if it does."""
        self._now.set()

    def _pass(self, name: str) -> timedelta | None:
        if not self._leads():
            self._hand_over(name)
            self._world.catalogue()  # it may have woken because of a change there
            return None
        again = reconcile(name, self._world, self._told)
        # A target that somebody has just added to promotions.yaml need not wait for the sweep.
        for new in self._world.catalogue().targets.keys() - self._known:
            self._known |= {new}
            self._queue.wake(new)
        return again

    def stop(self) -> None:
        """Begin nothing more."""
        self._stop.set()
        self._now.set()
        self._queue.stop()

    def _sweeping(self) -> None:
        while not self._stop.is_set():
            self._now.clear()
            try:
                wait = self._swept_or_followed()
            except Exception:
                log.exception("a sweep crashed; the next one comes")
                wait = min(SOON, self._every)
            if not self._stop.is_set():
                self._now.wait(wait.total_seconds())

    def _swept_or_followed(self) -> timedelta:
        """Sweep, or where another replica leads keep the catalogue fresh for webhooks and pages; returns the wait."""
        if self._leads():
            # Until the first sweep has found its targets the bot knows nothing: try often.
            return self._every if self.sweep() else min(SOON, self._every)
        try:
            self._world.catalogue()
        except (Retryable, Refused) as problem:
            log.warning("promotions.yaml cannot be read: %s", problem)
            return SOON
        self._followed()
        return min(FOLLOWING, self._every)
