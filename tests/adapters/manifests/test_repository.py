"""The port `Manifests` on real git over HTTP: reading pins and their history, and branches that change them."""

import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from bot.adapters.manifests.repository import GitManifests
from bot.core.model import PinValue
from bot.core.names import deploy_branch
from bot.core.target import Alias, ContainerPin, KustomizePin, Target
from bot.ports import Refused, Retryable
from tests.adapters.manifests.contract import (
    APP,
    BRANCH,
    ENTRY,
    IMAGE,
    MESSAGE,
    NOW,
    PRODUCTION,
    SHA,
    V7,
    ManifestsContract,
    write,
)
from tests.adapters.manifests.remote import Remote, opened

pytestmark = pytest.mark.world

JOB = "jobs/score.yaml"


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    files: dict[str, str | bytes] = {
        APP: ENTRY,
        "apps/staging/kustomization.yaml": ENTRY,
        "README.md": "hello\n",
    }
    served = opened(tmp_path, files)
    yield served
    assert served.server is not None
    served.server.stop()


@pytest.fixture
def manifests(remote: Remote, tmp_path: Path) -> GitManifests:
    return GitManifests(remote.url, tmp_path / "mirror", clock=lambda: NOW)


def processes(manifests: GitManifests) -> int:
    return manifests._mirror.git.started


class TestGitManifests(ManifestsContract):
    """The adapter against git's own HTTP backend."""


# --- History ---------------------------------------------------------------------------------------


def test_the_commit_of_a_pin_that_changed_long_ago_is_found_in_few_requests(
    manifests: GitManifests, remote: Remote
) -> None:
    made = remote.commit({APP: ENTRY.replace("v6", "v7")})
    stream = [
        f"commit refs/heads/main\ncommitter Jo <jo@acme.dev> {1_800_000_000 + n} +0000\ndata 1\nx\n"
        + (f"from {made}\n" if n == 0 else "")
        + f"M 100644 inline {APP}\ndata <<E\n# {n}\n{ENTRY.replace('v6', 'v7')}E\n"
        for n in range(60)
    ]
    remote.git("fast-import", "--quiet", "--force", at=remote.bare, data="\n".join(stream).encode())
    manifests.fetch()
    before = len(remote.requests)
    pinned = manifests.pinned(PRODUCTION)
    assert (pinned.commit, len(pinned.later)) == (made, 60)
    assert len(remote.requests) - before <= 2 * 4


def test_a_pin_that_was_merged_is_from_the_merge_and_not_from_the_commits_within(
    manifests: GitManifests, remote: Remote
) -> None:
    remote.git("checkout", "-q", "-b", "side")
    remote.commit({APP: ENTRY.replace("v6", "v8")}, branch="side")
    remote.commit({APP: ENTRY.replace("v6", "v7")}, branch="side")
    remote.git("checkout", "-q", "main")
    remote.git("merge", "-q", "--no-ff", "-m", "Merge side", "side")
    remote.git("push", "-q", str(remote.bare), "main")
    head = manifests.fetch()
    pinned = manifests.pinned(PRODUCTION)
    assert (pinned.commit, pinned.before, pinned.later) == (head, PinValue("v6", None, IMAGE), ())


def test_hostile_names_and_messages_of_commits_are_only_text(manifests: GitManifests, remote: Remote) -> None:
    evil = "x\x1c\x1f\x1e\x1d\u2028: --help\n\nGitOps-Bot-Version: 9\x1cy\nGitOps-Bot-Target: a:b"
    remote.git("config", "user.name", "Jo")
    remote.git("checkout", "-q", "main")
    (remote.work / APP).write_text(ENTRY.replace("v6", "v7"))
    author = "M\x1cal\x1flory <m@\x1c.dev>"
    remote.git("commit", "-q", "-a", "-m", evil, "--author", author)
    remote.git("push", "-q", str(remote.bare), "HEAD:refs/heads/main", f"HEAD:refs/heads/{BRANCH}")
    head = manifests.fetch()
    pinned = manifests.pinned(PRODUCTION)
    assert (pinned.commit, pinned.author) == (head, "M\x1cal\x1flory")
    assert pinned.trailers == {"GitOps-Bot-Version": "9\x1cy", "GitOps-Bot-Target": "a:b"}
    tip = remote.commit({APP: ENTRY}, evil)
    remote.git("push", "-q", str(remote.bare), f"{tip}:refs/heads/{BRANCH}", f"+{head}:refs/heads/main")
    manifests.fetch()
    branch = manifests.branch(PRODUCTION, BRANCH)
    assert branch is not None
    assert branch.foreign == (tip,)


