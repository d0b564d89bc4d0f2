"""The adapters of one bot, each made when it is first needed, so that a command pays for what it uses."""

from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bot.config.settings import Settings
from bot.core.target import ArgoCD, Flux, Through, Watch, Workload
from bot.core.verdict import Outcome, Verdict
from bot.ports import Cluster, Monitoring, Refused
from bot.wiring.clusters import Clusters, Place

if TYPE_CHECKING:
    from bot.adapters.journal import Leadership


class NoMonitoring:
    """For operators without Prometheus: a target that wants it cannot be judged, and that is said."""

    def watch(self, check: Watch, merged_at: datetime, since: datetime, now: datetime) -> Verdict:
        """Always inconclusive."""
        return Verdict(Outcome.INCONCLUSIVE, "the target asks Prometheus, but bot.yaml has no `prometheus:`")


class Parts:
    """The adapters by their ports."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is opened yet."""
        self.settings = settings

    @cached_property
    def registry(self) -> Any:
        """MLflow."""
        from bot.adapters.mlflow import MlflowRegistry

        mlflow = self.settings.mlflow
        name = mlflow.username
        return MlflowRegistry(
            mlflow.url,
            username=(lambda: name) if name is not None else None,
            password=mlflow.password.value if mlflow.password else None,
            token=mlflow.token.value if mlflow.token else None,
            public_url=mlflow.public_url or mlflow.url,
        )

    @cached_property
    def journal(self) -> Any:
        """Journal and inbox: in PostgreSQL, or in the data folder."""
        from bot.adapters.journal import SqlJournal

        self.settings.data.mkdir(parents=True, exist_ok=True)
        if self.settings.database is not None:
            url = self.settings.database.value()
            if not url.startswith("postgres"):
                raise Refused(
                    f"`database:` is for PostgreSQL: {self.settings.database.place} holds no URL of it"
                )
            return SqlJournal(url)
        return SqlJournal(f"sqlite:///{self.settings.data / 'journal.db'}")

    @cached_property
    def leadership(self) -> "Leadership | None":
        """Which replica leads; None without PostgreSQL, where there is one only."""
        repo = self.settings.manifests
        name = f"{self.settings.forge.api_url} {repo.repository} {repo.branch}"
        leadership: Leadership | None = self.journal.leadership(name)
        return leadership

    @cached_property
    def manifests(self) -> Any:
        """The mirror of the manifests repo in the data folder."""
        from bot.adapters.manifests.repository import GitManifests

        repo = self.settings.manifests
        folder = self.settings.data / "mirror"
        return GitManifests(repo.url, folder, self.settings.forge.token.value, branch=repo.branch)

    @cached_property
    def forge(self) -> Any:
        """GitHub."""
        from bot.adapters.github.forge import GitHubForge

        forge, repo = self.settings.forge, self.settings.manifests
        return GitHubForge(
            repo.repository,
            forge.token.value,
            base_branch=repo.branch,
            api_url=forge.api_url,
            login=forge.login,
            merge_method=self.settings.merge_method,
        )

    @cached_property
    def ci(self) -> Any:
        """GitHub Actions."""
        from bot.adapters.github.ci import GitHubActions

        return GitHubActions(self.settings.forge.token.value, api_url=self.settings.forge.api_url)

    @cached_property
    def images(self) -> Any:
        """Image registries."""
        from bot.adapters.oci import OciImages

        registries = self.settings.registries

        def credentials(host: str) -> tuple[str, str] | None:
            access = registries.get(host)
            if access is None or access.username is None or access.password is None:
                return None
            return access.username, access.password.value()

        insecure = frozenset(host for host, access in registries.items() if access.insecure)
        return OciImages(credentials=credentials, insecure_hosts=insecure)

    @cached_property
    def cluster(self) -> Cluster:
        """Whatever applies the manifests and runs the models."""
        makers: dict[Place, Callable[[], Cluster]] = {}
        if self.settings.argocd is not None:
            makers[ArgoCD, Through.API] = lambda: self._argocd
        if self.settings.kubernetes is not None:
            makers[ArgoCD, Through.KUBERNETES] = lambda: self._argocd_objects
            makers[Flux, Through.KUBERNETES] = lambda: self._flux
            makers[Workload, Through.KUBERNETES] = lambda: self._workloads
        makers[Flux, Through.FORGE] = lambda: self._flux_statuses
        return Clusters(makers)

    @cached_property
    def objects(self) -> Any:
        """The Kubernetes API."""
        from bot.adapters.kubernetes import KubernetesObjects

        access = self.settings.kubernetes
        if access is None:
            raise Refused("bot.yaml has no `kubernetes:`")
        return KubernetesObjects(kubeconfig=access.kubeconfig, context=access.context)

    @cached_property
    def _argocd(self) -> Any:
        from bot.adapters.argocd import ArgoCDCluster

        argocd = self.settings.argocd
        if argocd is None:
            raise Refused("bot.yaml has no `argocd:`")
        return ArgoCDCluster(
            argocd.url,
            argocd.token.value,
            verify_tls=not argocd.insecure,
            base_branch=self.settings.manifests.branch,
        )

    @cached_property
    def _argocd_objects(self) -> Any:
        from bot.adapters.argocd import ArgoCDObjects

        return ArgoCDObjects(self.objects, base_branch=self.settings.manifests.branch)

    @cached_property
    def _flux(self) -> Any:
        from bot.adapters.flux import FluxCluster

        receiver = self.settings.flux.receiver
        return FluxCluster(self.objects, ask=receiver.value if receiver is not None else None)

    @cached_property
    def _flux_statuses(self) -> Any:
        from bot.adapters.flux import FluxStatus

        receiver = self.settings.flux.receiver
        return FluxStatus(self.forge.statuses, ask=receiver.value if receiver is not None else None)

    @cached_property
    def _workloads(self) -> Any:
        from bot.adapters.workload import WorkloadCluster

        return WorkloadCluster(self.objects)

    @cached_property
    def monitoring(self) -> Monitoring:
        """Prometheus, where there is one."""
        if self.settings.prometheus is None:
            return NoMonitoring()
        from bot.adapters.prometheus import PrometheusMonitoring

        access = self.settings.prometheus
        token = access.token.value if access.token is not None else None
        monitoring: Monitoring = PrometheusMonitoring(access.url, token)
        return monitoring

    @cached_property
    def notifier(self) -> Any:
        """Chats and pagers."""
        from bot.adapters.notify import Webhooks

        return Webhooks([place.value for place in self.settings.notify])

    @cached_property
    def prober(self) -> Any:
        """HTTP."""
        from bot.adapters.http_probe import HttpProber

        return HttpProber()
