"""Commits, files, refs, branches and statuses."""

import base64
from collections.abc import Sequence
from urllib.parse import quote

from bot.sandbox.forge.documents.people import Document, node_id, repository, stamp, user
from bot.sandbox.forge.git import Commit, Entry, Person
from bot.sandbox.forge.history import Change, distance, merge_base
from bot.sandbox.forge.history import commit as one_commit
from bot.sandbox.forge.history import commits as many_commits
from bot.sandbox.forge.mergeability import statuses
from bot.sandbox.forge.records import Protection, Status
from bot.sandbox.forge.state import Repository, State

UNSIGNED: Document = {
    "verified": False,
    "reason": "unsigned",
    "signature": None,
    "payload": None,
    "verified_at": None,
}


def api(state: State, repo: Repository, path: str = "") -> str:
    """An address of the REST API under a repository."""
    return f"{state.api_url}/repos/{repo.name}{path}"


def page(state: State, repo: Repository, path: str = "") -> str:
    """An address for people under a repository."""
    return f"{state.url}/{repo.name}{path}"


def _person(found: Person) -> Document:
    return {"name": found.name, "email": found.email, "date": stamp(found.at)}


def account(state: State, found: Person) -> str | None:
    """The login that a commit's address belongs to, or None."""
    return next((u.login for u in state.users.values() if u.email == found.email), None)


def _account(state: State, found: Person) -> Document | None:
    login = account(state, found)
    return None if login is None else user(state, login)


def commit(state: State, repo: Repository, found: Commit) -> Document:
    """`commit`, without files."""
    url = api(state, repo, f"/commits/{found.sha}")
    parents = [
        {
            "sha": sha,
            "url": api(state, repo, f"/commits/{sha}"),
            "html_url": page(state, repo, f"/commit/{sha}"),
        }
        for sha in found.parents
    ]
    return {
        "sha": found.sha,
        "node_id": node_id("Commit", found.sha),
        "url": url,
        "html_url": page(state, repo, f"/commit/{found.sha}"),
        "comments_url": f"{url}/comments",
        "commit": {
            "url": api(state, repo, f"/git/commits/{found.sha}"),
            "author": _person(found.author),
            "committer": _person(found.committer),
            "message": found.message,
            "comment_count": 0,
            "tree": {"sha": found.tree, "url": api(state, repo, f"/git/trees/{found.tree}")},
            "verification": UNSIGNED,
        },
        "author": _account(state, found.author),
        "committer": _account(state, found.committer),
        "parents": parents,
    }


def with_files(
    state: State, repo: Repository, document: Document, found: Sequence[Change], ref: str
) -> Document:
    """The same with `files` and `stats`."""
    added, removed = sum(change.additions for change in found), sum(change.deletions for change in found)
    stats = {"additions": added, "deletions": removed, "total": added + removed}
    return document | {"stats": stats, "files": [diff_entry(state, repo, change, ref) for change in found]}


def diff_entry(state: State, repo: Repository, change: Change, ref: str) -> Document:
    """`diff-entry`."""
    path = quote(change.path)
    entry: Document = {
        "sha": change.blob,
        "filename": change.path,
        "status": change.status,
        "additions": change.additions,
        "deletions": change.deletions,
        "changes": change.additions + change.deletions,
        "blob_url": page(state, repo, f"/blob/{ref}/{path}"),
        "raw_url": page(state, repo, f"/raw/{ref}/{path}"),
        "contents_url": api(state, repo, f"/contents/{path}?ref={ref}"),
    }
    optional = {"patch": change.patch, "previous_filename": change.was}
    return entry | {key: value for key, value in optional.items() if value}


def git_ref(state: State, repo: Repository, ref: str, sha: str) -> Document:
    """`git-ref`; its url is under /git/refs/, where it can be changed."""
    target = {"type": "commit", "sha": sha, "url": api(state, repo, f"/git/commits/{sha}")}
    url = api(state, repo, f"/git/{quote(ref)}")
    return {"ref": ref, "node_id": node_id("Ref", f"{repo.id}:{ref}"), "url": url, "object": target}


def short_branch(state: State, repo: Repository, name: str, sha: str) -> Document:
    """`short-branch`."""
    return {
        "name": name,
        "commit": {"sha": sha, "url": api(state, repo, f"/commits/{sha}")},
        "protected": name in repo.protections,
    }


