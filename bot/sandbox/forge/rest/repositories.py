"""Users, repositories, branches, refs, files."""

from urllib.parse import unquote

import flask

from bot.sandbox.forge import pulls, pushes
from bot.sandbox.forge.documents import commits as documents
from bot.sandbox.forge.documents import people
from bot.sandbox.forge.git import ABSENT, Move, Moved
from bot.sandbox.forge.history import blob, contains, entries, entry
from bot.sandbox.forge.refusals import Refusal, not_found
from bot.sandbox.forge.rest.door import (
    actor,
    answer,
    given,
    nothing,
    paged,
    repository,
    services,
    state,
    text,
)
from bot.sandbox.forge.state import Repository

api = flask.Blueprint("repositories", __name__)


@api.get("/user")
def get_user() -> flask.Response:
    """Whose token it is."""
    return answer(people.public_user(state(), state().user(actor())))


@api.get("/users/<login>")
def get_other_user(login: str) -> flask.Response:
    """Somebody."""
    if login.lower() not in state().users:
        raise not_found()
    return answer(people.public_user(state(), state().user(login)))


@api.get("/rate_limit")
def get_rate_limit() -> flask.Response:
    """How much is left of the hour."""
    used = services().used.get(actor(), 0)
    reset = int(state().now().timestamp()) // 3600 * 3600 + 3600
    core = {"limit": 5000, "remaining": 5000 - used % 5000, "reset": reset, "used": used % 5000}
    return answer({"resources": {"core": core, "search": core}, "rate": core})


@api.get("/repos/<owner>/<name>")
def get_repository(owner: str, name: str) -> flask.Response:
    """One repository."""
    return answer(people.repository(state(), repository(owner, name)))


@api.get("/repos/<owner>/<name>/branches")
def list_branches(owner: str, name: str) -> flask.Response:
    """The branches by name."""
    repo = repository(owner, name)
    found = [(ref.removeprefix(pushes.HEADS), sha) for ref, sha in sorted(repo.git.refs().items())]
    return paged(found, lambda pair: documents.short_branch(state(), repo, *pair))


@api.get("/repos/<owner>/<name>/branches/<path:branch>")
def get_branch(owner: str, name: str, branch: str) -> flask.Response:
    """One branch with what protects it."""
    repo = repository(owner, name)
    sha = repo.git.branch(branch)
    if sha is None:
        raise Refusal(404, "Branch not found")
    return answer(documents.branch(state(), repo, branch, sha))


@api.get("/repos/<owner>/<name>/git/ref/<path:ref>")
def get_ref(owner: str, name: str, ref: str) -> flask.Response:
    """One ref, named as `heads/main`."""
    repo = repository(owner, name)
    sha = repo.git.resolve(f"refs/{ref}")
    if sha is None:
        raise not_found()
    return answer(documents.git_ref(state(), repo, f"refs/{ref}", sha))


@api.get("/repos/<owner>/<name>/git/matching-refs/")
@api.get("/repos/<owner>/<name>/git/matching-refs/<path:prefix>")
def list_matching_refs(owner: str, name: str, prefix: str = "") -> flask.Response:
    """The refs whose names begin with this."""
    repo = repository(owner, name)
    found = sorted(repo.git.refs(f"refs/{prefix}").items())
    return answer([documents.git_ref(state(), repo, ref, sha) for ref, sha in found])


@api.post("/repos/<owner>/<name>/git/refs")
def create_ref(owner: str, name: str) -> flask.Response:
    """A new branch or tag at a commit that is there."""
    repo, body = repository(owner, name), given()
    ref = text(body, "ref", "Reference", required=True) or ""
    sha = _object(repo, text(body, "sha", "Reference", required=True) or "")
    _well_formed(repo, ref)
    try:
        pushes.push(state(), repo, Move(ref, ABSENT, sha), actor())
    except Moved as error:
        raise Refusal(422, "Reference already exists") from error
    return answer(documents.git_ref(state(), repo, ref, sha), 201)


