"""Flux's notifications, as its provider `generic-hmac` sends them (fixtures/flux, section (e) and "Notifications").

Failures that stand in an object for milliseconds only arrive here. Nothing in a notification is fresh or complete:
success is told before the object says so, and identical ones are dropped for five minutes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.core.target import Catalogue, Flux
from bot.web.webhooks.sender import BadDelivery, BadSignature, Reading, header, json_object, signed, words

if TYPE_CHECKING:
    from bot.web.doors import Doors

SIGNATURE = "X-Signature"

# What any Kustomization or HelmRelease may be made from; which, only the cluster knows.
_SOURCES = frozenset(
    {"GitRepository", "OCIRepository", "Bucket", "HelmRepository", "HelmChart", "ExternalArtifact"}
)


@dataclass(frozen=True, slots=True)
class Hint:
    """The object that may have changed."""

    event: str
    kind: str
    namespace: str
    name: str


def read(doors: "Doors", headers: Mapping[str, str], body: bytes) -> Reading:
    """Verify a delivery by its signature, and name the targets that it may concern."""
    if not signed(doors.flux_secrets(), header(headers, SIGNATURE), body):
        raise BadSignature(
            "the signature does not fit: is the provider's type generic-hmac, and its token the same as here?"
        )
    hint = interpret(json_object(body))
    return Reading(hint.event, targets_of(hint, doors.catalogue()))


def interpret(body: Mapping[str, Any]) -> Hint:
    """What a notification hints at. Raises `BadDelivery` when it lacks the object that Flux always names."""
    involved = body.get("involvedObject")
    if not isinstance(involved, Mapping):
        raise BadDelivery("a notification without the object involvedObject")
    kind, namespace, name = (_text(involved, key) for key in ("kind", "namespace", "name"))
    event = f"{words(kind, 'object')} {words(body.get('reason'), 'event')}"
    return Hint(event, kind, namespace, name)


def targets_of(hint: Hint, catalogue: Catalogue) -> tuple[str, ...]:
    """The targets that this Kustomization or HelmRelease applies; every one with Flux when a source changed."""
    return tuple(
        target.name
        for target in catalogue.targets.values()
        if isinstance(target.rollout, Flux) and _concerns(hint, target.rollout)
    )


def _concerns(hint: Hint, rollout: Flux) -> bool:
    if hint.kind in _SOURCES:
        return True
    told = (hint.kind, hint.namespace, hint.name)
    release = rollout.helm_namespace or rollout.namespace, rollout.helm_release
    return told in {
        ("Kustomization", rollout.namespace, rollout.kustomization),
        ("HelmRelease", *release),
    }


def _text(involved: Mapping[str, Any], key: str) -> str:
    value = involved.get(key)
    if not isinstance(value, str) or not value:
        raise BadDelivery(f"a notification without the text involvedObject.{key}")
    return value
