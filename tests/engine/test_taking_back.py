"""A release that does not serve, and everything that people and machines may do in the middle of it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.core.actions import Merge, MoveAliasBack, OpenRevert
from bot.core.model import Kind, PinValue, ProofState
from bot.core.names import LABEL_BROKEN, LABEL_PERSON, revert_branch
from bot.core.target import ArgoCD, HttpCheck, MergePolicy, PredictionCheck, PrometheusCheck, RevertPolicy
from bot.engine.act import act
from bot.engine.reconcile import judge, reconcile
from bot.ports import Notice, Refused, Retryable
from tests.engine.test_every_story import NAME, merged, promoted, reverting, to_rest
from tests.engine.world import REPOSITORY, Manifests, MemoryBranch, MemoryWorld, Notifier, version_pinned


def said(world: MemoryWorld) -> str:
    return world.standing[NAME].because


def looks(world: MemoryWorld, seconds: int, every: int = 5) -> None:
    """Passes at these times, as the loop makes them while something is awaited."""
    for _ in range(seconds // every):
        world.now += timedelta(seconds=every)
        for _ in range(10):
            if reconcile(NAME, world.ports()) != timedelta(0):
                break


def proposed(changes: dict[str, Any]) -> MemoryWorld:
    """Version 2 has an open proposal; version 1 is pinned."""
    world = promoted(changes)
    to_rest(world)
    world.build_ends(good=True)
    to_rest(world)
    assert [p.version for p in world.open(Kind.DEPLOY)] == ["2"]
    return world


# --- the baseline ---


def test_what_was_broken_before_is_not_blamed_on_the_new_version() -> None:
    world = proposed({})
    world.probe = "bad"
    looks(world, 90)
    assert LABEL_BROKEN in world.proposals[0].labels
    assert (1, "broken-before") in world.comments
    world.person_merges(Kind.DEPLOY)
    world.cluster_syncs("good")
    looks(world, 60)
    assert [p.kind for p in world.proposals] == [Kind.DEPLOY]
    assert "neither did what #1 replaced" in world.proofs[world.commits[-1].id].sentence
    assert world.told


def test_one_bad_look_is_no_baseline() -> None:
    world = proposed({})
    world.probe = "bad"
    reconcile(NAME, world.ports())
    assert LABEL_BROKEN not in world.proposals[0].labels
    world.probe = "good"
    looks(world, 60)
    assert LABEL_BROKEN not in world.proposals[0].labels


def test_what_recovers_before_the_merge_is_blamed_again() -> None:
    world = proposed({})
    world.probe = "bad"
    looks(world, 90)
    world.probe = "good"
    looks(world, 10)
    assert LABEL_BROKEN not in world.proposals[0].labels
    world.person_merges(Kind.DEPLOY)
    world.cluster_syncs("bad")
    to_rest(world)
    assert [p.kind for p in world.proposals] == [Kind.DEPLOY, Kind.REVERT]


def test_the_baseline_survives_the_loss_of_the_database() -> None:
    world = proposed({})
    world.probe = "bad"
    looks(world, 90)
    world.forgets()
    world.person_merges(Kind.DEPLOY)
    world.cluster_syncs("bad")
    looks(world, 60)
    assert not world.open(Kind.REVERT)


def test_a_merge_by_the_bot_waits_until_it_is_known_whether_the_old_version_serves() -> None:
    world = promoted({"merge": MergePolicy.AUTO})
    to_rest(world)
    world.probe = "bad"
    world.build_ends(good=True)
    looks(world, 20)
    assert world.open(Kind.DEPLOY)
    assert "does what it replaces serve?" in said(world)
    looks(world, 120)
    assert version_pinned(world) == "2"
    assert LABEL_BROKEN in world.proposals[0].labels


# --- bake time ---

BAKING = {"bake": timedelta(minutes=10)}


def live(world: MemoryWorld) -> bool:
    proof = world.proofs.get(world.commits[-1].id)
    return proof is not None and proof.state is ProofState.LIVE


def test_a_release_is_live_when_it_has_stayed_good_for_the_bake_time() -> None:
    world = merged(BAKING)
    world.cluster_syncs("good")
    looks(world, 9 * 60, every=30)
    assert not live(world)
    assert "must stay good for 10 min" in said(world)
    looks(world, 2 * 60, every=30)
    assert live(world)


def test_a_flap_starts_the_bake_time_anew() -> None:
    world = merged(BAKING)
    world.cluster_syncs("good")
    looks(world, 9 * 60, every=30)
    world.cluster_syncs("rolling")
    looks(world, 30, every=30)
    world.cluster_syncs("good")
    looks(world, 5 * 60, every=30)
    assert not live(world)
    looks(world, 6 * 60, every=30)
    assert live(world)


def test_an_outage_of_the_cluster_api_does_not_start_the_bake_time_anew() -> None:
    world = merged(BAKING)
    world.cluster_syncs("good")
    looks(world, 5 * 60, every=30)
    world.reachable = False
    looks(world, 60, every=30)
    assert not live(world)
    world.reachable = True
    looks(world, 5 * 60, every=30)
    assert live(world)


def test_a_flap_counts_although_something_else_cannot_be_asked_in_that_moment() -> None:
    checks = (HttpCheck("https://f.test/health"), PredictionCheck("https://f.test"))
    world = merged({**BAKING, "verify": checks})
    world.cluster_syncs("good")
    looks(world, 9 * 60, every=30)
    world.probe, world.registry_up = "bad", False
    looks(world, 30, every=30)
    world.probe, world.registry_up = "good", True
    looks(world, 5 * 60, every=30)
    assert not live(world)
    looks(world, 6 * 60, every=30)
    assert live(world)


def test_a_release_that_fails_while_it_bakes_is_taken_back() -> None:
    world = merged(BAKING)
    world.cluster_syncs("good")
    looks(world, 5 * 60, every=30)
    world.cluster_syncs("bad")
    to_rest(world)
    assert world.proposals[-1].kind is Kind.REVERT


def test_the_database_lost_while_it_bakes_costs_only_time() -> None:
    world = merged(BAKING)
    world.cluster_syncs("good")
    looks(world, 9 * 60, every=30)
    world.forgets()
    looks(world, 5 * 60, every=30)
    assert not live(world)
    looks(world, 6 * 60, every=30)
    assert live(world)


def test_time_in_which_nobody_looked_does_not_count_for_the_bake_time() -> None:
    world = merged(BAKING)
    world.cluster_syncs("good")
    looks(world, 60, every=30)
    world.now += timedelta(hours=11)  # the bot was down
    looks(world, 30, every=30)
    assert not live(world)


def test_a_flap_counts_although_the_forge_was_away_just_then() -> None:
    world = merged(BAKING)
    world.cluster_syncs("good")
    looks(world, 9 * 60, every=30)
    world.cluster_syncs("bad")
    with pytest.raises(Retryable):
        reconcile(NAME, replace(world.ports(), manifests=Away(world)))
    world.cluster_syncs("good")
    looks(world, 5 * 60, every=30)
    assert not live(world)


class Away(Manifests):
    """A git server that takes nothing."""

    def write(self, *_: Any, **__: Any) -> str:
        raise Retryable("502")


def test_metrics_are_watched_from_the_end_of_the_rollout() -> None:
    checks = (HttpCheck("https://f.test/health", attempts=1), PrometheusCheck("errors", below=0.05))
    world = merged({"verify": checks})
    world.cluster_syncs("rolling")
    looks(world, 10 * 60, every=60)
    world.cluster_syncs("good")
    looks(world, 4 * 60, every=60)
    assert not live(world)
    looks(world, 3 * 60, every=60)
    assert live(world)


# --- storms, incidents ---


def test_a_storm_leaves_reverts_to_a_person_who_is_told() -> None:
    world = merged({})
    world.other_reverts = 9
    world.cluster_syncs("bad")
    to_rest(world)
    revert = world.open(Kind.REVERT)[0]
    assert LABEL_PERSON in revert.labels
    assert world.told
    world.other_reverts = 0
    looks(world, 60)
    assert world.open(Kind.REVERT), "the storm is over, and still a person merges it"
    world.person_merges(Kind.REVERT)
    assert version_pinned(world) == "1"


def test_ones_own_revert_makes_no_storm() -> None:
    world = merged({})
    world.other_reverts = 4
    world.cluster_syncs("bad")
    to_rest(world)
    assert version_pinned(world) == "1"


def test_an_old_version_that_does_not_come_back_is_an_incident_and_no_other_proposal() -> None:
    world = reverting({})
    to_rest(world)
    world.cluster_syncs("bad")
    looks(world, 60)
    assert [p.kind for p in world.proposals] == [Kind.DEPLOY, Kind.REVERT]
    assert "did not help" in world.proofs[world.commits[-1].id].sentence
    assert world.told == (f"{NAME}:{world.commits[-1].id}:failed",)


class Mute(Notifier):
    """A chat that is away."""

    def tell(self, notice: Notice) -> None:
        raise Retryable("the chat does not answer")


def test_a_chat_that_is_away_is_tried_again_and_holds_up_nothing_for_long() -> None:
    world = merged({"revert": RevertPolicy.OFF})
    world.cluster_syncs("bad")
    mute = replace(world.ports(), notifier=Mute(world))
    with pytest.raises(Retryable, match="the chat does not answer"):
        reconcile(NAME, mute)
    assert world.commits[-1].id not in world.proofs
    world.now += timedelta(minutes=11)
    reconcile(NAME, mute)
    assert world.proofs[world.commits[-1].id].state is ProofState.FAILED


def test_who_could_not_be_told_in_time_is_told_when_the_chat_is_back() -> None:
    world = merged({"revert": RevertPolicy.OFF})
    world.cluster_syncs("bad")
    mute = replace(world.ports(), notifier=Mute(world))
    with pytest.raises(Retryable):
        reconcile(NAME, mute)
    world.now += timedelta(minutes=11)
    for _ in range(3):
        reconcile(NAME, mute)
    assert not world.told
    world.now += timedelta(hours=3)
    looks(world, 60)
    assert world.told == (f"{NAME}:{world.commits[-1].id}:failed",), "once"


def test_nobody_is_told_of_what_was_mended_meanwhile_or_is_days_old() -> None:
    for happens in (lambda it: it.cluster_syncs("good"), lambda it: [it.hour_passes() for _ in range(30)]):
        world = merged({"revert": RevertPolicy.OFF})
        world.cluster_syncs("bad")
        mute = replace(world.ports(), notifier=Mute(world))
        with pytest.raises(Retryable):
            reconcile(NAME, mute)
        world.now += timedelta(minutes=11)
        reconcile(NAME, mute)
        happens(world)
        looks(world, 60)
        assert not world.told


def test_reverts_that_are_open_when_a_storm_breaks_loose_wait_for_a_person_too() -> None:
    world = merged({})
    world.cluster_syncs("bad")
    for _ in range(9):
        if isinstance(judge(world.target, world.ports()).decision.action, Merge):
            break
        reconcile(NAME, world.ports())
    assert LABEL_PERSON not in world.open(Kind.REVERT)[0].labels
    world.other_reverts = 5
    failed = world.open(Kind.REVERT)[0].opened_at
    world.hour_passes()
    to_rest(world)
    assert f"seen failing at {failed:%Y-%m-%d %H:%M:%S} UTC" in world.open(Kind.REVERT)[0].body
    assert LABEL_PERSON in world.open(Kind.REVERT)[0].labels
    assert world.told == (f"{NAME}:{world.commits[-1].id}:needs a person",)
    assert version_pinned(world) == "2"


def test_a_storm_is_told_of_although_the_chat_was_away_when_it_began() -> None:
    world = merged({})
    world.other_reverts = 9
    world.cluster_syncs("bad")
    with pytest.raises(Retryable):
        reconcile(NAME, replace(world.ports(), notifier=Mute(world)))
    assert world.open(Kind.REVERT)
    assert not world.told
    to_rest(world)
    assert world.told == (f"{NAME}:{world.commits[-1].id}:needs a person",)


def test_targets_that_fail_in_the_same_moment_are_counted_one_after_the_other() -> None:
    world = merged({})
    world.cluster_syncs("bad")
    judged = judge(world.target, world.ports())
    world.other_reverts = 9  # meanwhile the other targets have opened theirs
    act(judged.decision, judged.look, world.ports())
    assert LABEL_PERSON in world.open(Kind.REVERT)[0].labels


def test_a_revert_that_is_never_applied_is_an_incident_after_its_deadline() -> None:
    world = reverting({})
    to_rest(world)
    looks(world, 60)
    assert not world.told
    looks(world, 45 * 60, every=60)
    assert world.told == (f"{NAME}:{world.commits[-1].id}:undecided",)


def test_a_revert_that_cannot_be_written_is_said_told_and_not_tried_for_ever() -> None:
    world = merged({})
    world.cluster_syncs("bad")
    ports = world.ports()
    ports = replace(ports, manifests=Unwritable(world))
    for _ in range(3):
        reconcile(NAME, ports)
    assert world.comments[1, "failed"].count("cannot be written: the pins hold something else now") == 1
    assert world.told == (f"{NAME}:{world.commits[-1].id}:failed",)
    world.promote("3")
    world.image_appears("3")
    to_rest(world)
    assert [p.version for p in world.open(Kind.DEPLOY)] == ["3"]


def test_what_a_person_pins_at_the_last_moment_is_not_taken_back() -> None:
    world = merged({})
    world.cluster_syncs("bad")
    judged = judge(world.target, world.ports())
    assert isinstance(judged.decision.action, OpenRevert)
    world.person_pins(PinValue("hotfix", "sha256:hotfix", REPOSITORY))
    act(judged.decision, judged.look, world.ports())
    assert not world.open(Kind.REVERT)
    assert not any("revert" in name for name in world.branches)
    assert world.commits[-1].value.tag == "hotfix"


def test_the_branch_of_a_revert_that_a_person_works_on_is_left_alone() -> None:
    world = merged({})
    name = revert_branch(NAME, "2", world.proposals[-1].number)
    theirs = MemoryBranch("feed", world.commits[-1].value, len(world.commits) - 1, ("feed",))
    world.branches[name] = theirs
    world.cluster_syncs("bad")
    reconcile(NAME, world.ports())
    assert world.branches[name] == theirs
    assert world.journal[0].outcome == "refused"
    assert "carries commits of a person" in world.journal[0].because


class Unwritable(Manifests):
    """A repo whose pins people changed meanwhile."""

    def write(self, *_: Any, **__: Any) -> str:
        raise Refused("the pins hold something else now")


def test_going_back_to_what_was_never_proven_is_a_persons_decision() -> None:
    world = merged({})
    world.cluster_syncs("rolling")
    world.promote("3")
    looks(world, 40 * 60, every=60)
    world.image_appears("3")
    to_rest(world)
    world.person_merges(Kind.DEPLOY)
    assert version_pinned(world) == "3"
    world.cluster_syncs("bad")
    to_rest(world)
    assert LABEL_PERSON in world.open(Kind.REVERT)[0].labels
    assert (
        "**A person must merge this:** what it goes back to was never proven live."
        in world.open(Kind.REVERT)[0].body
    )


# --- the alias and the hold ---


def taken_back(changes: dict[str, Any]) -> MemoryWorld:
    world = reverting(changes)
    to_rest(world)
    world.cluster_syncs("good")
    to_rest(world)
    assert version_pinned(world) == "1"
    return world


def test_the_alias_goes_back_when_the_policy_says_so() -> None:
    world = taken_back({"move_alias_back": True})
    assert world.alias == "1"
    assert said(world) == "version 1 is wanted, pinned and live"


def test_the_alias_stays_when_nobody_said_so() -> None:
    world = taken_back({})
    assert world.alias == "2"
    assert "version 2 is held" in said(world)


def test_the_alias_of_a_newer_version_is_left_alone() -> None:
    world = reverting({"move_alias_back": True})
    world.promote("3")
    to_rest(world)
    world.cluster_syncs("good")
    to_rest(world)
    assert world.alias == "3"


def test_a_comment_lifts_the_hold_once() -> None:
    world = taken_back({})
    world.person_asks_to_release()
    to_rest(world)
    assert [p.version for p in world.open(Kind.DEPLOY)] == ["2"]
    world.person_closes(Kind.DEPLOY)
    looks(world, 30)
    assert not world.open(Kind.DEPLOY), "the old comment releases nothing that was closed after it"
    assert "is held" in said(world)


def test_a_comment_from_before_the_failure_releases_nothing() -> None:
    world = merged({})
    world.person_asks_to_release()
    world.now += timedelta(hours=1)
    world.cluster_syncs("bad")
    to_rest(world)
    world.cluster_syncs("good")
    looks(world, 30)
    assert "version 2 is held" in said(world)
    assert not world.open(Kind.DEPLOY)


def test_the_alias_that_a_person_moves_at_the_last_moment_stays() -> None:
    world = reverting({"move_alias_back": True})
    to_rest(world)
    world.cluster_syncs("good")
    for _ in range(9):
        judged = judge(world.target, world.ports())
        if isinstance(judged.decision.action, MoveAliasBack):
            break
        reconcile(NAME, world.ports())
    assert isinstance(judged.decision.action, MoveAliasBack)
    world.promote("3")
    act(judged.decision, judged.look, world.ports())
    assert world.alias == "3"


# --- people in the middle of it ---


def test_a_person_who_closes_the_revert_is_obeyed() -> None:
    world = reverting_for_review()
    world.person_closes(Kind.REVERT)
    looks(world, 60)
    assert not world.open(Kind.REVERT)
    assert "closed the revert" in world.proofs[world.commits[-1].id].sentence


def reverting_for_review() -> MemoryWorld:
    return reverting({"revert": RevertPolicy.REVIEW})


def test_a_person_who_reverts_by_hand_leaves_nothing_to_take_back() -> None:
    world = reverting_for_review()
    world.person_pins(PinValue("v1", world.images["v1"], world.commits[0].value.repository))
    world.cluster_syncs("good")
    looks(world, 30)
    assert not world.open(Kind.REVERT)
    assert "is held" in said(world)


def test_a_newer_version_in_the_middle_of_a_revert_waits_for_it() -> None:
    world = reverting_for_review()
    world.promote("3")
    looks(world, 30)
    assert [p.kind for p in world.open()] == [Kind.REVERT]
    world.person_merges(Kind.REVERT)
    world.cluster_syncs("good")
    to_rest(world)
    world.build_ends(good=True)
    to_rest(world)
    assert [p.version for p in world.open(Kind.DEPLOY)] == ["3"]


def test_a_person_who_edits_the_revert_merges_it() -> None:
    world = reverting_for_review()
    world.target = replace(world.target, merge=MergePolicy.AUTO)
    world.person_pushes(Kind.REVERT)
    looks(world, 60)
    assert world.open(Kind.REVERT)
    assert "a person pushed to the revert" in said(world)


def test_what_recovers_before_the_revert_is_merged_stays() -> None:
    world = reverting_for_review()
    world.cluster_syncs("good")
    to_rest(world)
    assert not world.open(Kind.REVERT)
    assert live(world)


# --- an operation that blocks it ---


def test_an_operation_that_blocks_a_revert_is_ended_once_where_that_is_allowed() -> None:
    world = reverting({"rollout": ArgoCD("fraud-detector-production", terminate=True)})
    to_rest(world)
    world.blocked = True
    looks(world, 60)
    assert world.terminated == 1


def test_an_operation_that_blocks_a_revert_is_only_told_of_otherwise() -> None:
    world = reverting({})
    to_rest(world)
    world.blocked = True
    looks(world, 60)
    assert world.terminated == 0
    assert "`rollout: {terminate: true}` lets the bot do it" in said(world)
