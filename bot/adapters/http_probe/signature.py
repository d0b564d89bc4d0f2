"""Whether predictions fit the outputs that a model logged. Pure; predictions and type texts are hostile input.

How MLflow answers (facts/mlflow.md; measured with `predictions_to_json` of 3.17.2): a data frame or series as a list
of objects, an array as nested lists, everything else as it is; dates as ISO 8601, bytes as base64.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.adapters.http_probe.types import SHAPED, problem_with
from bot.core.model import Field


def misfit(predictions: Any, outputs: Sequence[Field]) -> str | None:
    """What does not fit, as a sentence without a subject, or None.

    One output may come without its name, as whoever logs a column and answers an array does; of several, each
    must be named, unless the log itself names them by their position. What is answered beyond the log is no fault.
    """
    if not outputs:
        return None
    if all(SHAPED.match(output.type) for output in outputs):
        return _tensors(predictions, outputs)
    rows = predictions if isinstance(predictions, list) else [predictions]
    problems = (_row(row, outputs, f"row {index + 1}") for index, row in enumerate(rows))
    return next((problem for problem in problems if problem is not None), None)


def _tensors(predictions: Any, outputs: Sequence[Field]) -> str | None:
    if isinstance(predictions, Mapping):
        return _named(predictions, outputs, "the answer")
    if len(outputs) > 1:
        return f"the answer names none of the outputs {', '.join(output.name for output in outputs)}"
    # A single tensor with a name may also come as one object per row.
    if isinstance(predictions, list) and predictions and all(isinstance(row, Mapping) for row in predictions):
        name = outputs[0].name
        if any(name not in row for row in predictions):
            return f"the answer lacks the output {name}"
        predictions = [row[name] for row in predictions]
    return problem_with(predictions, outputs[0].type, "the answer")


def _row(row: Any, outputs: Sequence[Field], where: str) -> str | None:
    only = outputs[0] if len(outputs) == 1 else None
    if only is not None and (not isinstance(row, Mapping) or (_is_object(only) and only.name not in row)):
        return problem_with(row, only.type, where)
    if isinstance(row, Mapping):
        return _named(row, outputs, where)
    if not all(output.name == str(position) for position, output in enumerate(outputs)):
        return f"{where} names none of the outputs {', '.join(output.name for output in outputs)}"
    if not isinstance(row, list) or len(row) != len(outputs):
        return f"{where} does not have {len(outputs)} values"
    pairs = zip(row, outputs, strict=True)
    problems = (problem_with(value, output.type, f"{where}, output {output.name}") for value, output in pairs)
    return next((problem for problem in problems if problem is not None), None)


def _named(row: Mapping[str, Any], outputs: Sequence[Field], where: str) -> str | None:
    for output in outputs:
        value = row.get(output.name)
        if value is None:
            if output.required:
                return f"the answer lacks the output {output.name}"
            continue
        if (problem := problem_with(value, output.type, f"{where}, output {output.name}")) is not None:
            return problem
    return None


def _is_object(output: Field) -> bool:
    return output.type.startswith(("{", "Map(", "Any", "SparkML"))
