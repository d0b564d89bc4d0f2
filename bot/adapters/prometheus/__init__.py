"""Watches the served model through Prometheus: do its numbers stay within their bounds, and does no new alert fire?"""

from collections.abc import Callable
from datetime import datetime, timedelta

from bot.adapters.prometheus.alerts import judge
from bot.adapters.prometheus.client import Client, shown
from bot.adapters.prometheus.window import Window, bound, is_bad, told, value, values, window
from bot.adapters.prometheus.wording import Seen, verdict
from bot.core.target import AlertsCheck, PrometheusCheck, Watch
from bot.core.telling import at, excerpt
from bot.core.verdict import Outcome, Verdict
from bot.ports import Refused, Retryable

__all__ = ["PrometheusMonitoring"]


class PrometheusMonitoring:
    """Fills the port `Monitoring` with the HTTP API of Prometheus; safe for several threads."""

    def __init__(
        self,
        url: str,
        token: Callable[[], str] | None = None,
        *,
        timeout: float = 10,
        verify_tls: bool | str = True,
    ) -> None:
        """`url` may have a path before `/api/v1`; `timeout` in seconds for each answer; `verify_tls` may be a file.

        Raises `Refused` when the token would go over the network unprotected.
        """
        self._client = Client(url, token, timeout, verify_tls)

    def __repr__(self) -> str:
        """Where it asks, never with what token."""
        return f"PrometheusMonitoring({shown(self._client.url)!r})"

    def watch(self, check: Watch, merged_at: datetime, since: datetime, now: datetime) -> Verdict:
        """Judge from fresh reads. The same moments are read each time, so a window that has passed stays judged.

        FAILED as soon as enough samples are bad, SUCCEEDED only when the window has passed and what is missing in it
        could not have changed that. Alerts are judged as they are now: give the target a `bake` time for later ones.
        """
        try:
            if isinstance(check, AlertsCheck):
                return judge(self._client.get("alerts", {}), check, merged_at, now)
            return self._watched(check, window(check, since), now)
        except (Refused, Retryable) as problem:
            asked = check.query if isinstance(check, PrometheusCheck) else "alerts"
            because = f"Prometheus about {excerpt(asked, 120)}: {problem}"
            return verdict(Outcome.INCONCLUSIVE, because, [Seen(asked, str(problem))], now)

    def _watched(self, check: PrometheusCheck, window: Window, now: datetime) -> Verdict:
        due = window.due(now)
        read = self._read(check, window, due) if due else ()
        bad = sum(number is not None and is_bad(check, number) for number in read)
        unknown = sum(number is None for number in read)
        what = f"{excerpt(check.query, 120)} must stay {bound(check)}"
        seen = [Seen(f"{check.query} until {at(window.moment(due))}", f"{told(read)}; {what}")] if due else []
        over = due == window.points
        if not over and bad < check.failures:
            return _waiting(f"{what} until {at(window.ends)}", bad, seen, window, now)
        few = self._too_few(check, window.moment(due))
        if few is not None:
            seen.append(few)
            if not over:
                return _waiting(f"{what} until {at(window.ends)}", bad, seen, window, now)
            because = f"{what}, but there is too little to judge by: {few.answer}"
            return verdict(Outcome.INCONCLUSIVE, because, seen, now)
        if bad >= check.failures:
            because = f"{what}, and {bad} of {due} samples were not ({told(read)})"
            return verdict(Outcome.FAILED, because, seen, now)
        if bad + unknown >= check.failures:
            why = "no samples" if unknown == due else f"{unknown} of {due} samples are no numbers"
            because = f"{what}, but {why}: is the metric there, and does the query ask for a plain value?"
            return verdict(Outcome.INCONCLUSIVE, because, seen, now)
        return verdict(
            Outcome.SUCCEEDED, f"{excerpt(check.query, 120)} stayed {bound(check)} ({told(read)})", seen, now
        )

    def _read(self, check: PrometheusCheck, window: Window, due: int) -> tuple[float | None, ...]:
        asked = {
            "query": check.query,
            "start": f"{window.moment(1).timestamp():.3f}",
            "end": f"{window.moment(due).timestamp():.3f}",
            "step": f"{max(window.step.total_seconds(), 0.001):.3f}",
        }
        return values(self._client.get("query_range", asked), window, due)

    def _too_few(self, check: PrometheusCheck, moment: datetime) -> Seen | None:
        """What says that there were too few samples up to that moment, or None."""
        if check.samples is None:
            return None
        asked = {"query": check.samples, "time": f"{moment.timestamp():.3f}"}
        count = value(self._client.get("query", asked))
        if count is not None and count >= check.at_least:
            return None
        found = "nothing" if count is None else f"{count:g}"
        return Seen(
            f"{check.samples} at {at(moment)}",
            f"{excerpt(check.samples, 120)} is {found}, and at least {check.at_least:g} are wanted",
        )


def _waiting(because: str, bad: int, seen: list[Seen], window: Window, now: datetime) -> Verdict:
    """PENDING until the next moment; at the end also a little later, as the last samples must have been stored."""
    next_one = window.moment(window.due(now) + 1)
    so_far = f"; {bad} bad so far" if bad else ""
    return verdict(Outcome.PENDING, because + so_far, seen, now, max(next_one - now, timedelta(seconds=1)))
