"""The part of a Kubernetes API that readers of rollouts use: get, list, log, merge patch; with its answers' words."""

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any, Protocol

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue

from bot.sandbox.cluster.kubernetes.selectors import BadSelector, by_fields, by_labels
from bot.sandbox.cluster.kubernetes.store import PODS, RESOURCES, Resource
from bot.sandbox.cluster.manifest import Document

Answer = ResponseReturnValue
USER = "system:serviceaccount:gitops-bot:gitops-bot"


class CannotPatch(Exception):
    """What in a patch the sandbox does not do."""


class Objects(Protocol):
    """Where the API finds objects."""

    def objects(self, resource: Resource, namespace: str | None) -> list[Document]:
        """Those of a kind in a namespace, or in all, in the API's order."""
        ...

    def patch_object(self, resource: Resource, namespace: str, name: str, change: Document) -> None:
        """Merge this into an object that is there. Raises CannotPatch."""
        ...

    def container_log(self, namespace: str, pod: str, *, previous: bool) -> str | None:
        """What the container of a pod has said, or the one before it; None when there was none."""
        ...


class Denied(Exception):
    """An answer that is a failure."""

    def __init__(self, code: int, reason: str, message: str, **details: str) -> None:
        """As a Status object says it."""
        super().__init__(message)
        self.code, self.reason, self.details = code, reason, details


def create_kubernetes_api(objects: Objects, token: str, allowed: Callable[[str, Resource], bool]) -> Flask:
    """The WSGI application. `allowed` says whether the token may use a verb on a kind: without it 403, as with RBAC."""
    app = Flask("sandbox-kubernetes")
    app.json.sort_keys = False  # type: ignore[attr-defined]  # documents keep the order of the real ones

    @app.before_request
    def authenticate() -> Answer | None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer" and hmac.compare_digest(given.encode(), token.encode()):
            return None
        return _status(Denied(401, "Unauthorized", "Unauthorized"))

    @app.errorhandler(Denied)
    def denied(problem: Denied) -> Answer:
        return _status(problem)

    @app.errorhandler(404)
    def missing(_: Exception) -> Answer:
        return _status(Denied(404, "NotFound", "the server could not find the requested resource"))

    @app.get("/version")
    def version() -> Answer:
        return jsonify(major="1", minor="34", gitVersion="v1.34.4+sandbox", platform="linux/amd64")

    for resource in RESOURCES:
        _serve(app, objects, resource, allowed)
    _serve_log(app, objects, allowed)
    return app


def _serve(
    app: Flask, objects: Objects, resource: Resource, allowed: Callable[[str, Resource], bool]
) -> None:
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    place = f"{root}/namespaces/<namespace>/{resource.plural}"

    def many(namespace: str | None = None) -> Answer:
        _check(allowed, "list", resource, namespace or "")
        return jsonify(_listed(resource, objects.objects(resource, namespace)))

    def one(namespace: str, name: str) -> Answer:
        _check(allowed, "get", resource, namespace, name)
        return jsonify(_found(objects, resource, namespace, name))

    def change(namespace: str, name: str) -> Answer:
        _check(allowed, "patch", resource, namespace, name)
        wanted = _patch(resource, _found(objects, resource, namespace, name))
        try:
            objects.patch_object(resource, namespace, name, wanted)
        except CannotPatch as problem:
            raise Denied(422, "Invalid", str(problem), name=name, kind=resource.plural) from None
        return jsonify(_found(objects, resource, namespace, name))

    app.add_url_rule(f"{root}/{resource.plural}", f"all {resource.plural}", many)
    app.add_url_rule(place, f"list {resource.plural}", many)
    app.add_url_rule(f"{place}/<name>", f"get {resource.plural}", one)
    app.add_url_rule(f"{place}/<name>", f"patch {resource.plural}", change, methods=["PATCH"])


def _serve_log(app: Flask, objects: Objects, allowed: Callable[[str, Resource], bool]) -> None:
    @app.get("/api/v1/namespaces/<namespace>/pods/<name>/log")
    def log(namespace: str, name: str) -> Answer:
        _check(allowed, "log", PODS, namespace, name)
        pod = _found(objects, PODS, namespace, name)
        names = [item["name"] for item in pod["spec"]["containers"]]
        container = request.args.get("container") or names[0]
        if container not in names:
            raise Denied(400, "BadRequest", f"container {container} is not valid for pod {name}")
        previous = request.args.get("previous", "false").lower() in ("true", "1")
        said = objects.container_log(namespace, name, previous=previous)
        if said is None and previous:
            words = f'previous terminated container "{container}" in pod "{name}" not found'
            raise Denied(400, "BadRequest", words)
        if said is None:
            why = pod["status"]["containerStatuses"][0]["state"].get("waiting", {}).get("reason", "")
            why = "trying and failing to pull image" if "ImagePull" in why else why
            raise Denied(
                400, "BadRequest", f'container "{container}" in pod "{name}" is waiting to start: {why}'
            )
        lines = request.args.get("tailLines", type=int)
        shown = said.splitlines(keepends=True)
        return Response("".join(shown[len(shown) - lines :] if lines else shown), mimetype="text/plain")


