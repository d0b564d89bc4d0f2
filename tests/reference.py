"""The README's reference, made from the code: `python -m tests.reference` prints what tests/test_docs.py asks for."""

import dataclasses
import typing
from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from typing import Any

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bot.cli import main
from bot.cli.exits import MEANINGS
from bot.config.entries import Defaults, PromotionsFile, TargetEntry
from bot.config.secret import Secret
from bot.config.settings import CONFIG_VARIABLE, Settings
from bot.core.target import Target

HEAD = ("| key | what it is | default | example |", "|---|---|---|---|")


def settings() -> Iterator[str]:
    """A row for every key of bot.yaml."""
    yield from HEAD
    yield from _rows(Settings, "")


def promotions() -> Iterator[str]:
    """A row for every key of a target in promotions.yaml."""
    yield from HEAD
    yield from _rows(TargetEntry, "", first=("name", "model", "when", "image", "build", "pins"))


def commands() -> Iterator[str]:
    """A row for every command."""
    yield from ("| command | what it does |", "|---|---|")
    yield from _commands(main, "gitops-bot")


def exit_codes() -> Iterator[str]:
    """A row for every exit code."""
    yield from ("| code | meaning |", "|---|---|")
    yield from (f"| {code} | {meaning} |" for code, meaning in MEANINGS.items())


def _commands(group: click.Group, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")
            continue
        arguments = [
            (
                param.make_metavar(click.Context(command))
                if isinstance(param, click.Argument)
                else _option(param)
            )
            for param in command.params
            if param.name not in ("config", "debug")
        ]
        what = (command.help or "").partition("\n\n")[0].replace("\n", " ")
        # A bar would end the cell of the table, even inside code.
        call = " ".join([path, name, *arguments]).replace("|", r"\|")
        yield f"| `{call}` | {what} |"


def _option(option: click.Parameter) -> str:
    value = "" if getattr(option, "is_flag", False) else f" {str(option.name).upper()}"
    return f"{option.opts[0]}{value}" if option.required else f"[{option.opts[0]}{value}]"


def _rows(model: type[BaseModel], above: str, first: tuple[str, ...] = ()) -> Iterator[str]:
    names = [*first, *(name for name in model.model_fields if name not in first)]
    for name in names:
        field = model.model_fields[name]
        inner, many, free = _inner(field.annotation)
        yield f"| `{above}{field.alias or name}` | {_what(field, inner)} | {_default(model, name, field)} | `{field.examples[0]}` |"
        if inner is not None and inner is not Secret:
            yield from _rows(inner, f"{above}{name}{'[]' if many else ''}{'.<host>' if free else ''}.")


def _what(field: FieldInfo, inner: type[BaseModel] | None) -> str:
    text = (field.description or "").removesuffix(".")
    choices = " or ".join(f"`{word}`" for word in _words(field.annotation))
    where = "; `{env: NAME}` or `{file: PATH}`" if inner is Secret else ""
    return text + (f" ({choices})" if choices else "") + where


def _words(annotation: Any) -> list[str]:
    if typing.get_origin(annotation) is typing.Literal:
        return [str(word) for word in typing.get_args(annotation)]
    return [word for part in typing.get_args(annotation) for word in _words(part)]


def _default(model: type[BaseModel], name: str, field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    if issubclass(model, Defaults):
        # What promotions.yaml leaves out has its default in the core.
        known = {item.name: item.default for item in dataclasses.fields(Target)}
        return _shown(known.get(name))
    return _shown(None if field.default is PydanticUndefined else field.default)


def _shown(value: Any) -> str:
    if value is None or value == () or isinstance(value, BaseModel) or dataclasses.is_dataclass(value):
        return "–"
    if isinstance(value, timedelta):
        seconds = int(value.total_seconds())
        return f"`{seconds // 60}m`" if seconds and seconds % 60 == 0 else f"`{seconds}s`"
    if isinstance(value, Enum):
        return f"`{value.value}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _inner(annotation: Any) -> tuple[type[BaseModel] | None, bool, bool]:
    """The model inside an annotation, whether it stands in a list, and whether under free keys."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False, False
    for part in typing.get_args(annotation):
        model, many, free = _inner(part)
        if model is not None:
            origin = typing.get_origin(annotation)
            return model, many or origin is tuple, free or origin is dict
    return None, False, False


def document() -> str:
    """The whole reference as Markdown."""
    no_defaults = sorted(set(TargetEntry.model_fields) - set(Defaults.model_fields))
    listed = ", ".join(f"`{name}`" for name in no_defaults)
    parts = [
        "### promotions.yaml",
        f"Each item of `targets:` has these keys; what it leaves out is taken from `defaults:`, which has the same keys"
        f" but {listed}. Durations are written `90s`, `5m`, `1h30m` or `2d`.",
        "\n".join(promotions()),
        "### bot.yaml",
        f"Read from `--config`, else from `${CONFIG_VARIABLE}`, else from `./bot.yaml`. Secrets are never written into"
        " it: `{env: NAME}` names an environment variable, `{file: PATH}` a file, which is read at each use.",
        "\n".join(settings()),
        "### Commands",
        "`--config FILE` and `--debug` may stand before or after each command.",
        "\n".join(commands()),
        "### Exit codes",
        "\n".join(exit_codes()),
        "### Environment variables",
        "\n".join([
            "| variable | what it does |",
            "|---|---|",
            f"| `{CONFIG_VARIABLE}` | the bot.yaml to read, where `--config` is not given |",
            "| those that bot.yaml names as `{env: NAME}` | hold its secrets |",
        ]),
    ]  # fmt: skip
    assert set(PromotionsFile.model_fields) == {"defaults", "targets"}
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    print(document(), end="")
