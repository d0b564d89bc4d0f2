"""What the forge knows, as values: a change is a new record in its place."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class User:
    """An account. `kind` is User, Bot or Organization; an admin may push to protected branches.

    One that `reads_only` is said to have no right to write; nothing here keeps it from trying.
    """

    id: int
    login: str
    kind: str
    created_at: datetime
    admin: bool = False
    reads_only: bool = False

    @property
    def email(self) -> str:
        """The address that commits made by the forge carry."""
        return f"{self.id}+{self.login}@users.noreply.sandbox"


@dataclass(frozen=True, slots=True)
class Label:
    """A label of a repository; `color` is six hexadecimal digits."""

    id: int
    name: str
    color: str = "ededed"
    description: str = ""


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on a pull request."""

    id: int
    number: int
    author: str
    body: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Status:
    """A commit status; `state` is error, failure, pending or success."""

    id: int
    sha: str
    context: str
    state: str
    description: str | None
    target_url: str | None
    creator: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Review:
    """A review; `state` is APPROVED, CHANGES_REQUESTED or COMMENTED, `commit` the head that was seen."""

    id: int
    by: str
    state: str
    body: str
    commit: str
    submitted_at: datetime


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull request. While it is open, `head_sha` follows its branch and `base_sha` the base branch.

    When it is merged, `base_sha` is where the base branch was before and `merge_commit` where it was afterwards.
    """

    id: int
    number: int
    title: str
    body: str | None
    author: str
    head: str
    head_sha: str
    base: str
    base_sha: str
    created_at: datetime
    updated_at: datetime
    state: str = "open"
    draft: bool = False
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    closed_at: datetime | None = None
    closed_by: str | None = None
    merged_at: datetime | None = None
    merged_by: str | None = None
    merge_commit: str | None = None

    @property
    def merged(self) -> bool:
        """Whether it is part of the base branch."""
        return self.merged_at is not None


@dataclass(frozen=True, slots=True)
class Protection:
    """What a branch demands of pull requests; `strict` demands that they contain the branch's head."""

    required_checks: tuple[str, ...] = ()
    required_reviews: int = 0
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """A workflow run in its newest attempt.

    `status` is queued, in_progress or completed; `conclusion` is None until it is completed. `workflow` is the file's
    name under .github/workflows, `ref` the branch or tag without `refs/…/`, `sha` the commit of that.
    """

    id: int
    repository: str
    workflow: str
    workflow_id: int
    workflow_name: str
    ref: str
    sha: str
    inputs: Mapping[str, str]
    display_title: str
    number: int
    actor: str
    html_url: str
    created_at: datetime
    updated_at: datetime
    started_at: datetime
    attempt: int = 1
    status: str = "queued"
    conclusion: str | None = None
    log: str = ""


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook of a repository; `events` may be `*`."""

    id: int
    url: str
    secret: str = field(repr=False)
    events: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """One try to deliver an event. `status_code` is 0 when nobody answered; `guid` stays the same on redelivery."""

    id: int
    hook: int
    guid: str
    event: str
    action: str | None
    body: bytes
    delivered_at: datetime
    redelivery: bool = False
    status_code: int = 0
    status: str = "pending"
    duration: float = 0.0
    answer: str = ""
