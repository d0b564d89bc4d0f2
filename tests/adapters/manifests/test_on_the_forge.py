"""The port `Manifests` against the sandbox forge, as the demo uses it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.adapters.manifests.repository import GitManifests
from bot.sandbox.forge import Forge
from tests.adapters.manifests.contract import FILES, NOW, ManifestsContract
from tests.adapters.manifests.remote import Remote

pytestmark = pytest.mark.world


class ForgeRemote(Remote):
    """The repo on the forge; people push to it as they do elsewhere."""

    forge: Forge

    @property
    def url(self) -> str:
        return f"{self.forge.url}/acme/manifests.git"

    @property
    def bare(self) -> Path:
        return self.forge.repository("acme/manifests").git.path


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    for path, text in FILES.items():
        file = tmp_path / "source" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
    with Forge(tmp_path / "forge") as forge:
        forge.add_user("bot", "the-token", bot=True)
        forge.create_repository("acme/manifests", source=tmp_path / "source")
        served = ForgeRemote(tmp_path / "unused", tmp_path / "work")
        served.forge = forge
        served.git("clone", "-q", str(served.bare), str(served.work), at=tmp_path)
        yield served


@pytest.fixture
def manifests(remote: Remote, tmp_path: Path) -> GitManifests:
    return GitManifests(remote.url, tmp_path / "mirror", lambda: "the-token", clock=lambda: NOW)


class TestOnTheForge(ManifestsContract):
    """The adapter against the sandbox."""
