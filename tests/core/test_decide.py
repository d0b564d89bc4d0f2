"""A table of situations: what the bot does in each, and the words that a person must find in its sentence."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.actions import (
    Action,
    Alarm,
    AskToSync,
    Close,
    MarkFailed,
    MarkLive,
    Merge,
    MoveAliasBack,
    NoteBaseline,
    OpenProposal,
    OpenRevert,
    Release,
    RenewProposal,
    Rest,
    StartBuild,
    Terminate,
    Wait,
)
from bot.core.decide import decide
from bot.core.holds import same
from bot.core.model import Build, BuildState, Earlier, Mergeability, PinValue, Proof, ProofState, Snapshot
from bot.core.names import LABEL, LABEL_BROKEN, LABEL_PERSON, LABEL_RELEASED, LABEL_REVERT
from bot.core.target import After, ArgoCD, MergePolicy, RevertPolicy, Tag
from bot.core.verdict import Outcome
from tests.core.situations import (
    NOW,
    TARGET,
    branch,
    brought,
    closed,
    deploy,
    image,
    look,
    merged,
    pinned,
    revert,
    value,
    verdict,
    version,
)

AUTO = replace(TARGET, merge=MergePolicy.AUTO)
OFF = replace(TARGET, revert=RevertPolicy.OFF)
REVIEW = replace(TARGET, revert=RevertPolicy.REVIEW)
SOAKING = replace(TARGET, after=After("fraud-detector/staging", timedelta(hours=1)))
BAKED = replace(TARGET, bake=timedelta(minutes=30))
BACK = replace(TARGET, move_alias_back=True)
ENDING = replace(TARGET, rollout=ArgoCD("fraud-detector-production", terminate=True))
FAILED = Proof(ProofState.FAILED, "it did not come up")
BAD = verdict(Outcome.FAILED, "the pods crash")
GOOD = verdict(Outcome.SUCCEEDED, "it answers")
BLOCKED = verdict(Outcome.PENDING, "v6 is retried", blocked=True)
APART = "the pins disagree: a says v6, b says hotfix; make them say the same"
RUN = Build("1", "c", BuildState.RUNNING, "https://ci.test/1", started_at=NOW - timedelta(seconds=30))
BUILT = replace(RUN, state=BuildState.SUCCEEDED, ended_at=NOW - timedelta(seconds=30))
REVERTED = brought(
    before="7",
    pinned_version="6",
    pinned=pinned("6", "7"),
    brought_by=merged(revert(13, "7", 12)),
    taken_back_by=merged(revert(13, "7", 12)),
)


def ready(**changes: object) -> Snapshot:
    """Version 7 has its image and an open proposal #12 that is as it should be."""
    usual = look(image=image("7"), open=(deploy(12, "7"),), last=deploy(12, "7"), branch=branch("7"))
    return replace(usual, **changes)  # type: ignore[arg-type]


