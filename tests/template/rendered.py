"""The template's kustomizations, rendered by the sandbox and by the real kustomize where that is installed."""

import copy
import functools
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from bot.sandbox.cluster.render import render
from tests.parts import require

TEMPLATE = Path(__file__).parents[2] / "gitops-template"
IMAGE = "ghcr.io/acme/fraud-detector"
OVERLAYS = {
    "staging": "apps/inference-service/overlays/staging",
    "production": "apps/inference-service/overlays/production",
    "blue-green": "components/blue-green/overlays/production",
    "canary": "components/canary/overlays/production",
}
RENDERERS = ("sandbox", "kubectl")

Document = dict[str, Any]


def rendered(folder: str, by: str = "sandbox", root: Path = TEMPLATE) -> list[Document]:
    """The objects of a kustomization, by kind and name."""
    found = _once(folder, by) if root == TEMPLATE else _rendered(folder, by, root)
    return copy.deepcopy(sorted(found, key=lambda document: (document["kind"], document["metadata"]["name"])))


def one(documents: list[Document], kind: str, name: str | None = None) -> Document:
    """The one object of this kind, and of this name where there are several."""
    [found] = [
        document
        for document in documents
        if document["kind"] == kind and name in (None, document["metadata"]["name"])
    ]
    return found


def kustomizations(root: Path = TEMPLATE) -> list[Path]:
    """Every kustomization of the template, components too."""
    return sorted(root.rglob("kustomization.yaml"))


def copied(to: Path, *folders: str) -> Path:
    """A copy of these folders and files of the template, as a person would make it."""
    for name in folders:
        place = TEMPLATE / name
        for path in place.rglob("*") if place.is_dir() else [place]:
            if path.is_file():
                place_there = to / path.relative_to(TEMPLATE)
                place_there.parent.mkdir(parents=True, exist_ok=True)
                place_there.write_bytes(path.read_bytes())
    return to


@functools.cache
def _once(folder: str, by: str) -> list[Document]:
    return _rendered(folder, by, TEMPLATE)


def _rendered(folder: str, by: str, root: Path) -> list[Document]:
    return _by_sandbox(folder, root) if by == "sandbox" else _by_kubectl(root / folder)


def _by_sandbox(folder: str, root: Path) -> list[Document]:
    def read(path: str) -> bytes | None:
        return (root / path).read_bytes() if (root / path).is_file() else None

    return render(read, folder)


def _by_kubectl(folder: Path) -> list[Document]:
    kubectl = require(
        "kubectl",
        "see https://kubernetes.io/docs/tasks/tools/ (1.27 or newer)",
        _renders_digests,
        packaged=False,
    )
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return list(yaml.safe_load_all(done.stdout))


@functools.cache
def _renders_digests(kubectl: str) -> bool:
    # kubectl 1.27 brings kustomize 5, which renders tag and digest together.
    command = [kubectl, "version", "--client"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(r"v1\.(\d+)", said)
    return found is not None and int(found[1]) >= 27
