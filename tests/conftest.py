"""Parts of the world that are dear to start and that tests share, each under names of their own in it."""

import json
import uuid
from collections.abc import Iterator

import pytest
from hypothesis import settings

from bot.sandbox.tracking import TrackingServer
from bot.sandbox.training import Trained, command
from tests.warm import WarmTracking, run

COMMIT = "3f" * 20

# How long an example takes says something about the machine only.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


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
