"""A small Kubernetes API in memory: objects by selector, as a list gives them, logs, rights, and what was asked."""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.ports import Refused, Resource, Retryable

_KINDS = {
    "deployments": "Deployment",
    "replicasets": "ReplicaSet",
    "pods": "Pod",
    "events": "Event",
    "statefulsets": "StatefulSet",
    "daemonsets": "DaemonSet",
    "controllerrevisions": "ControllerRevision",
    "rollouts": "Rollout",
    "canaries": "Canary",
    "inferenceservices": "InferenceService",
    "revisions": "Revision",
}


class MemoryObjects:
    """Fills the port `Objects` with these documents. `forbidden` are plurals, and `log`; `down` answers nothing."""

    def __init__(
        self,
        documents: Sequence[Mapping[str, Any]],
        logs: Mapping[tuple[str, bool], str] | None = None,
        forbidden: Sequence[str] = (),
        *,
        down: bool = False,
    ) -> None:
        self.documents = documents
        self.logs = logs or {}
        self.forbidden = forbidden
        self.down = down
        self.asked: list[str] = []

    def get(self, resource: Resource, namespace: str, name: str) -> Mapping[str, Any] | None:
        self._ask("get", resource.plural)
        found = (item for item in self._of(resource) if item["metadata"].get("name") == name)
        return next(found, None)

    def list(
        self, resource: Resource, namespace: str, *, labels: str = "", fields: str = "", limit: int = 100
    ) -> Sequence[Mapping[str, Any]]:
        self._ask("list", resource.plural)
        found = [item for item in self._of(resource) if _chosen(item, labels) and _about(item, fields)]
        return [{key: value for key, value in item.items() if key != "kind"} for item in found[:limit]]

    def log(self, namespace: str, pod: str, container: str, *, previous: bool, lines: int) -> str:
        self._ask("get", "log")
        return "\n".join(self.logs.get((pod, previous), "").splitlines()[-lines:])

    def annotate(self, resource: Resource, namespace: str, name: str, annotations: Mapping[str, str]) -> None:
        raise AssertionError("a look must not write")

    def patch(self, resource: Resource, namespace: str, name: str, document: Mapping[str, Any]) -> None:
        raise AssertionError("a look must not write")

    def _ask(self, verb: str, what: str) -> None:
        self.asked.append(f"{verb} {what}")
        if self.down:
            raise Retryable("the API server at https://k8s.example.com cannot be reached (ConnectTimeout)")
        if what in self.forbidden:
            raise Refused(f"the bot may not {verb} {what} in namespace shop: grant it")

    def _of(self, resource: Resource) -> Sequence[Mapping[str, Any]]:
        return [item for item in self.documents if item["kind"] == _KINDS[resource.plural]]


def _chosen(item: Mapping[str, Any], labels: str) -> bool:
    have = item["metadata"].get("labels", {})
    pairs = (pair.partition("=") for pair in labels.split(",") if pair)
    return all(have.get(key) == value for key, _, value in pairs)


def _about(item: Mapping[str, Any], fields: str) -> bool:
    _, _, name = fields.partition("involvedObject.name=")
    return not name or item["involvedObject"]["name"] == name