SITUATIONS: dict[str, tuple[Snapshot, type[Action], str]] = {
    # 1
    "the target is paused": (look(target=replace(TARGET, paused=True)), Wait, "paused in promotions.yaml"),
    # 2
    "merged and not yet taken in": (brought(verdict=verdict(Outcome.PENDING, taken_in=False)), AskToSync, "asking the cluster"),
    "asked a moment ago": (brought(verdict=verdict(Outcome.PENDING, taken_in=False), asked_to_sync_at=NOW), Wait, "rolling out"),
    "asked long ago": (brought(verdict=verdict(Outcome.PENDING, taken_in=False), asked_to_sync_at=NOW - timedelta(hours=1)), AskToSync, "asking"),
    "not taken in, and nobody to ask": (brought(target=replace(TARGET, rollout=None), verdict=verdict(Outcome.PENDING, taken_in=False)), Wait, "rolling out"),
    "merged and rolling out": (brought(verdict=verdict(Outcome.PENDING)), Wait, "version 7 is rolling out"),
    "merged and replaced at once": (brought(verdict=verdict(Outcome.SUPERSEDED)), Wait, "replaced before it could be judged"),
    "merged and nobody can say": (brought(verdict=verdict(Outcome.INCONCLUSIVE, "no answer")), Wait, "nothing is taken back: no answer"),
    "a rollout that hangs blocks a newer version until the deadline": (brought(wanted=version("8"), verdict=verdict(Outcome.PENDING)), Wait, "version 7 is rolling out"),
    "and not after it": (brought(wanted=version("8"), last=None, now=NOW + timedelta(hours=1), verdict=verdict(Outcome.INCONCLUSIVE)), StartBuild, "version 8 has no image"),
    "merged and proven": (brought(verdict=GOOD), MarkLive, "version 7 is live: it answers"),
    "proven while its revert is open": (brought(verdict=GOOD, revert=revert(13, "7", 12), open=(revert(13, "7", 12),)), Close, "serves after all: closing the revert #13"),
    "proven while a person works on its revert": (
        brought(verdict=GOOD, revert=revert(13, "7", 12), revert_branch=branch("7", foreign=("f00",))), MarkLive, "version 7 is live"),
    "proven, and it must bake": (brought(target=BAKED, verdict=GOOD), Wait, "serves and must stay good for 30 min: it answers"),
    "baking": (brought(target=BAKED, verdict=GOOD, good_for=timedelta(minutes=10)), Wait, "must stay good for 30 min"),
    "baked": (brought(target=BAKED, verdict=GOOD, good_for=timedelta(minutes=30)), MarkLive, "version 7 is live"),
    "a revert stays open until what recovered has baked": (brought(target=BAKED, verdict=GOOD, revert=revert(13, "7", 12), open=(revert(13, "7", 12),)), Wait, "must stay good for"),
    "a newer version need not wait for the bake time": (brought(target=BAKED, verdict=GOOD, wanted=version("8"), last=None), StartBuild, "version 8 has no image"),
    "another commit's operation blocks a deploy": (brought(target=ENDING, verdict=BLOCKED), Wait, "cannot be applied: v6 is retried; a person ends that operation, or waits"),
    "another commit's operation blocks a revert": (replace(REVERTED, verdict=BLOCKED), Wait, "cannot be applied: v6 is retried; a person ends that operation, or `rollout: {terminate: true}`"),
    "and the bot may end it": (replace(REVERTED, target=ENDING, verdict=BLOCKED), Terminate, "ending that operation"),
    "and it has a moment ago": (replace(REVERTED, target=ENDING, verdict=BLOCKED, terminated_at=NOW), Wait, "was asked to end that operation"),
    "and it has long ago": (replace(REVERTED, target=ENDING, verdict=BLOCKED, terminated_at=NOW - timedelta(hours=1)), Terminate, "ending that operation"),
    "replaced in the cluster, and a newer version waits": (brought(wanted=version("8"), last=None, now=NOW + timedelta(hours=1), verdict=verdict(Outcome.SUPERSEDED)), StartBuild, "version 8 has no image"),
    "a revert that is not decided after its deadline": (replace(REVERTED, now=NOW + timedelta(minutes=11), verdict=verdict(Outcome.PENDING)), Alarm, "version 6 is merged, and long after its deadline it is not decided"),
    "that people were told of": (replace(REVERTED, now=NOW + timedelta(minutes=11), verdict=verdict(Outcome.PENDING), alarmed=True), Wait, "version 6 is rolling out"),
    "a deploy that is not decided after its deadline": (brought(now=NOW + timedelta(minutes=11), verdict=verdict(Outcome.INCONCLUSIVE)), Wait, "nothing is taken back"),
    "a deploy that is not decided after four deadlines": (brought(now=NOW + timedelta(minutes=56), verdict=verdict(Outcome.INCONCLUSIVE)), Alarm, "long after its deadline it is not decided"),
    "failed, and what it replaced was never proven": (brought(verdict=BAD, before_proven=False), OpenRevert, "going back to v6, which was never proven live, so a person must merge it"),
    "failed, and that could not be taken back": (brought(verdict=BAD, proof=FAILED), Wait, "it did not come up"),
    "failed, and what it replaced was broken too": (brought(verdict=BAD, brought_by=merged(deploy(12, "7"), labels=frozenset({LABEL, LABEL_BROKEN}))), MarkFailed, "neither did what #12 replaced: the pods crash; the bot does not blame version 7"),
    "failed, and a person changed one of its pins": (brought(verdict=BAD, pinned=pinned("7", "6", partly=APART)), OpenRevert, "going back to v6"),
    "a person changed one of its pins": (brought(verdict=GOOD, pinned=pinned("7", "6", partly=APART)), Wait, "the pins disagree"),
    "a person changed one of the pins of what is proven": (look(pinned=pinned("6", partly=APART)), Wait, "the pins disagree"),
    "failed in a storm": (brought(verdict=BAD, recent_reverts=5), OpenRevert, "there were 5 other reverts within an hour, so a person must merge this one"),
    "failed before a storm": (brought(verdict=BAD, recent_reverts=4), OpenRevert, "going back to v6"),
    "failed in a storm, the revert is open": (brought(verdict=BAD, revert=revert(13, "7", 12, labels=frozenset({LABEL, LABEL_REVERT, LABEL_PERSON}))), Wait, "a person must merge the revert #13: there were too many reverts within an hour"),
    "failed, its revert is open, and a storm broke loose": (brought(verdict=BAD, revert=revert(13, "7", 12), recent_reverts=5), OpenRevert, "since #13 was opened there were 5 other reverts within an hour, so a person must merge it"),
    "merged and failed": (brought(verdict=BAD), OpenRevert, "version 7 does not serve: the pods crash; going back to v6"),
    "failed, and the bot closed the revert before": (brought(verdict=BAD, revert=closed(revert(13, "7", 12), by_bot=True)), OpenRevert, "going back to v6"),
    "failed, the revert is open": (brought(verdict=BAD, revert=revert(13, "7", 12)), Merge, "taking it back with #13"),
    "failed, the revert waits for a reviewer": (brought(target=REVIEW, verdict=BAD, revert=revert(13, "7", 12)), Wait, "the revert #13 waits for a reviewer"),
    "failed, the revert is blocked": (brought(verdict=BAD, revert=revert(13, "7", 12, mergeability=Mergeability.BLOCKED, blocked_by="check validate is pending")), Wait, "#13 is blocked: check validate is pending"),
    "failed, the forge does not know yet": (brought(verdict=BAD, revert=revert(13, "7", 12, mergeability=Mergeability.UNKNOWN)), Wait, "still computing"),
    "failed, the revert conflicts": (brought(verdict=BAD, revert=revert(13, "7", 12, mergeability=Mergeability.CONFLICT)), OpenRevert, "#13 conflicts with the base branch"),
    "failed, opening the revert was interrupted": (brought(verdict=BAD, revert=revert(13, "7", 12, labels=frozenset())), OpenRevert, "opening the revert #13 was interrupted"),
    "failed, a person works on the revert": (
        brought(verdict=BAD, revert=revert(13, "7", 12), revert_branch=branch("7", foreign=("f00",))), Wait, "a person pushed to the revert #13"),
    "failed, a person closed the revert": (brought(verdict=BAD, revert=closed(revert(13, "7", 12))), MarkFailed, "alice closed the revert #13, so it stays"),
    "failed, the revert is merged and not seen yet": (brought(verdict=BAD, revert=replace(merged(revert(13, "7", 12)), ended_at=NOW)), Wait, "waiting to see it on the base branch"),
    "failed, the revert was merged and took nothing back": (brought(verdict=BAD, revert=merged(revert(13, "7", 12))), MarkFailed, "#13 was merged, but did not take it back"),
    "failed, the branch of the revert cannot be seen": (brought(verdict=BAD, revert=revert(13, "7", 12), revert_branch=None), Wait, "a person merges or closes it"),
    "failed, the branch of the revert moved": (brought(verdict=BAD, revert=revert(13, "7", 12, head="older")), Wait, "the branch of #13 is moving"),
    "failed, before it was a digest alone": (brought(pinned=replace(pinned("7"), before=PinValue(None, "sha256:aa")), verdict=BAD), OpenRevert, "going back to sha256:aa"),
    "failed, before it was nothing at all": (brought(pinned=replace(pinned("7"), before=PinValue()), verdict=BAD), MarkFailed, "nothing to go back to"),
    "failed and reported, and nobody knows what is wanted": (brought(target=OFF, verdict=BAD, proof=FAILED, wanted=None, silent="MLflow does not answer"), Wait, "it is not known what is wanted: MLflow does not answer"),
    "failed, nothing to go back to": (brought(before=None, verdict=BAD), MarkFailed, "there is nothing to go back to"),
    "failed, before it was the placeholder": (brought(pinned=replace(pinned("7"), before=PinValue("unreleased")), verdict=BAD), MarkFailed, "nothing to go back to"),
    "failed, and reverts are off": (brought(target=OFF, verdict=BAD), MarkFailed, "`revert: off`"),
    "failed, and that is on record": (brought(target=OFF, verdict=BAD, proof=FAILED), Wait, "not live: it did not come up"),
    "failed on record, a newer one is wanted": (brought(target=OFF, verdict=BAD, proof=FAILED, wanted=version("8"), last=None), StartBuild, "version 8 has no image yet"),
    "the revert is merged and rolling out": (replace(REVERTED, verdict=verdict(Outcome.PENDING)), Wait, "version 6 is rolling out"),
    "the revert serves": (replace(REVERTED, verdict=GOOD), MarkLive, "version 6 is live"),
    "the revert does not serve either": (replace(REVERTED, verdict=BAD), MarkFailed, "going back with #13 did not help"),
    "a foreign tag is what failed to be replaced": (replace(REVERTED, verdict=GOOD, pinned_version=None), MarkLive, "ghcr.io/acme/fraud-detector:v6"),
    # 3
    "nothing is wanted": (look(wanted=None), Rest, "no version of fraud-detector has the alias champion"),
    "the version is no number": (look(wanted=version("latest")), Wait, "not a number (latest)"),
    # 5
    "all agree": (brought(proof=Proof(ProofState.LIVE)), Rest, "version 7 is wanted, pinned and live"),
    "all agree, an old proposal is open": (brought(proof=Proof(ProofState.LIVE), open=(deploy(14, "8"),)), Close, "closing #14"),
    "all agree, a revert of something else is open": (brought(proof=Proof(ProofState.LIVE), open=(revert(9, "5", 4),)), Close, "closing #9"),
    "pinned by hand and serving": (look(pinned=pinned("7"), pinned_version="7", verdict=GOOD), MarkLive, "version 7 is live"),
    "pinned by hand and failing": (look(pinned=pinned("7"), pinned_version="7", verdict=BAD), MarkFailed, "the bot takes back only what it brought"),
    "pinned by hand and long undecided": (look(pinned=pinned("7"), pinned_version="7", now=NOW + timedelta(hours=9), verdict=verdict(Outcome.PENDING)), Wait, "version 7 is rolling out"),
    "pinned by hand and not judged": (look(pinned=pinned("7"), pinned_version="7"), Wait, "no verdict yet"),
    # 6
    "the alias moved on": (look(wanted=version("8"), open=(deploy(12, "7"),)), Close, "names version 8: closing #12 for version 7"),
    "a revert of what is not pinned any more": (look(open=(revert(13, "5", 4),)), Close, "nothing to take back: closing #13"),
    # 4
    "a person closed the proposal": (look(last=closed(deploy(12, "7"))), Wait, "version 7 is held: alice closed #12 without merging it; `gitops-bot release fraud-detector/production`"),
    "a ghost closed the proposal": (look(last=replace(closed(deploy(12, "7")), closed_by=None)), Wait, "a person closed #12"),
    "closed by the bot is not held": (look(last=closed(deploy(12, "7"), by_bot=True)), StartBuild, "no image"),
    "closed and released": (look(last=closed(deploy(12, "7"), labels=frozenset({LABEL_RELEASED}))), StartBuild, "no image"),
    "taken back by the bot": (replace(REVERTED, proof=Proof(ProofState.LIVE)), Wait, "did not serve, and was taken back with #13"),
    "taken back by hand, on a machine whose clock is slow": (look(last=replace(merged(deploy(12, "7")), ended_at=NOW + timedelta(hours=1))), Wait, "alice changed the pin by hand after that"),
    "gone back by moving the alias": (look(pinned=pinned("8", "7"), pinned_version="8", brought_by=merged(deploy(15, "8")), proof=Proof(ProofState.LIVE), last=merged(deploy(12, "7"))), StartBuild, "version 7 has no image"),
    "an open revert of it does not hold it": (look(last=merged(deploy(12, "7"), labels=frozenset()), brought_by=merged(deploy(15, "6")), proof=Proof(ProofState.LIVE), taken_back_by=closed(revert(13, "7", 12))), StartBuild, "no image"),
    "a person asked to release it": (look(last=closed(deploy(12, "7")), asked_to_release="alice"), Release, "alice asked for it: version 7 may be proposed again"),
    "taken back, the alias may go back": (replace(REVERTED, target=BACK, proof=Proof(ProofState.LIVE)), MoveAliasBack, "taken back with #13 and version 6 serves again: the alias goes back to it"),
    "taken back, and the version before is not proven yet": (replace(REVERTED, target=BACK), Wait, "is held"),
    "taken back, and a tag made it wanted": (replace(REVERTED, target=replace(BACK, when=Tag("deploy", "yes")), proof=Proof(ProofState.LIVE)), Wait, "is held"),
    "closed by a person, so the alias stays": (look(target=BACK, last=closed(deploy(12, "7")), proof=Proof(ProofState.LIVE)), Wait, "is held"),
    "what was taken back is another version": (replace(REVERTED, target=BACK, proof=Proof(ProofState.LIVE), brought_by=merged(revert(15, "8", 14))), Wait, "is held"),
    # 7
    "the version is not ready": (look(wanted=version("7", status="PENDING_REGISTRATION")), Wait, "PENDING_REGISTRATION, not READY"),
    "staging has another version": (look(target=SOAKING, earlier=Earlier("fraud-detector/staging", "6", live=True)), Wait, "must be live in fraud-detector/staging first, which pins version 6"),
    "staging has it, unproven": (look(target=SOAKING, earlier=Earlier("fraud-detector/staging", "7", live=False)), Wait, "has not proven it live"),
    "staging soaks": (look(target=SOAKING, earlier=Earlier("fraud-detector/staging", "7", live=True, since=NOW - timedelta(minutes=10))), Wait, "soaks in fraud-detector/staging until 2026-11-24 12:50:00 UTC"),
    "staging has soaked": (look(target=SOAKING, earlier=Earlier("fraud-detector/staging", "7", live=True, since=NOW - timedelta(hours=2))), StartBuild, "no image"),
    "staging is live since nobody knows when": (look(target=SOAKING, earlier=Earlier("fraud-detector/staging", "7", live=True)), StartBuild, "no image"),
    # 8
    "no image and no build": (look(), StartBuild, "version 7 has no image yet"),
    "no image and nobody to build it": (look(target=replace(TARGET, build=None)), Wait, "no `build:` to make one"),
    "the build runs": (look(build=RUN), Wait, "CI is building the image of version 7: https://ci.test/1"),
    "the build failed": (look(build=replace(RUN, state=BuildState.FAILED, conclusion="failure")), Wait, "could not build the image of version 7 (failure): see https://ci.test/1"),
    "the build failed without a word": (look(build=replace(RUN, state=BuildState.FAILED)), Wait, "(failed)"),
    "the build is done, the registry lags": (look(build=BUILT), Wait, "waiting for the registry"),
    "the build is done and pushed nothing": (look(build=replace(BUILT, ended_at=NOW - timedelta(hours=1))), Wait, "has no such tag"),
    "the build is done, nobody knows when": (look(build=replace(BUILT, ended_at=None)), Wait, "has no such tag"),
    "the tag is of another run": (look(image=image("7", run="run-old")), Wait, "was built from run run-old, but version 7 is run run-7"),
    # 9
    "an image and no proposal": (look(image=image("7", run="run-7")), OpenProposal, "version 7 has its image: proposing it"),
    "a left-over branch is written again": (look(image=image("7"), branch=branch("7")), OpenProposal, "proposing it"),
    "a left-over branch of a person": (look(image=image("7"), branch=branch("7", foreign=("f00",))), Wait, "carries commits of a person"),
    # 10
    "open for review": (ready(), Wait, "#12 for version 7 waits for a reviewer"),
    "its branch is gone": (ready(branch=None), Wait, "the branch of #12 is gone"),
    "a person pushed to it": (ready(target=AUTO, branch=branch("7", foreign=("f00",))), Wait, "a person pushed to #12"),
    "opening it was interrupted": (ready(open=(deploy(12, "7", labels=frozenset()),)), RenewProposal, "opening it was interrupted: writing #12 again"),
    "it conflicts": (ready(open=(deploy(12, "7", mergeability=Mergeability.CONFLICT),)), RenewProposal, "changed in the same place: writing #12 again"),
    "the image was built again": (ready(branch=branch("7", value=PinValue("v7", "sha256:old"))), RenewProposal, "built again"),
    "the base pins something else now": (ready(branch=branch("7", replaces="5")), RenewProposal, "now pins ghcr.io/acme/fraud-detector:v6"),
    "what it replaces does not serve": (ready(target=AUTO, baseline=BAD), NoteBaseline, "what #12 replaces does not serve: the pods crash; that will not be blamed"),
    "that is on record": (ready(baseline=BAD, open=(deploy(12, "7", labels=frozenset({LABEL, LABEL_BROKEN})),)), Wait, "waits for a reviewer"),
    "what it replaces serves again": (ready(target=AUTO, baseline=GOOD, open=(deploy(12, "7", labels=frozenset({LABEL, LABEL_BROKEN})),)), NoteBaseline, "what #12 replaces serves again"),
    "it may be that what it replaces does not serve": (ready(target=AUTO, baseline=verdict(Outcome.PENDING, again=timedelta(seconds=10))), Wait, "waits for a moment"),
    "what it replaces serves": (ready(baseline=GOOD), Wait, "waits for a reviewer"),
    "it is not known whether what it replaces serves": (ready(baseline=verdict(Outcome.PENDING, again=timedelta(seconds=10))), Wait, "waits for a reviewer"),
    "merged by the bot": (ready(target=AUTO), Merge, "merging #12"),
    "blocked, and the forge does not say why": (ready(target=AUTO, open=(deploy(12, "7", mergeability=Mergeability.BLOCKED),)), Wait, "does not say by what"),
}  # fmt: skip


