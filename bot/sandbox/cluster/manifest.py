"""Kubernetes objects as plain documents, and what the rendering of them shares."""

from typing import Any, TypeVar, cast

Document = dict[str, Any]
Value = TypeVar("Value")

WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet", "Job"}
CLUSTER_WIDE = {
    "Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "PersistentVolume", "StorageClass",
    "PriorityClass", "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "APIService", "IngressClass",
}  # fmt: skip


class CannotRender(Exception):
    """What is wrong with the kustomization, or what the sandbox does not know of it."""


def copied(value: Value) -> Value:
    """What is in a document, for somebody who may change it: mappings and lists are new ones, the rest cannot be changed."""
    # A cluster copies its objects all the time, and `copy.deepcopy` takes several times as long.
    if isinstance(value, dict):
        return cast("Value", {key: copied(item) for key, item in value.items()})
    if isinstance(value, list):
        return cast("Value", [copied(item) for item in value])
    return value


def entries(kustomization: Document, key: str, *required: str) -> list[Document]:
    """The entries of a list in a kustomization, each of which must have these keys. Raises CannotRender."""
    found = listed(kustomization, key)
    for entry in found:
        missing = [name for name in required if not isinstance(entry, dict) or entry.get(name) is None]
        if missing or not isinstance(entry, dict):
            raise CannotRender(f"{key}: an entry lacks {', '.join(missing) or 'its keys'}")
    return found


def listed(kustomization: Document, key: str) -> list[Any]:
    """A list in a kustomization; empty where there is none. Raises CannotRender for anything else."""
    value = kustomization.get(key) or []
    if not isinstance(value, list):
        raise CannotRender(f"{key} is not a list")
    return value


def inner(document: Document, *path: str) -> Document:
    """The mapping at this path, made where it is missing. Raises CannotRender when something else is there."""
    here = document
    for key in path:
        if here.get(key) is None:
            here[key] = {}
        here = here[key]
        if not isinstance(here, dict):
            raise CannotRender(f"{document.get('kind')}: {key} is not a mapping")
    return here


def containers(document: Document) -> list[Document]:
    """The containers of a workload, init containers first. Whatever is no container is left out."""
    here: Any = document
    for key in ("spec", "template", "spec"):
        here = here.get(key) if isinstance(here, dict) else None
    lists = [here.get(key) for key in ("initContainers", "containers")] if isinstance(here, dict) else []
    return [item for found in lists if isinstance(found, list) for item in found if isinstance(item, dict)]


def split(reference: str) -> tuple[str, str, str]:
    """Name, tag and digest of an image reference; a port in the host is no tag."""
    name, _, digest = reference.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return (name[: -len(tag) - 1] if tag else name), tag, digest
