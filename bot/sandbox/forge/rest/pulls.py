"""Pull requests."""

import flask

from bot.sandbox.forge import merging, pulls
from bot.sandbox.forge.documents import commits as commit_documents
from bot.sandbox.forge.documents import pulls as documents
from bot.sandbox.forge.documents.people import user
from bot.sandbox.forge.history import commits
from bot.sandbox.forge.mergeability import judge
from bot.sandbox.forge.refusals import Refusal
from bot.sandbox.forge.rest.door import (
    actor,
    answer,
    given,
    nothing,
    one_of,
    paged,
    repository,
    state,
    text,
)

api = flask.Blueprint("pulls", __name__)
_TITLE, _BODY = 256, 65_536


@api.get("/repos/<owner>/<name>/pulls")
def list_pulls(owner: str, name: str) -> flask.Response:
    """Those of a state (default: open), of a head `owner:branch`, into a base."""
    repo, arguments = repository(owner, name), flask.request.args
    wanted = one_of(arguments.get("state", "open"), ("open", "closed", "all"), "state")
    found = [pull for pull in repo.pulls.values() if wanted in {"all", pull.state}]
    if arguments.get("base"):
        found = [pull for pull in found if pull.base == arguments["base"]]
    if ":" in arguments.get("head", ""):  # without an owner GitHub ignores it
        found = [pull for pull in found if f"{repo.owner}:{pull.head}" == arguments["head"]]
    field = "updated_at" if arguments.get("sort") == "updated" else "created_at"
    down = arguments.get("direction", "asc" if "sort" in arguments and field != "created_at" else "desc")
    found.sort(key=lambda pull: (getattr(pull, field), pull.number), reverse=down == "desc")
    return paged(found, lambda pull: documents.pull_simple(state(), repo, pull))


@api.post("/repos/<owner>/<name>/pulls")
def create_pull(owner: str, name: str) -> flask.Response:
    """Open one."""
    repo, body = repository(owner, name), given()
    head, base = (text(body, key, "PullRequest", required=True) or "" for key in ("head", "base"))
    title = text(body, "title", "PullRequest", required=True) or ""
    description = text(body, "body", "PullRequest")
    _check_lengths(title, description)
    wanted = pulls.Draft(title, head, base, description, bool(body.get("draft")))
    made = pulls.open_pull(state(), repo, wanted, actor())
    return answer(documents.pull(state(), repo, made), 201)


def _check_lengths(title: str | None, body: str | None) -> None:
    for field, value, limit in (("title", title, _TITLE), ("body", body, _BODY)):
        if value is not None and len(value) > limit:
            message = f"{field} is too long (maximum is {limit} characters)"
            error = {"resource": "Issue", "code": "custom", "field": field, "message": message}
            raise Refusal(422, "Validation Failed", [error])


@api.get("/repos/<owner>/<name>/pulls/<int:number>")
def get_pull(owner: str, name: str, number: int) -> flask.Response:
    """One in full. Asking is what makes the forge find out whether it can be merged: the next answer says so."""
    repo = repository(owner, name)
    found = pulls.find(repo, number)
    with state().lock:
        document = documents.pull(state(), repo, found)
        judge(state(), repo, found)
    return answer(document)


@api.patch("/repos/<owner>/<name>/pulls/<int:number>")
def update_pull(owner: str, name: str, number: int) -> flask.Response:
    """Change title or body, close it, or open it again."""
    repo, body = repository(owner, name), given()
    pull = pulls.find(repo, number)
    fields = {key: text(body, key, "PullRequest") for key in ("title", "body") if body.get(key) is not None}
    _check_lengths(fields.get("title"), fields.get("body"))
    wanted = text(body, "state", "PullRequest")
    pull = pulls.edit(state(), repo, pull, actor(), **fields)
    if wanted is not None:
        one_of(wanted, ("open", "closed"), "state")
        pull = pulls.set_state(state(), repo, pull, wanted, actor())
    return answer(documents.pull(state(), repo, pull))


