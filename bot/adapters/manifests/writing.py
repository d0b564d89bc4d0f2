"""Promotions that are due together share one read, one commit process and one push; each is still its own branch."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.adapters.manifests import history, pins
from bot.adapters.manifests.commits import Identity, NewCommit, committed
from bot.adapters.manifests.mirror import Mirror, Moved, Push
from bot.core.model import PinValue
from bot.core.target import Target
from bot.ports import Refused, Retryable

_MOMENT = 0.008  # seconds
_MOST_MOMENTS = 20


@dataclass(eq=False)
class Order:
    """One branch to be written: what `Manifests.write` takes, and what became of it."""

    target: Target
    name: str
    value: PinValue
    message: str
    expect: str | None
    only_where: PinValue | None = None
    commit: str | None = field(default=None, init=False)
    error: Exception | None = field(default=None, init=False)
    done: bool = field(default=False, init=False)

    def result(self) -> str:
        """The commit that the branch is at; raises what went wrong."""
        if self.error is not None:
            raise self.error
        return str(self.commit)


class Writing:
    """Writes orders; those that come while others are being written are taken together next."""

    def __init__(self, mirror: Mirror, identity: Identity, clock: Callable[[], datetime]) -> None:
        """Nothing runs yet."""
        self._mirror, self._identity, self._clock = mirror, identity, clock
        self._moment = threading.Event()
        self._waiting: list[Order] = []
        self._coming = threading.Lock()
        self._writing = threading.Lock()

    def write(self, order: Order) -> str:
        """The commit that the branch is at afterwards. Raises `Refused` or `Retryable`, whatever becomes of others."""
        with self._coming:
            self._waiting.append(order)
        while not order.done:
            with self._writing:
                if not order.done:
                    self._gather()
                    self._write_all(self._taken())
        return order.result()

    def _gather(self) -> None:
        """Wait a moment for whoever is due as well, and for as long as more come; a push takes ten times as long."""
        known = 1
        for _ in range(_MOST_MOMENTS):
            self._moment.wait(_MOMENT)
            if len(self._waiting) <= known:
                return
            known = len(self._waiting)

    def _taken(self) -> list[Order]:
        """Whoever waits, but of each branch only the first."""
        with self._coming:
            first = {order.name: order for order in reversed(self._waiting)}
            taken = list(first.values())[::-1]
            self._waiting = [order for order in self._waiting if first[order.name] is not order]
        return taken

    def _write_all(self, orders: Sequence[Order]) -> None:
        try:
            ready = self._committed(orders)
            self._push([order for order in ready if not self._stands(order)])
        except Exception as error:  # noqa: BLE001 — whoever waits must hear of it, in a thread of their own
            for order in orders:
                order.error = order.error or (None if order.commit and order.done else error)
        finally:
            for order in orders:
                order.done = True

    def _committed(self, orders: Sequence[Order]) -> list[Order]:
        base = self._mirror.refs().base
        known = history.entries_for(self._mirror, base, [order.target for order in orders])
        states: dict[int, history.State] = {}
        for order in orders:
            try:
                states[id(order)] = history.state_at(self._mirror, base, order.target, known)
            except (Refused, Retryable) as error:
                order.error = error
        # All blobs of all orders come at once.
        history.files(
            self._mirror, {f"{key}/{path}": e for key, state in states.items() for path, e in state.items()}
        )
        commits: dict[int, NewCommit] = {}
        for order in (order for order in orders if order.error is None):
            try:
                commits[id(order)] = self._change(order, states[id(order)])
            except (Refused, Retryable) as error:
                order.error = error
        ready = [order for order in orders if id(order) in commits]
        signed = self._identity.at(self._clock())
        made = committed(self._mirror, base, [commits[id(order)] for order in ready], signed) if ready else []
        for order, commit in zip(ready, made, strict=True):
            order.commit = commit
        return ready

    def _change(self, order: Order, state: history.State) -> NewCommit:
        changed = pins.edited(order.target, history.files(self._mirror, state), order.value, order.only_where)
        if not changed:
            where = f" where they say {order.only_where}" if order.only_where else ""
            raise Refused(
                f"nothing would change: the pins of {order.target.name}{where} do not need to become {order.value}"
            )
        return NewCommit(changed, order.message)

    def _push(self, orders: Sequence[Order]) -> None:
        pushes = [Push(order.name, order.commit, order.expect) for order in orders]
        failed = self._mirror.push_all(pushes) if pushes else []
        for order, error in zip(orders, failed, strict=True):
            order.error = error
        moved = [order for order in orders if isinstance(order.error, Moved)]
        if not moved:
            return
        self._mirror.fetch()
        for order in moved:
            where = f"it is not at {order.expect or 'nothing'} any more"
            order.error = (
                None
                if self._stands(order)
                else Retryable(f"someone else moved the branch {order.name}: {where}")
            )

    def _stands(self, order: Order) -> bool:
        """Whether the branch has this very change already: parent, tree, message and committer; then it is adopted."""
        head = self._mirror.refs().branches.get(order.name)
        if head is not None and head != order.commit:
            form = "--format=%P%n%T%n%ce%n%B"
            out = self._mirror.git.run("log", "-z", "--no-walk=unsorted", form, head, str(order.commit))
            one, other, _ = out.split(b"\0")
            if one != other:
                return False
        if head is not None:
            order.commit = head
        return head is not None
