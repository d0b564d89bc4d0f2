"""Reads what one verdict needs: the Kustomization, its source, the HelmRelease, and the workloads that they applied."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.adapters.flux.kinds import behind, images_of
from bot.adapters.flux.reading import source_of
from bot.adapters.flux.resources import HELM_RELEASE, KUSTOMIZATION, OLDER, OTHERS, POD, SOURCES, WORKLOADS
from bot.adapters.flux.wording import excerpt
from bot.adapters.flux.workload import images
from bot.core.fields import child, maps, text
from bot.core.images import of_same_repository
from bot.core.target import Flux
from bot.core.verdict import Claim
from bot.ports import Objects, Refused, Resource

_MOST_WORKLOADS = 20
_MOST_OTHERS = 20
_MOST_PODS = 50
_ELSEWHERE = (
    "it deploys to another cluster, by `spec.kubeConfig`, whose workloads are not seen from here: judge it by commit statuses"
    " (`through: forge`), and ask the model itself"
)
_RELEASE = "helm.toolkit.fluxcd.io"

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Applied:
    """An entry of an inventory: `<namespace>_<name>_apps_Deployment`."""

    kind: str
    namespace: str
    name: str
    group: str = "apps"


@dataclass(frozen=True, slots=True)
class Reading:
    """The documents of one look, and what the bot was not allowed to read of them."""

    documents: tuple[Document, ...]
    withheld: str | None = None


def kustomization(objects: Objects, rollout: Flux) -> Document:
    """The Kustomization, with its kind. `Refused` when there is none."""
    found = objects.get(KUSTOMIZATION, rollout.namespace, rollout.kustomization)
    if found is None:
        where = f"{excerpt(rollout.namespace, 80)}/{excerpt(rollout.kustomization, 80)}"
        raise Refused(f"there is no Kustomization {where}: correct `rollout:` or create it")
    return {**found, "kind": "Kustomization"}


def source(objects: Objects, of_it: Document) -> Document | None:
    """The source of a Kustomization, with its kind."""
    kind, namespace, name = source_of(of_it)
    found = _newest(objects, SOURCES[kind], kind, namespace, name) if kind in SOURCES and name else None
    return None if found is None else {**found, "kind": kind}


def release(objects: Objects, rollout: Flux) -> Document | None:
    """The HelmRelease that the rollout names; one that is not there yet is empty, and None where none is named."""
    if rollout.helm_release is None:
        return None
    namespace = rollout.helm_namespace or rollout.namespace
    found = _newest(objects, HELM_RELEASE, "HelmRelease", namespace, rollout.helm_release)
    missing = {"metadata": {"name": rollout.helm_release, "namespace": namespace}}
    return {**(found or missing), "kind": "HelmRelease"}


def _newest(objects: Objects, resource: Resource, kind: str, namespace: str, name: str) -> Document | None:
    """The object in the newest version of its API that the cluster has."""
    found = objects.get(resource, namespace, name)
    return found if found is not None or kind not in OLDER else objects.get(OLDER[kind], namespace, name)


def read(objects: Objects, rollout: Flux, claim: Claim) -> Reading:
    """Everything but the pods. Workloads that may not be read are left out and said."""
    app = kustomization(objects, rollout)
    found: list[Document] = [app]
    found += [item for item in (source(objects, app), release(objects, rollout)) if item is not None]
    if any(child(item, "spec").get("kubeConfig") for item in found):
        return Reading(tuple(found), _ELSEWHERE)
    try:
        found += _running(objects, found, claim)
    except Refused as problem:
        return Reading(tuple(found), str(problem))
    return Reading(tuple(found))


def applied(documents: Sequence[Document]) -> tuple[Applied, ...]:
    """The workloads in the inventories of these Kustomizations and HelmReleases, in their order."""
    return tuple(item for item in _entries(documents) if item.group == "apps" and item.kind in WORKLOADS)


def other(documents: Sequence[Document]) -> tuple[Applied, ...]:
    """What else may run images there: custom resources of known kinds, and jobs."""
    return tuple(item for item in _entries(documents) if (item.group, item.kind) in OTHERS)


def _entries(documents: Sequence[Document]) -> Iterator[Applied]:
    for document in documents:
        for entry in maps(child(child(document, "status"), "inventory"), "entries"):
            parts = text(entry, "id").split("_")
            if len(parts) == 4:
                yield Applied(kind=parts[3], namespace=parts[0], name=parts[1], group=parts[2])


def _running(objects: Objects, documents: Sequence[Document], claim: Claim) -> list[Document]:
    """The workloads of the image with what stands for them, or, where there are none, what else names the image.

    All or nothing: a Deployment is no proof while the Canary that may be trying it out cannot be read.
    """
    native = list(_workloads(objects, documents, claim))
    if claim.deployment is not None:
        return native
    spaces = {text(child(item, "metadata"), "namespace") for item in native}
    listed = [
        item
        for item in other(documents)
        if not native or (item.kind in ("Canary", "Rollout") and item.namespace in spaces)
    ]
    found = [*native, *_others(objects, listed[:_MOST_OTHERS], native, claim)]
    return [*found, *_behind(objects, found, claim)]


def _others(
    objects: Objects, listed: Sequence[Applied], native: Sequence[Document], claim: Claim
) -> Iterator[Document]:
    for item in listed:
        resource = OTHERS[item.group, item.kind]
        found = objects.get(resource, item.namespace, item.name)
        if found is None:
            continue
        document = {**found, "apiVersion": resource.version, "kind": item.kind}
        if any(of_same_repository(one, claim.image) for one in images_of(document, native)):
            yield document


def _behind(objects: Objects, documents: Sequence[Document], claim: Claim) -> Iterator[Document]:
    """A Canary's primary and an InferenceService's predictor: no inventory has them, and they serve."""
    places = dict.fromkeys(place for item in documents if (place := behind(item)) is not None)
    for kind, namespace, name in places:
        found = objects.get(WORKLOADS[kind], namespace, name)
        if found is not None and _concerns(found, claim):
            yield {**found, "kind": kind}


def _workloads(objects: Objects, documents: Sequence[Document], claim: Claim) -> Iterator[Document]:
    listed = applied(documents)
    if claim.deployment is not None:
        listed = tuple(item for item in listed if item.name == claim.deployment)
    for item in listed[:_MOST_WORKLOADS]:
        found = objects.get(WORKLOADS[item.kind], item.namespace, item.name)
        if found is not None and _concerns(found, claim):
            yield {**found, "kind": item.kind}
    for document in documents:
        if document.get("kind") == "HelmRelease" and "inventory" not in child(document, "status"):
            yield from _released(objects, document, claim)


def _released(objects: Objects, release: Document, claim: Claim) -> Iterator[Document]:
    """What a HelmRelease without an inventory has installed, by the labels that helm-controller has set ever since 0.9."""
    metadata = child(release, "metadata")
    name, home = text(metadata, "name"), text(metadata, "namespace")
    namespace = text(child(release, "spec"), "targetNamespace") or home
    labels = f"{_RELEASE}/name={name},{_RELEASE}/namespace={home}"
    if not child(release, "status") or not namespace:
        return
    known = 0
    for kind, resource in WORKLOADS.items():
        try:
            listed = objects.list(resource, namespace, labels=labels, limit=_MOST_WORKLOADS)
        except Refused:
            if known:
                return
            raise
        for found in listed:
            named = claim.deployment in (None, text(child(found, "metadata"), "name"))
            if named and _concerns(found, claim):
                known += 1
                yield {**found, "kind": kind}


def _concerns(document: Document, claim: Claim) -> bool:
    return claim.deployment is not None or any(
        of_same_repository(one, claim.image) for one in images(document)
    )


def pods(objects: Objects, documents: Sequence[Document]) -> tuple[Document, ...]:
    """The pods of the workloads among these documents, at most fifty of each."""
    found: list[Document] = []
    for document in documents:
        if document.get("kind") not in WORKLOADS:
            continue
        labels = child(child(child(document, "spec"), "selector"), "matchLabels")
        selector = ",".join(f"{key}={value}" for key, value in labels.items() if isinstance(value, str))
        if selector:
            namespace = text(child(document, "metadata"), "namespace")
            found += objects.list(POD, namespace, labels=selector, limit=_MOST_PODS)
    return tuple({**item, "kind": "Pod"} for item in found)
