"""From a document to a model, or to every fault with its place, its key and its cure."""

import typing
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from bot.config.document import Node
from bot.config.faults import Fault, Faults, did_you_mean, key_path, quoted

Model = TypeVar("Model", bound=BaseModel)
Steps = tuple[str | int, ...]

# pydantic's words for a wrong kind of value, in the words of people who write YAML.
_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "`true` or `false`",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def validate(model: type[Model], root: Node, file: str, context: dict[str, Any] | None = None) -> Model:
    """The whole document as this model; `context` is for its validators. Raises `Faults`, each fault once."""
    try:
        return model.model_validate(root.plain(), context=context)
    except ValidationError as error:
        details = error.errors(include_url=False)
    faults: dict[tuple[object, ...], Fault] = {}
    for item in details:
        fault = _fault(model, item, root, file)
        # A bad default is found again in every target that takes it: said once, where it is written.
        faults.setdefault((fault.line, fault.column, fault.what, fault.key.rpartition(".")[2]), fault)
    raise Faults(faults.values())


def _fault(model: type[BaseModel], item: ErrorDetails, root: Node, file: str) -> Fault:
    steps: Steps = item["loc"]
    what, how = _sentences(model, item)
    return Fault(file, *root.place(steps), key_path(steps), what, how)


def _sentences(model: type[BaseModel], item: ErrorDetails) -> tuple[str, str]:
    steps, kind, context = item["loc"], item["type"], item.get("ctx", {})
    section = _section(model, steps)
    field = section.model_fields.get(str(steps[-1])) if steps else None
    if kind == "wrong":
        return str(context["what"]), str(context["how"])
    if kind == "missing":
        return "this key is missing", f"Add {_example(steps, field)}."
    if kind == "extra_forbidden":
        return "there is no such key", did_you_mean(str(steps[-1]), section.model_fields)
    if kind == "literal_error":
        return (
            f"{quoted(item['input'])} is not one of {context['expected']}",
            f"Write {_example(steps, field)}.",
        )
    if kind in _KINDS:
        return f"this is {_kind(item['input'])}, not {_KINDS[kind]}", _how(kind, item["input"], steps, field)
    return item["msg"][:1].lower() + item["msg"][1:], f"Write {_example(steps, field)}."


def _how(kind: str, value: Any, steps: Steps, field: FieldInfo | None) -> str:
    if kind == "string_type" and isinstance(value, int | float):
        return f'Put it in quotes: `"{value}"`.'
    if kind == "tuple_type" and value is not None and not isinstance(value, dict):
        return "Write a list: `[a, b]`, or one `- item` per line."
    return f"Write {_example(steps, field)}."


def _example(steps: Sequence[str | int], field: FieldInfo | None) -> str:
    key = next((step for step in reversed(steps) if isinstance(step, str)), "")
    example = str(field.examples[0]) if field is not None and field.examples else "…"
    return f"`{quoted(key)[1:-1]}: {example}`"


def _kind(value: Any) -> str:
    """The kind of a value in words, never the value: it may be a secret."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "a yes or no"
    if isinstance(value, int | float):
        return "a number"
    return "text" if isinstance(value, str) else "a mapping" if isinstance(value, dict) else "a list"


def _section(model: type[BaseModel], steps: Sequence[str | int]) -> type[BaseModel]:
    """The model whose field the last step is; steps through lists and free keys are passed over."""
    for step in steps[:-1]:
        field = model.model_fields.get(str(step))
        if field is not None:
            model = _inner(field.annotation) or model
    return model


def _inner(annotation: Any) -> type[BaseModel] | None:
    """The model inside `tuple[Entry, ...]`, `dict[str, Entry]` or `Entry | None`, if there is one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in typing.get_args(annotation) if (found := _inner(part)) is not None), None)
