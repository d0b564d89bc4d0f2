"""Whether a cluster without room keeps the new pods away: no commit's fault, and only the resource tree shows it."""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.adapters.argocd.places import TREE, own_health
from bot.core.fields import child, maps, text, texts
from bot.core.images import carries
from bot.core.outages import is_outage
from bot.core.telling import excerpt
from bot.core.verdict import Claim

# Reasons of pods that have ended or leave: they stand in the tree for a while, or until somebody takes them away.
_GONE = frozenset({
    "Evicted", "Terminating", "Completed", "Succeeded", "Terminated", "NodeShutdown", "NodeAffinity", "Shutdown",
    "UnexpectedAdmissionError", "OutOfcpu", "OutOfmemory", "OutOfpods", "Preempting",
})  # fmt: skip


def is_gone(pod: Mapping[str, Any]) -> bool:
    """Whether a pod of the tree serves nobody any more, and is to be replaced."""
    return _info(pod, "Status Reason") in _GONE


def no_room(documents: Sequence[Mapping[str, Any]], claim: Claim) -> str:
    """What keeps the pods of the claim away, in words; empty where one of them has begun, or nothing is known. Never raises."""
    tree = next((item for item in documents if item.get("kind") == TREE), {})
    nodes = maps(tree, "nodes")
    pods = [node for node in nodes if any(carries(one, claim.image) for one in texts(node.get("images")))]
    waiting = [pod for pod in pods if own_health(pod) not in ("", "Healthy") and not is_gone(pod)]
    if any(
        _info(pod, "Node") or _info(pod, "Status Reason") not in ("Pending", "SchedulingGated")
        for pod in waiting
    ):
        return ""
    if waiting:
        return f"no node takes its pods ({excerpt(text(waiting[0], 'name'), 120)} is not scheduled)"
    refused = (text(child(node, "health"), "message") for node in nodes if text(node, "kind") == "ReplicaSet")
    said = next((message for message in refused if is_outage(message)), "")
    return f"its pods cannot be created: {excerpt(said)}" if said else ""


def _info(node: Mapping[str, Any], name: str) -> str:
    """One of the facts that Argo CD shows beside a resource."""
    return next((text(item, "value") for item in maps(node, "info") if text(item, "name") == name), "")
