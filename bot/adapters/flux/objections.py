"""What an object that is no Deployment says against its being done with the image, whatever Flux says of it.

Flux's health checks read a generic Ready and an `observedGeneration`, which a Rollout writes as a string, an
InferenceService copies from elsewhere, and a Canary does without (facts/products.md, section 4).
"""

from collections.abc import Callable, Mapping, Sequence

from bot.adapters.flux.fields import conditions, number
from bot.adapters.flux.kinds import Document, behind, place, target
from bot.core.fields import child, maps, text

RESTING = ("Initialized", "Succeeded", "Failed")  # phases in which Flagger moves nothing


def against(document: Document, documents: Sequence[Document]) -> str:
    """The objection in words that follow the object's name, hostile text among them; empty where there is none."""
    metadata = child(document, "metadata")
    if metadata.get("deletionTimestamp"):
        return "is being deleted"
    return _RULES[text(document, "kind")](document, documents)


def _not_ready(document: Document) -> str:
    ready = conditions(child(document, "status")).get("Ready")
    if ready is None:
        return "says nothing of itself yet"
    return "" if ready else f"says Ready={ready.status or 'nothing'} {ready.reason} {ready.message}".rstrip()


def _not_observed(document: Document) -> str:
    seen = number(child(document, "status"), "observedGeneration")
    return "" if seen == number(child(document, "metadata"), "generation") else "was changed just now"


def _inference_service(document: Document, _: Sequence[Document]) -> str:
    """Ready is that of the revision before until the newest one is ready and has all traffic."""
    status = child(document, "status")
    predictor = child(child(status, "components"), "predictor")
    model, newest = (
        text(child(status, "modelStatus"), "transitionStatus"),
        text(predictor, "latestCreatedRevision"),
    )
    if model not in ("", "UpToDate"):
        return f"says that its model is {model}"
    # Without Knative the number of the Deployment's revision may stand there, and the Deployment is looked at itself.
    rolled = (text(predictor, key) for key in ("latestReadyRevision", "latestRolledoutRevision"))
    if newest and not newest.isdigit() and any(revision != newest for revision in rolled):
        return f"has not rolled out its revision {newest}"
    return _not_ready(document)


def _knative_service(document: Document, _: Sequence[Document]) -> str:
    status = child(document, "status")
    newest = text(status, "latestCreatedRevisionName")
    if newest != text(status, "latestReadyRevisionName"):
        return f"has not made its revision {newest} ready"
    traffic = [item for item in maps(status, "traffic") if (number(item, "percent") or 0) > 0]
    if any(
        item.get("latestRevision") is not True and text(item, "revisionName") != newest for item in traffic
    ):
        return f"sends traffic to others than its revision {newest}"
    return _not_observed(document) or _not_ready(document)


def _rollout(document: Document, documents: Sequence[Document]) -> str:
    """Its observed generations are strings; an aborted one is Degraded and serves what was stable."""
    status, lender = child(document, "status"), target(document)
    seen = [(document, "observedGeneration")]
    seen += [(item, "workloadObservedGeneration") for item in documents if place(item) == lender]
    if any(text(status, key) != str(number(child(item, "metadata"), "generation")) for item, key in seen):
        return "was changed just now"
    if text(status, "phase") != "Healthy":
        return f"says {text(status, 'phase') or 'nothing'} {text(status, 'message')}".rstrip()
    promoted = text(status, "currentPodHash") == text(status, "stableRS") != ""
    return "" if promoted else "has not promoted its newest pods"


def _canary(document: Document, documents: Sequence[Document]) -> str:
    """Failed is no objection by itself: after a return to what was promoted last it stays for ever."""
    phase = text(child(document, "status"), "phase")
    if phase not in RESTING:
        return f"says {phase or 'nothing'}"
    primary = behind(document)
    return "" if any(place(item) == primary for item in documents) else "has no primary that can be seen"


def _job(document: Document, _: Sequence[Document]) -> str:
    """To have been started proves nothing about the image, as kstatus would have it."""
    status = child(document, "status")
    failed = conditions(status).get("Failed")
    if failed:
        return f"has failed ({failed.reason}) {failed.message}".rstrip()
    well = any(number(status, key) for key in ("ready", "succeeded"))
    return "" if well else "has no pod that runs or ran well"


def _cron_job(document: Document, _: Sequence[Document]) -> str:
    return "is suspended" if child(document, "spec").get("suspend") is True else ""


_RULES: Mapping[str, Callable[[Document, Sequence[Document]], str]] = {
    "InferenceService": _inference_service,
    "Service": _knative_service,
    "Rollout": _rollout,
    "Canary": _canary,
    "Job": _job,
    "CronJob": _cron_job,
}
