"""Everything that the story needs, started on loopback in one folder, and ended without a trace."""

import contextlib
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import requests

from bot.core.model import Kind
from bot.core.names import parse_branch
from bot.sandbox.ci import CI
from bot.sandbox.cluster import Cluster
from bot.sandbox.cluster.kubernetes.store import PODS
from bot.sandbox.feature_store import FeatureStore
from bot.sandbox.forge import Forge
from bot.sandbox.image_registry import ImageRegistry
from bot.sandbox.processes import end, spawn
from bot.sandbox.registry_client import RegistryClient, RegistryFailure
from bot.sandbox.serving import WSGI, free_port
from bot.sandbox.template import template
from bot.sandbox.tracking import TrackingServer
from bot.sandbox.training import FEATURE_STORE_ADDRESS, command

MODEL = "fraud-detector"
TARGET = "fraud-detector/production"
APPLICATION = "fraud-detector-production"
MANIFESTS, MODELS = "acme/manifests", "acme/models"
WORKFLOW = "deploy-on-model-promotion.yml"
CHECK = "validate"
REVIEWER = "alice"
OVERLAY = "apps/inference-service/overlays/production"
WORKLOAD, NAMESPACE = "deployment/inference-service", "fraud-detector-production"
SLOWEST_START = 180.0  # seconds; how long a model server takes here is only known once one has started
MARKER = "this-folder-belongs-to-the-demo"

