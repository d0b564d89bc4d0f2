"""The mirror stays small, whatever comes and goes; nothing is lost by tidying it, whoever works meanwhile or ends it."""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.adapters.manifests.commits import Identity, NewCommit, committed
from bot.adapters.manifests.housekeeping import Clutter, clutter, tidied
from bot.adapters.manifests.mirror import Mirror
from bot.adapters.manifests.repository import GitManifests
from bot.core.model import PinValue
from bot.core.names import deploy_branch
from bot.ports import Refused, Retryable
from tests.adapters.manifests.contract import APP, BRANCH, ENTRY, NOW, PRODUCTION, V7, write
from tests.adapters.manifests.remote import Remote, opened

pytestmark = pytest.mark.world
SIGNED = Identity("Bot", "bot@acme.dev").at(NOW)
FETCHES = 52
BRANCHES = 4  # with each fetch


@pytest.fixture(scope="module")
def worn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A remote, and a mirror after many fetches: each of a commit, a branch of the bot's, and a file that came by need."""
    folder = tmp_path_factory.mktemp("worn")
    remote = opened(folder, {APP: ENTRY, "README.md": "hello\n"})
    assert remote.server is not None
    remote.server.stop()
    # Not over HTTP: so many fetches take their time.
    mirror = GitManifests(f"file://{remote.bare}", folder / "mirror")._mirror
    for number, commit in enumerate(changes(remote, FETCHES)):
        names = [f"gitops-bot/m{number}/stage{n}/v7" for n in range(BRANCHES)]
        moves = "".join(f"update refs/heads/{name} {commit}\n" for name in ["main", *names])
        remote.git("update-ref", "--stdin", at=remote.bare, data=moves.encode())
        mirror.fetch()
        if number % 4 == 0:
            mirror.objects.blobs([mirror.objects.entries(commit, [APP])[APP].oid])
    return folder


@pytest.fixture
def remote(worn: Path, tmp_path: Path) -> Remote:
    shutil.copytree(worn, tmp_path, dirs_exist_ok=True)
    return Remote(tmp_path / "remote", tmp_path / "work")


@pytest.fixture
def manifests(remote: Remote, tmp_path: Path) -> GitManifests:
    return GitManifests(f"file://{remote.bare}", tmp_path / "mirror", clock=lambda: NOW)


def changes(remote: Remote, count: int) -> list[str]:
    """Commits of people on top of the base branch, in the remote under no branch yet."""
    begun = remote.head("main")
    lines = [
        f"commit refs/people/main\ncommitter Jo <jo@acme.dev> {1_800_000_000 + number} +0000\ndata 1\nx\n"
        + (f"from {begun}\n" if number == 0 else "")
        + f"M 100644 inline {APP}\ndata <<E\n{ENTRY}# {number}\nE\n"
        for number in range(count)
    ]
    remote.git("fast-import", "--quiet", "--force", at=remote.bare, data="\n".join(lines).encode())
    return remote.git("rev-list", "--reverse", f"{begun}..refs/people/main", at=remote.bare).split()


def moved(remote: Remote, count: int = 1) -> None:
    """People change the pin's file on the base branch."""
    remote.git("update-ref", "refs/heads/main", changes(remote, count)[-1], at=remote.bare)


