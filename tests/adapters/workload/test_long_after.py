"""A release that was good, a month later: a pod that is new, or that crashed long ago, does not condemn it."""

from datetime import timedelta
from typing import Any

from tests.adapters.workload.kinds import at, pod
from tests.adapters.workload.situations import Situation
from tests.adapters.workload.test_kinds import (
    Documents,
    canary,
    daemon_set,
    daemons,
    flagger,
    inference,
    kserve,
    stateful_set,
)
from tests.adapters.workload.test_kinds import stateful as stateful_documents

MONTH = timedelta(days=30).total_seconds()
NODE = {"controller-revision-hash": "bbb"}


def joined(made: float, **ended: Any) -> Documents:
    """A third node has a pod since `made` that is not ready."""
    found = [*daemons(), pod("churn-new-node", "churn", made, None, **NODE)]
    found[0]["status"] |= {f"{key}NumberScheduled": 3 for key in ("desired", "current", "updated")}
    return found


def crashed(found: Situation, restarts: int, ran: tuple[float, float], since: float) -> Situation:
    """Its first pod runs `since` then, after a process that ran from when to when; all seconds from the merge."""
    ended = {"exitCode": 137, "reason": "OOMKilled", "startedAt": at(ran[0]), "finishedAt": at(ran[1])}
    first = next(item for item in found.documents if item["kind"] == "Pod")
    first["status"]["containerStatuses"][0] |= {
        "restartCount": restarts, "state": {"running": {"startedAt": at(since)}}, "lastState": {"terminated": ended}
    }  # fmt: skip
    first["status"]["conditions"][0]["lastTransitionTime"] = at(since + 1)
    return found


def test_a_node_that_joins_gives_its_pod_the_deadline() -> None:
    assert daemon_set(joined(MONTH - 20), MONTH).outcome == "pending"
    assert daemon_set(joined(MONTH - 601), MONTH).outcome == "failed"


def test_a_daemon_set_whose_pods_never_became_ready_fails_at_the_deadline() -> None:
    assert daemon_set(daemons(available=1), 600).outcome == "pending"
    assert daemon_set(daemons(available=1), 606).outcome == "failed"


def test_a_revision_that_is_scaled_up_has_the_deadline_anew() -> None:
    revision = {"serving.knative.dev/revision": "churn-2"}
    late = [pod("churn-2-w", "rs", 5, 20, **revision), pod("churn-2-x", "rs", MONTH - 20, None, **revision)]
    unready = {"conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": at(MONTH - 20)}]}
    assert kserve([*inference(**unready), *late], MONTH).outcome == "pending"
    assert kserve([*inference(**unready), *late], MONTH + 600).outcome == "failed"


def test_an_analysis_of_other_settings_has_the_deadline_for_its_pods() -> None:
    """The primary has the image, and the candidate with it is tried out again."""
    again = canary("Progressing", "ghcr.io/acme/churn:v2", MONTH - 20, candidate=1, ready=None)
    for item in again:
        if item["kind"] == "Pod" and not item["metadata"]["name"].startswith("web-primary"):
            item["status"]["conditions"][0]["lastTransitionTime"] = at(MONTH - 20)
    assert flagger(again, MONTH).outcome == "pending"
    assert flagger(again, MONTH + 600).outcome == "failed"


def test_crashes_of_a_month_ago_are_forgiven_while_another_pod_starts() -> None:
    found = daemon_set(joined(MONTH - 20), MONTH)
    assert crashed(found, 2, (30, 60), 61).outcome == "pending"
    assert crashed(found, 2, (30, MONTH - 61), MONTH - 60).outcome == "pending"


def test_crashes_of_now_are_not_forgiven() -> None:
    assert crashed(daemon_set(daemons(), MONTH), 2, (MONTH - 90, MONTH - 61), MONTH - 60).outcome == "failed"


def test_one_that_ran_for_weeks_before_it_crashed_has_crashed_once() -> None:
    found = crashed(daemon_set(daemons(), MONTH), 7, (61, MONTH - 61), MONTH - 60)
    assert found.outcome == "pending"
    assert any("crashed once" in item.answer for item in found.verdict().evidence)


def test_all_replaced_by_hand_is_done_for_a_stateful_set_too() -> None:
    found = stateful_documents(updateStrategy={"type": "OnDelete"})
    found[0]["status"]["currentRevision"] = "churn-a"
    for item in found:
        if item["kind"] == "Pod":
            item["status"]["conditions"] = [{"type": "Ready", "status": "False", "lastTransitionTime": at(MONTH - 20)}]  # fmt: skip
    found[0]["status"] |= {"readyReplicas": 0, "availableReplicas": 0}
    assert stateful_set(found, MONTH).outcome == "pending"
    assert stateful_set(found, MONTH + 600).outcome == "failed"
