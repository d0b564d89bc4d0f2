"""The part of Argo CD's REST API that readers use, with its status codes (fixtures/argocd, section (d) and rest/)."""

import hmac
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

from bot.sandbox.cluster.manifest import Document
from bot.sandbox.cluster.page import page
from bot.sandbox.cluster.workload import Standing

if TYPE_CHECKING:
    from bot.sandbox.cluster.application import Application
    from bot.sandbox.cluster.cluster import Cluster

Answer = ResponseReturnValue


def create_api(cluster: "Cluster", token: str) -> Flask:
    """The WSGI application: the API for who has the token, the page and the webhook for everybody, as in Argo CD."""
    app = Flask("sandbox-cluster")

    @app.before_request
    def authenticate() -> Answer | None:
        if not request.path.startswith("/api/v1/"):
            return None
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer" and hmac.compare_digest(given.encode(), token.encode()):
            return None
        return _error(401, 16, "no session information")

    @app.get("/")
    def people() -> str:
        return page(cluster)

    @app.get("/api/version")
    @app.get("/api/v1/version")
    def version() -> Answer:
        return jsonify(Version="v3.5.1+sandbox")

    _webhook(app, cluster)
    _receiver(app, cluster)
    _reading(app, cluster)
    return app


def _webhook(app: Flask, cluster: "Cluster") -> None:
    @app.post("/api/webhook")
    def webhook() -> Answer:
        """Any sender may knock: all that follows is a look. The answer says nothing about whom it concerned."""
        event = request.headers.get("X-GitHub-Event")
        body: Any = request.get_json(silent=True)
        if event is None:
            return "Unknown webhook event\n", 400
        if event not in ("push", "ping") or not isinstance(body, dict):
            return "Webhook processing failed\n", 400
        for application in cluster.applications.values() if event == "push" else ():
            if _concerns(application, body):
                application.request_refresh("normal")
        return "", 200


def _receiver(app: Flask, cluster: "Cluster") -> None:
    @app.route("/hook/<path>", methods=["GET", "POST"])
    def receiver(path: str) -> Answer:
        """Flux' Receiver of type generic: no check, the path is the secret; bodies are empty."""
        return "", 200 if cluster.receive(path) else 404


def _concerns(application: "Application", push: Document) -> bool:
    """The same branch of the same repository; port and `.git` do not count, as in Argo CD."""
    repository = push.get("repository")
    page_of_it = repository.get("html_url") if isinstance(repository, dict) else None
    same_branch = push.get("ref") == f"refs/heads/{application.source['targetRevision']}"
    return (
        same_branch
        and isinstance(page_of_it, str)
        and _place(page_of_it) == _place(application.source["repoURL"])
    )


def _place(url: str) -> tuple[str | None, str]:
    try:
        parts = urlsplit(url)
        return parts.hostname, parts.path.rstrip("/").removesuffix(".git").lower()
    except ValueError:
        return None, url


def _reading(app: Flask, cluster: "Cluster") -> None:
    @app.get("/api/v1/applications")
    def applications() -> Answer:
        return jsonify(
            items=[application.document() for application in cluster.applications.values()], metadata={}
        )

    @app.get("/api/v1/applications/<name>")
    def application(name: str) -> Answer:
        problem = _unreadable(cluster, name)
        if problem is not None:
            return problem
        how = request.args.get("refresh")
        if how:
            cluster.refresh(name, "hard" if how == "hard" else "normal")
        return jsonify(_with_health(cluster.applications[name]))

    @app.delete("/api/v1/applications/<name>/operation")
    def terminate(name: str) -> Answer:
        problem = _unreadable(cluster, name)
        if problem is not None:
            return problem
        if not cluster.applications[name].terminate():
            return _error(400, 3, "Unable to terminate operation. No operation is in progress")
        return jsonify({})

    @app.get("/api/v1/applications/<name>/resource-tree")
    def tree(name: str) -> Answer:
        problem = _unreadable(cluster, name)
        if problem is not None:
            return problem
        found = cluster.applications[name]
        pods = [_pod(found, pod) for pod in found.workload.pods()]
        return jsonify(nodes=[*pods, *(_node(*resource) for resource in found.resources())])


def _with_health(application: "Application") -> Document:
    """The answer about one Application has the health of each resource; the object itself and lists have not."""
    document = application.document()
    healths = {(item["kind"], item["metadata"]["name"]): rest for item, *rest in application.resources()}
    for resource in document.get("status", {}).get("resources", []):
        found = healths.get((resource["kind"], resource["name"]))
        if found is not None:
            resource["health"] = _health(*found)
    return document


def _pod(application: "Application", pod: Standing) -> Document:
    """A pod as the real tree tells of it; it is never Degraded before its Deployment is."""
    ready = {"name": "Containers", "value": f"{int(pod.ready)}/1"}
    return {
        "kind": "Pod", "version": "v1", "name": pod.name,
        "namespace": application.document()["spec"]["destination"]["namespace"], "images": [pod.image],
        "health": _health("Healthy" if pod.ready else "Progressing", pod.message),
        "info": [{"name": "Status Reason", "value": pod.reason}, ready],
    }  # fmt: skip


def _node(document: Document, health: str, message: str) -> Document:
    group, _, version = str(document.get("apiVersion", "v1")).rpartition("/")
    metadata = document["metadata"]
    found = {
        "group": group, "version": version, "kind": document["kind"], "name": metadata["name"],
        "namespace": metadata.get("namespace", ""), "health": _health(health, message),
    }  # fmt: skip
    return {key: value for key, value in found.items() if value}


def _health(word: str, message: str) -> Document:
    return {"status": word} | ({"message": message} if message else {})


def _unreadable(cluster: "Cluster", name: str) -> Answer | None:
    project, found = request.args.get("project"), cluster.applications.get(name)
    if found is None and project:
        return _error(404, 5, f'applications.argoproj.io "{name}" not found')
    if found is None or (project and project != found.document()["spec"]["project"]):
        return _error(403, 7, "permission denied")
    return None


def _error(status: int, code: int, sentence: str) -> Answer:
    return jsonify(error=sentence, code=code, message=sentence), status
