"""The port `Forge` on GitHub, held to one contract on the sandbox's forge and, where one is named, on a real GitHub."""

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.adapters.github.forge import GitHubForge
from bot.core.model import Kind, Mergeability, Proof, ProofState, Proposal, ProposalState
from bot.core.names import LABEL, LABEL_RELEASED, LABEL_REVERT
from bot.ports import Refused, Retryable
from bot.sandbox.forge import Forge
from tests.adapters.between import Between, Coming, Meddle, Onward, Passing, without
from tests.adapters.github_world import FILE, World

pytestmark = pytest.mark.world

Protect = Callable[..., None]

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class ForgeContract:
    """What the engine may rely on. `world` is a repository whose `main` has the file; targets are new in every test."""

    @pytest.fixture
    def forge(self, world: World) -> GitHubForge:
        return world.forge()

    @pytest.fixture
    def target(self) -> str:
        return f"model-{uuid.uuid4().hex[:10]}/production"

    @pytest.fixture
    def branch(self, world: World, target: str) -> str:
        """A branch of the bot's that changes the file."""
        branch = f"gitops-bot/{target}/v7"
        world.push(branch, f"v7 of {target}\n")
        return branch

    # --- Opening ---

    def test_a_proposal_is_opened_with_its_text_and_labels(
        self, forge: GitHubForge, target: str, branch: str
    ) -> None:
        before = datetime.now(UTC) - timedelta(minutes=5)
        text = "Version `7` ☃ of <b>@nobody</b>\n\n| a | b |\n|---|---|\n"
        opened = forge.open(branch, "Deploy version 7", text, labels=(LABEL, LABEL_REVERT))
        assert (opened.kind, opened.target, opened.version, opened.branch) == (
            Kind.DEPLOY,
            target,
            "7",
            branch,
        )
        assert (opened.state, opened.title, opened.body) == (ProposalState.OPEN, "Deploy version 7", text)
        assert opened.labels == {LABEL, LABEL_REVERT}
        assert before < opened.opened_at < datetime.now(UTC) + timedelta(minutes=5)
        assert f"/pull/{opened.number}" in opened.url
        listed = only(forge.open_proposals(), target)
        assert (listed.number, listed.title, listed.body, listed.labels) == (opened.number, *told(opened))

    def test_the_head_is_the_branchs_commit(self, world: World, forge: GitHubForge, branch: str) -> None:
        assert open_one(forge, branch).head == world.head(branch)

    def test_a_revert_says_what_it_takes_back(self, world: World, forge: GitHubForge, target: str) -> None:
        branch = f"gitops-bot/{target}/revert-v7-12"
        world.push(branch, f"v6 of {target}\n")
        opened = forge.open(branch, "Take back version 7", "", labels=(LABEL, LABEL_REVERT))
        assert (opened.kind, opened.version, opened.reverts, opened.body) == (Kind.REVERT, "7", 12, "")

    def test_opening_twice_is_once_and_the_text_becomes_the_new_one(
        self, forge: GitHubForge, target: str, branch: str
    ) -> None:
        first = forge.open(branch, "first", "one", labels=(LABEL,))
        again = forge.open(branch, "second", "two", labels=(LABEL,))
        assert (again.number, again.title, again.body) == (first.number, "second", "two")
        assert [p.title for p in forge.open_proposals() if p.target == target] == ["second"]

    def test_adopting_the_same_again_writes_nothing(self, forge: GitHubForge, branch: str) -> None:
        open_one(forge, branch)
        writes = [n for method, n in forge.calls.items() if method != "GET"]
        open_one(forge, branch)
        assert [n for method, n in forge.calls.items() if method != "GET"] == writes

    def test_what_a_person_opened_from_the_bots_branch_is_adopted(
        self, world: World, forge: GitHubForge, branch: str
    ) -> None:
        theirs = world.person_does("POST", "pulls", {"title": "mine", "head": branch, "base": "main"})
        adopted = open_one(forge, branch)
        assert (adopted.number, adopted.title, adopted.labels) == (theirs["number"], "Deploy", {LABEL})

    def test_a_closed_one_is_not_adopted(self, world: World, forge: GitHubForge, branch: str) -> None:
        first = open_one(forge, branch)
        world.person_does("PATCH", f"pulls/{first.number}", {"state": "closed"})
        second = open_one(forge, branch)
        assert second.number > first.number
        newest = forge.newest(branch)
        assert newest is not None
        assert (newest.number, newest.state) == (second.number, ProposalState.OPEN)

    def test_a_branch_without_a_change_is_refused_with_githubs_reason(
        self, world: World, forge: GitHubForge, target: str
    ) -> None:
        branch = f"gitops-bot/{target}/v8"
        with world.checkout("main") as folder:
            world.git(folder, "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
        with pytest.raises(Refused, match="No commits between"):
            open_one(forge, branch)

    def test_a_branch_that_is_not_there_yet_is_for_later(self, forge: GitHubForge, target: str) -> None:
        with pytest.raises(Retryable, match="does not see the branch"):
            open_one(forge, f"gitops-bot/{target}/v9")

    def test_a_branch_of_a_person_is_never_proposed(self, forge: GitHubForge) -> None:
        with pytest.raises(Refused, match="not a branch of the bot's"):
            open_one(forge, "feature")

    def test_a_wrong_reviewer_keeps_nobody_else_from_being_asked(
        self, world: World, forge: GitHubForge, branch: str
    ) -> None:
        reviewers = ("nobody-of-this-name-0815", world.person)
        opened = forge.open(branch, "Deploy", "", labels=(LABEL,), reviewers=reviewers)
        asked = world.bot_does("GET", f"pulls/{opened.number}")["requested_reviewers"]
        assert [user["login"] for user in asked] == [world.person]

    def test_pull_requests_of_people_are_not_proposals(
        self, world: World, forge: GitHubForge, target: str
    ) -> None:
        branch = f"feature-{target.replace('/', '-')}"
        world.push(branch, "theirs\n")
        theirs = world.person_does("POST", "pulls", {"title": "mine", "head": branch, "base": "main"})
        assert theirs["number"] not in [p.number for p in forge.open_proposals()]

    # --- What became of it ---

    def test_a_branch_without_a_pull_request_has_no_proposal(self, forge: GitHubForge, branch: str) -> None:
        assert forge.newest(branch) is None

    def test_a_mergeable_one_is_clean(self, forge: GitHubForge, branch: str) -> None:
        open_one(forge, branch)
        assert computed(forge, branch).mergeability is Mergeability.CLEAN

    def test_one_that_conflicts_with_the_base_says_so(
        self, world: World, forge: GitHubForge, branch: str
    ) -> None:
        opened = open_one(forge, branch)
        world.push("main", f"something else {uuid.uuid4()}\n")
        assert computed(forge, branch).mergeability is Mergeability.CONFLICT
        with pytest.raises(Refused, match=f"#{opened.number}"):
            forge.merge(opened, "Deploy", "")

    def test_who_merged_it_is_known(self, world: World, forge: GitHubForge, branch: str) -> None:
        opened = open_one(forge, branch)
        world.person_does("PUT", f"pulls/{opened.number}/merge", {"merge_method": "squash"})
        merged = ended(forge, branch)
        assert (merged.state, merged.merged_by) == (ProposalState.MERGED, world.person)
        assert merged.merge_commit == world.head()
        assert merged.ended_at is not None
        assert merged.ended_at >= merged.opened_at
        assert (merged.closed_by, merged.closed_by_bot) == (None, False)

    def test_a_person_who_closed_it_is_named(self, world: World, forge: GitHubForge, branch: str) -> None:
        opened = open_one(forge, branch)
        assert computed(forge, branch).merge_commit is None  # though GitHub names one that it made to try it
        world.person_does("PATCH", f"pulls/{opened.number}", {"state": "closed"})
        closed = ended(forge, branch)
        assert (closed.state, closed.closed_by, closed.closed_by_bot) == (
            ProposalState.CLOSED,
            world.person,
            False,
        )
        assert closed.merge_commit is None

    def test_the_bot_knows_its_own_closing_also_when_nobody_told_it_its_login(
        self, world: World, forge: GitHubForge, branch: str
    ) -> None:
        forge.close(open_one(forge, branch), "superseded")
        for asking in (forge, world.forge(login=None), world.forge(login=world.bot.upper())):
            assert ended(asking, branch).closed_by_bot

    def test_labels_of_people_are_read(self, world: World, forge: GitHubForge, branch: str) -> None:
        opened = open_one(forge, branch)
        world.person_does("POST", f"issues/{opened.number}/labels", {"labels": [LABEL_RELEASED]})
        assert ended(forge, branch).labels == {LABEL, LABEL_RELEASED}

    # --- Merging ---

    @pytest.mark.parametrize("method", ["squash", "merge", "rebase"])
    def test_merged_is_the_judged_head_and_its_commit_is_found_again(
        self, world: World, branch: str, method: str
    ) -> None:
        forge = world.forge(merge_method=method)
        opened = open_one(forge, branch)
        computed(forge, branch)
        commit = forge.merge(opened, "Deploy version 7", "GitOps-Bot-Version: 7")
        assert commit == world.head()
        brought = forge.brought(commit)
        assert brought is not None
        assert (brought.number, brought.state, brought.merge_commit) == (
            opened.number,
            ProposalState.MERGED,
            commit,
        )
        assert forge.open_proposals() == () or opened.number not in [p.number for p in forge.open_proposals()]
        message = commit_message(world, commit)
        assert method == "rebase" or message == "Deploy version 7\n\nGitOps-Bot-Version: 7"

    def test_every_commit_of_a_rebased_proposal_is_known_to_have_come_with_it(
        self, world: World, branch: str
    ) -> None:
        forge = world.forge(merge_method="rebase")
        world.push(branch, "a second commit by a person\n", base=branch)
        opened = open_one(forge, branch)
        computed(forge, branch)
        last = forge.merge(opened, "Deploy", "")
        with world.checkout("main") as folder:
            first = world.git(folder, "rev-parse", f"{last}~1")
        found = [forge.brought(commit) for commit in (last, first)]
        assert [one.number for one in found if one is not None] == [opened.number, opened.number]

    def test_merging_twice_is_once(self, world: World, forge: GitHubForge, branch: str) -> None:
        opened = open_one(forge, branch)
        computed(forge, branch)
        commit = forge.merge(opened, "Deploy", "")
        assert forge.merge(opened, "Deploy", "") == commit
        assert world.head() == commit

    def test_a_head_that_moved_since_it_was_judged_is_not_merged(
        self, world: World, forge: GitHubForge, branch: str
    ) -> None:
        opened, before = open_one(forge, branch), world.head()
        world.push(branch, "a person's idea\n", base=branch)
        computed(forge, branch)
        with pytest.raises(Refused, match="not merged"):
            forge.merge(opened, "Deploy", "")
        assert world.head() == before

    def test_a_closed_one_is_not_merged(self, world: World, forge: GitHubForge, branch: str) -> None:
        opened, before = open_one(forge, branch), world.head()
        world.person_does("PATCH", f"pulls/{opened.number}", {"state": "closed"})
        with pytest.raises(Refused, match="was closed"):
            forge.merge(opened, "Deploy", "")
        assert world.head() == before

    def test_a_commit_of_a_person_came_with_no_proposal(self, world: World, forge: GitHubForge) -> None:
        assert forge.brought(world.push("main", f"by hand {uuid.uuid4()}\n")) is None

    def test_a_pull_request_of_a_person_is_no_proposal_that_brought_something(
        self, world: World, forge: GitHubForge, target: str
    ) -> None:
        branch = f"feature-{target.replace('/', '-')}"
        world.push(branch, f"theirs {target}\n")
        theirs = world.person_does("POST", "pulls", {"title": "mine", "head": branch, "base": "main"})
        merged = world.person_does("PUT", f"pulls/{theirs['number']}/merge", {"merge_method": "squash"})
        assert forge.brought(merged["sha"]) is None

    # --- What keeps it from being merged ---

    def test_a_required_check_blocks_until_it_succeeds_and_is_named(
        self, world: World, forge: GitHubForge, branch: str, protect: Protect
    ) -> None:
        protect(required_checks=("validate",))
        opened, before = open_one(forge, branch), world.head()
        for state, said in (
            (None, "check validate has not reported"),
            ("pending", "check validate is pending"),
            ("failure", "check validate has failed"),
        ):
            if state is not None:
                set_status(world, opened, "validate", state)
            blocked = computed(forge, branch)
            assert (blocked.mergeability, blocked.blocked_by) == (Mergeability.BLOCKED, said)
            with pytest.raises(Refused, match="validate"):
                forge.merge(opened, "Deploy", "")
        assert world.head() == before
        set_status(world, opened, "validate", "success")
        free = computed(forge, branch)
        assert (free.mergeability, free.blocked_by) == (Mergeability.CLEAN, "")

    def test_a_failed_check_that_nobody_requires_does_not_block(
        self, world: World, forge: GitHubForge, branch: str
    ) -> None:
        opened = open_one(forge, branch)
        set_status(world, opened, "optional", "failure")
        assert computed(forge, branch).mergeability is Mergeability.CLEAN

    def test_a_required_review_blocks_in_words(
        self, world: World, forge: GitHubForge, branch: str, protect: Protect
    ) -> None:
        protect(required_reviews=1)
        opened = open_one(forge, branch)
        blocked = computed(forge, branch)
        assert blocked.mergeability is Mergeability.BLOCKED
        assert "approving review" in blocked.blocked_by
        review = {"event": "REQUEST_CHANGES", "body": "not yet", "commit_id": opened.head}
        world.person_does("POST", f"pulls/{opened.number}/reviews", review)
        assert computed(forge, branch).blocked_by == f"{world.person} requested changes"
        world.person_does("POST", f"pulls/{opened.number}/reviews", {"event": "APPROVE", "body": "now"})
        assert computed(forge, branch).mergeability is Mergeability.CLEAN

    # --- What people ask for in comments ---

    @pytest.mark.parametrize(
        "text",
        [
            "/gitops-bot release",
            "/gitops-bot release  \t",
            "It was the network.\r\n\r\n/gitops-bot release\r\nThanks!",
        ],
    )
    def test_a_person_who_may_write_can_ask_for_a_release(
        self, world: World, forge: GitHubForge, branch: str, text: str
    ) -> None:
        opened = open_one(forge, branch)
        assert forge.asked_to_release(opened.number, LONG_AGO) is None
        say(world, opened, text)
        assert forge.asked_to_release(opened.number, LONG_AGO) == world.person

    @pytest.mark.parametrize(
        "text",
        [
            "/gitops-bot",
            "/gitops-bot release now",
            "/gitops-bot  release",
            "/GitOps-Bot release",
            "please /gitops-bot release",
            " /gitops-bot release",
            "> /gitops-bot release",
            "`/gitops-bot release`",
            "/gitops-bot\nrelease",
        ],
    )
    def test_what_only_looks_like_it_asks_for_nothing(
        self, world: World, forge: GitHubForge, branch: str, text: str
    ) -> None:
        opened = open_one(forge, branch)
        say(world, opened, text)
        assert forge.asked_to_release(opened.number, LONG_AGO) is None

    def test_what_the_bot_itself_says_asks_for_nothing_whoever_edited_it(
        self, world: World, forge: GitHubForge, branch: str
    ) -> None:
        opened = open_one(forge, branch)
        forge.comment(opened.number, "failed", "To try again:\n\n/gitops-bot release\n")
        assert forge.asked_to_release(opened.number, LONG_AGO) is None
        (written,) = world.person_does("GET", f"issues/{opened.number}/comments")
        world.person_does("PATCH", f"issues/comments/{written['id']}", {"body": "/gitops-bot release"})
        for asking in (forge, world.forge(login=None)):
            assert asking.asked_to_release(opened.number, LONG_AGO) is None

    def test_a_person_whose_account_the_bot_uses_asks_for_nothing(
        self, world: World, forge: GitHubForge, branch: str
    ) -> None:
        opened = open_one(forge, branch)
        say(world, opened, "/gitops-bot release")
        assert world.forge(login=world.person.upper()).asked_to_release(opened.number, LONG_AGO) is None

    def test_a_comment_elsewhere_or_taken_back_asks_for_nothing(
        self, world: World, forge: GitHubForge, branch: str
    ) -> None:
        opened = open_one(forge, branch)
        said = say(world, opened, "/gitops-bot release")
        elsewhere = f"{branch}7"
        world.push(elsewhere, "77\n")
        assert forge.asked_to_release(open_one(forge, elsewhere).number, LONG_AGO) is None
        world.person_does("DELETE", f"issues/comments/{said['id']}")
        assert forge.asked_to_release(opened.number, LONG_AGO) is None

    def test_what_was_asked_before_the_hold_began_is_not_about_it(
        self, world: World, forge: GitHubForge, branch: str
    ) -> None:
        opened = open_one(forge, branch)
        said = say(world, opened, "/gitops-bot release")
        at = datetime.fromisoformat(said["created_at"])
        assert forge.asked_to_release(opened.number, at) == world.person
        assert forge.asked_to_release(opened.number, at + timedelta(seconds=1)) is None

    # --- How many reverts there were ---

    def test_the_bots_reverts_are_counted_whatever_became_of_them_and_nothing_else_is(
        self, world: World, forge: GitHubForge, target: str, branch: str
    ) -> None:
        moment = later_than_everything(world)
        open_one(forge, branch)
        assert forge.reverts_since(moment) == 0
        for number in (12, 13):
            world.push(revert := f"gitops-bot/{target}/revert-v7-{number}", f"{number} of {target}\n")
            opened = open_one(forge, revert)
        forge.close(opened, "no longer needed")
        world.push(theirs := f"gitops-bot/{target}/revert-v7-14", f"14 of {target}\n")
        world.person_does("POST", "pulls", {"title": "mine", "head": theirs, "base": "main"})
        assert forge.reverts_since(moment) == world.forge(login=None).reverts_since(moment) == 2
        assert forge.reverts_since(later_than_everything(world)) == 0

    # --- Closing, commenting, labelling ---

    def test_closing_comments_once_however_often_it_is_repeated(
        self, world: World, forge: GitHubForge, branch: str
    ) -> None:
        opened = open_one(forge, branch)
        forge.comment(opened.number, "close", "superseded")  # as if the bot had died before it closed
        for _ in range(2):
            forge.close(opened, "superseded")
        assert comments(world, opened) == ["<!-- gitops-bot:close -->\nsuperseded"]
        assert ended(forge, branch).state is ProposalState.CLOSED

    def test_closing_what_is_merged_does_nothing(self, world: World, forge: GitHubForge, branch: str) -> None:
        opened = open_one(forge, branch)
        computed(forge, branch)
        forge.merge(opened, "Deploy", "")
        forge.close(opened, "superseded")
        assert comments(world, opened) == []
        assert ended(forge, branch).state is ProposalState.MERGED

    def test_a_comment_with_the_same_marker_is_written_once(
        self, world: World, forge: GitHubForge, branch: str
    ) -> None:
        opened = open_one(forge, branch)
        for marker, text in (("live", "one"), ("failed", "other"), ("live", "two"), ("live", "two")):
            forge.comment(opened.number, marker, text)
        texts = [text.partition("\n")[2] for text in comments(world, opened)]
        assert texts == ["one", "other"]

    def test_a_persons_comment_is_never_edited(self, world: World, forge: GitHubForge, branch: str) -> None:
        opened = open_one(forge, branch)
        theirs = "<!-- gitops-bot:live -->\nI copied this"
        world.person_does("POST", f"issues/{opened.number}/comments", {"body": theirs})
        forge.comment(opened.number, "live", "mine")
        assert comments(world, opened) == [theirs, "<!-- gitops-bot:live -->\nmine"]

    def test_labels_come_and_go_and_twice_is_once(self, forge: GitHubForge, branch: str) -> None:
        opened = open_one(forge, branch)
        for _ in range(2):
            forge.label(opened.number, add=(LABEL_RELEASED,), remove=(LABEL, "never-there"))
        assert ended(forge, branch).labels == {LABEL_RELEASED}

    # --- Proofs ---

    def test_what_is_recorded_on_a_commit_is_read_again(
        self, world: World, forge: GitHubForge, target: str
    ) -> None:
        commit = world.head()
        assert forge.proof(commit, target) == Proof()
        before = datetime.now(UTC) - timedelta(minutes=5)
        for state in (ProofState.PENDING, ProofState.FAILED, ProofState.LIVE):
            forge.record(commit, target, Proof(state, f"it is {state}"), "https://bot.example/targets/x")
            found = forge.proof(commit, target)
            assert (found.state, found.sentence) == (state, f"it is {state}")
            assert found.at is not None
            assert before < found.at < datetime.now(UTC) + timedelta(minutes=5)

    def test_recording_the_same_again_sets_no_second_status(
        self, world: World, forge: GitHubForge, target: str
    ) -> None:
        commit, sentence = world.head(), "it serves " * 40
        for _ in range(3):
            forge.record(commit, target, Proof(ProofState.LIVE, sentence))
        mine = [s for s in world.bot_does("GET", f"commits/{commit}/statuses") if target in s["context"]]
        assert len(mine) == 1
        assert len(mine[0]["description"]) <= 140
        assert mine[0]["description"].endswith("serves…")

    def test_a_hostile_sentence_is_recorded_in_what_a_status_may_have(
        self, world: World, forge: GitHubForge, target: str
    ) -> None:
        commit = world.head()
        for _ in range(2):
            forge.record(commit, target, Proof(ProofState.FAILED, "pod\nsaid \U0001f41b \x00 \ud800 ☃"))
        assert forge.proof(commit, target).sentence == "pod said \ufffd \ufffd \ufffd ☃"
        statuses = world.bot_does("GET", f"commits/{commit}/statuses")
        assert sum(target in one["context"] for one in statuses) == 1

    def test_targets_on_one_commit_are_told_apart(
        self, world: World, forge: GitHubForge, target: str
    ) -> None:
        commit, other = world.head(), target.replace("/production", "/staging")
        forge.record(commit, target, Proof(ProofState.LIVE, "here"))
        forge.record(commit, other, Proof(ProofState.FAILED, "there"))
        assert [forge.proof(commit, name).sentence for name in (target, other)] == ["here", "there"]

    def test_a_commit_that_nobody_knows_is_no_proof(self, forge: GitHubForge, target: str) -> None:
        with pytest.raises((Retryable, Refused)):
            forge.record("0" * 39 + "1", target, Proof(ProofState.LIVE, "never"))


class TestForgeOfTheSandbox(ForgeContract):
    """On the sandbox's forge, where answers also get lost on the way."""

    @pytest.fixture(scope="class")
    @classmethod
    def github(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
        source = tmp_path_factory.mktemp("source")
        (source / FILE).write_text("nothing yet\n")
        forge = Forge(tmp_path_factory.mktemp("forge"))
        forge.add_user("gitops-bot", "ghp_token_of_the_bot", bot=True)
        forge.add_user("maria", "ghp_token_of_maria")
        forge.create_repository("acme/manifests", source=source)
        forge.start()
        yield forge
        forge.stop()

    @pytest.fixture(scope="class")
    @classmethod
    def world(cls, github: Forge) -> World:
        return World(
            api=github.api_url,
            clone=f"{github.url}/acme/manifests.git",
            repository="acme/manifests",
            bot="gitops-bot",
            bot_token="ghp_token_of_the_bot",
            person="maria",
            person_token="ghp_token_of_maria",
        )

    @pytest.fixture
    def protect(self, github: Forge) -> Iterator[Protect]:
        yield lambda **rules: github.protect("acme/manifests", "main", **rules)
        github.protect("acme/manifests", "main")

    @pytest.fixture(scope="class")
    @classmethod
    def proxy(cls, github: Forge) -> Iterator[Between]:
        proxy = Between(github.api_url)
        yield proxy
        proxy.stop()

    @pytest.fixture
    def between(self, proxy: Between) -> Between:
        proxy.seen.clear()
        proxy.meddle = lambda request, onward: onward(request)
        return proxy

    def test_an_opening_whose_answer_is_lost_is_adopted(
        self, world: World, between: Between, target: str, branch: str
    ) -> None:
        forge = world.forge(api_url=between.url)
        between.meddle = losing("POST", "/pulls")
        with pytest.raises(Retryable):
            open_one(forge, branch)
        between.meddle = lambda request, onward: onward(request)
        opened = open_one(forge, branch)
        assert only(forge.open_proposals(), target).number == opened.number
        assert between.count("POST", "/pulls") == 1

    def test_one_that_another_pass_opened_meanwhile_is_adopted(
        self, world: World, forge: GitHubForge, between: Between, branch: str
    ) -> None:
        first = open_one(forge, branch)
        between.meddle = once(lambda request: request.path.endswith("/pulls"), Coming(200, b"[]"))
        assert open_one(world.forge(api_url=between.url), branch).number == first.number
        assert between.count("POST", "/pulls") == 1

    def test_a_merge_whose_answer_is_lost_is_found_done(
        self, world: World, forge: GitHubForge, between: Between, branch: str
    ) -> None:
        opened = open_one(forge, branch)
        computed(forge, branch)
        between.meddle = losing("PUT", "/merge")
        asking = world.forge(api_url=between.url)
        with pytest.raises(Retryable):
            asking.merge(opened, "Deploy", "")
        assert asking.merge(opened, "Deploy", "") == world.head()
        assert between.count("PUT", "/merge") == 1

    def test_a_head_that_moves_between_the_look_and_the_merge_is_not_merged(
        self, world: World, forge: GitHubForge, between: Between, branch: str
    ) -> None:
        opened, before = open_one(forge, branch), world.head()
        computed(forge, branch)

        def overtaken(request: Passing, onward: Onward) -> Coming:
            if request.method == "PUT":
                world.push(branch, "a person's idea\n", base=branch)
            return onward(request)

        between.meddle = overtaken
        with pytest.raises(Refused, match="409"):
            world.forge(api_url=between.url).merge(opened, "Deploy", "")
        assert world.head() == before

    def test_a_comment_whose_answer_is_lost_is_not_written_twice(
        self, world: World, forge: GitHubForge, between: Between, branch: str
    ) -> None:
        opened = open_one(forge, branch)
        between.meddle = losing("POST", "/comments")
        asking = world.forge(api_url=between.url)
        with pytest.raises(Retryable):
            asking.comment(opened.number, "live", "it serves")
        asking.comment(opened.number, "live", "it serves")
        assert comments(world, opened) == ["<!-- gitops-bot:live -->\nit serves"]

    def test_a_base_branch_that_moves_during_the_merge_is_for_later(
        self, world: World, forge: GitHubForge, between: Between, branch: str
    ) -> None:
        opened = open_one(forge, branch)
        said = b'{"message": "Base branch was modified. Review and try the merge again."}'
        between.meddle = once(lambda request: request.method == "PUT", Coming(405, said))
        with pytest.raises(Retryable, match="base branch moved"):
            world.forge(api_url=between.url).merge(opened, "Deploy", "")

    @pytest.mark.parametrize("repo", [None, {"id": 4711, "full_name": "mallory/manifests"}])
    def test_a_forks_branch_of_the_same_name_is_no_proposal(
        self, world: World, forge: GitHubForge, between: Between, target: str, branch: str, repo: Any
    ) -> None:
        open_one(forge, branch)

        def forked(request: Passing, onward: Onward) -> Coming:
            coming = onward(request)
            pulls = json.loads(coming.body)
            for pull in pulls:
                pull["head"]["repo"] = repo and {**pull["head"]["repo"], **repo}
            return replace(coming, body=json.dumps(pulls).encode())

        between.meddle = forked
        asking = world.forge(api_url=between.url)
        assert asking.open_proposals() == ()
        assert asking.newest(branch) is None

    def test_a_token_that_may_not_read_check_runs_still_says_what_blocks(
        self, world: World, forge: GitHubForge, between: Between, branch: str, protect: Protect
    ) -> None:
        protect(required_checks=("validate",))
        open_one(forge, branch)
        computed(forge, branch)
        forbidden = Coming(403, b'{"message": "Resource not accessible by personal access token"}')
        between.meddle = lambda request, onward: (
            forbidden if request.path.endswith("/check-runs") else onward(request)
        )
        assert "validate has not reported" in ended(world.forge(api_url=between.url), branch).blocked_by

    def test_who_may_only_read_asks_for_nothing_though_a_member_of_the_organization(
        self, github: Forge, world: World, forge: GitHubForge, branch: str
    ) -> None:
        github.add_user("mallory", "ghp_token_of_mallory", reads_only=True)
        opened = open_one(forge, branch)
        github.comment("acme/manifests", opened.number, "/gitops-bot release", by="mallory")
        assert [c["author_association"] for c in told_comments(world, opened)] == ["MEMBER"]
        assert forge.asked_to_release(opened.number, LONG_AGO) is None
        say(world, opened, "/gitops-bot release")
        assert forge.asked_to_release(opened.number, LONG_AGO) == world.person

    def test_another_bot_asks_for_nothing(
        self, github: Forge, world: World, forge: GitHubForge, branch: str
    ) -> None:
        github.add_user("stale-bot", "ghp_token_of_another", bot=True)
        opened = open_one(forge, branch)
        github.comment("acme/manifests", opened.number, "/gitops-bot release", by="stale-bot")
        assert forge.asked_to_release(opened.number, LONG_AGO) is None

    def test_an_account_that_is_gone_asks_for_nothing(
        self, world: World, between: Between, forge: GitHubForge, branch: str
    ) -> None:
        opened = open_one(forge, branch)
        say(world, opened, "/gitops-bot release")
        gone = Coming(404, b'{"message": "maria is not a user"}')
        asking = world.forge(api_url=between.url)
        between.meddle = once(lambda request: request.path.endswith("/permission"), gone)
        assert asking.asked_to_release(opened.number, LONG_AGO) is None

        def ghost(request: Passing, onward: Onward) -> Coming:
            coming = onward(request)
            told = [{**comment, "user": None} for comment in json.loads(coming.body)]
            return replace(coming, body=json.dumps(told).encode())

        between.meddle = ghost
        assert world.forge(api_url=between.url).asked_to_release(opened.number, LONG_AGO) is None

    def test_who_may_not_see_rights_is_told_which_right_is_missing(
        self, world: World, between: Between, forge: GitHubForge, branch: str
    ) -> None:
        opened = open_one(forge, branch)
        say(world, opened, "/gitops-bot release")
        forbidden = Coming(403, b'{"message": "Must have push access to view collaborator permission."}')
        between.meddle = once(lambda request: request.path.endswith("/permission"), forbidden)
        with pytest.raises(Refused, match="Must have push access"):
            world.forge(api_url=between.url).asked_to_release(opened.number, LONG_AGO)

    def test_a_flood_of_people_costs_a_bounded_number_of_questions(
        self, github: Forge, world: World, between: Between, forge: GitHubForge, branch: str
    ) -> None:
        opened = open_one(forge, branch)
        for number in range(30):
            github.add_user(f"crowd-{number}", f"ghp_token_of_{number}", reads_only=True)
            github.comment("acme/manifests", opened.number, "/gitops-bot release", by=f"crowd-{number}")
        asking = world.forge(api_url=between.url)
        assert asking.asked_to_release(opened.number, LONG_AGO) is None
        assert sum(request.path.endswith("/permission") for request in between.seen) == 10

    def test_unchanged_comments_are_asked_for_without_cost_and_page_by_page(
        self, github: Forge, world: World, between: Between, forge: GitHubForge, branch: str
    ) -> None:
        opened = open_one(forge, branch)
        for number in range(120):
            github.comment("acme/manifests", opened.number, f"number {number}")
        statuses: list[int] = []

        def watched(request: Passing, onward: Onward) -> Coming:
            coming = onward(request)
            statuses.append(coming.status)
            return coming

        between.meddle = watched
        asking = world.forge(api_url=between.url)
        assert (
            asking.asked_to_release(opened.number, LONG_AGO)
            is asking.asked_to_release(opened.number, LONG_AGO)
            is None
        )
        assert statuses == [200, 200, 304, 304]
        say(world, opened, "/gitops-bot release")
        assert asking.asked_to_release(opened.number, LONG_AGO) == world.person

    def test_counting_reverts_reads_no_further_than_the_moment(
        self, world: World, between: Between, forge: GitHubForge, branch: str
    ) -> None:
        open_one(forge, branch)
        asking = world.forge(api_url=between.url)
        assert asking.reverts_since(datetime.now(UTC) + timedelta(hours=1)) == 0
        assert [request.path.rpartition("/")[2] for request in between.seen] == ["pulls"]


class TestForgeOfGitHub(ForgeContract):
    """On a real GitHub: a repository for tests whose `main` has the file, with two accounts that may write to it."""

    @pytest.fixture(scope="class")
    @classmethod
    def world(cls) -> World:
        names = ("MANIFESTS", "BOT", "TOKEN", "PERSON", "PERSON_TOKEN")
        values = [os.environ.get(f"GITOPS_BOT_LIVE_{name}", "") for name in names]
        if not all(values):
            pytest.skip(f"set GITOPS_BOT_LIVE_{{{','.join(names)}}} to run this on a real GitHub")
        repository, bot, token, person, person_token = values
        api = os.environ.get("GITOPS_BOT_LIVE_API", "https://api.github.com")
        clone = f"{os.environ.get('GITOPS_BOT_LIVE_URL', 'https://github.com')}/{repository}.git"
        return World(api, clone, repository, bot, token, person, person_token)

    @pytest.fixture
    def protect(self) -> Protect:
        pytest.skip("changing the protection of a real repository is left to its owner")


def losing(method: str, ending: str) -> Meddle:
    """The first such request takes effect, but its answer is lost."""
    lost: list[Passing] = []

    def meddle(request: Passing, onward: Onward) -> Coming:
        coming = onward(request)
        if lost or request.method != method or not request.path.endswith(ending):
            return coming
        lost.append(request)
        return without(coming)

    return meddle


def once(fits: Callable[[Passing], bool], instead: Coming) -> Meddle:
    """The first request that fits is answered with this instead of being passed on."""
    done: list[Passing] = []

    def meddle(request: Passing, onward: Onward) -> Coming:
        if done or not fits(request):
            return onward(request)
        done.append(request)
        return instead

    return meddle


def set_status(world: World, proposal: Proposal, context: str, state: str) -> None:
    world.person_does("POST", f"statuses/{proposal.head}", {"context": context, "state": state})


def computed(forge: GitHubForge, branch: str) -> Proposal:
    """The proposal once the forge has computed whether it can be merged, which it does after the first question."""
    for _ in range(60):
        found = forge.newest(branch)
        assert found is not None
        if found.mergeability is not Mergeability.UNKNOWN:
            return found
        time.sleep(0.1)
    pytest.fail("the forge computed nothing")


def open_one(forge: GitHubForge, branch: str) -> Proposal:
    return forge.open(branch, "Deploy", "", labels=(LABEL,))


def told(proposal: Proposal) -> tuple[Any, ...]:
    return proposal.title, proposal.body, proposal.labels


def only(proposals: Any, target: str) -> Proposal:
    found = [one for one in proposals if one.target == target]
    assert len(found) == 1
    return found[0]


def ended(forge: GitHubForge, branch: str) -> Proposal:
    found = forge.newest(branch)
    assert found is not None
    return found


def say(world: World, proposal: Proposal, text: str) -> Any:
    return world.person_does("POST", f"issues/{proposal.number}/comments", {"body": text})


def told_comments(world: World, proposal: Proposal) -> Any:
    return world.person_does("GET", f"issues/{proposal.number}/comments")


def later_than_everything(world: World) -> datetime:
    """A moment after every pull request so far, by GitHub's own clock, which counts whole seconds."""
    newest = world.person_does("GET", "pulls?state=all&sort=created&direction=desc&per_page=1")
    if not newest:
        return datetime.now(UTC) - timedelta(minutes=5)
    moment = datetime.fromisoformat(newest[0]["created_at"]) + timedelta(seconds=1)
    time.sleep(max((moment - datetime.now(UTC)).total_seconds(), 0))
    return moment


def comments(world: World, proposal: Proposal) -> list[str]:
    return [comment["body"] for comment in world.bot_does("GET", f"issues/{proposal.number}/comments")]


def commit_message(world: World, commit: str) -> str:
    with world.checkout("main") as folder:
        return world.git(folder, "log", "-1", "--format=%B", commit)