def _found(objects: Objects, resource: Resource, namespace: str, name: str) -> Document:
    for item in objects.objects(resource, namespace):
        if item["metadata"]["name"] == name:
            return item
    details = {"name": name, "group": resource.group, "kind": resource.plural}
    raise Denied(404, "NotFound", f'{_kind(resource)} "{name}" not found', **details)


def _listed(resource: Resource, items: list[Document]) -> Document:
    """The list with its selectors, and its pages: `limit` and `continue`."""
    try:
        wanted = by_labels(request.args.get("labelSelector", ""))
        matching = by_fields(resource, request.args.get("fieldSelector", ""))
    except BadSelector as problem:
        raise Denied(400, "BadRequest", str(problem)) from None
    found = [item for item in items if wanted(item) and matching(item)]
    begin = _begin(request.args.get("continue", ""))
    limit = request.args.get("limit", 0, type=int)
    page = found[begin : begin + limit] if limit else found[begin:]
    left = len(found) - begin - len(page)
    metadata: Document = {"resourceVersion": "1"}
    if left:
        token = base64.b64encode(json.dumps(begin + len(page)).encode()).decode()
        metadata |= {"continue": token, "remainingItemCount": left}
    head = {"apiVersion": resource.api_version, "kind": f"{resource.kind}List", "metadata": metadata}
    # As the real API does, items of a list do not repeat what the list says of their kind; those of custom resources do.
    custom = "." in resource.group
    return {**head, "items": page if custom else [_bare(item) for item in page]}


def _begin(token: str) -> int:
    try:
        return int(json.loads(base64.b64decode(token))) if token else 0
    except ValueError:
        raise Denied(410, "Expired", "The provided continue parameter is not valid") from None


def _bare(item: Document) -> Document:
    return {key: value for key, value in item.items() if key not in ("apiVersion", "kind")}


def _patch(resource: Resource, current: Document) -> Document:
    """The merge patch, without the version that it may carry as a precondition: another one is a conflict."""
    if request.mimetype != "application/merge-patch+json":
        kinds = "the body of the request was in an unknown format - accepted media types include: "
        raise Denied(415, "UnsupportedMediaType", f"{kinds}application/merge-patch+json")
    body: Any = request.get_json(silent=True, force=True)
    if not isinstance(body, dict):
        raise Denied(400, "BadRequest", "error decoding patch: it is not a JSON object")
    metadata = body.get("metadata")
    version = metadata.pop("resourceVersion", None) if isinstance(metadata, dict) else None
    if version not in (None, current["metadata"]["resourceVersion"]):
        name = current["metadata"]["name"]
        said = "the object has been modified; please apply your changes to the latest version and try again"
        details = {"name": name, "group": resource.group, "kind": resource.plural}
        whole = f'Operation cannot be fulfilled on {_kind(resource)} "{name}": {said}'
        raise Denied(409, "Conflict", whole, **details)
    return body


def _kind(resource: Resource) -> str:
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def _check(
    allowed: Callable[[str, Resource], bool], verb: str, resource: Resource, namespace: str, name: str = ""
) -> None:
    if allowed(verb, resource):
        return
    kind, path = resource.plural, f"{resource.plural}/log" if verb == "log" else resource.plural
    whom = (
        f'{kind}.{resource.group} "{name}"'
        if resource.group and name
        else f'{kind} "{name}"'
        if name
        else kind
    )
    can = f'User "{USER}" cannot {"get" if verb == "log" else verb} resource "{path}" in API group "{resource.group}"'
    details = {
        key: value for key, value in (("name", name), ("group", resource.group), ("kind", kind)) if value
    }
    said = f'{whom} is forbidden: {can} in the namespace "{namespace}"'
    raise Denied(403, "Forbidden", said, **details)


def _status(problem: Denied) -> Answer:
    document: Document = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": str(problem),
        "reason": problem.reason,
    }
    if problem.details:
        document["details"] = {key: value for key, value in problem.details.items() if value}
    return jsonify(document | {"code": problem.code}), problem.code


def merged(base: Document, change: Document) -> Document:
    """A JSON merge patch (RFC 7386): null removes, mappings merge, all else replaces."""
    found = dict(base)
    for key, value in change.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, dict):
            found[key] = merged(found[key] if isinstance(found.get(key), dict) else {}, value)
        else:
            found[key] = value
    return found
