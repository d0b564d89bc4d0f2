"""Text for terminals and for programs: tables that wrap, plain lines when piped, JSON; hostile text made harmless."""

import dataclasses
import json
import unicodedata
from collections.abc import Mapping, Sequence, Set
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


ROOM = 30  # columns that a sentence needs beside a row


def safe(text: object) -> str:
    """The text without anything that a terminal acts on: no escape sequences, no marks that change its direction."""
    return "".join(
        char if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp") else "�"
        for char in str(text)
    )


def line(text: object) -> str:
    """The same on one line."""
    return " ".join(safe(text).split())


def jsonable(value: Any) -> Any:
    """Values of the core as JSON: times in ISO 8601, spans in seconds, dataclasses as objects."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, Set):
        return sorted(jsonable(item) for item in value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [jsonable(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value.value if isinstance(value, Enum) else value


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(jsonable(value), indent=2, allow_nan=False, default=str))


def console(width: int | None = None, *, terminal: bool | None = None) -> "Console":
    """A console that takes text as it is: no markup, no guessing of colours."""
    from rich.console import Console

    return Console(width=width, force_terminal=terminal, highlight=False, markup=False, emoji=False)


def table(out: "Console", columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table that wraps on a terminal; piped, one row per line with columns padded, for grep and awk.

    Where a narrow terminal leaves too little room for the last column, which is the sentence, it goes below its row.
    """
    cells = [[line(cell) if cell not in (None, "") else "–" for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(columns), *cells]) for i in range(len(columns))]
    if not out.is_terminal:
        for row in [list(columns), *cells]:
            click.echo(_padded(row, widths))
    elif out.width - sum(widths[:-1]) - 3 * len(widths) >= ROOM:
        _wide(out, columns, cells)
    else:
        _narrow(out, cells, widths)


def _padded(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)).rstrip()


def _wide(out: "Console", columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.table import Table

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns[:-1]:
        shown.add_column(column, no_wrap=True)
    shown.add_column(columns[-1], overflow="fold", ratio=1)
    for row in cells:
        shown.add_row(*(coloured(cell) for cell in row))
    out.print(shown)


def _narrow(out: "Console", cells: Sequence[Sequence[str]], widths: Sequence[int]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    for row in cells:
        out.print(Text(_padded(row[:-1], widths), style="bold", overflow="fold"))
        out.print(Padding(Text(row[-1], overflow="fold"), (0, 0, 0, 2)))


_COLOURS = {
    "live": "green",
    "done": "green",
    "good": "green",
    "bad": "red",
    "refused": "yellow",
    "retry": "yellow",
}
_COLOURS |= {"crashed": "red", "failed": "red", "held": "yellow", "build failed": "red"}


def coloured(cell: str) -> "Text":
    """A cell in the colour of what it says."""
    from rich.text import Text

    return Text(cell, style=_COLOURS.get(cell, ""))


def diff(out: "Console", text: str) -> None:
    """A unified diff, coloured on a terminal, to the byte when piped (hostile marks aside)."""
    from rich.text import Text

    for row in safe(text).splitlines():
        if not out.is_terminal:
            click.echo(row)
            continue
        style = {"+": "green", "-": "red", "@": "cyan"}.get(row[:1], "")
        out.print(Text(row, style="bold" if row.startswith(("+++", "---")) else style))
