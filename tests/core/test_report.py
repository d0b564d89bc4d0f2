"""The tags on the model version and the three columns say the same as the decision."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.actions import Decision, Rest, StartBuild, Wait
from bot.core.decide import decide
from bot.core.model import Build, BuildState, PinValue, Proof, ProofState, Snapshot
from bot.core.report import Columns, action_name, again, columns, state, tags
from bot.core.verdict import Outcome
from tests.core.situations import branch, brought, closed, deploy, image, look, pinned, verdict

BUILD = Build("1", "c", BuildState.RUNNING, "https://ci.test/1")
STATES: dict[str, tuple[Snapshot, str]] = {
    "no image": (look(), "building"),
    "built": (look(build=BUILD), "building"),
    "not built": (look(build=replace(BUILD, state=BuildState.FAILED)), "build failed"),
    "about to be proposed": (look(image=image("7")), "proposed"),
    "proposed": (look(image=image("7"), open=(deploy(12, "7"),), branch=branch("7")), "proposed"),
    "closed by a person": (look(last=closed(deploy(12, "7"))), "held"),
    "not ready": (replace(look(), wanted=replace(look().wanted, status="PENDING")), "waiting"),  # type: ignore[type-var]
    "rolling out": (brought(verdict=verdict(Outcome.PENDING)), "verifying"),
    "failing": (brought(verdict=verdict(Outcome.FAILED)), "failed"),
    "failed on record": (brought(proof=Proof(ProofState.FAILED)), "failed"),
    "serving": (brought(verdict=verdict(Outcome.SUCCEEDED)), "live"),
    "live": (brought(proof=Proof(ProofState.LIVE)), "live"),
}


@pytest.mark.parametrize("name", STATES)
def test_state_of_the_wanted_version(name: str) -> None:
    snapshot, expected = STATES[name]
    assert state(snapshot, decide(snapshot)) == expected


def test_tags_name_pull_request_commit_and_image() -> None:
    snapshot = brought(proof=Proof(ProofState.LIVE))
    assert tags(snapshot, decide(snapshot)) == {
        "gitops-bot.fraud-detector/production.state": "live",
        "gitops-bot.fraud-detector/production.pull_request": "https://forge.test/pull/12",
        "gitops-bot.fraud-detector/production.commit": snapshot.pinned.commit,
        "gitops-bot.fraud-detector/production.image": str(snapshot.pinned.value),
    }
    proposed = look(image=image("7"), last=deploy(12, "7"))
    assert (
        tags(proposed, decide(proposed))["gitops-bot.fraud-detector/production.image"] == image("7").reference
    )
    assert tags(look(wanted=None), Decision(Rest(), "x")) == {}


def test_tags_do_not_name_another_versions_pull_request() -> None:
    snapshot = look(open=(deploy(12, "8"),))
    assert "gitops-bot.fraud-detector/production.pull_request" not in tags(snapshot, decide(snapshot))
    bare = brought(proof=Proof(ProofState.LIVE), pinned=replace(pinned("7"), value=PinValue("v7")))
    assert "gitops-bot.fraud-detector/production.image" not in tags(bare, decide(bare))


def test_live_is_only_what_is_proven() -> None:
    rolling = brought(verdict=verdict(Outcome.PENDING))
    assert columns(rolling, decide(rolling)) == Columns("7", "7", None)
    serving = brought(verdict=verdict(Outcome.SUCCEEDED))
    assert columns(serving, decide(serving)) == Columns("7", "7", "7")
    by_hand = look(wanted=None, pinned_version=None, pinned=replace(pinned("6"), value=PinValue("hotfix")))
    assert columns(by_hand, decide(by_hand)) == Columns(None, "hotfix", None)


def test_when_to_look_again() -> None:
    assert again(Rest()) is None
    assert again(Wait()) is None
    assert again(Wait(timedelta(seconds=3))) == timedelta(seconds=3)
    assert again(decide(look()).action) == timedelta(0)
    assert action_name(decide(look()).action) == "start build"
    assert isinstance(decide(look()).action, StartBuild)
