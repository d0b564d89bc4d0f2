"""Webhooks of the forge: real signed deliveries, shaped as GitHub describes them, lost and late ones too."""

import hashlib
import hmac
from collections.abc import Iterator

import pytest

from bot.sandbox.forge.webhooks import signature
from tests.parts import free_port
from tests.sandbox.forges import NAME, World
from tests.sandbox.github_description import webhook_faults
from tests.sandbox.receiving import Receiver, receiver

pytestmark = pytest.mark.world
SECRET = "a-webhook-secret"


@pytest.fixture
def heard() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def listen(world: World, heard: Receiver, *events: str) -> int:
    """A hook that was pinged; returns its id."""
    hook = world.forge.add_webhook(NAME, heard.url, SECRET, events or ("*",))
    assert world.forge.settle()
    return hook.id


def faults(heard: Receiver) -> list[str]:
    return [
        f"{one.event}: {fault}"
        for one in heard.received
        for fault in webhook_faults(one.headers["x-github-event"], one.document)
    ]


def test_githubs_own_example_of_a_signature() -> None:
    expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert signature("It's a Secret to Everybody", b"Hello, World!") == expected


def test_every_delivery_is_signed_and_has_an_id_of_its_own(world: World, heard: Receiver) -> None:
    listen(world, heard)
    world.proposal()
    assert world.forge.settle()
    for one in heard.received:
        expected = hmac.new(SECRET.encode(), one.body, hashlib.sha256).hexdigest()
        assert one.headers["x-hub-signature-256"] == f"sha256={expected}"
        assert one.headers["content-type"] == "application/json"
    ids = [one.headers["x-github-delivery"] for one in heard.received]
    assert len(set(ids)) == len(ids) == 3
    assert [one.event for one in heard.received] == ["ping", "push", "pull_request.opened"]


def test_the_story_of_a_pull_request_is_told_in_order(world: World, heard: Receiver) -> None:
    listen(world, heard)
    number = world.proposal("bot/x")
    world.ask("POST", f"issues/{number}/labels", {"labels": ["one"]})
    world.ask("DELETE", f"issues/{number}/labels/one")
    world.ask("PATCH", f"pulls/{number}", {"title": "Other"})
    comment = world.ask("POST", f"issues/{number}/comments", {"body": "Hello"}).json()
    world.ask("PATCH", f"issues/comments/{comment['id']}", {"body": "Bye"})
    world.ask("POST", f"pulls/{number}/requested_reviewers", {"reviewers": ["alice"]})
    world.forge.review(NAME, number, "alice")
    world.forge.set_status(NAME, world.forge.head(NAME, "bot/x"), "validate", "success")
    world.change("bot/x", line=2)
    world.forge.close(NAME, number)
    world.forge.reopen(NAME, number)
    world.forge.merge(NAME, number)
    world.forge.delete_branch(NAME, "bot/x")
    assert world.forge.settle()
    assert heard.events() == [
        "push", "pull_request.opened", "pull_request.labeled", "pull_request.unlabeled", "pull_request.edited",
        "issue_comment.created", "issue_comment.edited", "pull_request.review_requested", "pull_request_review.submitted", "status",
        "push", "pull_request.synchronize", "pull_request.closed", "pull_request.reopened",
        "pull_request.closed", "push", "push",
    ]  # fmt: skip
    assert faults(heard) == []


def test_a_merge_tells_its_commit(world: World, heard: Receiver) -> None:
    listen(world, heard, "pull_request", "push")
    number = world.proposal("bot/x")
    before = world.forge.head(NAME)
    done = world.forge.merge(NAME, number, by="alice", method="squash")
    assert world.forge.settle()
    closed, push = heard.newest("pull_request.closed").document, heard.newest("push").document
    assert (closed["pull_request"]["merged"], closed["pull_request"]["merge_commit_sha"]) == (
        True,
        done.merge_commit,
    )
    assert closed["sender"]["login"] == "alice"
    assert (push["ref"], push["before"], push["after"]) == ("refs/heads/main", before, done.merge_commit)
    assert [commit["modified"] for commit in push["commits"]] == [["apps/values.yaml"]]


