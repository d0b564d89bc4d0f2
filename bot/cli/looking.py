"""Commands that only look."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from bot.cli.exits import FINE, PERSON
from bot.cli.shell import Finding, Plan, Shell, as_json, everywhere, known
from bot.cli.text import console, diff, line, print_json, safe, table

if TYPE_CHECKING:
    from bot.core.target import Catalogue
    from bot.ports import Journal

# States of a target that stay as they are until a person acts.
_NEEDS_PERSON = {"held", "failed", "build failed"}


@click.command()
@everywhere
@as_json
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """How every target stood at the last look.

    Wanted, pinned and live should agree. Read from the bot's database; `plan` looks again. Exit code 1: a file is broken, or a target's last pass failed.
    """
    bot = ctx.ensure_object(Shell).bot()
    catalogue = bot.catalogue()
    rows = [_standing(name, bot.journal) for name in catalogue.targets]
    if as_json:
        print_json({"commit": catalogue.commit, "problem": catalogue.problem, "targets": rows})
    else:
        shown = ("target", "wanted", "pinned", "live", "because")
        table(console(), shown, [[row[key] for key in shown] for row in rows])
        _say_problem(catalogue)
    bad = catalogue.problem is not None or any(row["outcome"] in ("refused", "crashed") for row in rows)
    ctx.exit(PERSON if bad else FINE)


def _standing(name: str, journal: "Journal") -> dict[str, object]:
    standing = journal.standings().get(name)
    entry = next(iter(journal.entries(name, limit=1)), None)
    return {
        "target": name,
        "wanted": standing.wanted if standing else None,
        "pinned": standing.pinned if standing else None,
        "live": standing.live if standing else None,
        "because": entry.because if entry else "not looked at yet",
        "looked_at": standing.looked_at if standing else None,
        "outcome": entry.outcome if entry else None,
        "proposals": [url for _, url, _ in standing.proposals] if standing else [],
    }


@click.command()
@click.argument("targets", nargs=-1)
@everywhere
@as_json
@click.pass_context
def plan(ctx: click.Context, targets: Sequence[str], as_json: bool) -> None:
    """What would happen next, and why; touches nothing.

    For TARGETS, or all of them, with the exact diff.
    Exit code 1: promotions.yaml is broken, or a target is held, has failed, or its image could not be built.
    """
    from bot.core.report import state

    bot = ctx.ensure_object(Shell).bot()
    catalogue = bot.catalogue()
    known(catalogue, targets)
    plans = bot.plan(list(targets) or None)
    if as_json:
        print_json([_as_values(item) for item in plans])
    else:
        for item in plans:
            _show_plan(item)
        _say_problem(catalogue)
    stuck = any(state(item.snapshot, item.decision) in _NEEDS_PERSON for item in plans)
    ctx.exit(PERSON if stuck or catalogue.problem else FINE)


@click.command()
@click.argument("target")
@everywhere
@as_json
@click.pass_context
def explain(ctx: click.Context, target: str, as_json: bool) -> None:
    """Why TARGET stands as it does, and what would move it."""
    from bot.cli.explaining import as_sections, unblocks

    bot = ctx.ensure_object(Shell).bot()
    catalogue = bot.catalogue()
    known(catalogue, [target])
    item = bot.plan([target])[0]
    if as_json:
        print_json({**_as_values(item), "unblocked_by": unblocks(item), "read": item.snapshot})
        return
    out = console()
    for title, rows in as_sections(item):
        click.secho(title, bold=True)
        for name, text in rows:
            click.echo(f"  {name:<11} {line(text)}" if name else f"  {line(text)}")
    if item.diff:
        click.secho("Diff", bold=True)
        diff(out, item.diff)
    _say_problem(catalogue)


@click.command()
@click.argument("target", required=False)
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many decisions."
)
@everywhere
@as_json
@click.pass_obj
def journal(shell: Shell, target: str | None, limit: int, as_json: bool) -> None:
    """The newest decisions, of TARGET or of all."""
    entries = shell.bot().journal.entries(target, limit=limit)
    if as_json:
        print_json(entries)
        return
    shown = ("at (UTC)", "target", "action", "outcome", "because")
    rows = [(f"{e.at:%m-%d %H:%M:%S}", e.target, e.action, e.outcome, e.because) for e in entries]
    table(console(), shown, rows)


@click.command()
@everywhere
@as_json
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check everything that the bot depends on.

    Each finding comes with its cure. Exit code 1: something is not good.
    """
    findings = ctx.ensure_object(Shell).bot().doctor()
    if as_json:
        print_json([_finding(item) for item in findings])
    else:
        rows = [
            (_mark(item.good), item.what, f"{item.sentence.rstrip('.')}. {item.fix}".rstrip())
            for item in findings
        ]
        table(console(), ("", "what", "finding"), rows)
    ctx.exit(PERSON if any(item.good is False for item in findings) else FINE)


def _mark(good: bool | None) -> str:
    return "?" if good is None else "good" if good else "bad"


def _finding(item: Finding) -> dict[str, object]:
    return {"what": item.what, "good": item.good, "sentence": item.sentence, "fix": item.fix}


def _as_values(item: Plan) -> dict[str, object]:
    from bot.core.report import action_name, columns, state

    shown = columns(item.snapshot, item.decision)
    return {
        "target": item.target,
        "action": action_name(item.decision.action),
        "because": item.decision.because,
        "state": state(item.snapshot, item.decision),
        "wanted": shown.wanted,
        "pinned": shown.pinned,
        "live": shown.live,
        "diff": item.diff,
    }


def _show_plan(item: Plan) -> None:
    from bot.core.report import action_name, columns

    shown = columns(item.snapshot, item.decision)
    click.secho(line(item.target), bold=True)
    click.echo(f"  {action_name(item.decision.action)}: {line(item.decision.because)}")
    stand = (
        f"{name} {line(value or '–')}"
        for name, value in zip(
            ("wanted", "pinned", "live"), (shown.wanted, shown.pinned, shown.live), strict=True
        )
    )
    click.echo(f"  {', '.join(stand)}")
    if item.diff:
        diff(console(), item.diff)
    click.echo()


def _say_problem(catalogue: "Catalogue") -> None:
    if catalogue.problem:
        click.echo(f"promotions.yaml is not in force as it is now:\n{safe(catalogue.problem)}", err=True)
