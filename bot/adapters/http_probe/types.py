"""Whether a JSON value is of a type that MLflow printed: `double`, `Array(long)`, `Tensor('int64', (-1, 3))`. Pure.

A type that is not known says nothing: then every value fits.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.adapters.http_probe.judging import is_number

SHAPED = re.compile(r"Tensor\('([^']*)', \(([-0-9, ]*)\)\)\Z")
_PROPERTY = re.compile(r"([^:{}()]+): ")
_DEEPEST = 20
_NUMPY = {
    "int": "long",
    "uint": "long",
    "float": "double",
    "bool": "boolean",
    "str": "string",
    "datetime": "datetime",
}


def problem_with(value: Any, type_: str, where: str, depth: int = 0) -> str | None:
    """Why the value is not of this type, naming where it stands; None when it is."""
    if depth > _DEEPEST:
        return None
    if (tensor := SHAPED.match(type_)) is not None:
        return _tensor(value, tensor[1], [int(size) for size in re.findall(r"-?\d+", tensor[2])], where)
    if type_.startswith("Array(") and type_.endswith(")"):
        return _array(value, type_[6:-1], where, depth)
    if type_.startswith("Map(str -> ") and type_.endswith(")"):
        if not isinstance(value, Mapping):
            return _not(value, type_, where)
        return _first(problem_with(item, type_[11:-1], where, depth + 1) for item in value.values())
    if type_.startswith("{") and type_.endswith("}"):
        return _object(value, type_, where, depth)
    return None if _is_plain(value, type_) else _not(value, type_, where)


def _array(value: Any, items: str, where: str, depth: int) -> str | None:
    if not isinstance(value, list):
        return _not(value, f"Array({items})", where)
    return _first(problem_with(item, items, where, depth + 1) for item in value)


def _object(value: Any, type_: str, where: str, depth: int) -> str | None:
    if not isinstance(value, Mapping):
        return _not(value, "object", where)
    for part in _parts(type_[1:-1]):
        text, _, need = part.rpartition(" (")
        found = _PROPERTY.match(text)
        if found is None or need not in ("required)", "optional)"):
            return None
        name, inner = found[1], text[found.end() :]
        if value.get(name) is None:
            if need == "required)":
                return f"{where} lacks {name}"
        elif (problem := problem_with(value[name], inner, f"{where}.{name}", depth + 1)) is not None:
            return problem
    return None


def _parts(text: str) -> list[str]:
    """The properties of an object, at its own depth."""
    parts, depth, start = [], 0, 0
    for position, char in enumerate(text):
        depth += (char in "({") - (char in ")}")
        if char == "," and depth == 0:
            parts.append(text[start:position].strip())
            start = position + 1
    return [part for part in (*parts, text[start:].strip()) if part]


def _tensor(value: Any, dtype: str, shape: list[int], where: str) -> str | None:
    """Level by level: each dimension has its size, and what is in the innermost one has the type."""
    level = [value]
    for size in shape:
        if not all(isinstance(item, list) and size in (-1, len(item)) for item in level):
            return f"{where} does not have the shape ({', '.join(map(str, shape))})"
        level = [inner for item in level for inner in item]
    found = re.match(r"[a-z]+", dtype)
    kind = _NUMPY.get(found[0], "") if found is not None else ""
    bad = next((item for item in level if isinstance(item, list) or not _is_plain(item, kind)), None)
    if isinstance(bad, list) and dtype != "object":
        return f"{where} does not have the shape ({', '.join(map(str, shape))})"
    return None if bad is None or dtype == "object" else _not(bad, dtype, where)


def _is_plain(value: Any, type_: str) -> bool:
    match type_:
        case "boolean":
            return isinstance(value, bool)
        case "integer" | "long":
            # JSON has one kind of number: a whole one may come as 1.0.
            bits = 31 if type_ == "integer" else 64
            return is_number(value) and -(2**bits) <= value < 2**bits and value == int(value)
        case "float" | "double":
            return is_number(value)
        case "string" | "binary":
            return isinstance(value, str)
        case "datetime":
            return isinstance(value, str) and _is_date(value)
        case _:
            return True


def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _first(problems: Any) -> str | None:
    return next((problem for problem in problems if problem is not None), None)


def _not(value: Any, type_: str, where: str) -> str:
    shown = {list: "a list", dict: "an object", type(None): "null"}.get(type(value)) or repr(value)[:60]
    return f"{where} is {shown}, and the model logged {type_}"
