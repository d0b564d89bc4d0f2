"""The shape of a pin in promotions.yaml: which place in the manifests repo names the release."""

import re
from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from bot.config.faults import quoted
from bot.config.fields import RepoPath, Section, exactly_one, one_of_schema, text_like, wrong

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
