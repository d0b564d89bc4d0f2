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

    def __init__(self, *versions: bytes) -> None:
        super().__init__(first())
        self.versions = list(versions)
        self.reachable = True
        self.fetched = 0
        self.deleted = False

    def fetch(self) -> str:
        if not self.reachable:
            raise Retryable("git does not answer")
        self.fetched += 1
        return f"head-{len(self.versions)}"

    def history(self, path: str, limit: int) -> list[str]:
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


def test_the_repo_is_asked_once_in_a_while() -> None:
    repo, clock = Repo(GOOD), Clock()
    targets = Targets(repo, fresh=5, monotonic=clock)
    assert list(targets().targets) == ["fraud-detector/production"]
    assert targets() is targets()
    assert repo.fetched == 1
    clock.now = 6
    targets()
    assert repo.fetched == 2


def test_a_broken_file_leaves_the_last_good_one_in_force() -> None:
    repo, clock = Repo(BROKEN, GOOD), Clock()
    catalogue = Targets(repo, monotonic=clock)()
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
    repo, clock = Repo(BROKEN), Clock()
    targets = Targets(repo, fresh=5, monotonic=clock)
    assert targets().targets == {}
    repo.versions.insert(0, GOOD)
    clock.now = 6
    assert (list(targets().targets), targets().problem) == (["fraud-detector/production"], None)


def test_while_the_repo_is_out_of_reach_the_last_reading_stays() -> None:
    repo, clock = Repo(GOOD), Clock()
    targets = Targets(repo, fresh=5, monotonic=clock)
    before = targets()
    repo.reachable = False
    clock.now = 60
    assert targets() is before
    with pytest.raises(Retryable):
        Targets(repo)()
