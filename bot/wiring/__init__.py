"""Joins everything: the only place that knows which adapter fills which port."""

from pathlib import Path

from bot.wiring.assemble import Bot, Plan, assemble
from bot.wiring.doctor import Finding

__all__ = ["Bot", "Finding", "Plan", "assemble", "demo"]


def demo(
    folder: Path | None = None, *, keep: bool = False, interactive: bool = False, as_json: bool = False
) -> int:
    """Play the story on this machine; see `bot.sandbox.demo`."""
    from bot.sandbox.demo import play  # needs the extra `demo`

    return play(folder or Path(".demo"), keep=keep, interactive=interactive, as_json=as_json)
