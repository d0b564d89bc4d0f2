"""A kubeconfig for the sandbox's Kubernetes API, with its token in a file beside it; both for the owner's eyes only."""

import json
import os
from pathlib import Path


def write_kubeconfig(path: Path, url: str, token: str, namespace: str = "default") -> Path:
    """Write both files with mode 0600 and return the path. YAML is a superset of the JSON that is written."""
    secret = path.with_name(f"{path.name}.token")
    _write(secret, token)
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "sandbox", "cluster": {"server": url}}],
        "users": [{"name": "sandbox", "user": {"tokenFile": str(secret.absolute())}}],
        "contexts": [
            {"name": "sandbox", "context": {"cluster": "sandbox", "user": "sandbox", "namespace": namespace}}
        ],
        "current-context": "sandbox",
    }
    _write(path, json.dumps(document, indent=2) + "\n")
    return path


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
