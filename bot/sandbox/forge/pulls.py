"""The life of pull requests: opened, edited, labelled, reviewed, commented on."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bot.sandbox.forge import events, pushes
from bot.sandbox.forge.documents import people
from bot.sandbox.forge.documents import pulls as documents
from bot.sandbox.forge.git import ABSENT, Move
from bot.sandbox.forge.history import contains, merge_base
from bot.sandbox.forge.records import Comment, Label, Pull, Review, Status
from bot.sandbox.forge.refusals import Refusal, invalid, not_found, unprocessable
from bot.sandbox.forge.state import Repository, State

REVIEW_STATES = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}


@dataclass(frozen=True, slots=True)
class Draft:
    """A pull request that somebody wants to open; `head` may be `owner:branch`."""

    title: str
    head: str
    base: str
    body: str | None = None
    draft: bool = False


def find(repo: Repository, number: int) -> Pull:
    """The pull request, or the refusal 404."""
    if number not in repo.pulls:
        raise not_found()
    return repo.pulls[number]


def open_pull(state: State, repo: Repository, wanted: Draft, actor: str) -> Pull:
    """Open it. Refusals (422): no such branch, nothing to merge, one is open for this branch and base already."""
    with state.lock:
        head = wanted.head.removeprefix(f"{repo.owner}:")
        head_sha, base_sha = _ends(repo, head, wanted.base)
        if state.pull_of(repo, head, wanted.base) is not None:
            raise unprocessable("PullRequest", f"A pull request already exists for {repo.owner}:{head}.")
        if merge_base(repo.git, base_sha, head_sha) is None:
            message = f"The {head} branch has no history in common with {wanted.base}"
            raise unprocessable("PullRequest", message)
        if contains(repo.git, base_sha, head_sha):
            raise unprocessable("PullRequest", f"No commits between {wanted.base} and {head}")
        number, now = max(repo.pulls, default=0) + 1, state.now()
        login, title = state.user(actor).login, wanted.title
        pull = Pull(
            state.next_id(),
            number,
            title,
            wanted.body,
            login,
            head,
            head_sha,
            wanted.base,
            base_sha,
            now,
            now,
        )
        pushes.put(repo, replace(pull, draft=wanted.draft))
        events.pull_request(state, repo, "opened", repo.pulls[number], actor)
        return repo.pulls[number]


def _ends(repo: Repository, head: str, base: str) -> tuple[str, str]:
    base_sha, head_sha = repo.git.branch(base), repo.git.branch(head)
    if base_sha is None:
        raise invalid("PullRequest", "base")
    if head_sha is None:
        raise invalid("PullRequest", "head")
    return head_sha, base_sha


def edit(state: State, repo: Repository, pull: Pull, actor: str, **given: str | None) -> Pull:
    """Change title or body; the same again changes nothing."""
    with state.lock:
        was = {key: getattr(pull, key) for key, value in given.items() if getattr(pull, key) != value}
        if not was:
            return pull
        pull = replace(pull, updated_at=state.now(), **{key: given[key] for key in was})  # type: ignore[arg-type]
        pushes.put(repo, pull)
        changes = {key: {"from": value or ""} for key, value in was.items()}
        events.pull_request(state, repo, "edited", pull, actor, changes=changes)
        return pull


def set_state(state: State, repo: Repository, pull: Pull, wanted: str, actor: str) -> Pull:
    """Close it, or open it again; 422 when it was merged, its branch is gone, or another took its place."""
    with state.lock:
        if wanted == pull.state:
            return pull
        if wanted == "closed":
            return pushes.close(state, repo, pull, actor)
        if pull.merged:
            raise unprocessable("PullRequest", "state cannot be changed. The pull request was merged.")
        if state.pull_of(repo, pull.head, pull.base) is not None:
            raise unprocessable("PullRequest", f"A pull request already exists for {repo.owner}:{pull.head}.")
        head_sha, base_sha = repo.git.branch(pull.head), repo.git.branch(pull.base)
        if head_sha is None or base_sha is None:
            branch = pull.head if head_sha is None else pull.base
            raise unprocessable(
                "PullRequest", f"state cannot be changed. The {branch} branch has been deleted."
            )
        if contains(repo.git, base_sha, head_sha):
            raise unprocessable("PullRequest", "state cannot be changed. There are no new commits.")
        again = replace(
            pull, state="open", head_sha=head_sha, base_sha=base_sha, closed_at=None, closed_by=None
        )
        pushes.put(repo, replace(again, updated_at=state.now()))
        events.pull_request(state, repo, "reopened", repo.pulls[pull.number], actor)
        return repo.pulls[pull.number]


def label(state: State, repo: Repository, pull: Pull, names: Iterable[str], actor: str) -> Pull:
    """Add labels, making those that the repository has not."""
    with state.lock:
        for name in dict.fromkeys(names):
            known = repo.labels.setdefault(name, Label(state.next_id(), name))
            if name not in pull.labels:
                pull = replace(pull, labels=(*pull.labels, name), updated_at=state.now())
                pushes.put(repo, pull)
                document = documents.label(state, repo, known)
                events.pull_request(state, repo, "labeled", pull, actor, label=document)
        return pull


def unlabel(state: State, repo: Repository, pull: Pull, name: str, actor: str) -> Pull:
    """Take a label off; 404 when it is not there."""
    with state.lock:
        if name not in pull.labels:
            raise Refusal(404, "Label does not exist")
        rest = tuple(label for label in pull.labels if label != name)
        pull = pushes.put(repo, replace(pull, labels=rest, updated_at=state.now()))
        document = documents.label(state, repo, repo.labels[name])
        events.pull_request(state, repo, "unlabeled", pull, actor, label=document)
        return pull


def request_review(state: State, repo: Repository, pull: Pull, logins: Iterable[str], actor: str) -> Pull:
    """Ask people for a review; 422 for the author, and for nobody known."""
    with state.lock:
        for login in logins:
            if login.lower() == pull.author.lower():
                raise Refusal(422, "Review cannot be requested from pull request author.")
            if login.lower() not in state.users:
                raise Refusal(
                    422,
                    "Reviews may only be requested from collaborators. One or more of the users or teams you "
                    f"specified is not a collaborator of the {repo.name} repository.",
                )
            name = state.user(login).login
            if name not in pull.reviewers:
                pull = pushes.put(
                    repo, replace(pull, reviewers=(*pull.reviewers, name), updated_at=state.now())
                )
                asked = people.user(state, name)
                events.pull_request(state, repo, "review_requested", pull, actor, requested_reviewer=asked)
        return pull


def review(state: State, repo: Repository, pull: Pull, event: str, actor: str, *, body: str = "") -> Review:
    """Approve, request changes or comment; nobody approves a pull request of their own (422)."""
    with state.lock:
        login = state.user(actor).login
        if event != "COMMENT" and login.lower() == pull.author.lower():
            verb = "approve" if event == "APPROVE" else "request changes on"
            raise Refusal(422, "Unprocessable Entity", [f"Can not {verb} your own pull request"])
        made = Review(state.next_id(), login, REVIEW_STATES[event], body, pull.head_sha, state.now())
        repo.reviews.setdefault(pull.number, []).append(made)
        rest = tuple(one for one in pull.reviewers if one != login)
        pull = pushes.put(repo, replace(pull, reviewers=rest, updated_at=made.submitted_at))
        events.reviewed(state, repo, pull, made)
        return made


def comment(state: State, repo: Repository, pull: Pull, body: str, actor: str) -> Comment:
    """Comment on it."""
    with state.lock:
        now = state.now()
        made = Comment(state.next_id(), pull.number, state.user(actor).login, body, now, now)
        repo.comments[made.id] = made
        pushes.put(repo, replace(repo.pulls[pull.number], updated_at=now))
        events.issue_comment(state, repo, "created", made, actor)
        return made


def edit_comment(state: State, repo: Repository, found: Comment, body: str, actor: str) -> Comment:
    """Change a comment's text."""
    with state.lock:
        made = replace(found, body=body, updated_at=state.now())
        repo.comments[found.id] = made
        events.issue_comment(state, repo, "edited", made, actor, was=found.body)
        return made


def set_status(state: State, repo: Repository, given: Status) -> Status:
    """Add a commit status; the newest of a context counts."""
    with state.lock:
        repo.statuses.append(given)
        events.status(state, repo, given)
        return given


def delete_branch(state: State, repo: Repository, name: str, actor: str) -> None:
    """Delete a branch, which closes its pull requests; 422 when there is none."""
    with state.lock:
        head = repo.git.branch(name)
        if head is None:
            raise Refusal(422, "Reference does not exist")
        if name in repo.protections or name == repo.default_branch:
            raise Refusal(422, f"Cannot delete protected branch {name}")
        pushes.push(state, repo, Move(f"refs/heads/{name}", head, ABSENT), actor)
