"""As much of kustomize as the sandbox needs, held to the real one where that is installed; the rest is refused."""

import functools
import posixpath
from collections.abc import Callable
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bot.sandbox.cluster.manifest import CannotRender, Document, copied, entries, listed
from bot.sandbox.cluster.patches import patch
from bot.sandbox.cluster.transforms import transform

Read = Callable[[str], bytes | None]
"""A file's bytes by its path in the repo, or None where there is none."""

_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_KNOWN = {
    "apiVersion", "kind", "metadata", "resources", "images", "namespace", "labels", "replicas", "patches",
    "namePrefix", "commonAnnotations", "components",
}  # fmt: skip
_DEEPEST = 20


def render(read: Read, folder: str, depth: int = 0) -> list[Document]:
    """Every object of the kustomization in this folder, with all of its changes. Raises CannotRender."""
    kustomization = _known(read, folder, "Kustomization", depth)
    documents: list[Document] = []
    _apply(read, folder, kustomization, documents, depth)
    return documents


def _apply(read: Read, folder: str, kustomization: Document, documents: list[Document], depth: int) -> None:
    """Add what a kustomization brings and change all that is there: a component works on what others brought, too."""
    for resource in listed(kustomization, "resources"):
        documents += _resource(read, _inside(folder, str(resource)), depth)
    for component in listed(kustomization, "components"):
        within = _inside(folder, str(component))
        _apply(read, within, _known(read, within, "Component", depth + 1), documents, depth + 1)
    _patches(read, folder, kustomization, documents)
    transform(kustomization, documents)


def _known(read: Read, folder: str, kind: str, depth: int) -> Document:
    """The kustomization of this folder, if all of it is known here."""
    if depth > _DEEPEST:
        raise CannotRender(f"{folder}: kustomizations include each other")
    kustomization = _kustomization(read, folder)
    unknown = sorted(set(kustomization) - _KNOWN)
    if unknown:
        raise CannotRender(f"{folder}: the sandbox does not know {', '.join(unknown)}")
    if kustomization.get("kind", "Kustomization") != kind:
        raise CannotRender(f"{folder}: this is not a {kind}")
    return kustomization


def _kustomization(read: Read, folder: str) -> Document:
    for name in _NAMES:
        data = read(posixpath.join(folder, name))
        if data is not None:
            found = _documents(data, posixpath.join(folder, name))
            return found[0] if found else {}
    raise CannotRender(f"{folder}: app path does not exist, or has no kustomization.yaml")


def _resource(read: Read, path: str, depth: int) -> list[Document]:
    data = read(path)
    if data is None:
        return render(read, path, depth + 1)
    documents = _documents(data, path)
    for document in documents:
        metadata = document.get("metadata")
        if not isinstance(document.get("kind"), str) or not isinstance(metadata, dict):
            raise CannotRender(f"{path}: an object without kind or metadata")
        if not isinstance(metadata.get("name"), str):
            raise CannotRender(f"{path}: an object without a name")
    return documents


def _patches(read: Read, folder: str, kustomization: Document, documents: list[Document]) -> None:
    for entry in entries(kustomization, "patches"):
        path = _inside(folder, str(entry["path"])) if "path" in entry else f"{folder}: patch"
        data = read(path) if "path" in entry else str(entry.get("patch", "")).encode()
        if data is None:
            raise CannotRender(f"{path}: no such patch")
        target = entry.get("target")
        if target is not None and not isinstance(target, dict):
            raise CannotRender(f"{path}: target is not a mapping")
        for change in _documents(data, path):
            patch(documents, change, target)


def _inside(folder: str, path: str) -> str:
    found = posixpath.normpath(posixpath.join(folder, path))
    if found.startswith(("..", "/")):
        raise CannotRender(f"{path}: outside the repo")
    return found


def _documents(data: bytes, path: str) -> list[Document]:
    try:
        found = copied(_parsed(data))
    except (YAMLError, ValueError, RecursionError) as error:
        raise CannotRender(f"{path}: not YAML: {' '.join(str(error).split())[:200]}") from error
    if not all(isinstance(document, dict) for document in found if document is not None):
        raise CannotRender(f"{path}: not a mapping")
    return [document for document in found if document]


@functools.lru_cache(maxsize=256)  # every look renders, and few files change
def _parsed(data: bytes) -> list[Any]:
    return list(YAML(typ="safe", pure=True).load_all(data))
