"""Where pins stand, and where they could."""

from collections.abc import Sequence

import click

from bot.cli.exits import FINE, PERSON
from bot.cli.shell import Shell, as_json, everywhere, known
from bot.cli.text import console, print_json, table


@click.command(short_help="Where pins stand, what they say, and where they could.")
@click.argument("words", nargs=-1, metavar="[TARGET|find IMAGE]")
@everywhere
@as_json
@click.pass_context
def pins(ctx: click.Context, words: Sequence[str], as_json: bool) -> None:
    """Where the pins of TARGET (or of all) stand, and what they say; with `find`, every place that names IMAGE.

    `find` reads the whole repo and prints for each place the line under `pins:` in promotions.yaml that addresses it.
    Exit code 1: a pin cannot be read, or nothing names the image.
    """
    if words[:1] == ("find",):
        if len(words) != 2:
            raise click.UsageError("write `gitops-bot pins find IMAGE`: a repository without tag")
        ctx.exit(_find(ctx, words[1], as_json=as_json))
    if len(words) > 1:
        raise click.UsageError("write one TARGET, or `find IMAGE`")
    _show(ctx, words, as_json=as_json)


def _show(ctx: click.Context, names: Sequence[str], *, as_json: bool) -> None:
    bot = ctx.ensure_object(Shell).bot()
    known(bot.catalogue(), names)
    lines = bot.pins(list(names) or None)
    if as_json:
        print_json([{**_place(item), "target": item.target, "version": item.version} for item in lines])
        return
    rows = [(item.target, f"{item.file}:{item.line}", item.version, item.value) for item in lines]
    table(console(), ("target", "place", "version", "value"), rows)


def _find(ctx: click.Context, image: str, *, as_json: bool) -> int:
    found = ctx.ensure_object(Shell).bot().find_image(image)
    if as_json:
        print_json([{**_place(item), "pin": item.pin} for item in found])
    elif found:
        rows = [(f"{item.file}:{item.line}", item.form, _version(item), item.pin) for item in found]
        table(console(), ("place", "form", "version", "pin"), rows)
    else:
        click.echo(f"Nothing in the repo names {image} in a form that the bot knows.", err=True)
    return FINE if found else PERSON


def _version(item: object) -> str:
    value = getattr(item, "value", None)
    return "@".join(part for part in (getattr(value, "tag", None), getattr(value, "digest", None)) if part)


def _place(item: object) -> dict[str, object]:
    value = getattr(item, "value", None)
    return {
        **{key: getattr(item, key) for key in ("file", "line", "form")},
        **{key: getattr(value, key) for key in ("repository", "tag", "digest")},
    }
