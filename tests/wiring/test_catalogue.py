"""The targets in force: read again when the repo changed, kept when it cannot be reached."""

import pytest

from bot.ports import Retryable
from bot.wiring.catalogue import Targets
from tests.engine.world import Manifests, first

GOOD = b"""
targets:
  - name: fraud-detector/production
    model: fraud-detector
    when: {alias: champion}
    image: ghcr.io/acme/fraud-detector
    pins: [{kustomize: apps/production}]
"""
BROKEN = GOOD.replace(b"champion", b"[")


class Repo(Manifests):
    """A manifests repo with this history of promotions.yaml, newest first."""

    def __init__(self, *versions: bytes, clock: "Clock | None" = None) -> None:
        super().__init__(first())
        self.clock = clock or Clock()
        self.newest = "", float("-inf")
        self.read = 0
        self.versions = list(versions)
        self.reachable = self.readable = True
        self.fetches = 0
        self.deleted = False

    def fetch(self) -> str:
        if not self.reachable:
            raise Retryable("git does not answer")
        self.fetches += 1
        self.newest = f"head-{len(self.versions)}", self.clock()
        return self.newest[0]

    def fetched(self) -> tuple[str, float]:
        return self.newest

    def history(self, path: str, limit: int) -> list[str]:
        if not self.readable:
            raise Retryable("git does not answer")
        self.read += 1
        return [str(n) for n in range(len(self.versions))]

    def file(self, path: str, commit: str) -> bytes | None:
        if commit.startswith("head"):
            return None if self.deleted else self.versions[0]
        return self.versions[int(commit)]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def opened(*versions: bytes, fresh: float = 5) -> tuple[Repo, Clock, Targets]:
    clock = Clock()
    repo = Repo(*versions, clock=clock)
    return repo, clock, Targets(repo, fresh=fresh, monotonic=clock)


def test_the_repo_is_asked_once_in_a_while_and_read_only_when_it_moved() -> None:
    repo, clock, targets = opened(GOOD)
    assert list(targets().targets) == ["fraud-detector/production"]
    assert targets() is targets()
    assert (repo.fetches, repo.read) == (1, 1)
    clock.now = 6
    targets()
    assert (repo.fetches, repo.read) == (2, 1)


def test_a_fetch_of_anybody_else_is_as_good() -> None:
    repo, clock, targets = opened(GOOD)
    targets()
    for clock.now in range(4, 40, 4):  # passes, each of which asks for the catalogue and then fetches
        targets()
        repo.fetch()
    assert repo.fetches == 1 + 9
    assert repo.read == 1


def test_what_a_pass_fetched_is_in_force_for_the_next_and_wakes_whom_it_concerns() -> None:
    repo, clock, targets = opened(GOOD)
    other = GOOD + GOOD.partition(b"targets:\n")[2].replace(b"production", b"staging")
    woken: list[str] = []
    targets.changed = woken.extend
    targets()
    repo.versions.insert(0, other)
    clock.now = 1
    repo.fetch()
    assert sorted(targets().targets) == ["fraud-detector/production", "fraud-detector/staging"]
    assert (repo.fetches, woken) == (2, ["fraud-detector/staging"])
    repo.versions.insert(0, other.replace(b"alias: champion", b"alias: best", 1))
    repo.fetch()
    targets()
    targets()
    assert woken == ["fraud-detector/staging", "fraud-detector/production"]


def test_a_broken_file_leaves_the_last_good_one_in_force() -> None:
    _, _, targets = opened(BROKEN, GOOD)
    catalogue = targets()
    assert (list(catalogue.targets), catalogue.commit) == (["fraud-detector/production"], "1")
    assert catalogue.problem is not None
    assert "promotions.yaml" in catalogue.problem


def test_a_file_that_was_deleted_stays_in_force_and_is_missed() -> None:
    repo = Repo(GOOD)
    repo.deleted = True
    catalogue = Targets(repo)()
    assert list(catalogue.targets) == ["fraud-detector/production"]
    assert catalogue.problem is not None
    assert "it is gone from the base branch" in catalogue.problem


def test_a_mended_file_comes_into_force() -> None:
    repo, clock, targets = opened(BROKEN)
    assert targets().targets == {}
    repo.versions.insert(0, GOOD)
    clock.now = 6
    assert (list(targets().targets), targets().problem) == (["fraud-detector/production"], None)


def test_while_the_repo_is_out_of_reach_the_last_reading_stays() -> None:
    repo, clock, targets = opened(GOOD)
    before = targets()
    repo.reachable = False
    clock.now = 60
    assert targets() is before
    with pytest.raises(Retryable):
        Targets(repo)()
    repo.versions.insert(0, BROKEN)
    repo.reachable = True
    assert targets() is before  # it was tried a moment ago
    clock.now = 63
    assert targets().problem is not None


def test_a_head_that_cannot_be_read_leaves_the_last_reading_and_is_read_later() -> None:
    repo, clock, targets = opened(GOOD)
    before = targets()
    repo.versions.insert(0, GOOD.replace(b"champion", b"best"))
    repo.fetch()
    repo.readable = False
    assert targets() is before
    repo.readable = True
    clock.now = 3
    assert targets().targets != before.targets
