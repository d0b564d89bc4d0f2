"""The objects of an Application by where they are, and whose the pods in its resource tree are."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.core.fields import child, maps, text, texts

TREE = "ApplicationTree"
Place = tuple[str, str, str, str]  # group, kind, namespace, name

_DEEPEST = 20


def place_of(holder: Mapping[str, Any]) -> Place:
    """Where an object is that a document of Argo CD names."""
    return text(holder, "group"), text(holder, "kind"), text(holder, "namespace"), text(holder, "name")


def own_health(holder: Mapping[str, Any]) -> str:
    """The health that is told of an object; empty where none is."""
    return text(child(holder, "health"), "status")


def applied(document: Mapping[str, Any]) -> Mapping[Place, Sequence[str]]:
    """What the last sync was about, with the images that it gave to each."""
    result = child(child(document, "status"), "operationState", "syncResult")
    return {place_of(item): texts(item.get("images")) for item in maps(result, "resources")}


def roots(documents: Sequence[Mapping[str, Any]]) -> Mapping[Place, Sequence[Mapping[str, Any]]]:
    """By each object of the Application itself what belongs to it in the end, itself too; empty without a tree."""
    tree = next((item for item in documents if item.get("kind") == TREE), {})
    listed = maps(tree, "nodes")
    known, found = by_identity(listed), dict[Place, list[Mapping[str, Any]]]()
    for node in listed:
        *_, top = line(node, known)
        found.setdefault(place_of(top), []).append(node)
    return found


def pods_by_root(
    documents: Sequence[Mapping[str, Any]],
) -> Mapping[Place, Sequence[Mapping[str, Any]]]:
    """The same of pods alone."""
    return {
        place: [node for node in nodes if text(node, "kind") == "Pod"]
        for place, nodes in roots(documents).items()
    }


def by_identity(nodes: Sequence[Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    """The nodes by their uid, where they have one."""
    return {uid: item for item in nodes if (uid := text(item, "uid"))}


def line(node: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """A node and what it belongs to, up to the object that the Application itself has."""
    for _ in range(_DEEPEST):
        yield node
        parents = (known[uid] for item in maps(node, "parentRefs") if (uid := text(item, "uid")) in known)
        parent = next(parents, None)
        if parent is None:
            return
        node = parent
