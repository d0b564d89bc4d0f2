"""A KServe InferenceService (facts/products.md, section 4).

Its `observedGeneration` is copied from the Knative Service or the Deployment behind it and says nothing about itself.
So what its predictor really runs is read there: the newest Knative Revision, or the Deployment `NAME-predictor`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bot.adapters.workload.deployment import read_deployment
from bot.adapters.workload.fields import Document, conditions, label, moment, named, number, of_kind
from bot.adapters.workload.images import images
from bot.adapters.workload.pods import read_pod
from bot.adapters.workload.reading import Reading, Revision
from bot.adapters.workload.wording import excerpt, name
from bot.core.fields import child, maps, text

REVISION_LABEL = "serving.knative.dev/revision"
_MODE = "serving.kserve.io/deploymentMode"
_SOURCE = "internal.serving.kserve.io/storage-initializer-sourceuri"
_REVISION = re.compile(r"[a-z][-a-z0-9]*\Z")
_FAILED = ("BlockedByFailedLoad", "InvalidSpec")


def read_inference_service(documents: Sequence[Document], wanted: str) -> Reading | None:
    """The InferenceService of this name with what its predictor runs, among the documents.

    Its images are those of the predictor, and the addresses of its models (`storageUri`).
    """
    service = named(documents, "InferenceService", wanted)
    if service is None:
        return None
    asked = tuple(dict.fromkeys(_asked(child(service, "spec", "predictor"))))
    known = conditions(service)
    stopped, ready = known.get("Stopped"), known.get("Ready")
    newest = knative_revision(service)
    behind = _serverless(service, documents, newest) if newest else _raw(documents, wanted)
    failed, invalid = _failed(service)
    shared = _shared(service)
    failed_at = moment(child(service, "status", "modelStatus", "lastFailureInfo"), "time")
    return replace(
        behind,
        what=f"InferenceService {name(wanted)}",
        images=asked,
        observed=invalid or shared is not None or (behind.observed and bool(asked) and set(asked) <= set(behind.images)),
        deleting=bool(child(service, "metadata").get("deletionTimestamp")),
        done=behind.done and ready is not None and ready.status == "True" and failed is None,
        done_since=max(filter(None, (behind.done_since, ready.changed if ready else None)), default=None),
        failed=failed,
        failed_at=failed_at or (None if invalid or behind.current is None else behind.current.created),
        held="it is stopped" if stopped is not None and stopped.status == "True" else shared or behind.held,
        hint=f"KServe says {excerpt(ready.message or ready.reason)}" if ready and ready.status == "False" else None,
        patient=True,
    )  # fmt: skip


def knative_revision(service: Document) -> str:
    """The Knative Revision that its predictor made last; empty without Knative.

    There the status may hold the number of the Deployment's revision in that place (kserve, PropagateRawStatus), or a name
    of ModelMesh, and no Revision of Knative can have such a name.
    """
    newest = text(child(service, "status", "components", "predictor"), "latestCreatedRevision")
    return newest if _REVISION.match(newest) else ""


def _shared(service: Document) -> str | None:
    if text(child(service, "metadata", "annotations"), _MODE) != "ModelMesh":
        return None
    return "ModelMesh serves it from pods that it shares with others: only a `prediction:` check can tell"


def _asked(predictor: Document) -> Iterator[str]:
    yield from images({"spec": predictor})
    for part in predictor.values():
        if isinstance(part, dict):
            yield from filter(None, (text(part, "storageUri"), text(part, "image")))


def _serverless(service: Document, documents: Sequence[Document], newest: str) -> Reading:
    """Rolled out when what was created last is ready, rolled out, and gets all traffic."""
    predictor = child(service, "status", "components", "predictor")
    found = named(documents, "Revision", newest)
    rolled = text(predictor, "latestReadyRevision") == text(predictor, "latestRolledoutRevision") == newest
    traffic = [item for item in maps(predictor, "traffic") if number(item, "percent") > 0]
    all_of_it = all(
        item.get("latestRevision") is True or text(item, "revisionName") == newest for item in traffic
    )
    pods = [read_pod(item) for item in of_kind(documents, "Pod") if label(item, REVISION_LABEL) == newest]
    share = child(service, "spec", "predictor").get("canaryTrafficPercent")
    partly = isinstance(share, int) and share < 100
    current = Revision(newest, moment(child(found or {}, "metadata"), "creationTimestamp"), _runs(found))
    return Reading(
        what="",
        images=current.images,
        counted=f"{excerpt(newest, 80)} was created last, {excerpt(text(predictor, 'latestReadyRevision'), 80) or 'none'} is ready",
        done=rolled and all_of_it,
        # What was ready last stays named when it no longer is.
        completed=rolled and all_of_it,
        current=current,
        revisions=(current,),
        pods=tuple(pod for pod in pods if not pod.leaving),
        held=f"its canaryTrafficPercent of {share} keeps the rest on the release before" if partly else None,
        elastic=True,
    )  # fmt: skip


def _runs(revision: Document | None) -> tuple[str, ...]:
    if revision is None:
        return ()
    source = text(child(revision, "metadata", "annotations"), _SOURCE)
    return (*images(revision), *([source] if source else []))


def _raw(documents: Sequence[Document], wanted: str) -> Reading:
    behind = read_deployment(documents, f"{wanted}-predictor")
    if behind is None:
        return Reading(what="", images=(), counted="its predictor is not made yet", observed=False)
    deployment = named(documents, "Deployment", f"{wanted}-predictor") or {}
    template = child(deployment, "spec", "template")
    source = text(child(template, "metadata", "annotations"), _SOURCE)
    return replace(behind, images=(*behind.images, *([source] if source else [])))


def _failed(service: Document) -> tuple[str | None, bool]:
    """What KServe says of a model that it cannot load, and whether it did not even try."""
    model = child(service, "status", "modelStatus")
    status, last = text(model, "transitionStatus"), child(model, "lastFailureInfo")
    if status not in _FAILED:
        return None, False
    said = ": ".join(filter(None, (excerpt(text(last, "reason"), 60), excerpt(text(last, "message")))))
    return f"the model cannot be loaded ({status})" + (f": {said}" if said else ""), status == "InvalidSpec"