def names(mirror: Mirror) -> set[str]:
    """Every object that is here."""
    out = mirror.git.run("cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
    return set(out.decode().split())


def sound(mirror: Mirror) -> None:
    answer = mirror.git.ask("fsck", "--full", "--no-dangling")
    assert (answer.code, [line for line in answer.err.splitlines() if "notice: HEAD" not in line]) == (0, [])


def test_after_many_fetches_the_mirror_is_small_again_and_whole(
    manifests: GitManifests, remote: Remote
) -> None:
    mirror = manifests._mirror
    manifests.fetch()
    manifests.pinned(PRODUCTION)
    before, held = clutter(mirror.folder), names(mirror)
    assert before.packs > FETCHES
    assert before.refs > BRANCHES * FETCHES
    reader = mirror.objects._reader._process
    assert manifests.tidy()
    assert clutter(mirror.folder) == Clutter(packs=1, refs=0, objects=0)
    assert names(mirror) == held
    sound(mirror)
    assert len(list((mirror.folder / "objects" / "pack").glob("*.promisor"))) == 1
    moved(remote)
    assert manifests.fetch() == remote.head("main")
    assert len(mirror.refs().branches) == BRANCHES * FETCHES
    assert write(manifests) == remote.head(BRANCH)
    assert reader.poll() is None
    assert mirror.objects._reader._process is reader
    assert not manifests.tidy()


def test_a_mirror_that_is_not_there_yet_or_has_little_is_left_alone(remote: Remote, tmp_path: Path) -> None:
    manifests = GitManifests(f"file://{remote.bare}", tmp_path / "fresh")
    assert not manifests.tidy()
    manifests.fetch()
    started = manifests.git_processes
    assert not manifests.tidy()
    assert manifests.git_processes == started


def test_a_commit_that_is_not_pushed_yet_outlives_it(manifests: GitManifests, remote: Remote) -> None:
    mirror = manifests._mirror
    base = manifests.fetch()
    [few] = committed(mirror, base, [NewCommit({APP: b"few\n"}, "Deploy")], SIGNED)
    many = committed(mirror, base, [NewCommit({APP: b"%d\n" % n}, "Deploy") for n in range(60)], SIGNED)
    assert manifests.tidy()
    mirror.push(BRANCH, few, None)
    mirror.push(BRANCH, many[-1], few)
    assert (remote.head(BRANCH), remote.show(many[-1], APP)) == (many[-1], b"59\n")
    remote.git("fsck", "--strict", "--no-dangling", at=remote.bare)


def test_many_loose_objects_are_packed_too(remote: Remote, tmp_path: Path) -> None:
    manifests = GitManifests(f"file://{remote.bare}", tmp_path / "fresh")
    mirror, base = manifests._mirror, manifests.fetch()
    for start in range(0, 1000, 18):
        new = [NewCommit({APP: b"%d\n" % n}, "Deploy") for n in range(start, start + 18)]
        committed(mirror, base, new, SIGNED)
    assert clutter(mirror.folder).packs < 5
    assert clutter(mirror.folder).objects > 2000
    held = names(mirror)
    assert manifests.tidy()
    assert clutter(mirror.folder).objects == 0
    assert names(mirror) == held


def test_threads_go_on_working_meanwhile(manifests: GitManifests, remote: Remote) -> None:
    mirror = manifests._mirror
    manifests.fetch()
    done = threading.Event()
    problems: list[Exception] = []
    written: list[tuple[str, str]] = []

    def repeated(work: Callable[[int], None]) -> threading.Thread:
        def run() -> None:
            number = 0
            while not done.is_set() and not problems:
                number += 1
                try:
                    work(number)
                except (Refused, Retryable, AssertionError, OSError) as problem:
                    problems.append(problem)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def promotion(number: int) -> None:
        manifests.fetch()
        assert manifests.pinned(PRODUCTION).value.tag == "v6"
        name = deploy_branch(PRODUCTION.name, str(number))
        commit = manifests.write(PRODUCTION, name, V7, f"Deploy {number}\n", expect=None)
        written.append((name, commit))

    def reading(number: int) -> None:
        head = mirror.refs().base
        assert mirror.git.run("rev-list", "--count", head)
        mirror.objects._trees.clear()
        assert APP in mirror.objects.below(head, [""])

    def fetching(number: int) -> None:
        mirror.fetch()

    threads = [repeated(promotion), repeated(reading), repeated(fetching)]
    for _ in range(15):
        moved(remote)
        mirror.fetch()
        assert tidied(mirror, Clutter(0, 0, 0))
    done.set()
    for thread in threads:
        thread.join(60)
    assert problems == []
    assert written
    assert {name: remote.head(name) for name, _ in written} == dict(written)
    sound(mirror)


def test_one_that_is_killed_does_no_harm(manifests: GitManifests, remote: Remote, tmp_path: Path) -> None:
    mirror = manifests._mirror
    held = names(mirror)
    for number in range(5):
        copy = tmp_path / f"copy{number}"
        shutil.copytree(mirror.folder, copy)
        command = ["git", "--git-dir", str(copy), "repack", "-a", "-d", "-k", "-n", "--quiet"]
        repack = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
        time.sleep(number * 0.02)
        os.killpg(repack.pid, signal.SIGKILL)
        repack.wait()
        again = GitManifests(mirror.url, copy, clock=lambda: NOW)
        assert names(again._mirror) == held
        moved(remote)
        assert again.fetch() == remote.head("main")
        again.tidy()
        assert clutter(copy).packs <= 50
        assert held <= names(again._mirror)
        name = deploy_branch(PRODUCTION.name, str(number))
        assert again.write(PRODUCTION, name, V7, f"{number}\n", expect=None) == remote.head(name)
        sound(again._mirror)


def test_what_killed_processes_left_long_ago_is_removed(manifests: GitManifests, remote: Remote) -> None:
    mirror = manifests._mirror
    packs = mirror.folder / "objects" / "pack"
    pack = next(packs.glob("*.pack"))
    old = [packs / name for name in ("tmp_pack_x", ".tmp-1-pack-x.pack", "pack-0.pack", f"{pack.stem}.keep")]
    (mirror.folder / "objects" / "00").mkdir(exist_ok=True)
    old.append(mirror.folder / "objects" / "00" / "tmp_obj_x")
    for file in old:
        file.write_bytes(b"half")
        os.utime(file, (0, 0))
    young = packs / "tmp_pack_y"
    young.write_bytes(b"half")
    assert manifests.tidy()
    assert [file.name for file in old if file.exists()] == []
    assert young.exists()
    assert clutter(mirror.folder).packs <= 2


def test_a_base_branch_that_moves_between_fetch_and_push_stops_no_promotion(tmp_path: Path) -> None:
    remote = opened(tmp_path, {APP: ENTRY, "README.md": "hello\n"})
    assert remote.server is not None
    manifests = GitManifests(remote.url, tmp_path / "mirror", clock=lambda: NOW)
    manifests.fetch()
    moved(remote, 3)
    commit = manifests.write(PRODUCTION, BRANCH, V7, "Deploy\n", expect=None)
    remote.server.stop()
    assert commit == remote.head(BRANCH)
    assert b"newTag: v7" in remote.show(commit, APP)


def test_a_pin_that_another_branch_changed_stops_no_promotion(
    manifests: GitManifests, remote: Remote, tmp_path: Path
) -> None:
    manifests.fetch()
    manifests.write(PRODUCTION, BRANCH, PinValue("v8"), "Deploy\n", expect=None)
    fresh = GitManifests(manifests._mirror.url, tmp_path / "fresh", clock=lambda: NOW)
    fresh.fetch()
    name = deploy_branch(PRODUCTION.name, "9")
    assert fresh.write(PRODUCTION, name, PinValue("v9"), "Deploy\n", expect=None) == remote.head(name)
