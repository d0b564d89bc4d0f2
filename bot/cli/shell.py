"""What the commands need of the bot, and the options that every one of them takes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

# The words of the core are hundreds of milliseconds of classes on a slow machine: --help does without them.
if TYPE_CHECKING:
    from bot.core.actions import Decision
    from bot.core.model import Snapshot
    from bot.core.target import Catalogue
    from bot.ports import Entry, Journal


class Plan(Protocol):
    """What would happen next for one target: `diff` is the unified diff that it would commit, or empty."""

    @property
    def target(self) -> str: ...
    @property
    def decision(self) -> "Decision": ...
    @property
    def snapshot(self) -> "Snapshot": ...
    @property
    def diff(self) -> str: ...


class Finding(Protocol):
    """One thing that doctor looked at; `good` is None where it could not be told."""

    @property
    def what(self) -> str: ...
    @property
    def good(self) -> bool | None: ...
    @property
    def sentence(self) -> str: ...
    @property
    def fix(self) -> str: ...


class Bot(Protocol):
    """A wired bot, as the commands use it."""

    @property
    def journal(self) -> "Journal": ...
    def catalogue(self) -> "Catalogue": ...
    def run(self) -> None: ...
    def sweep(self) -> "Sequence[Entry]": ...
    def plan(self, names: Sequence[str] | None) -> Sequence[Plan]: ...
    def release(self, target: str) -> str: ...
    def promote(self, model: str, version: str, alias: str) -> str: ...
    def doctor(self) -> Sequence[Finding]: ...
    def pins(self, names: Sequence[str] | None) -> Sequence[Any]: ...
    def find_image(self, image: str) -> Sequence[Any]: ...


def _assemble(path: Path) -> Bot:
    from bot.config.settings import load
    from bot.wiring import assemble

    return assemble(load(path))


@dataclass
class Shell:
    """What one call of the command line knows: its options, and how to come by a bot."""

    config: Path | None = None
    debug: bool = False
    assemble: Callable[[Path], Bot] = field(default=_assemble)

    def path(self) -> Path:
        """The bot.yaml that counts."""
        from bot.config.settings import config_path

        return config_path(self.config)

    def bot(self) -> Bot:
        """The wired bot. Raises `Faults` for a broken config."""
        return self.assemble(self.path())


Command = TypeVar("Command", bound=Callable[..., Any])


def _remember(ctx: click.Context, option: click.Parameter, value: object) -> None:
    if value:
        setattr(ctx.ensure_object(Shell), str(option.name), value)


def everywhere(command: Command) -> Command:
    """The options that may stand before or after the name of a command."""
    config = click.option(
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        help="bot.yaml to read; else $GITOPS_BOT_CONFIG, else ./bot.yaml.",
        callback=_remember,
        expose_value=False,
    )
    debug = click.option(
        "--debug", is_flag=True, help="Show tracebacks.", callback=_remember, expose_value=False
    )
    return config(debug(command))


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def known(catalogue: "Catalogue", names: Sequence[str]) -> None:
    """Refuse a target that promotions.yaml does not have, with the nearest one that it has."""
    from bot.config.faults import did_you_mean

    unknown = next((name for name in names if name not in catalogue.targets), None)
    if unknown is None:
        return
    targets: Mapping[str, object] = catalogue.targets
    hint = did_you_mean(unknown, targets) if targets else "promotions.yaml has no targets."
    raise click.UsageError(f"there is no target {unknown!r}. {hint}")
