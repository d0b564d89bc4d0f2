"""A small API server of Kubernetes: objects, selectors, pages, merge patches, logs, logins and rights, by HTTP or HTTPS.

Its bodies are those of the real one (fixtures/kubernetes, 09; fixtures/argocd, rest/k8s-rbac).
"""

import base64
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.parts import require

TOKEN = "kube-token-5d0f1c"
USER = "system:serviceaccount:bots:gitops-bot"


@dataclass
class Api:
    """What the cluster holds, and what it was asked."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    logs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    forbidden: set[str] = field(default_factory=set)  # `patch deployments`
    instead: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str], str | None]] = field(default_factory=list)
    url: str = ""

    def put(self, path: str, **more: Any) -> dict[str, Any]:
        """An object under the API's path."""
        *_, namespace, _, name = path.split("/")
        about = {"name": name, "namespace": namespace, "resourceVersion": "1"}
        self.objects[path] = {"metadata": about | more.pop("metadata", {}), **more}
        return self.objects[path]

    def answer(self, method: str, target: str, header: str | None, body: bytes, kind: str) -> tuple[int, Any]:
        """Status and body of an answer."""
        path, query = urlsplit(target).path, dict(parse_qsl(urlsplit(target).query))
        self.asked.append((method, path, query, header))
        if header is None or header.removeprefix("Bearer ") not in self.tokens:
            return 401, status(401, "Unauthorized", "Unauthorized")
        parts = path.strip("/").split("/")
        group = parts[1] if parts[0] == "apis" else ""
        namespace, plural, *rest = parts[parts.index("namespaces") + 1 :]
        name, sub = [*rest, "", ""][:2]
        verb = {"GET": "get" if name else "list", "PATCH": "patch"}[method]
        resource = f"{plural}/{sub}" if sub else plural
        if f"{verb} {resource}" in self.forbidden:
            return 403, forbidden(verb, resource, group, namespace, name)
        if sub == "log":
            return self._log(name, query)
        if not name:
            return self._list(path, query)
        if path not in self.objects:
            return 404, status(404, "NotFound", f'{plural}.{group} "{name}" not found')
        if method == "PATCH":
            assert kind == "application/merge-patch+json"
            change, now = json.loads(body), self.objects[path]["metadata"]["resourceVersion"]
            if change.get("metadata", {}).get("resourceVersion", now) != now:
                message = f'Operation cannot be fulfilled on {plural}.{group} "{name}": the object has been modified'
                return 409, status(409, "Conflict", message)
            self.objects[path] = merged(self.objects[path], change)
            self.objects[path]["metadata"]["resourceVersion"] = f"{now}1"
        return 200, self.objects[path]

    def _list(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        wanted = dict(pair.split("=") for pair in query.get("labelSelector", "").split(",") if pair)
        under = [item for place, item in self.objects.items() if place.rpartition("/")[0] == path]
        found = [item for item in under if wanted.items() <= item["metadata"].get("labels", {}).items()]
        if name := query.get("fieldSelector", "").removeprefix("metadata.name="):
            found = [item for item in found if item["metadata"]["name"] == name]
        start, most = int(query.get("continue", 0)), min(int(query.get("limit", 500)), 3)
        about = {"continue": str(start + most)} if start + most < len(found) else {}
        return 200, {
            "kind": "PodList",
            "apiVersion": "v1",
            "metadata": about,
            "items": found[start : start + most],
        }

    def _log(self, pod: str, query: dict[str, str]) -> tuple[int, Any]:
        run = "previous" if query.get("previous") == "true" else "current"
        text = self.logs.get((f"{pod}/{query['container']}", run))
        if text is None:
            return 400, status(400, "BadRequest", f'container "{query["container"]}" is waiting to start')
        last = b"".join(text.splitlines(keepends=True)[-int(query["tailLines"]) :])
        return 200, last[: int(query["limitBytes"])]


def merged(document: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    kept = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            kept.pop(key, None)
        else:
            kept[key] = merged(kept.get(key), value)
    return kept


def status(code: int, reason: str, message: str, **details: Any) -> dict[str, Any]:
    """The API's way to say no."""
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    return body | {"reason": reason, "code": code} | ({"details": details} if details else {})


def forbidden(verb: str, resource: str, group: str, namespace: str, name: str) -> dict[str, Any]:
    """403 for want of a right."""
    dotted = f"{resource}.{group}" if group else resource
    what = f'{dotted} "{name}"' if name else dotted
    message = f'{what} is forbidden: User "{USER}" cannot {verb} resource "{resource}" in API group "{group}"'
    return status(403, "Forbidden", f'{message} in the namespace "{namespace}"', group=group, kind=resource)


@contextmanager
def serving_api(certificate: tuple[Path, Path] | None = None) -> Iterator[Api]:
    """The API on a free loopback port; with a certificate and its key by HTTPS."""
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            about = self.headers.get("Authorization"), body, self.headers.get("Content-Type", "")
            if api.instead:
                api.asked.append((self.command, self.path, {}, about[0]))
                code, headers, said = api.instead.pop(0)
            else:
                code, answer = api.answer(self.command, self.path, *about)
                headers = {}
                said = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(code)
            for key, value in {"Content-Length": str(len(said)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(said)

        def do_PATCH(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    api.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def authority(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    openssl = require("openssl", "apt-get install openssl")
    paths = folder / "ca.crt", folder / "ca.key"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(paths[1]), "-out", str(paths[0]), "-days", "2", "-subj", "/CN=kubernetes"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    return paths


def kubeconfig(folder: Path, url: str, user: Any, **cluster: Any) -> Path:
    """A kubeconfig with one context, `here`."""
    path = folder / "kubeconfig"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "lab", "cluster": {"server": url, **cluster}}],
        "users": [{"name": "bot", "user": user}],
        "contexts": [{"name": "here", "context": {"cluster": "lab", "user": "bot"}}],
    }
    path.write_text(json.dumps(document))
    return path


def encoded(path: Path) -> str:
    """A file as kubeconfigs embed it."""
    return base64.b64encode(path.read_bytes()).decode()
