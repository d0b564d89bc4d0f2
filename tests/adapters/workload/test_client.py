"""What a look costs, what a failure tells a person, and what is said when nothing answers."""

from typing import Any

import pytest

from bot.adapters.workload import WorkloadCluster
from bot.core.target import ArgoCD
from bot.core.verdict import Outcome, Verdict
from bot.ports import Refused
from tests.adapters.workload.cluster import MemoryObjects
from tests.adapters.workload.situations import Situation, new_pods, situation


def looked(found: Situation, **cluster: Any) -> tuple[Verdict, MemoryObjects]:
    objects = MemoryObjects(found.documents, **cluster)
    return WorkloadCluster(objects).look(found.workload, found.claim, found.now), objects


def crashed() -> tuple[Situation, str]:
    found = situation("05-crash-loop", 60)
    return found, new_pods(found)[0]["metadata"]["name"]


# --- The cost of a look ----------------------------------------------------------------------------------


def test_a_healthy_look_is_three_questions() -> None:
    verdict, objects = looked(situation("02-image-bump-healthy", 25))
    assert verdict.outcome is Outcome.SUCCEEDED
    assert objects.asked == ["get deployments", "list replicasets", "list pods"]


def test_a_look_at_a_rollout_that_is_under_way_is_three_questions() -> None:
    for at in (0.4, 6.0, 12.0):
        verdict, objects = looked(situation("02-image-bump-healthy", at))
        assert verdict.outcome is Outcome.PENDING
        assert len(objects.asked) <= 3


def test_a_workload_that_is_not_there_costs_one_question() -> None:
    found = situation("01-first-rollout-healthy", 0.2, since=0.0)
    verdict, objects = looked(found)
    assert verdict.because == "there is no deployment web in namespace shop"
    assert objects.asked == ["get deployments"]


def test_the_documents_of_a_list_are_judged_as_those_of_a_watch() -> None:
    """The items of a list carry no kind."""
    for recording in (
        "02-image-bump-healthy",
        "05-crash-loop",
        "08-quota-exceeded",
        "11-rollback-after-failure",
    ):
        for at in range(1, 40, 3):
            found = situation(recording, at)
            assert looked(found)[0].outcome is found.verdict().outcome


# --- What a failure tells ----------------------------------------------------------------------------------


def test_a_crash_is_told_with_the_last_line_of_its_log() -> None:
    found, pod = crashed()
    logs = {
        (pod, True): "Loading model…\nTraceback (most recent call last):\nOSError: model.pkl is missing\n\n"
    }
    verdict, _ = looked(found, logs=logs)
    said = f"container web of pod {pod} crashed 3 times (exit code 1): OSError: model.pkl is missing"
    assert verdict.because == f"Deployment web: {said}"
    lines = [item.answer for item in verdict.evidence if item.asked.startswith("Log of")]
    assert lines == ["Loading model…", "Traceback (most recent call last):", "OSError: model.pkl is missing"]


def test_where_there_is_no_log_of_the_run_before_that_of_this_run_is_told() -> None:
    found, pod = crashed()
    verdict, objects = looked(found, logs={(pod, False): "boom"})
    assert verdict.because.endswith(": boom")
    assert objects.asked.count("get log") == 2
    assert [item.asked for item in verdict.evidence if item.answer == "boom"] == [f"Log of web in {pod}"]


def test_the_last_events_of_the_pod_are_told_without_the_usual_ones() -> None:
    found, pod = crashed()
    events = [item.answer for item in looked(found)[0].evidence if item.asked == f"Events of {pod}"]
    assert events
    assert any("BackOff" in line and "times" in line for line in events)
    assert not any(
        word in line for line in events for word in (" Scheduled", " Pulled", " Created", " Started")
    )
    assert len(events) <= 4


def test_events_whose_times_are_null_are_told_too() -> None:
    """07: the scheduler's events have only eventTime."""
    found, pod = crashed()
    event = {
        "kind": "Event", "metadata": {"name": "e"}, "involvedObject": {"name": pod}, "type": "Warning", "reason": "FailedScheduling",
        "message": "0/2 nodes are available", "firstTimestamp": None, "lastTimestamp": None, "count": None,
        "eventTime": "2026-11-23T07:30:00.000000Z",
    }  # fmt: skip
    found.documents.append(event)
    answers = [item.answer for item in looked(found)[0].evidence]
    assert "Warning FailedScheduling: 0/2 nodes are available" in answers


