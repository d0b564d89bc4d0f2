"""The window of a check and what was read in it. Pure (facts/products.md, section 8)."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.core.target import PrometheusCheck
from bot.ports import Refused, Retryable

_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`')
_RANGE = re.compile(r"\[\s*((?:\d+(?:ms|[smhdwy]))+)\s*(:?)")
_SPAN = re.compile(r"(\d+)(ms|[smhdwy])")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_LONGEST = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Window:
    """`points` moments, each `step` after the last, that end `points` steps after `begins`."""

    begins: datetime
    step: timedelta
    points: int

    @property
    def ends(self) -> datetime:
        """The last moment."""
        return self.moment(self.points)

    def moment(self, number: int) -> datetime:
        """The moment of a sample, counted from 1."""
        return self.begins + number * self.step

    def due(self, now: datetime) -> int:
        """How many of the moments have come."""
        return max(0, min(self.points, math.floor((now - self.begins) / self.step)))


def window(check: PrometheusCheck, since: datetime) -> Window:
    """The window after a rollout that was done at `since`.

    Where the query itself looks back (`[5m]`), the window begins that much later: an earlier sample would mix in what
    the pods of the old version did.
    """
    return Window(since + looks_back(check.query), check.window / check.points, check.points)


def looks_back(query: str) -> timedelta:
    """How far a query looks back by its ranges: the longest one, and on top of it its subqueries (`[1h:1m]`)."""
    ranges = [(_span(found[1]), bool(found[2])) for found in _RANGE.finditer(_QUOTED.sub('""', query))]
    plain = max((span for span, subquery in ranges if not subquery), default=timedelta(0))
    return min(plain + sum((span for span, subquery in ranges if subquery), timedelta(0)), _LONGEST)


def values(data: Any, window: Window, due: int) -> tuple[float | None, ...]:
    """One value for each moment that has come, None where there is no finite one, of the matrix of a range query.

    Raises `Refused` for several series where one is meant, `Retryable` for what is no matrix.
    """
    series = _series(data, "matrix")
    found: list[float | None] = [None] * due
    for sample in series.get("values", ()):
        moment, value = _sample(sample)
        place = round((moment - window.moment(1)) / window.step)
        if 0 <= place < due:
            found[place] = value
    return tuple(found)


def value(data: Any) -> float | None:
    """The one value of an instant query; None where there is none, or no finite one."""
    if isinstance(data, Mapping) and data.get("resultType") == "scalar":
        return _sample(data.get("result"))[1]
    sample = _series(data, "vector").get("value")
    return None if sample is None else _sample(sample)[1]


def _series(data: Any, kind: str) -> Mapping[str, Any]:
    """The only series, empty where there is none."""
    if (
        not isinstance(data, Mapping)
        or data.get("resultType") != kind
        or not isinstance(data.get("result"), list)
    ):
        raise Retryable(f"its answer is no {kind} of numbers")
    result = data["result"]
    if len(result) > 1:
        raise Refused(
            f"the query answers {len(result)} series where one is meant: aggregate it (sum, max), or name more labels"
        )
    if result and not isinstance(result[0], Mapping):
        raise Retryable(f"its answer is no {kind} of numbers")
    return result[0] if result else {}


def _sample(sample: Any) -> tuple[datetime, float | None]:
    try:
        moment, text = sample
        number = float(text)
        return datetime.fromtimestamp(float(moment), UTC), number if math.isfinite(number) else None
    except (TypeError, ValueError, OverflowError, OSError):
        raise Retryable("its answer has a sample that is none") from None


def is_bad(check: PrometheusCheck, number: float) -> bool:
    """Whether a value is not below, or not above, what it must be."""
    return (check.below is not None and number >= check.below) or (
        check.above is not None and number <= check.above
    )


def bound(check: PrometheusCheck) -> str:
    """`below 0.05`."""
    bounds = (("above", check.above), ("below", check.below))
    return " and ".join(f"{word} {number:g}" for word, number in bounds if number is not None)


def told(read: Sequence[float | None]) -> str:
    """`0.01, no number, 0.02`."""
    return ", ".join("no number" if number is None else f"{number:g}" for number in read)


def _span(text: str) -> timedelta:
    seconds = sum(min(int(number[:9]), 10**9) * _SECONDS[unit] for number, unit in _SPAN.findall(text))
    return timedelta(seconds=min(seconds, _LONGEST.total_seconds()))
