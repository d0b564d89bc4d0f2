"""How a target is rolled out and proven: `rollout:` and `verify:` of promotions.yaml."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema, model_validator

from bot.config.faults import quoted
from bot.config.fields import (
    Duration,
    Section,
    check_url,
    exactly_one,
    one_of_schema,
    text_like,
    wrong,
)
from bot.core.target import WorkloadKind

_KUBERNETES_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\Z")
_WORKLOAD = re.compile(rf"(?:{'|'.join(WorkloadKind)})/[a-z0-9](?:[a-z0-9.-]{{0,251}}[a-z0-9])?\Z")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,127}\Z")
_HOLE = re.compile(r"\{([^{}]*)\}")
HOLES = ("version", "tag", "commit", "model", "environment")
ROLLOUT_KINDS = ("argocd", "flux")
CHECK_KINDS = ("http", "prediction", "prometheus", "alerts", "workload")
_OF_ROLLOUT = {"project": "argocd", "terminate": "argocd", "helm_release": "flux", "helm_namespace": "flux"}
_OF_CHECK = {
    "status": ("http",),
    "json_": ("http",),
    "attempts": ("http", "prediction"),
    "interval": ("http", "prediction"),
    "timeout": ("http", "prediction"),
    "latency_ms": ("prediction",),
    "tolerance": ("prediction",),
    "below": ("prometheus",),
    "above": ("prometheus",),
    "window": ("prometheus",),
    "points": ("prometheus",),
    "failures": ("prometheus",),
    "samples": ("prometheus",),
    "at_least": ("samples",),
    "namespace": ("workload",),
}

KubernetesName = Annotated[
    str, text_like(_KUBERNETES_NAME, "a name in Kubernetes", "Lower-case letters, digits, `-` and `.`.")
]
WorkloadName = Annotated[
    str,
    text_like(
        _WORKLOAD,
        "a workload",
        f"Write kind and name: `deployment/fraud-detector`; kinds are {', '.join(WorkloadKind)}.",
    ),
]


def check_probe_url(text: str) -> str:
    """A URL in which `{version}`, `{tag}`, `{commit}`, `{model}` and `{environment}` are filled in."""
    for hole in _HOLE.findall(text):
        if hole not in HOLES:
            wrong(f"`{{{hole}}}` is not known here", f"Known are {', '.join(f'`{{{h}}}`' for h in HOLES)}.")
    check_url(_HOLE.sub("x", text))
    return text.rstrip("/")


def _labels(labels: Mapping[str, str]) -> Mapping[str, str]:
    for name in labels:
        if not _LABEL.match(name):
            wrong(f"{quoted(name)} is not a label's name", "Letters, digits and `_`: `{service: fraud}`.")
    return labels or wrong("no label is named", "Name at least one: `{service: fraud-detector}`.")


ProbeUrl = Annotated[
    str, AfterValidator(check_probe_url), WithJsonSchema({"type": "string", "pattern": "^https?://[^\\s@]+$"})
]


class RolloutEntry(Section):
    """What applies the manifests repo and can say how far it is: exactly one kind."""

    model_config = ConfigDict(json_schema_extra=one_of_schema(*ROLLOUT_KINDS))

    argocd: KubernetesName | None = Field(
        default=None,
        description="The Argo CD Application that applies this target.",
        examples=["fraud-detector-production"],
    )
    flux: KubernetesName | None = Field(
        default=None,
        description="The Flux Kustomization that applies this target.",
        examples=["fraud-detector-production"],
    )
    project: KubernetesName | None = Field(
        default=None,
        description="With `argocd`: its project, where the token needs it.",
        examples=["ml"],
    )
    namespace: KubernetesName | None = Field(
        default=None,
        description="The namespace of the Application or Kustomization (`argocd`, `flux-system`).",
        examples=["argocd"],
    )
    through: Literal["api", "kubernetes", "forge"] | None = Field(
        default=None,
        description="Whom to ask: Argo CD's own `api` or the `kubernetes` API; for Flux the `kubernetes` API, or the"
        " commit statuses that it posts to the `forge`.",
        examples=["kubernetes"],
    )
    terminate: bool = Field(
        default=False,
        description="With `argocd`: end a retrying operation that keeps a revert from being applied.",
        examples=["true"],
    )
    helm_release: KubernetesName | None = Field(
        default=None,
        description="With `flux`: the HelmRelease that deploys the image.",
        examples=["fraud-detector"],
    )
    helm_namespace: KubernetesName | None = Field(
        default=None,
        description="With `helm_release`: its namespace, if it is another.",
        examples=["models"],
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        exactly_one(self, *ROLLOUT_KINDS)
        for key, kind in _OF_ROLLOUT.items():
            if key in self.model_fields_set and getattr(self, kind) is None:
                wrong(f"{key} belongs to `{kind}:`", f"Take `{key}` out.")
        if self.flux is not None and self.through == "api":
            wrong("Flux has no API of its own", "Write `through: kubernetes` or `through: forge`.")
        if self.argocd is not None and self.through == "forge":
            wrong("Argo CD is not asked through the forge", "Write `through: api` or `through: kubernetes`.")
        if self.helm_namespace is not None and self.helm_release is None:
            wrong("helm_namespace needs `helm_release:`", "Name the HelmRelease.")
        return self


class VerifyEntry(Section):
    """One proof that the release serves: exactly one kind."""

    model_config = ConfigDict(json_schema_extra=one_of_schema(*CHECK_KINDS))

    http: ProbeUrl | None = Field(
        default=None,
        description="A URL to GET; `{version}`, `{tag}`, `{commit}`, `{model}` and `{environment}` are filled in.",
        examples=["https://fraud.acme.dev/health"],
    )
    prediction: ProbeUrl | None = Field(
        default=None,
        description="The model server: the model's own input example is sent to `/invocations` there.",
        examples=["https://fraud.acme.dev"],
    )
    prometheus: str | None = Field(
        default=None,
        min_length=1,
        max_length=5000,
        description="A query with one number as its answer, with `below` or `above`.",
        examples=['rate(http_requests_total{service="fraud",code=~"5.."}[1m])'],
    )
    alerts: Annotated[dict[str, str], AfterValidator(_labels)] | None = Field(
        default=None,
        description="Labels: no alert that carries them may begin to fire.",
        examples=["{service: fraud-detector}"],
    )
    workload: WorkloadName | None = Field(
        default=None,
        description=f"`KIND/NAME`, with `namespace`: it runs the image completely. Kinds: {', '.join(WorkloadKind)}.",
        examples=["deployment/fraud-detector"],
    )
    namespace: KubernetesName | None = Field(
        default=None, description="With `workload`: its namespace.", examples=["models"]
    )
    status: int | None = Field(
        default=None, ge=100, le=599, description="With `http`: the good status (200).", examples=[200]
    )
    json_: dict[str, Any] | None = Field(
        default=None,
        alias="json",
        description="With `http`: what the answer must hold, key by key.",
        examples=["{status: healthy}"],
    )
    attempts: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Bad answers before it counts as failed (30; a prediction 5).",
        examples=[30],
    )
    interval: Duration | None = Field(
        default=None, description="How long between two tries (2s).", examples=["5s"]
    )
    timeout: Duration | None = Field(
        default=None, description="How long one try may take (5s; a prediction 10s).", examples=["5s"]
    )
    latency_ms: int | None = Field(
        default=None,
        ge=1,
        le=300_000,
        description="With `prediction`: an answer that takes longer, in milliseconds, is a bad one.",
        examples=[500],
    )
    tolerance: float | None = Field(
        default=None,
        ge=0,
        le=1,
        strict=False,
        description="With `prediction`: it must answer what it answered when its image was built, within this relative tolerance.",
        examples=[0.001],
    )
    below: float | None = Field(
        default=None,
        strict=False,
        description="With `prometheus`: the bound that it stays under.",
        examples=[0.05],
    )
    above: float | None = Field(
        default=None,
        strict=False,
        description="With `prometheus`: the bound that it stays over.",
        examples=[0.99],
    )
    window: Duration | None = Field(
        default=None, description="How long after the rollout it is watched (5m).", examples=["10m"]
    )
    points: int | None = Field(
        default=None, ge=1, le=100, description="How many times in the window (5).", examples=[5]
    )
    failures: int | None = Field(
        default=None, ge=1, le=100, description="How many of these must be bad to fail (3).", examples=[3]
    )
    samples: str | None = Field(
        default=None,
        min_length=1,
        max_length=5000,
        description="A second query: how much there was to measure in the window.",
        examples=['increase(http_requests_total{service="fraud"}[5m])'],
    )
    at_least: float | None = Field(
        default=None, strict=False, gt=0, description="With `samples`: less says nothing (1).", examples=[100]
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        exactly_one(self, *CHECK_KINDS)
        self._belongs()
        for key in ("timeout", "interval"):
            span = getattr(self, key)
            if span is not None and not timedelta(0) < span <= timedelta(minutes=5):
                wrong(f"{key} is not between 1s and 5m", f"Write it like `{key}: 5s`.")
        if any(f"{{{hole}}}" in repr(self.json_) for hole in HOLES):
            wrong("holes are filled in the address, not in `json`", "Write the value itself, or take it out.")
        if self.workload is not None and self.namespace is None:
            wrong("the workload has no namespace", "Add `namespace:`.")
        if self.prometheus is not None:
            self._watched()
        return self

    def _belongs(self) -> None:
        for key, needs in _OF_CHECK.items():
            if key in self.model_fields_set and not any(getattr(self, need) is not None for need in needs):
                shown = key.rstrip("_")
                wrong(
                    f"{shown} belongs to `{'` or `'.join(f'{need}:' for need in needs)}`",
                    f"Take `{shown}` out.",
                )

    def _watched(self) -> None:
        if (self.below is None) == (self.above is None):
            wrong("a query needs one bound", "Write exactly one of `below:` or `above:`.")
        if self.window is not None and not timedelta(0) < self.window <= timedelta(days=1):
            wrong("window is not between 1s and 1d", "Write it like `window: 5m`.")
        points = self.points if self.points is not None else 5
        if self.failures is not None and self.failures > points:
            wrong(f"{self.failures} of {points} points cannot be bad", "Make `failures` at most `points`.")
