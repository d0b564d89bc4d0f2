"""The port `Forge` on GitHub: pull requests, comments, labels and commit statuses of one manifests repo."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice, takewhile
from typing import Literal

from github.GithubException import GithubException
from github.IssueComment import IssueComment
from github.PullRequest import PullRequest

from bot.adapters.github.client import Client
from bot.adapters.github.commands import who_released
from bot.adapters.github.errors import sentence, translated
from bot.adapters.github.opening import Home, ask, opened, pulls_from
from bot.adapters.github.pulls import login, proposal, statuses, with_mergeability
from bot.adapters.github.texts import described, hidden, shortened
from bot.core.model import Kind, Proof, ProofState, Proposal, ProposalState
from bot.core.names import LABEL_RELEASED, LABEL_REVERT, status_context
from bot.ports import Refused, Retryable

# GitHub's limits, in characters.
_TITLE, _BODY, _DESCRIPTION = 256, 65_536, 140

# Ten pages: more than a repository sees in the hours that anybody asks about.
_MOST_PULLS = 1000

_STATUS = {ProofState.LIVE: "success", ProofState.FAILED: "failure", ProofState.PENDING: "pending"}
_PROOF = {state: proof for proof, state in _STATUS.items()} | {"error": ProofState.FAILED}
_COLOURS = {LABEL_REVERT: "d93f0b", LABEL_RELEASED: "0e8a16"}


class GitHubForge:
    """The port `Forge`, bound to one repository `owner/name` and its base branch. Safe for several threads.

    A commit status can be set by everyone who may write to the repository, and counts here whoever set it: who can do
    that can also change the pins. `login` is the bot's own account (`name[bot]` for an App); without it GitHub is
    asked once, which an App's token may not.
    """

    def __init__(
        self,
        repository: str,
        token: Callable[[], str],
        *,
        base_branch: str = "main",
        api_url: str = "https://api.github.com",
        login: str | None = None,
        timeout: float = 15,
        merge_method: Literal["merge", "squash", "rebase"] = "squash",
    ) -> None:
        """Asks nothing yet. `token` is called for every request; `timeout` in seconds for each."""
        self._client = Client(token, api_url, timeout)
        self._repository = self._client.repository(repository)
        self._name = repository
        self._home = Home(self._repository, repository, base_branch)
        self._login = login
        self._merge_method = merge_method
        self._labels: set[str] = set()

    def __repr__(self) -> str:
        return f"GitHubForge({self._name!r})"

    @property
    def calls(self) -> Mapping[str, int]:
        """Requests made so far, by HTTP method."""
        return self._client.calls

    def open_proposals(self) -> Sequence[Proposal]:
        """Every open pull request into the base branch whose head is a branch of the bot's, in the same repository."""
        with translated(f"listing the pull requests of {self._name}"):
            pulls = self._repository.get_pulls(state="open", base=self._home.base_branch)
            return tuple(found for pull in pulls if (found := proposal(pull)) is not None)

    def newest(self, branch: str) -> Proposal | None:
        """The newest pull request from this branch with everything that GitHub knows of it."""
        with translated(f"looking for the pull request of {branch} in {self._name}"):
            number = max((pull.number for pull in pulls_from(self._home, branch, "all")), default=None)
            return self._in_full(self._repository.get_pull(number)) if number is not None else None

    def brought(self, commit: str) -> Proposal | None:
        """The bot's merged pull request that this commit of the base branch came with, by a merge of whatever method.

        For a commit of the default branch GitHub lists the pull request that introduced it; a rebase leaves several
        such commits, of which only the last is the pull request's merge commit. `merged_by` is not read.
        """
        with translated(f"looking for the pull request of commit {commit[:12]} in {self._name}"):
            pulls = self._repository.get_commit(commit).get_pulls()
            found = [proposal(pull) for pull in pulls if pull.base.ref == self._home.base_branch]
        merged = [one for one in found if one is not None and one.state is ProposalState.MERGED]
        return max(merged, key=lambda one: (one.merge_commit == commit, one.number), default=None)

    def open(
        self, branch: str, title: str, body: str, *, labels: Iterable[str], reviewers: Iterable[str] = ()
    ) -> Proposal:
        """Open a pull request, or adopt the one that is open for this branch; title and body become these.

        Labels come last: a pull request that lacks them was not finished, so its reviewers are asked again.
        """
        title, body, labels = shortened(title, _TITLE), shortened(body, _BODY), list(labels)
        with translated(f"opening a pull request for {branch} in {self._name}"):
            pull = opened(self._home, branch, title, body)
            missing = set(labels) - {label.name for label in pull.labels}
            if missing:
                ask(pull, reviewers)
                self._add_labels(pull.number, sorted(missing))
            found = proposal(pull)
        if found is None:
            raise Refused(f"{branch} is not a branch of the bot's")
        return replace(found, labels=found.labels | missing)

    def close(self, proposal: Proposal, comment: str) -> None:
        """Comment once and close; what is closed or merged already is left alone."""
        number = proposal.number
        with translated(f"closing #{number} in {self._name}"):
            if self._repository.get_pull(number).state == "open":
                self.comment(number, "close", comment)
                self._repository.get_pull(number).edit(state="closed")

    def merge(self, proposal: Proposal, title: str, message: str) -> str:
        """Merge exactly `proposal.head` and return the commit on the base branch; merged with it already is done."""
        number, head = proposal.number, proposal.head
        with translated(f"merging #{number} in {self._name}"):
            pull = self._repository.get_pull(number)
            if pull.head.sha != head:
                raise Refused(
                    f"#{number} is at {pull.head.sha[:12]}, not at {head[:12]} as judged: not merged"
                )
            if pull.merged:
                return pull.merge_commit_sha
            if pull.state != "open":
                raise Refused(f"#{number} was closed: not merged")
            return self._merged(pull, head, shortened(title, _TITLE), message)

    def comment(self, number: int, marker: str, text: str) -> None:
        """Put a comment there once: where the bot's own with the same hidden marker is, nothing is written."""
        body = shortened(f"{hidden(marker)}\n{text}", _BODY)
        with translated(f"commenting on #{number} in {self._name}"):
            issue = self._repository.get_issue(number)
            if not any(self._is_mine(comment, hidden(marker)) for comment in issue.get_comments()):
                issue.create_comment(body)

    def label(self, number: int, add: Iterable[str], remove: Iterable[str] = ()) -> None:
        """Add and remove labels; those that are there, or gone, already are left alone."""
        with translated(f"labelling #{number} in {self._name}"):
            issue = self._repository.get_issue(number)
            present = {label.name for label in issue.get_labels()}
            self._add_labels(number, sorted(set(add) - present))
            for name in sorted(set(remove) & present):
                issue.remove_from_labels(name)

    def asked_to_release(self, number: int, since: datetime) -> str | None:
        """The login of somebody who may write and put the line `/gitops-bot release` into a comment there since then.

        GitHub is asked about the right, as a comment's `author_association` does not prove it.
        """
        with translated(f"reading the comments on #{number} in {self._name}"):
            return who_released(self._repository, number, since, self._is_me)

    def reverts_since(self, moment: datetime) -> int:
        """How many of the bot's reverts into the base branch were opened since then, among the newest thousand."""
        with translated(f"counting the reverts in {self._name}"):
            newest = self._repository.get_pulls(
                state="all", base=self._home.base_branch, sort="created", direction="desc"
            )
            since = takewhile(lambda pull: pull.created_at >= moment, islice(newest, _MOST_PULLS))
            return sum(self._is_revert(pull) for pull in since)

    def proof(self, commit: str, target: str) -> Proof:
        """What the bot's newest commit status with the target's context says; `at` is when it was set.

        Those of others do not count: a token that may set statuses need not be one that may change pins.
        """
        with translated(f"reading the statuses of commit {commit[:12]} in {self._name}"):
            for status in statuses(self._repository, commit):
                if status.context == status_context(target) and self._is_me(login(status.creator)):
                    state = _PROOF.get(status.state, ProofState.NONE)
                    return Proof(state, status.description or "", status.created_at)
        return Proof()

    def statuses(self, commit: str) -> Sequence[tuple[str, str, str, datetime]]:
        """All statuses of a commit, newest first: context, state, description and when it was set."""
        with translated(f"reading the statuses of commit {commit[:12]} in {self._name}"):
            return [
                (status.context, status.state, status.description or "", status.created_at)
                for status in statuses(self._repository, commit)
            ]

    def record(self, commit: str, target: str, proof: Proof, url: str | None = None) -> None:
        """Set the commit status, unless it says so already: GitHub takes 1000 for a commit and context."""
        description = shortened(described(proof.sentence), _DESCRIPTION)
        known = self.proof(commit, target)
        if (known.state, known.sentence) == (proof.state, description):
            return
        options = {"target_url": url} if url else {}
        with translated(f"setting a status on commit {commit[:12]} in {self._name}"):
            self._repository.get_commit(commit).create_status(
                _STATUS[proof.state], description=description, context=status_context(target), **options
            )

    def _in_full(self, pull: PullRequest) -> Proposal | None:
        found = proposal(pull)
        if found is None:
            return None
        if found.state is ProposalState.OPEN:
            return with_mergeability(found, pull, self._repository)
        if found.state is ProposalState.MERGED:
            return replace(found, merged_by=login(pull.merged_by))
        issue = self._repository.get_issue(pull.number)
        closer = login(issue.closed_by)
        # Somebody may share the bot's token: it was the bot only if the bot said so, as it always does before.
        mine = self._is_me(closer) and any(self._is_mine(c, hidden("close")) for c in issue.get_comments())
        return replace(found, closed_by=closer, closed_by_bot=mine)

    def _own_login(self) -> str:
        if self._login is None:
            with translated("asking whose token it is (set the bot's login to save this question)"):
                self._login = self._client.login()
        return self._login

    def _is_me(self, who: str | None) -> bool:
        return who is not None and who.lower() == self._own_login().lower()

    def _is_revert(self, pull: PullRequest) -> bool:
        found = proposal(pull)
        return found is not None and found.kind is Kind.REVERT and self._is_me(login(pull.user))

    def _is_mine(self, comment: IssueComment, marker: str) -> bool:
        return comment.body.startswith(marker) and self._is_me(login(comment.user))

    def _add_labels(self, number: int, names: Sequence[str]) -> None:
        for name in names:
            self._ensure_label(name)
        if names:
            self._repository.get_issue(number).add_to_labels(*names)

    def _ensure_label(self, name: str) -> None:
        if name in self._labels:
            return
        if not any(label.name == name for label in self._repository.get_labels()):
            try:
                self._repository.create_label(name, _COLOURS.get(name, "0052cc"), "Set by the GitOps bot")
            except GithubException as error:
                if error.status != 422:  # somebody else made it meanwhile
                    raise
        self._labels.add(name)

    def _merged(self, pull: PullRequest, head: str, title: str, message: str) -> str:
        try:
            done = pull.merge(message, title, self._merge_method, sha=head)
        except GithubException as error:
            if error.status == 405 and "Base branch was modified" in sentence(error):
                raise Retryable(f"the base branch moved while #{pull.number} was merged") from error
            raise
        return done.sha
