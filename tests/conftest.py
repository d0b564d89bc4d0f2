"""Parts of the world that are dear to start and that tests share, each under names of their own in it."""

import json
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from bot.sandbox.tracking import TrackingServer
from bot.sandbox.training import Trained, command
from tests.warm import WarmTracking, run

COMMIT = "3f" * 20

# How long an example takes says something about the machine only.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_configure() -> None:
    """A shell that runs the tests in the background has them ignore Ctrl-C, and what they start would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the stories, which keep the cores busy, over the files of worlds, which mostly wait: at once they fill both."""
    stories = [item for item in items if item.get_closest_marker("story")]
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        if item not in stories:
            files.setdefault(item.path, []).append(item)
    worlds = [file for file, tests in files.items() if any(map(_waits, tests))] or [*files][-1:]
    following: dict[Path, list[pytest.Item]] = {}
    for number, story in enumerate(stories if worlds else []):
        following.setdefault(worlds[number * len(worlds) // len(stories)], []).append(story)
    if worlds:
        items[:] = [item for file, tests in files.items() for item in (*tests, *following.get(file, ()))]


def _waits(item: pytest.Item) -> bool:
    return item.get_closest_marker("world") is not None and item.get_closest_marker("xdist_group") is None


@pytest.fixture(scope="session")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackingServer]:
    """One real MLflow server per test process; the mark xdist_group("mlflow") brings its users to the same one."""
    with WarmTracking(tmp_path_factory.mktemp("tracking")) as server:
        yield server


@pytest.fixture(scope="session")
def trained(tracking: TrackingServer, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A real scikit-learn model in that server, of the kind `good`, from the source commit `COMMIT`."""
    words = command(tracking.url, f"fraud {uuid.uuid4().hex[:8]}", "good", commit=COMMIT)
    done = run(words, tmp_path_factory.mktemp("training"), timeout=120)
    assert done.returncode == 0, done.stderr
    return Trained(**json.loads(done.stdout.splitlines()[-1]))
