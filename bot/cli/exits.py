"""Exit codes that scripts can rely on, and how every failure becomes one of them with one sentence on standard error."""

import os
import sys
from collections.abc import Iterable
from typing import Any

import click

FINE, PERSON, USAGE, LATER, BUG, INTERRUPTED = 0, 1, 2, 3, 4, 130

MEANINGS: dict[int, str] = {
    FINE: "fine",
    PERSON: "something needs a person",
    USAGE: "the command line or a config file is wrong",
    LATER: "something is out of reach: try again",
    BUG: "a bug in the bot",
    INTERRUPTED: "interrupted by Ctrl-C",
}

TABLE = "\b\nExit codes:\n" + "\n".join(f"  {code:<3}  {meaning}" for code, meaning in MEANINGS.items())


def weightiest(codes: Iterable[int]) -> int:
    """One exit code of several: a bug first, then what needs a person, then what may work later."""
    order = (BUG, USAGE, PERSON, LATER, FINE)
    return min(codes, key=order.index, default=FINE)


class Commands(click.Group):
    """A group that lists its commands in the order of their story and turns failures into sentences and exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they were added."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; no traceback reaches a person who did not ask for it with --debug."""
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException):
            raise
        except (KeyboardInterrupt, click.Abort):  # click's own is Ctrl-C at a question
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            # Whoever read the output has enough (`| head`); Python must not complain about it at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(FINE)
        except Exception as error:
            if getattr(ctx.obj, "debug", False):
                raise
            code, sentence = said(error)
            click.echo(sentence, err=True)
            ctx.exit(code)


def said(error: Exception) -> tuple[int, str]:
    """The exit code of an exception, and the sentence for the person."""
    from bot.cli.text import safe
    from bot.config.faults import Faults
    from bot.ports import Refused, Retryable

    if isinstance(error, Faults):
        return USAGE, safe(str(error))
    if isinstance(error, Refused):
        return PERSON, safe(str(error))
    if isinstance(error, Retryable):
        return LATER, safe(f"{error} (try again later)")
    name = type(error).__name__
    return (
        BUG,
        f"This is a bug in the bot: {name}. The same command with --debug shows where; please report that.",
    )
