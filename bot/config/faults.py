"""What is wrong in a config file, said so that a person can go there and mend it."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault: where (`line` and `column` count from 1; 0 means the whole file), which key, what, and how to fix it.

    No value that may be a secret is ever quoted in it.
    """

    file: str
    line: int
    column: int
    key: str
    what: str
    how: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        key = f"{self.key}: " if self.key else ""
        return f"{place}: {key}{self.what}. {self.how}"


class Faults(Exception):
    """Every fault of a file, in the order of the file."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        """Keep each fault once."""
        self.faults: tuple[Fault, ...] = tuple(sorted(set(faults)))
        super().__init__("\n".join(str(fault) for fault in self.faults))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean X?`, or the list of what there is when nothing is near."""
    words = sorted(known)
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f"Did you mean `{near[0]}`?" if near else f"Known here: {', '.join(words)}."


def quoted(text: object, limit: int = 60) -> str:
    """Hostile text as one short line without control characters, in backquotes."""
    line = "".join(char if char.isprintable() else "�" for char in str(text))
    return f"`{line if len(line) <= limit else line[: limit - 1] + '…'}`"


def key_path(steps: Iterable[str | int]) -> str:
    """`targets[0].image` of ("targets", 0, "image")."""
    path = ""
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            path += f".{_printable(step)}" if path else _printable(step)
    return path


def _printable(step: str) -> str:
    return quoted(step).strip("`")
