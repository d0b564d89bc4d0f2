"""Reads and patches a cluster's objects through the Kubernetes API (facts/products.md, 3; fixtures/kubernetes)."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.adapters.kubernetes.answers import Answer, Question, explained
from bot.ports import Refused, Resource, Retryable

if TYPE_CHECKING:
    from bot.adapters.kubernetes.conversation import Conversation

_BODY_LIMIT = 16 << 20
_LOG_LIMIT = 16 << 10
# The API cuts a log that is too long at its end, where the interesting lines are: so more is read than is kept.
_LOG_READ = 1 << 20
_LINES = 1000
_PAGES = 20
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?\Z")
_POD = Resource("v1", "pods")
_OWNER = {"fieldManager": "gitops-bot"}


class KubernetesObjects:
    """Fills the port `Objects`; safe for several threads.

    The login goes to the kubeconfig's server only: redirects are not followed, and http is taken for loopback alone.
    Answers are bounded: 16 MiB, of a log the last 16 KiB. Every text in them is hostile.
    """

    def __init__(
        self,
        kubeconfig: Path | None = None,
        context: str | None = None,
        *,
        timeout: float = 10,
        service_account: Path | None = None,
    ) -> None:
        """Without a kubeconfig the service account of the pod that the bot runs in is used.

        `timeout` in seconds for each step of an answer, three times that for all of it. `service_account` is the folder
        where a pod finds its token. Nothing is read before the first question, so a broken kubeconfig does not keep the
        bot from starting; it is read again when it was replaced.
        """
        self._about = (kubeconfig, context, timeout, service_account)

    def __repr__(self) -> str:
        """Where it asks, never with what login."""
        kubeconfig, context, _, _ = self._about
        return f"KubernetesObjects({str(kubeconfig) if kubeconfig else 'in the cluster'!r}, {context!r})"

    def get(self, resource: Resource, namespace: str, name: str) -> Mapping[str, Any] | None:
        """One object; None where there is none, no such namespace, or no such kind of object."""
        question = Question("get", resource, namespace, name)
        answer = self._talk.ask(_path(question), {}, _BODY_LIMIT)
        return None if answer.status == 404 else _good(answer, question)

    def list(
        self, resource: Resource, namespace: str, *, labels: str = "", fields: str = "", limit: int = 100
    ) -> Sequence[Mapping[str, Any]]:
        """At most `limit` objects, each with its kind; none where there is no such kind of object.

        Raises `Retryable` when the list changed while it was read page by page.
        """
        question = Question("list", resource, namespace)
        asked = {"labelSelector": labels, "fieldSelector": fields}
        query: dict[str, str | int] = {key: value for key, value in asked.items() if value}
        found: list[Mapping[str, Any]] = []
        for _ in range(_PAGES):
            answer = self._talk.ask(_path(question), {**query, "limit": limit - len(found)}, _BODY_LIMIT)
            if answer.status == 404:
                break
            page = _good(answer, question)
            found += _items(page)
            more = _map(page, "metadata").get("continue")
            if len(found) >= limit or not isinstance(more, str) or not more:
                break
            query["continue"] = more
        return found[:limit]

    def log(self, namespace: str, pod: str, container: str, *, previous: bool, lines: int) -> str:
        """The last lines; empty where there is no such pod, and where the container has not run (before)."""
        question = Question("get", _POD, namespace, pod, "log")
        query: dict[str, str | int] = {
            "container": container,
            "tailLines": max(1, min(lines, _LINES)),
            "limitBytes": _LOG_READ,
        }
        answer = self._talk.ask(
            _path(question), query | ({"previous": "true"} if previous else {}), _BODY_LIMIT
        )
        # 400 is how the API says "waiting to start" and "previous terminated container not found".
        if answer.status in (400, 404):
            return ""
        if answer.status != 200:
            raise explained(answer, question, datetime.now(UTC))
        return answer.body[-_LOG_LIMIT:].decode(errors="ignore")

    def annotate(self, resource: Resource, namespace: str, name: str, annotations: Mapping[str, str]) -> None:
        """Set these; others stay. Raises `Refused` where there is no such object."""
        self.patch(resource, namespace, name, {"metadata": {"annotations": dict(annotations)}})

    def patch(self, resource: Resource, namespace: str, name: str, document: Mapping[str, Any]) -> None:
        """A merge patch: None takes a field away, a list is replaced. Raises `Refused` where there is no such object."""
        question = Question("patch", resource, namespace, name)
        answer = self._talk.merge(_path(question), _OWNER, document, _BODY_LIMIT)
        if answer.status != 200:
            raise explained(answer, question, datetime.now(UTC))

    @cached_property
    def _talk(self) -> "Conversation":
        # The libraries are slow to load, and most commands never ask a cluster.
        from bot.adapters.kubernetes.access import SERVICE_ACCOUNT, Access
        from bot.adapters.kubernetes.conversation import Conversation

        kubeconfig, context, timeout, service_account = self._about
        return Conversation(Access(kubeconfig, context, timeout, service_account or SERVICE_ACCOUNT))


def _path(question: Question) -> str:
    """Names go into the path as they are, so only those that Kubernetes itself takes are let through."""
    for name in (question.namespace, question.name or "any"):
        if not _NAME.match(name):
            raise Refused(
                f"{name[:80]!r} is not a name in Kubernetes: lower-case letters, digits, `-` and `.`"
            )
    version = question.resource.version
    parts = ["apis" if "/" in version else "api", version, "namespaces", question.namespace]
    parts += [question.resource.plural, question.name, question.subresource]
    return "/".join(part for part in parts if part)


def _good(answer: Answer, question: Question) -> Mapping[str, Any]:
    if answer.status != 200:
        raise explained(answer, question, datetime.now(UTC))
    document = answer.document()
    if document is None or "metadata" not in document:
        raise Retryable("what answers does not speak as the Kubernetes API does: is the address right?")
    return document


def _items(page: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Built-in kinds stand in a list without kind and version: they get those of the list."""
    items, kind = page.get("items"), str(page.get("kind") or "").removesuffix("List")
    about = {"apiVersion": page.get("apiVersion"), "kind": kind}
    found = items if isinstance(items, list) else []
    return [{**about, **item} for item in found if isinstance(item, Mapping)]


def _map(holder: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = holder.get(key)
    return value if isinstance(value, Mapping) else {}
