"""Accounts, repositories and everything that every document has."""

import base64
from datetime import UTC, datetime
from typing import Any

from bot.sandbox.forge.records import User
from bot.sandbox.forge.state import Repository, State

Document = dict[str, Any]


def stamp(at: datetime) -> str:
    """A moment as GitHub writes it: UTC, whole seconds, Z."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def optional_stamp(at: datetime | None) -> str | None:
    """The same, or null."""
    return None if at is None else stamp(at)


def node_id(kind: str, number: int | str) -> str:
    """GitHub's opaque id for GraphQL."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def link(href: str) -> Document:
    """One entry of `_links`."""
    return {"href": href}


def user(state: State, login: str) -> Document:
    """`simple-user`."""
    found = state.user(login)
    url = f"{state.api_url}/users/{found.login}"
    return {
        "login": found.login,
        "id": found.id,
        "node_id": node_id(found.kind, found.id),
        "avatar_url": f"{state.url}/-/avatars/{found.id}",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{state.url}/{found.login}",
        "followers_url": f"{url}/followers",
        "following_url": f"{url}/following{{/other_user}}",
        "gists_url": f"{url}/gists{{/gist_id}}",
        "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{url}/subscriptions",
        "organizations_url": f"{url}/orgs",
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events{{/privacy}}",
        "received_events_url": f"{url}/received_events",
        "type": found.kind,
        "user_view_type": "public",
        "site_admin": False,
    }


def optional_user(state: State, login: str | None) -> Document | None:
    """The same, or null."""
    return None if login is None else user(state, login)


def public_user(state: State, found: User) -> Document:
    """What `GET /user` tells."""
    nothing = dict.fromkeys(
        ("company", "blog", "location", "email", "hireable", "bio", "twitter_username", "notification_email")
    )
    zero = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
    at = stamp(found.created_at)
    return (
        user(state, found.login) | nothing | zero | {"name": found.login, "created_at": at, "updated_at": at}
    )


def organization(state: State, login: str) -> Document:
    """The owner as webhooks name it."""
    found = state.user(login)
    url = f"{state.api_url}/orgs/{found.login}"
    return {
        "login": found.login,
        "id": found.id,
        "node_id": node_id("Organization", found.id),
        "url": url,
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events",
        "hooks_url": f"{url}/hooks",
        "issues_url": f"{url}/issues",
        "members_url": f"{url}/members{{/member}}",
        "public_members_url": f"{url}/public_members{{/member}}",
        "avatar_url": f"{state.url}/-/avatars/{found.id}",
        "description": "A sandbox organization",
    }


_PATHS = {
    "archive_url": "/{archive_format}{/ref}", "assignees_url": "/assignees{/user}", "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}", "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}", "commits_url": "/commits{/sha}", "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}", "contributors_url": "/contributors", "deployments_url": "/deployments",
    "downloads_url": "/downloads", "events_url": "/events", "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}", "git_refs_url": "/git/refs{/sha}", "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks", "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}", "issues_url": "/issues{/number}", "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}", "languages_url": "/languages", "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}", "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}", "stargazers_url": "/stargazers", "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers", "subscription_url": "/subscription", "tags_url": "/tags",
    "teams_url": "/teams", "trees_url": "/git/trees{/sha}",
}  # fmt: skip
_FIXED: Document = {
    "private": True, "visibility": "private", "fork": False, "description": "A repository of the sandbox",
    "mirror_url": None, "homepage": None, "language": None, "license": None, "topics": [], "size": 1,
    "forks_count": 0, "stargazers_count": 0, "watchers_count": 0, "forks": 0, "watchers": 0,
    "subscribers_count": 0, "network_count": 0, "has_issues": True, "has_projects": False, "has_wiki": False,
    "has_pages": False, "has_discussions": False, "has_downloads": False, "archived": False, "disabled": False,
    "is_template": False, "allow_forking": False, "web_commit_signoff_required": False, "custom_properties": {},
    "allow_merge_commit": True, "allow_squash_merge": True, "allow_rebase_merge": True, "allow_auto_merge": False,
    "allow_update_branch": True,
}  # fmt: skip


def repository(state: State, found: Repository) -> Document:
    """`full-repository`, which is `repository` and `minimal-repository` too."""
    url, page = f"{state.api_url}/repos/{found.name}", f"{state.url}/{found.name}"
    opened = sum(pull.state == "open" for pull in found.pulls.values())
    return {
        "id": found.id,
        "node_id": node_id("Repository", found.id),
        "name": found.short_name,
        "full_name": found.name,
        "owner": user(state, found.owner),
        "html_url": page,
        "url": url,
        **{key: url + path for key, path in _PATHS.items()},
        "git_url": f"{page}.git",
        "ssh_url": f"{page}.git",
        "clone_url": f"{page}.git",
        "svn_url": page,
        **_FIXED,
        "default_branch": found.default_branch,
        "delete_branch_on_merge": found.delete_branch_on_merge,
        "open_issues_count": opened,
        "open_issues": opened,
        "created_at": stamp(found.created_at),
        "updated_at": stamp(found.pushed_at),
        "pushed_at": stamp(found.pushed_at),
        "permissions": {"admin": False, "maintain": False, "push": True, "triage": True, "pull": True},
    }
