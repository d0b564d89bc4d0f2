"""The sections of bot.yaml, key by key."""

from typing import Literal, Self

from pydantic import Field, model_validator

from bot.config.fields import GitHubRepository, GitRef, RepositoryUrl, Section, Url, is_loopback, wrong
from bot.config.secret import LocalPath, Secret


class MLflow(Section):
    """The MLflow server whose registry is followed."""

    url: Url = Field(
        description="The tracking server, as the bot reaches it.", examples=["http://mlflow.mlflow.svc:5000"]
    )
    public_url: Url | None = Field(
        default=None,
        description="The same as people reach it, for links; by default `url`.",
        examples=["https://mlflow.acme.dev"],
    )
    username: str | None = Field(
        default=None,
        min_length=1,
        description="For basic authentication, with `password`.",
        examples=["gitops-bot"],
    )
    password: Secret | None = Field(
        default=None,
        description="For basic authentication, with `username`.",
        examples=["{env: MLFLOW_PASSWORD}"],
    )
    token: Secret | None = Field(
        default=None, description="For a bearer token, instead of the two.", examples=["{env: MLFLOW_TOKEN}"]
    )

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.username is None) != (self.password is None):
            wrong("username and password belong together", "Give both, or none of them.")
        if self.token is not None and self.password is not None:
            wrong("token and password exclude each other", "Keep one of them.")
        return self


class ManifestsRepository(Section):
    """The git repo that Argo CD applies; its promotions.yaml says what is followed."""

    url: RepositoryUrl = Field(
        description="Where git fetches and pushes.", examples=["https://github.com/acme/manifests.git"]
    )
    repository: GitHubRepository = Field(
        description="The same at the forge, `owner/name`.", examples=["acme/manifests"]
    )
    branch: GitRef = Field(
        default="main", description="The branch that is applied; pull requests go to it.", examples=["main"]
    )


class ForgeAccess(Section):
    """Where pull requests and CI runs live."""

    kind: Literal["github"] = Field(default="github", description="Which forge it is.", examples=["github"])
    api_url: Url = Field(
        default="https://api.github.com",
        description="Its REST API.",
        examples=["https://github.acme.dev/api/v3"],
    )
    token: Secret = Field(
        description="The token for API and git over HTTPS.", examples=["{env: GITHUB_TOKEN}"]
    )
    login: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="Whose token it is; needed for a GitHub App, whose tokens cannot ask.",
        examples=["'acme-gitops[bot]'"],
    )


class ArgoCDAccess(Section):
    """The Argo CD server that applies the manifests."""

    url: Url = Field(description="Its address.", examples=["https://argocd.acme.dev"])
    token: Secret = Field(
        description="A token of a project role that may get the applications.",
        examples=["{env: ARGOCD_TOKEN}"],
    )
    insecure: bool = Field(
        default=False,
        description="Accept any certificate; only for a server on this machine.",
        examples=["true"],
    )

    @model_validator(mode="after")
    def _only_here(self) -> Self:
        if self.insecure and not is_loopback(self.url):
            wrong(
                "insecure is for a server on this machine only",
                "Take `insecure` out, and trust its certificate.",
            )
        return self


class KubernetesAccess(Section):
    """The Kubernetes API, for workloads, for Flux, and for Argo CD without its own API."""

    kubeconfig: LocalPath | None = Field(
        default=None,
        description="A kubeconfig file; without it the bot's own service account in the cluster.",
        examples=["/etc/gitops-bot/kubeconfig"],
    )
    context: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        description="Which of its contexts; by default its current one.",
        examples=["production"],
    )


class FluxAccess(Section):
    """What only Flux needs."""

    receiver: Secret | None = Field(
        default=None,
        description="The URL of a Receiver, so that Flux fetches at once; its path is the secret.",
        examples=["{env: FLUX_RECEIVER_URL}"],
    )


class PrometheusAccess(Section):
    """The Prometheus that watches the models."""

    url: Url = Field(description="Its address.", examples=["http://prometheus.monitoring.svc:9090"])
    token: Secret | None = Field(
        default=None,
        description="A bearer token, where it asks for one.",
        examples=["{env: PROMETHEUS_TOKEN}"],
    )


class RegistryAccess(Section):
    """How to read from one image registry."""

    username: str | None = Field(
        default=None, min_length=1, description="The user, with `password`.", examples=["gitops-bot"]
    )
    password: Secret | None = Field(
        default=None,
        description="The password or token, with `username`.",
        examples=["{env: REGISTRY_PASSWORD}"],
    )
    insecure: bool = Field(
        default=False, description="Plain HTTP; only for a registry on this machine.", examples=["true"]
    )

    @model_validator(mode="after")
    def _together(self) -> Self:
        if (self.username is None) != (self.password is None):
            wrong("username and password belong together", "Give both, or none of them.")
        return self


class WebhookSecrets(Section):
    """The secrets that signed webhooks are verified with; several while one replaces another."""

    mlflow: tuple[Secret, ...] = Field(
        default=(),
        description="Of MLflow's webhooks; without one they are refused.",
        examples=["[{env: MLFLOW_WEBHOOK_SECRET}]"],
    )
    github: tuple[Secret, ...] = Field(
        default=(),
        description="Of GitHub's webhooks; without one they are refused.",
        examples=["[{env: GITHUB_WEBHOOK_SECRET}]"],
    )

    argocd: tuple[Secret, ...] = Field(
        default=(),
        description="The bearer tokens of Argo CD's notifications; without one they are refused.",
        examples=["[{env: ARGOCD_WEBHOOK_TOKEN}]"],
    )
    flux: tuple[Secret, ...] = Field(
        default=(),
        description="Of Flux's `generic-hmac` events; without one they are refused.",
        examples=["[{env: FLUX_WEBHOOK_SECRET}]"],
    )
    alertmanager: tuple[Secret, ...] = Field(
        default=(),
        description="The bearer tokens of Alertmanager's calls; without one they are refused.",
        examples=["[{env: ALERTMANAGER_WEBHOOK_TOKEN}]"],
    )


class Server(Section):
    """Where the bot listens for webhooks and serves its pages."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        max_length=253,
        description="The address to listen on; in a container `0.0.0.0`.",
        examples=["0.0.0.0"],  # noqa: S104 — in a container, only what is published is reached
    )
    port: int = Field(default=8080, ge=1, le=65535, description="The port to listen on.", examples=[8080])
    public_url: Url | None = Field(
        default=None,
        description="How people reach it, for links in pull requests.",
        examples=["https://gitops-bot.acme.dev"],
    )
    operator: Secret | None = Field(
        default=None,
        description="The password for buttons on the pages; without it the pages only show.",
        examples=["{env: GITOPS_BOT_OPERATOR_PASSWORD}"],
    )


class Reverts(Section):
    """The storm guard."""

    per_hour: int = Field(
        default=5,
        ge=0,
        le=1000,
        description="Over all targets; what is more is opened, but waits for a person to merge it, who is told.",
        examples=[5],
    )


class Log(Section):
    """What is logged, to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="From which level on.", examples=["info"]
    )
    format: Literal["text", "json"] = Field(
        default="text", description="For people, or one JSON object per line.", examples=["json"]
    )
