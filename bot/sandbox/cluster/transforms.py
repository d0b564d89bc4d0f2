"""What a kustomization changes in the objects that it takes in, in kustomize's order (checked against kustomize 5.5)."""

from collections.abc import Iterator, Mapping
from typing import Any

from bot.sandbox.cluster.manifest import (
    CLUSTER_WIDE,
    WORKLOADS,
    CannotRender,
    Document,
    containers,
    entries,
    inner,
    split,
)


def transform(kustomization: Document, documents: list[Document]) -> None:
    """Change the documents in place. Raises CannotRender."""
    for change in (_replicas, _namespace, _prefix, _labels, _annotations, _images):
        change(kustomization, documents)


def _replicas(kustomization: Document, documents: list[Document]) -> None:
    """Before the prefix: kustomize finds them by the name in the file."""
    for entry in entries(kustomization, "replicas", "name", "count"):
        found = [
            document
            for document in documents
            if document["metadata"]["name"] == entry["name"] and document["kind"] in WORKLOADS
        ]
        if not found:
            raise CannotRender(f"replicas: there is no workload {entry['name']}")
        for document in found:
            inner(document, "spec")["replicas"] = entry["count"]


def _namespace(kustomization: Document, documents: list[Document]) -> None:
    namespace = kustomization.get("namespace")
    for document in documents if namespace else ():
        if document["kind"] == "Namespace":
            document["metadata"]["name"] = namespace
        elif document["kind"] not in CLUSTER_WIDE:
            document["metadata"]["namespace"] = namespace


def _prefix(kustomization: Document, documents: list[Document]) -> None:
    prefix = kustomization.get("namePrefix")
    for document in documents if prefix else ():
        if document["kind"] not in ("Namespace", "CustomResourceDefinition"):
            document["metadata"]["name"] = f"{prefix}{document['metadata']['name']}"
    for document in documents if prefix else ():
        if document["kind"] == "HorizontalPodAutoscaler":
            _scale(inner(document, "spec", "scaleTargetRef"), str(prefix), documents)


def _scale(target: Document, prefix: str, documents: list[Document]) -> None:
    """An autoscaler goes on to mean the workload that it meant, if that is here and has got the prefix, too."""
    named = (target.get("kind"), f"{prefix}{target.get('name')}")
    if any((document["kind"], document["metadata"]["name"]) == named for document in documents):
        target["name"] = named[1]


def _labels(kustomization: Document, documents: list[Document]) -> None:
    for entry in entries(kustomization, "labels", "pairs"):
        pairs = inner(entry, "pairs")
        for document in documents:
            inner(document, "metadata", "labels").update(pairs)
            in_templates = entry.get("includeTemplates") or entry.get("includeSelectors")
            if document["kind"] in WORKLOADS and in_templates:
                inner(document, "spec", "template", "metadata", "labels").update(pairs)
            if entry.get("includeSelectors"):
                _select(document, pairs)


def _select(document: Document, pairs: Mapping[str, Any]) -> None:
    if document["kind"] == "Service":
        inner(document, "spec", "selector").update(pairs)
    elif document["kind"] in WORKLOADS - {"Job"}:
        inner(document, "spec", "selector", "matchLabels").update(pairs)
    # What kustomize changes only where it is there.
    for path in _SELECTORS.get(document["kind"], ()):
        for found in _at(document, path):
            if isinstance(found, dict):
                found.update(pairs)


_TERM = "podAffinityTerm.labelSelector.matchLabels"
_PODS = "spec.template.spec"
_OF_PODS = (
    *(
        f"{_PODS}.affinity.{how}.{when}"
        for how in ("podAffinity", "podAntiAffinity")
        for when in (
            f"preferredDuringSchedulingIgnoredDuringExecution.{_TERM}",
            "requiredDuringSchedulingIgnoredDuringExecution.labelSelector.matchLabels",
        )
    ),
    f"{_PODS}.topologySpreadConstraints.labelSelector.matchLabels",
)
_SELECTORS = {
    "Deployment": _OF_PODS,
    "StatefulSet": _OF_PODS,
    "PodDisruptionBudget": ("spec.selector.matchLabels",),
    "NetworkPolicy": (
        "spec.podSelector.matchLabels",
        "spec.ingress.from.podSelector.matchLabels",
        "spec.egress.to.podSelector.matchLabels",
    ),
}


def _at(document: Any, path: str) -> Iterator[Any]:
    """Everything at this path; lists are gone through."""
    if isinstance(document, list):
        for item in document:
            yield from _at(item, path)
    elif not path:
        yield document
    elif isinstance(document, dict):
        key, _, rest = path.partition(".")
        yield from _at(document.get(key), rest)


def _annotations(kustomization: Document, documents: list[Document]) -> None:
    pairs = inner(kustomization, "commonAnnotations")
    for document in documents if pairs else ():
        inner(document, "metadata", "annotations").update(pairs)
        if document["kind"] in WORKLOADS:
            inner(document, "spec", "template", "metadata", "annotations").update(pairs)


def _images(kustomization: Document, documents: list[Document]) -> None:
    for entry in entries(kustomization, "images", "name"):
        for key in ("newName", "newTag", "digest"):
            if not isinstance(entry.get(key, ""), str):
                raise CannotRender(f"images: {key} of {entry['name']} is not a string")
        for document in documents:
            for container in containers(document):
                container["image"] = _image(str(container.get("image", "")), entry)


def _image(reference: str, entry: Document) -> str:
    name, tag, digest = split(reference)
    if name != entry["name"]:
        return reference
    if entry.get("newTag") or entry.get("digest"):
        # kustomize 5 writes both; one of the two replaces both that were there.
        tag, digest = entry.get("newTag", ""), entry.get("digest", "")
    name = entry.get("newName") or name
    return name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
