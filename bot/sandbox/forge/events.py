"""Payloads of webhooks, shaped as GitHub's, handed to whoever delivers them."""

from collections.abc import Mapping
from typing import Any

from bot.sandbox.forge.documents import actions, commits, people, pulls
from bot.sandbox.forge.git import ABSENT, Move
from bot.sandbox.forge.git import Commit as GitCommit
from bot.sandbox.forge.history import changes, commit, contains
from bot.sandbox.forge.history import commits as log
from bot.sandbox.forge.records import Comment, Hook, Pull, Review, Run, Status
from bot.sandbox.forge.state import Repository, State
from bot.sandbox.forge.workflows import find

_LISTED = 20


def _send(state: State, repo: Repository, name: str, actor: str, body: Mapping[str, Any]) -> None:
    """Publish the event `name` or `name.action`."""
    event, _, action = name.partition(".")
    common = {"repository": people.repository(state, repo), "sender": people.user(state, actor)}
    if state.user(repo.owner).kind == "Organization":
        common["organization"] = people.organization(state, repo.owner)
    named = {"action": action} if action else {}
    state.publish(repo, event, action or None, {**named, **body, **common})


def pull_request(state: State, repo: Repository, action: str, pull: Pull, actor: str, **more: Any) -> None:
    """A pull request changed: opened, edited, synchronize, closed, reopened, labeled, …"""
    body = {"number": pull.number, "pull_request": pulls.pull(state, repo, pull), **more}
    _send(state, repo, f"pull_request.{action}", actor, body)


def reviewed(state: State, repo: Repository, pull: Pull, review: Review) -> None:
    """Somebody reviewed a pull request."""
    found = pulls.review(state, repo, pull, review)
    document = pulls.pull_simple(state, repo, pull)
    body = {"review": found | {"state": review.state.lower()}, "pull_request": document}
    _send(state, repo, "pull_request_review.submitted", review.by, body)


def pushed(state: State, repo: Repository, move: Move, actor: str) -> None:
    """A branch or tag moved, appeared (`before` is 40 zeros) or went (`after` is)."""
    ref, before, after = move.ref, move.old, move.new
    created, deleted = before == ABSENT, after == ABSENT
    main = f"refs/heads/{repo.default_branch}"
    new_to = (f"^{main}",) if ref != main and repo.git.resolve(main) else ()
    range_ = (after, *new_to) if created else (f"{before}..{after}",)
    listed = [] if deleted else [_commit(state, repo, one) for one in log(repo.git, *range_, limit=_LISTED)]
    head = None if deleted else _commit(state, repo, commit(repo.git, after))
    forced = not created and not deleted and not contains(repo.git, after, before)
    who = state.user(actor)
    body = {
        "ref": ref,
        "before": before,
        "after": after,
        "created": created,
        "deleted": deleted,
        "forced": forced,
        "base_ref": None,
        "compare": commits.page(state, repo, f"/compare/{before[:12]}...{after[:12]}"),
        "commits": list(reversed(listed)),
        "head_commit": head,
        "pusher": {"name": who.login, "email": who.email},
    }
    _send(state, repo, "push", actor, body)


def _commit(state: State, repo: Repository, found: GitCommit) -> dict[str, Any]:
    touched = changes(repo.git, found.parents[0], found.sha) if found.parents else []
    kinds = {"added": "added", "removed": "removed"}
    people_ = {
        role: {
            "name": person.name,
            "email": person.email,
            "username": commits.account(state, person) or person.name,
        }
        for role, person in (("author", found.author), ("committer", found.committer))
    }
    return {
        "id": found.sha,
        "tree_id": found.tree,
        "distinct": True,
        "message": found.message,
        "timestamp": found.committer.at.isoformat(timespec="seconds"),
        "url": commits.page(state, repo, f"/commit/{found.sha}"),
        **people_,
        **{
            kind: [change.path for change in touched if kinds.get(change.status, "modified") == kind]
            for kind in ("added", "removed", "modified")
        },
    }


def workflow_run(state: State, repo: Repository, action: str, run: Run) -> None:
    """A run was requested, is in_progress, or is completed."""
    workflow = find(state, repo, run.sha, run.workflow)
    body = {
        "workflow_run": actions.run(state, repo, run),
        "workflow": actions.workflow(state, repo, workflow) if workflow else None,
    }
    _send(state, repo, f"workflow_run.{action}", run.actor, body)


def status(state: State, repo: Repository, found: Status) -> None:
    """A commit status was set."""
    branches = [
        commits.short_branch(state, repo, ref.removeprefix("refs/heads/"), sha)
        for ref, sha in repo.git.refs().items()
        if sha == found.sha
    ]
    body = {
        **commits.simple_status(state, repo, found),
        "name": repo.name,
        "sha": found.sha,
        "commit": commits.commit(state, repo, commit(repo.git, found.sha)),
        "branches": branches[:10],
    }
    _send(state, repo, "status", found.creator, body)


def issue_comment(
    state: State, repo: Repository, action: str, found: Comment, actor: str, *, was: str | None = None
) -> None:
    """A comment was created or edited; `was` is its text before."""
    body = {
        "issue": pulls.issue(state, repo, repo.pulls[found.number]),
        "comment": pulls.comment(state, repo, found),
        **({"changes": {"body": {"from": was}}} if was is not None else {}),
    }
    _send(state, repo, f"issue_comment.{action}", actor, body)


def ping(state: State, repo: Repository, hook: Hook, actor: str) -> dict[str, Any]:
    """The payload of the first delivery of a webhook, which goes to that one only."""
    return {
        "zen": "Keep it logically awesome.",
        "hook_id": hook.id,
        "hook": actions.hook(state, repo, hook),
        "repository": people.repository(state, repo),
        "sender": people.user(state, actor),
    }
