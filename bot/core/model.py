"""The words of the bot as values: every one is frozen, and a change is a new value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from bot.core.verdict import Verdict

# --- What a person writes in promotions.yaml -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Alias:
    """Wanted is the version that holds this alias. Alias names are case-sensitive (facts/mlflow.md, section 3)."""

    name: str

    def __str__(self) -> str:
        return f"alias {self.name}"


@dataclass(frozen=True, slots=True)
class Tag:
    """Wanted is the newest version that carries this tag with this value."""

    key: str
    value: str

    def __str__(self) -> str:
        return f"tag {self.key}={self.value}"


@dataclass(frozen=True, slots=True)
class Stage:
    """Wanted is the newest version in this stage. MLflow sends no webhook for stages: only the sweep finds it."""

    name: str

    def __str__(self) -> str:
        return f"stage {self.name}"


Selector = Alias | Tag | Stage


@dataclass(frozen=True, slots=True)
class Workflow:
    """The CI workflow that builds and pushes an image: repository `owner/name`, workflow file name, git ref."""

    repository: str
    file: str
    ref: str = "main"


@dataclass(frozen=True, slots=True)
class KustomizePin:
    """An entry of `images` in the kustomization of this folder, found by the image's name there."""

    folder: str
    name: str | None = (
        None  # the `name:` of the entry; default: the entry whose name or newName is the target's image
    )
    add: bool = False  # whether an entry that is missing is added to `images`


@dataclass(frozen=True, slots=True)
class ContainerPin:
    """The `image:` of a container in this file; `container` tells several with the same image apart."""

    file: str
    container: str | None = None


@dataclass(frozen=True, slots=True)
class FilePin:
    """The place in this file that names the target's image, in whatever form; `path` says which where there are several.

    `path` may also lead to a scalar that says the image, its tag or its digest, in keys of any name; it is looked for
    in every document, or in `document` (counted from 1). `text` is what the scalar says, with `{image}`, `{tag}` and
    `{digest}`, where it is none of these. With `every` all places in the file that name the image change together.
    """

    file: str
    path: str | None = None
    document: int | None = None
    text: str | None = None
    every: bool = False


@dataclass(frozen=True, slots=True)
class MarkerPin:
    """Every value in the YAML files below this folder that a comment marks with the target's name.

    With `policy` (`namespace:name`) those that Flux's `$imagepolicy` comments mark.
    """

    folder: str = ""
    policy: str | None = None


Pin = KustomizePin | ContainerPin | FilePin | MarkerPin


class Through(StrEnum):
    """Whom to ask about a rollout: the product's own API, the Kubernetes API, or the forge (commit statuses)."""

    API = "api"
    KUBERNETES = "kubernetes"
    FORGE = "forge"


@dataclass(frozen=True, slots=True)
class ArgoCD:
    """The Application that applies this target.

    With `terminate` a retrying operation of a commit that was taken back is ended, so that it cannot block the revert.
    """

    application: str
    project: str | None = None
    namespace: str | None = None
    through: Through = Through.API
    terminate: bool = False


@dataclass(frozen=True, slots=True)
class Flux:
    """The Kustomization that applies this target; with `helm_release` also the HelmRelease in it that deploys.

    `through` is the Kubernetes API, or the forge, where Flux's notification-controller posts commit statuses.
    """

    kustomization: str
    namespace: str = "flux-system"
    helm_release: str | None = None
    helm_namespace: str | None = None  # the Kustomization's when None
    through: Through = Through.KUBERNETES


Rollout = ArgoCD | Flux


class WorkloadKind(StrEnum):
    """What can run a release, by the kind in its manifest, in lower case."""

    DEPLOYMENT = "deployment"
    STATEFUL_SET = "statefulset"
    DAEMON_SET = "daemonset"
    ROLLOUT = "rollout"  # Argo Rollouts
    CANARY = "canary"  # Flagger
    INFERENCE_SERVICE = "inferenceservice"  # KServe


@dataclass(frozen=True, slots=True)
class Workload:
    """This workload runs the image, completely, and its new pods stay up: read from the Kubernetes API."""

    kind: WorkloadKind
    name: str
    namespace: str


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """GET this URL; good is the expected status, and `json` where given: every key in it must be answered with that value.

    `url` may hold `{version}`, `{tag}`, `{commit}`, `{model}` and `{environment}`.
    """

    url: str
    status: int = 200
    attempts: int = 30
    timeout: timedelta = timedelta(seconds=5)
    interval: timedelta = timedelta(seconds=2)
    json: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class PredictionCheck:
    """POST the model's own input example to `url`/invocations; `url`/version must name this model version.

    `latency` bounds how long the answer may take. With `tolerance` (relative, 0 is equal) the answer must be what
    the model answered when its image was built.
    """

    url: str
    timeout: timedelta = timedelta(seconds=10)
    attempts: int = 5
    interval: timedelta = timedelta(seconds=2)
    latency: timedelta | None = None
    tolerance: float | None = None


@dataclass(frozen=True, slots=True)
class PrometheusCheck:
    """This query stays below, or above, a bound in the window that begins when the rollout is done.

    The window is cut into `points` samples; it fails when at least `failures` of them are bad. With `samples`, a second
    query, less than `at_least` of it in the window says nothing either way (inconclusive).
    """

    query: str
    below: float | None = None
    above: float | None = None
    window: timedelta = timedelta(minutes=5)
    points: int = 5
    failures: int = 3
    samples: str | None = None
    at_least: float = 1


@dataclass(frozen=True, slots=True)
class AlertsCheck:
    """No alert with these labels fires that did not fire before the merge. `labels` are exact values."""

    labels: Mapping[str, str]


Probe = HttpCheck | PredictionCheck
Watch = PrometheusCheck | AlertsCheck
Check = HttpCheck | PredictionCheck | PrometheusCheck | AlertsCheck | Workload


class MergePolicy(StrEnum):
    """Who merges a proposal: a reviewer, or the bot as soon as the forge allows it."""

    REVIEW = "review"
    AUTO = "auto"


class RevertPolicy(StrEnum):
    """What follows a failed verdict: a merged revert, a revert that waits for a person, or only a report."""

    AUTO = "auto"
    REVIEW = "review"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class After:
    """The earlier environment that must serve the same version first, for at least `soak`."""

    target: str
    soak: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Target:
    """One model in one environment, as promotions.yaml describes it. `name` is `model/environment`."""

    name: str
    model: str
    when: Selector
    image: str  # repository without tag: ghcr.io/acme/fraud-detector
    pins: tuple[Pin, ...]
    build: Workflow | None = None
    rollout: Rollout | None = None
    verify: tuple[Check, ...] = ()
    merge: MergePolicy = MergePolicy.REVIEW
    revert: RevertPolicy = RevertPolicy.AUTO
    after: After | None = None
    settle: timedelta = timedelta(seconds=10)
    deadline: timedelta = timedelta(minutes=15)
    bake: timedelta = timedelta(0)  # how long everything must stay good before the release is live
    move_alias_back: bool = False  # whether the alias goes back with the pins after a merged revert
    reviewers: tuple[str, ...] = ()
    paused: bool = False

    @property
    def environment(self) -> str:
        """`production` of `fraud-detector/production`."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The targets in force, by name, and what is wrong with the file at the head of the branch, if anything.

    `commit` is the one whose promotions.yaml is in force: an older one where the newest is broken.
    """

    targets: Mapping[str, Target]
    commit: str | None = None
    problem: str | None = None


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