@pytest.mark.parametrize("situation", SITUATIONS)
def test_situation(situation: str) -> None:
    snapshot, action, words = SITUATIONS[situation]
    decision = decide(snapshot)
    assert type(decision.action) is action, decision.because
    assert words in decision.because
    assert "\n" not in decision.because


def test_a_merge_carries_the_head_that_was_judged() -> None:
    decision = decide(ready(target=AUTO))
    assert isinstance(decision.action, Merge)
    assert decision.action.proposal.head == "bada55"


def test_a_revert_restores_what_was_there_before() -> None:
    decision = decide(brought(verdict=BAD))
    assert isinstance(decision.action, OpenRevert)
    assert decision.action.to == value("6")
    assert decision.action.failed.number == 12


def test_a_baking_release_is_looked_at_when_it_has_baked() -> None:
    nearly = brought(target=BAKED, verdict=GOOD, good_for=timedelta(minutes=30) - timedelta(seconds=3))
    decision = decide(nearly)
    assert isinstance(decision.action, Wait)
    assert decision.action.again == timedelta(seconds=3)


def test_a_storm_takes_nothing_back_by_itself() -> None:
    decision = decide(brought(verdict=BAD, recent_reverts=5))
    assert isinstance(decision.action, OpenRevert)
    assert decision.action.person == "there were too many reverts within an hour, over all targets"
    calm = decide(brought(verdict=BAD, recent_reverts=4))
    assert isinstance(calm.action, OpenRevert)
    assert (
        decide(brought(verdict=BAD, before_proven=False)).action.person
        == "what it goes back to was never proven live"
    )  # type: ignore[union-attr]
    assert not calm.action.person


def test_a_soaking_version_is_looked_at_when_it_has_soaked() -> None:
    decision = decide(SITUATIONS["staging soaks"][0])
    assert isinstance(decision.action, Wait)
    assert decision.action.again == timedelta(minutes=50)


def test_the_same_situation_says_the_same_later() -> None:
    for name, (snapshot, _, _) in SITUATIONS.items():
        later = replace(snapshot, now=snapshot.now + timedelta(seconds=5))
        assert decide(later).because == decide(snapshot).because, name


def test_an_open_revert_of_what_is_pinned_is_left_alone_while_its_verdict_is_final() -> None:
    waiting = brought(target=OFF, verdict=BAD, proof=FAILED, open=(revert(13, "7", 12),))
    assert isinstance(decide(waiting).action, Wait)


def test_values_are_the_same_release_when_nothing_contradicts() -> None:
    assert same(value("6"), PinValue("v6"))
    assert not same(value("6"), PinValue("v6", "sha256:other"))
    assert not same(value("6"), None)
    assert same(None, None)
