"""When each target is looked at again; the only file of the engine that waits."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from bot.engine.reconcile import Told, reconcile
from bot.ports import Queue, Refused, Retryable, World

log = logging.getLogger(__name__)


class Loop:
    """Sweeps wake every target, on start and on a schedule; the queue runs the passes."""

    def __init__(
        self,
        world: World,
        queue: Queue,
        sweep_every: timedelta,
        told: Told = lambda entry: None,
        swept: Callable[[datetime], None] = lambda at: None,
    ) -> None:
        """`told` hears of every decision and `swept` of every sweep, for metrics."""
        self._world, self._queue, self._told, self._swept = world, queue, told, swept
        self._every = sweep_every
        self._stop = threading.Event()
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
        self._stop.set()
        sweeper.join(timeout=5)

    def _pass(self, name: str) -> timedelta | None:
        again = reconcile(name, self._world, self._told)
        # A target that somebody has just added to promotions.yaml need not wait for the sweep.
        for new in self._world.catalogue().targets.keys() - self._known:
            self._known |= {new}
            self._queue.wake(new)
        return again

    def stop(self) -> None:
        """Begin nothing more."""
        self._stop.set()
        self._queue.stop()

    def _sweeping(self) -> None:
        # Until the first sweep has found its targets the bot knows nothing: try often.
        while not self._stop.is_set():
            found = 0
            try:
                found = self.sweep()
            except Exception:
                log.exception("a sweep crashed; the next one comes")
            wait = self._every.total_seconds() if found else min(5.0, self._every.total_seconds())
            self._stop.wait(wait)
