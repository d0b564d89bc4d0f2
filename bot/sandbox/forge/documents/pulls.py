"""Pull requests, and the issues that they are too: labels, comments, reviews."""

from functools import lru_cache

from bot.sandbox.forge.documents.commits import api, page
from bot.sandbox.forge.documents.people import (
    Document,
    link,
    node_id,
    optional_stamp,
    optional_user,
    repository,
    stamp,
    user,
)
from bot.sandbox.forge.git import BareRepository
from bot.sandbox.forge.history import Change, changes, distance, merge_base
from bot.sandbox.forge.mergeability import known
from bot.sandbox.forge.records import Comment, Label, Pull, Review
from bot.sandbox.forge.state import Repository, State


@lru_cache(maxsize=512)
def pull_changes(git: BareRepository, base: str, head: str) -> tuple[Change, ...]:
    """What a pull request changes: from where it left the base branch to its head."""
    fork = merge_base(git, base, head)
    return tuple(changes(git, fork or base, head))


@lru_cache(maxsize=512)
def pull_size(git: BareRepository, base: str, head: str) -> int:
    """The number of its commits."""
    return distance(git, base, head)[0]


def _side(state: State, repo: Repository, ref: str, sha: str) -> Document:
    owner = user(state, repo.owner)
    return {
        "label": f"{repo.owner}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": owner,
        "repo": repository(state, repo),
    }


def pull_simple(state: State, repo: Repository, pull: Pull) -> Document:
    """`pull-request-simple`. Before it is merged, merge_commit_sha is a commit made to try it."""
    url, shown = api(state, repo, f"/pulls/{pull.number}"), page(state, repo, f"/pull/{pull.number}")
    issue = api(state, repo, f"/issues/{pull.number}")
    statuses = api(state, repo, f"/statuses/{pull.head_sha}")
    links = {
        "self": url,
        "html": shown,
        "issue": issue,
        "comments": f"{issue}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": api(state, repo, "/pulls/comments{/number}"),
        "commits": f"{url}/commits",
        "statuses": statuses,
    }
    return {
        "url": url,
        "id": pull.id,
        "node_id": node_id("PullRequest", pull.id),
        "html_url": shown,
        "diff_url": f"{shown}.diff",
        "patch_url": f"{shown}.patch",
        "issue_url": issue,
        **{f"{key}_url": links[key] for key in ("commits", "review_comments", "review_comment", "comments")},
        "statuses_url": statuses,
        **_progress(state, pull),
        "user": user(state, pull.author),
        "labels": [label(state, repo, repo.labels[name]) for name in pull.labels],
        "merge_commit_sha": pull.merge_commit if pull.merged else known(repo, pull).test_merge,
        "requested_reviewers": [user(state, login) for login in pull.reviewers],
        "head": _side(state, repo, pull.head, pull.head_sha),
        "base": _side(state, repo, pull.base, pull.base_sha),
        "_links": {key: link(href) for key, href in links.items()},
    }


def _progress(state: State, pull: Pull) -> Document:
    return {
        "number": pull.number,
        "state": pull.state,
        "locked": False,
        "active_lock_reason": None,
        "title": pull.title,
        "body": pull.body,
        "draft": pull.draft,
        "milestone": None,
        "assignee": None,
        "assignees": [],
        "requested_teams": [],
        "auto_merge": None,
        "author_association": "CONTRIBUTOR",
        "created_at": stamp(pull.created_at),
        "updated_at": stamp(pull.updated_at),
        "closed_at": optional_stamp(pull.closed_at),
        "merged_at": optional_stamp(pull.merged_at),
    }


