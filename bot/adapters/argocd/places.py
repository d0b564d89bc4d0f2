"""The objects of an Application by where they are, and whose the pods in its resource tree are."""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.core.fields import child, maps, text

TREE = "ApplicationTree"
Place = tuple[str, str, str, str]  # group, kind, namespace, name

_DEEPEST = 20


def place_of(holder: Mapping[str, Any]) -> Place:
    """Where an object is that a document of Argo CD names."""
    return text(holder, "group"), text(holder, "kind"), text(holder, "namespace"), text(holder, "name")


def own_health(holder: Mapping[str, Any]) -> str:
    """The health that is told of an object; empty where none is."""
    return text(child(holder, "health"), "status")


def roots(documents: Sequence[Mapping[str, Any]]) -> Mapping[Place, Sequence[Mapping[str, Any]]]:
    """By each object of the Application itself what belongs to it in the end, itself too; empty without a tree."""
    tree = next((item for item in documents if item.get("kind") == TREE), {})
    listed = maps(tree, "nodes")
    nodes = {uid: node for node in listed if (uid := text(node, "uid"))}
    found: dict[Place, list[Mapping[str, Any]]] = {}
    for node in listed:
        found.setdefault(place_of(_root(node, nodes)), []).append(node)
    return found


def pods_by_root(
    documents: Sequence[Mapping[str, Any]],
) -> Mapping[Place, Sequence[Mapping[str, Any]]]:
    """The same of pods alone."""
    return {
        place: [node for node in nodes if text(node, "kind") == "Pod"]
        for place, nodes in roots(documents).items()
    }


def _root(node: Mapping[str, Any], nodes: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    for _ in range(_DEEPEST):
        known = (nodes[uid] for item in maps(node, "parentRefs") if (uid := text(item, "uid")) in nodes)
        parent = next(known, None)
        if parent is None:
            break
        node = parent
    return node
