"""Commits, comparisons and commit statuses."""

import flask

from bot.sandbox.forge import pulls
from bot.sandbox.forge.documents import commits as documents
from bot.sandbox.forge.documents.pulls import pull_changes, pull_simple
from bot.sandbox.forge.history import changes, commit, commits, contains
from bot.sandbox.forge.records import Pull, Status
from bot.sandbox.forge.refusals import Refusal, not_found
from bot.sandbox.forge.rest.door import actor, answer, given, one_of, paged, repository, state, text
from bot.sandbox.forge.rest.repositories import find_commit
from bot.sandbox.forge.state import Repository

api = flask.Blueprint("commits", __name__)
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_MOST = 1000


def _commit(repo: Repository, ref: str) -> str:
    found = find_commit(repo, ref)
    if found is None:
        raise Refusal(422, f"No commit found for SHA: {ref[:100]}")
    return found


@api.get("/repos/<owner>/<name>/commits")
def list_commits(owner: str, name: str) -> flask.Response:
    """The history of a branch, newest first, perhaps of one path only."""
    repo, arguments = repository(owner, name), flask.request.args
    start = find_commit(repo, arguments.get("sha", repo.default_branch))
    if start is None:
        raise not_found()
    found = commits(repo.git, start, paths=[arguments["path"]] if arguments.get("path") else ())
    return paged(found, lambda one: documents.commit(state(), repo, one))


@api.get("/repos/<owner>/<name>/commits/<path:ref>")
def get_commit(owner: str, name: str, ref: str) -> flask.Response:
    """One commit with its files."""
    repo = repository(owner, name)
    found = commit(repo.git, _commit(repo, ref))
    before = found.parents[0] if found.parents else EMPTY_TREE
    document = documents.commit(state(), repo, found)
    touched = changes(repo.git, before, found.sha)
    return answer(documents.with_files(state(), repo, document, touched, found.sha))


@api.get("/repos/<owner>/<name>/commits/<path:ref>/pulls")
def list_pulls_of_commit(owner: str, name: str, ref: str) -> flask.Response:
    """The merged pull request that brought a commit of the default branch; else all that have it."""
    repo = repository(owner, name)
    sha, main = _commit(repo, ref), repo.git.branch(repo.default_branch)
    on_main = main is not None and contains(repo.git, main, sha)
    found = [pull for pull in repo.pulls.values() if _has(repo, pull, sha, on_main)]
    return paged(found, lambda pull: pull_simple(state(), repo, pull))


def _has(repo: Repository, pull: Pull, sha: str, on_main: bool) -> bool:
    if on_main and not pull.merged:
        return False
    ends = {pull.head_sha, pull.merge_commit} - {None}
    return any(
        contains(repo.git, end, sha) and not contains(repo.git, pull.base_sha, sha) for end in ends if end
    )


@api.get("/repos/<owner>/<name>/compare/<path:basehead>")
def compare(owner: str, name: str, basehead: str) -> flask.Response:
    """What the second has that the first has not."""
    repo = repository(owner, name)
    base, dots, head = basehead.partition("...")
    ends = (
        find_commit(repo, base.removeprefix(f"{repo.owner}:")),
        find_commit(repo, head.removeprefix(f"{repo.owner}:")),
    )
    if not dots or ends[0] is None or ends[1] is None:
        raise not_found()
    found = documents.comparison(state(), repo, ends[0], ends[1], pull_changes(repo.git, ends[0], ends[1]))
    if found is None:
        raise Refusal(404, f"No common ancestor between {base[:100]} and {head[:100]}.")
    return answer(found)


@api.post("/repos/<owner>/<name>/statuses/<sha>")
def create_status(owner: str, name: str, sha: str) -> flask.Response:
    """Say something about a commit."""
    repo, body = repository(owner, name), given()
    if len(sha) != 40 or repo.git.commit_named(sha) is None:
        raise Refusal(422, f"No commit found for SHA: {sha[:100]}")
    wanted = text(body, "state", "Status", required=True) or ""
    one_of(wanted, ("error", "failure", "pending", "success"), "state")
    context = text(body, "context", "Status") or "default"
    description = text(body, "description", "Status")
    if description is not None and len(description) > 140:
        message = "description is too long (maximum is 140 characters)"
        error = {"resource": "Status", "code": "custom", "field": "description", "message": message}
        raise Refusal(422, "Validation Failed", [error])
    if sum(one.sha == sha and one.context == context for one in repo.statuses) >= _MOST:
        message = "This SHA and context has reached the maximum number of statuses."
        raise Refusal(
            422, "Validation Failed", [{"resource": "Status", "code": "custom", "message": message}]
        )
    url = text(body, "target_url", "Status")
    made = Status(state().next_id(), sha, context, wanted, description, url, actor(), state().now())
    pulls.set_status(state(), repo, made)
    return answer(documents.status(state(), repo, made), 201)


@api.get("/repos/<owner>/<name>/commits/<path:ref>/statuses")
@api.get("/repos/<owner>/<name>/statuses/<path:ref>")
def list_statuses(owner: str, name: str, ref: str) -> flask.Response:
    """The statuses of a commit, newest first."""
    repo = repository(owner, name)
    sha = _commit(repo, ref)
    found = [status for status in reversed(repo.statuses) if status.sha == sha]
    return paged(found, lambda status: documents.status(state(), repo, status))


@api.get("/repos/<owner>/<name>/commits/<path:ref>/status")
def get_combined_status(owner: str, name: str, ref: str) -> flask.Response:
    """What all contexts say together."""
    repo = repository(owner, name)
    return answer(documents.combined_status(state(), repo, _commit(repo, ref)))


@api.get("/repos/<owner>/<name>/commits/<path:ref>/check-runs")
def list_check_runs(owner: str, name: str, ref: str) -> flask.Response:
    """None: the sandbox reports by commit statuses."""
    repo = repository(owner, name)
    _commit(repo, ref)
    return answer({"total_count": 0, "check_runs": []})
