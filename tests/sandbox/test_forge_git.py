"""Git over HTTP: real clones, fetches and pushes, with the same consequences as by the API."""

import gzip
import os

import pytest
import requests

from tests.sandbox.forges import NAME, TOKEN, World
from tests.sandbox.receiving import receiver

pytestmark = pytest.mark.world


def push(world: World, folder_name: str, branch: str, line: int, *options: str, fails: bool = False) -> str:
    """Commit a changed line in a clone and push it to a branch; returns what git said."""
    folder = world.folder / folder_name
    file = folder / "apps/values.yaml"
    lines = file.read_text().splitlines()
    lines[line - 1] = f"line{line}: by git {os.urandom(4).hex()}"
    file.write_text("\n".join(lines) + "\n")
    world.git("commit", "--quiet", "--all", "--message", "By git", folder=folder)
    return world.git("push", "origin", f"HEAD:refs/heads/{branch}", *options, folder=folder, fails=fails)


def test_a_pushed_branch_is_a_pull_requests_head(world: World) -> None:
    folder = world.clone()
    push(world, "work", "bot/x", 3)
    number = world.open("bot/x")["number"]
    assert (
        world.get(f"pulls/{number}")["head"]["sha"] == world.git("rev-parse", "HEAD", folder=folder).strip()
    )


def test_a_push_tells_the_same_as_the_api(world: World) -> None:
    world.clone()
    push(world, "work", "bot/x", 3)
    number = world.open("bot/x")["number"]
    with receiver() as heard:
        world.forge.add_webhook(NAME, heard.url, "s", ("push", "pull_request"))
        push(world, "work", "bot/x", 4)
        assert world.forge.settle()
        assert heard.events() == ["push", "pull_request.synchronize"]
        assert heard.newest("push").document["sender"]["login"] == "bot"
        world.git("push", "--quiet", "origin", ":refs/heads/bot/x", folder=world.folder / "work")
        assert world.forge.settle()
        assert heard.events()[2:] == ["push", "pull_request.closed"]
    assert world.get(f"pulls/{number}")["state"] == "closed"


def test_a_push_to_the_base_that_brings_all_commits_merges(world: World) -> None:
    folder = world.clone()
    push(world, "work", "bot/x", 3)
    number = world.open("bot/x")["number"]
    world.git("push", "--quiet", "origin", "HEAD:main", folder=folder)
    pull = world.get(f"pulls/{number}")
    assert (pull["merged"], pull["merged_by"]["login"]) == (True, "bot")


def test_a_protected_branch_takes_no_push_but_an_admins(world: World) -> None:
    world.forge.protect(NAME)
    world.clone()
    said = push(world, "work", "main", 3, fails=True)
    assert "GH006: Protected branch update failed for refs/heads/main" in said
    world.forge.add_user("root", "the-token-of-root", admin=True)
    world.git(
        "push", "--quiet", world.git_url("the-token-of-root"), "HEAD:main", folder=world.folder / "work"
    )
    assert world.lines()[2].startswith("line3: by git")


def test_a_push_with_a_wrong_expectation_changes_nothing(world: World) -> None:
    world.clone()
    push(world, "work", "bot/x", 3)
    there = world.change("bot/x", line=9)
    said = push(world, "work", "bot/x", 4, f"--force-with-lease=refs/heads/bot/x:{'1' * 40}", fails=True)
    assert "stale info" in said
    assert world.forge.head(NAME, "bot/x") == there


def test_without_a_token_nothing_is_read_or_written(world: World) -> None:
    bare = world.git_url().replace(f"x-access-token:{TOKEN}@", "")
    for address in (bare, world.git_url("another-token")):
        world.git("ls-remote", address, fails=True)
    answer = requests.get(f"{world.forge.url}/{NAME}.git/info/refs?service=git-upload-pack", timeout=10)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="GitHub"')


def test_partial_and_shallow_clones_fetch_single_objects(world: World) -> None:
    folder = world.clone("partial", "--filter=blob:none", "--depth=1", "--no-checkout")
    assert world.git("rev-list", "--objects", "--missing=print", "HEAD", folder=folder).count("?") >= 3
    assert "line3: 3" in world.git("show", "HEAD:apps/values.yaml", folder=folder)


def test_git_speaks_protocol_two(world: World) -> None:
    answer = requests.get(
        f"{world.forge.url}/{NAME}.git/info/refs?service=git-upload-pack",
        auth=("x-access-token", TOKEN),
        headers={"Git-Protocol": "version=2"},
        timeout=10,
    )
    assert b"version 2" in answer.content


def test_a_compressed_request_is_understood(world: World) -> None:
    body = b"0014command=ls-refs\n0000"
    answer = requests.post(
        f"{world.forge.url}/{NAME}.git/git-upload-pack",
        data=gzip.compress(body),
        auth=("x-access-token", TOKEN),
        headers={
            "Git-Protocol": "version=2",
            "Content-Type": "application/x-git-upload-pack-request",
            "Content-Encoding": "gzip",
        },
        timeout=10,
    )
    assert b"refs/heads/main" in answer.content


def test_a_pushed_megabyte_arrives(world: World) -> None:
    folder = world.clone()
    (folder / "model.bin").write_bytes(os.urandom(3 << 20))
    world.git("add", "model.bin", folder=folder)
    push(world, "work", "bot/x", 3)
    assert world.get("contents?ref=bot/x")[-1]["size"] == 3 << 20
    assert world.git("clone", "--quiet", "--branch=bot/x", world.git_url(), str(world.folder / "again")) == ""


def test_only_repositories_are_served(world: World) -> None:
    for path in ("nobody/nothing.git/info/refs", f"{NAME}.git/../../secret/HEAD", f"{NAME}.git/config"):
        answer = requests.get(f"{world.forge.url}/{path}", auth=("x", TOKEN), timeout=10)
        assert answer.status_code == 404


def test_the_forges_own_refs_are_not_pushed_to(world: World) -> None:
    number = world.proposal()
    world.clone()
    said = world.git(
        "push", "origin", f"HEAD:refs/pull/{number}/head", folder=world.folder / "work", fails=True
    )
    assert "hidden ref" in said
