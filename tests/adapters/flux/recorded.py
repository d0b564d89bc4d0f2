"""What Flux's recordings hold at one moment, and a cluster's objects made of it."""

import copy
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from bot.adapters.flux.judge import judge
from bot.core.verdict import Claim, Verdict
from bot.ports import Refused, Resource
from tests.recordings.adapter import claim_of
from tests.recordings.reader import changes, expectations, objects_at

KINDS = {
    "kustomizations": "Kustomization",
    "helmreleases": "HelmRelease",
    "gitrepositories": "GitRepository",
    "ocirepositories": "OCIRepository",
    "deployments": "Deployment",
    "statefulsets": "StatefulSet",
    "daemonsets": "DaemonSet",
    "pods": "Pod",
    "inferenceservices": "InferenceService",
    "rollouts": "Rollout",
    "canaries": "Canary",
    "services": "Service",
    "cronjobs": "CronJob",
    "jobs": "Job",
}


@cache
def _changes(recording: str) -> list[dict[str, Any]]:
    return changes("flux", recording)


class Moment:
    """The objects of a recording at a second, and the recording's claim about a commit; objects may be edited."""

    def __init__(self, identity: str, at: float) -> None:
        """`identity` is the id of an expectation, without `flux/`."""
        self.expected = next(
            item for item in expectations("flux") if item["claim"]["id"] == f"flux/{identity}"
        )
        recorded = self.expected["claim"]
        names = dict(recorded[key].split("/", 1) for key in ("object", "via") if key in recorded)
        self.documents = [
            copy.deepcopy(item)
            for item in objects_at(_changes(self.expected["recording"]), at)
            if item["metadata"]["name"] == names.get(item["kind"], item["metadata"]["name"])
        ]
        self.claim: Claim = claim_of(recorded)
        self.now = datetime.fromisoformat(self.expected["started"]) + timedelta(seconds=at)

    def of(self, kind: str) -> dict[str, Any]:
        """The first object of a kind."""
        return next(item for item in self.documents if item["kind"] == kind)

    def without(self, *kinds: str) -> "Moment":
        """This moment with objects of these kinds gone."""
        self.documents = [item for item in self.documents if item["kind"] not in kinds]
        return self

    def ready(self, kind: str = "Kustomization") -> str:
        """What Ready says, as a person would read it."""
        return next(str(c["status"]) for c in self.of(kind)["status"]["conditions"] if c["type"] == "Ready")

    def verdict(self) -> Verdict:
        """What the production judge says."""
        return judge(self.documents, self.claim, self.now)


class Cluster:
    """The port `Objects` over documents: it answers as the API does, keeps what is written, and may forbid kinds."""

    def __init__(
        self,
        documents: Sequence[Mapping[str, Any]],
        forbidden: Sequence[str] = (),
        lacks: Sequence[str] = (),
    ) -> None:
        """`forbidden` are the kinds that this login may not read, `lacks` are plurals with versions that are not served."""
        self.lacks = set(lacks)
        self.documents = list(documents)
        self.forbidden = set(forbidden)
        self.asked: list[str] = []

    def get(self, resource: Resource, namespace: str, name: str) -> Mapping[str, Any] | None:
        kind = self._allowed("get", resource)
        if f"{resource.plural}.{resource.version}" in self.lacks:
            return None
        for item in self.documents:
            if (item["kind"], item["metadata"]["namespace"], item["metadata"]["name"]) == (
                kind,
                namespace,
                name,
            ):
                return item
        return None

    def list(
        self, resource: Resource, namespace: str, *, labels: str = "", fields: str = "", limit: int = 100
    ) -> Sequence[Mapping[str, Any]]:
        kind = self._allowed("list", resource)
        wanted = dict(part.split("=") for part in labels.split(",") if part)
        found = [
            item
            for item in self.documents
            if item["kind"] == kind
            and item["metadata"]["namespace"] == namespace
            and wanted.items() <= item["metadata"].get("labels", {}).items()
        ]
        return found[:limit]

    def log(self, namespace: str, pod: str, container: str, *, previous: bool, lines: int) -> str:
        return ""

    def annotate(self, resource: Resource, namespace: str, name: str, annotations: Mapping[str, str]) -> None:
        found = self.get(resource, namespace, name)
        assert isinstance(found, dict)
        found["metadata"].setdefault("annotations", {}).update(annotations)

    def patch(self, resource: Resource, namespace: str, name: str, document: Mapping[str, Any]) -> None:
        raise AssertionError("Flux's objects are annotated, never patched")

    def _allowed(self, verb: str, resource: Resource) -> str:
        kind = KINDS[resource.plural]
        self.asked.append(f"{verb} {kind}")
        if kind in self.forbidden:
            raise Refused(f"the bot may not {verb} {resource.plural}: grant it")
        return kind
