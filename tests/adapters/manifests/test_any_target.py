"""Readings of the repo are remembered for any target, whatever its checks hold."""

import dataclasses
from pathlib import Path

import pytest

from bot.adapters.manifests.repository import GitManifests
from bot.core.target import AlertsCheck, Check, HttpCheck
from tests.adapters.manifests.contract import APP, BRANCH, ENTRY, MESSAGE, PRODUCTION, V7
from tests.adapters.manifests.remote import opened


@pytest.mark.world
@pytest.mark.parametrize(
    "check", [HttpCheck("http://model/health", json={"status": "ok"}), AlertsCheck({"service": "fraud"})]
)
def test_a_target_whose_checks_hold_mappings_is_read_and_written(check: Check, tmp_path: Path) -> None:
    remote = opened(tmp_path, {APP: ENTRY})
    try:
        manifests = GitManifests(remote.url, tmp_path / "mirror")
        target = dataclasses.replace(PRODUCTION, verify=(check,))
        head = manifests.fetch()
        assert manifests.pinned(target) == manifests.pinned(PRODUCTION)
        assert manifests.pinned(target).commit == head
        manifests.write(target, BRANCH, V7, MESSAGE, expect=None)
        manifests.fetch()
        branch = manifests.branch(target, BRANCH)
        assert branch is not None
        assert branch.value is not None
        assert (branch.value.tag, branch.value.digest) == (V7.tag, V7.digest)
    finally:
        assert remote.server is not None
        remote.server.stop()
