"""What a person writes in promotions.yaml, as values: targets with their pins, rollouts and proofs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any


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
