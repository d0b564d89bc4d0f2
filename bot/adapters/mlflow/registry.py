"""Reading what is promoted, and what a reviewer wants to know about it; writing tags back (facts/mlflow.md, section 5)."""

import contextlib
import functools
import re
import urllib.parse
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bot.adapters.mlflow import card
from bot.adapters.mlflow.connection import Connection, Gone, Secret, Unreadable
from bot.adapters.mlflow.search import matching
from bot.core.model import ModelVersion
from bot.core.names import VERSION
from bot.core.target import Alias, Selector, Stage, Tag
from bot.ports import Refused

_COMMIT_TAG = "mlflow.source.git.commit"
_LONGEST_TAG = 5000  # what MLflow servers before 2.20 take; newer ones take more
_CARD_LIMIT = 1 << 20
_EXAMPLE_LIMIT = 1 << 20
_LOGGED_MODEL = re.compile(r"models:/(m-[0-9a-f]{32})\Z")


class MlflowRegistry:
    """The `Registry` of one MLflow server, read fresh with every call; only what a model's files say is kept.

    A model file that the server cannot hand out costs a reviewer the signature, and no promotion.
    """

    def __init__(
        self,
        tracking_uri: str,
        *,
        username: Secret | None = None,
        password: Secret | None = None,
        token: Secret | None = None,
        public_url: str | None = None,
        timeout: int = 10,
    ) -> None:
        """Import MLflow (seconds); `public_url` is where people open its pages, if that is another address."""
        self._mlflow = Connection(
            tracking_uri, username=username, password=password, token=token, timeout=timeout
        )
        self._pages = (public_url or self._mlflow.uri).rstrip("/")
        self._card = functools.lru_cache(maxsize=256)(self._read_card)
        self._example = functools.lru_cache(maxsize=16)(self._read_example)

    def wanted(self, model: str, when: Selector) -> ModelVersion | None:
        """The version that the selector names now; None when alias, version or model is gone."""
        with contextlib.suppress(Gone), self._mlflow.asking():
            found = self._find(model, when)
            return None if found is None else self._detailed(found)
        return None

    def version(self, model: str, version: str) -> ModelVersion | None:
        """One version with its details; None when it is gone."""
        with contextlib.suppress(Gone), self._mlflow.asking():
            return self._detailed(self._mlflow.models.get_model_version(model, version))
        return None

    def input_example(self, model: str, version: str) -> Mapping[str, Any] | None:
        """The logged input example, of 1 MiB at most, as a body for /invocations; None when there is no such."""
        with contextlib.suppress(Gone, Unreadable), self._mlflow.asking():
            found = self._mlflow.models.get_model_version(model, version)
            return self._example(model, version, found.source, found.creation_timestamp)
        return None

    def tag(self, model: str, version: str, tags: Mapping[str, str]) -> None:
        """Set those that differ, cut to MLflow's limit. On a version that is gone there is nothing to set."""
        from mlflow.entities.model_registry import ModelVersionTag

        with contextlib.suppress(Gone), self._mlflow.asking():
            has = self._mlflow.models.get_model_version(model, version).tags
            for key, value in tags.items():
                if has.get(key) != value[:_LONGEST_TAG]:
                    tag = ModelVersionTag(key, value[:_LONGEST_TAG])
                    self._mlflow.models.set_model_version_tag(model, version, tag)

    def set_alias(self, model: str, version: str, alias: str) -> None:
        """Promote: have this version hold the alias. `Refused` when model or version are not there."""
        try:
            with self._mlflow.asking():
                self._mlflow.models.set_registered_model_alias(model, alias, version)
        except Gone as gone:
            raise Refused(f"MLflow has no version {version} of {model}") from gone

    def _find(self, model: str, when: Selector) -> Any:
        match when:
            case Alias(name):
                return self._holder(model, name)
            case Tag(key, value):
                return matching(self._mlflow.models, model, key, value)
            case Stage(name):
                newest = self._mlflow.models.get_latest_versions(model, [name])
                return max(newest, key=lambda found: int(found.version), default=None)

    def _holder(self, model: str, alias: str) -> Any:
        try:
            with self._mlflow.asking():
                return self._mlflow.models.get_model_version_by_alias(model, alias)
        except Refused:
            # For an alias that nobody holds MLflow answers as for one that cannot be.
            with self._mlflow.asking():
                if alias in self._mlflow.models.get_registered_model(model).aliases:
                    raise
            return None

    def _detailed(self, found: Any) -> ModelVersion:
        if not VERSION.match(str(found.version)):
            raise Refused(
                f"MLflow calls a version {str(found.version)[:50]!r}, and the bot can only name numbers"
            )
        run = self._run(found)
        logged = (
            self._logged_model(found)
            if not (run and run.data.metrics and _COMMIT_TAG in run.data.tags)
            else None
        )
        tags = {**(logged.tags if logged else {}), **(run.data.tags if run else {})}
        told = self._told(found)
        return ModelVersion(
            model=found.name,
            version=str(found.version),
            status=found.status,
            run_id=found.run_id or None,
            run_url=self._run_page(run) if run else None,
            url=f"{self._pages}/#/models/{_quoted(found.name)}/versions/{_quoted(str(found.version))}",
            source=found.source or None,
            source_commit=tags.get(_COMMIT_TAG),
            user=tags.get("mlflow.user") or found.user_id or None,
            description=found.description or "",
            created_at=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
            metrics=_metrics(run, logged),
            signature=told.signature,
            has_input_example=told.example is not None,
            tags=dict(found.tags),
        )

    def _run(self, found: Any) -> Any:
        """The run that the version names, or None: it may have been deleted for good, or never have been one."""
        with contextlib.suppress(Gone), self._mlflow.asking():
            return self._mlflow.runs.get_run(found.run_id) if found.run_id else None
        return None

    def _logged_model(self, found: Any) -> Any:
        """What MLflow 3 keeps about the model itself, where the run does not tell everything."""
        named = _LOGGED_MODEL.match(found.source or "")
        identity = found.model_id or (named and named[1])
        with contextlib.suppress(Gone), self._mlflow.asking():
            return self._mlflow.runs.get_logged_model(identity) if identity else None
        return None

    def _told(self, found: Any) -> card.Card:
        with contextlib.suppress(Gone, Unreadable):
            return self._card(found.name, str(found.version), found.source, found.creation_timestamp)
        return card.Card()

    def _read_card(self, model: str, version: str, source: str, created: int) -> card.Card:
        # Source and time are in the key only: a model may be deleted and made again with the same version numbers.
        return card.read(self._mlflow.file(model, version, "MLmodel", _CARD_LIMIT))

    def _read_example(self, model: str, version: str, source: str, created: int) -> Mapping[str, Any] | None:
        told = self._card(model, version, source, created)
        if told.example is None:
            return None
        content = self._mlflow.file(model, version, told.example, _EXAMPLE_LIMIT)
        return card.body(content, told.wrapped)

    def _run_page(self, run: Any) -> str:
        return (
            f"{self._pages}/#/experiments/{_quoted(run.info.experiment_id)}/runs/{_quoted(run.info.run_id)}"
        )


def _metrics(run: Any, logged: Any) -> dict[str, float]:
    if run and run.data.metrics:
        return dict(run.data.metrics)
    return {metric.key: metric.value for metric in logged.metrics or ()} if logged else {}


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")
