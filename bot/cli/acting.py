"""Commands that change something, or keep the bot running."""

import importlib.util
from pathlib import Path

import click

from bot.cli.exits import BUG, FINE, LATER, PERSON, weightiest
from bot.cli.shell import Shell, as_json, everywhere, known

_OUTCOMES = {"done": FINE, "refused": PERSON, "retry": LATER, "crashed": BUG}


@click.command()
@everywhere
@click.pass_obj
def serve(shell: Shell) -> None:
    """Run the bot: webhooks, passes and dashboard, until SIGTERM."""
    shell.bot().run()


@click.command()
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), help="Where to play (default: .demo)."
)
@click.option("--keep", is_flag=True, help="Leave everything running at the end, until Ctrl-C.")
@click.option("--interactive", is_flag=True, help="Promote and merge yourself, in the browser.")
@everywhere
@as_json
@click.pass_context
def demo(ctx: click.Context, folder: Path | None, keep: bool, interactive: bool, as_json: bool) -> None:
    """Play the whole story here, with no account anywhere.

    A real MLflow server, and a sandbox around it: forge, CI, image registry, cluster. Exit code 0 only if every claim
    was checked.
    """
    # What only the extra brings; asking for it costs nothing, importing it seconds.
    if importlib.util.find_spec("sklearn") is None:
        raise click.UsageError("the demo needs its extra: pip install 'gitops-commit-bot[demo]'")
    from bot.wiring import demo as play

    ctx.exit(play(folder=folder, keep=keep, interactive=interactive, as_json=as_json))


@click.command()
@click.argument("model")
@click.argument("version")
@click.option("--alias", required=True, help="The alias to set, as in `when: {alias: …}`.")
@everywhere
@click.pass_obj
def promote(shell: Shell, model: str, version: str, alias: str) -> None:
    """Set an alias in MLflow on VERSION of MODEL."""
    click.echo(shell.bot().promote(model, version, alias))


@click.command()
@everywhere
@as_json
@click.pass_context
def sweep(ctx: click.Context, as_json: bool) -> None:
    """Look at every target now, act, and exit.

    In the foreground, pass after pass, until every target is at rest or waits for something outside.
    """
    from bot.cli.text import console, print_json, table

    entries = ctx.ensure_object(Shell).bot().sweep()
    if as_json:
        print_json(entries)
    else:
        rows = [(entry.target, entry.action, entry.outcome, entry.because) for entry in entries]
        table(console(), ("target", "action", "outcome", "because"), rows)
    # What went wrong and then well in a later pass is well.
    last = {entry.target: _OUTCOMES.get(entry.outcome, BUG) for entry in entries}
    ctx.exit(weightiest(last.values()))


@click.command()
@click.argument("target")
@everywhere
@click.pass_obj
def release(shell: Shell, target: str) -> None:
    """Let a held version of TARGET be proposed again."""
    bot = shell.bot()
    known(bot.catalogue(), [target])
    click.echo(bot.release(target))
