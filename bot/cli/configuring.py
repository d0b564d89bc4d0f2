"""Commands about the two config files; they need no world."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click

from bot.cli.exits import FINE, USAGE, Commands
from bot.cli.shell import Shell, as_json, everywhere
from bot.cli.text import print_json, safe


@click.group(cls=Commands)
def config() -> None:
    """Check the config files, or print their JSON Schemas."""


@config.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--without-secrets", is_flag=True, help="Do not read the secrets that bot.yaml names.")
@everywhere
@as_json
@click.pass_context
def check(ctx: click.Context, files: Sequence[Path], *, without_secrets: bool, as_json: bool) -> None:
    """Say every fault of FILES, each with its place and its cure.

    A file with `promotions` in its name is read as promotions.yaml, any other as bot.yaml. Without FILES: the
    bot.yaml in force and ./promotions.yaml, or the one of them that there is. Secrets of bot.yaml must be readable, unless it is checked elsewhere than it runs.
    """
    from bot.config.faults import Fault, Faults

    faults: list[Fault] = []
    checked = list(files) or _in_force(ctx.ensure_object(Shell))
    for path in checked:
        try:
            _read(path, with_secrets=not without_secrets)
        except Faults as found:
            faults += found.faults
    if as_json:
        print_json({"files": [str(path) for path in checked], "faults": faults})
    elif faults:
        click.echo(safe("\n".join(str(fault) for fault in faults)), err=True)
    else:
        click.echo(f"{', '.join(str(path) for path in checked)}: fine")
    ctx.exit(USAGE if faults else FINE)


def _in_force(shell: Shell) -> list[Path]:
    from bot.config.settings import FILE

    promotions = Path("promotions.yaml")
    if not promotions.is_file():
        return [shell.path()]
    # A manifests repo has no bot.yaml, and one that nobody named need not be there.
    named = shell.path() != Path(FILE)
    return [*([shell.path()] if named or Path(FILE).is_file() else []), promotions]


def _read(path: Path, *, with_secrets: bool) -> None:
    from bot.config.promotions import load_promotions
    from bot.config.settings import load

    if "promotions" in path.name:
        load_promotions(path)
    else:
        load(path, with_secrets=with_secrets)


@config.command()
@click.argument("file", type=click.Choice(["bot", "promotions"]), default="promotions")
def schema(file: Literal["bot", "promotions"]) -> None:
    """Print the JSON Schema of bot.yaml or promotions.yaml, for editors."""
    from bot.config.schema import schema as json_schema

    click.echo(json.dumps(json_schema(file), indent=2))
