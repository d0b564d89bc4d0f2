"""What becomes of failures, of repeated effects and of targets that are gone."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.core.model import Kind, ModelVersion, PinValue
from bot.core.target import Catalogue, HttpCheck, PredictionCheck, Selector
from bot.engine.loop import Loop
from bot.engine.reconcile import REFUSED_AGAIN, REPEATED_AGAIN, judge, reconcile
from bot.ports import Entry, Refused, Retryable, Standing, World
from tests.adapters.test_queue import eventually
from tests.engine.world import Journal, MemoryWorld, Registry, first

NAME = "fraud-detector/production"


class Failing(Registry):
    """A registry that answers with this."""

    def __init__(self, world: MemoryWorld, problem: Exception) -> None:
        super().__init__(world)
        self.problem = problem

    def wanted(self, model: str, when: Selector) -> ModelVersion | None:
        raise self.problem


class ReadOnly(Registry):
    """A registry in which the bot may not write."""

    def tag(self, model: str, version: str, tags: Any) -> None:
        raise Refused("no right to write tags")


def promoted() -> MemoryWorld:
    world = first()
    world.promote("2")
    return world


def test_a_neighbour_that_does_not_answer_is_tried_again() -> None:
    world, told = promoted(), []
    ports = replace(world.ports(), registry=Failing(world, Retryable("MLflow does not answer")))
    with pytest.raises(Retryable):
        reconcile(NAME, ports, told.append)
    assert [(e.outcome, e.because) for e in told] == [("retry", "MLflow does not answer")]


def test_what_is_refused_is_said_and_looked_at_again_in_minutes() -> None:
    world, told = promoted(), []
    ports = replace(world.ports(), registry=Failing(world, Refused("the token may not read models")))
    assert reconcile(NAME, ports, told.append) == REFUSED_AGAIN
    assert [(e.outcome, e.because, e.action) for e in told] == [
        ("refused", "the token may not read models", "observe")
    ]


def test_a_bug_is_loud_and_journalled() -> None:
    world, told = promoted(), []
    ports = replace(world.ports(), registry=Failing(world, ZeroDivisionError("oops")))
    with pytest.raises(ZeroDivisionError):
        reconcile(NAME, ports, told.append)
    assert told[0].outcome == "crashed"


def test_tags_that_cannot_be_written_stop_nothing() -> None:
    world = promoted()
    ports = replace(world.ports(), registry=ReadOnly(world))
    assert reconcile(NAME, ports) == timedelta(0)
    assert len(world.builds) == 1


def test_an_effect_that_does_not_show_is_not_repeated_at_once() -> None:
    world = promoted()
    reconcile(NAME, world.ports())
    world.builds.clear()  # the forge's list does not show the run yet
    assert reconcile(NAME, world.ports()) == REPEATED_AGAIN


def test_a_target_that_is_gone_is_left_alone() -> None:
    world = promoted()
    assert reconcile("nobody/nowhere", world.ports()) is None
    assert world.journal == []


def test_judging_touches_nothing() -> None:
    world = promoted()
    before = world.key()
    judged = judge(world.target, world.ports())
    assert "has no image yet" in judged.decision.because
    assert world.key() == before
    assert world.writes == 0


def pinned_by_hand(**changes: Any) -> MemoryWorld:
    """Version 2 is wanted, pinned by a person, and rolled out."""
    world = promoted()
    world.target = replace(world.target, **changes)
    world.person_pins(PinValue("v2", None))
    world.serving[world.commits[-1].id] = "good"
    return world


def verdict_of(world: MemoryWorld) -> tuple[str, str]:
    """What a pass finds; the pass remembers what it must."""
    reconcile(NAME, world.ports())
    found = judge(world.target, world.ports()).look.verdict
    assert found is not None
    return found.outcome.value, found.because


def test_a_bad_answer_counts_after_all_attempts_however_long_the_rollout_took() -> None:
    world = pinned_by_hand(verify=(HttpCheck("https://f.test/health", attempts=30),))
    world.probe = "bad"
    world.now += timedelta(days=3)  # the rollout was a long one
    for _ in range(28):  # each asks twice, and remembers once
        assert verdict_of(world) == ("pending", "the probe is bad; trying again")
        world.now += timedelta(seconds=1)
    assert verdict_of(world) == ("failed", "the probe is bad")


def test_bad_answers_in_a_row_are_counted_and_not_the_time_between_two() -> None:
    world = pinned_by_hand(verify=(HttpCheck("https://f.test/health", attempts=3),))
    world.probe = "bad"
    assert verdict_of(world)[0] == "pending"
    world.now += timedelta(minutes=30)  # the bot was down
    assert verdict_of(world)[0] == "pending"
    world.serving[world.commits[-1].id] = "rolling"
    assert verdict_of(world)[0] == "pending"
    world.serving[world.commits[-1].id] = "good"
    assert verdict_of(world)[0] == "pending"
    world.now += timedelta(seconds=2)
    assert verdict_of(world)[0] == "failed"


def test_what_could_not_be_asked_is_no_bad_answer() -> None:
    world = pinned_by_hand(verify=(HttpCheck("https://f.test/health", attempts=3),))
    world.probe = "unknown"
    for _ in range(60):
        assert verdict_of(world)[0] == "inconclusive"
        world.now += timedelta(minutes=1)
    world.probe = "silent"
    assert verdict_of(world)[0] == "pending"
    world.probe = "bad"
    assert verdict_of(world)[0] == "pending"


def test_no_answer_counts_after_the_deadline_from_the_first_time_that_none_came() -> None:
    world = pinned_by_hand(deadline=timedelta(minutes=5))
    world.probe = "silent"
    world.now += timedelta(days=3)
    for _ in range(9):
        assert verdict_of(world) == ("pending", "the probe is silent")
        world.now += timedelta(seconds=30)
    world.now += timedelta(seconds=30)
    assert verdict_of(world) == ("failed", "not good by the deadline: the probe is silent")


def test_without_an_answer_it_is_asked_less_and_less_often() -> None:
    world = pinned_by_hand(deadline=timedelta(hours=1))
    world.probe = "silent"
    waits = []
    for _ in range(100):
        waits.append(reconcile(NAME, world.ports()))
        world.now += waits[-1] or timedelta(0)
    assert waits[0] == timedelta(seconds=2)
    assert waits[-1] == timedelta(seconds=15)


def test_http_checks_are_judged_while_mlflow_is_away() -> None:
    checks = (HttpCheck("https://f.test/health", attempts=1), PredictionCheck("https://f.test"))
    world = promoted()
    world.target = replace(world.target, verify=checks)
    world.images["v2"] = "sha256:v2"
    reconcile(NAME, world.ports())
    world.person_merges(Kind.DEPLOY)
    world.cluster_syncs("good")
    world.probe, world.registry_up = "bad", False
    reconcile(NAME, world.ports())
    assert [p.kind for p in world.open()] == [Kind.REVERT]


def test_planning_starts_no_window() -> None:
    world = pinned_by_hand(verify=(HttpCheck("https://f.test/health", attempts=30),))
    world.probe = "bad"
    for _ in range(3):
        judge(world.target, world.ports())
        world.now += timedelta(hours=1)
    assert verdict_of(world)[0] == "pending"


def test_a_version_that_fails_is_taken_back_while_mlflow_is_away() -> None:
    world = promoted()
    world.images["v2"] = "sha256:v2"
    reconcile(NAME, world.ports())
    world.person_merges(Kind.DEPLOY)
    world.cluster_syncs("bad")
    world.registry_up = False
    reconcile(NAME, world.ports())
    assert [p.kind for p in world.open()] == [Kind.REVERT]


class SickJournal(Journal):
    """A journal whose disk is full."""

    def write(self, entry: Entry) -> None:
        raise Retryable("disk full")

    def recall(self, key: str) -> tuple[str, datetime] | None:
        raise Retryable("disk full")

    def remember(self, key: str, value: str, at: datetime) -> None:
        raise Retryable("disk full")

    def entries(self, target: str | None = None, limit: int = 100) -> list[Entry]:
        raise Retryable("disk full")

    def stand(self, standing: Standing) -> None:
        raise Retryable("disk full")


def test_a_journal_that_is_sick_makes_no_loop_of_effects() -> None:
    world = promoted()
    world.images["v2"] = "sha256:v2"
    reconcile(NAME, world.ports())
    world.person_merges(Kind.DEPLOY)
    ports = replace(world.ports(), journal=SickJournal(world))
    told: list[Entry] = []
    waits = [reconcile(NAME, ports, told.append) for _ in range(5)]
    assert [entry.action for entry in told] == ["ask to sync", "wait", "wait", "wait", "wait"]
    assert timedelta(0) not in waits[1:]


def test_a_journal_that_is_sick_stops_nothing() -> None:
    world = promoted()
    ports = replace(world.ports(), journal=SickJournal(world))
    assert reconcile(NAME, ports) == timedelta(0)
    assert len(world.builds) == 1


def test_people_see_that_passes_fail() -> None:
    world = promoted()
    ports = replace(world.ports(), registry=Failing(world, Refused("the token may not read models")))
    for _ in range(2):
        reconcile(NAME, ports)
    assert (world.standing[NAME].because, world.standing[NAME].failures) == (
        "the token may not read models",
        2,
    )


class Once:
    """A queue that notes what is woken, and runs it once."""

    def __init__(self) -> None:
        self.woken: list[str] = []
        self.stopped = False

    def wake(self, target: str) -> None:
        self.woken.append(target)

    def run(self, pass_: Any) -> None:
        assert eventually(lambda: bool(self.woken))
        pass_(self.woken[0])

    def stop(self) -> None:
        self.stopped = True

    def list(self) -> list[Any]:
        return []


def test_a_start_looks_at_every_target() -> None:
    world, queue = promoted(), Once()
    entries: list[Entry] = []
    swept: list[datetime] = []
    Loop(world.ports(), queue, timedelta(hours=1), told=entries.append, swept=swept.append).run()
    assert queue.woken == [NAME]
    assert entries[0].action == "start build"
    assert len(swept) == 1


def test_a_sweep_without_a_catalogue_is_for_the_next_one() -> None:
    world, queue = promoted(), Once()

    def unreachable() -> Catalogue:
        raise Retryable("git does not answer")

    ports: World = replace(world.ports(), catalogue=unreachable)
    loop = Loop(ports, queue, timedelta(hours=1))
    assert loop.sweep() == 0
    loop.stop()
    assert queue.stopped
