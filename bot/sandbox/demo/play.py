"""Play the story with a display that a person can follow, and end with a table of what was proven."""

import contextlib
import json
import logging
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bot.sandbox.demo.story import ClaimFailed, Step, Story, Task
from bot.sandbox.demo.world import MANIFESTS, MARKER, MODEL, REVIEWER, TARGET, DemoWorld

FINE, FAILED, INTERRUPTED = 0, 1, 130

INTRODUCTION = (
    "A data scientist promotes four versions of a fraud model in a [b]real MLflow server[/b]. The bot has CI build each"
    " one, opens a pull request, and proves after the merge that the version really serves. One crashes, one answers"
    " nonsense: they are taken back by pull requests. One only has to wait for its feature store: it stays.\n\nForge, CI, image registry and cluster are a [b]sandbox[/b] on this machine; git,"
    " images, model servers, webhooks and predictions are real."
)


def play(folder: Path, *, keep: bool, interactive: bool, as_json: bool) -> int:
    """Exit code 0 only if every claim was checked. Leaves nothing behind but, after a failure, the folder with its logs."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    console = Console(stderr=as_json, highlight=False)
    try:
        with _interruptible():
            return _played(folder, console, keep=keep, interactive=interactive, as_json=as_json)
    except KeyboardInterrupt:
        console.print("\n[yellow]Stopped.[/yellow] Everything that was started is ended.")
        _remove(folder)
        return INTERRUPTED
    except FileExistsError as problem:
        console.print(f"[red]{problem}[/red]")
        return FAILED


def _played(folder: Path, console: Console, *, keep: bool, interactive: bool, as_json: bool) -> int:
    console.print(Panel(INTRODUCTION, title="gitops-bot demo", border_style="cyan"))
    began = time.monotonic()
    with console.status("starting MLflow, the sandbox and the bot") as status:
        world = DemoWorld(folder, said=lambda line: status.update(f"starting: {line}"))
        with world:
            status.stop()
            _addresses(world, console)
            if interactive:
                return _watch(world, console)
            steps, failure = _tell(Story(world), console, started=time.monotonic() - began)
            if as_json:
                print(json.dumps([asdict(step) for step in steps], indent=2))  # noqa: T201 -- for scripts
            _summary(steps, failure, console, time.monotonic() - began)
            if keep:
                _addresses(world, console)
                _wait_for_interrupt(console)
    if failure is None:
        _remove(folder)
        return FINE
    console.print(f"The logs are in [b]{folder}[/b]: bot.log, mlflow/server.log, cluster/.")
    return FAILED


def _tell(story: Story, console: Console, started: float) -> tuple[list[Step], str | None]:
    steps = [Step("0. Start", "MLflow, sandbox and bot are up", "all answer", started, 0.0)]
    chapter = ""
    for task in story.tasks():
        if task.chapter != chapter:
            chapter = task.chapter
            console.print(f"\n[b cyan]{chapter}[/b cyan]")
        try:
            with console.status(f"{task.what} …"):
                steps.append(_timed(story, task))
        except (
            ClaimFailed,
            OSError,
            RuntimeError,
            ValueError,
            LookupError,
            subprocess.SubprocessError,
        ) as problem:
            console.print(f"  [red]✗[/red] {task.what}")
            console.print(Text(f"    {problem}", style="red"))
            return steps, f"{task.what}: {problem}"
        _show(steps[-1], console)
    return steps, None


def _show(step: Step, console: Console) -> None:
    console.print(Text.assemble(("  ✓ ", "green"), f"{step.what:<48}", (f"{step.seconds:5.1f} s", "cyan")))
    console.print(Padding(Text(step.evidence, style="dim"), (0, 0, 0, 4)))


def _timed(story: Story, task: Task) -> Step:
    before, began = story.world.bot_seconds(), time.monotonic()
    evidence = task.do()
    seconds = time.monotonic() - began
    return Step(task.chapter, task.what, evidence, seconds, max(0.0, story.world.bot_seconds() - before))


def _addresses(world: DemoWorld, console: Console) -> None:
    table = Table.grid(padding=(0, 2))
    for name, url in (
        ("the bot's dashboard", f"{world.bot_url}/targets/{TARGET}"),
        ("MLflow", f"{world.tracking.url}/#/models/{MODEL}"),
        ("forge: pull requests", f"{world.forge.url}/{MANIFESTS}/pulls"),
        ("cluster (plays Argo CD)", world.cluster.url),
        ("image registry", f"{world.images.url}/v2/"),
        ("the served model", f"{world.service_url}/version"),
    ):
        table.add_row(Text(name, style="dim"), Text(url, style=f"link {url}"))
    console.print(table)


def _summary(steps: list[Step], failure: str | None, console: Console, seconds: float) -> None:
    table = Table(title="What was proven", title_justify="left", show_lines=False, expand=False)
    table.add_column("step")
    table.add_column("evidence", overflow="fold")
    table.add_column("seconds", justify="right")
    table.add_column("bot", justify="right")
    for step in steps:
        table.add_row(step.what, Text(step.evidence), f"{step.seconds:.1f}", f"{step.bot:.2f}")
    own = sum(step.bot for step in steps)
    table.add_section()
    table.add_row(
        "all",
        "every claim was checked" if failure is None else Text(f"failed: {failure}"),
        f"{seconds:.1f}",
        f"{own:.2f}",
    )
    console.print()
    console.print(table)
    console.print(
        "[dim]`bot`: seconds of the step that the bot's own passes took; the rest is training, CI, rollouts and waiting.[/dim]"
    )


def _watch(world: DemoWorld, console: Console) -> int:
    """The person promotes and merges; the bot's sentences are shown as they change."""
    story = Story(world)
    with console.status("training version 1, 2 (crashes), 3 (answers nonsense) and 4"):
        for version, kind in (("1", "good"), ("2", "broken"), ("3", "skewed"), ("4", "better")):
            story.train(version, kind)
    console.print(
        f"\nYour turn. In MLflow, give [b]{MODEL}[/b] version 1 the alias [b]champion[/b]; then merge the pull request in the"
        f" forge as [b]{REVIEWER}[/b]. Version 2 crashes, version 3 answers nonsense: try them. Ctrl-C ends everything.\n"
    )
    said = ""
    while True:
        now = str(world.standing()["because"])
        if now != said:
            said = now
            console.print(Text.assemble((time.strftime("%H:%M:%S  "), "dim"), now))
        time.sleep(0.5)


def _wait_for_interrupt(console: Console) -> None:
    console.print("\nEverything stays up until [b]Ctrl-C[/b].")
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(1)


def _remove(folder: Path) -> None:
    """Remove what the demo made, and nobody else's folder."""
    if (folder / MARKER).exists():
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM ends the demo as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    earlier = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)