def test_unrelated_history_on_a_branch_is_foreign(manifests: GitManifests, remote: Remote) -> None:
    remote.git("checkout", "-q", "--orphan", "other")
    remote.git("commit", "-q", "-m", "Begin elsewhere")
    theirs = remote.commit({}, branch="other")
    remote.git("push", "-q", str(remote.bare), f"{theirs}:refs/heads/{BRANCH}")
    manifests.fetch()
    branch = manifests.branch(PRODUCTION, BRANCH)
    assert branch is not None
    assert branch.replaces is None
    assert branch.foreign[-1] == theirs


def test_a_pin_in_a_folder_with_spaces_and_umlauts_is_written(
    manifests: GitManifests, remote: Remote
) -> None:
    path = 'apps/mödel "x" [*]/kustomization.yaml'
    remote.commit({path: ENTRY})
    manifests.fetch()
    target = Target("a/b", "a", Alias("x"), IMAGE, (KustomizePin(path.rpartition("/")[0]),))
    assert manifests.pinned(target).value.tag == "v6"
    commit = manifests.write(target, deploy_branch("a/b", "7"), V7, MESSAGE, expect=None, only_where=None)
    assert remote.show(commit, path).decode() == ENTRY.replace(
        "v6 # mind the gap  \n", f"v7 # mind the gap  \n  digest: {SHA}\n"
    )


def test_a_remote_that_knows_no_partial_clones_serves_too(manifests: GitManifests, remote: Remote) -> None:
    for key in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        remote.git("config", "--unset", key, at=remote.bare)
    manifests.fetch()
    remote.commit({APP: "# more\n" + ENTRY})
    manifests.fetch()
    assert remote.head(BRANCH) is None
    assert write(manifests) == remote.head(BRANCH)


def test_a_pin_that_came_back_is_from_the_commit_that_brought_it_back(
    manifests: GitManifests, remote: Remote
) -> None:
    remote.commit({APP: ENTRY.replace("v6", "v7")})
    back = remote.commit({APP: ENTRY})
    manifests.fetch()
    assert manifests.pinned(PRODUCTION).commit == back
    assert manifests.pinned(PRODUCTION).before == PinValue("v7", None, IMAGE)


def test_what_is_known_of_a_pin_is_carried_on_to_a_head_that_did_not_touch_it(
    manifests: GitManifests, remote: Remote, tmp_path: Path
) -> None:
    remote.commit({APP: ENTRY.replace("v6", "v7")})
    remote.commit({"README.md": "1"})
    manifests.fetch()
    manifests.pinned(PRODUCTION)
    remote.commit({"README.md": "2"})
    remote.git("checkout", "-q", "-b", "side")
    remote.commit({"README.md": "3"}, branch="side")
    remote.git("checkout", "-q", "main")
    remote.git("merge", "-q", "--no-ff", "-m", "Merge side", "side")
    remote.commit({"README.md": "4"})
    manifests.fetch()
    before = processes(manifests)
    carried = manifests.pinned(PRODUCTION)
    assert processes(manifests) - before == 2
    fresh = GitManifests(remote.url, tmp_path / "fresh").pinned(PRODUCTION)
    assert carried == fresh
    assert len(carried.later) == 4


