"""What a model says about itself: its MLmodel file as the bot's own words. Pure; every text in it is hostile input."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.core.model import Field, Signature

_FILE = re.compile(r"[\w.-]{1,200}\Z", re.ASCII)
_BODIES = ("dataframe_split", "dataframe_records", "inputs", "instances")
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Card:
    """The signature, and the file that holds the input example. `wrapped` is true for a ready /invocations body."""

    signature: Signature | None = None
    example: str | None = None
    wrapped: bool = True


def read(text: bytes) -> Card:
    """What an MLmodel file says; what is missing, of another shape or not readable is left out."""
    # BaseLoader knows neither tags nor merge keys, with which few lines can grow without bound. Nor is it the C one,
    # which deep nesting ends with a crash instead of an exception.
    import yaml  # type: ignore[import-untyped]

    try:
        document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506  # it makes nothing but texts, lists and mappings
    except (yaml.YAMLError, RecursionError, ValueError):
        return Card()
    if not isinstance(document, dict):
        return Card()
    example, wrapped = _example_file(document.get("saved_input_example_info"))
    return Card(_signature(document.get("signature")), example, wrapped)


def body(content: bytes, wrapped: bool) -> Mapping[str, Any] | None:
    """The input example as a body for /invocations, or None when it is in no form that every model server takes."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    if not wrapped and {"columns", "data"} <= document.keys():
        return {"dataframe_split": document}
    return document if any(name in document for name in _BODIES) else None


def _example_file(info: Any) -> tuple[str | None, bool]:
    if not isinstance(info, dict):
        return None, True
    for key, wrapped in (("serving_input_path", True), ("artifact_path", False)):
        path = info.get(key)
        if isinstance(path, str) and _FILE.match(path):
            return path, wrapped
    return None, True


def _signature(document: Any) -> Signature | None:
    if not isinstance(document, dict):
        return None
    inputs, outputs = _fields(document.get("inputs")), _fields(document.get("outputs"))
    return Signature(inputs, outputs) if inputs is not None or outputs is not None else None


def _fields(text: Any) -> tuple[Field, ...] | None:
    """The columns or tensors of one side; unnamed ones are named by their position, as MLflow counts them."""
    try:
        specs = json.loads(text) if isinstance(text, str) else None
        if not isinstance(specs, list):
            return None
        return tuple(_field(spec, str(position)) for position, spec in enumerate(specs))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _field(spec: Mapping[str, Any], position: str) -> Field:
    name = spec.get("name")
    return Field(position if name is None else str(name), _type(spec), _required(spec))


def _required(spec: Mapping[str, Any]) -> bool:
    # Models logged before MLflow 2.9 say `optional`.
    return bool(spec["required"]) if "required" in spec else not spec.get("optional", False)


def _type(spec: Mapping[str, Any], depth: int = 0) -> str:
    """A type as MLflow prints it: `double`, `Array(long)`, `{a: string (optional)}`, `Tensor('int64', (-1, 3))`."""
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    kind = spec["type"]
    if kind == "tensor":
        tensor = spec["tensor-spec"]
        return f"Tensor({str(tensor['dtype'])!r}, {tuple(int(size) for size in tensor['shape'])!r})"
    if kind == "array":
        return f"Array({_type(spec['items'], depth + 1)})"
    if kind == "map":
        return f"Map(str -> {_type(spec['values'], depth + 1)})"
    if kind == "object":
        return (
            "{" + ", ".join(_property(n, p, depth + 1) for n, p in sorted(spec["properties"].items())) + "}"
        )
    return {"any": "Any", "sparkml_vector": "SparkML vector"}.get(kind) or str(kind)


def _property(name: str, spec: Mapping[str, Any], depth: int) -> str:
    return f"{name}: {_type(spec, depth)} ({'required' if _required(spec) else 'optional'})"
