"""The forge's REST API as PyGithub and plain requests see it; every answer is held to GitHub's description."""

import base64
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from github import GithubException

from bot.sandbox.forge import Forge
from tests.sandbox.forges import NAME, TOKEN, World
from tests.sandbox.github_description import Exchange, faults

pytestmark = pytest.mark.world


def test_a_pull_request_lives_through_pygithub(world: World) -> None:
    world.change("bot/x", text="new")
    repo = world.github().get_repo(NAME)
    pull = repo.create_pull(base="main", head="bot/x", title="A title", body="A body")
    assert (pull.mergeable, pull.mergeable_state) == (None, "unknown")
    repo.get_pull(pull.number)
    pull = repo.get_pull(pull.number)
    assert (pull.mergeable, pull.mergeable_state, pull.commits, pull.additions, pull.deletions) == (
        True,
        "clean",
        1,
        1,
        1,
    )
    assert [(file.filename, file.status) for file in pull.get_files()] == [("apps/values.yaml", "modified")]
    assert pull.create_issue_comment("Hello").user.login == "bot"
    pull.add_to_labels("one", "two words")
    pull.remove_from_labels("one")
    assert [label.name for label in repo.get_pull(pull.number).labels] == ["two words"]
    merged = pull.merge(sha=pull.head.sha, merge_method="squash", commit_title="Title", commit_message="Body")
    assert merged.merged
    assert repo.get_commit(merged.sha).commit.message == "Title\n\nBody"
    assert [found.number for found in repo.get_commit(merged.sha).get_pulls()] == [pull.number]
    assert repo.get_pull(pull.number).merged_by.login == "bot"
    assert repo.get_contents("apps/values.yaml").decoded_content.decode().splitlines()[9] == "line10: new"
    with pytest.raises(GithubException):
        pull.merge()


def test_without_a_token_nothing_is_told(world: World) -> None:
    address = f"{world.forge.api_url}/repos/{NAME}"
    for method, path in (("GET", ""), ("GET", "/pulls"), ("POST", "/pulls"), ("GET", "/contents/README.md")):
        answer = requests.request(method, address + path, timeout=10)
        assert (answer.status_code, answer.json()["message"]) == (401, "Requires authentication")
    wrong = requests.get(address, headers={"Authorization": "Bearer wrong"}, timeout=10)
    assert (wrong.status_code, wrong.json()["message"]) == (401, "Bad credentials")


def test_tokens_come_in_githubs_three_ways(world: World) -> None:
    basic = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    for header in (f"token {TOKEN}", f"Bearer {TOKEN}", f"Basic {basic}"):
        answer = requests.get(f"{world.forge.api_url}/user", headers={"Authorization": header}, timeout=10)
        assert (answer.json()["login"], answer.json()["type"]) == ("bot", "Bot")


def test_what_is_not_there_is_404_as_on_github(world: World) -> None:
    for path in (
        "/repos/acme/nothing",
        "pulls/99",
        "issues/99",
        "actions/runs/1",
        "hooks/1",
        "/nothing/here",
        "branches/x",
    ):
        answer = world.ask("GET", path)
        assert answer.status_code == 404
        assert set(answer.json()) == {"message", "documentation_url", "status"}


def test_a_body_that_is_no_json_is_refused(world: World) -> None:
    answer = world.session.post(
        f"{world.forge.api_url}/repos/{NAME}/pulls",
        data=b"{",
        headers={"Authorization": f"token {TOKEN}"},
        timeout=10,
    )
    assert (answer.status_code, answer.json()["message"]) == (400, "Problems parsing JSON")


