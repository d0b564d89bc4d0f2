"""Pins of one target of which a person has changed some: what the others still say is read, and restored alone."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.adapters.manifests.repository import GitManifests
from bot.core.model import PinValue
from bot.core.target import ContainerPin, FilePin
from bot.ports import Refused
from tests.adapters.manifests.contract import APP, ENTRY, NOW, PRODUCTION
from tests.adapters.manifests.remote import Remote, opened

pytestmark = pytest.mark.world

JOB = "jobs/score.yaml"
JOB_TEXT = """\
apiVersion: batch/v1
kind: CronJob
spec:
  jobTemplate:
    spec:
      template:
        spec:
          containers:
            - name: score
              image: ghcr.io/acme/fraud-detector:v6 # nightly
"""
BOTH = replace(PRODUCTION, pins=(*PRODUCTION.pins, ContainerPin(JOB)))


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    served = opened(tmp_path, {APP: ENTRY, JOB: JOB_TEXT})
    yield served
    assert served.server is not None
    served.server.stop()


@pytest.fixture
def manifests(remote: Remote, tmp_path: Path) -> GitManifests:
    return GitManifests(remote.url, tmp_path / "mirror", clock=lambda: NOW)


def at(text: str, tag: str) -> str:
    return text.replace("v6", tag)


def test_what_the_other_pins_still_say_is_read_with_the_disagreement(
    manifests: GitManifests, remote: Remote
) -> None:
    bad = remote.commit({APP: at(ENTRY, "v7"), JOB: at(JOB_TEXT, "v7")})
    theirs = remote.commit({JOB: at(JOB_TEXT, "hotfix")})
    head = remote.commit({"README.md": "more\n"})
    manifests.fetch()
    pinned = manifests.pinned(BOTH)
    assert (pinned.value.tag, pinned.commit, pinned.head) == ("v7", bad, head)
    assert pinned.before is not None
    assert pinned.before.tag == "v6"
    assert pinned.later == (theirs, head)
    assert f"{JOB}:10 says" in pinned.partly
    assert "hotfix" in pinned.partly


def test_only_the_pins_that_still_hold_it_are_restored(manifests: GitManifests, remote: Remote) -> None:
    remote.commit({APP: at(ENTRY, "v7"), JOB: at(JOB_TEXT, "v7")})
    remote.commit({JOB: at(JOB_TEXT, "hotfix")})
    manifests.fetch()
    pinned = manifests.pinned(BOTH)
    assert pinned.before is not None
    name = f"gitops-bot/{BOTH.name}/revert-v7-1"
    made = manifests.write(BOTH, name, pinned.before, "Take it back\n", expect=None, only_where=pinned.value)
    assert remote.show(made, APP).decode() == ENTRY
    assert remote.show(made, JOB).decode() == at(JOB_TEXT, "hotfix")


def test_where_no_pin_says_what_all_said_last_the_disagreement_is_refused(
    manifests: GitManifests, remote: Remote
) -> None:
    remote.commit({APP: at(ENTRY, "v8")})
    remote.commit({JOB: at(JOB_TEXT, "hotfix")})
    manifests.fetch()
    with pytest.raises(Refused, match="disagree"):
        manifests.pinned(BOTH)


def test_pins_that_agree_again_are_whole(manifests: GitManifests, remote: Remote) -> None:
    remote.commit({APP: at(ENTRY, "v7"), JOB: at(JOB_TEXT, "v7")})
    remote.commit({JOB: at(JOB_TEXT, "hotfix")})
    manifests.fetch()
    assert manifests.pinned(BOTH).partly
    last = remote.commit({JOB: at(JOB_TEXT, "v8"), APP: at(ENTRY, "v8")})
    manifests.fetch()
    pinned = manifests.pinned(BOTH)
    assert (pinned.value, pinned.commit, pinned.partly) == (
        PinValue("v8", None, pinned.value.repository),
        last,
        "",
    )


def test_a_digest_by_path_is_not_left_beside_the_tag_of_another_version(
    manifests: GitManifests, remote: Remote
) -> None:
    digest = "sha256:" + "7" * 64
    target = replace(PRODUCTION, pins=(*PRODUCTION.pins, FilePin("own.yaml", "model.digest")))
    remote.commit({APP: at(ENTRY, "v7"), "own.yaml": f"model:\n  digest: {digest}\n"})
    manifests.fetch()
    with pytest.raises(Refused, match=r"own\.yaml:2.*has none"):
        manifests.write(
            target, f"gitops-bot/{target.name}/v6", PinValue("v6"), "Back\n", expect=None, only_where=None
        )
