"""Opening a pull request once: look for the one that is open, create it otherwise, and ask for its reviews."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from github.GithubException import GithubException
from github.PullRequest import PullRequest
from github.Repository import Repository

from bot.adapters.github.errors import sentence
from bot.adapters.github.pulls import proposal
from bot.core.names import parse_branch
from bot.ports import Refused, Retryable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Home:
    """Where the proposals live: the repository, its name `owner/name`, and the branch that they want to get into."""

    repository: Repository
    name: str
    base_branch: str


def pulls_from(home: Home, branch: str, state: str) -> list[PullRequest]:
    """The pull requests from this branch of this very repository, `open` ones or `all`.

    `Refused` when the branch is not one of the bot's.
    """
    if parse_branch(branch) is None:
        raise Refused(f"{branch} is not a branch of the bot's")
    owner = home.name.partition("/")[0]
    pulls = home.repository.get_pulls(state=state, base=home.base_branch, head=f"{owner}:{branch}")
    return [pull for pull in pulls if proposal(pull) is not None and pull.head.ref == branch]


def opened(home: Home, branch: str, title: str, body: str) -> PullRequest:
    """The open pull request from this branch with this title and body, whoever opened it."""
    return _adopted(home, branch, title, body) or _created(home, branch, title, body)


def _adopted(home: Home, branch: str, title: str, body: str) -> PullRequest | None:
    pull = max(pulls_from(home, branch, "open"), key=lambda one: one.number, default=None)
    if pull is not None and (pull.title, pull.body or "") != (title, body):
        pull.edit(title=title, body=body)
    return pull


def _created(home: Home, branch: str, title: str, body: str) -> PullRequest:
    try:
        return home.repository.create_pull(home.base_branch, branch, title=title, body=body)
    except GithubException as error:
        said = sentence(error)
        if error.status != 422:
            raise
        # Somebody opened one since we looked, a second pass of the bot's for example.
        if "already exists" in said and (pull := _adopted(home, branch, title, body)) is not None:
            return pull
        if "head invalid" in said:
            raise Retryable(f"GitHub does not see the branch {branch} yet") from error
        raise


def ask(pull: PullRequest, reviewers: Iterable[str]) -> None:
    """Request reviews, of a team for `org/team`; a refusal is only logged.

    One by one, as a single wrong name has GitHub refuse all of them.
    """
    for name in reviewers:
        team = name.partition("/")[2]
        try:
            pull.create_review_request(**({"team_reviewers": [team]} if team else {"reviewers": [name]}))
        except GithubException as error:
            if error.status not in {403, 404, 422}:
                raise
            log.warning("%s cannot be asked to review #%d: %s", name, pull.number, sentence(error))
