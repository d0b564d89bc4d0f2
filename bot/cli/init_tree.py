"""The tree that `gitops-bot init` writes: the template with the names of one team, and without what it does not use."""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from bot.cli.init_answers import Answers

_CACHES = {"__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".venv"}
_LEFT_OUT = {
    "argocd": ("flux", "bot/overlays/flux", "bot/access/flux"),
    "flux": ("argocd", "bot/overlays/argocd", "bot/access/argocd"),
    "github": ("azure-pipelines.yml",),
    "azure": (".github/workflows/deploy-on-model-promotion.yml",),
}
PROMOTIONS = "promotions.yaml"


class Occupied(Exception):
    """Files are there already; `paths` below the folder, in order."""

    def __init__(self, paths: list[str]) -> None:
        super().__init__(", ".join(paths))
        self.paths = paths


def tree(template: Path, answers: Answers) -> dict[str, bytes]:
    """Every file by its path."""
    out = tuple(PurePosixPath(path) for key in (answers.gitops, answers.ci) for path in _LEFT_OUT[key])
    named = _named(answers)
    found: dict[str, bytes] = {}
    for path in _files(template):
        if not any(path.is_relative_to(one) for one in out):
            found[named(str(path))] = _content(template, path, named, answers)
    return found


def write(folder: Path, files: Mapping[str, bytes], *, force: bool = False) -> None:
    """Write all of them, or nothing. Raises `Occupied`, or OSError when the place does not take them.

    A file that already says the same is no obstacle. Nothing outside of the folder is written, whatever links there are.
    """
    occupied = [path for path, content in files.items() if not _free(folder, path, content, force=force)]
    if occupied:
        raise Occupied(sorted(occupied))
    folder.mkdir(parents=True, exist_ok=True)
    # First beside their places, so that a full disk is found before anything has changed.
    staged = Path(tempfile.mkdtemp(dir=folder, prefix=".gitops-bot-init-"))
    try:
        for path, content in files.items():
            place = staged / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            place.chmod(0o755 if content.startswith(b"#!") else 0o644)
        for path in files:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (staged / path).replace(folder / path)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _files(template: Path) -> Iterator[PurePosixPath]:
    for path in sorted(template.rglob("*")):
        relative = PurePosixPath(path.relative_to(template).as_posix())
        if path.is_file() and not _CACHES & set(relative.parts):
            yield relative


def _content(template: Path, path: PurePosixPath, named: "_Names", answers: Answers) -> bytes:
    content = (template / path).read_bytes()
    if path.parts[0] == ".schemas":
        return content
    text = named(content.decode())
    if str(path) == PROMOTIONS:
        text = _promotions(text, answers)
    elif path.name == "bot.yaml":
        text = re.sub(r"(?m)^( +)ghcr\.io(?=: \{username: )", lambda found: found[1] + answers.registry, text)
    return text.encode()


def _promotions(text: str, answers: Answers) -> str:
    """The model by its own name, what applies the manifests, and no `build:` where the bot cannot start it."""
    if answers.name != answers.model:
        # As YAML has it in quotes: JSON, with nothing in it that could not be seen.
        quoted = json.dumps(answers.model, ensure_ascii=False)
        text = re.sub(rf"(?m)^(  model: ){answers.name}(?=\s)", lambda found: found[1] + quoted, text)
    if answers.gitops == "flux":
        text = re.sub(r"(?m)^( +rollout: \{)argocd(: [\w-]+\}).*", r"\1flux\2", text)
    if answers.ci == "azure":
        text = re.sub(r"(?m)^  build: .*\n", "", text)
    return text


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
            "https://github.com/acme/manifests.git": answers.url,
            "https://github.com/acme/manifests": answers.page,
            "acme/manifests": answers.repository,
            "acme/models": answers.repository,
            "acme/ml-platform": f"{answers.owner}/ml-platform",
            "acme-gitops-bot": f"{answers.owner}-gitops-bot",
            "@acme": f"@{answers.owner}",
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
