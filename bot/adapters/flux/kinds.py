"""Which kinds run images without being Deployments, and which workloads stand behind them (facts/products.md, section 4)."""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.adapters.flux.fields import scalars
from bot.adapters.flux.resources import OTHERS, WORKLOADS
from bot.core.fields import child, text

Document = Mapping[str, Any]
Place = tuple[str, str, str]  # kind, namespace, name

_PROVABLE = ("InferenceService", "Rollout", "Canary")  # kinds of `workload:` checks


def better_check(kind: str, name: str) -> str:
    """The check in `verify:` that proves more than Flux can about an object of such a kind."""
    return f"`workload: {kind.lower()}/{name}`" if kind in _PROVABLE else "`prediction:` or `http:`"


def is_other(document: Document) -> bool:
    """Whether a document is of a kind that runs images without being a Deployment."""
    return (group_of(document), text(document, "kind")) in OTHERS


def group_of(document: Document) -> str:
    """The API group of an object, or of a reference to one."""
    return text(document, "apiVersion").rpartition("/")[0]


def images_of(document: Document, documents: Sequence[Document]) -> tuple[str, ...]:
    """Every text in the spec, and in that of the workload that it stands for: an image may stand under any key."""
    lender = target(document)
    lent = [item for item in documents if lender is not None and place(item) == lender]
    specs = [child(item, "spec") for item in (document, *lent)]
    return tuple(value for spec in specs for _, value in scalars(spec) if isinstance(value, str))


def place(document: Document) -> Place:
    """Where an object is."""
    metadata = child(document, "metadata")
    return text(document, "kind"), text(metadata, "namespace"), text(metadata, "name")


def target(document: Document) -> Place | None:
    """The workload whose template a Canary tries out, or a Rollout borrows: its own pods come and go, and prove nothing."""
    key = {"Canary": "targetRef", "Rollout": "workloadRef"}.get(text(document, "kind"), "")
    reference = child(child(document, "spec"), key)
    kind, name = text(reference, "kind"), text(reference, "name")
    return (kind, place(document)[1], name) if kind in WORKLOADS and name else None


def behind(document: Document) -> Place | None:
    """The workload that serves for it, by the names that Flagger and KServe (without Knative) give."""
    kind, namespace, name = place(document)
    tried = target(document)
    if kind == "Canary" and tried is not None:
        return tried[0], namespace, f"{tried[2]}-primary"
    return ("Deployment", namespace, f"{name}-predictor") if kind == "InferenceService" and name else None