ALIAS_EVENTS = (
    "model_version_alias.created", "model_version_alias.deleted", "model_version_tag.set", "model_version_tag.deleted",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Training:
    """A training that runs or is done, and what it prints."""

    process: subprocess.Popen[bytes]
    log: Path


class DemoWorld:
    """MLflow, forge, CI, image registry, cluster and bot. A context manager: leaving it ends everything.

    `said` hears one line about each part that comes up; `around` wraps the forge, to watch or disturb it. The bot runs as a process of its own, so that a test can
    kill it.
    """

    first_trainings: tuple[tuple[str, str], ...] = (("1", "good"),)
    senders: tuple[str, ...] = ("mlflow", "github")  # whose webhooks the bot believes
    mlflow = TrackingServer
    spawn = staticmethod(spawn)  # how the bot's process is started

    def __init__(
        self,
        folder: Path,
        said: Callable[[str], None] = lambda line: None,
        *,
        sweep: str = "30s",
        around: Callable[[WSGI], WSGI] = lambda app: app,
    ) -> None:
        """Nothing is started yet. The folder must be new, empty, or left from an earlier demo."""
        self.folder = _cleared(folder)
        self._said = said
        self._sweep, self._around = sweep, around
        self._stack = contextlib.ExitStack()
        signing = (f"{sender.upper()}_SECRET" for sender in self.senders)
        self.secrets = {
            name: secrets.token_urlsafe(24)
            for name in ("FORGE_TOKEN", "ARGOCD_TOKEN", "REGISTRY_PASSWORD", *signing)
        }
        self.bot_port = free_port()
        self.bot_url = f"http://127.0.0.1:{self.bot_port}"
        self.bot_process: Any = None

        # One that stays, as tests ask all the time; a proxy that the environment names does not lead to our own loopback.
        self._session = requests.Session()
        self._session.trust_env = False
        self.features = FeatureStore()
        self._trainings: dict[str, Training] = {}

    # --- life ---

    def __enter__(self) -> Self:
        """Start everything; what came up is ended again when something does not."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._stop)
            self._start()
            stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End everything."""
        self._stop()

    def _start(self) -> None:
        self.features.open()
        self._stack.callback(self.features.close)
        self.tracking = self.mlflow(self.folder / "mlflow")
        self._stack.callback(self.tracking.stop)
        self.tracking.launch()  # slow to come up: everything else starts meanwhile
        self._registry()
        self._forge()
        self._ci()
        self._cluster()
        self._write_settings()
        self.tracking.wait()
        self._said(f"MLflow         {self.tracking.url}")
        for version, kind in self.first_trainings:
            self.begin_training(version, kind)  # while the bot comes up
        self.start_bot()
        self._webhooks()

    def _registry(self) -> None:
        users = {"gitops-bot": self.secrets["REGISTRY_PASSWORD"]}
        self.images = ImageRegistry(self.folder / "images", users=users).start()
        self._stack.callback(self.images.stop)
        self.image = f"{self.images.host}/acme/{MODEL}"
        self._said(f"image registry {self.images.url}")

    def _forge(self) -> None:
        self.forge = Forge(self.folder / "forge", reviewer=REVIEWER, around=self._around)
        self.forge.start()
        self._stack.callback(self.forge.stop)
        self.forge.add_user("gitops-bot[bot]", self.secrets["FORGE_TOKEN"], bot=True)
        self.forge.add_user(REVIEWER, secrets.token_urlsafe(24))
        self._said(f"forge          {self.forge.url}")

    def _ci(self) -> None:
        source = self.folder / "models"
        workflows = source / ".github" / "workflows"
        workflows.mkdir(parents=True)
        shutil.copy(template() / ".github" / "workflows" / WORKFLOW, workflows)
        self.forge.create_repository(MODELS, source=source)
        credentials = ("gitops-bot", self.secrets["REGISTRY_PASSWORD"])
        work = self.folder / "ci"
        self.ci = CI(
            self.forge, self.tracking.url, self.images.host, template(), work, credentials=credentials
        )
        self._stack.callback(self.ci.stop)
        self.forge.on_dispatch = self.ci.build

    def _cluster(self) -> None:
        self.cluster = Cluster(
            self.folder / "cluster",
            git_url=f"{self.forge.url}/{MANIFESTS}.git",
            git_token=self.secrets["FORGE_TOKEN"],
            credentials=("gitops-bot", self.secrets["REGISTRY_PASSWORD"]),
            token=self.secrets["ARGOCD_TOKEN"],
            progress_deadline=SLOWEST_START,
        )
        self._stack.callback(self.cluster.stop)
        self.follow()
        self.service_url = self.cluster.service_url(APPLICATION)
        source = self.folder / "manifests"
        shutil.copytree(template(), source, ignore=shutil.ignore_patterns("model-image", ".keep"))
        self._localise(source)
        self.forge.create_repository(MANIFESTS, source=source)
        self.forge.protect(MANIFESTS, "main", required_checks=(CHECK,))
        self.cluster.start()
        self._said(f"cluster        {self.cluster.url}")

    def follow(self) -> None:
        """Have the cluster follow the production overlay, under the name of the application."""
        self.cluster.add_application(APPLICATION, path=OVERLAY, namespace="production")

    def _localise(self, source: Path) -> None:
        """Turn the template's names into those of this machine, and keep the production target only."""
        for file in source.rglob("*.yaml"):
            text = file.read_text().replace("ghcr.io/acme/fraud-detector", self.image)
            file.write_text(text)
        promotions = source / "promotions.yaml"
        promotions.write_text(self.promotions(localised(promotions.read_text(), self.service_url)))

    def promotions(self, text: str) -> str:
        """What promotions.yaml says, made of what the template says: in the demo with every proof there is."""
        asked = f"- prediction: {self.service_url}"
        proofs = f"- {{prediction: '{self.service_url}', tolerance: 0.000001}}"
        workload = f"- {{workload: {WORKLOAD}, namespace: {NAMESPACE}}}"
        return text.replace(asked, f"{proofs}\n      {workload}", 1)

    def _write_settings(self) -> None:
        signing = (f"{sender}: [{{env: GITOPS_BOT_{sender.upper()}_SECRET}}]" for sender in self.senders)
        public = f"server: {{host: 127.0.0.1, port: {self.bot_port}, public_url: '{self.bot_url}'}}"
        lines = [
            f"mlflow: {{url: '{self.mlflow_address()}', public_url: '{self.tracking.url}'}}",
            f"manifests: {{url: '{self.forge.url}/{MANIFESTS}.git', repository: {MANIFESTS}}}",
            f"forge: {{api_url: '{self.forge.api_url}', token: {{env: GITOPS_BOT_FORGE_TOKEN}}}}",
            f"argocd: {{url: '{self.cluster.url}', token: {{env: GITOPS_BOT_ARGOCD_TOKEN}}}}",
            "registries:",
            f"  '{self.images.host}': {{username: gitops-bot, password: {{env: GITOPS_BOT_REGISTRY_PASSWORD}}, insecure: true}}",
            f"webhooks: {{{', '.join(signing)}}}",
            public,
            "data: data",
            f"sweep: {self._sweep}",
            *self.more_settings(),
        ]
        self.settings = self.folder / "bot.yaml"
        self.settings.write_text("\n".join(lines) + "\n")
        # For a person's shell: what the bot needs, but not its home.
        mine = {name: value for name, value in self.environment().items() if name.startswith("GITOPS_BOT_")}
        shell = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(mine.items()))
        exports = self.folder / "environment"
        exports.touch(mode=0o600)
        exports.write_text(shell)

    def more_settings(self) -> tuple[str, ...]:
        """Lines that bot.yaml has besides."""
        kubeconfig = self.cluster.write_kubeconfig(self.folder / "kubeconfig")
        return (f"kubernetes: {{kubeconfig: '{kubeconfig}'}}",)

    def mlflow_address(self) -> str:
        """Where the bot finds MLflow."""
        return self.tracking.url

    def _webhooks(self) -> None:
        """Who calls whom: MLflow and the forge the bot, the forge the cluster."""
        mlflow_secret, github_secret = self.secrets["MLFLOW_SECRET"], self.secrets["GITHUB_SECRET"]
        self.tracking.create_webhook(f"{self.bot_url}/webhook/mlflow", mlflow_secret, ALIAS_EVENTS)
        hook = f"{self.bot_url}/webhook/github"
        self.forge.add_webhook(
            MANIFESTS, hook, github_secret, ("pull_request", "push", "status", "issue_comment")
        )
        self.forge.add_webhook(MODELS, hook, github_secret, ("workflow_run",))
        self.forge.add_webhook(MANIFESTS, f"{self.cluster.url}/api/webhook", github_secret, ("push",))
        self._validator = threading.Thread(target=self._validate, name="sandbox:validate", daemon=True)
        self._stopping = threading.Event()
        self._stack.callback(self._stopping.set)
        self._validator.start()

    def _validate(self) -> None:
        """The check that the manifests repo requires: every open proposal's production overlay must render."""
        seen: set[str] = set()
        while not self._stopping.wait(0.3):
            for pull in self.pull_requests("open"):
                head = str(pull["head"]["sha"])
                if head not in seen:
                    seen.add(head)
                    state = "success" if self.cluster.renders(head, OVERLAY) else "failure"
                    self.forge.set_status(MANIFESTS, head, CHECK, state)

    def _stop(self) -> None:
        # A second Ctrl-C must not leave half of it running.
        with _undisturbed():
            self._end()

    def _end(self) -> None:
        if self.bot_process is not None:
            end(self.bot_process, grace=10)
            self.bot_process = None
        self._stack.close()
        self._session.close()

    # --- the bot ---

    def environment(self) -> dict[str, str]:
        """What the bot finds in its environment: the secrets, and a home in the folder."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        found = {f"GITOPS_BOT_{name}": value for name, value in self.secrets.items()}
        return found | {
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "GITOPS_BOT_CONFIG": str(self.settings),
        }

    def command(self, *words: str) -> list[str]:
        """A command line of the bot's."""
        return [sys.executable, "-m", "bot", *words]

    def start_bot(self) -> None:
        """Start `gitops-bot serve` and wait until it is ready."""
        self.launch_bot()
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and self.bot_process.poll() is None:
            with contextlib.suppress(requests.RequestException):
                if requests.get(f"{self.bot_url}/ready", timeout=5).ok:
                    self._said(f"bot            {self.bot_url}")
                    return
            time.sleep(0.1)
        said = (self.folder / "bot.log").read_text(errors="replace")
        raise RuntimeError(f"the bot did not come up; it said:\n{said[-3000:]}")

    def launch_bot(self) -> None:
        """Start `gitops-bot serve` without waiting."""
        log = self.folder / "bot.log"
        self.bot_process = self.spawn(
            self.command("serve"), log=log, environment=self.environment(), folder=self.folder
        )

    def kill_bot(self) -> None:
        """SIGKILL: no goodbye."""
        if self.bot_process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.bot_process.pid, signal.SIGKILL)
            self.bot_process.wait(timeout=10)

    def begin_training(self, version: str, kind: str) -> Training:
        """Train and register a version in a process of its own; begun already is begun."""
        if version not in self._trainings:
            log = self.folder / f"training-{version}.log"
            words = command(self.tracking.url, MODEL, kind)
            there = self.environment() | {FEATURE_STORE_ADDRESS: self.features.address}
            process = spawn(words, log=log, environment=there, folder=self.folder)
            self._stack.callback(end, process, grace=1)
            self._trainings[version] = Training(process, log)
        return self._trainings[version]

    # --- looking ---

    def image_digest(self, tag: str) -> str | None:
        """The digest under which the image registry has this tag of the model's image."""
        client = RegistryClient(self.images.host, ("gitops-bot", self.secrets["REGISTRY_PASSWORD"]))
        return _none_if_missing(lambda: client.resolve(f"acme/{MODEL}", tag))

    def application(self, name: str) -> Any:
        """The Application as the cluster's API tells it."""
        headers = {"Authorization": f"Bearer {self.secrets['ARGOCD_TOKEN']}"}
        answer = self._session.get(
            f"{self.cluster.url}/api/v1/applications/{name}", headers=headers, timeout=10
        )
        answer.raise_for_status()
        return answer.json()

    def crashed_pod(self) -> str | None:
        """A pod whose container has ended with an error, by the cluster's own word."""
        for pod in self.cluster.store.list(PODS, NAMESPACE):
            for status in pod.get("status", {}).get("containerStatuses", []):
                ends = [status.get(when, {}).get("terminated") for when in ("state", "lastState")]
                if any(end is not None and end.get("exitCode") for end in ends):
                    return str(pod["metadata"]["name"])
        return None

    def api(self, path: str) -> Any:
        """An answer of the forge's REST API."""
        headers = {"Authorization": f"Bearer {self.secrets['FORGE_TOKEN']}"}
        answer = self._session.get(f"{self.forge.api_url}{path}", headers=headers, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def pull_requests(self, state: str = "all") -> list[Any]:
        """The pull requests of the manifests repo, oldest first."""
        found: list[Any] = self.api(f"/repos/{MANIFESTS}/pulls?state={state}&per_page=100")
        return sorted(found, key=lambda pull: int(pull["number"]))

    def proposals(self, kind: Kind, version: str) -> list[Any]:
        """The bot's pull requests of one kind for one version."""
        names = [(pull, parse_branch(pull["head"]["ref"])) for pull in self.pull_requests()]
        return [
            pull for pull, name in names if name is not None and (name.kind, name.version) == (kind, version)
        ]

    def standing(self, target: str = TARGET) -> Any:
        """How the bot says that a target stands, with its journal."""
        answer = self._session.get(f"{self.bot_url}/api/targets/{target}", timeout=10)
        answer.raise_for_status()
        return answer.json()

    def bot_seconds(self) -> float:
        """The seconds that the bot has spent in passes since it started."""
        text = requests.get(f"{self.bot_url}/metrics", timeout=10).text
        line = next(line for line in text.splitlines() if line.startswith("gitops_bot_pass_seconds_sum"))
        return float(line.rpartition(" ")[2])


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Signals wait until the block is done; only the main thread gets any."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def localised(promotions: str, service_url: str) -> str:
    """The template's promotions.yaml for one machine: production only, served at this address, quick to judge."""
    head, _, rest = promotions.partition("  - name: fraud-detector/staging")
    _, marker, production = rest.partition("  - name: fraud-detector/production")
    if not marker:
        raise ValueError(
            "gitops-template/promotions.yaml has no targets for staging and production in this order"
        )
    lines = [line for line in production.splitlines() if not line.strip().startswith("after:")]
    text = "\n".join(lines).replace("https://fraud-detector.acme.dev", service_url)
    # Images can be built elsewhere, too: there the bot needs another right, and hears another repo's webhook.
    head = head.replace(f"github: {MANIFESTS}", f"github: {MODELS}")
    return f"{head}{marker}{text}\n    settle: 1s\n    deadline: 5m\n"


def _none_if_missing(resolve: Callable[[], str]) -> str | None:
    try:
        return resolve()
    except RegistryFailure:
        return None


def _cleared(folder: Path) -> Path:
    folder = folder.absolute()
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARKER).exists():
            raise FileExistsError(
                f"{folder} is not empty and not of an earlier demo: name another with --folder"
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).touch()
    return folder
