"""The part of Argo CD's REST API that readers use, with its status codes (fixtures/argocd, section (d)), and a page."""

import hmac
from typing import TYPE_CHECKING, Any

from flask import Flask, jsonify, render_template_string, request
from flask.typing import ResponseReturnValue

if TYPE_CHECKING:
    from bot.sandbox.cluster.cluster import Cluster

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="2"><title>cluster · sandbox</title>
<style>body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color-scheme:light dark}
td,th{text-align:left;padding:.3rem .8rem .3rem 0;vertical-align:top}code{font-size:.85em;overflow-wrap:anywhere}
.Healthy,.Synced{color:#1a7f37}.Degraded{color:#cf222e}.Progressing,.OutOfSync{color:#9a6700}</style></head><body>
<h1>Cluster <small>(sandbox)</small></h1><p>This plays Argo CD for the demo and runs each Deployment as one process on this machine.</p>
<table><tr><th>application<th>sync<th>health<th>images<th>service</tr>{% for app, waiting, url in rows %}<tr>
<td>{{ app.metadata.name }}<td class="{{ app.status.sync.status }}">{{ app.status.sync.status }}<br><code>{{ (app.status.sync.revision or "")[:10] }}</code>
<td class="{{ app.status.health.status }}">{{ app.status.health.status }}<br>{{ waiting }}
<td>{% for image in app.status.summary.images or [] %}<code>{{ image }}</code><br>{% endfor %}<td><a href="{{ url }}/version">{{ url }}</a></tr>{% endfor %}</table></body></html>"""

Answer = ResponseReturnValue


def create_api(cluster: "Cluster", token: str) -> Flask:
    """The WSGI application."""
    app = Flask("sandbox-cluster")

    @app.before_request
    def authenticate() -> Answer | None:
        if not request.path.startswith("/api/v1/"):
            return None
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer" and hmac.compare_digest(given.encode(), token.encode()):
            return None
        sentence = "invalid session: token is malformed" if given else "no session information"
        return _error(401, 16, sentence)

    @app.get("/")
    def page() -> str:
        rows = [
            (a.document(), a.workload.waiting(), cluster.service_url(a.name))
            for a in cluster.applications.values()
        ]
        return render_template_string(PAGE, rows=rows)

    @app.get("/api/version")
    def version() -> Answer:
        return jsonify(Version="v3.5.1+sandbox")

    @app.post("/api/webhook")
    def webhook() -> Answer:
        body: Any = request.get_json(silent=True)
        if not isinstance(body, dict) or "ref" not in body:
            return "Unknown webhook event", 400
        for application in cluster.applications.values():
            source = application.document()["spec"]["source"]
            if body["ref"] == f"refs/heads/{source['targetRevision']}":
                application.request_refresh("normal")
        return "", 200

    _reading(app, cluster)
    return app


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
        if request.args.get("refresh"):
            cluster.refresh(name, request.args["refresh"])
        return jsonify(cluster.applications[name].document())

    @app.get("/api/v1/applications/<name>/resource-tree")
    def tree(name: str) -> Answer:
        problem = _unreadable(cluster, name)
        if problem is not None:
            return problem
        found = cluster.applications[name]
        health = found.document()["status"]["health"]
        nodes = [
            {
                "kind": d["kind"],
                "name": d["metadata"]["name"],
                "namespace": d["metadata"].get("namespace", ""),
                "health": health,
            }
            for d in found.resources()
        ]
        return jsonify(nodes=nodes)


def _unreadable(cluster: "Cluster", name: str) -> Answer | None:
    project, found = request.args.get("project"), cluster.applications.get(name)
    if found is None:
        return (
            _error(404, 5, f'applications.argoproj.io "{name}" not found')
            if project
            else _error(403, 7, "permission denied")
        )
    if project and project != found.document()["spec"]["project"]:
        return _error(403, 7, "permission denied")
    return None


def _error(status: int, code: int, sentence: str) -> Answer:
    return jsonify(error=sentence, code=code, message=sentence), status
