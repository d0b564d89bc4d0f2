"""A Deployment with its ReplicaSets, pods and events: the controllers' part, in the order of states of the real ones.

After a bump (fixtures/kubernetes, 02): a higher generation with the old status; the new ReplicaSet and the annotation
`revision`; `observedGeneration`; the counters; both pods ready; the old one gone. Each is a version of its own here.
"""

import threading
import time
from collections.abc import Callable

from bot.sandbox.cluster.kubernetes import conditions
from bot.sandbox.cluster.kubernetes.events import Events, Said
from bot.sandbox.cluster.kubernetes.pods import pod_document
from bot.sandbox.cluster.kubernetes.replicas import REVISION, counted, new_replica_set, revived
from bot.sandbox.cluster.kubernetes.store import DEPLOYMENTS, PODS, REPLICA_SETS, Store, new_metadata
from bot.sandbox.cluster.manifest import Document
from bot.sandbox.cluster.pod import Pod
from bot.sandbox.cluster.workload import Spec, Workload


class Rollout:
    """What the API says about one workload. `apply` comes from one thread, `tick` from the one that runs the pods."""

    def __init__(
        self, workload: Workload, store: Store, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Nothing is applied yet."""
        self.workload, self._store, self._monotonic = workload, store, monotonic
        self._events = Events(store)
        self._lock = threading.RLock()
        self._wanted: Spec | None = None
        self._taken_in = 0  # the generation whose ReplicaSet is there
        self._progressed = 0.0
        self._place = ("", "")

    def apply(self, spec: Spec | None) -> bool:
        """Make this the wanted state, None meaning no Deployment. Whether pods have to change for it."""
        with self._lock:
            moves = self.workload.apply(spec)
            self._wanted = spec
            if spec is None:
                self._forget()
                return moves
            metadata = spec.document["metadata"]
            place = (metadata["namespace"], metadata["name"])
            if place != self._place:
                self._forget()
                self._place = place
            self._store_wanted(spec.document)
            return moves

    def _store_wanted(self, wanted: Document) -> None:
        metadata = wanted["metadata"]
        before = self.deployment()
        if before is None:
            said = {key: value for key, value in metadata.items() if key in ("labels", "annotations")}
            created = new_metadata(metadata["name"], metadata["namespace"], **said)
            self._store.put(DEPLOYMENTS, {"metadata": created, "spec": wanted["spec"], "status": {}})
            self._taken_in = 0
            return
        kept = before["metadata"].get("annotations", {}).get(REVISION)
        annotations = {**metadata.get("annotations", {}), **({REVISION: kept} if kept else {})}
        head = {**before["metadata"], "labels": metadata.get("labels", {}), "annotations": annotations}
        after = {
            **before,
            "metadata": {key: value for key, value in head.items() if value},
            "spec": wanted["spec"],
        }
        if after != before:
            after["metadata"]["generation"] += 1
            self._store.put(DEPLOYMENTS, after)

    def deployment(self) -> Document | None:
        """The Deployment's document."""
        return self._store.get(DEPLOYMENTS, *self._place)

    def health(self) -> tuple[str, str]:
        """Argo CD's word about the Deployment, with a message."""
        deployment = self.deployment()
        return conditions.health(deployment) if deployment is not None else ("Healthy", "")

    def tick(self) -> None:
        """Let the pods move, and each controller write what it sees; it sees what the others wrote before."""
        self.workload.tick()
        with self._lock:
            deployment, wanted = self.deployment(), self._wanted
            if deployment is None or wanted is None:
                return
            if deployment["metadata"]["generation"] != self._taken_in:
                self._take_in(deployment, wanted)
            else:
                self._tell_status(deployment, wanted)
                self._tell_replicas(deployment, wanted)
            self._tell_pods()

    def stop(self) -> None:
        """End every process."""
        self.workload.stop()

    # --- the controllers ---

    def _sets(self) -> list[Document]:
        """The ReplicaSets of this Deployment."""
        deployment = self.deployment()
        uid = deployment["metadata"]["uid"] if deployment else None
        return [
            item
            for item in self._store.list(REPLICA_SETS, self._place[0])
            if item["metadata"]["ownerReferences"][0]["uid"] == uid
        ]

    def _take_in(self, deployment: Document, wanted: Spec) -> None:
        """A new template gets a ReplicaSet; one that was there before gets its own back, with a new revision."""
        self._taken_in = deployment["metadata"]["generation"]
        self._progressed = self._monotonic()
        template, sets = wanted.template, self._sets()
        newest = max((int(item["metadata"]["annotations"][REVISION]) for item in sets), default=0)
        found = next((item for item in sets if item["metadata"]["name"] == template.replica_set), None)
        if found is None:
            found = new_replica_set(deployment, template.replica_set, newest + 1)
            self._store.put(REPLICA_SETS, found)
            said = f'Created new replica set "{template.replica_set}"'
            conditions.say(deployment, "Progressing", "True", "NewReplicaSetCreated", said)
            size = found["spec"]["replicas"]
            self._tell_scaled(deployment, f"Scaled up replica set {template.replica_set} from 0 to {size}")
        elif int(found["metadata"]["annotations"][REVISION]) != newest:
            found = revived(found, newest + 1)
            self._store.put(REPLICA_SETS, found)
        annotations = deployment["metadata"].setdefault("annotations", {})
        annotations[REVISION] = found["metadata"]["annotations"][REVISION]
        self._store.put(DEPLOYMENTS, deployment)

    def _tell_status(self, deployment: Document, wanted: Spec) -> None:
        new = wanted.template.replica_set
        before = deployment["status"]
        after = conditions.counters(deployment, self._sets(), new)
        kept = before.get("conditions", [])
        deployment["status"] = {**after, "conditions": kept}
        waited = self._monotonic() - self._progressed
        if conditions.progress(deployment, before, new, late=waited > wanted.deadline):
            self._progressed = self._monotonic()
        self._store.put(DEPLOYMENTS, deployment)

    def _tell_replicas(self, deployment: Document, wanted: Spec) -> None:
        for item in self._sets():
            name = item["metadata"]["name"]
            pods = [pod for pod in self.workload.tracked() if pod.template.replica_set == name]
            staying = [pod for pod in pods if not pod.leaving]
            size = min(wanted.replicas, 1) if name == wanted.template.replica_set else len(staying)
            if size != item["spec"]["replicas"]:
                how = "up" if size > item["spec"]["replicas"] else "down"
                said = f"Scaled {how} replica set {name} from {item['spec']['replicas']} to {size}"
                self._tell_scaled(deployment, said)
            available = sum(self.workload.available(pod) for pod in staying)
            self._store.put(REPLICA_SETS, counted(item, size, staying, available))

    def _tell_pods(self) -> None:
        there = {pod.name: pod for pod in self.workload.tracked()}
        sets = {item["metadata"]["name"]: item for item in self._sets()}
        for pod in there.values():
            replica_set = sets.get(pod.template.replica_set)
            if replica_set is not None:
                self._tell_pod(pod, replica_set)
        for known in self._store.list(PODS, self._place[0]):
            mine = known["metadata"]["ownerReferences"][0]["name"] in sets
            if mine and known["metadata"]["name"] not in there:
                self._store.remove(PODS, known["metadata"]["namespace"], known["metadata"]["name"])

    def _tell_pod(self, pod: Pod, replica_set: Document) -> None:
        namespace = pod.template.namespace
        before = self._store.get(PODS, namespace, pod.name)
        self._store.put(PODS, pod_document(pod, replica_set))
        document = self._store.get(PODS, namespace, pod.name) or {}
        if before is None:
            self._events.say(
                replica_set, Said("SuccessfulCreate", f"Created pod: {pod.name}", "replicaset-controller")
            )
            where = document["spec"]["nodeName"]
            said = f"Successfully assigned {namespace}/{pod.name} to {where}"
            self._events.say(document, Said("Scheduled", said, "default-scheduler"))
        elif pod.leaving and "deletionTimestamp" not in before["metadata"]:
            self._events.say(
                replica_set, Said("SuccessfulDelete", f"Deleted pod: {pod.name}", "replicaset-controller")
            )
        while pod.happenings:
            item = pod.happenings.pop(0)
            said_by_kubelet = Said(item.reason, item.message, "kubelet", item.warning, pod.template.container)
            self._events.say(document, said_by_kubelet)

    def _tell_scaled(self, deployment: Document, said: str) -> None:
        self._events.say(deployment, Said("ScalingReplicaSet", said, "deployment-controller"))

    def _forget(self) -> None:
        sets = {item["metadata"]["name"] for item in self._sets()}
        namespace, name = self._place
        for pod in self._store.list(PODS, namespace):
            if pod["metadata"]["ownerReferences"][0]["name"] in sets:
                self._store.remove(PODS, namespace, pod["metadata"]["name"])
        for item in sets:
            self._store.remove(REPLICA_SETS, namespace, item)
        self._store.remove(DEPLOYMENTS, namespace, name)
