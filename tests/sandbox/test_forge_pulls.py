"""Pull requests of the forge: opened once, followed, closed and opened again as GitHub does it."""

import pytest

from tests.sandbox.forges import NAME, World

pytestmark = pytest.mark.world


def refusal(world: World, **fields: object) -> tuple[int, object]:
    answer = world.ask("POST", "pulls", {"title": "T", "base": "main", **fields})
    return answer.status_code, answer.json()["errors"][0]


def test_a_second_pull_request_for_a_branch_is_refused_by_name(world: World) -> None:
    world.proposal("bot/x")
    status, error = refusal(world, head="acme:bot/x")
    assert status == 422
    assert error == {
        "resource": "PullRequest", "code": "custom", "message": "A pull request already exists for acme:bot/x.",
    }  # fmt: skip


def test_a_branch_that_is_not_there_has_no_pull_request(world: World) -> None:
    assert refusal(world, head="nowhere") == (
        422,
        {"resource": "PullRequest", "field": "head", "code": "invalid"},
    )
    world.change("bot/x")
    assert refusal(world, head="bot/x", base="nowhere")[1] == {
        "resource": "PullRequest", "field": "base", "code": "invalid",
    }  # fmt: skip


def test_a_branch_without_commits_of_its_own_has_no_pull_request(world: World) -> None:
    sha = world.forge.head(NAME)
    assert world.ask("POST", "git/refs", {"ref": "refs/heads/same", "sha": sha}).status_code == 201
    assert refusal(world, head="same") == (
        422,
        {"resource": "PullRequest", "code": "custom", "message": "No commits between main and same"},
    )


def test_a_pull_request_without_a_title_is_refused(world: World) -> None:
    world.change("bot/x")
    status, error = refusal(world, head="bot/x", title="")
    assert (status, error) == (422, {"resource": "PullRequest", "field": "title", "code": "missing_field"})


def test_mergeability_is_unknown_until_somebody_has_asked(world: World) -> None:
    number = world.proposal()
    first, second = world.get(f"pulls/{number}"), world.get(f"pulls/{number}")
    assert (first["mergeable"], first["mergeable_state"]) == (None, "unknown")
    assert (second["mergeable"], second["mergeable_state"]) == (True, "clean")
    world.change("main", line=1)
    assert world.get(f"pulls/{number}")["mergeable"] is None
    assert world.get(f"pulls/{number}")["mergeable"] is True


def test_the_trial_merge_of_an_open_pull_request_can_be_fetched(world: World) -> None:
    number = world.proposal()
    trial = world.judged(number)["merge_commit_sha"]
    folder = world.clone()
    world.git("fetch", "--quiet", "origin", f"pull/{number}/merge", folder=folder)
    assert world.git("rev-parse", "FETCH_HEAD", folder=folder).strip() == trial


def test_a_list_is_found_by_state_head_and_base(world: World) -> None:
    first, second = world.proposal("bot/x"), world.proposal("bot/y", line=3)
    world.forge.close(NAME, first)
    numbers = {
        query: [pull["number"] for pull in world.get(f"pulls?{query}")]
        for query in (
            "",
            "state=closed",
            "state=all",
            "state=all&head=acme:bot/x",
            "head=acme:bot/x",
            "base=other",
        )
    }
    assert numbers == {
        "": [second],
        "state=closed": [first],
        "state=all": [second, first],
        "state=all&head=acme:bot/x": [first],
        "head=acme:bot/x": [],
        "base=other": [],
    }


def test_a_head_without_an_owner_does_not_filter(world: World) -> None:
    world.proposal("bot/x")
    assert len(world.get("pulls?head=bot/other")) == 1


def test_a_long_list_comes_in_pages(world: World) -> None:
    for number in range(5):
        world.proposal(f"bot/{number}", line=number + 1)
    answer = world.ask("GET", "pulls?per_page=2&page=2")
    assert [pull["number"] for pull in answer.json()] == [3, 2]
    assert {rel: link["url"].partition("?")[2] for rel, link in answer.links.items()} == {
        "prev": "per_page=2&page=1",
        "next": "per_page=2&page=3",
        "first": "per_page=2&page=1",
        "last": "per_page=2&page=3",
    }
    assert [pull.number for pull in world.github().get_repo(NAME).get_pulls()] == [5, 4, 3, 2, 1]


def test_title_body_and_state_change(world: World) -> None:
    number = world.proposal()
    changed = world.ask(
        "PATCH", f"pulls/{number}", {"title": "New", "body": "Text", "state": "closed"}
    ).json()
    assert (changed["title"], changed["body"], changed["state"], changed["merged"]) == (
        "New",
        "Text",
        "closed",
        False,
    )
    assert world.get(f"issues/{number}")["closed_by"]["login"] == "bot"
    assert world.ask("PATCH", f"pulls/{number}", {"state": "open"}).json()["state"] == "open"


