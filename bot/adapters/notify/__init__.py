"""Tells people of an incident beyond the forge: in chats, by pager, by mail, or by a signed webhook."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

from bot.adapters.notify.places import Untold, tell
from bot.ports import Notice, Refused, Retryable

__all__ = ["Webhooks"]

_REMEMBERED = 1000


class Webhooks:
    """Fills the port `Notifier`; safe for several threads. What a place's URL may be: `bot.adapters.notify.places`."""

    def __init__(self, places: Sequence[Callable[[], str]], *, timeout: float = 10) -> None:
        """Each place is a URL, read at each use and secret as a whole; `timeout` in seconds for each of them."""
        self._places = tuple(places)
        self._timeout = timeout
        self._told: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """How many places there are, never which."""
        return f"Webhooks({len(self._places)} places)"

    def tell(self, notice: Notice) -> None:
        """Tell every place, whatever becomes of the others; then `Retryable` names those that were not told.

        A repeat asks those again and, as long as this process lives, not the ones that have been told.
        """
        problems = []
        for number, place in enumerate(self._places, 1):
            if self._knows(notice.id, number):
                continue
            try:
                tell(place(), notice, self._timeout)
            except (Untold, Retryable, Refused) as problem:
                problems.append(f"place {number} of `notify:`: {problem}")
            else:
                self._remember(notice.id, number)
        if problems:
            raise Retryable(f"not everybody was told: {'; '.join(problems)}")

    def _knows(self, id_: str, number: int) -> bool:
        with self._lock:
            return (id_, number) in self._told

    def _remember(self, id_: str, number: int) -> None:
        with self._lock:
            self._told[id_, number] = None
            while len(self._told) > _REMEMBERED:
                self._told.popitem(last=False)
