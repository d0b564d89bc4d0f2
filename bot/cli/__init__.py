"""The command line: a thin layer over the wired bot. Nothing heavy is imported before a command runs."""

import click

from bot.cli import acting, configuring, looking, pins
from bot.cli.exits import TABLE, Commands
from bot.cli.init import init
from bot.cli.shell import Shell, everywhere


@click.group(cls=Commands, epilog=TABLE, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(
    package_name="gitops-commit-bot", prog_name="gitops-bot", message="%(prog)s %(version)s"
)
@everywhere
@click.pass_context
def main(ctx: click.Context) -> None:
    """Promote a model in MLflow; get a reviewed, verified and revertible deployment by GitOps."""
    ctx.ensure_object(Shell)


for _command in (
    acting.demo,
    init,
    acting.serve,
    acting.promote,
    looking.status,
    looking.plan,
    looking.explain,
    pins.pins,
    acting.sweep,
    acting.release,
    looking.journal,
    looking.doctor,
    configuring.config,
):
    main.add_command(_command)
