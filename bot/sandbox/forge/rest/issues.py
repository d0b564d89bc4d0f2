"""What pull requests share with issues: comments and labels."""

from dataclasses import replace

import flask

from bot.sandbox.forge import pulls
from bot.sandbox.forge.documents import pulls as documents
from bot.sandbox.forge.records import Comment, Label
from bot.sandbox.forge.refusals import Refusal, not_found
from bot.sandbox.forge.rest.door import actor, answer, given, nothing, paged, repository, state, text
from bot.sandbox.forge.state import Repository

api = flask.Blueprint("issues", __name__)
_BODY = 65_536


@api.get("/repos/<owner>/<name>/issues/<int:number>")
def get_issue(owner: str, name: str, number: int) -> flask.Response:
    """A pull request as an issue: with who closed it."""
    repo = repository(owner, name)
    return answer(documents.issue(state(), repo, pulls.find(repo, number)))


@api.get("/repos/<owner>/<name>/issues/<int:number>/comments")
def list_comments(owner: str, name: str, number: int) -> flask.Response:
    """Its comments, oldest first."""
    repo = repository(owner, name)
    pulls.find(repo, number)
    found = [comment for comment in repo.comments.values() if comment.number == number]
    return paged(found, lambda one: documents.comment(state(), repo, one))


@api.post("/repos/<owner>/<name>/issues/<int:number>/comments")
def create_comment(owner: str, name: str, number: int) -> flask.Response:
    """Comment."""
    repo = repository(owner, name)
    body = _comment_text()
    made = pulls.comment(state(), repo, pulls.find(repo, number), body, actor())
    return answer(documents.comment(state(), repo, made), 201)


@api.get("/repos/<owner>/<name>/issues/comments/<int:number>")
def get_comment(owner: str, name: str, number: int) -> flask.Response:
    """One comment."""
    repo = repository(owner, name)
    return answer(documents.comment(state(), repo, _comment(repo, number)))


@api.patch("/repos/<owner>/<name>/issues/comments/<int:number>")
def update_comment(owner: str, name: str, number: int) -> flask.Response:
    """Change a comment."""
    repo, body = repository(owner, name), _comment_text()
    made = pulls.edit_comment(state(), repo, _comment(repo, number), body, actor())
    return answer(documents.comment(state(), repo, made))


@api.delete("/repos/<owner>/<name>/issues/comments/<int:number>")
def delete_comment(owner: str, name: str, number: int) -> flask.Response:
    """Take a comment away."""
    repo = repository(owner, name)
    with state().lock:
        del repo.comments[_comment(repo, number).id]
    return nothing()


def _comment(repo: Repository, number: int) -> Comment:
    if number not in repo.comments:
        raise not_found()
    return repo.comments[number]


def _comment_text() -> str:
    body = text(given(), "body", "IssueComment", required=True) or ""
    if len(body) > _BODY:
        message = f"body is too long (maximum is {_BODY} characters)"
        error = {"resource": "IssueComment", "code": "custom", "field": "body", "message": message}
        raise Refusal(422, "Validation Failed", [error])
    return body


@api.get("/repos/<owner>/<name>/issues/<int:number>/labels")
def list_labels_of(owner: str, name: str, number: int) -> flask.Response:
    """The labels of one."""
    repo = repository(owner, name)
    found = [repo.labels[label] for label in pulls.find(repo, number).labels]
    return paged(found, lambda one: documents.label(state(), repo, one))


@api.post("/repos/<owner>/<name>/issues/<int:number>/labels")
def add_labels(owner: str, name: str, number: int) -> flask.Response:
    """Label it; unknown labels are made."""
    repo, pull = repository(owner, name), pulls.find(repository(owner, name), number)
    pull = pulls.label(state(), repo, pull, _label_names(), actor())
    return answer([documents.label(state(), repo, repo.labels[label]) for label in pull.labels])


def _label_names() -> list[str]:
    body = flask.request.get_json(force=True, silent=True)
    names = body.get("labels") if isinstance(body, dict) else body
    if not isinstance(names, list) or not all(isinstance(one, str) and 0 < len(one) <= 50 for one in names):
        raise Refusal(422, "Validation Failed", [{"resource": "Label", "code": "invalid", "field": "name"}])
    return [text({"name": one}, "name", "Label") or "" for one in names]


@api.delete("/repos/<owner>/<name>/issues/<int:number>/labels/<path:label>")
def remove_label(owner: str, name: str, number: int, label: str) -> flask.Response:
    """Take a label off."""
    repo = repository(owner, name)
    pull = pulls.unlabel(state(), repo, pulls.find(repo, number), label, actor())
    return answer([documents.label(state(), repo, repo.labels[one]) for one in pull.labels])


@api.get("/repos/<owner>/<name>/labels")
def list_labels(owner: str, name: str) -> flask.Response:
    """The labels of the repository."""
    repo = repository(owner, name)
    return paged(list(repo.labels.values()), lambda one: documents.label(state(), repo, one))


@api.post("/repos/<owner>/<name>/labels")
def create_label(owner: str, name: str) -> flask.Response:
    """A new label; 422 when there is one of this name."""
    repo, body = repository(owner, name), given()
    label = text(body, "name", "Label", required=True) or ""
    with state().lock:
        if label.lower() in (known.lower() for known in repo.labels):
            error = {"resource": "Label", "code": "already_exists", "field": "name"}
            raise Refusal(422, "Validation Failed", [error])
        color, description = (
            text(body, "color", "Label") or "ededed",
            text(body, "description", "Label") or "",
        )
        if len(description) > 100 or len(label) > 50:
            raise Refusal(
                422, "Validation Failed", [{"resource": "Label", "code": "invalid", "field": "name"}]
            )
        repo.labels[label] = Label(state().next_id(), label, color, description)
    return answer(documents.label(state(), repo, repo.labels[label]), 201)


@api.get("/repos/<owner>/<name>/labels/<path:label>")
def get_label(owner: str, name: str, label: str) -> flask.Response:
    """One label."""
    repo = repository(owner, name)
    if label not in repo.labels:
        raise not_found()
    return answer(documents.label(state(), repo, repo.labels[label]))


@api.patch("/repos/<owner>/<name>/labels/<path:label>")
def update_label(owner: str, name: str, label: str) -> flask.Response:
    """Change colour or description."""
    repo, body = repository(owner, name), given()
    if label not in repo.labels:
        raise not_found()
    with state().lock:
        old = repo.labels[label]
        color, description = text(body, "color", "Label"), text(body, "description", "Label")
        repo.labels[label] = replace(
            old, color=color or old.color, description=old.description if description is None else description
        )
    return answer(documents.label(state(), repo, repo.labels[label]))
