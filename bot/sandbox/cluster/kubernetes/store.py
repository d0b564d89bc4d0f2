"""The objects of the cluster as its API gives them: the newest version of each, safe for threads."""

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.sandbox.cluster.manifest import Document, copied


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of objects: its group (empty for the core), version, kind, and its name in URLs."""

    group: str
    version: str
    kind: str
    plural: str

    @property
    def api_version(self) -> str:
        """`apps/v1`, or `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version


DEPLOYMENTS = Resource("apps", "v1", "Deployment", "deployments")
REPLICA_SETS = Resource("apps", "v1", "ReplicaSet", "replicasets")
PODS = Resource("", "v1", "Pod", "pods")
EVENTS = Resource("", "v1", "Event", "events")
APPLICATIONS = Resource("argoproj.io", "v1alpha1", "Application", "applications")
KUSTOMIZATIONS = Resource("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations")
HELM_RELEASES = Resource("helm.toolkit.fluxcd.io", "v2", "HelmRelease", "helmreleases")
GIT_REPOSITORIES = Resource("source.toolkit.fluxcd.io", "v1", "GitRepository", "gitrepositories")
RESOURCES = (
    DEPLOYMENTS, REPLICA_SETS, PODS, EVENTS, APPLICATIONS, KUSTOMIZATIONS, HELM_RELEASES, GIT_REPOSITORIES,
)  # fmt: skip


def timestamp(moment: datetime | None = None) -> str:
    """The time as Kubernetes writes it: whole seconds, UTC; now when none is given."""
    return (moment or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_metadata(name: str, namespace: str, **more: object) -> Document:
    """The metadata of an object that is created now."""
    return {
        "name": name,
        "namespace": namespace,
        "uid": str(uuid.uuid4()),
        "generation": 1,
        "creationTimestamp": timestamp(),
        **more,
    }


class Store:
    """Every change gives an object a new resourceVersion; what comes out are copies.

    `listeners` hear every new version, before anybody can read it.
    """

    def __init__(self) -> None:
        """Empty."""
        self._lock = threading.RLock()
        self._objects: dict[tuple[Resource, str, str], Document] = {}
        self._version = 1000
        self.listeners: list[Callable[[Document], object]] = []

    def next_version(self) -> str:
        """A resourceVersion that is higher than every one before."""
        with self._lock:
            self._version += 1
            return str(self._version)

    def put(self, resource: Resource, document: Document) -> bool:
        """Keep this version of an object, unless nothing is new in it: then False."""
        metadata = document["metadata"]
        key = (resource, str(metadata["namespace"]), str(metadata["name"]))
        with self._lock:
            before = self._objects.get(key)
            kept = copied(document)
            if before is not None:
                kept["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
                if kept == before:
                    return False
            kept["metadata"]["resourceVersion"] = self.next_version()
            self._objects[key] = {"apiVersion": resource.api_version, "kind": resource.kind, **kept}
            for listener in self.listeners:
                listener(copied(self._objects[key]))
            return True

    def change(
        self, resource: Resource, namespace: str, name: str, change: Callable[[Document], object]
    ) -> bool:
        """Change an object that is there, in one step; False when nothing is new in it, or it is gone."""
        with self._lock:
            document = self.get(resource, namespace, name)
            if document is None:
                return False
            change(document)
            return self.put(resource, document)

    def get(self, resource: Resource, namespace: str, name: str) -> Document | None:
        """One object, or None where there is none."""
        with self._lock:
            return copied(self._objects.get((resource, namespace, name)))

    def list(self, resource: Resource, namespace: str | None = None) -> list[Document]:
        """All objects of a kind in a namespace, or in all; in the API's order: by namespace and name."""
        with self._lock:
            found = [
                (place, name, document)
                for (kind, place, name), document in self._objects.items()
                if kind == resource and namespace in (None, place)
            ]
            return [copied(document) for _, _, document in sorted(found, key=lambda item: item[:2])]

    def remove(self, resource: Resource, namespace: str, name: str) -> None:
        """Forget an object; done already is done."""
        with self._lock:
            self._objects.pop((resource, namespace, name), None)
