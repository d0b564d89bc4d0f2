"""The shape of promotions.yaml, key by key: what is checked here is what one target can get wrong on its own."""

import re
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from bot.config.faults import quoted
from bot.config.fields import (
    Duration,
    GitHubRepository,
    GitRef,
    ImageRepository,
    RepoPath,
    Section,
    TargetName,
    exactly_one,
    one_of_schema,
    text_like,
    wrong,
)
from bot.config.verifying import RolloutEntry, VerifyEntry
from bot.core.names import PREFIX

_MODEL = re.compile(r"(?=.*\S)(?!\.{1,2}\Z)[^/:\x00-\x1f\x7f]{1,256}\Z")
_ALIAS = re.compile(r"(?!(?i:latest)\Z)(?!(?i:v)\d+\Z)[\w-]{1,255}\Z")
_TAG = re.compile(rf"(?!{PREFIX}\.)[^=\x00-\x1f\x7f]{{1,250}}=[^\x00-\x1f\x7f]{{1,5000}}\Z")
_CONTAINER = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_WORKFLOW = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,200}\.ya?ml\Z")
_REVIEWER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})(?:/[a-z0-9_][a-z0-9_.-]{0,99})?\Z")
_PATH = re.compile(
    r"""(?!\.)(?=.{1,500}\Z)(?:\.?(?:\[[0-9]+\]|\[[\w./-]+="?[^\]"]*"?\]|\[?"[^"]+"\]?|\[?'[^']+'\]?|[^.\[\]"'\s]+))+\Z"""
)
_TEXT = re.compile(r"(?=.*\{(?:tag|digest)\})[^\x00-\x1f\x7f]{1,500}\Z")
_POLICY = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}:[a-z0-9][a-z0-9.-]{0,252}\Z")
PIN_KINDS = ("kustomize", "container", "file", "markers")
_BELONGS = {
    "name": ("kustomize", "container"),
    "add": ("kustomize",),
    "path": ("file",),
    "document": ("path",),
    "text": ("path",),
    "every": ("file",),
    "policy": ("markers",),
}
_SEEN = re.compile(r"[^\x00-\x1f\x7f\s](?:[^\x00-\x1f\x7f]{0,254})\Z")

ModelName = Annotated[
    str, text_like(_MODEL, "a registered model's name in MLflow", "MLflow's names have no `/` and no `:`.")
]
AliasName = Annotated[
    str,
    text_like(
        _ALIAS,
        "an alias that MLflow allows",
        "Letters, digits, `_` and `-`; `latest` and `v1` are MLflow's own: `champion`.",
    ),
]
TagPair = Annotated[
    str,
    text_like(
        _TAG,
        "a tag to wait for",
        f"Write key and value: `deploy=production`; tags that begin with `{PREFIX}.` are the bot's own.",
    ),
]
ContainerName = Annotated[
    str, text_like(_CONTAINER, "a container's name", "Lower-case letters, digits and `-`.")
]
WorkflowFile = Annotated[
    str,
    text_like(_WORKFLOW, "a workflow's file name", "Write the name under `.github/workflows`: `deploy.yml`."),
]
Reviewer = Annotated[
    str,
    text_like(
        _REVIEWER, "a GitHub login or team", "Write a login, `octocat`, or a team, `acme/ml-platform`."
    ),
]
FieldPath = Annotated[
    str, text_like(_PATH, "a path in a file", "Write it like `spec.containers[name=server].image`.")
]
FieldText = Annotated[
    str,
    text_like(
        _TEXT, "a text with a hole", "Put `{tag}` or `{digest}` where the version goes: `s3://models/{tag}`."
    ),
]
PolicyName = Annotated[
    str, text_like(_POLICY, "a policy of Flux", "Write namespace and name: `flux-system:fraud-detector`.")
]
EntryName = Annotated[str, text_like(_SEEN, "an entry's name", "Write the `name:` that the manifest has.")]


