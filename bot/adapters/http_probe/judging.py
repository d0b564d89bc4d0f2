"""Compares what came with what should have come. Pure; what came is hostile input, so its depth is bounded."""

import math
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

_DEEPEST = 60


def lacking(wanted: Any, answered: Any, place: str = "") -> str | None:
    """Which part of `wanted` was not answered, as `place is answer instead of value`; None when all of it was.

    Of an object only the wanted keys are looked at, at every depth; a list must have as many items, each of which
    answers the wanted one. Numbers compare by value, and a truth value is no number.
    """
    if isinstance(wanted, Mapping):
        if not isinstance(answered, Mapping):
            return _instead(place, answered, "an object")
        for key, value in wanted.items():
            inside = f"{place}.{key}" if place else str(key)
            if str(key) not in answered:
                return f"{inside} is missing"
            if (problem := lacking(value, answered[str(key)], inside)) is not None:
                return problem
        return None
    if isinstance(wanted, list | tuple):
        if not isinstance(answered, list) or len(answered) != len(wanted):
            return _instead(place, answered, f"{len(wanted)} items")
        pairs = enumerate(zip(wanted, answered, strict=True))
        problems = (lacking(one, other, f"{place}[{index}]") for index, (one, other) in pairs)
        return next((problem for problem in problems if problem is not None), None)
    return None if _equal(wanted, answered, 0) else _instead(place, answered, _shown(wanted))


def different(wanted: Any, answered: Any, tolerance: float, place: str = "predictions") -> str | None:
    """Where two answers differ, or None. Numbers may differ by `tolerance`, relative to the larger one."""
    return next(_differences(wanted, answered, tolerance, place, 0), None)


def leaves(value: Any) -> Iterator[Any]:
    """Every value inside nested lists and objects, without recursion: the nesting is the server's choice."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        else:
            yield item


def _differences(wanted: Any, answered: Any, tolerance: float, place: str, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        yield f"{place} is nested too deeply to be compared"
    elif isinstance(wanted, Mapping) and isinstance(answered, Mapping):
        for key in islice(sorted(wanted.keys() ^ answered.keys()), 1):
            yield f"{place}.{key} is {'missing' if key in wanted else 'new'}"
        for key in wanted.keys() & answered.keys():
            yield from _differences(wanted[key], answered[key], tolerance, f"{place}.{key}", depth + 1)
    elif isinstance(wanted, list) and isinstance(answered, list):
        if len(wanted) != len(answered):
            yield f"{place} has {len(answered)} items instead of {len(wanted)}"
        for index, (one, other) in enumerate(zip(wanted, answered, strict=False)):
            yield from _differences(one, other, tolerance, f"{place}[{index}]", depth + 1)
    elif not _equal(wanted, answered, tolerance):
        yield _instead(place, answered, _shown(wanted))


def _equal(wanted: Any, answered: Any, tolerance: float) -> bool:
    if is_number(wanted) and is_number(answered):
        if wanted == answered:
            return True
        # An integer beyond a double's range is no more than unequal.
        try:
            return tolerance > 0 and math.isclose(wanted, answered, rel_tol=tolerance)
        except OverflowError:
            return False
    return type(wanted) is type(answered) and bool(wanted == answered)


def is_number(value: Any) -> bool:
    """Whether JSON wrote a number: in Python a truth value counts as one, too."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _instead(place: str, answered: Any, wanted: str) -> str:
    return f"{place or 'the answer'} is {_shown(answered)} instead of {wanted}"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value) if isinstance(value, str | float) else ""
    if isinstance(value, int):
        text = str(value) if abs(value) < 10**60 else "a very large number"
    return (text or str(value))[:80]