def pull(state: State, repo: Repository, found: Pull) -> Document:
    """`pull-request`; mergeable is null until somebody has asked (facts/products.md, 5.6)."""
    judgement = known(repo, found)
    differences = pull_changes(repo.git, found.base_sha, found.head_sha)
    return pull_simple(state, repo, found) | {
        "merged": found.merged,
        "mergeable": judgement.mergeable,
        "rebaseable": judgement.mergeable,
        "mergeable_state": judgement.state,
        "merged_by": optional_user(state, found.merged_by),
        "comments": sum(comment.number == found.number for comment in repo.comments.values()),
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": pull_size(repo.git, found.base_sha, found.head_sha),
        "additions": sum(change.additions for change in differences),
        "deletions": sum(change.deletions for change in differences),
        "changed_files": len(differences),
    }


def issue(state: State, repo: Repository, found: Pull) -> Document:
    """`issue`: what a pull request is to the issues part of the API."""
    url, shown = api(state, repo, f"/issues/{found.number}"), page(state, repo, f"/pull/{found.number}")
    pulls = {
        "url": api(state, repo, f"/pulls/{found.number}"),
        "html_url": shown,
        "diff_url": f"{shown}.diff",
        "patch_url": f"{shown}.patch",
        "merged_at": optional_stamp(found.merged_at),
    }
    progress = _progress(state, found)
    for key in ("merged_at", "requested_teams", "auto_merge"):
        del progress[key]
    return {
        "url": url,
        "repository_url": api(state, repo),
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "html_url": shown,
        "id": found.id,
        "node_id": node_id("PullRequest", found.id),
        **progress,
        "state_reason": None,
        "user": user(state, found.author),
        "labels": [label(state, repo, repo.labels[name]) for name in found.labels],
        "comments": sum(comment.number == found.number for comment in repo.comments.values()),
        "closed_by": optional_user(state, found.closed_by),
        "pull_request": pulls,
        "reactions": reactions(url),
        "timeline_url": f"{url}/timeline",
        "performed_via_github_app": None,
    }


def reactions(url: str) -> Document:
    """Nobody reacts in a sandbox."""
    faces = ("total_count", "+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")
    return {"url": f"{url}/reactions", **dict.fromkeys(faces, 0)}


def label(state: State, repo: Repository, found: Label) -> Document:
    """`label`."""
    return {
        "id": found.id,
        "node_id": node_id("Label", found.id),
        "url": api(state, repo, f"/labels/{found.name}").replace(" ", "%20"),
        "name": found.name,
        "color": found.color,
        "description": found.description,
        "default": False,
    }


def association(state: State, repo: Repository, login: str) -> str:
    """How somebody belongs to a repository, which says nothing of rights: members of the owner may only read."""
    if login.lower() == repo.owner.lower():
        return "OWNER"
    if state.user(login).kind == "Bot":
        return "NONE"
    return "MEMBER" if state.user(repo.owner).kind == "Organization" else "COLLABORATOR"


def comment(state: State, repo: Repository, found: Comment) -> Document:
    """`issue-comment`."""
    url = api(state, repo, f"/issues/comments/{found.id}")
    return {
        "id": found.id,
        "node_id": node_id("IssueComment", found.id),
        "url": url,
        "html_url": page(state, repo, f"/pull/{found.number}#issuecomment-{found.id}"),
        "issue_url": api(state, repo, f"/issues/{found.number}"),
        "user": user(state, found.author),
        "author_association": association(state, repo, found.author),
        "body": found.body,
        "created_at": stamp(found.created_at),
        "updated_at": stamp(found.updated_at),
        "reactions": reactions(url),
        "performed_via_github_app": None,
    }


def review(state: State, repo: Repository, pull: Pull, found: Review) -> Document:
    """`pull-request-review`."""
    shown = page(state, repo, f"/pull/{pull.number}#pullrequestreview-{found.id}")
    url = api(state, repo, f"/pulls/{pull.number}")
    return {
        "id": found.id,
        "node_id": node_id("PullRequestReview", found.id),
        "user": user(state, found.by),
        "body": found.body,
        "state": found.state,
        "html_url": shown,
        "pull_request_url": url,
        "_links": {"html": link(shown), "pull_request": link(url)},
        "submitted_at": stamp(found.submitted_at),
        "commit_id": found.commit,
        "author_association": "CONTRIBUTOR",
    }
