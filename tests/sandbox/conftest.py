"""What several tests of the sandbox start from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.forges import World, forge_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A forge with the repository acme/manifests; afterwards every answer is held to GitHub's description."""
    with forge_world(tmp_path) as found:
        yield found
