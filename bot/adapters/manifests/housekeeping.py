"""Housekeeping of the mirror: fetches leave packs and loose refs, promotions loose objects, killed processes remains.

git's own would fail in a partial mirror, or take away what is not pushed yet (facts/git-mirror.md).
"""

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from bot.adapters.manifests.mirror import Mirror

_PATIENCE = 600  # seconds; a mirror of 100,000 files takes a few
_DEAD = 3600  # seconds; longer than any git process of the bot's may live


@dataclass(frozen=True)
class Clutter:
    """How many files of each kind there are that a tidy mirror has few of."""

    packs: int
    refs: int
    objects: int

    def exceeds(self, bound: "Clutter") -> bool:
        """Whether there are more of any kind."""
        return self.packs > bound.packs or self.refs > bound.refs or self.objects > bound.objects


MUCH = Clutter(packs=50, refs=500, objects=2000)
"""What git does not notice yet: it looks into every pack for each object, and into every file for each ref."""


def clutter(folder: Path) -> Clutter:
    """What has gathered in the mirror in `folder`; looks at names of files only."""
    packed, loose = _files(folder / "objects" / "pack"), _files(folder / "objects")
    packs = sum(1 for name in packed if name.endswith(".pack"))
    return Clutter(packs, len(_files(folder / "refs")), len(loose) - len(packed))


def tidied(mirror: Mirror, bound: Clutter = MUCH) -> bool:
    """Pack refs and objects if there is more clutter than that; returns whether there was. Safe to be ended at any moment.

    Fetches wait meanwhile. Reading, committing and pushing go on, as no object goes away: `-k` keeps those of
    commits that no ref names yet, and git packs what the remote promised (blobs that came by need, too) by itself.
    Raises `Retryable` when git fails, and leaves the mirror as good as it was.
    """
    if not clutter(mirror.folder).exceeds(bound):
        return False
    with mirror.owned():
        _buried(mirror.folder / "objects")
        mirror.git.run("pack-refs", "--all", "--prune", patience=_PATIENCE)
        mirror.git.run("repack", "-a", "-d", "-k", "-n", "--quiet", patience=_PATIENCE)
    return True


def _files(folder: Path) -> list[str]:
    # Unlike Path.rglob, not put out by a folder that git takes away at that moment.
    return [name for _, _, names in os.walk(folder) for name in names]


def _buried(objects: Path) -> None:
    """Remove what processes that were killed left: half-written files, and packs without an index, which git ignores."""
    packs = objects / "pack"
    whole = {index.stem for index in packs.glob("pack-*.idx")}
    remains = [file for file in packs.iterdir() if file.stem not in whole or file.suffix == ".keep"]
    for file in [*remains, *objects.glob("[0-9a-f][0-9a-f]/tmp_obj_*")]:
        with contextlib.suppress(FileNotFoundError):
            if time.time() - file.stat().st_mtime > _DEAD:
                file.unlink()