def test_an_unchanged_document_is_answered_with_304_and_costs_nothing(world: World) -> None:
    number = world.proposal("bot/x")
    world.judged(number)
    first = world.ask("GET", f"pulls/{number}")
    again = world.ask("GET", f"pulls/{number}", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["X-RateLimit-Remaining"] == first.headers["X-RateLimit-Remaining"]
    world.forge.label(NAME, number, "new")
    changed = world.ask("GET", f"pulls/{number}", headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert int(changed.headers["X-RateLimit-Remaining"]) == int(first.headers["X-RateLimit-Remaining"]) - 1


def test_branches_and_refs_with_slashes_are_found(world: World) -> None:
    head = world.change("gitops-bot/fraud/production/v7")
    name = "gitops-bot/fraud/production/v7"
    assert world.get(f"git/ref/heads/{name}")["object"]["sha"] == head
    assert world.get(f"branches/{name}")["commit"]["sha"] == head
    assert world.get("branches/gitops-bot%2Ffraud%2Fproduction%2Fv7")["name"] == name
    assert [ref["ref"] for ref in world.get("git/matching-refs/heads/gitops-bot/")] == [f"refs/heads/{name}"]
    assert world.get("git/matching-refs/heads/nothing") == []
    assert [branch["name"] for branch in world.get("branches")] == [name, "main"]
    assert world.ask("GET", "git/ref/heads/gitops-bot").status_code == 404


def test_refs_are_created_moved_forward_and_deleted(world: World) -> None:
    first = world.forge.head(NAME)
    second = world.change("main", line=1)
    assert world.ask("POST", "git/refs", {"ref": "refs/heads/x", "sha": first}).status_code == 201
    again = world.ask("POST", "git/refs", {"ref": "refs/heads/x", "sha": first})
    assert (again.status_code, again.json()["message"]) == (422, "Reference already exists")
    assert world.ask("POST", "git/refs", {"ref": "refs/heads/a..b", "sha": first}).status_code == 422
    assert world.ask("POST", "git/refs", {"ref": "refs/pull/1/head", "sha": first}).status_code == 422
    assert world.ask("PATCH", "git/refs/heads/x", {"sha": second}).status_code == 200
    back = world.ask("PATCH", "git/refs/heads/x", {"sha": first})
    assert (back.status_code, back.json()["message"]) == (422, "Update is not a fast forward")
    assert world.ask("DELETE", "git/refs/heads/x").status_code == 204
    assert world.ask("DELETE", "git/refs/heads/main").status_code == 422


def test_a_protected_branch_is_not_moved_by_the_api(world: World) -> None:
    world.forge.protect(NAME, required_checks=("validate",))
    head = world.change("bot/x")
    assert world.ask("PATCH", "git/refs/heads/main", {"sha": head}).status_code == 422
    checks = world.get("branches/main")["protection"]["required_status_checks"]
    assert checks["contexts"] == ["validate"]


def test_statuses_are_listed_newest_first_and_add_up(world: World) -> None:
    head = world.forge.head(NAME)
    assert world.get(f"commits/{head}/status")["state"] == "pending"
    for state, context in (("pending", "a"), ("success", "a"), ("success", "b")):
        made = world.ask(
            "POST", f"statuses/{head}", {"state": state, "context": context, "description": state}
        )
        assert made.status_code == 201
    assert [(s["context"], s["state"]) for s in world.get(f"commits/{head}/statuses")] == [
        ("b", "success"), ("a", "success"), ("a", "pending"),
    ]  # fmt: skip
    assert world.get("commits/main/status")["state"] == "success"
    world.ask("POST", f"statuses/{head}", {"state": "error", "context": "b"})
    assert world.get(f"commits/{head}/status")["state"] == "failure"


@pytest.mark.parametrize(
    ("sha", "body", "said"),
    [
        ("1" * 40, {"state": "success"}, "No commit found"),
        (None, {"state": "good"}, "not one of"),
        (None, {}, "Validation Failed"),
        (None, {"state": "success", "description": "x" * 141}, "Validation Failed"),
    ],
)
def test_a_status_that_github_would_not_take_is_refused(
    world: World, sha: str | None, body: dict[str, str], said: str
) -> None:
    answer = world.ask("POST", f"statuses/{sha or world.forge.head(NAME)}", body)
    assert answer.status_code == 422
    assert said in answer.json()["message"]


def test_files_and_folders_are_read_at_any_ref(world: World) -> None:
    head = world.change("bot/x", text="new")
    for ref in ("bot/x", head, head[:10], "heads/bot/x"):
        content = world.get(f"contents/apps/values.yaml?ref={ref}")["content"]
        assert "line10: new" in base64.b64decode(content).decode()
    assert [entry["path"] for entry in world.get("contents/apps")] == ["apps/values.yaml"]
    assert {entry["name"]: entry["type"] for entry in world.get("contents")} == {
        ".github": "dir", "README.md": "file", "apps": "dir",
    }  # fmt: skip
    assert world.ask("GET", "contents/apps/nothing").status_code == 404
    assert world.ask("GET", "contents/README.md?ref=nowhere").status_code == 404


def test_commits_and_comparisons_tell_what_changed(world: World) -> None:
    base = world.forge.head(NAME)
    head = world.change("bot/x", text="new", message="Bump")
    world.change("main", line=1)
    found = world.get("compare/main...bot/x")
    assert (found["status"], found["ahead_by"], found["behind_by"]) == ("diverged", 1, 1)
    assert found["merge_base_commit"]["sha"] == base
    assert [file["filename"] for file in found["files"]] == ["apps/values.yaml"]
    commit = world.get(f"commits/{head}")
    assert (commit["commit"]["message"], commit["stats"]["total"], commit["author"]["login"]) == (
        "Bump",
        2,
        "alice",
    )
    assert "+line10: new" in commit["files"][0]["patch"]
    assert len(world.get("commits?sha=bot/x&path=apps/values.yaml")) == 2
    assert len(world.get("commits?sha=bot/x&path=README.md")) == 1
    assert world.ask("GET", "commits/nowhere").status_code == 422
    assert world.get(f"commits/{head}/check-runs") == {"total_count": 0, "check_runs": []}


def test_renamed_added_and_removed_files_are_told_apart(world: World) -> None:
    values = world.forge.repository(NAME).git.run("show", "refs/heads/main:apps/values.yaml").stdout
    files = {"apps/values.yaml": None, 'moved/värld "x".yaml': values, "new.bin": b"\0\1", "README.md": None}
    world.forge.push_commit(NAME, "bot/x", files)
    number = world.open("bot/x")["number"]
    found = {
        file["filename"]: (file["status"], file.get("previous_filename"))
        for file in world.get(f"pulls/{number}/files")
    }
    assert found == {
        "README.md": ("removed", None),
        'moved/värld "x".yaml': ("renamed", "apps/values.yaml"),
        "new.bin": ("added", None),
    }


def test_every_known_account_may_write(world: World) -> None:
    assert world.get("collaborators/alice/permission")["permission"] == "write"
    assert world.ask("GET", "collaborators/nobody/permission").status_code == 404


def test_who_only_reads_is_told_apart_though_a_member_like_everybody_else(world: World) -> None:
    world.forge.add_user("mallory", "the-token-of-mallory", reads_only=True)
    number = world.proposal()
    for login in ("mallory", "alice", "bot"):
        world.forge.comment(NAME, number, "Hello", by=login)
    told = world.get(f"issues/{number}/comments")
    assert [comment["author_association"] for comment in told] == ["MEMBER", "MEMBER", "NONE"]
    assert world.get("collaborators/mallory/permission")["permission"] == "read"


def test_two_forges_do_not_mix(world: World, tmp_path: Path) -> None:
    with Forge(tmp_path / "other") as other:
        other.add_user("bot", TOKEN)
        answer = requests.get(
            f"{other.api_url}/repos/{NAME}", headers={"Authorization": f"token {TOKEN}"}, timeout=10
        )
        assert answer.status_code == 404
    assert world.get("")["full_name"] == NAME


def test_a_wrong_document_would_be_noticed(world: World) -> None:
    number = world.proposal("bot/x")
    good = next(one for one in reversed(world.recorder.exchanges) if one.status == 201)
    bad = Exchange(
        "GET",
        f"/repos/{NAME}/pulls/{number}",
        "",
        b"",
        200,
        "application/json",
        good.body.replace(b'"merged"', b'"marged"'),
    )
    assert "'merged' is a required property" in "".join(faults(bad))


def test_what_is_private_in_objects_is_not_shown(world: World) -> None:
    hook = world.forge.add_webhook(NAME, "http://127.0.0.1:9/hook", "a-webhook-secret")
    assert "a-webhook-secret" not in repr(hook) + repr(world.forge.repository(NAME))
    assert TOKEN not in repr(world.forge) + str(vars(world.forge.repository(NAME)))


@pytest.mark.parametrize(
    "name", ["main~0", "main@{0}", "main^", "main:README.md", "-x", "a..b", "main\0", "ma\udcffin", " "]
)
def test_what_git_would_take_for_more_than_a_name_names_nothing(world: World, name: str) -> None:
    encoded = quote(name, safe="", errors="surrogateescape")
    assert world.ask("GET", f"branches/{encoded}").status_code == 404
    assert world.ask("GET", f"git/ref/heads/{encoded}").status_code == 404
    assert world.ask("GET", f"contents/README.md?ref={encoded}").status_code == 404
    assert world.ask("POST", "pulls", {"title": "T", "head": name, "base": "main"}).status_code == 422
    body = {"ref": name, "inputs": {"model": "m", "correlation_id": "c"}}
    assert world.ask("POST", "actions/workflows/build.yml/dispatches", body).status_code == 422


@pytest.mark.parametrize("text", ["a\0b", "half \ud800 a pair"])
def test_text_that_cannot_be_kept_is_refused(world: World, text: str) -> None:
    number = world.proposal("bot/x")
    head = world.forge.head(NAME, "bot/x")
    asked = [
        world.ask("PATCH", f"pulls/{number}", {"title": text}),
        world.ask("POST", f"issues/{number}/comments", {"body": text}),
        world.ask("POST", f"issues/{number}/labels", {"labels": [text]}),
        world.ask("POST", f"statuses/{head}", {"state": "success", "context": text}),
        world.ask("PUT", f"pulls/{number}/merge", {"commit_title": text}),
    ]
    assert [answer.status_code for answer in asked] == [422] * 5
    assert world.ask("GET", f"contents/{quote(chr(0))}").status_code == 404
