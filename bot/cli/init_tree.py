"""The tree that `gitops-bot init` writes: the template with the names of one team, and without what it does not use."""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from bot.cli.init_answers import Answers
from bot.cli.init_choices import LEFT_OUT, chosen

_CACHES = {"__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".venv"}


class Occupied(Exception):
    """Files are there already; `paths` below the folder, in order."""

    def __init__(self, paths: list[str]) -> None:
        super().__init__(", ".join(paths))
        self.paths = paths


def tree(template: Path, answers: Answers) -> dict[str, bytes]:
    """Every file by its path."""
    out = tuple(PurePosixPath(path) for key in (answers.gitops, answers.ci) for path in LEFT_OUT[key])
    named = _named(answers)
    found: dict[str, bytes] = {}
    for path in _files(template):
        if not any(path.is_relative_to(one) for one in out):
            found[named(str(path))] = _content(template, path, named, answers)
    return found


def write(folder: Path, files: Mapping[str, bytes], *, force: bool = False) -> None:
    """Write all of them, or nothing, whatever comes in between. Raises `Occupied`, or OSError when the place does not take them.

    A file that already says the same is no obstacle. Nothing outside of the folder is written, whatever links there are.
    """
    occupied = [path for path, content in files.items() if not _free(folder, path, content, force=force)]
    if occupied:
        raise Occupied(sorted(occupied))
    with contextlib.ExitStack() as undo:
        _made(folder, undo)
        # First beside their places, so that a full disk is found before anything has changed.
        staged = Path(tempfile.mkdtemp(dir=folder, prefix=".gitops-bot-init-"))
        # Undone last, as it keeps what was there before.
        undo.callback(shutil.rmtree, staged, ignore_errors=True)
        for path, content in files.items():
            place = staged / "new" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            place.chmod(0o755 if content.startswith(b"#!") else 0o644)
        for number, path in enumerate(files):
            _put(staged / "new" / path, folder / path, staged / f"before-{number}", undo)
        undo.pop_all()
        shutil.rmtree(staged, ignore_errors=True)


def _put(new: Path, place: Path, before: Path, undo: contextlib.ExitStack) -> None:
    """Move a file to its place, and what is there aside, so that it can be undone at any moment."""
    _made(place.parent, undo)
    if place.is_dir() and not place.is_symlink():  # since it was looked at
        raise IsADirectoryError(f"{place} is a folder")
    if os.path.lexists(place):
        undo.callback(_back, before, place)
        place.replace(before)
    else:
        undo.callback(_gone, new, place)
    new.replace(place)


def _back(before: Path, place: Path) -> None:
    if os.path.lexists(before):
        before.replace(place)


def _gone(new: Path, place: Path) -> None:
    if not new.exists():
        place.unlink(missing_ok=True)


def _made(folder: Path, undo: contextlib.ExitStack) -> None:
    for one in reversed([folder, *folder.parents]):
        if not one.exists():
            undo.callback(_emptied, one)
            one.mkdir(exist_ok=True)


def _emptied(folder: Path) -> None:
    with contextlib.suppress(OSError):  # somebody else has put something there
        folder.rmdir()


def _files(template: Path) -> Iterator[PurePosixPath]:
    for path in sorted(template.rglob("*")):
        relative = PurePosixPath(path.relative_to(template).as_posix())
        if path.is_file() and not _CACHES & set(relative.parts):
            yield relative


def _content(template: Path, path: PurePosixPath, named: "_Names", answers: Answers) -> bytes:
    content = (template / path).read_bytes()
    if path.parts[0] == ".schemas":
        return content
    return chosen(str(path), named(content.decode()), answers).encode()


class _Names:
    """Replaces the template's names where they are whole words, all in one look, so that no answer is replaced again."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        longest_first = sorted(names, key=len, reverse=True)
        self._pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")

    def __call__(self, text: str) -> str:
        return self._pattern.sub(lambda found: self._names[found[0]], text)


def _named(answers: Answers) -> _Names:
    return _Names(
        {
            "ghcr.io/acme/fraud-detector": answers.image,
            "ghcr.io/acme/gitops-bot": f"{answers.beside}/gitops-bot",
            "https://github.com/acme/manifests.git": answers.manifests,
            "https://github.com/acme/manifests": answers.page,
            "acme/manifests": answers.repository,
            "acme/ml-platform": f"{answers.owner}/ml-platform",
            "acme-gitops-bot": f"{answers.owner}-gitops-bot",
            "@acme": f"@{answers.owner}",
            "acme-gitops.vault": "your-vault.vault",
            "acme.azurecr.io/models": answers.azure,
            "acme.dev": answers.domain,
            "fraud-detector": answers.name,
        }
    )


def _free(folder: Path, path: str, content: bytes, *, force: bool) -> bool:
    """Whether the file can be written: no link and no file on the way, and nothing there, or the same, or `force`."""
    place = folder / path
    for parent in list(place.parents)[: len(PurePosixPath(path).parts) - 1]:
        if parent.is_symlink() or (parent.exists() and not parent.is_dir()):
            return False
    if place.is_dir() and not place.is_symlink():
        return False
    if not os.path.lexists(place):
        return True
    return force or (not place.is_symlink() and place.is_file() and place.read_bytes() == content)
