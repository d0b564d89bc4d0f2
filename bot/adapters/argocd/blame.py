"""Whose fault it is that an Application is not well: health is the worst of all that it deploys (recording 24)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bot.adapters.argocd.places import Place, applied, own_health, place_of, roots
from bot.core.fields import child, maps, text, texts
from bot.core.images import carries, of_same_repository
from bot.core.verdict import Claim

# These may run the image, or stand for what does, without its being told.
_MAY_RUN = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod", "Rollout", "Canary", "InferenceService")  # fmt: skip
_KNATIVE = "serving.knative.dev"
# These become Degraded by themselves, whatever image anything runs (argo-cd, resource_customizations).
_SUSPECTS = (
    "CronJob", "Job", "PersistentVolumeClaim", "ExternalSecret", "SecretStore", "SealedSecret", "Certificate", "Issuer",
    "ScaledObject", "Application", "Workflow", "APIService",
)  # fmt: skip


def others(document: Mapping[str, Any], documents: Sequence[Mapping[str, Any]], claim: Claim) -> str:
    """Which objects alone make the Application what it is, where none of them runs the claim's image; else empty.

    Only the API's answer about a single Application names them, and its resource tree, which may be among the documents
    (fixtures/argocd/README.md, section (a)). Where it is not known what runs the image, nobody is acquitted. Never raises.
    """
    status = child(document, "status")
    health, found = own_health(status), roots(documents)
    running = {place: [image for node in nodes for image in texts(node.get("images"))] for place, nodes in found.items()}  # fmt: skip
    tops = [node for place, nodes in found.items() for node in nodes if place_of(node) == place]
    synced = applied(document)
    unwell = _unwell(maps(status, "resources"), health) or _unwell(tops, health)
    runners = {
        place
        for images in (synced, running)
        for place, listed in images.items()
        if any(carries(one, claim.image) for one in listed)
    }
    if not runners and claim.deployment is None:
        return ""
    if any(_may_run(place, runners, synced, running, claim) for place in unwell):
        return ""
    return ", ".join(f"{kind} {name}" for _, kind, _, name in unwell[:3])


def drifted(document: Mapping[str, Any], claim: Claim) -> str:
    """What alone makes the Application OutOfSync, where the sync says what runs the image and that is Synced; else empty.

    An autoscaler, a certificate or a rest that is not pruned keeps many an Application OutOfSync for ever.
    """
    status = child(document, "status")
    synced = applied(document)
    runners = {place for place, listed in synced.items() if any(carries(one, claim.image) for one in listed)}
    words = {place_of(item): text(item, "status") for item in maps(status, "resources")}
    out = [place for place, word in words.items() if word == "OutOfSync"]
    if not runners or any(words.get(place) != "Synced" for place in runners):
        return ""
    if any(_may_run(place, runners, synced, {}, claim) for place in out):
        return ""
    return ", ".join(f"{kind} {name}" for _, kind, _, name in out[:3])


def suspects(document: Mapping[str, Any]) -> str:
    """What else may make the Application Degraded where the document tells no health per resource; else empty.

    The object in the Kubernetes API never does since Argo CD 3.0 (`resourceHealthSource: appTree`).
    """
    resources = maps(child(document, "status"), "resources")
    if any(own_health(item) for item in resources):
        return ""
    # A hook's health is its sync's business (argo-cd, controller/health.go).
    places = [place_of(item) for item in resources if item.get("hook") is not True]
    found = [(kind, name) for _, kind, _, name in places if kind in _SUSPECTS]
    return ", ".join(f"{kind} {name}" for kind, name in found[:3])


def _may_run(
    place: Place,
    runners: set[Place],
    synced: Mapping[Place, Sequence[str]],
    running: Mapping[Place, Sequence[str]],
    claim: Claim,
) -> bool:
    group, kind, _, name = place
    if place in runners or (kind in _MAY_RUN and name == claim.deployment):
        return True
    if synced.get(place):
        return False
    if running.get(place):
        # Of what failed, perhaps only the pods of before are left.
        return any(of_same_repository(one, claim.image) for one in running[place])
    return kind in _MAY_RUN or group == _KNATIVE


def _unwell(resources: Iterable[Mapping[str, Any]], health: str) -> list[Place]:
    return [place_of(item) for item in resources if health and own_health(item) == health]
