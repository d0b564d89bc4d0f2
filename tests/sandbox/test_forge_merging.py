"""Merges of the forge: true three-way merges, exactly the judged head, and what a protected branch demands."""

import threading

import pytest

from bot.sandbox.forge import Refusal
from tests.sandbox.forges import NAME, World

pytestmark = pytest.mark.world


def merge(world: World, number: int, **fields: object) -> tuple[int, dict[str, object]]:
    answer = world.ask("PUT", f"pulls/{number}/merge", fields)
    return answer.status_code, answer.json()


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_what_others_merged_meanwhile_stays(world: World, method: str) -> None:
    number = world.proposal("bot/x", line=10, text="ours")
    world.change("main", line=1, text="theirs")
    world.forge.push_commit(NAME, "main", {"other.yaml": b"other: 1\n"})
    status, body = merge(world, number, merge_method=method)
    assert (status, body["merged"]) == (200, True)
    lines = world.lines()
    assert (lines[0], lines[9]) == ("line1: theirs", "line10: ours")
    assert world.forge.head(NAME) == body["sha"]
    assert world.get("contents/other.yaml")["path"] == "other.yaml"


def test_a_merge_commit_has_two_parents_and_githubs_title(world: World) -> None:
    number = world.proposal("bot/x")
    base, head = world.forge.head(NAME), world.forge.head(NAME, "bot/x")
    _, body = merge(world, number)
    commit = world.get(f"commits/{body['sha']}")
    assert [parent["sha"] for parent in commit["parents"]] == [base, head]
    assert commit["commit"]["message"] == f"Merge pull request #{number} from acme/bot/x\n\nPull bot/x"
    assert world.get("branches/bot/x")["commit"]["sha"] == head


def test_a_squash_is_one_commit_with_the_given_words(world: World) -> None:
    number = world.proposal("bot/x")
    world.change("bot/x", line=3)
    base = world.forge.head(NAME)
    _, body = merge(
        world, number, merge_method="squash", commit_title="Title", commit_message="Why\n\nTrailer: 1"
    )
    commit = world.get(f"commits/{body['sha']}")
    assert [parent["sha"] for parent in commit["parents"]] == [base]
    assert commit["commit"]["message"] == "Title\n\nWhy\n\nTrailer: 1"
    assert commit["author"]["login"] == "bot"


def test_a_squash_of_one_commit_takes_its_words(world: World) -> None:
    number = world.proposal("bot/x", message="Bump\n\nBecause.")
    _, body = merge(world, number, merge_method="squash")
    assert world.get(f"commits/{body['sha']}")["commit"]["message"] == f"Bump (#{number})\n\nBecause."


def test_a_rebase_puts_every_commit_on_top_anew(world: World) -> None:
    number = world.proposal("bot/x", message="One")
    world.change("bot/x", line=3, message="Two")
    base = world.change("main", line=20, message="Meanwhile")
    _, body = merge(world, number, merge_method="rebase")
    listed = world.get("commits")[:3]
    assert [commit["commit"]["message"] for commit in listed] == ["Two", "One", "Meanwhile"]
    assert [commit["sha"] for commit in listed][0::2] == [body["sha"], base]
    introduced = [world.get(f"commits/{commit['sha']}/pulls") for commit in listed]
    assert [[pull["number"] for pull in pulls] for pulls in introduced] == [[number], [number], []]


def test_another_head_than_the_judged_one_is_not_merged(world: World) -> None:
    number = world.proposal("bot/x")
    judged = world.forge.head(NAME, "bot/x")
    world.change("bot/x", line=3)
    status, body = merge(world, number, sha=judged)
    assert (status, body["message"]) == (409, "Head branch was modified. Review and try the merge again.")
    assert not world.forge.pull(NAME, number).merged


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_a_conflict_is_not_merged(world: World, method: str) -> None:
    number = world.proposal("bot/x", text="ours")
    before = world.change("main", text="theirs")
    pull = world.judged(number)
    assert (pull["mergeable"], pull["mergeable_state"]) == (False, "dirty")
    assert merge(world, number, merge_method=method)[0] == 405
    assert world.forge.head(NAME) == before


def test_what_is_merged_or_closed_is_not_merged_again(world: World) -> None:
    first, second = world.proposal("bot/x"), world.proposal("bot/y", line=2)
    assert merge(world, first)[0] == 200
    world.forge.close(NAME, second)
    for number in (first, second):
        assert merge(world, number)[0] == 405
    assert merge(world, 99)[0] == 404


