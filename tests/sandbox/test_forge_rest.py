"""The forge's REST API as PyGithub and plain requests see it; every answer is held to GitHub's description."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from github import GithubException

from tests.sandbox.forges import NAME, World, forge_world

pytestmark = pytest.mark.world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with forge_world(tmp_path) as found:
        yield found


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
