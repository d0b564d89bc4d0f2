"""What an API server adds to a Deployment that leaves it out, as far as the recordings show it (fixtures/kubernetes)."""

import copy
import hashlib
import json
import math
from typing import Any

from bot.sandbox.cluster.manifest import Document, containers, inner

# Kubernetes leaves out letters and digits that could make words.
_SAFE = "bcdf2456789klmnp"


def template_hash(template: Document) -> str:
    """The `pod-template-hash` of a template: the same for the same template, and only for it."""
    digest = hashlib.sha256(json.dumps(template, sort_keys=True, default=str).encode()).hexdigest()[:10]
    return "".join(_SAFE[int(digit, 16)] for digit in digest)


def with_defaults(document: Document, namespace: str, *, deadline: float, min_ready: float) -> Document:
    """The Deployment as it is stored. Raises CannotRender where it is none.

    `replicas` is 1 for any number above: one process stands for all pods. Both times are what the sandbox really waits, in whole seconds.
    """
    found = copy.deepcopy(document)
    metadata, spec = found["metadata"], inner(found, "spec")
    metadata["namespace"] = metadata.get("namespace") or namespace
    spec["replicas"] = 0 if spec.get("replicas") == 0 else 1
    spec["progressDeadlineSeconds"] = math.ceil(deadline)
    spec.pop("minReadySeconds", None)
    if math.ceil(min_ready):
        spec["minReadySeconds"] = math.ceil(min_ready)
    spec.setdefault("revisionHistoryLimit", 10)
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    spec.setdefault("strategy", strategy)
    _pods(inner(found, "spec", "template", "spec"))
    for container in containers(found):
        _container(container)
    return found


def _pods(pods: Document) -> None:
    pods.setdefault("restartPolicy", "Always")
    pods.setdefault("terminationGracePeriodSeconds", 30)
    pods.setdefault("dnsPolicy", "ClusterFirst")
    pods.setdefault("securityContext", {})
    pods.setdefault("schedulerName", "default-scheduler")


def _container(container: Document) -> None:
    container.setdefault("name", "")
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("imagePullPolicy", "IfNotPresent")
    container.setdefault("resources", {})
    ports = container.get("ports")
    for port in ports if isinstance(ports, list) else ():
        if isinstance(port, dict):
            port.setdefault("protocol", "TCP")
    for name in ("readinessProbe", "livenessProbe", "startupProbe"):
        if isinstance(container.get(name), dict):
            _probe(container[name])


def _probe(probe: dict[str, Any]) -> None:
    if isinstance(probe.get("httpGet"), dict):
        probe["httpGet"].setdefault("scheme", "HTTP")
    for key, value in (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1)):
        probe.setdefault(key, value)
    probe.setdefault("failureThreshold", 3)
