"""The Deployment behind an Application, where it is among the documents: it may veto what Argo CD still believes."""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.core.images import carries
from bot.core.verdict import Claim


def objection(documents: Sequence[Mapping[str, Any]], claim: Claim) -> str | None:
    """Why the claim's Deployment does not serve the image now, in words; None when it does or is not known.

    Argo CD tells of a change made by hand only half a second later (recordings 15, 15b).
    """
    for document in documents:
        if document.get("kind") == "Deployment" and _name(document) == claim.deployment:
            return _objection(document, claim)
    return None


def _objection(document: Mapping[str, Any], claim: Claim) -> str | None:
    metadata, spec, status = (_map(document.get(key)) for key in ("metadata", "spec", "status"))
    containers = _map(_map(spec.get("template")).get("spec")).get("containers")
    images = [_map(item).get("image") for item in containers] if isinstance(containers, list) else []
    if not any(isinstance(image, str) and carries(image, claim.image) for image in images):
        return f"the Deployment {claim.deployment} asks for another image"
    if status.get("observedGeneration") != metadata.get("generation"):
        return f"the Deployment {claim.deployment} was changed just now"
    counted = {status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")}
    if counted != {spec.get("replicas", 1)}:
        return f"not all pods of the Deployment {claim.deployment} are new and available"
    return None


def _name(document: Mapping[str, Any]) -> Any:
    return _map(document.get("metadata")).get("name")


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
