"""Secrets: named in bot.yaml, kept elsewhere, read at the moment of use."""

import os
import re
import stat
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema, model_validator

from bot.config.fields import Section, exactly_one, one_of_schema, wrong
from bot.ports import Retryable

LARGEST = 64 * 1024
_HOW = "Write `{env: NAME}` or `{file: /run/secrets/name}`."
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,200}\Z")
# How well-known tokens begin: whoever put one where a name belongs must not find it quoted in a log.
_TOKEN = re.compile(r"(?:gh[pousr]_|github_pat_|glpat-|eyJ|sk-|xox)")


def _path(value: object, info: ValidationInfo) -> object:
    """A path as written, or below the folder of the config file when it is relative."""
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value or not value.isprintable():
        wrong("this is not a path", "Write it like `/var/lib/gitops-bot`, or relative to this file.")
    return Path((info.context or {}).get("folder", "."), value)


def _variable(value: object) -> object:
    if not isinstance(value, str) or not _VARIABLE.match(value) or _TOKEN.match(value):
        wrong(
            "this is not the name of an environment variable",
            "Write the name, never the secret: `{env: GITHUB_TOKEN}`.",
        )
    return value


LocalPath = Annotated[Path, BeforeValidator(_path), WithJsonSchema({"type": "string", "minLength": 1})]
Variable = Annotated[
    str, BeforeValidator(_variable), WithJsonSchema({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"})
]


class Secret(Section):
    """Where a secret is: `{env: NAME}` or `{file: PATH}`; files are read at each use, as they rotate."""

    model_config = ConfigDict(json_schema_extra=one_of_schema("env", "file"))

    env: Variable | None = Field(
        default=None, description="The environment variable that holds it.", examples=["GITHUB_TOKEN"]
    )
    file: LocalPath | None = Field(
        default=None,
        description="The file that holds it, or its path from the folder of bot.yaml.",
        examples=["/run/secrets/github-token"],
    )

    @model_validator(mode="before")
    @classmethod
    def _never_literal(cls, value: Any) -> Any:
        if isinstance(value, str | int | float | tuple):
            how = f"Take it out, replace it at its issuer if this file was shared, and name its place. {_HOW}"
            wrong("a secret must not be written into this file", how)
        return value

    @model_validator(mode="after")
    def _one(self) -> Self:
        exactly_one(self, "env", "file")
        return self

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    @property
    def place(self) -> str:
        """Where it is kept, in words that are safe to show."""
        return f"the environment variable {self.env}" if self.env else f"the file {self.file}"

    def value(self) -> str:
        """The secret itself, without the newline at its end. Raises `Retryable` while it cannot be read."""
        problem = self.problem()
        if problem is not None:
            raise Retryable(problem)
        return self._read()

    def problem(self) -> str | None:
        """Why it cannot be read right now, or None."""
        try:
            text = self._read()
        except OSError as error:
            return f"{self.place} cannot be read: {error.strerror or 'no reason given'}"
        except ValueError:
            return f"{self.place} is not text"
        return None if text else f"{self.place} is empty or not set"

    def warning(self) -> str | None:
        """What is careless about how it is kept, or None: a file that every user of the machine can read."""
        try:
            loose = self.file is not None and self.file.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH)
        except OSError:
            return None
        return f"{self.place} can be read or written by every user of this machine" if loose else None

    def _read(self) -> str:
        if self.file is None:
            return os.environ.get(str(self.env), "")
        with self.file.open("rb") as stream:
            return stream.read(LARGEST).decode().rstrip("\r\n")