@pytest.mark.parametrize(
    "change", ["there and back", "a comment", "rewritten history", "rewritten to an older commit"]
)
def test_what_is_known_of_a_pin_is_read_again_after(
    change: str, manifests: GitManifests, remote: Remote, tmp_path: Path
) -> None:
    first = remote.commit({APP: ENTRY.replace("v6", "v7")})
    second = remote.commit({APP: ENTRY})
    manifests.fetch()
    assert manifests.pinned(PRODUCTION).commit == second
    if change == "there and back":
        remote.commit({APP: ENTRY.replace("v6", "v7")})
        remote.commit({APP: ENTRY})
    elif change == "a comment":
        remote.commit({APP: "# x\n" + ENTRY})
    else:
        remote.git("reset", "-q", "--hard", first)
        remote.git("push", "-q", "-f", str(remote.bare), "main")
        if change == "rewritten history":
            remote.commit({"README.md": "other"})
    manifests.fetch()
    fresh = GitManifests(remote.url, tmp_path / "fresh").pinned(PRODUCTION)
    assert manifests.pinned(PRODUCTION) == fresh


def test_a_pin_whose_file_was_broken_before_says_nothing_about_before(
    manifests: GitManifests, remote: Remote
) -> None:
    remote.commit({APP: "images: ["})
    repaired = remote.commit({APP: ENTRY})
    manifests.fetch()
    assert manifests.pinned(PRODUCTION).commit == repaired
    assert manifests.pinned(PRODUCTION).before is None


def test_a_kustomization_that_was_renamed_did_not_change_its_pin(
    manifests: GitManifests, remote: Remote
) -> None:
    made = remote.head("main")
    remote.git("mv", APP, "apps/production/kustomization.yml")
    remote.commit({})
    manifests.fetch()
    assert manifests.pinned(PRODUCTION).commit == made


def test_a_pin_of_two_files_changed_when_both_said_the_same(manifests: GitManifests, remote: Remote) -> None:
    both = Target(
        "a/b", "a", Alias("x"), IMAGE, (KustomizePin("apps/production"), ContainerPin(JOB, "score"))
    )
    remote.commit({JOB: f"containers: [{{name: score, image: '{IMAGE}:v5'}}]\n"})
    manifests.fetch()
    with pytest.raises(
        Refused, match=r"apps/production/kustomization.yaml:4 says .*:v6, jobs/score.yaml:1 says .*:v5"
    ):
        manifests.pinned(both)
    agreed = remote.commit({JOB: f"containers: [{{name: score, image: '{IMAGE}:v6'}}]\n"})
    manifests.fetch()
    assert manifests.pinned(both).commit == agreed


def test_a_pass_over_an_unchanged_head_starts_no_git(manifests: GitManifests) -> None:
    manifests.fetch()
    write(manifests)
    manifests.pinned(PRODUCTION)
    manifests.branch(PRODUCTION, BRANCH)
    manifests.fetch()
    before = processes(manifests)
    manifests.pinned(PRODUCTION)
    manifests.branch(PRODUCTION, BRANCH)
    assert processes(manifests) == before


# --- Files that are left as they are ---------------------------------------------------------------


def test_modes_links_submodules_and_everything_else_in_the_tree_stay(
    manifests: GitManifests, remote: Remote
) -> None:
    (remote.work / "link").symlink_to("README.md")
    (remote.work / "apps/production/kustomization.yaml").chmod(0o755)
    remote.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub")
    remote.commit(
        {
            "crlf.txt": b"a\r\nb",
            "big.bin": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        }
    )
    remote.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub")
    remote.git("commit", "-q", "-m", "sub")
    remote.git("push", "-q", str(remote.bare), "main")
    base = manifests.fetch()
    commit = write(manifests)
    listing = [
        remote.git("ls-tree", "-r", at_commit, at=remote.bare).splitlines() for at_commit in (base, commit)
    ]
    changed = [line for line in listing[1] if line not in listing[0]]
    assert len(listing[0]) == len(listing[1])
    assert len(changed) == 1
    assert changed[0].startswith("100755 blob")
    assert changed[0].endswith(APP)