class When(Section):
    """What makes a version wanted: exactly one of the three."""

    model_config = ConfigDict(json_schema_extra=one_of_schema("alias", "tag", "stage"))

    alias: AliasName | None = Field(
        default=None, description="The version that holds this alias.", examples=["champion"]
    )
    tag: TagPair | None = Field(
        default=None,
        description="The newest version with this tag, as `key=value`.",
        examples=["deploy=production"],
    )
    stage: Literal["Staging", "Production"] | None = Field(
        default=None,
        description="The newest version in this stage (MLflow deprecated stages).",
        examples=["Production"],
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        exactly_one(self, "alias", "tag", "stage")
        return self


class BuildEntry(Section):
    """The CI workflow that builds and pushes the image."""

    github: GitHubRepository = Field(
        description="The repository of the workflow, `owner/name`.", examples=["acme/models"]
    )
    workflow: WorkflowFile = Field(
        description="Its file under `.github/workflows`.", examples=["deploy-on-model-promotion.yml"]
    )
    ref: GitRef = Field(default="main", description="The branch or tag that it runs on.", examples=["main"])


class PinEntry(Section):
    """A place in the manifests repo that names the release: exactly one kind."""

    model_config = ConfigDict(json_schema_extra=one_of_schema(*PIN_KINDS))

    kustomize: RepoPath | None = Field(
        default=None,
        description="A folder with a kustomization: its `images` entry.",
        examples=["apps/inference-service/overlays/production"],
    )
    container: RepoPath | None = Field(
        default=None,
        description="A manifest file: the `image:` of a container in it.",
        examples=["apps/inference-service/deployment.yaml"],
    )
    file: RepoPath | None = Field(
        default=None,
        description="Any YAML or JSON file: the one place in it that names the image (Helm values, HelmRelease,"
        " Application, `storageUri`, environment, patch, ConfigMap, template, …).",
        examples=["apps/inference-service/values.yaml"],
    )
    markers: RepoPath | None = Field(
        default=None,
        description='A folder: every value in it with a comment `# {"$gitops-bot": "TARGET:tag"}`'
        " (or `:digest`, `:image`, `:uri`, `:name`) behind it.",
        examples=["apps"],
    )
    name: EntryName | None = Field(
        default=None,
        description="The `name:` of the `images` entry or of the container; by default it is found by the image.",
        examples=["fraud-detector"],
    )
    add: bool = Field(
        default=False,
        description="With `kustomize`: add the entry to `images` where it is missing.",
        examples=["true"],
    )
    path: FieldPath | None = Field(
        default=None,
        description="With `file`: which place, where several name the image, or the scalar that says the tag or the"
        " digest in keys of your own.",
        examples=["spec.containers[name=server].image"],
    )
    document: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="With `path`: the document of the file that is meant, counted from 1.",
        examples=["2"],
    )
    text: FieldText | None = Field(
        default=None,
        description="With `path`: what is written there, with `{image}`, `{tag}` and `{digest}`.",
        examples=["s3://models/fraud-detector/{tag}"],
    )
    every: bool = Field(
        default=False,
        description="With `file`: all places in it that name the image change together.",
        examples=["true"],
    )
    policy: PolicyName | None = Field(
        default=None,
        description="With `markers`: use Flux's comments `$imagepolicy` of this policy.",
        examples=["flux-system:fraud-detector"],
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        exactly_one(self, *PIN_KINDS)
        if self.kustomize is not None and re.search(r"\.ya?ml\Z", self.kustomize, re.IGNORECASE):
            wrong(f"{quoted(self.kustomize)} is a file", "Name the folder of the kustomization.")
        if self.container is not None and not re.search(r"\.(ya?ml|json)\Z", self.container):
            wrong(f"{quoted(self.container)} is not a YAML file", "Name the file of the manifest.")
        for key, needs in _BELONGS.items():
            if key in self.model_fields_set and not any(getattr(self, need) is not None for need in needs):
                wrong(
                    f"{key} belongs to `{'` or `'.join(f'{need}:' for need in needs)}`", f"Take `{key}` out."
                )
        if self.every and self.path is not None:
            wrong("every and path exclude each other", "Keep one of them.")
        return self


class AfterEntry(Section):
    """The earlier environment that must serve the same version first."""

    target: TargetName = Field(
        description="The earlier target, of the same model.", examples=["fraud-detector/staging"]
    )
    soak: Duration = Field(
        default=timedelta(0),
        description="For at least this long.",
        examples=["30m"],
        json_schema_extra={"default": "0s"},
    )


class Defaults(Section):
    """What targets take when they leave it out."""

    model: ModelName | None = Field(
        default=None, description="The registered model in MLflow.", examples=["fraud-detector"]
    )
    when: When | None = Field(
        default=None, description="What makes a version wanted.", examples=["{alias: champion}"]
    )
    image: ImageRepository | None = Field(
        default=None,
        description="The image's repository: no tag, no digest.",
        examples=["ghcr.io/acme/fraud-detector"],
    )
    build: BuildEntry | None = Field(
        default=None,
        description="What builds the image; without it the image comes from elsewhere and is waited for.",
        examples=["{github: acme/models, workflow: deploy-on-model-promotion.yml}"],
    )
    rollout: RolloutEntry | None = Field(
        default=None,
        description="What applies the manifests; without it merged counts as rolled out.",
        examples=["{argocd: fraud-detector-production}"],
    )
    verify: tuple[VerifyEntry, ...] | None = Field(
        default=None,
        description="The proofs that the release serves, beyond the rollout.",
        examples=['[{http: "https://fraud.acme.dev/health"}, {prediction: "https://fraud.acme.dev"}]'],
    )
    merge: Literal["review", "auto"] | None = Field(
        default=None,
        description="Who merges a proposal: a reviewer, or the bot as soon as the forge allows.",
        examples=["review"],
    )
    revert: Literal["auto", "review", "off"] | None = Field(
        default=None,
        description="After a failed verification: a merged revert, a revert that waits for a person, only a report.",
        examples=["auto"],
    )
    settle: Duration | None = Field(
        default=None,
        description="How long a rollout must stay good before it counts (10s).",
        examples=["10s"],
    )
    deadline: Duration | None = Field(
        default=None,
        description="How long a rollout may take before it counts as failed (15m).",
        examples=["15m"],
    )
    bake: Duration | None = Field(
        default=None,
        description="How long everything must stay good before the release is live (0s).",
        examples=["30m"],
    )
    move_alias_back: bool | None = Field(
        default=None,
        description="True: after a merged revert the alias goes back to the version that serves again.",
        examples=["true"],
    )
    reviewers: tuple[Reviewer, ...] | None = Field(
        default=None,
        description="Who is asked to review: logins, or teams as `org/team`.",
        examples=["[acme/ml-platform]"],
    )
    paused: bool | None = Field(
        default=None, description="True: the bot looks and says, and changes nothing.", examples=["true"]
    )


def _some(pins: tuple[PinEntry, ...]) -> tuple[PinEntry, ...]:
    return pins or wrong("a target needs at least one pin", "Add `- kustomize: FOLDER` or `- file: FILE`.")


class TargetEntry(Defaults):
    """One model in one environment."""

    # An editor sees one file at a time: what `defaults:` may supply is not required of each target.
    model_config = ConfigDict(json_schema_extra={"required": ["name", "pins"]})

    name: TargetName = Field(
        description="Its name, `model/environment`.", examples=["fraud-detector/production"]
    )
    model: ModelName = Field(description="The registered model in MLflow.", examples=["fraud-detector"])
    when: When = Field(description="What makes a version wanted.", examples=["{alias: champion}"])
    image: ImageRepository = Field(
        description="The image's repository: no tag, no digest.", examples=["ghcr.io/acme/fraud-detector"]
    )
    pins: Annotated[tuple[PinEntry, ...], AfterValidator(_some)] = Field(
        json_schema_extra={"minItems": 1},
        description="The places in this repo that name the release; all change together.",
        examples=["[{kustomize: apps/inference-service/overlays/production}]"],
    )
    after: AfterEntry | None = Field(
        default=None,
        description="The earlier environment that must serve the version first.",
        examples=["{target: fraud-detector/staging, soak: 30m}"],
    )


class PromotionsFile(Section):
    """promotions.yaml at the root of a manifests repo."""

    defaults: Defaults | None = Field(
        default=None, description="What targets take when they leave it out.", examples=["{merge: review}"]
    )
    targets: tuple[TargetEntry, ...] = Field(description="The targets of this repo.", examples=["[]"])
