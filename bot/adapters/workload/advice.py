"""What in a workload's settings keeps verdicts from being right or quick, with the cure: for `doctor`."""

from collections.abc import Iterator, Sequence

from bot.adapters.workload.fields import Document, number
from bot.adapters.workload.wording import name
from bot.core.fields import child, maps, text
from bot.core.target import WorkloadKind

_DEADLINE = 600
_LONG = 1200


def advice(kind: WorkloadKind, document: Document) -> list[str]:
    """Sentences about one workload, most weighty first (fixtures/kubernetes, rules 5 and 6)."""
    spec = child(document, "spec")
    template = child(spec, "template", "spec")
    containers = maps(template, "containers")
    found = [*_serving(kind, spec), *(line for item in containers for line in _container(item))]
    if kind is WorkloadKind.DEPLOYMENT and containers:
        found += _times(spec, containers)
    share = child(spec, "predictor").get("canaryTrafficPercent")
    if kind is WorkloadKind.INFERENCE_SERVICE and isinstance(share, int) and share < 100:
        found.append(f"canaryTrafficPercent is {share}, so no release ever gets all requests: leave it out")
    return found


def _serving(kind: WorkloadKind, spec: Document) -> Iterator[str]:
    if "replicas" in spec and number(spec, "replicas", 1) == 0:
        yield "replicas is 0, so nothing serves and no release can be proven: scale it up"
    if spec.get("paused") is True:
        yield "it is paused, so no release is rolled out: resume it"
    strategy = child(spec, "updateStrategy")
    if text(strategy, "type") == "OnDelete":
        yield "updateStrategy is OnDelete, so a release waits until a person deletes the pods: use RollingUpdate"
    if number(child(strategy, "rollingUpdate"), "partition") > 0:
        yield "its partition keeps pods on the old release, which is never done: lower it to 0"
    if kind is WorkloadKind.DEPLOYMENT and text(child(spec, "strategy"), "type") == "Recreate":
        yield "strategy is Recreate, so a bad release is an outage until it is taken back: use RollingUpdate"


def _container(container: Document) -> Iterator[str]:
    if not child(container, "readinessProbe"):
        yield (
            f"container {name(text(container, 'name'))} has no readinessProbe, so it counts as ready the moment it runs:"
            " add one that asks the model server"
        )


def _times(spec: Document, containers: Sequence[Document]) -> Iterator[str]:
    if number(spec, "minReadySeconds") == 0:
        yield (
            "minReadySeconds is 0, so a pod that is ready for a moment lets the old one go: set it to a few probe"
            " periods, such as 15"
        )
    deadline = number(spec, "progressDeadlineSeconds", _DEADLINE)
    slowest = max((_allowed(item) for item in containers), default=0)
    needed = slowest + number(spec, "minReadySeconds")
    if deadline < needed:
        yield (
            f"progressDeadlineSeconds is {deadline}, but the probes allow {needed} s until a pod is available, so"
            f" Kubernetes calls a slow start a failure: set it to more than {needed}"
        )
    elif deadline > _LONG and deadline > 2 * needed:
        yield f"progressDeadlineSeconds is {deadline}, so tools that wait for it hear late of a failure: {_DEADLINE} will do"


def _allowed(container: Document) -> int:
    """How long a container may take to become ready: its startup probe, then its readiness probe."""
    startup, readiness = child(container, "startupProbe"), child(container, "readinessProbe")
    patience = number(startup, "failureThreshold", 3) * number(startup, "periodSeconds", 10) if startup else 0
    return number(startup, "initialDelaySeconds") + patience + number(readiness, "initialDelaySeconds")
