"""The container of a pod as values: what is run, and how it stands."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bot.sandbox.cluster.manifest import Document
from bot.sandbox.registry_client import Unpacked


@dataclass(frozen=True, slots=True)
class Template:
    """What of a pod template matters here. Without a `ready_path` a pod is ready when it runs. `grace` in seconds.

    `document` is the whole template, with the label `pod-template-hash`; `replica_set` is the name that follows from it.
    """

    image: str
    command: tuple[str, ...] | None
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    ready_path: str | None
    grace: float = 30.0
    container: str = "server"
    replica_set: str = "pod"
    namespace: str = "default"
    document: Document = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Waiting:
    """The container does not run: the kubelet's word for why, and its sentence."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Running:
    """The container runs."""

    since: datetime


@dataclass(frozen=True, slots=True)
class Terminated:
    """The container has ended; above 128 `code` is a signal's number plus 128."""

    code: int
    since: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that the kubelet tells in an event."""

    reason: str
    message: str
    warning: bool = False


State = Waiting | Running | Terminated


def command(template: Template, image: Unpacked) -> list[str]:
    """The command line; paths that are in the image lead to where it is unpacked."""
    first, *rest = (*(template.command or image.entrypoint), *template.arguments)
    # The image brings no Python here, as it is not a real root file system.
    program = sys.executable if first in ("python", "python3") else _placed(first, image.root)
    return [program, *(_placed(word, image.root) for word in rest)]


def environment(template: Template, image: Unpacked, folder: Path, port: int) -> dict[str, str]:
    """What the process finds: what image and template say, its port on loopback, and `folder` as its home."""
    said = {**image.environment, **template.environment}
    # An image's own search path leads to programs that are not in it here.
    said.pop("PATH", None)
    placed = {name: _placed(value, image.root) for name, value in said.items()}
    home = str(folder)
    return {**placed, "HOST": "127.0.0.1", "PORT": str(port), "HOME": home, "TMPDIR": home}


def _placed(word: str, root: Path) -> str:
    """An absolute path that is in the image becomes the one where the image is unpacked."""
    inside = root / word.lstrip("/")
    return str(inside) if word.startswith("/") and ".." not in word and inside.exists() else word
