"""One world per test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.web.world import Web


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    world = Web(tmp_path)
    yield world
    world.close()


@pytest.fixture
def client(web: Web) -> FlaskClient:
    return web.app.test_client()
