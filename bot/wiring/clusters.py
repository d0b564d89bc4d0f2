"""Which adapter answers for which rollout, and what is said where bot.yaml names none."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from bot.core.target import ArgoCD, Flux, Rollout, Through, Workload
from bot.core.verdict import Claim, Outcome, Verdict
from bot.ports import Cluster, Refused

_LATER = timedelta(minutes=1)

Place = tuple[type[ArgoCD | Flux | Workload], Through]


class Clusters:
    """Fills the port `Cluster` by the adapters for each product and way; each is made when it is first needed."""

    def __init__(self, makers: Mapping[Place, Callable[[], Cluster]]) -> None:
        """`makers` has only what bot.yaml configures."""
        self._makers = makers

    def look(self, rollout: Rollout | Workload, claim: Claim, now: datetime) -> Verdict:
        """As the adapter says; inconclusive where there is none."""
        try:
            cluster = self._of(rollout)
        except Refused as refused:
            return Verdict(Outcome.INCONCLUSIVE, str(refused), again=_LATER)
        return cluster.look(rollout, claim, now)

    def ask_to_sync(self, rollout: Rollout) -> None:
        """As the adapter does it."""
        self._of(rollout).ask_to_sync(rollout)

    def terminate(self, rollout: Rollout) -> None:
        """As the adapter does it."""
        self._of(rollout).terminate(rollout)

    def advice(self, rollout: Rollout | Workload) -> Sequence[str]:
        """As the adapter says."""
        return self._of(rollout).advice(rollout)

    def _of(self, rollout: Rollout | Workload) -> Cluster:
        through = Through.KUBERNETES if isinstance(rollout, Workload) else rollout.through
        maker = self._makers.get((type(rollout), through))
        if maker is None:
            raise Refused(_missing(rollout))
        return maker()


def _missing(rollout: Rollout | Workload) -> str:
    match rollout:
        case ArgoCD(through=Through.API):
            return "the target names an Argo CD application, but bot.yaml has no `argocd:`"
        case ArgoCD():
            return "the target asks about Argo CD through Kubernetes, but bot.yaml has no `kubernetes:`"
        case Flux():
            return "the target names a Flux Kustomization, but bot.yaml has no `kubernetes:`"
        case Workload():
            return "the target names a workload, but bot.yaml has no `kubernetes:`"
