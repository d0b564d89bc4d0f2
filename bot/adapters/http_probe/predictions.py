"""What a right answer of /invocations looks like. Its form: facts/mlflow.md; every value in it is hostile input."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from bot.adapters.http_probe.asking import Answer, json_of
from bot.adapters.http_probe.judging import different, leaves
from bot.adapters.http_probe.signature import misfit
from bot.core.target import PredictionCheck
from bot.core.telling import excerpt
from bot.ports import Expected


def wrong(answer: Answer, expected: Expected, check: PredictionCheck) -> str | None:
    """What is wrong with a whole answer of /invocations, as a clause; None when nothing is."""
    if answer.status != 200:
        return f"the answer is {answer.status}"
    document = json_of(answer)
    if not isinstance(document, Mapping) or "predictions" not in document:
        return "the answer is not JSON with `predictions`"
    predictions = document["predictions"]
    problem = _incomplete(predictions, expected)
    if problem is None and expected.outputs:
        problem = misfit(predictions, expected.outputs)
        problem = f"{excerpt(problem, 200)} (the logged signature says otherwise)" if problem else None
    return problem or _another(predictions, expected, check) or _late(answer, check)


def _incomplete(predictions: Any, expected: Expected) -> str | None:
    if any(isinstance(number, float) and not math.isfinite(number) for number in leaves(predictions)):
        return "a prediction is not a finite number"
    if predictions is None:
        return "a prediction is missing (null)"
    if isinstance(predictions, Sequence) and not isinstance(predictions, str):
        wanted = _rows(expected.example or {})
        if wanted is not None and len(predictions) != wanted:
            return f"{wanted} rows were sent and {len(predictions)} predictions came"
        if not predictions or any(item is None for item in predictions):
            return "there are no predictions" if not predictions else "a prediction is missing (null)"
    return None


def _another(predictions: Any, expected: Expected, check: PredictionCheck) -> str | None:
    """How the answer differs from that at build time, which is kept with or without `predictions` around it."""
    if check.tolerance is None or expected.answer is None:
        return None
    answer = expected.answer
    if isinstance(answer, Mapping) and "predictions" in answer:
        answer = answer["predictions"]
    difference = different(answer, predictions, check.tolerance)
    if difference is None:
        return None
    within = f" within {check.tolerance:g}" if check.tolerance else ""
    return f"it does not equal what the model answered when its image was built{within}: {excerpt(difference, 200)}"


def _late(answer: Answer, check: PredictionCheck) -> str | None:
    if check.latency is None or answer.took <= check.latency:
        return None
    return f"the answer took {_milliseconds(answer.took)}, the bound is {_milliseconds(check.latency)}"


def _milliseconds(span: Any) -> str:
    return f"{span.total_seconds() * 1000:.0f} ms"


def _rows(example: Mapping[str, Any]) -> int | None:
    """How many rows were sent, where the format tells."""
    split, records = example.get("dataframe_split"), example.get("dataframe_records")
    rows = split.get("data") if isinstance(split, Mapping) else records
    if rows is None:
        rows = example.get("instances", example.get("inputs"))
        if isinstance(rows, Mapping):  # named tensors: their first dimension counts
            rows = next(iter(rows.values()), None)
    return len(rows) if isinstance(rows, list) else None
