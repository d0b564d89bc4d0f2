"""Markers are found in the whole repo: read at a commit, traced to the commit that changed them, written together."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.adapters.manifests.repository import GitManifests
from bot.core.model import PinValue
from bot.core.names import deploy_branch
from bot.core.target import Alias, FilePin, MarkerPin, Pin, Target
from tests.adapters.manifests.remote import Remote, opened

pytestmark = pytest.mark.world
NAME = "fraud-detector/production"
MARKED = f'a: v6 # {{"$gitops-bot": "{NAME}:tag"}}\n'
FILES: dict[str, str | bytes] = {
    "apps/a.yaml": MARKED,
    "apps/deep/b.yml": f"x: [1]\n{MARKED}",
    "apps/c.json": "{}\n",
    "other/d.yaml": "a: b\n",
    "latin.yaml": b"# caf\xe9\nimage: ghcr.io/acme/m:v6\n",
}


def target(pin: Pin) -> Target:
    return Target(NAME, "fraud-detector", Alias("champion"), "ghcr.io/acme/m", (pin,))


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    remote = opened(tmp_path, FILES)
    yield remote
    assert remote.server is not None
    remote.server.stop()


@pytest.mark.parametrize("folder", [".", "apps"])
def test_marked_values_are_one_pin(remote: Remote, tmp_path: Path, folder: str) -> None:
    manifests, at = GitManifests(remote.url, tmp_path / "mirror"), target(MarkerPin(folder))
    begun = manifests.fetch()
    pinned = manifests.pinned(at)
    assert (pinned.value, pinned.commit) == (PinValue("v6"), begun)
    branch = deploy_branch(NAME, "7")
    commit = manifests.write(at, branch, PinValue("v7"), "Deploy\n", expect=None)
    assert remote.show(commit, "apps/a.yaml").decode() == MARKED.replace("v6", "v7")
    assert remote.show(commit, "apps/deep/b.yml").decode() == f"x: [1]\n{MARKED}".replace("v6", "v7")
    changed = remote.git("diff", "--name-only", begun, commit, at=remote.bare).splitlines()
    assert changed == ["apps/a.yaml", "apps/deep/b.yml"]
    assert manifests.diff(at, PinValue("v7")).count("+a: v7 #") == 2


def test_who_changed_marked_values_is_known_and_halves_are_told(remote: Remote, tmp_path: Path) -> None:
    manifests, at = GitManifests(remote.url, tmp_path / "mirror"), target(MarkerPin("."))
    changed = remote.commit(
        {path: str(FILES[path]).replace("v6", "v7") for path in ("apps/a.yaml", "apps/deep/b.yml")}
    )
    remote.commit({"other/d.yaml": "a: c\n"})
    manifests.fetch()
    pinned = manifests.pinned(at)
    assert (pinned.value, pinned.before, pinned.commit) == (PinValue("v7"), PinValue("v6"), changed)
    remote.commit({"apps/a.yaml": MARKED})
    manifests.fetch()
    halved = manifests.pinned(at)
    assert (halved.value, halved.commit) == (PinValue("v7"), changed)
    assert "disagree: apps/a.yaml:1 says v6, apps/deep/b.yml:2 says v7" in halved.partly


def test_a_comment_in_an_old_encoding_stays_byte_for_byte(remote: Remote, tmp_path: Path) -> None:
    manifests, at = GitManifests(remote.url, tmp_path / "mirror"), target(FilePin("latin.yaml"))
    manifests.fetch()
    commit = manifests.write(at, deploy_branch(NAME, "7"), PinValue("v7"), "Deploy\n", expect=None)
    assert remote.show(commit, "latin.yaml") == b"# caf\xe9\nimage: ghcr.io/acme/m:v7\n"
    assert "+image: ghcr.io/acme/m:v7" in manifests.diff(at, PinValue("v7"))