@api.patch("/repos/<owner>/<name>/git/refs/<path:ref>")
def update_ref(owner: str, name: str, ref: str) -> flask.Response:
    """Move a ref; without `force` only forward."""
    repo, body, full = repository(owner, name), given(), f"refs/{ref}"
    sha = _object(repo, text(body, "sha", "Reference", required=True) or "")
    with state().lock:
        old = repo.git.resolve(full)
        if old is None:
            raise Refusal(422, "Reference does not exist")
        if full.removeprefix(pushes.HEADS) in repo.protections and not state().user(actor()).admin:
            raise Refusal(422, "Changes must be made through a pull request.")
        if not body.get("force") and not contains(repo.git, sha, old):
            raise Refusal(422, "Update is not a fast forward")
        if sha != old:
            pushes.push(state(), repo, Move(full, old, sha), actor())
    return answer(documents.git_ref(state(), repo, full, sha))


@api.delete("/repos/<owner>/<name>/git/refs/<path:ref>")
def delete_ref(owner: str, name: str, ref: str) -> flask.Response:
    """Delete a branch, which closes its pull requests, or a tag."""
    repo = repository(owner, name)
    if ref.startswith("heads/"):
        pulls.delete_branch(state(), repo, ref.removeprefix("heads/"), actor())
        return nothing()
    with state().lock:
        old = repo.git.resolve(f"refs/{ref}")
        if old is None or not ref.startswith("tags/"):
            raise Refusal(422, "Reference does not exist")
        pushes.push(state(), repo, Move(f"refs/{ref}", old, ABSENT), actor())
    return nothing()


def _object(repo: Repository, sha: str) -> str:
    found = repo.git.commit_named(sha) if len(sha) == 40 else None
    if found is None:
        raise Refusal(422, "Object does not exist")
    return found


def _well_formed(repo: Repository, ref: str) -> None:
    valid = repo.git.run("check-ref-format", ref, accept=(0, 1, 128, 129)).returncode == 0
    if not valid or not ref.startswith((pushes.HEADS, "refs/tags/")):
        raise Refusal(422, f"Reference name '{ref[:100]}' is not well-formed.")


@api.get("/repos/<owner>/<name>/contents")
@api.get("/repos/<owner>/<name>/contents/")
@api.get("/repos/<owner>/<name>/contents/<path:path>")
def get_contents(owner: str, name: str, path: str = "") -> flask.Response:
    """A file with its bytes, or a folder."""
    repo, path = repository(owner, name), unquote(path).strip("/")
    ref = flask.request.args.get("ref", repo.default_branch)
    commit = find_commit(repo, ref)
    if commit is None:
        raise Refusal(404, f"No commit found for the ref {ref[:100]}")
    found = entry(repo.git, commit, path) if path else None
    if path and found is None:
        raise not_found()
    if found is not None and found.kind == "blob":
        return answer(documents.content(state(), repo, found, ref, blob(repo.git, found.sha)))
    listed = entries(repo.git, commit, path)
    return answer([documents.content(state(), repo, one, ref) for one in listed])


def find_commit(repo: Repository, ref: str) -> str | None:
    """The commit of a branch, a tag, `heads/branch`, or a (short) object name."""
    for prefix in ("refs/heads/", "refs/tags/", "refs/"):
        found = repo.git.resolve(prefix + ref)
        if found is not None:
            return found
    return repo.git.commit_named(ref)


@api.get("/repos/<owner>/<name>/collaborators/<login>/permission")
def get_permission(owner: str, name: str, login: str) -> flask.Response:
    """What somebody may do: everyone known here may write, but for those who are said only to read."""
    repository(owner, name)
    found = state().users.get(login.lower())
    if found is None:
        raise Refusal(404, f"{login[:100]} is not a user")
    level = "admin" if found.admin else "read" if found.reads_only else "write"
    return answer({"permission": level, "role_name": level, "user": None})
