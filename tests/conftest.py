"""Parts of the world that are dear to start and that tests share, each under names of their own in it."""

from collections.abc import Iterator

import pytest

from bot.sandbox.tracking import TrackingServer


@pytest.fixture(scope="session")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackingServer]:
    """One real MLflow server per test process; the mark xdist_group("mlflow") brings its users to the same one."""
    with TrackingServer(tmp_path_factory.mktemp("tracking")) as server:
        yield server
