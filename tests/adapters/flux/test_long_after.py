"""A release that was good, a month later: failures of weeks are not counted together, and what is new has its own time."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.adapters.flux.judge import judge
from bot.core.verdict import Claim, Outcome
from tests.recordings.adapter import claim_of
from tests.recordings.reader import changes, expectations, objects_at

Documents = list[dict[str, Any]]

RECORDED = next(
    item for item in expectations("flux") if item["claim"]["id"] == "flux/03e-degrades-later/953435b"
)
SEEN = changes("flux", RECORDED["recording"])
STARTED = datetime.fromisoformat(RECORDED["started"])
CLAIM = claim_of(RECORDED["claim"])
MONTH = Claim(CLAIM.commit, CLAIM.image, CLAIM.merged_at - timedelta(days=30), CLAIM.settle, timedelta(minutes=15), deployment=CLAIM.deployment)  # fmt: skip
# It was good from 19.3 s on, and has no pod available from 24.1 s on; its first failed check ends at 72.8 s.
AT = 80.0
NOW = STARTED + timedelta(seconds=AT)


def down() -> Documents:
    return copy.deepcopy(objects_at(SEEN, AT))


def failing(first: datetime, well: datetime) -> Documents:
    """The health check failed three times since the first, and went well in between or before."""
    found = down()
    history = of(found, "Kustomization")["status"]["history"]
    history[0] |= {"totalReconciliations": 3, "firstReconciled": at(first)}
    history[1] |= {"lastReconciled": at(well)}
    return found


def of(found: Documents, kind: str) -> dict[str, Any]:
    return next(item for item in found if item["kind"] == kind)


def at(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def said(found: Documents, claim: Claim = MONTH, now: datetime = NOW) -> Outcome:
    return judge(found, claim, now).outcome


def test_what_has_no_pod_since_a_minute_has_the_deadline_from_then_on() -> None:
    assert said(down()) is Outcome.INCONCLUSIVE
    assert (
        said(down(), now=STARTED + timedelta(seconds=24) + MONTH.deadline - timedelta(seconds=2))
        is Outcome.INCONCLUSIVE
    )
    assert (
        said(down(), now=STARTED + timedelta(seconds=24) + MONTH.deadline + timedelta(seconds=2))
        is Outcome.FAILED
    )


def test_all_gone_within_the_first_deadline_has_no_other() -> None:
    assert said(down(), CLAIM) is Outcome.FAILED


def test_one_of_two_pods_gone_within_the_first_deadline_has_its_own() -> None:
    found = down()
    of(found, "Deployment")["status"] |= {"availableReplicas": 1, "readyReplicas": 1}
    assert said(found, CLAIM) is Outcome.INCONCLUSIVE


def test_a_rollout_that_was_never_done_has_failed() -> None:
    """Without `wait: true` Flux has applied it, and that is all."""
    found = down()
    of(found, "Kustomization")["spec"]["wait"] = False
    for condition in of(found, "Deployment")["status"]["conditions"]:
        condition["reason"] = condition["reason"].replace("NewReplicaSetAvailable", "ReplicaSetUpdated")
    for run in of(found, "Kustomization")["status"]["history"]:
        run["firstReconciled"] = at(MONTH.merged_at + timedelta(seconds=5))
    for pod in found:
        for condition in pod["status"].get("conditions", []) if pod["kind"] == "Pod" else []:
            condition["lastTransitionTime"] = at(MONTH.merged_at + timedelta(seconds=5))
    assert said(found) is Outcome.FAILED
    assert said([item for item in found if item["kind"] != "Pod"]) is Outcome.FAILED


def test_failed_checks_count_together_only_while_none_goes_well() -> None:
    weeks, hour, days = timedelta(days=20), timedelta(hours=1), timedelta(days=3)
    assert said(failing(NOW - weeks, well=NOW - days)) is Outcome.INCONCLUSIVE
    assert said(failing(NOW - hour, well=NOW - days)) is Outcome.FAILED
    assert said(failing(NOW - MONTH.deadline / 2, well=NOW - days)) is Outcome.INCONCLUSIVE


def test_a_later_commit_with_the_image_that_is_not_healthy_is_not_held_against_it() -> None:
    found, later = down(), "d" * 40
    of(found, "Kustomization")["status"]["lastAttemptedRevision"] = f"main@sha1:{later}"
    about = Claim(MONTH.commit, MONTH.image, MONTH.merged_at, MONTH.settle, MONTH.deadline, contains=(later,), deployment=MONTH.deployment)  # fmt: skip
    assert said(found, about, NOW + MONTH.deadline) is Outcome.INCONCLUSIVE


def daemons(unready: datetime, *, crashes: bool = False) -> Documents:
    """A DaemonSet in place of the Deployment, applied without waiting, with a pod that is not ready since then."""
    found = down()
    of(found, "Kustomization")["spec"]["wait"] = False
    of(found, "Kustomization")["status"]["history"] = []
    deployment = of(found, "Deployment")
    deployment["kind"] = "DaemonSet"
    deployment["status"] = {"observedGeneration": deployment["metadata"]["generation"], "desiredNumberScheduled": 3, "currentNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 2}  # fmt: skip
    ended = {"lastState": {"terminated": {"exitCode": 1}}} if crashes else {}
    ready = {"type": "Ready", "status": "False", "lastTransitionTime": at(unready)}
    pod = {
        "kind": "Pod", "metadata": {"name": "new-node"}, "spec": {"containers": [{"image": MONTH.image}]},
        "status": {"conditions": [ready], "containerStatuses": [{"name": "shop", **ended}]},
    }  # fmt: skip
    return [*(item for item in found if item["kind"] != "Pod"), pod]


def test_pods_tell_when_a_daemon_set_became_short_of_them() -> None:
    """`look` reads them before it believes in a failure."""
    assert said(daemons(NOW - timedelta(seconds=20))) is Outcome.INCONCLUSIVE
    assert said(daemons(NOW - timedelta(minutes=16))) is Outcome.FAILED
    assert said(daemons(MONTH.merged_at + timedelta(seconds=5))) is Outcome.FAILED
    assert said(daemons(NOW - timedelta(seconds=20), crashes=True)) is Outcome.FAILED