def test_a_pin_behind_a_link_is_refused(manifests: GitManifests, remote: Remote) -> None:
    (remote.work / "live").symlink_to("apps/production")
    (remote.work / "live.yaml").symlink_to("../../etc/passwd")
    remote.commit({})
    manifests.fetch()
    for pin, sentence in (
        (KustomizePin("live"), "live, on the way to live/kustomization.yaml, is a symbolic link"),
        (ContainerPin("live.yaml"), r"live\.yaml is a symbolic link"),
        (ContainerPin("apps"), "apps is a folder"),
        (ContainerPin("apps/none.yaml"), r"apps/none\.yaml: there is no such file"),
    ):
        target = Target("a/b", "a", Alias("x"), IMAGE, (pin,))
        with pytest.raises(Refused, match=sentence):
            manifests.pinned(target)
        with pytest.raises(Refused, match=sentence):
            manifests.write(target, BRANCH, V7, MESSAGE, expect=None, only_where=None)


def test_a_repo_of_5000_files_costs_no_checkout_and_no_blob_but_the_pins(
    tmp_path: Path, remote: Remote
) -> None:
    files = "".join(
        f"M 100644 inline many/{n % 50}/{n}.yaml\ndata <<E\nkind: ConfigMap # {n}\nE\n" for n in range(5000)
    )
    head = f"commit refs/heads/main\ncommitter Jo <jo@acme.dev> 1800000000 +0000\ndata 1\nx\nfrom {remote.head('main')}\n"
    remote.git("fast-import", "--quiet", at=remote.bare, data=(head + files).encode())
    mirror = tmp_path / "mirror"
    manifests = GitManifests(remote.url, mirror)
    manifests.fetch()
    before, requests = processes(manifests), len(remote.requests)
    write(manifests)
    assert processes(manifests) - before <= 6
    assert len(remote.requests) - requests <= 4
    assert remote.head(BRANCH) is not None
    missing = subprocess.run(
        ["git", f"--git-dir={mirror}", "rev-list", "--objects", "--missing=print", "origin/main"],
        capture_output=True, check=True, text=True, env={"PATH": "/usr/bin:/bin", "GIT_NO_LAZY_FETCH": "1"},
    ).stdout  # fmt: skip
    assert sum(line.startswith("?") for line in missing.splitlines()) >= 5000
    assert not list(mirror.rglob("*.yaml"))
    assert not (mirror / "index").exists()


# --- Races, secrets and failures -------------------------------------------------------------------


def test_a_branch_that_appears_during_the_push_is_not_overwritten(
    manifests: GitManifests, remote: Remote
) -> None:
    base = manifests.fetch()
    remote.before_push = lambda: (
        remote.git("update-ref", f"refs/heads/{BRANCH}", base, at=remote.bare) and None
    )
    with pytest.raises(Retryable):
        write(manifests)
    assert remote.head(BRANCH) == base


def test_another_bot_that_wrote_the_same_a_moment_ago_is_adopted(
    manifests: GitManifests, remote: Remote, tmp_path: Path
) -> None:
    other = GitManifests(remote.url, tmp_path / "other", clock=lambda: NOW + timedelta(hours=1))
    manifests.fetch()
    other.fetch()
    commit = write(manifests)
    assert write(other) == commit
    assert remote.head(BRANCH) == commit


def test_fetches_that_wait_for_each_other_are_one(manifests: GitManifests, remote: Remote) -> None:
    manifests.fetch()
    before = len(remote.requests)
    barrier = threading.Barrier(12)

    def fetch(_: int) -> str:
        barrier.wait()
        return manifests.fetch()

    with ThreadPoolExecutor(12) as threads:
        assert set(threads.map(fetch, range(12))) == {remote.head("main")}
    assert len(remote.requests) - before < 12 * 2


