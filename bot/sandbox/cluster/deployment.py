"""A rendered Deployment as the sandbox runs it: what it cannot run, or a real API server would reject, is refused."""

import re
from collections.abc import Sequence
from typing import Any

from bot.sandbox.cluster.container import Template
from bot.sandbox.cluster.kubernetes.defaults import template_hash, with_defaults
from bot.sandbox.cluster.manifest import CannotRender, Document
from bot.sandbox.cluster.workload import Spec

_OWN_FIELD = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]\Z")


class Rejected(Exception):
    """What an API server would say about the object."""


def deployment_of(documents: Sequence[Document]) -> Document | None:
    """The one Deployment among the rendered objects. Raises CannotRender for several."""
    found = [document for document in documents if document.get("kind") == "Deployment"]
    if len(found) > 1:
        raise CannotRender(f"the sandbox runs one Deployment for each Application, and here are {len(found)}")
    return found[0] if found else None


def spec_of(document: Document, namespace: str, *, min_ready: float, deadline: float) -> Spec:
    """Its first container. `namespace` is where it runs if it does not say itself. Both times cap what the Deployment asks for, as nobody wants to wait here.

    Raises CannotRender for environment variables that come from elsewhere than the pod's own labels and annotations.
    """
    spec = _map(document.get("spec"))
    pods = _map(_map(spec.get("template")).get("spec"))
    container = _containers(pods)[0] if _containers(pods) else {}
    command = container.get("command")
    deadline = min(_number(spec.get("progressDeadlineSeconds"), 600), deadline)
    min_ready = min(_number(spec.get("minReadySeconds"), 0), min_ready)
    live = with_defaults(document, namespace, deadline=deadline, min_ready=min_ready)
    template = Template(
        image=str(container.get("image", "")),
        command=_words(command) if command else None,
        arguments=_words(container.get("args")),
        environment=_environment(container, _map(_map(spec.get("template")).get("metadata"))),
        ready_path=_ready_path(container),
        grace=_number(pods.get("terminationGracePeriodSeconds"), 30),
        container=str(container.get("name", "")),
        replica_set=f"{document['metadata']['name']}-{template_hash(live['spec']['template'])}",
        namespace=live["metadata"]["namespace"],
        document=live["spec"]["template"],
    )
    return Spec(
        template=template,
        replicas=int(_number(spec.get("replicas"), 1)),
        min_ready=min_ready,
        deadline=deadline,
        document=live,
    )


def rejection(documents: Sequence[Document]) -> str | None:
    """What the API server says about these objects; None where it takes them all."""
    try:
        for document in documents:
            if document.get("kind") == "Deployment":
                admit(document)
    except Rejected as problem:
        return str(problem)
    return None


def admit(document: Document) -> None:
    """Raise Rejected for what the API server refuses first: the words are its own (fixtures/argocd, 04)."""
    spec = _map(document.get("spec"))
    template = _map(spec.get("template"))
    name = f'Deployment.apps "{document["metadata"]["name"]}" is invalid: '
    containers = _containers(_map(template.get("spec")))
    if not containers:
        raise Rejected(f"{name}spec.template.spec.containers: Required value")
    labels = _map(_map(template.get("metadata")).get("labels"))
    wanted = _map(_map(spec.get("selector")).get("matchLabels"))
    if not wanted or any(labels.get(key) != value for key, value in wanted.items()):
        raise Rejected(
            f"{name}spec.template.metadata.labels: Invalid value: `selector` does not match template `labels`"
        )
    for index, container in enumerate(containers):
        place = f"spec.template.spec.containers[{index}]"
        if not container.get("image"):
            raise Rejected(f"{name}{place}.image: Required value")
        for number, port in enumerate(_list(container.get("ports"))):
            if not 0 < _number(_map(port).get("containerPort"), 0) < 65536:
                raise Rejected(
                    f"{name}{place}.ports[{number}].containerPort: Invalid value: must be between 1 and 65535, inclusive"
                )


def _environment(container: Document, metadata: Document) -> dict[str, str]:
    found: dict[str, str] = {}
    foreign = ["envFrom"] if container.get("envFrom") else []
    for entry in [_map(entry) for entry in _list(container.get("env"))]:
        name, value = str(entry.get("name")), entry.get("value", "")
        if "valueFrom" in entry:
            value = _own_field(_map(entry["valueFrom"]), metadata)
        if value is None:
            foreign.append(name)
        found[name] = str(value)
    if foreign:
        raise CannotRender(
            f"the sandbox cannot fill environment variables from elsewhere: {', '.join(foreign)}"
        )
    return found


def _own_field(source: Document, metadata: Document) -> str | None:
    """A label or annotation of the pod; empty where it has none of this name. None for everything else."""
    match = _OWN_FIELD.match(str(_map(source.get("fieldRef")).get("fieldPath", "")))
    return str(_map(metadata.get(match[1])).get(match[2], "")) if match else None


def _ready_path(container: Document) -> str | None:
    probe = container.get("readinessProbe")
    return str(_map(_map(probe).get("httpGet")).get("path", "/")) if probe else None


def _containers(pods: Document) -> list[Document]:
    return [_map(container) for container in _list(pods.get("containers"))]


def _map(value: Any) -> Document:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _words(value: Any) -> tuple[str, ...]:
    return tuple(str(word) for word in _list(value))


def _number(value: Any, otherwise: float) -> float:
    return (
        float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else float(otherwise)
    )
