"""The resource tree of an Application, read for what a person wants to know at night: which pods are not well, and why."""

from collections.abc import Mapping
from typing import Any

from bot.adapters.argocd.places import by_identity, line
from bot.adapters.argocd.wording import LIMIT
from bot.core.fields import maps, texts
from bot.core.images import carries
from bot.core.telling import excerpt

_MOST = 4


def complaints(tree: Mapping[str, Any], image: str = "") -> tuple[str, ...]:
    """One bounded sentence for each resource that is not healthy, pods first, at most four. Never raises.

    Where pods run this image, only they are told of, and what they belong to: neither old pods nor another workload's.
    """
    nodes = maps(tree, "nodes")
    known = by_identity(nodes)
    own = {id(node) for pod in nodes if image and _runs(pod, image) for node in line(pod, known)}
    found = [node for node in nodes if not own or id(node) in own]
    found.sort(key=lambda node: node.get("kind") != "Pod")
    said = (_complaint(node) for node in found)
    return tuple(excerpt(text, LIMIT) for text in said if text)[:_MOST]


def _runs(pod: Mapping[str, Any], image: str) -> bool:
    return any(carries(one, image) for one in texts(pod.get("images")))


def _complaint(node: Mapping[str, Any]) -> str:
    health = node.get("health")
    status = health.get("status") if isinstance(health, Mapping) else None
    if not isinstance(health, Mapping) or status in (None, "", "Healthy"):
        return ""
    facts = [_fact(node, "Status Reason"), _fact(node, "Containers")]
    known = ", ".join(fact for fact in facts if fact)
    message = health.get("message")
    text = f"{node.get('kind')} {node.get('name')} is {status}"
    return text + (f" ({known})" if known else "") + (f": {message}" if message else "")


def _fact(node: Mapping[str, Any], name: str) -> str:
    """`Status Reason` is what kubectl shows as a pod's status, `Containers` is `ready/all`."""
    info = node.get("info")
    facts = [item for item in info if isinstance(item, Mapping)] if isinstance(info, list) else []
    value = next((item.get("value") for item in facts if item.get("name") == name), None)
    return f"{value} ready" if value and name == "Containers" else str(value or "")
