"""The web with a real journal and a catalogue, and a queue that remembers who was woken."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask

from bot.adapters.journal import SqlJournal
from bot.core.target import (
    Alias,
    ArgoCD,
    Catalogue,
    HttpCheck,
    KustomizePin,
    PredictionCheck,
    Tag,
    Target,
    Workflow,
)
from bot.ports import Pass, Queued
from bot.web.app import Doors, create_app
from bot.web.metrics import Metrics

MLFLOW_SECRET = "an MLflow secret, ünlike others"
GITHUB_SECRET = "a GitHub secret"
ARGOCD_TOKEN = "an Argo CD token, ünlike others"
FLUX_SECRET = "a Flux secret"
ALERTMANAGER_TOKEN = "an Alertmanager token"
MANIFESTS = "acme/manifests"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def target(name: str, **changes: Any) -> Target:
    model = name.partition("/")[0]
    usual = Target(
        name=name,
        model=model,
        when=Alias("champion"),
        image=f"ghcr.io/acme/{model}",
        pins=(KustomizePin(f"apps/{model}/overlays/production"),),
        build=Workflow("acme/models", "deploy-on-model-promotion.yml"),
        rollout=ArgoCD(name.replace("/", "-")),
        verify=(
            HttpCheck(f"https://{model}.acme.test/health"),
            PredictionCheck(f"https://{model}.acme.test"),
        ),
    )
    return replace(usual, **changes)


def catalogue(*targets: Target, **changes: Any) -> Catalogue:
    return Catalogue({item.name: item for item in targets}, **{"commit": "c" * 40, **changes})


USUAL = catalogue(
    target("fraud-detector/production"),
    target("fraud-detector/staging", when=Tag("deploy", "staging"), build=None),
    target("churn/production", build=Workflow("acme/churn", "build.yml")),
)


@dataclass
class Woken:
    """A queue that nobody works on."""

    names: list[str] = field(default_factory=list)
    queued: list[Queued] = field(default_factory=list)

    def wake(self, target: str) -> None:
        self.names.append(target)

    def run(self, pass_: Pass) -> None:
        return

    def list(self) -> Sequence[Queued]:
        return self.queued


@dataclass
class Web:
    """An application with everything behind its doors at hand."""

    folder: Path
    catalogue: Catalogue = field(default_factory=lambda: USUAL)
    options: Mapping[str, Any] = field(default_factory=dict)
    queue: Woken = field(default_factory=Woken)
    now: datetime = NOW
    alive: bool = True

    def __post_init__(self) -> None:
        self.journal = SqlJournal(f"sqlite:///{self.folder}/journal.db")
        self.metrics = Metrics(
            catalogue=lambda: self.catalogue,
            standings=self.journal.standings,
            queue=self.queue.list,
            version="0.1.0",
        )
        usual: dict[str, Any] = {
            "catalogue": lambda: self.catalogue,
            "journal": self.journal,
            "inbox": self.journal,
            "queue": self.queue,
            "wake": self.queue.wake,
            "clock": lambda: self.now,
            "metrics": self.metrics,
            "version": "0.1.0",
            "mlflow_secrets": lambda: (MLFLOW_SECRET, "the next one"),
            "github_secrets": lambda: (GITHUB_SECRET,),
            "argocd_secrets": lambda: (ARGOCD_TOKEN, "the next one"),
            "flux_secrets": lambda: (FLUX_SECRET, "the next one"),
            "alertmanager_secrets": lambda: (ALERTMANAGER_TOKEN, "the next one"),
            "github_login": "gitops-bot[bot]",
            "manifests_repository": MANIFESTS,
            "alive": lambda: self.alive,
            "repetitions": self.journal.repetitions,
        }
        self.app: Flask = create_app(Doors(**{**usual, **self.options}))

    def break_journal(self) -> None:
        """What a failing disk does."""
        self.journal.close()
        for file in self.folder.glob("journal.db-*"):
            file.unlink()
        (self.folder / "journal.db").write_bytes(b"rotten" * 4000)

    def close(self) -> None:
        self.journal.close()


def mlflow_headers(
    body: bytes, *, secret: str = MLFLOW_SECRET, delivery: str = "1b4e28ba", at: datetime = NOW
) -> dict[str, str]:
    """Signed as facts/mlflow.md, section 4, says."""
    seconds = str(int(at.timestamp()))
    content = b".".join((delivery.encode(), seconds.encode(), body))
    signature = base64.b64encode(hmac.new(secret.encode(), content, hashlib.sha256).digest()).decode()
    return {
        "Content-Type": "application/json",
        "X-MLflow-Delivery-Id": delivery,
        "X-MLflow-Timestamp": seconds,
        "X-MLflow-Signature": f"v1,{signature}",
    }


def mlflow_body(entity: str = "model_version_alias", action: str = "created", **data: str) -> bytes:
    usual = data or {"name": "fraud-detector", "alias": "champion", "version": "7"}
    return json.dumps(
        {"entity": entity, "action": action, "timestamp": "2026-11-24T12:00:00+00:00", "data": usual}
    ).encode()


def github_headers(
    event: str, body: bytes, *, secret: str = GITHUB_SECRET, delivery: str = "72d3162e"
) -> dict[str, str]:
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": f"sha256={signature}",
    }


def github_body(**changes: Any) -> bytes:
    usual = {
        "repository": {"full_name": MANIFESTS, "default_branch": "main"},
        "sender": {"login": "ada"},
    }
    return json.dumps({**usual, **changes}).encode()


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)
