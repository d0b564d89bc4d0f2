"""What is wrong with new pods: the release's own fault, or one that no release can help."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.adapters.workload.pods import Container, Ending, Pod
from bot.adapters.workload.wording import excerpt, name, times
from bot.core.verdict import Claim

# A second restart is no accident; one may be (recordings 05, 06, 14, 20).
CRASHES = 2
# The kubelet itself forgets a crash after ten minutes of running.
FORGIVEN = timedelta(minutes=10)
# Secrets and ConfigMaps of the same commit may come a little after the pod, and the first pull may be unlucky.
PATIENCE = timedelta(seconds=20)
# A kubelet that is there says within seconds that it has begun with a pod.
SILENCE = timedelta(minutes=2)

_PULL = (
    "ErrImagePull",
    "ImagePullBackOff",
    "RegistryUnavailable",
    "ImageInspectError",
    "SignatureValidationFailed",
)
_CREATE = (
    "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError",
    "RunContainerError", "PreCreateHookError", "PreStartHookError", "PostStartHookError",
)  # fmt: skip
_ABSENT = re.compile(r"(?i)not ?found|manifest unknown|name unknown|no such image")
_OUTAGE = re.compile(
    r"(?i)time[d-]?[ -]?out|deadline ?exceeded|connection (?:refused|reset)|no such host|dial tcp|\bx509\b|\btls\b|\beof\b"
    r"|too ?many ?requests|service unavailable|bad gateway|internal server error|i/o error|no space left|unauthori[sz]ed"
    r"|forbidden|denied|authentication required|temporary failure|network is unreachable"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, in words, and where: its container's log says more, that of the run before if `crashed`.

    `fault` is whether it condemns the release now; `innocent` is whether it never does.
    """

    sentence: str
    pod: str
    container: str = ""
    crashed: bool = False
    fault: bool = False
    innocent: bool = False


def findings(pods: Sequence[Pod], evicted: Sequence[Pod], claim: Claim, now: datetime) -> list[Finding]:
    """Everything that is wrong with the new pods, the worst first; `evicted` are those that have gone."""
    found = [
        *_evictions(evicted, claim),
        *_crashes(pods, claim, now),
        *(item for pod in pods for item in _hindrances(pod, claim, now)),
    ]
    return sorted(found, key=lambda item: (not item.fault, item.innocent))


# --- Crashes ---------------------------------------------------------------------------------------


def crashes(pod: Pod, container: Container, claim: Claim, now: datetime) -> int:
    """How often it was started again since the merge (fixtures/kubernetes, rule 5), without what is forgiven.

    What came before ten minutes of running is: those of the process that runs now, or of the one that ended last. An older pod, of a ReplicaSet that a revert revived, has a count that is not this release's: of it, only
    what the newest ending shows is counted.
    """
    ended = container.ended
    if ended is not None and (_node_was_lost(ended) or (container.init and ended.exit_code == 0)):
        return 0
    if container.running_since is not None and now - container.running_since > FORGIVEN:
        return 0
    count = _since_the_merge(pod, container, claim)
    return min(count, 1) if ended is not None and _ran(ended) > FORGIVEN else count


def _since_the_merge(pod: Pod, container: Container, claim: Claim) -> int:
    ended = container.ended
    merged = claim.merged_at.replace(microsecond=0)
    if pod.created is None or pod.created >= merged:
        return container.restarts
    if ended is None or ended.finished is None or ended.finished < merged:
        return 0
    again = ended.started is not None and ended.started >= merged
    return min(container.restarts, 2 if again else 1)


def _ran(ended: Ending) -> timedelta:
    return ended.finished - ended.started if ended.finished and ended.started else timedelta(0)


def lived(pods: Sequence[Pod], claim: Claim, now: datetime) -> timedelta:
    """How long the longest-lived of the crashed processes had run: what replaced it must outlive that."""
    spans = [
        _ran(container.ended)
        for pod in pods
        for container in pod.containers
        if container.ended is not None and crashes(pod, container, claim, now)
    ]
    return min(max(spans, default=timedelta(0)), FORGIVEN)


def _crashes(pods: Sequence[Pod], claim: Claim, now: datetime) -> Iterator[Finding]:
    counted = [
        (crashes(pod, container, claim, now), pod, container) for pod in pods for container in pod.containers
    ]
    total = sum(count for count, _, _ in counted)
    for count, pod, container in sorted(counted, key=lambda item: -item[0]):
        if count or _ended_badly(container):
            yield Finding(
                sentence=_crash(max(count, 1), pod, container, total),
                pod=pod.name,
                container=container.name,
                crashed=count > 0,
                fault=total >= CRASHES,
            )


def _ended_badly(container: Container) -> bool:
    return container.running_since is None and container.ended is not None and container.ended.exit_code != 0


def _crash(count: int, pod: Pod, container: Container, total: int) -> str:
    ended = container.ended
    how = f" ({_how(ended)})" if ended else ""
    others = f", the new pods {times(total)} in all" if total > count else ""
    return f"container {name(container.name)} of pod {name(pod.name)} crashed {times(count)}{how}{others}"


def _how(ended: Ending) -> str:
    if ended.reason in ("", "Error"):
        return f"exit code {ended.exit_code}"
    # A liveness probe that fails ends as Completed, exit code 0: the process obeyed (recording 20).
    return f"{excerpt(ended.reason, 60)}, exit code {ended.exit_code}"


def _node_was_lost(ended: Ending) -> bool:
    return ended.reason in ("Unknown", "ContainerStatusUnknown")


def _evictions(evicted: Sequence[Pod], claim: Claim) -> Iterator[Finding]:
    """A pod that fills more than its own limits is evicted again and again, and is well in between."""
    merged = claim.merged_at.replace(microsecond=0)
    own = [pod for pod in evicted if pod.created is not None and pod.created >= merged]
    for pod in own[:1]:
        others = f", {len(own)} pods in all" if len(own) > 1 else ""
        said = (
            f"pod {name(pod.name)} was evicted, as it used more than it may{others}: {excerpt(pod.evicted)}"
        )
        yield Finding(said, pod.name, fault=len(own) >= CRASHES)


# --- What keeps a pod from starting ----------------------------------------------------------------


def _hindrances(pod: Pod, claim: Claim, now: datetime) -> Iterator[Finding]:
    if pod.unschedulable is not None:
        said = f"pod {name(pod.name)} cannot be scheduled: {excerpt(pod.unschedulable)}"
        yield Finding(said, pod.name, innocent=True)
    begun = max(claim.merged_at, pod.created) if pod.created else claim.merged_at
    if pod.lost:
        yield Finding(f"pod {name(pod.name)} is on a node that does not answer", pod.name, innocent=True)
    if pod.scheduled and not pod.containers and now - begun > SILENCE:
        said = f"pod {name(pod.name)} is given to a node that has not begun with it"
        yield Finding(said, pod.name, innocent=True)
    for container in pod.containers:
        if container.waiting in _PULL or container.waiting in _CREATE:
            said = f": {excerpt(container.message)}" if container.message else ""
            outage = _is_outage(container, claim)
            yield Finding(
                f"container {name(container.name)} of pod {name(pod.name)} cannot start ({container.waiting}){said}",
                pod.name,
                container.name,
                fault=not outage and now - begun >= PATIENCE,
                innocent=outage,
            )


def _is_outage(container: Container, claim: Claim) -> bool:
    """Whether the registry or the node did not answer, or not to these credentials: that says nothing of the image."""
    message = container.message.replace(claim.image, "").replace(container.image or claim.image, "")
    return not _ABSENT.search(message) and _OUTAGE.search(message) is not None
