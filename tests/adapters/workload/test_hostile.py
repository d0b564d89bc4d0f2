"""Documents that are broken, cut off, of wrong kinds or hostile: never an exception, never a verdict that they made up."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from bot.core.target import WorkloadKind
from bot.core.verdict import Outcome
from tests.adapters.workload import test_kinds
from tests.adapters.workload.kinds import NEW, OLD, asked
from tests.adapters.workload.situations import Situation, situation

STRANGE: list[Any] = [
    None, True, 0, -1, 10**30, 1.5, "", "x" * 9000, "\x00\u202e\n|@everyone|", [], [None, 1, "x", {}], {}, {"a": {"b": []}},
    "9999-12-31T23:59:59+14:00", "0001-01-01T00:00:00Z", float("nan"),
]  # fmt: skip

LIVE = {
    "deployment that is done": situation("02-image-bump-healthy", 26),
    "deployment in a crash loop": situation("05-crash-loop", 60),
    "deployment without an image": situation("04-image-does-not-exist", 60),
    "deployment without quota": situation("08-quota-exceeded", 44),
    "deployment in a rollback": situation("11-rollback-after-failure", 33.5),
    "stateful set": test_kinds.stateful_set(test_kinds.stateful(), 60),
    "daemon set": test_kinds.daemon_set(test_kinds.daemons(), 60),
    "rollout": test_kinds.argo(test_kinds.rollout("Paused", promoted=False, currentStepIndex=1), 60),
    "canary": test_kinds.flagger(test_kinds.canary("Failed", OLD, 120), 130),
    "canary that rests": test_kinds.flagger(test_kinds.canary("Succeeded", NEW, 65), 130),
    "inference service": test_kinds.kserve(test_kinds.inference(), 60),
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every field; of a list only its first two items."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value[:2]))
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def without_events(found: Situation) -> Situation:
    return found.changed("Event", lambda item: False)


def relevant(path: tuple[Any, ...]) -> bool:
    """Probes, volumes and resources of containers are read by nobody."""
    unread = {
        "livenessProbe",
        "readinessProbe",
        "env",
        "resources",
        "tolerations",
        "volumeMounts",
        "ports",
        "volumes",
    }
    return not unread & set(path)


def broken(found: Situation, number: int, path: tuple[Any, ...], value: Any) -> Situation:
    documents = list(found.documents)
    documents[number] = copy.deepcopy(documents[number])
    holder: Any = documents[number]
    for key in path[:-1]:
        holder = holder[key]
    if value is KeyError:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return Situation(documents, found.claim, found.now, found.workload)


@pytest.mark.parametrize("name", LIVE)
def test_any_field_may_be_missing_or_of_a_wrong_kind(name: str) -> None:
    found = without_events(LIVE[name])
    asked_ = 0
    pods = [number for number, item in enumerate(found.documents) if item["kind"] == "Pod"]
    for number, document in enumerate(found.documents):
        if number in pods[1:-1]:
            continue
        for step, path in enumerate(path for path in places(document) if relevant(path)):
            for value in (KeyError, STRANGE[(step * 7) % len(STRANGE)]):
                verdict = broken(found, number, path, value).verdict()
                assert verdict.because.isprintable()
                assert len(verdict.because) <= 500
                asked_ += 1
    assert asked_ > 50


@pytest.mark.parametrize("name", ["deployment that is done", "stateful set"])
def test_no_success_without_one_of_the_counters(name: str) -> None:
    found = LIVE[name]
    assert found.outcome == "succeeded"
    number = next(
        i for i, item in enumerate(found.documents) if item["kind"] in ("Deployment", "StatefulSet")
    )
    for key in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "observedGeneration"):
        assert broken(found, number, ("status", key), KeyError).outcome != "succeeded"


@pytest.mark.parametrize("name", LIVE)
def test_any_part_of_the_documents_may_not_be_there_yet(name: str) -> None:
    found = without_events(LIVE[name])
    for count in range(len(found.documents)):
        part = Situation(found.documents[:count], found.claim, found.now, found.workload)
        assert part.verdict().because
        rest = Situation(found.documents[count:], found.claim, found.now, found.workload)
        assert rest.verdict().because


@pytest.mark.parametrize("kind", list(WorkloadKind))
def test_documents_that_are_nothing_are_nothing(kind: WorkloadKind) -> None:
    for value in STRANGE:
        for key in ("metadata", "spec", "status"):
            document = {"kind": "Deployment", "metadata": {"name": "churn"}, key: value}
            verdict = asked(kind, [document], 60).verdict()
            assert verdict.outcome in (Outcome.PENDING, Outcome.INCONCLUSIVE)


def test_hostile_names_and_messages_are_told_on_one_bounded_line() -> None:
    found = situation("05-crash-loop", 60)
    evil = "\x1b[2J@everyone\n# heading `x` <img src=x>\u202e" + "y" * 5000

    def rename(pod: dict[str, Any]) -> None:
        pod["metadata"]["name"] = evil
        for item in pod["status"].get("containerStatuses", []):
            item["name"] = evil

    verdict = found.changed("Pod", rename).verdict()
    assert verdict.outcome is Outcome.FAILED
    for line in (verdict.because, *(item.answer for item in verdict.evidence)):
        assert line.isprintable()
        assert len(line) <= 500
