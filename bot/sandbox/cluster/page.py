"""A page about the cluster, for people: it says what it is, works without JavaScript and refreshes itself."""

from typing import TYPE_CHECKING

from flask import render_template_string

if TYPE_CHECKING:
    from bot.sandbox.cluster.cluster import Cluster

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="2"><title>cluster · sandbox</title>
<style>body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color-scheme:light dark}
td,th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top}code{font-size:.85em;overflow-wrap:anywhere}
.Healthy,.Synced,.Succeeded{color:#1a7f37}.Degraded,.Failed,.Unknown{color:#cf222e}.Progressing,.OutOfSync{color:#9a6700}
section{overflow-x:auto}</style></head><body>
<h1>Cluster <small>(sandbox)</small></h1>
<p>This plays Argo CD and Flux and runs each Deployment as one process on this machine, however many replicas it asks for.
There is no Kubernetes here, only a part of its API.</p>
{% for app in apps %}<section><h2>{{ app.name }}</h2>
<table><tr><th>sync<td class="{{ app.sync }}">{{ app.sync }} <code>{{ app.revision }}</code>
<tr><th>health<td class="{{ app.health }}">{{ app.health }} {{ app.waiting }}
{% for message in app.messages %}<tr><th>message<td><code>{{ message }}</code>{% endfor %}
<tr><th>images<td>{% for image in app.images %}<code>{{ image }}</code><br>{% endfor %}
<tr><th>service<td><a href="{{ app.url }}/version">{{ app.url }}</a></table>
<details><summary>what it went through</summary><table><tr><th>sync<th>revision<th>health<th>sync operation
{% for sync, revision, health, phase in app.states %}<tr><td class="{{ sync }}">{{ sync }}<td><code>{{ revision[:10] }}</code>
<td class="{{ health }}">{{ health }}<td class="{{ phase }}">{{ phase }}{% endfor %}</table></details></section>
{% else %}<p>No Application is followed.</p>{% endfor %}
{% for it in kustomizations %}<section><h2>{{ it.name }} <small>(Flux)</small></h2>
<table>{% for kind, word, reason, message in it.conditions %}<tr><th>{{ kind }}<td>{{ word }} {{ reason }}
<td><code>{{ message }}</code>{% endfor %}
<tr><th>applied<td colspan="2"><code>{{ it.applied }}</code><tr><th>attempted<td colspan="2"><code>{{ it.attempted }}</code>
<tr><th>pod<td colspan="2">{{ it.waiting or "runs" }}
<tr><th>service<td colspan="2"><a href="{{ it.url }}/version">{{ it.url }}</a></table></section>{% endfor %}</body></html>"""


def page(cluster: "Cluster") -> str:
    """Every Application with what it runs and the states that it went through, newest first; every Kustomization."""
    apps = [_told(cluster, name) for name in cluster.applications]
    kustomizations = [_followed(cluster, name) for name in cluster.kustomizations]
    return render_template_string(_PAGE, apps=apps, kustomizations=kustomizations)


def _followed(cluster: "Cluster", name: str) -> dict[str, object]:
    follower = cluster.kustomizations[name]
    status = follower.document()["status"]
    return {
        "name": name,
        "conditions": [
            tuple(item[key] for key in ("type", "status", "reason", "message"))
            for item in status.get("conditions", [])
        ],
        "applied": status.get("lastAppliedRevision", ""),
        "attempted": status.get("lastAttemptedRevision", ""),
        "waiting": follower.workload.waiting(),
        "url": cluster.service_url(name),
    }


def _told(cluster: "Cluster", name: str) -> dict[str, object]:
    application = cluster.applications[name]
    status = application.document().get("status", {})
    sync, operation = status.get("sync", {}), status.get("operationState", {})
    messages = [item["message"] for item in status.get("conditions", [])]
    if operation.get("phase") == "Failed":
        messages.append(operation["message"])
    return {
        "name": name,
        "sync": sync.get("status", ""),
        "revision": str(sync.get("revision", ""))[:10],
        "health": status.get("health", {}).get("status", ""),
        "waiting": application.workload.waiting(),
        "messages": messages,
        "images": status.get("summary", {}).get("images", []),
        "url": cluster.service_url(name),
        "states": application.states[::-1],
    }
