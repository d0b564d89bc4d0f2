"""The words of the bot as values: every one is frozen, and a change is a new value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from bot.core.target import Target
from bot.core.verdict import Verdict

# --- The registry ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Field:
    """One column or tensor of a model signature: name, type as MLflow writes it, and whether callers must send it."""

    name: str
    type: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Signature:
    """What callers send and get, field by field; None where the model logged none."""

    inputs: tuple[Field, ...] | None = None
    outputs: tuple[Field, ...] | None = None


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version in the registry with what a reviewer wants to know about it.

    `status` is MLflow's (READY, PENDING_REGISTRATION, FAILED_REGISTRATION). `tags` are the version's own.
    Every text in here is hostile input.
    """

    model: str
    version: str
    status: str = "READY"
    run_id: str | None = None
    run_url: str | None = None
    url: str | None = None  # the version's page in the registry
    source: str | None = None
    source_commit: str | None = None  # mlflow.source.git.commit of the run
    user: str | None = None  # who made the run
    description: str = ""
    created_at: datetime | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    signature: Signature | None = None
    has_input_example: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)


# --- The image -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Image:
    """An image in a registry: repository, tag, digest (`sha256:…`) and the labels of its configuration."""

    repository: str
    tag: str
    digest: str
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        """`repository:tag@digest`, as a pod carries it."""
        return f"{self.repository}:{self.tag}@{self.digest}"


class BuildState(StrEnum):
    """Where a CI run stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Build:
    """A CI run that makes one image. `correlation` ties it to the image (see `core.wording.correlation`)."""

    id: str
    correlation: str
    state: BuildState
    url: str
    conclusion: str = ""  # the CI's own word for the end: success, failure, cancelled, …
    started_at: datetime | None = None
    ended_at: datetime | None = None


# --- The manifests repo ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PinValue:
    """What the pins of a target say together: tag and digest, as far as they carry them."""

    tag: str | None = None
    digest: str | None = None
    repository: str | None = None

    def __str__(self) -> str:
        text = ":".join(part for part in (self.repository, self.tag) if part) or "nothing"
        return f"{text}@{self.digest}" if self.digest else text


@dataclass(frozen=True, slots=True)
class Pinned:
    """What the base branch pins for a target, and which commit made it so.

    `commit` is the newest first-parent commit of the base branch that changed the pins' value, `changed_at` its
    committer time. `before` is the value it replaced. `trailers` are those of its message. `later` are the
    first-parent commits of the base branch after it, oldest first; all of them still carry the value.
    """

    value: PinValue
    commit: str
    changed_at: datetime
    author: str = ""
    before: PinValue | None = None
    trailers: Mapping[str, str] = field(default_factory=dict)
    head: str = ""  # the base branch's head that this was read at
    later: tuple[str, ...] = ()
    partly: str = ""  # what the pins say instead, where a person changed some of them and not all


@dataclass(frozen=True, slots=True)
class Branch:
    """A proposal's branch as it stands in git.

    `value` is what the pins say at its head, `replaces` what they say where it left the base branch.
    `foreign` are the commits on it that the bot did not make: a person's work, never to be overwritten.
    """

    name: str
    head: str
    value: PinValue | None
    replaces: PinValue | None
    foreign: tuple[str, ...] = ()


# --- The forge -------------------------------------------------------------------------------------


class Kind(StrEnum):
    """What a proposal does: brings a release in, or takes one back."""

    DEPLOY = "deploy"
    REVERT = "revert"


class ProposalState(StrEnum):
    """Open, merged, or closed without a merge."""

    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


class Mergeability(StrEnum):
    """The forge's answer to "may this be merged now?"."""

    CLEAN = "clean"
    CONFLICT = "conflict"
    BLOCKED = "blocked"  # required checks or reviews are missing, or have failed
    UNKNOWN = "unknown"  # not computed yet: ask again


@dataclass(frozen=True, slots=True)
class Proposal:
    """A pull request of the bot's, as the forge tells it.

    For a deploy `version` is the version that it brings; for a revert the one that it takes back, and `reverts`
    is the number of the proposal that brought it. `closed_by_bot` is true when the bot itself closed it.
    """

    number: int
    url: str
    kind: Kind
    target: str
    version: str
    branch: str
    head: str
    state: ProposalState
    opened_at: datetime
    reverts: int | None = None
    merge_commit: str | None = None
    merged_by: str | None = None
    closed_by: str | None = None
    closed_by_bot: bool = False
    ended_at: datetime | None = None
    mergeability: Mergeability = Mergeability.UNKNOWN
    blocked_by: str = ""  # in words: "check validate is pending", "1 approving review is missing"
    labels: frozenset[str] = frozenset()
    title: str = ""
    body: str = ""


class ProofState(StrEnum):
    """What is on record about a commit."""

    NONE = "none"
    PENDING = "pending"
    LIVE = "live"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Proof:
    """What the bot has recorded on a commit of the base branch (a commit status): durable, outside its database."""

    state: ProofState = ProofState.NONE
    sentence: str = ""
    at: datetime | None = None


# --- One look at the world -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Earlier:
    """How the earlier environment stands: which version it pins, whether that is proven live, and since when."""

    target: str
    version: str | None
    live: bool
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that one decision may depend on, read at `now`. None means absent, never "not asked".

    What cannot matter for the decision is not read, and then has its default.
    """

    target: Target
    now: datetime
    pinned: Pinned
    wanted: ModelVersion | None = None
    pinned_version: str | None = None  # the version that the pinned tag names, None for a foreign tag
    brought_by: Proposal | None = None  # the proposal whose merge made `pinned`, None when a person did
    revert: Proposal | None = None  # the newest proposal that takes `brought_by` back
    proof: Proof = Proof()
    verdict: Verdict | None = None  # fresh, about `pinned`; None when it is proven already or not ours
    asked_to_sync_at: datetime | None = None
    open: tuple[Proposal, ...] = ()  # every open proposal of this target, deploys and reverts
    last: Proposal | None = None  # the newest proposal that brought `wanted`, whatever became of it
    taken_back_by: Proposal | None = None  # the newest revert of `last`
    branch: Branch | None = None  # of the deploy for `wanted`, open or left over
    revert_branch: Branch | None = None  # of `revert`, while that is open
    baseline: Verdict | None = None  # how `pinned` serves while a proposal that replaces it is open
    good_for: timedelta = timedelta(
        0
    )  # how long every verdict about `pinned` has been seen good, this look included
    before_proven: bool = True  # whether what `pinned` replaced was proven live, as far as the bot brought it
    alarmed: bool = False  # whether people were told that `pinned` is not decided long after its deadline
    terminated_at: datetime | None = None  # when the operation that blocks `pinned` was last ended
    recent_reverts: int = 0  # of the last hour, over all targets, without this one's
    reverts_per_hour: int = 5
    asked_to_release: str | None = None  # who asked in a comment, where the wanted version is held
    notes: tuple[
        tuple[str, str], ...
    ] = ()  # facts for the journal's cache, which keeps since when they are so
    silent: str | None = None  # why the registry could not be asked what is wanted
    image: Image | None = None
    build: Build | None = None
    earlier: Earlier | None = None
    live: ModelVersion | None = None  # details of `pinned_version`, for the reviewer's comparison
