"""Events as the controllers and the kubelet write them: one object for what is the same, with a count."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.sandbox.cluster.kubernetes.store import EVENTS, Store, new_metadata, timestamp
from bot.sandbox.cluster.manifest import Document

NODE = "sandbox-node"
KEPT = 500


@dataclass(frozen=True, slots=True)
class Said:
    """What an event says."""

    reason: str
    message: str
    component: str = "kubelet"
    warning: bool = False
    container: str = ""


class Events:
    """Writes events into the store, and forgets the oldest ones."""

    def __init__(self, store: Store) -> None:
        """None yet."""
        self._store = store
        self._known: dict[tuple[str, Said], Document] = {}

    def say(self, about: Document, said: Said) -> None:
        """One more event about this object; the same one again only counts up (fixtures/kubernetes, README, 15)."""
        key = (str(about["metadata"]["uid"]), said)
        before = self._known.get(key)
        if before is not None:
            event = {**before, "count": before["count"] + 1, "lastTimestamp": timestamp()}
        else:
            event = _scheduled(about, said) if said.component == "default-scheduler" else _event(about, said)
        if "count" in event and event["count"] is not None:
            self._known[key] = event
        self._store.put(EVENTS, event)
        while len(self._known) > KEPT:
            oldest = self._known.pop(next(iter(self._known)))
            self._store.remove(EVENTS, oldest["metadata"]["namespace"], oldest["metadata"]["name"])


def _event(about: Document, said: Said) -> Document:
    now = timestamp()
    place = {"host": NODE} if said.component == "kubelet" else {}
    return {
        **_head(about, said),
        "source": {"component": said.component, **place},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
        "type": "Warning" if said.warning else "Normal",
        "eventTime": None,
        "reportingComponent": said.component,
        "reportingInstance": NODE if place else "",
    }


def _scheduled(about: Document, said: Said) -> Document:
    """The scheduler's events have no count and no times but `eventTime` (fixtures/kubernetes, README, 07)."""
    return {
        **_head(about, said),
        "source": {},
        "firstTimestamp": None,
        "lastTimestamp": None,
        "type": "Warning" if said.warning else "Normal",
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "action": "Binding",
        "reportingComponent": said.component,
        "reportingInstance": f"{said.component}-sandbox",
    }


def _head(about: Document, said: Said) -> Document:
    whom = about["metadata"]
    involved = {key: whom[key] for key in ("namespace", "name", "uid")}
    involved |= {"kind": about["kind"], "apiVersion": about["apiVersion"]}
    involved["resourceVersion"] = whom["resourceVersion"]
    if said.container:
        involved["fieldPath"] = f"spec.containers{{{said.container}}}"
    metadata = new_metadata(f"{whom['name']}.{secrets.token_hex(8)}", whom["namespace"])
    del metadata["generation"]
    return {"metadata": metadata, "involvedObject": involved, "reason": said.reason, "message": said.message}