@api.get("/repos/<owner>/<name>/pulls/<int:number>/merge")
def is_merged(owner: str, name: str, number: int) -> flask.Response:
    """204 or 404."""
    return nothing(204 if pulls.find(repository(owner, name), number).merged else 404)


@api.put("/repos/<owner>/<name>/pulls/<int:number>/merge")
def merge_pull(owner: str, name: str, number: int) -> flask.Response:
    """Merge it."""
    repo, body = repository(owner, name), given()
    pulls.find(repo, number)
    method = one_of(text(body, "merge_method", "PullRequest") or "merge", merging.METHODS, "merge_method")
    sha, title, message = (
        text(body, key, "PullRequest") for key in ("sha", "commit_title", "commit_message")
    )
    done = merging.merge(state(), repo, number, merging.Wish(method, sha, title, message), actor())
    return answer({"sha": done.merge_commit, "merged": True, "message": "Pull Request successfully merged"})


@api.get("/repos/<owner>/<name>/pulls/<int:number>/commits")
def list_commits(owner: str, name: str, number: int) -> flask.Response:
    """Its commits, oldest first."""
    repo = repository(owner, name)
    pull = pulls.find(repo, number)
    found = list(reversed(commits(repo.git, f"{pull.base_sha}..{pull.head_sha}")))
    return paged(found, lambda one: commit_documents.commit(state(), repo, one))


@api.get("/repos/<owner>/<name>/pulls/<int:number>/files")
def list_files(owner: str, name: str, number: int) -> flask.Response:
    """What it changes."""
    repo = repository(owner, name)
    pull = pulls.find(repo, number)
    found = documents.pull_changes(repo.git, pull.base_sha, pull.head_sha)
    return paged(found, lambda one: commit_documents.diff_entry(state(), repo, one, pull.head_sha))


@api.get("/repos/<owner>/<name>/pulls/<int:number>/reviews")
def list_reviews(owner: str, name: str, number: int) -> flask.Response:
    """Its reviews, oldest first."""
    repo = repository(owner, name)
    pull = pulls.find(repo, number)
    return paged(repo.reviews.get(number, []), lambda one: documents.review(state(), repo, pull, one))


@api.post("/repos/<owner>/<name>/pulls/<int:number>/reviews")
def create_review(owner: str, name: str, number: int) -> flask.Response:
    """Approve, request changes, or comment."""
    repo, body = repository(owner, name), given()
    pull = pulls.find(repo, number)
    event = one_of(text(body, "event", "PullRequestReview") or "COMMENT", pulls.REVIEW_STATES, "event")
    words = text(body, "body", "PullRequestReview") or ""
    made = pulls.review(state(), repo, pull, event, actor(), body=words)
    return answer(documents.review(state(), repo, pull, made))


@api.get("/repos/<owner>/<name>/pulls/<int:number>/requested_reviewers")
def list_requested_reviewers(owner: str, name: str, number: int) -> flask.Response:
    """Who was asked and has not answered."""
    pull = pulls.find(repository(owner, name), number)
    return answer({"users": [user(state(), login) for login in pull.reviewers], "teams": []})


@api.post("/repos/<owner>/<name>/pulls/<int:number>/requested_reviewers")
def request_reviewers(owner: str, name: str, number: int) -> flask.Response:
    """Ask people."""
    repo, body = repository(owner, name), given()
    logins = body.get("reviewers") or []
    if not isinstance(logins, list) or not all(isinstance(login, str) for login in logins):
        raise Refusal(422, "Invalid request.\n\n'reviewers' must be an array of strings.")
    if body.get("team_reviewers"):
        raise Refusal(422, "Could not resolve to a node: the sandbox has no teams")
    pull = pulls.request_review(state(), repo, pulls.find(repo, number), logins, actor())
    return answer(documents.pull_simple(state(), repo, pull), 201)
