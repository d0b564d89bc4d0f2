"""What whatever fills the port `Manifests` promises, held against a remote that people push to as well."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from bot.adapters.manifests.repository import GitManifests
from bot.core.model import PinValue
from bot.core.names import deploy_branch, revert_branch
from bot.core.target import Alias, KustomizePin, Target
from bot.ports import Refused, Retryable
from tests.adapters.manifests.remote import Remote

IMAGE = "ghcr.io/acme/fraud-detector"
SHA = "sha256:" + "7" * 64
V7 = PinValue("v7", SHA)
APP = "apps/production/kustomization.yaml"
ENTRY = f"images:\n- name: model\n  newName: {IMAGE}\n  newTag: v6 # mind the gap  \n"
PRODUCTION = Target(
    "fraud-detector/production",
    "fraud-detector",
    Alias("champion"),
    IMAGE,
    (KustomizePin("apps/production"),),
)
STAGING = Target(
    "fraud-detector/staging", "fraud-detector", Alias("challenger"), IMAGE, (KustomizePin("apps/staging"),)
)
BRANCH = deploy_branch(PRODUCTION.name, "7")
MESSAGE = f"Deploy fraud-detector version 7\n\nGitOps-Bot-Target: {PRODUCTION.name}\nGitOps-Bot-Version: 7\n"
NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


FILES: dict[str, str | bytes] = {APP: ENTRY, "apps/staging/kustomization.yaml": ENTRY, "README.md": "hello\n"}


def write(manifests: GitManifests, expect: str | None = None, value: PinValue = V7) -> str:
    return manifests.write(PRODUCTION, BRANCH, value, MESSAGE, expect=expect, only_where=None)


class ManifestsContract:
    """Subclass it with the fixtures `remote` and `manifests`."""

    def test_fetch_returns_the_head_of_the_base_branch(self, manifests: GitManifests, remote: Remote) -> None:
        assert manifests.fetch() == remote.head("main")
        pushed = remote.commit({"README.md": "more\n"})
        assert manifests.fetch() == pushed

    def test_a_file_is_read_at_a_commit(self, manifests: GitManifests, remote: Remote) -> None:
        first = manifests.fetch()
        second = remote.commit({"README.md": b"caf\xe9\r\n"})
        manifests.fetch()
        assert manifests.file("README.md", first) == b"hello\n"
        assert manifests.file("./README.md", second) == b"caf\xe9\r\n"
        assert manifests.file("nothing.md", second) is None
        assert manifests.file("apps", second) is None

    def test_the_history_of_a_file_is_newest_first_and_first_parent_only(
        self, manifests: GitManifests, remote: Remote
    ) -> None:
        begun = remote.head("main")
        remote.git("checkout", "-q", "-b", "side")
        remote.commit({APP: ENTRY + "# side\n"}, branch="side")
        remote.git("checkout", "-q", "main")
        other = remote.commit({"README.md": "x\n"})
        remote.git("merge", "-q", "--no-ff", "-m", "Merge side", "side")
        merge = remote.commit({"README.md": "y\n"}) and remote.git("rev-parse", "HEAD~1")
        manifests.fetch()
        assert manifests.history(APP, 10) == [merge, begun]
        assert manifests.history(APP, 1) == [merge]
        assert other not in manifests.history(APP, 10)

    def test_a_pin_says_its_value_and_which_commit_made_it_so(
        self, manifests: GitManifests, remote: Remote
    ) -> None:
        begun = remote.head("main")
        text = ENTRY.replace("v6", "v7")
        merged = remote.commit(
            {APP: text}, f"Deploy\n\nWhy.\n\nGitOps-Bot-Target: {PRODUCTION.name}\nGitOps-Bot-Version: 7"
        )
        later = [remote.commit({"README.md": "x\n"}), remote.commit({APP: "# a comment\n" + text})]
        manifests.fetch()
        pinned = manifests.pinned(PRODUCTION)
        assert (pinned.value, pinned.before) == (PinValue("v7", None, IMAGE), PinValue("v6", None, IMAGE))
        assert (pinned.commit, pinned.head, pinned.later) == (merged, later[-1], tuple(later))
        assert pinned.trailers == {"GitOps-Bot-Target": PRODUCTION.name, "GitOps-Bot-Version": "7"}
        assert pinned.author == "Jo"
        assert pinned.changed_at == datetime.fromisoformat(remote.git("log", "-1", "--format=%cI", merged))
        assert manifests.pinned(STAGING).commit == begun
        assert manifests.pinned(STAGING).before is None

    def test_a_branch_holds_one_commit_of_the_bots_on_top_of_the_base(
        self, manifests: GitManifests, remote: Remote
    ) -> None:
        base = manifests.fetch()
        commit = write(manifests)
        assert remote.head(BRANCH) == commit
        assert remote.git("rev-parse", f"{commit}^", at=remote.bare) == base
        assert remote.show(commit, APP).decode() == ENTRY.replace(
            "v6 # mind the gap  \n", f"v7 # mind the gap  \n  digest: {SHA}\n"
        )
        assert remote.git("diff", "--name-only", base, commit, at=remote.bare) == APP
        shape = remote.git("log", "-1", "--format=%an %ae %cn %ce %ct%n%B", commit, at=remote.bare)
        bot = "gitops-bot gitops-bot@users.noreply.github.com"
        assert shape == f"{bot} {bot} {int(NOW.timestamp())}\n{MESSAGE.strip()}"

    def test_a_written_branch_is_seen_at_once_and_after_a_fetch(self, manifests: GitManifests) -> None:
        manifests.fetch()
        commit = write(manifests)
        for _ in range(2):
            branch = manifests.branch(PRODUCTION, BRANCH)
            assert branch is not None
            assert (branch.head, branch.foreign) == (commit, ())
            assert (branch.value, branch.replaces) == (
                PinValue("v7", SHA, IMAGE),
                PinValue("v6", None, IMAGE),
            )
            manifests.fetch()

    def test_a_branch_that_is_not_there_is_none(self, manifests: GitManifests) -> None:
        manifests.fetch()
        assert manifests.branch(PRODUCTION, BRANCH) is None

    def test_writing_the_same_again_adopts_what_is_there(self, manifests: GitManifests) -> None:
        manifests.fetch()
        commit = write(manifests)
        assert write(manifests) == commit
        assert write(manifests, expect=commit) == commit

    def test_nothing_is_committed_when_nothing_would_change(
        self, manifests: GitManifests, remote: Remote
    ) -> None:
        manifests.fetch()
        with pytest.raises(Refused, match="nothing would change"):
            write(manifests, value=PinValue("v6"))
        with pytest.raises(Refused, match="nothing would change"):
            manifests.write(PRODUCTION, BRANCH, V7, MESSAGE, expect=None, only_where=PinValue("v5"))
        assert remote.head(BRANCH) is None

    def test_a_branch_is_not_pushed_over_a_persons_commit(
        self, manifests: GitManifests, remote: Remote
    ) -> None:
        manifests.fetch()
        commit = write(manifests)
        remote.git("fetch", "-q", str(remote.bare), f"{BRANCH}:{BRANCH}")
        theirs = remote.commit({"README.md": "mine\n"}, branch=BRANCH)
        remote.commit({"README.md": "base\n"})
        manifests.fetch()
        with pytest.raises(Retryable, match="someone else moved the branch"):
            write(manifests, expect=commit)
        with pytest.raises(Retryable, match="someone else moved the branch"):
            write(manifests, expect=None)
        assert remote.head(BRANCH) == theirs

    def test_a_stale_branch_is_written_again_on_the_new_base(
        self, manifests: GitManifests, remote: Remote
    ) -> None:
        manifests.fetch()
        commit = write(manifests)
        base = remote.commit({"README.md": "base\n"})
        manifests.fetch()
        again = write(manifests, expect=commit)
        assert remote.head(BRANCH) == again != commit
        assert remote.git("rev-parse", f"{again}^", at=remote.bare) == base

    def test_a_persons_commits_on_a_branch_are_foreign(self, manifests: GitManifests, remote: Remote) -> None:
        manifests.fetch()
        write(manifests)
        remote.git("fetch", "-q", str(remote.bare), f"{BRANCH}:{BRANCH}")
        first = remote.commit({"README.md": "1\n"}, MESSAGE, branch=BRANCH)
        second = remote.commit({APP: ENTRY.replace("v6", "v8")}, branch=BRANCH)
        manifests.fetch()
        branch = manifests.branch(PRODUCTION, BRANCH)
        assert branch is not None
        assert branch.foreign == (first, second)
        assert branch.value == PinValue("v8", None, IMAGE)

    def test_a_commit_with_the_bots_address_and_no_trailer_is_foreign(
        self, manifests: GitManifests, remote: Remote
    ) -> None:
        manifests.fetch()
        manifests.write(PRODUCTION, BRANCH, V7, "Deploy", expect=None, only_where=None)
        branch = manifests.branch(PRODUCTION, BRANCH)
        assert branch is not None
        assert branch.foreign == (branch.head,)

    def test_a_deleted_branch_is_gone_and_stays_gone(self, manifests: GitManifests, remote: Remote) -> None:
        manifests.fetch()
        commit = write(manifests)
        manifests.delete(BRANCH, expect=commit)
        manifests.delete(BRANCH, expect=commit)
        assert remote.head(BRANCH) is None
        assert manifests.branch(PRODUCTION, BRANCH) is None

    def test_a_branch_that_moved_is_not_deleted(self, manifests: GitManifests, remote: Remote) -> None:
        manifests.fetch()
        commit = write(manifests)
        remote.git("fetch", "-q", str(remote.bare), f"{BRANCH}:{BRANCH}")
        theirs = remote.commit({"README.md": "mine\n"}, branch=BRANCH)
        with pytest.raises(Retryable, match="is not deleted"):
            manifests.delete(BRANCH, expect=commit)
        assert remote.head(BRANCH) == theirs

    def test_the_diff_is_what_would_be_committed_and_touches_nothing(
        self, manifests: GitManifests, remote: Remote
    ) -> None:
        base = manifests.fetch()
        diff = manifests.diff(PRODUCTION, V7)
        assert remote.head(BRANCH) is None
        commit = write(manifests)
        theirs = remote.git("diff", base, commit, at=remote.bare)
        assert theirs.partition("\n--- ")[2] == diff.strip().removeprefix("--- ")
        assert manifests.diff(PRODUCTION, PinValue("v6")) == ""

    def test_a_revert_restores_the_bytes_from_before(self, manifests: GitManifests, remote: Remote) -> None:
        manifests.fetch()
        commit = write(manifests)
        remote.git("fetch", "-q", str(remote.bare), BRANCH)
        remote.git("merge", "-q", "--no-ff", "-m", MESSAGE, commit)
        merge = remote.git("rev-parse", "HEAD")
        head = remote.commit({"README.md": "later\n"})
        assert manifests.fetch() == head
        pinned = manifests.pinned(PRODUCTION)
        assert (pinned.commit, pinned.later) == (merge, (head,))
        assert pinned.before == PinValue("v6", None, IMAGE)
        assert pinned.trailers["GitOps-Bot-Version"] == "7"
        name = revert_branch(PRODUCTION.name, "7", 1)
        back = manifests.write(PRODUCTION, name, pinned.before, MESSAGE, expect=None, only_where=pinned.value)
        assert remote.show(back, APP).decode() == ENTRY

    def test_targets_are_written_by_threads_at_the_same_time(
        self, manifests: GitManifests, remote: Remote
    ) -> None:
        manifests.fetch()
        targets = {PRODUCTION: "7", STAGING: "8"}

        def promote(target: Target) -> str:
            manifests.fetch()
            return manifests.write(
                target,
                deploy_branch(target.name, targets[target]),
                V7,
                target.name,
                expect=None,
                only_where=None,
            )

        with ThreadPoolExecutor(2) as threads:
            commits = list(threads.map(promote, targets))
        assert commits == [
            remote.head(deploy_branch(target.name, version)) for target, version in targets.items()
        ]