def test_deleting_the_branch_closes_and_hinders_to_open_again(world: World) -> None:
    number = world.proposal("bot/x")
    assert world.ask("DELETE", "git/refs/heads/bot/x").status_code == 204
    assert world.get(f"pulls/{number}")["state"] == "closed"
    again = world.ask("PATCH", f"pulls/{number}", {"state": "open"})
    assert again.status_code == 422
    assert "deleted" in again.json()["errors"][0]["message"]
    assert world.ask("DELETE", "git/refs/heads/bot/x").status_code == 422


def test_pushing_to_the_branch_moves_the_head(world: World) -> None:
    number = world.proposal("bot/x")
    head = world.change("bot/x", line=12)
    pull = world.get(f"pulls/{number}")
    assert (pull["head"]["sha"], pull["commits"], pull["additions"]) == (head, 2, 2)
    assert [commit["sha"] for commit in world.get(f"pulls/{number}/commits")][-1] == head


def test_a_closed_pull_request_stays_at_its_head(world: World) -> None:
    number = world.proposal("bot/x")
    head = world.forge.pull(NAME, number).head_sha
    world.forge.close(NAME, number)
    world.change("bot/x", line=12)
    assert world.get(f"pulls/{number}")["head"]["sha"] == head


def test_pushing_its_commits_to_the_base_merges(world: World) -> None:
    number = world.proposal("bot/x")
    head = world.forge.head(NAME, "bot/x")
    assert world.ask("PATCH", "git/refs/heads/main", {"sha": head}).status_code == 200
    pull = world.get(f"pulls/{number}")
    assert (pull["merged"], pull["merged_by"]["login"], pull["merge_commit_sha"]) == (True, "bot", head)


def test_resetting_the_branch_to_the_base_closes(world: World) -> None:
    number = world.proposal("bot/x")
    body = {"sha": world.forge.head(NAME), "force": True}
    assert world.ask("PATCH", "git/refs/heads/bot/x", body).status_code == 200
    pull = world.get(f"pulls/{number}")
    assert (pull["state"], pull["merged"]) == ("closed", False)


def test_comments_are_created_listed_and_edited(world: World) -> None:
    number = world.proposal()
    made = world.ask("POST", f"issues/{number}/comments", {"body": "<!-- marker -->\nOne"})
    assert made.status_code == 201
    edited = world.ask("PATCH", f"issues/comments/{made.json()['id']}", {"body": "Two"})
    assert edited.json()["body"] == "Two"
    assert [(c["body"], c["user"]["login"]) for c in world.get(f"issues/{number}/comments")] == [
        ("Two", "bot")
    ]
    assert world.ask("POST", f"issues/{number}/comments", {"body": ""}).status_code == 422
    assert world.ask("PATCH", "issues/comments/1", {"body": "x"}).status_code == 404


def test_labels_are_made_on_the_way_and_taken_off_once(world: World) -> None:
    number = world.proposal()
    assert world.ask("POST", "labels", {"name": "gitops-bot/held", "color": "d93f0b"}).status_code == 201
    again = world.ask("POST", "labels", {"name": "gitops-bot/held", "color": "d93f0b"})
    assert (again.status_code, again.json()["errors"][0]["code"]) == (422, "already_exists")
    names = ["gitops-bot/held", "new one"]
    added = world.ask("POST", f"issues/{number}/labels", {"labels": names}).json()
    assert [(label["name"], label["color"]) for label in added] == [
        (names[0], "d93f0b"),
        (names[1], "ededed"),
    ]
    assert world.ask("DELETE", f"issues/{number}/labels/gitops-bot%2Fheld").status_code == 200
    assert world.ask("DELETE", f"issues/{number}/labels/gitops-bot%2Fheld").status_code == 404
    assert [label["name"] for label in world.get(f"pulls/{number}")["labels"]] == ["new one"]


def test_reviews_are_asked_of_others_only(world: World) -> None:
    number = world.proposal()
    asked = world.ask("POST", f"pulls/{number}/requested_reviewers", {"reviewers": ["alice"]})
    assert asked.status_code == 201
    assert [user["login"] for user in world.get(f"pulls/{number}")["requested_reviewers"]] == ["alice"]
    for login in ("bot", "nobody"):
        answer = world.ask("POST", f"pulls/{number}/requested_reviewers", {"reviewers": [login]})
        assert answer.status_code == 422
    world.forge.review(NAME, number, "alice")
    assert world.get(f"pulls/{number}/requested_reviewers")["users"] == []
    assert [review["state"] for review in world.get(f"pulls/{number}/reviews")] == ["APPROVED"]
    own = world.ask("POST", f"pulls/{number}/reviews", {"event": "APPROVE"})
    assert own.status_code == 422
