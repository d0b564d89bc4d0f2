"""Pull requests as proposals: what GitHub's documents say in the bot's words."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from urllib.parse import quote

from github.Branch import Branch
from github.CommitStatus import CommitStatus
from github.GithubException import GithubException
from github.NamedUser import NamedUser
from github.Organization import Organization
from github.PaginatedList import PaginatedList
from github.PullRequest import PullRequest
from github.Repository import Repository

from bot.core.model import Mergeability, Proposal, ProposalState
from bot.core.names import parse_branch

# `unstable` has failing or pending checks that nobody requires: GitHub merges it. `behind` wants the base branch's head
# in it, which writing the branch again brings, just as it solves a conflict (facts/products.md, 5.6).
_STATES = {
    "clean": Mergeability.CLEAN,
    "has_hooks": Mergeability.CLEAN,
    "unstable": Mergeability.CLEAN,
    "dirty": Mergeability.CONFLICT,
    "behind": Mergeability.CONFLICT,
    "blocked": Mergeability.BLOCKED,
    "draft": Mergeability.BLOCKED,
}
_FAILED = {"failure", "error", "cancelled", "timed_out", "action_required", "startup_failure", "stale"}


def proposal(pull: PullRequest) -> Proposal | None:
    """The proposal as a list tells it, without who ended it and mergeability; None where the branch is not the bot's.

    A fork's branch of the same name is not the bot's.
    """
    name = parse_branch(pull.head.ref)
    if name is None or not _same(pull.head.repo, pull.base.repo):
        return None
    merged = pull.merged_at is not None
    closed = ProposalState.MERGED if merged else ProposalState.CLOSED
    return Proposal(
        number=pull.number,
        url=pull.html_url,
        kind=name.kind,
        target=name.target,
        version=name.version,
        branch=pull.head.ref,
        head=pull.head.sha,
        state=ProposalState.OPEN if pull.state == "open" else closed,
        opened_at=pull.created_at,
        reverts=name.number,
        # Before the merge this is a commit that GitHub made to try it (facts/products.md, 5.3).
        merge_commit=pull.merge_commit_sha if merged else None,
        ended_at=pull.merged_at or pull.closed_at,
        labels=frozenset(label.name for label in pull.labels),
        title=pull.title,
        body=pull.body or "",
    )


def _same(head: Repository | None, base: Repository) -> bool:
    return head is not None and head.id == base.id  # the fork of a pull request may be gone


def login(user: NamedUser | Organization | None) -> str | None:
    """Who it was; None for an account that is gone, which PyGithub's types do not expect."""
    return user.login if user is not None else None


def statuses(repository: Repository, commit: str) -> Iterable[CommitStatus]:
    """The statuses of a commit, newest first.

    PyGithub's own method asks under an older address that GitHub's description of its API no longer has.
    """
    path = f"{repository.url}/commits/{quote(commit, safe='')}/statuses"
    return PaginatedList(CommitStatus, repository.requester, path, None)


def with_mergeability(found: Proposal, pull: PullRequest, repository: Repository) -> Proposal:
    """The open proposal with GitHub's answer to "may this be merged now?"; a block is explained in words."""
    mergeability = _mergeability(pull)
    if mergeability is not Mergeability.BLOCKED:
        return replace(found, mergeability=mergeability)
    if pull.draft:
        return replace(found, mergeability=mergeability, blocked_by="it is a draft")
    words = [*_checks(pull, repository), *_reviews(pull)]
    rest = f"an approving review or another rule of the protection of {pull.base.ref} is missing"
    return replace(found, mergeability=mergeability, blocked_by="; ".join(words) or rest)


def _mergeability(pull: PullRequest) -> Mergeability:
    if pull.mergeable is None:  # GitHub computes it after the first question
        return Mergeability.UNKNOWN
    if not pull.mergeable:
        return Mergeability.CONFLICT
    return _STATES.get(pull.mergeable_state, Mergeability.UNKNOWN)


def _checks(pull: PullRequest, repository: Repository) -> Iterator[str]:
    """What the required checks say, in words; of all checks where the bot may not read which ones are required."""
    states, required = _states(pull, repository), _required(pull.base.ref, repository)
    for name in sorted(required or states):
        state = states.get(name)
        if state in _FAILED:
            yield f"check {name} has failed"
        elif state is None:
            yield f"check {name} has not reported"
        elif state == "pending":
            yield f"check {name} is pending"


def _states(pull: PullRequest, repository: Repository) -> dict[str, str]:
    """What every check of the head says: a commit status's state, a check run's conclusion, or `pending`."""
    oldest_first = reversed(list(statuses(repository, pull.head.sha)))
    states = {status.context: status.state for status in oldest_first}
    with _unless_forbidden():  # a token may lack the permission for check runs
        runs = repository.get_commit(pull.head.sha).get_check_runs()
        states |= {run.name: run.conclusion or "pending" for run in runs}
    return states


def _required(branch: str, repository: Repository) -> frozenset[str]:
    """The contexts that classic branch protection requires, as everyone who can read the branch may know them."""
    with _unless_forbidden():
        found: Branch = repository.get_branch(quote(branch, safe=""))
        checks = (found.raw_data.get("protection") or {}).get("required_status_checks") or {}
        return frozenset(checks.get("contexts") or ())
    return frozenset()


def _reviews(pull: PullRequest) -> Iterator[str]:
    latest: dict[str, str] = {}
    for review in pull.get_reviews():
        reviewer = login(review.user)
        if reviewer is not None and review.state in {"APPROVED", "CHANGES_REQUESTED", "DISMISSED"}:
            latest[reviewer] = review.state
    for reviewer, state in latest.items():
        if state == "CHANGES_REQUESTED":
            yield f"{reviewer} requested changes"


@contextlib.contextmanager
def _unless_forbidden() -> Iterator[None]:
    """For what only makes the sentence better: leave it out where GitHub says 403 or 404."""
    try:
        yield
    except GithubException as error:
        if error.status not in {403, 404}:
            raise
