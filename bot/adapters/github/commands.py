"""What people tell the bot to do in comments on its pull requests: `/gitops-bot release`."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice

from github.GithubException import GithubException
from github.IssueComment import IssueComment
from github.Repository import Repository

from bot.adapters.github.pulls import login
from bot.core.names import PREFIX

RELEASE = f"/{PREFIX} release"

# So that a flood of comments costs a pass a bounded number of requests: ten pages, and a question per person.
MOST_COMMENTS = 1000
MOST_PEOPLE = 10

_LIKELY = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})


def who_released(
    repository: Repository, number: int, since: datetime, is_me: Callable[[str | None], bool]
) -> str | None:
    """The login of somebody who may write to the repository and asked for a release on this pull request, or None.

    Only what was written since then counts: "ship it" from before a failure was not about it.

    Comments of bots, the bot's own among them, do not count: whoever may edit those (GitHub lets everybody who may
    write) could speak with their voice.
    """
    every = islice(repository.get_issue(number).get_comments(), MOST_COMMENTS)
    comments = (comment for comment in every if comment.created_at >= since)
    people = islice(_likely_first(_asking(comments, is_me)), MOST_PEOPLE)
    return next((person for person in people if _may_write(repository, person)), None)


def _asking(
    comments: Iterable[IssueComment], is_me: Callable[[str | None], bool]
) -> Iterator[tuple[str, str]]:
    """Who asks, with what GitHub says of how they belong to the repository."""
    for comment in comments:
        person = login(comment.user)
        if person is None or comment.user.type != "User" or is_me(person):
            continue
        if any(line.rstrip() == RELEASE for line in (comment.body or "").splitlines()):
            yield person, comment.author_association


def _likely_first(asking: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Each of them once, the last first. An association is no right to write: it only tells whom to ask about first."""
    people = dict(reversed(list(asking)))
    return iter(sorted(people, key=lambda person: people[person] not in _LIKELY))


def _may_write(repository: Repository, person: str) -> bool:
    """GitHub counts `maintain` as write and `triage` as read here."""
    try:
        return repository.get_collaborator_permission(person) in {"admin", "write"}
    except GithubException as error:
        if error.status != 404:  # an account that is gone
            raise
        return False
