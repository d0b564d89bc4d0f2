"""Kinds of which Argo CD's Healthy may be the version before, as far as that serves, so that their pods decide.

An InferenceService has no generation that Argo CD could compare, and without Knative its Ready is the Available of a
Deployment, which old pods keep true through a rollout that never ends (kserve, PropagateRawStatus). A Canary and a Knative
Service rest until their controller comes. With `OnDelete` or a partition a StatefulSet or DaemonSet is Healthy with old
pods (argo-cd, health_statefulset.go and health_daemonset.go). A Rollout's Healthy is of what it was asked for, but old
pods may serve a while.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.adapters.argocd.places import Place, applied, own_health, place_of, pods_by_root
from bot.adapters.argocd.room import is_gone
from bot.core.fields import child, maps, text, texts
from bot.core.images import carries, of_same_repository
from bot.core.telling import excerpt
from bot.core.verdict import Claim, Outcome, Verdict

# The kind as a `workload:` check names it; empty where there is none.
_CHECKS = {
    ("serving.kserve.io", "InferenceService"): "inferenceservice",
    ("serving.kserve.io", "LLMInferenceService"): "",
    ("serving.knative.dev", "Service"): "",
    ("argoproj.io", "Rollout"): "rollout",
    ("flagger.app", "Canary"): "canary",
    ("machinelearning.seldon.io", "SeldonDeployment"): "",
    ("ray.io", "RayService"): "",
    ("apps", "StatefulSet"): "statefulset",
    ("apps", "DaemonSet"): "daemonset",
}
AUTOSCALER = ("autoscaling", "HorizontalPodAutoscaler")
_CONDITIONS = ("InferenceService", "LLMInferenceService", "Service")


@dataclass(frozen=True, slots=True)
class Indirect:
    """Such objects of an Application, and what their pods say against the claim.

    `old` are images of the version before with whose pods they are, where the tree tells (else that of the first such
    object), `unwell` new pods that are not healthy, in words. `told` is whether there was a tree.
    """

    places: tuple[Place, ...]
    old: tuple[tuple[Place, str], ...] = ()
    unwell: tuple[str, ...] = ()
    told: bool = False


NOTHING = Indirect(())


def places(document: Mapping[str, Any]) -> tuple[Place, ...]:
    """The objects of such kinds that the Application manages. Never raises."""
    found = (place_of(item) for item in maps(child(document, "status"), "resources"))
    return tuple(place for place in found if place[:2] in _CHECKS)


def wants_tree(document: Mapping[str, Any], verdict: Verdict) -> bool:
    """Whether the resource tree may change the verdict: it tells whose pods run what, and how they are."""
    if verdict.outcome is Outcome.FAILED:
        return True
    healthy = own_health(child(document, "status")) == "Healthy"
    return healthy and verdict.outcome in (Outcome.SUCCEEDED, Outcome.PENDING) and bool(places(document))


def read_indirect(
    document: Mapping[str, Any], documents: Sequence[Mapping[str, Any]], claim: Claim
) -> Indirect:
    """What there is of it in the document and in the tree, if that is among the documents. Never raises."""
    found = places(document)
    if not found:
        return NOTHING
    roots = pods_by_root(documents)
    if not roots:
        return Indirect(found, tuple((found[0], image) for image in _left(document, claim)))
    pods = [(place, pod) for place in found for pod in roots.get(place, ()) if not is_gone(pod)]
    listed = [(place, image) for place, pod in pods for image in texts(pod.get("images"))]
    old = tuple(dict.fromkeys(item for item in listed if _is_old(item[1], claim)))
    new = [pod for _, pod in pods if any(carries(image, claim.image) for image in texts(pod.get("images")))]
    unwell = tuple(
        f"Pod {text(pod, 'name')} is {own_health(pod)}"
        for pod in new
        if own_health(pod) not in ("", "Healthy")
    )
    return Indirect(found, old, unwell, told=True)


def _left(document: Mapping[str, Any], claim: Claim) -> tuple[str, ...]:
    """Images of before among all pods of the Application, without those that its last sync gave to something."""
    status = child(document, "status")
    meant = {image for images in applied(document).values() for image in images}
    running = texts(child(status, "summary").get("images"))
    return tuple(image for image in running if image not in meant and _is_old(image, claim))


def _is_old(image: str, claim: Claim) -> bool:
    return of_same_repository(image, claim.image) and not carries(image, claim.image)


def flickering(document: Mapping[str, Any]) -> Place | None:
    """What may make it Degraded for a while only: such an object is as soon as one of its conditions is False.

    argo-cd, resource_customizations of InferenceService and Knative's Service; gitops-engine, health_hpa.go: an autoscaler
    is until the new pods have metrics. Of those that are told to be Degraded all must be of such a kind.
    """
    status = child(document, "status")
    health = own_health(status)
    unwell = [place_of(item) for item in maps(status, "resources") if own_health(item) == health]
    managed = map(place_of, maps(status, "resources"))
    autoscalers = [place for place in managed if place[:2] == AUTOSCALER]
    of_conditions = [*(place for place in places(document) if place[1] in _CONDITIONS), *autoscalers]
    mine = unwell or of_conditions
    return mine[0] if mine and all(place in of_conditions for place in mine) else None


def name(place: Place) -> str:
    """`InferenceService churn`."""
    return excerpt(f"{place[1]} {place[3]}", 120)


def cure(place: Place) -> str:
    """What proves more about such an object."""
    kind = _CHECKS[place[:2]]
    check = f"workload: {kind}/{excerpt(place[3], 80)}" if kind else "prediction:"
    return f"a check by `{check}` in `verify:` proves more"