def test_evidence_is_about_the_new_pods_only() -> None:
    found, pod = crashed()
    old = {item["metadata"]["name"] for item in found.of("Pod")} - {pod}
    assert old
    told = " ".join(f"{item.asked} {item.answer}" for item in looked(found)[0].evidence)
    assert pod in told
    assert not any(name in told for name in old)


def test_a_pod_that_never_gets_ready_is_told_with_its_log() -> None:
    found = situation("03-image-bump-never-ready", 30)
    pod = new_pods(found)[0]["metadata"]["name"]
    verdict, _ = looked(found, logs={(pod, False): "still warming up"})
    assert f"pod {pod} is not ready since" in verdict.because
    assert "still warming up" in [item.answer for item in verdict.evidence]
    assert "still warming up" not in verdict.because


def test_hostile_logs_and_messages_stay_on_one_bounded_line_without_secrets() -> None:
    found, pod = crashed()
    text = (
        "\x1b[31mred\x00\u202e @everyone ``` <script>\x85next\npassword=hunter22 token: ghp_abcdefghijklmnop1234 "
        + "x" * 9000
    )
    verdict, _ = looked(found, logs={(pod, True): text})
    for line in (verdict.because, *(item.answer for item in verdict.evidence)):
        assert line.isprintable()
        assert len(line) <= 500
        assert "hunter22" not in line
        assert "ghp_" not in line


def test_without_the_right_to_logs_and_events_a_failure_is_still_a_failure() -> None:
    found, _ = crashed()
    verdict, _ = looked(found, forbidden=("log", "events"))
    assert verdict.outcome is Outcome.FAILED
    assert verdict.because.endswith("crashed 3 times (exit code 1)")


def test_nothing_more_is_asked_while_nothing_failed() -> None:
    _, objects = looked(situation("05-crash-loop", 10))
    assert not {"get log", "list events"} & set(objects.asked)


# --- What is said when nothing answers ---------------------------------------------------------------------


def test_a_cluster_out_of_reach_is_inconclusive_with_its_sentence() -> None:
    verdict, _ = looked(situation("05-crash-loop", 60), down=True)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "deployment web cannot be read: the API server" in verdict.because
    assert verdict.again is not None


@pytest.mark.parametrize("plural", ["deployments", "replicasets", "pods"])
def test_a_missing_right_is_inconclusive_and_named(plural: str) -> None:
    verdict, _ = looked(situation("02-image-bump-healthy", 25), forbidden=(plural,))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert f"may not {'get' if plural == 'deployments' else 'list'} {plural}" in verdict.because


def test_only_workloads_are_asked_about() -> None:
    with pytest.raises(Refused):
        WorkloadCluster(MemoryObjects([])).advice(ArgoCD("shop"))


# --- Advice ------------------------------------------------------------------------------------------------


def advised(change: Any = None) -> list[str]:
    found = situation("02-image-bump-healthy", 25)
    found = found.changed("Deployment", change) if change else found
    return list(WorkloadCluster(MemoryObjects(found.documents)).advice(found.workload))


def test_advice_names_what_makes_verdicts_worse() -> None:
    assert [line for line in advised() if "minReadySeconds is 0" in line]
    assert not advised(lambda item: item["spec"].update(minReadySeconds=15))


def test_advice_about_a_container_without_a_readiness_probe() -> None:
    told = advised(lambda item: item["spec"]["template"]["spec"]["containers"][0].pop("readinessProbe"))
    assert any("container web has no readinessProbe" in line for line in told)


def test_advice_about_a_deadline_that_is_shorter_than_the_startup_probe_allows() -> None:
    def slow(deployment: dict[str, Any]) -> None:
        probe = {"failureThreshold": 30, "periodSeconds": 10}
        deployment["spec"]["template"]["spec"]["containers"][0]["startupProbe"] = probe

    assert any("progressDeadlineSeconds is 60, but the probes allow 300 s" in line for line in advised(slow))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"replicas": 0}, "replicas is 0"),
        ({"paused": True}, "it is paused"),
        ({"strategy": {"type": "Recreate"}}, "strategy is Recreate"),
    ],
)
def test_advice_about_what_serves_nobody(change: dict[str, Any], said: str) -> None:
    assert any(said in line for line in advised(lambda item: item["spec"].update(change)))


def test_advice_about_a_workload_that_is_not_there() -> None:
    found = situation("02-image-bump-healthy", 25)
    told = WorkloadCluster(MemoryObjects([])).advice(found.workload)
    assert told == ["there is no deployment web in namespace shop: correct `verify:` or create it"]
