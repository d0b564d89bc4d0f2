"""bot.yaml, of the operator: where everything is, and where the secrets for it are kept."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from bot.config import document
from bot.config.faults import Fault, Faults, key_path
from bot.config.fields import Duration, Section, check_host, is_loopback, wrong
from bot.config.secret import LocalPath, Secret
from bot.config.sections import (
    ArgoCDAccess,
    FluxAccess,
    ForgeAccess,
    KubernetesAccess,
    Log,
    ManifestsRepository,
    MLflow,
    PrometheusAccess,
    RegistryAccess,
    Reverts,
    Server,
    WebhookSecrets,
)
from bot.config.validation import validate

FILE = "bot.yaml"
CONFIG_VARIABLE = "GITOPS_BOT_CONFIG"


def _sweep(span: timedelta) -> timedelta:
    if not timedelta(seconds=5) <= span <= timedelta(days=1):
        wrong("this is not between 5s and 1d", "Write it like `sweep: 5m`.")
    return span


def _plain_only_here(registries: dict[str, RegistryAccess]) -> dict[str, RegistryAccess]:
    for host, access in registries.items():
        if access.insecure and not is_loopback(f"http://{host}"):
            wrong(f"insecure is for a registry on this machine only, not for {host}", "Take `insecure` out.")
    return registries


class Settings(Section):
    """bot.yaml, of the operator."""

    mlflow: MLflow = Field(description="The model registry.", examples=["{url: http://127.0.0.1:5000}"])
    manifests: ManifestsRepository = Field(
        description="The manifests repo.",
        examples=["{url: https://github.com/acme/manifests.git, repository: acme/manifests}"],
    )
    forge: ForgeAccess = Field(
        description="The forge of the manifests repo.", examples=["{token: {env: GITHUB_TOKEN}}"]
    )
    data: LocalPath = Field(
        description="The folder for the database and the mirror of the manifests repo, one for each replica; from the folder of bot.yaml if relative.",
        examples=["/var/lib/gitops-bot"],
    )
    database: Secret | None = Field(
        default=None,
        description="A PostgreSQL URL instead of the database in the data folder, so that several replicas can run.",
        examples=["{env: DATABASE_URL}"],
    )
    argocd: ArgoCDAccess | None = Field(
        default=None,
        description="The Argo CD server, for targets with `rollout: {argocd: …}`.",
        examples=["{url: https://argocd.acme.dev, token: {env: ARGOCD_TOKEN}}"],
    )
    kubernetes: KubernetesAccess | None = Field(
        default=None,
        description="The Kubernetes API, for `workload:` checks, `rollout: {flux: …}` and `through: kubernetes`.",
        examples=["{}"],
    )
    flux: FluxAccess = Field(
        default=FluxAccess(),
        description="For `rollout: {flux: …}`.",
        examples=["{receiver: {env: FLUX_RECEIVER_URL}}"],
    )
    prometheus: PrometheusAccess | None = Field(
        default=None,
        description="Prometheus, for `prometheus:` and `alerts:` checks.",
        examples=["{url: http://prometheus.monitoring.svc:9090}"],
    )
    notify: tuple[Secret, ...] = Field(
        default=(),
        description="Who is told when a person must look: URLs, as the README lists them.",
        examples=["[{env: SLACK_URL}]"],
    )
    reverts: Reverts = Field(
        default=Reverts(),
        description="How many reverts the bot merges by itself.",
        examples=["{per_hour: 5}"],
    )
    registries: Annotated[
        dict[Annotated[str, AfterValidator(check_host)], RegistryAccess], AfterValidator(_plain_only_here)
    ] = Field(
        default_factory=dict,
        description="Credentials by registry host; without them images are read anonymously.",
        examples=["{ghcr.io: {username: bot, password: {env: GHCR_TOKEN}}}"],
    )
    webhooks: WebhookSecrets = Field(
        default=WebhookSecrets(),
        description="The secrets of signed webhooks.",
        examples=["{mlflow: [{env: MLFLOW_WEBHOOK_SECRET}]}"],
    )
    server: Server = Field(
        default=Server(), description="Where the bot listens.", examples=["{host: 0.0.0.0}"]
    )
    sweep: Annotated[Duration, AfterValidator(_sweep)] = Field(
        default=timedelta(minutes=5),
        description="How often every target is looked at without any event.",
        examples=["5m"],
        json_schema_extra={"default": "5m"},
    )
    workers: int = Field(
        default=4, ge=1, le=64, description="How many targets are looked at at once.", examples=[4]
    )
    log: Log = Field(default=Log(), description="What is logged.", examples=["{format: json}"])
    merge_method: Literal["merge", "squash", "rebase"] = Field(
        default="merge", description="How the bot merges.", examples=["merge"]
    )

    def secrets(self) -> Iterator[tuple[tuple[str | int, ...], Secret]]:
        """Every secret with the steps to its key."""
        yield from _secrets(self, ())


def _secrets(value: Any, steps: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Secret]]:
    if isinstance(value, Secret):
        yield steps, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name), (*steps, name))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _secrets(item, (*steps, name))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _secrets(item, (*steps, index))


def config_path(given: Path | None = None) -> Path:
    """The bot.yaml to read: the given one, that of $GITOPS_BOT_CONFIG, or the one in this folder."""
    return given or Path(os.environ.get(CONFIG_VARIABLE) or FILE)


def load(path: Path, *, with_secrets: bool = True) -> Settings:
    """The settings in this file. Raises `Faults`: of the file, or of secrets that cannot be read."""
    file = str(path)
    how = f"Name it with --config or ${CONFIG_VARIABLE}; the README shows the shortest one."
    data = document.read_file(path, how)
    root = document.read(data, file)
    settings = validate(Settings, root, file, {"folder": path.absolute().parent})
    if with_secrets:
        how = "Set it where the bot is started, or correct its place here."
        missing = [(steps, problem) for steps, secret in settings.secrets() if (problem := secret.problem())]
        if missing:
            raise Faults(
                Fault(file, *root.place(steps), key_path(steps), what, how) for steps, what in missing
            )
    return settings


def secret_warnings(settings: Settings) -> tuple[str, ...]:
    """Sentences about secrets that are kept carelessly, each with its cure."""
    cure = "Make it private: `chmod 600`, or `defaultMode: 0400` in Kubernetes."
    found = ((key_path(steps), secret.warning()) for steps, secret in settings.secrets())
    return tuple(f"{key}: {warning}. {cure}" for key, warning in found if warning)