def branch(state: State, repo: Repository, name: str, sha: str) -> Document:
    """`branch-with-protection`."""
    url = api(state, repo, f"/branches/{quote(name)}")
    rule = repo.protections.get(name, Protection())
    checks = {
        "enforcement_level": "everyone" if rule.required_checks else "off",
        "contexts": list(rule.required_checks),
        "checks": [{"context": context, "app_id": None} for context in rule.required_checks],
    }
    return {
        "name": name,
        "commit": commit(state, repo, one_commit(repo.git, sha)),
        "_links": {"self": url, "html": page(state, repo, f"/tree/{quote(name)}")},
        "protected": name in repo.protections,
        "protection": {"enabled": name in repo.protections, "required_status_checks": checks},
        "protection_url": f"{url}/protection",
    }


def status(state: State, repo: Repository, found: Status) -> Document:
    """`status`."""
    return simple_status(state, repo, found) | {"creator": user(state, found.creator)}


def simple_status(state: State, repo: Repository, found: Status) -> Document:
    """`simple-commit-status`."""
    return {
        "url": api(state, repo, f"/statuses/{found.sha}"),
        "avatar_url": f"{state.url}/-/avatars/{state.user(found.creator).id}",
        "id": found.id,
        "node_id": node_id("Status", found.id),
        "state": found.state,
        "description": found.description,
        "target_url": found.target_url,
        "context": found.context,
        "created_at": stamp(found.created_at),
        "updated_at": stamp(found.created_at),
    }


def combined_status(state: State, repo: Repository, sha: str) -> Document:
    """`combined-commit-status`: failure before pending before success; pending when there is none."""
    newest = list(statuses(repo, sha).values())
    states = {found.state for found in newest}
    overall = (
        "failure" if states & {"failure", "error"} else "success" if states == {"success"} else "pending"
    )
    return {
        "state": overall,
        "statuses": [simple_status(state, repo, found) for found in newest],
        "sha": sha,
        "total_count": len(newest),
        "repository": repository(state, repo),
        "commit_url": api(state, repo, f"/commits/{sha}"),
        "url": api(state, repo, f"/commits/{sha}/status"),
    }


def comparison(
    state: State, repo: Repository, base: str, head: str, changes: Sequence[Change]
) -> Document | None:
    """`commit-comparison` of two commits by their merge base; None when they share no history."""
    fork = merge_base(repo.git, base, head)
    if fork is None:
        return None
    ahead, behind = distance(repo.git, base, head)
    words = {(False, False): "identical", (True, False): "ahead", (False, True): "behind"}
    between = many_commits(repo.git, f"{base}..{head}")
    url, shown = api(state, repo, f"/compare/{base}...{head}"), page(state, repo, f"/compare/{base}...{head}")
    return {
        "url": url,
        "html_url": shown,
        "permalink_url": shown,
        "diff_url": f"{shown}.diff",
        "patch_url": f"{shown}.patch",
        "base_commit": commit(state, repo, one_commit(repo.git, base)),
        "merge_base_commit": commit(state, repo, one_commit(repo.git, fork)),
        "status": words.get((ahead > 0, behind > 0), "diverged"),
        "ahead_by": ahead,
        "behind_by": behind,
        "total_commits": ahead,
        "commits": [commit(state, repo, found) for found in reversed(between)],
        "files": [diff_entry(state, repo, change, head) for change in changes],
    }


def content(state: State, repo: Repository, found: Entry, ref: str, content: bytes | None = None) -> Document:
    """An entry of `content-directory`, or with the bytes given, `content-file`."""
    url = api(state, repo, f"/contents/{quote(found.path)}?ref={quote(ref)}")
    kind = {"tree": "dir", "commit": "submodule"}.get(found.kind, "file")
    shown = page(state, repo, f"/{'tree' if kind == 'dir' else 'blob'}/{quote(ref)}/{quote(found.path)}")
    raw = page(state, repo, f"/raw/{quote(ref)}/{quote(found.path)}")
    git_url = api(state, repo, f"/git/{'trees' if kind == 'dir' else 'blobs'}/{found.sha}")
    document: Document = {
        "type": kind,
        "size": found.size or 0,
        "name": found.path.rpartition("/")[2],
        "path": found.path,
        "sha": found.sha,
        "url": url,
        "git_url": git_url,
        "html_url": shown,
        "download_url": None if kind == "dir" else raw,
        "_links": {"self": url, "git": git_url, "html": shown},
    }
    if content is not None:
        document |= {"encoding": "base64", "content": base64.encodebytes(content).decode()}
    return document