def test_a_token_lets_the_bot_in_and_is_nowhere_to_be_read(remote: Remote, tmp_path: Path) -> None:
    remote.token = "s3cr3t-token"
    manifests = GitManifests(remote.url, tmp_path / "mirror", lambda: "s3cr3t-token")
    manifests.fetch()
    write(manifests)
    for file in (tmp_path / "mirror").rglob("*"):
        assert not file.is_file() or b"s3cr3t" not in file.read_bytes()
    assert "s3cr3t" not in repr(manifests) + repr(vars(manifests)) + repr(vars(manifests._mirror.git))
    assert not [request for request in remote.requests if "s3cr3t" in request]


@pytest.mark.parametrize("token", [None, "wrong-token"])
def test_a_wrong_or_missing_token_is_refused_without_naming_it(
    token: str | None, remote: Remote, tmp_path: Path
) -> None:
    remote.token = "s3cr3t-token"
    manifests = GitManifests(remote.url, tmp_path / "mirror", (lambda: token) if token else None)
    with pytest.raises(Refused, match="does not let the bot in") as refusal:
        manifests.fetch()
    assert "wrong-token" not in str(refusal.value)


def test_a_missing_branch_or_repo_is_refused(remote: Remote, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="has no branch trunk"):
        GitManifests(remote.url, tmp_path / "one", branch="trunk").fetch()
    with pytest.raises(Refused, match="is not there, or hidden"):
        GitManifests(remote.url.replace("manifests", "nothing"), tmp_path / "two").fetch()


def test_a_server_that_is_away_is_tried_again_later(remote: Remote, tmp_path: Path) -> None:
    manifests = GitManifests(remote.url, tmp_path / "mirror")
    assert remote.server is not None
    remote.server.stop()
    with pytest.raises(Retryable, match=r"git fetch for .* failed"):
        manifests.fetch()


def test_a_branch_that_the_remote_protects_is_refused_with_its_words(
    manifests: GitManifests, remote: Remote
) -> None:
    manifests.fetch()
    hook = remote.bare / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'only humans here' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(Refused, match="only humans here"):
        write(manifests)


@pytest.mark.parametrize(
    "name", ["main", "feature", "gitops-bot/x", "gitops-bot/a/b/v7 ", "--all", "gitops-bot/a/b/v1:main"]
)
def test_only_the_bots_own_branches_are_written_or_deleted(
    name: str, manifests: GitManifests, remote: Remote
) -> None:
    head = manifests.fetch()
    with pytest.raises(Refused, match="not a branch of the bot's"):
        manifests.write(PRODUCTION, name, V7, MESSAGE, expect=None, only_where=None)
    with pytest.raises(Refused, match="not a branch of the bot's"):
        manifests.delete(name, expect=head)
    assert remote.head("main") == head


@pytest.mark.parametrize(
    "url", ["https://me:secret@github.com/a/b", "ext::sh -c id", "-oProxyCommand=x", "", "https://a b"]
)
def test_a_url_with_a_password_or_no_url_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refusal:
        GitManifests(url, tmp_path)
    assert "secret" not in str(refusal.value)


def test_a_lost_mirror_and_a_mirror_of_another_repo_are_made_again(remote: Remote, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    assert GitManifests(remote.url, mirror).fetch() == remote.head("main")
    (mirror / "config").write_text("[core]\n\tbare = true\n")
    assert GitManifests(remote.url, mirror).fetch() == remote.head("main")
    for file in sorted(mirror.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    assert GitManifests(remote.url, mirror).fetch() == remote.head("main")


def test_two_processes_may_share_a_mirror(remote: Remote, tmp_path: Path) -> None:
    both = [GitManifests(remote.url, tmp_path / "mirror") for _ in range(2)]
    with ThreadPoolExecutor(4) as threads:
        heads = list(threads.map(lambda n: both[n % 2].fetch(), range(8)))
    assert set(heads) == {remote.head("main")}


def test_a_commit_that_is_no_commit_is_our_bug(manifests: GitManifests) -> None:
    with pytest.raises(ValueError, match="is not a commit"):
        manifests.file("README.md", "--help")
