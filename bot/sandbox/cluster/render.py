"""As much of kustomize as the sandbox needs, held to the real one where that is installed; the rest is refused."""

import copy
import posixpath
from collections.abc import Callable, Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

Read = Callable[[str], bytes | None]
Document = dict[str, Any]

_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_KNOWN = {
    "apiVersion", "kind", "resources", "images", "namespace", "labels", "replicas", "patches", "namePrefix", "commonAnnotations", "components",
}  # fmt: skip
_WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet", "Job"}
_DEEPEST = 20


class CannotRender(Exception):
    """What is wrong with the kustomization, or what the sandbox does not know of it."""


def render(read: Read, folder: str, depth: int = 0) -> list[Document]:
    """Every object of the kustomization in this folder, with all of its transformations. Raises CannotRender."""
    if depth > _DEEPEST:
        raise CannotRender(f"{folder}: kustomizations include each other")
    kustomization = _kustomization(read, folder)
    unknown = sorted(set(kustomization) - _KNOWN)
    if unknown:
        raise CannotRender(f"{folder}: the sandbox does not know {', '.join(unknown)}")
    documents = []
    for resource in (*_list(kustomization, "resources"), *_list(kustomization, "components")):
        documents += _resource(read, posixpath.normpath(posixpath.join(folder, str(resource))), depth)
    for change in (_patches(read, folder), _names, _labels, _annotations, _replicas, _images):
        change(kustomization, documents)
    return documents


def _kustomization(read: Read, folder: str) -> Document:
    for name in _NAMES:
        data = read(posixpath.join(folder, name))
        if data is not None:
            found = _documents(data, posixpath.join(folder, name))
            return found[0] if found else {}
    raise CannotRender(f"{folder}: app path does not exist, or has no kustomization.yaml")


def _resource(read: Read, path: str, depth: int) -> list[Document]:
    if path.startswith(".."):
        raise CannotRender(f"{path}: outside the repo")
    data = read(path)
    return _documents(data, path) if data is not None else render(read, path, depth + 1)


def _documents(data: bytes, path: str) -> list[Document]:
    try:
        found = list(YAML(typ="safe", pure=True).load_all(data))
    except (YAMLError, UnicodeDecodeError, ValueError) as error:
        raise CannotRender(f"{path}: not YAML: {' '.join(str(error).split())[:200]}") from error
    if not all(isinstance(document, dict) for document in found if document is not None):
        raise CannotRender(f"{path}: not a mapping")
    return [document for document in found if document]


def _list(kustomization: Document, key: str) -> list[Any]:
    value = kustomization.get(key) or []
    if not isinstance(value, list):
        raise CannotRender(f"{key} is not a list")
    return value


def _patches(read: Read, folder: str) -> Callable[[Document, list[Document]], None]:
    def change(kustomization: Document, documents: list[Document]) -> None:
        for entry in _list(kustomization, "patches"):
            path = (
                posixpath.normpath(posixpath.join(folder, str(entry["path"]))) if "path" in entry else "patch"
            )
            data = read(path) if "path" in entry else str(entry.get("patch", "")).encode()
            if data is None:
                raise CannotRender(f"{path}: no such patch")
            for patch in _documents(data, path):
                _patch(documents, patch, entry.get("target") or {})

    return change


def _patch(documents: list[Document], patch: Document, target: Mapping[str, Any]) -> None:
    kind = target.get("kind") or patch.get("kind")
    name = target.get("name") or (patch.get("metadata") or {}).get("name")
    found = [
        d for d in documents if d.get("kind") == kind and (name is None or d["metadata"]["name"] == name)
    ]
    if not found:
        raise CannotRender(f"no object for the patch of {kind} {name}")
    for document in found:
        _merge(document, patch)


def _merge(base: Document, patch: Document) -> None:
    for key, value in patch.items():
        if value is None:
            base.pop(key, None)
        elif isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        elif _named(value) and _named(base.get(key)):
            _merge_lists(base[key], value)
        else:
            base[key] = copy.deepcopy(value)


def _named(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) and "name" in v for v in value)


def _merge_lists(base: list[Document], patch: list[Document]) -> None:
    by_name = {item["name"]: item for item in base}
    for item in patch:
        if item["name"] in by_name:
            _merge(by_name[item["name"]], item)
        else:
            base.append(copy.deepcopy(item))


def _names(kustomization: Document, documents: list[Document]) -> None:
    prefix, namespace = kustomization.get("namePrefix"), kustomization.get("namespace")
    for document in documents:
        metadata = document.setdefault("metadata", {})
        if prefix:
            metadata["name"] = f"{prefix}{metadata['name']}"
        if namespace and document.get("kind") != "Namespace":
            metadata["namespace"] = namespace


def _labels(kustomization: Document, documents: list[Document]) -> None:
    for entry in _list(kustomization, "labels"):
        pairs = entry.get("pairs") or {}
        for document in documents:
            document.setdefault("metadata", {}).setdefault("labels", {}).update(pairs)
            if document.get("kind") in _WORKLOADS and (
                entry.get("includeTemplates") or entry.get("includeSelectors")
            ):
                template = document["spec"].setdefault("template", {}).setdefault("metadata", {})
                template.setdefault("labels", {}).update(pairs)
            if entry.get("includeSelectors"):
                _select(document, pairs)


def _select(document: Document, pairs: Mapping[str, str]) -> None:
    if document.get("kind") == "Service":
        document["spec"].setdefault("selector", {}).update(pairs)
    elif document.get("kind") in _WORKLOADS - {"Job"}:
        document["spec"].setdefault("selector", {}).setdefault("matchLabels", {}).update(pairs)


def _annotations(kustomization: Document, documents: list[Document]) -> None:
    for document in documents if kustomization.get("commonAnnotations") else ():
        document["metadata"].setdefault("annotations", {}).update(kustomization["commonAnnotations"])


def _replicas(kustomization: Document, documents: list[Document]) -> None:
    for entry in _list(kustomization, "replicas"):
        found = [
            d for d in documents if d["metadata"]["name"] == entry["name"] and d.get("kind") in _WORKLOADS
        ]
        if not found:
            raise CannotRender(f"replicas: there is no workload {entry['name']}")
        for document in found:
            document["spec"]["replicas"] = entry["count"]


def _images(kustomization: Document, documents: list[Document]) -> None:
    for entry in _list(kustomization, "images"):
        for document in documents:
            for container in containers(document):
                container["image"] = _image(str(container.get("image", "")), entry)


def _image(reference: str, entry: Mapping[str, Any]) -> str:
    name, tag, digest = split(reference)
    if name != entry.get("name"):
        return reference
    if "newTag" in entry or "digest" in entry:
        # kustomize 5 writes both; one of the two replaces both that were there (checked against it).
        tag, digest = str(entry.get("newTag") or ""), str(entry.get("digest") or "")
    if entry.get("newTag") is not None and not isinstance(entry["newTag"], str):
        raise CannotRender(f"images: newTag of {name} is not a string")
    name = str(entry.get("newName") or name)
    return name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def split(reference: str) -> tuple[str, str, str]:
    """Name, tag and digest of an image reference; a port in the host is no tag."""
    name, _, digest = reference.partition("@")
    last = name.rpartition("/")[2]
    tag = last.partition(":")[2]
    return (name[: -len(tag) - 1] if tag else name), tag, digest


def containers(document: Document) -> list[Document]:
    """The containers of a workload, init containers first."""
    spec = ((document.get("spec") or {}).get("template") or {}).get("spec") or {}
    return [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
