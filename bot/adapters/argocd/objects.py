"""Asks for the Application itself, through the Kubernetes API (fixtures/argocd/README.md, sections (a), (d) and (e))."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.adapters.argocd.advice import advice
from bot.adapters.argocd.judge import judge
from bot.adapters.argocd.reading import REFRESH, is_stuck, version
from bot.adapters.argocd.wording import out_of_reach
from bot.core.target import ArgoCD
from bot.core.telling import excerpt
from bot.core.verdict import Claim, Verdict
from bot.ports import Objects, Refused, Resource, Retryable

APPLICATIONS = Resource("argoproj.io/v1alpha1", "applications")
NAMESPACE = "argocd"


class ArgoCDObjects:
    """Fills the port `Cluster` for an `ArgoCD` through the Kubernetes API; as safe for threads as its `Objects`.

    Looking needs `get` on the one Application, asking and terminating `patch` (section (d)). The object has no health per
    resource, and no sync windows: a failure is told without its pods, which a `workload:` check tells.
    """

    def __init__(self, objects: Objects, *, base_branch: str | None = None) -> None:
        """`base_branch` is that of the manifests repo, for `advice`."""
        self._objects = objects
        self._base_branch = base_branch

    def look(self, rollout: ArgoCD, claim: Claim, now: datetime) -> Verdict:
        """Judge one fresh read. Whatever keeps the answer away is INCONCLUSIVE, with what a person can do about it."""
        try:
            document = self._application(rollout)
        except (Refused, Retryable) as problem:
            return out_of_reach(rollout.application, problem, now)
        return judge([document], claim, now)

    def ask_to_sync(self, rollout: ArgoCD) -> None:
        """Have the controller compare with the repo now, by the annotation that it takes away when it has (section (c))."""
        self._objects.annotate(APPLICATIONS, *_place(rollout), {REFRESH: "normal"})

    def terminate(self, rollout: ArgoCD) -> None:
        """End the operation of an earlier commit that is tried again and again, as Argo CD's own API does it: by the phase.

        One that gets on, or that is of the newest commit, is left alone, and none is done already. The patch carries the
        version that was looked at, so that it cannot hit an operation that has begun since: that is `Retryable` then.
        """
        document = self._application(rollout)
        if is_stuck(document):
            change = {
                "metadata": {"resourceVersion": version(document)},
                "status": {"operationState": {"phase": "Terminating"}},
            }
            self._objects.patch(APPLICATIONS, *_place(rollout), change)

    def advice(self, rollout: ArgoCD) -> Sequence[str]:
        """What about the Application keeps verdicts from being right or quick; raises where it cannot be read."""
        return advice(self._application(rollout), rollout, self._base_branch)

    def _application(self, rollout: ArgoCD) -> Mapping[str, Any]:
        namespace, name = _place(rollout)
        document = self._objects.get(APPLICATIONS, namespace, name)
        if document is None:
            raise Refused(
                f"there is no Application {excerpt(name, 80)} in namespace {excerpt(namespace, 80)}: correct"
                " `rollout:` or create it"
            )
        return document


def _place(rollout: ArgoCD) -> tuple[str, str]:
    return rollout.namespace or NAMESPACE, rollout.application
