"""Several promotions at once, and several bots on one mirror folder."""

import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.adapters.manifests.git import words
from bot.adapters.manifests.repository import GitManifests
from bot.core.model import PinValue
from bot.core.names import deploy_branch
from bot.core.target import Alias, KustomizePin, Target
from bot.ports import Refused, Retryable
from tests.adapters.manifests.remote import Remote, opened

pytestmark = pytest.mark.world
IMAGE = "ghcr.io/acme/m"
ENTRY = f"images:\n- name: {IMAGE}\n  newTag: v6\n"
COUNT = 20


def target(number: int) -> Target:
    return Target(
        f"m{number}/production", f"m{number}", Alias("champion"), IMAGE, (KustomizePin(f"apps/{number}"),)
    )


def write(manifests: GitManifests, number: int, expect: str | None = None) -> str:
    at = target(number)
    message = f"Deploy\n\nGitOps-Bot-Target: {at.name}\n"
    return manifests.write(at, deploy_branch(at.name, "7"), PinValue("v7"), message, expect=expect)


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    files: dict[str, str | bytes] = {f"apps/{number}/kustomization.yaml": ENTRY for number in range(COUNT)}
    remote = opened(tmp_path, files)
    yield remote
    assert remote.server is not None
    remote.server.stop()


def test_promotions_that_are_due_at_once_share_pushes_and_are_each_a_branch(
    remote: Remote, tmp_path: Path
) -> None:
    manifests = GitManifests(remote.url, tmp_path / "mirror")
    base = manifests.fetch()
    remote.requests.clear()
    with ThreadPoolExecutor(COUNT) as pool:
        commits = list(pool.map(lambda number: write(manifests, number), range(COUNT)))
    pushes = [
        request for request in remote.requests if request.startswith("POST") and "receive-pack" in request
    ]
    assert 1 <= len(pushes) <= COUNT // 2
    for number, commit in enumerate(commits):
        assert remote.head(deploy_branch(target(number).name, "7")) == commit
        changed = remote.git("diff", "--name-only", base, commit, at=remote.bare).splitlines()
        assert changed == [f"apps/{number}/kustomization.yaml"]


def test_what_goes_wrong_with_one_of_them_stays_with_that_one(remote: Remote, tmp_path: Path) -> None:
    taken = deploy_branch(target(3).name, "7")
    theirs = remote.commit({"README.md": "x\n"}, branch="main")
    manifests = GitManifests(remote.url, tmp_path / "mirror")
    manifests.fetch()
    remote.git("push", "-q", str(remote.bare), f"{theirs}:refs/heads/{taken}")
    (remote.work / "apps/5/kustomization.yaml").unlink()
    remote.commit({"README.md": "y\n"})
    manifests.fetch()
    remote.git("push", "-q", "-f", str(remote.bare), f"HEAD:refs/heads/{taken}")
    outcomes: dict[int, str | Exception] = {}

    def attempt(number: int) -> None:
        try:
            outcomes[number] = write(manifests, number)
        except (Refused, Retryable) as error:
            outcomes[number] = error

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(COUNT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert isinstance(outcomes[3], Retryable)
    assert isinstance(outcomes[5], Refused)
    assert "apps/5/kustomization.yaml: there is no such file" in str(outcomes[5])
    for number in set(range(COUNT)) - {3, 5}:
        assert outcomes[number] == remote.head(deploy_branch(target(number).name, "7"))


def _bot(url: str, folder: Path, first: int, results: "multiprocessing.Queue[list[str]]") -> None:
    manifests = GitManifests(url, folder)
    said = []
    for number in range(first, first + 4):
        manifests.fetch()
        said.append(f"{number} {manifests.pinned(target(number)).value.tag} {write(manifests, number)}")
    results.put(said)


def test_two_processes_may_share_a_mirror_folder(remote: Remote, tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    results = spawn.Queue()
    bots = [
        spawn.Process(target=_bot, args=(remote.url, tmp_path / "mirror", first, results)) for first in (0, 4)
    ]
    for bot in bots:
        bot.start()
    said = [line.split() for _ in bots for line in results.get(timeout=120)]
    for bot in bots:
        bot.join(60)
    assert [bot.exitcode for bot in bots] == [0, 0]
    assert sorted(int(number) for number, _, _ in said) == list(range(8))
    for number, tag, commit in said:
        assert (tag, remote.head(deploy_branch(target(int(number)).name, "7"))) == ("v6", commit)


def test_traces_of_git_and_curl_stay_out_of_sentences() -> None:
    err = (
        "== Info: Couldn't find host 127.0.0.1 in the .netrc file; using defaults\n"
        "17:01:02.123456 http.c:756              == Info: Connected to 127.0.0.1\n"
        "17:01:02.123456 http.c:703              => Send header: Authorization: Basic x\n"
        "hint: try again\n"
        "fatal: unable to access 'http://127.0.0.1:1/a.git/': Failed to connect\n"
    )
    assert words(err) == "fatal: unable to access 'http://127.0.0.1:1/a.git/': Failed to connect"
    assert words("== Info: only noise\n") == "git gave no reason"
