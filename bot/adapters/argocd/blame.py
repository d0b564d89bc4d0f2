"""Whose fault it is that an Application is not well: health is the worst of all that it deploys (recording 24)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bot.core.fields import child, maps, text, texts
from bot.core.images import carries, of_same_repository
from bot.core.verdict import Claim

TREE = "ApplicationTree"
Place = tuple[str, str, str, str]  # group, kind, namespace, name

# These may run the image, or stand for what does, without its being told.
_MAY_RUN = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod", "Rollout", "Canary", "InferenceService")  # fmt: skip
_KNATIVE = "serving.knative.dev"
_DEEPEST = 20


def others(document: Mapping[str, Any], documents: Sequence[Mapping[str, Any]], claim: Claim) -> str:
    """Which objects alone make the Application what it is, where none of them runs the claim's image; else empty.

    Only the API's answer about a single Application names them, and its resource tree, which may be among the documents
    (fixtures/argocd/README.md, section (a)). Where it is not known what runs the image, nobody is acquitted. Never raises.
    """
    status = child(document, "status")
    health = text(child(status, "health"), "status")
    running, roots = _running(documents)
    applied = {_place(item): texts(item.get("images")) for item in _applied(status)}
    unwell = _unwell(maps(status, "resources"), health) or _unwell(roots, health)
    runners = {
        place
        for images in (applied, running)
        for place, listed in images.items()
        if any(carries(one, claim.image) for one in listed)
    }
    if not runners and claim.deployment is None:
        return ""
    if any(_may_run(place, runners, applied, running, claim) for place in unwell):
        return ""
    return ", ".join(f"{kind} {name}" for _, kind, _, name in unwell[:3])


def _may_run(
    place: Place,
    runners: set[Place],
    applied: Mapping[Place, Sequence[str]],
    running: Mapping[Place, Sequence[str]],
    claim: Claim,
) -> bool:
    group, kind, _, name = place
    if place in runners or (kind in _MAY_RUN and name == claim.deployment):
        return True
    if applied.get(place):
        return False
    if running.get(place):
        # Of what failed, perhaps only the pods of before are left.
        return any(of_same_repository(one, claim.image) for one in running[place])
    return kind in _MAY_RUN or group == _KNATIVE


def _unwell(resources: Iterable[Mapping[str, Any]], health: str) -> list[Place]:
    return [_place(item) for item in resources if health and text(child(item, "health"), "status") == health]


def _applied(status: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What the last sync was about, with the images that it gave to each."""
    return maps(child(child(status, "operationState"), "syncResult"), "resources")


def _running(
    documents: Sequence[Mapping[str, Any]],
) -> tuple[Mapping[Place, Sequence[str]], Sequence[Mapping[str, Any]]]:
    """The images of the live pods by the object of the Application that they belong to in the end; and those objects."""
    tree = next((item for item in documents if item.get("kind") == TREE), {})
    nodes = {text(node, "uid"): node for node in maps(tree, "nodes")}
    found: dict[Place, list[str]] = {}
    for node in nodes.values():
        found.setdefault(_place(_root(node, nodes)), []).extend(texts(node.get("images")))
    return found, [node for node in nodes.values() if _root(node, nodes) is node]


def _root(node: Mapping[str, Any], nodes: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    for _ in range(_DEEPEST):
        known = (nodes[uid] for item in maps(node, "parentRefs") if (uid := text(item, "uid")) in nodes)
        parent = next(known, None)
        if parent is None:
            break
        node = parent
    return node


def _place(holder: Mapping[str, Any]) -> Place:
    return text(holder, "group"), text(holder, "kind"), text(holder, "namespace"), text(holder, "name")