def test_required_checks_must_have_succeeded(world: World) -> None:
    world.forge.protect(NAME, required_checks=("validate",))
    number = world.proposal("bot/x")
    head = world.forge.head(NAME, "bot/x")
    told = []
    for state in (None, "pending", "failure"):
        if state:
            world.ask("POST", f"statuses/{head}", {"state": state, "context": "validate"})
        assert world.judged(number)["mergeable_state"] == "blocked"
        told.append(merge(world, number, sha=head))
    assert told == [
        (405, {**told[0][1], "message": 'Required status check "validate" is expected.'}),
        (405, {**told[0][1], "message": 'Required status check "validate" is pending.'}),
        (405, {**told[0][1], "message": 'Required status check "validate" is failing.'}),
    ]
    world.forge.set_status(NAME, head, "validate", "success")
    assert world.get(f"pulls/{number}")["mergeable_state"] == "clean"
    assert merge(world, number, sha=head)[0] == 200


def test_checks_that_nobody_requires_leave_it_unstable_and_mergeable(world: World) -> None:
    number = world.proposal("bot/x")
    world.forge.set_status(NAME, world.forge.head(NAME, "bot/x"), "optional", "failure")
    assert world.judged(number)["mergeable_state"] == "unstable"
    assert merge(world, number)[0] == 200


def test_required_reviews_must_approve_and_nobody_object(world: World) -> None:
    world.forge.protect(NAME, required_reviews=1)
    number = world.proposal("bot/x")
    assert merge(world, number)[1]["message"] == (
        "At least 1 approving review is required by reviewers with write access."
    )
    world.forge.review(NAME, number, "alice")
    world.forge.review(NAME, number, "carol", approve=False)
    assert world.judged(number)["mergeable_state"] == "blocked"
    world.forge.review(NAME, number, "carol")
    assert merge(world, number)[0] == 200


def test_a_strict_branch_wants_its_head_in_the_pull_request(world: World) -> None:
    world.forge.protect(NAME, strict=True)
    number = world.proposal("bot/x")
    world.change("main", line=1)
    assert world.judged(number)["mergeable_state"] == "behind"
    assert merge(world, number)[0] == 405


def test_a_draft_is_not_merged(world: World) -> None:
    world.change("bot/x")
    number = world.open("bot/x", draft=True)["number"]
    assert world.judged(number)["mergeable_state"] == "draft"
    assert merge(world, number) == (
        405,
        {**merge(world, number)[1], "message": "Pull Request is still a draft"},
    )


def test_people_merge_with_their_own_name_and_hear_refusals(world: World) -> None:
    world.forge.protect(NAME, required_checks=("validate",))
    number = world.proposal("bot/x")
    with pytest.raises(Refusal, match="validate"):
        world.forge.merge(NAME, number, by="alice")
    world.forge.set_status(NAME, world.forge.head(NAME, "bot/x"), "validate", "success")
    world.forge.merge(NAME, number, by="alice", method="squash")
    assert world.get(f"pulls/{number}")["merged_by"]["login"] == "alice"
    assert world.get(f"issues/{number}")["closed_by"]["login"] == "alice"


def test_of_two_that_merge_at_once_one_is_told_no(world: World) -> None:
    number = world.proposal("bot/x")
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(merge(world, number)[0])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 405, 405, 405]
    assert len(world.get(f"commits/{world.forge.head(NAME)}")["parents"]) == 2


def test_a_commit_of_main_tells_its_pull_request_and_no_other(world: World) -> None:
    first, second = world.proposal("bot/x"), world.proposal("bot/y", line=2)
    head = world.forge.head(NAME, "bot/y")
    assert [pull["number"] for pull in world.get(f"commits/{head}/pulls")] == [second]
    _, body = merge(world, first, merge_method="squash")
    assert [pull["number"] for pull in world.get(f"commits/{body['sha']}/pulls")] == [first]
    by_hand = world.change("main", line=4)
    assert world.get(f"commits/{by_hand}/pulls") == []


def test_a_repository_may_delete_merged_branches(world: World) -> None:
    world.forge.repository(NAME).delete_branch_on_merge = True
    number = world.proposal("bot/x")
    head = world.forge.head(NAME, "bot/x")
    assert merge(world, number)[0] == 200
    assert world.ask("GET", "branches/bot/x").status_code == 404
    pull = world.get(f"pulls/{number}")
    assert (pull["merged"], pull["head"]["sha"], pull["changed_files"]) == (True, head, 1)


def test_a_commit_of_main_was_not_brought_by_a_pull_request_that_was_closed(world: World) -> None:
    first = world.proposal("bot/x")
    head = world.forge.head(NAME, "bot/x")
    world.forge.close(NAME, first)
    assert [pull["number"] for pull in world.get(f"commits/{head}/pulls")] == [first]
    assert world.ask("POST", "git/refs", {"ref": "refs/heads/bot/y", "sha": head}).status_code == 201
    second = world.open("bot/y")["number"]
    assert merge(world, second)[0] == 200
    assert [pull["number"] for pull in world.get(f"commits/{head}/pulls")] == [second]
