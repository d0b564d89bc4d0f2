"""The shape of promotions.yaml, key by key: what is checked here is what one target can get wrong on its own."""

import re
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from bot.config.fields import (
    Duration,
    GitHubRepository,
    GitRef,
    ImageRepository,
    Section,
    TargetName,
    exactly_one,
    one_of_schema,
    text_like,
    wrong,
)
from bot.config.pinning import PinEntry
from bot.config.verifying import RolloutEntry, VerifyEntry
from bot.core.names import PREFIX

_MODEL = re.compile(r"(?=.*\S)(?!\.{1,2}\Z)[^/:\x00-\x1f\x7f]{1,256}\Z")
_ALIAS = re.compile(r"(?!(?i:latest)\Z)(?!(?i:v)\d+\Z)[\w-]{1,255}\Z")
_TAG = re.compile(rf"(?!{PREFIX}\.)[^=\x00-\x1f\x7f]{{1,250}}=[^\x00-\x1f\x7f]{{1,5000}}\Z")
_WORKFLOW = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,200}\.ya?ml\Z")
_REVIEWER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})(?:/[a-z0-9_][a-z0-9_.-]{0,99})?\Z")

ModelName = Annotated[
    str,
    text_like(
        _MODEL,
        "a registered model's name in MLflow",
        "MLflow's names have no `/` and no `:`, and at most 256 characters.",
    ),
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