def test_a_deleted_branch_is_told_with_zeros(world: World, heard: Receiver) -> None:
    world.proposal("bot/x")
    listen(world, heard)
    world.forge.delete_branch(NAME, "bot/x")
    assert world.forge.settle()
    push = heard.newest("push").document
    assert (push["after"], push["deleted"], push["head_commit"]) == ("0" * 40, True, None)
    assert heard.events() == ["push", "pull_request.closed"]
    assert faults(heard) == []


def test_only_what_was_asked_for_comes(world: World, heard: Receiver) -> None:
    listen(world, heard, "pull_request")
    world.proposal()
    assert world.forge.settle()
    assert heard.events() == ["pull_request.opened"]


def test_a_redelivery_has_the_same_id_and_the_same_body(world: World, heard: Receiver) -> None:
    hook = listen(world, heard, "push")
    heard.status = "500 Internal Server Error"
    world.change("bot/x")
    assert world.forge.settle()
    failed = world.get(f"hooks/{hook}/deliveries")[0]
    assert (failed["status_code"], failed["redelivery"], failed["event"]) == (500, False, "push")
    heard.status = "202 Accepted"
    answer = world.ask("POST", f"hooks/{hook}/deliveries/{failed['id']}/attempts")
    assert answer.status_code == 202
    assert world.forge.settle()
    first, second = heard.received[-2:]
    assert first.body == second.body
    assert first.headers["x-github-delivery"] == second.headers["x-github-delivery"]
    newest = world.get(f"hooks/{hook}/deliveries")[0]
    assert (newest["guid"], newest["status_code"], newest["redelivery"]) == (failed["guid"], 202, True)
    assert world.get(f"hooks/{hook}/deliveries/{newest['id']}")["request"]["payload"] == second.document


def test_nothing_is_repeated_by_itself(world: World, heard: Receiver) -> None:
    listen(world, heard, "push")
    heard.status = "500 Internal Server Error"
    world.change("bot/x")
    heard.status = "202 Accepted"
    world.change("bot/y")
    assert world.forge.settle()
    assert len(heard.events()) == 2


def test_lost_ones_are_recorded_and_can_be_asked_for(world: World, heard: Receiver) -> None:
    hook = listen(world, heard, "push")
    world.forge.lose_next_webhooks(1)
    lost, kept = world.change("bot/x"), world.change("bot/y")
    assert world.forge.settle()
    assert [one.document["after"] for one in heard.received if one.event == "push"] == [kept]
    delivery = world.get(f"hooks/{hook}/deliveries")[1]
    assert delivery["status_code"] == 0
    world.ask("POST", f"hooks/{hook}/deliveries/{delivery['id']}/attempts")
    assert world.forge.settle()
    assert heard.newest("push").document["after"] == lost


def test_held_ones_come_late_and_in_order(world: World, heard: Receiver) -> None:
    listen(world, heard, "push")
    world.forge.hold_webhooks()
    pushed = [world.change("bot/x", line=1), world.change("bot/x", line=2)]
    assert not world.forge.settle(0.2)
    assert heard.events() == []
    world.forge.release_webhooks()
    assert world.forge.settle()
    assert [one.document["after"] for one in heard.received if one.event == "push"] == pushed


def test_a_receiver_that_is_away_hinders_nothing(world: World) -> None:
    hook = world.forge.add_webhook(NAME, f"http://127.0.0.1:{free_port()}/hook", SECRET, ("push",))
    number = world.proposal()
    world.forge.merge(NAME, number)
    assert world.forge.settle()
    assert {delivery["status_code"] for delivery in world.get(f"hooks/{hook.id}/deliveries")} == {0}


def test_a_hook_is_made_by_the_api_and_hides_its_secret(world: World, heard: Receiver) -> None:
    config = {"url": heard.url, "content_type": "json", "secret": SECRET}
    made = world.ask("POST", "hooks", {"config": config, "events": ["push"]})
    assert made.status_code == 201
    assert world.forge.settle()
    assert [one.event for one in heard.received] == ["ping"]
    assert SECRET not in world.ask("GET", "hooks").text
    assert world.ask("DELETE", f"hooks/{made.json()['id']}").status_code == 204
    world.change("bot/x")
    assert world.forge.settle()
    assert heard.events() == []
