"""Events of Flux, posted as its notification-controller posts them: hints that may be lost, never the truth."""

import hashlib
import hmac
import json
import logging
import queue
import threading
from collections.abc import Mapping

import requests

from bot.sandbox.cluster.kubernetes.store import timestamp
from bot.sandbox.cluster.manifest import Document

log = logging.getLogger(__name__)


class Notifications:
    """Posts in order on a thread of its own. The signature is over the exact bytes (fixtures/flux, section (e))."""

    def __init__(self, url: str | None, key: str) -> None:
        """Without a `url` nothing is posted."""
        self._url, self._key = url, key.encode()
        self._waiting: queue.Queue[tuple[bytes, str] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="flux:notifications", daemon=True)
        if url:
            self._thread.start()

    def stop(self) -> None:
        """Post what waits, and end."""
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join(timeout=10)

    def post(
        self, about: Document, reason: str, message: str, metadata: Mapping[str, str], *, error: bool
    ) -> None:
        """One event about this object."""
        if not self._url:
            return
        head = about["metadata"]
        controller = "source-controller" if about["kind"] == "GitRepository" else "kustomize-controller"
        event = {
            "involvedObject": {
                "kind": about["kind"],
                **{key: head[key] for key in ("namespace", "name", "uid")},
                "apiVersion": about["apiVersion"],
                "resourceVersion": head.get("resourceVersion", ""),
            },
            "severity": "error" if error else "info",
            "timestamp": timestamp(),
            "message": message,
            "reason": reason,
            "metadata": dict(metadata),
            "reportingController": controller,
            "reportingInstance": "sandbox",
        }
        self._waiting.put((json.dumps(event, separators=(",", ":")).encode(), controller))

    def _run(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while (item := self._waiting.get()) is not None:
                body, controller = item
                signature = hmac.new(self._key, body, hashlib.sha256).hexdigest()
                headers = {
                    "Content-Type": "application/json",
                    "Gotk-Component": controller,
                    "X-Signature": f"sha256={signature}",
                }
                try:
                    session.post(
                        self._url or "", data=body, headers=headers, timeout=5, allow_redirects=False
                    )
                except requests.RequestException as problem:
                    log.info("an event was lost (%s)", type(problem).__name__)
