"""What a right answer of /invocations looks like. Its form: facts/mlflow.md; every value in it is hostile input."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.adapters.http_probe.asking import Answer, json_of, line
from bot.ports import Expected


def wrong(answer: Answer, expected: Expected) -> str | None:
    """What is wrong with an answer of /invocations, or None. Its form: facts/mlflow.md."""
    if answer.status != 200:
        return f"the answer is {answer.status}"
    if not answer.whole:
        return "the answer is larger than 64 KiB"
    document = json_of(answer)
    if not isinstance(document, Mapping) or "predictions" not in document:
        return "the answer is not JSON with `predictions`"
    predictions = document["predictions"]
    if any(isinstance(number, float) and not math.isfinite(number) for number in _leaves(predictions)):
        return "a prediction is not a finite number"
    wanted = _rows(expected.example or {})
    if isinstance(predictions, Sequence) and not isinstance(predictions, str):
        if wanted is not None and len(predictions) != wanted:
            return f"{wanted} rows were sent and {len(predictions)} predictions came"
        if not predictions or any(item is None for item in predictions):
            return "there are no predictions" if not predictions else "a prediction is missing (null)"
    return _missing_columns(predictions, expected.outputs)


def _missing_columns(predictions: Any, outputs: tuple[str, ...] | None) -> str | None:
    rows = predictions if isinstance(predictions, list) else [predictions]
    if not outputs or not all(isinstance(row, Mapping) for row in rows):
        return None  # a bare list of numbers names no columns
    missing = [name for name in outputs if any(name not in row for row in rows)]
    return f"the answer lacks the output {line(', '.join(missing), 120)}" if missing else None


def _rows(example: Mapping[str, Any]) -> int | None:
    """How many rows were sent, where the format tells."""
    split, records = example.get("dataframe_split"), example.get("dataframe_records")
    rows = split.get("data") if isinstance(split, Mapping) else records
    if rows is None:
        rows = example.get("instances", example.get("inputs"))
        if isinstance(rows, Mapping):  # named tensors: their first dimension counts
            rows = next(iter(rows.values()), None)
    return len(rows) if isinstance(rows, list) else None


def _leaves(value: Any) -> Iterator[Any]:
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
