"""Objects that are read and written beside git, held to what git itself reads and writes."""

import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.adapters.manifests.commits import Identity, NewCommit, committed
from bot.adapters.manifests.mirror import Mirror, Push
from bot.adapters.manifests.object_reader import ObjectReader
from bot.adapters.manifests.objects import Objects
from bot.ports import Retryable
from tests.adapters.manifests.contract import BRANCH
from tests.adapters.manifests.remote import Remote, opened

pytestmark = pytest.mark.world

SIGNED = Identity("Bot", "bot@acme.dev").at(datetime(2026, 1, 2, tzinfo=UTC))
# A folder whose tree is longer than one copy of a difference (64 KiB), and folders within folders.
WIDE = {f"wide/a file whose name is rather long {number}.yaml": f"{number}\n" for number in range(1500)}
DEEP = {"deep/" * depth + "x.yaml": f"{depth}\n" for depth in range(12)}
ODD = {'a b/ü [*] "x" \\.yaml': "x\n", "a b/100644 x.yaml": "y\n", "a/z": "1\n", "a.b": "2\n", "a-b/z": "3\n"}
PATHS = [*list(WIDE)[::100], *DEEP, *ODD]


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    files: dict[str, str | bytes] = {**WIDE, **DEEP, **ODD}
    remote = opened(tmp_path_factory.mktemp("objects"), files)
    yield remote
    assert remote.server is not None
    remote.server.stop()


@pytest.fixture(scope="module")
def mirror(remote: Remote, tmp_path_factory: pytest.TempPathFactory) -> Mirror:
    mirror = Mirror(remote.url, tmp_path_factory.mktemp("mirror") / "m", None, "main")
    mirror.fetch()
    return mirror


def by_git(remote: Remote, files: dict[str, bytes], message: str) -> str:
    """The commit that git makes of these changes by its own index."""
    index = remote.work / ".git" / "other-index"
    person = {"NAME": "Bot", "EMAIL": "bot@acme.dev", "DATE": "1767312000 +0000"}
    environ = {
        "PATH": os.environ["PATH"],
        "GIT_INDEX_FILE": str(index),
        **{f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in person.items()},
    }

    def git(*arguments: str, data: bytes = b"") -> str:
        command = ["git", "-C", str(remote.work), *arguments]
        done = subprocess.run(command, input=data, env=environ, capture_output=True, check=True)
        return done.stdout.decode().strip()

    git("read-tree", "main")
    lines = []
    for path, data in files.items():
        oid = git("hash-object", "-w", "--stdin", data=data)
        lines.append(f"100644 {oid}\t{path}".encode())
    git("update-index", "-z", "--index-info", data=b"\0".join([*lines, b""]))
    return git("commit-tree", git("write-tree"), "-p", "main", "-F", "-", data=message.encode())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(st.sampled_from(PATHS), st.binary(max_size=6000), min_size=1, max_size=6),
    message=st.sampled_from(["Deploy\n", "Déploy\n\nGitOps-Bot-Target: a/b\n"]),
)
def test_a_commit_is_the_one_that_git_itself_makes_of_the_same_change(
    remote: Remote, mirror: Mirror, files: dict[str, bytes], message: str
) -> None:
    base = mirror.refs().base
    [commit] = committed(mirror, base, [NewCommit(files, message)], SIGNED)
    assert commit == by_git(remote, files, message)
    for path, data in files.items():
        entry = mirror.objects.entries(commit, [path])[path]
        assert mirror.objects.blobs([entry.oid])[entry.oid] == data


def test_many_commits_arrive_as_small_differences_and_the_remote_is_sound(
    remote: Remote, mirror: Mirror
) -> None:
    base = mirror.refs().base
    changes = [NewCommit({path: f"new {path}\n".encode()}, "Deploy") for path in list(WIDE)[:120]]
    commits = committed(mirror, base, changes, SIGNED)
    assert len(set(commits)) == len(changes)
    size = len(mirror.git.run("cat-file", "tree", f"{base}:wide"))
    assert size > 0xFFFF
    packs = [path.stat().st_size for path in (mirror.folder / "objects" / "pack").glob("*.pack")]
    assert sum(packs) < 10 * size  # whole trees would be more than a hundred times that
    # As the bot does before it edits: git compares what it sends with what stands there.
    before = mirror.objects.entries(base, [path for change in changes for path in change.files])
    mirror.objects.blobs(entry.oid for entry in before.values())
    pushes = [Push(f"{BRANCH}-{number}", commit, None) for number, commit in enumerate(commits)]
    assert mirror.push_all(pushes) == [None] * len(commits)
    remote.git("fsck", "--strict", "--no-dangling", at=remote.bare)
    changed = remote.git("diff", "--name-only", base, commits[2], at=remote.bare).splitlines()
    assert changed == list(changes[2].files)


def test_a_name_cannot_end_its_line_in_a_commit() -> None:
    hostile = Identity("Bot\n\nx <y>", "bot@acme.dev>\nparent 0")
    assert hostile.at(datetime(2026, 1, 2, tzinfo=UTC)) == b"Botx y <bot@acme.devparent 0> 1767312000 +0000"


def test_a_path_that_leads_through_a_file_is_not_there(mirror: Mirror) -> None:
    base = mirror.refs().base
    wanted = ["a.b/z", "deep/none", "none/x.yaml", "deep", "a/z"]
    assert set(mirror.objects.entries(base, wanted)) == {"deep", "a/z"}
    with pytest.raises(Retryable, match="lacks the tree"):
        mirror.objects.entries("0" * 40, ["a/z"])


# --- The process that lives on ---------------------------------------------------------------------


def test_objects_are_read_by_one_process_and_many_threads(mirror: Mirror) -> None:
    reader = ObjectReader(mirror.git)
    trees = mirror.git.run("ls-tree", "-r", "-d", "--format=%(objectname)", mirror.refs().base)
    names = trees.decode().split() * 200
    started = mirror.git.started
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: reader.read(names), range(16)))
    assert mirror.git.started - started == 1
    assert all(answer == answers[0] for answer in answers)
    assert {oid for oid, _ in answers[0].values()} == set(names)


def test_whoever_ends_that_process_costs_one_more(mirror: Mirror) -> None:
    objects = Objects(mirror.git)
    root = objects.folder(mirror.refs().base, "")
    assert root is not None
    started = mirror.git.started
    os.kill(objects._reader._process.pid, signal.SIGKILL)
    assert set(objects.tree(root.entries["a"][0].oid).entries) == {"z"}
    assert mirror.git.started - started == 1


def test_what_the_mirror_lacks_is_left_out_and_the_next_question_is_answered(
    remote: Remote, tmp_path: Path
) -> None:
    mirror = Mirror(remote.url, tmp_path / "fresh", None, "main")
    mirror.fetch()
    reader = ObjectReader(mirror.git)
    base = mirror.refs().base
    left_out = mirror.git.run("ls-tree", "--format=%(objectname)", base, "--", "a-b/z").decode().strip()
    assert set(reader.read([base, "0" * 40, "nonsense"])) == {base}
    assert set(reader.read([base, left_out, f"{base}^{{tree}}"])) == {base}
    assert set(reader.read([base, f"{base}^{{tree}}"])) == {base, f"{base}^{{tree}}"}


def test_that_process_ends_with_whoever_asked_it(mirror: Mirror) -> None:
    reader = ObjectReader(mirror.git)
    reader.read([mirror.refs().base])
    process = reader._process.pid
    assert Path(f"/proc/{process}").exists()
    del reader
    assert not Path(f"/proc/{process}").exists()
