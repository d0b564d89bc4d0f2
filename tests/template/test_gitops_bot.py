"""The bot in the cluster: it accepts its bot.yaml, runs without rights, reads what its roles allow, and can be two."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from bot.adapters.argocd.objects import ArgoCDObjects
from bot.adapters.flux.cluster import FluxCluster
from bot.adapters.workload.client import WorkloadCluster
from bot.cli import main
from bot.config.settings import load
from bot.core.target import ArgoCD, Flux, Through, Workload, WorkloadKind
from bot.core.verdict import Claim
from bot.ports import Refused, Resource
from tests.adapters.flux.recorded import Cluster
from tests.template.rendered import IMAGE, TEMPLATE, Document, copied, one, rendered
from tests.template.test_gitops_schemas import check
from tests.template.test_manifests import RESTRICTED

BOT = TEMPLATE / "bot"
WAYS = ("argocd", "flux")
SECRETS = "/run/secrets/gitops-bot"
BY_BOTH = pytest.mark.parametrize("way", WAYS)


def overlay(way: str) -> list[Document]:
    return rendered(f"bot/overlays/{way}", "kubectl")


def written(way: str) -> str:
    return (BOT / "overlays" / way / "bot.yaml").read_text()


def keys_of_the_secret() -> set[str]:
    return set(yaml.safe_load((BOT / "secrets" / "gitops-bot.yaml.example").read_text())["stringData"])


def in_a_pod(text: str, tmp_path: Path) -> Path:
    """bot.yaml where all keys of the Secret are files, as in the pod."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    for key in keys_of_the_secret():
        (folder / key).write_text("s3cret\n")
        (folder / key).chmod(0o400)
    file = tmp_path / "bot.yaml"
    file.write_text(text.replace(SECRETS, str(folder)))
    return file


# --- bot.yaml ---


@BY_BOTH
def test_config_check_accepts_its_bot_yaml(way: str, tmp_path: Path) -> None:
    file = in_a_pod(written(way), tmp_path)
    done = CliRunner().invoke(main, ["config", "check", str(file)])
    assert (done.exit_code, done.output) == (0, f"{file}: fine\n")


@BY_BOTH
def test_config_check_accepts_every_line_that_is_commented_out(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "GITOPS_BOT_DATABASE_URL", "postgresql://gitops_bot:s3cret@db.acme.dev:5432/gitops_bot"
    )
    text = re.sub(r"^# (\w+: \{)", r"\1", written(way), flags=re.MULTILINE)
    assert text != written(way)
    file = in_a_pod(text, tmp_path)
    done = CliRunner().invoke(main, ["config", "check", str(file)])
    assert (done.exit_code, done.output) == (0, f"{file}: fine\n")


@BY_BOTH
def test_the_pod_has_what_its_bot_yaml_names(way: str, tmp_path: Path) -> None:
    documents = overlay(way)
    pod = one(documents, "Deployment")["spec"]["template"]["spec"]
    [container] = pod["containers"]
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    settings = load(in_a_pod(written(way), tmp_path))
    assert settings.server.port == container["ports"][0]["containerPort"]
    assert settings.server.host == "0.0.0.0"
    assert str(settings.data) in mounts
    named = set(re.findall(rf"{SECRETS}/([\w-]+)", written(way)))
    assert named
    assert named <= keys_of_the_secret()
    secret = volumes[mounts[SECRETS]["name"]]["secret"]
    assert secret == {"secretName": "gitops-bot", "defaultMode": 0o400}
    config = volumes[mounts["/etc/gitops-bot"]["name"]]["configMap"]["name"]
    made = one(documents, "ConfigMap")
    assert (config, made["data"]) == (made["metadata"]["name"], {"bot.yaml": written(way)})
    assert "GITOPS_BOT_CONFIG=/etc/gitops-bot/bot.yaml" in (TEMPLATE.parent / "Dockerfile").read_text()


# --- the pod ---


@BY_BOTH
def test_the_pod_is_restricted(way: str) -> None:
    documents = overlay(way)
    assert (
        one(documents, "Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        == "restricted"
    )
    pod = one(documents, "Deployment")["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["securityContext"] == RESTRICTED
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    user = re.search(r"^USER (\d+):(\d+)", (TEMPLATE.parent / "Dockerfile").read_text(), re.MULTILINE)
    assert user is not None
    assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["fsGroup"]) == (
        int(user[1]),
        int(user[2]),
    )
    assert (
        container["startupProbe"]["httpGet"]["path"]
        == container["livenessProbe"]["httpGet"]["path"]
        == "/health"
    )
    assert container["readinessProbe"]["httpGet"]["path"] == "/ready"


def test_the_token_of_its_account_is_there_only_where_it_asks_kubernetes(tmp_path: Path) -> None:
    for way in WAYS:
        pod = one(overlay(way), "Deployment")["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is (way == "flux")
        assert one(overlay(way), "ServiceAccount", "gitops-bot")["automountServiceAccountToken"] is False
        folder = tmp_path / way
        folder.mkdir()
        asks = load(in_a_pod(written(way), folder)).kubernetes is not None
        assert asks is pod["automountServiceAccountToken"]


@BY_BOTH
def test_one_with_sqlite_is_never_two(way: str) -> None:
    spec = one(overlay(way), "Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    claim = one(overlay(way), "PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    volumes = {volume["name"]: volume for volume in spec["template"]["spec"]["volumes"]}
    assert volumes["data"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]


@BY_BOTH
def test_with_postgresql_they_are_two(way: str, tmp_path: Path) -> None:
    documents = with_postgresql(way, tmp_path)
    for document in documents:
        check(document)
    spec = one(documents, "Deployment")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }
    pod = spec["template"]["spec"]
    assert next(volume for volume in pod["volumes"] if volume["name"] == "data") == {
        "name": "data",
        "emptyDir": {"sizeLimit": "5Gi"},
    }
    assert not [document for document in documents if document["kind"] == "PersistentVolumeClaim"]
    [variable] = pod["containers"][0]["env"]
    assert variable["name"] == "GITOPS_BOT_DATABASE_URL"
    assert variable["valueFrom"]["secretKeyRef"] == {"name": "gitops-bot", "key": "database-url"}
    assert "\ndatabase: {env: GITOPS_BOT_DATABASE_URL}" in one(documents, "ConfigMap")["data"]["bot.yaml"]
    assert one(documents, "PodDisruptionBudget")["spec"]["minAvailable"] == 1
    ports = [
        rule["ports"] for rule in one(documents, "NetworkPolicy", "gitops-bot-postgresql")["spec"]["egress"]
    ]
    assert ports == [[{"port": 5432, "protocol": "TCP"}]]


def with_postgresql(way: str, tmp_path: Path) -> list[Document]:
    """Do to an overlay what its comments say."""
    root = copied(tmp_path, "bot")
    folder = root / "bot" / "overlays" / way
    for name, line in (
        ("kustomization.yaml", "  # - ../../components/postgresql"),
        ("bot.yaml", "# database:"),
    ):
        text = (folder / name).read_text()
        assert line in text
        (folder / name).write_text(text.replace(line, line.replace("# ", "", 1)))
    return rendered(f"bot/overlays/{way}", "kubectl", root)


def test_the_network_lets_in_two_callers_and_not_out_to_the_nodes_credentials() -> None:
    documents = overlay("argocd")
    assert one(documents, "NetworkPolicy", "default-deny")["spec"]["policyTypes"] == ["Ingress", "Egress"]
    spec = one(documents, "NetworkPolicy", "gitops-bot")["spec"]
    [rule] = spec["ingress"]
    callers = [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for peer in rule["from"]
    ]
    assert callers == ["ingress-nginx", "monitoring"]
    blocks = [peer["ipBlock"] for way in spec["egress"] for peer in way["to"] if "ipBlock" in peer]
    assert [block["except"][0] for block in blocks] == ["169.254.0.0/16", "fd00:ec2::254/128"]
    own = one(documents, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert spec["podSelector"]["matchLabels"] == own


def test_the_model_lets_the_bot_in_and_monitoring_finds_it() -> None:
    labels = one(overlay("argocd"), "Deployment")["spec"]["template"]["metadata"]["labels"]
    policy = one(rendered("apps/inference-service/overlays/production"), "NetworkPolicy", "inference-service")
    callers = [
        (
            p["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"],
            p["podSelector"]["matchLabels"],
        )
        for p in policy["spec"]["ingress"][0]["from"]
    ]
    assert ("gitops-bot", labels) in callers
    service = one(overlay("argocd"), "Service")
    assert service["metadata"]["labels"] == service["spec"]["selector"] == labels
    assert service["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": "http"}]


def test_webhooks_need_no_login_and_pages_do() -> None:
    documents = overlay("argocd")
    paths = {}
    for document in documents:
        if document["kind"] == "Ingress":
            [rule] = document["spec"]["rules"]
            guarded = "nginx.ingress.kubernetes.io/auth-url" in document["metadata"]["annotations"]
            paths |= {path["path"]: guarded for path in rule["http"]["paths"]}
    assert paths == {"/webhook/": False, "/": True}


# --- secrets ---


def test_no_secret_is_in_the_tree_and_the_examples_agree() -> None:
    for way in WAYS:
        assert not [document for document in overlay(way) if document["kind"] == "Secret"]
    values = yaml.safe_load((BOT / "secrets" / "gitops-bot.yaml.example").read_text())["stringData"]
    assert set(values.values()) == {""}
    assert [path.name for path in (BOT / "secrets").iterdir()] == ["gitops-bot.yaml.example"]
    external = one(overlay("argocd"), "ExternalSecret")["spec"]
    assert external["target"]["name"] == "gitops-bot"
    store = one(overlay("argocd"), "SecretStore")
    assert external["secretStoreRef"] == {"kind": store["kind"], "name": store["metadata"]["name"]}
    rule = yaml.safe_load((BOT / ".sops.yaml").read_text())["creation_rules"][0]
    assert re.search(rule["path_regex"], "bot/secrets/gitops-bot.yaml")
    assert re.search(rule["encrypted_regex"], "stringData")


# --- rights ---


class Allowed(Cluster):
    """The cluster as a login sees it that has these Roles, each in its namespace."""

    def __init__(self, documents: Sequence[Mapping[str, Any]], roles: Sequence[Document]) -> None:
        super().__init__(documents)
        self.roles = [(role["metadata"]["namespace"], rule) for role in roles for rule in role["rules"]]

    def get(self, resource: Resource, namespace: str, name: str) -> Mapping[str, Any] | None:
        self._must("get", resource, namespace, name)
        return super().get(resource, namespace, name)

    def list(
        self, resource: Resource, namespace: str, *, labels: str = "", fields: str = "", limit: int = 100
    ) -> Sequence[Mapping[str, Any]]:
        self._must("list", resource, namespace, None)
        found = [d for d in self.documents if d["kind"] == KINDS[resource.plural]]
        return [d for d in found if d["metadata"]["namespace"] == namespace][:limit]

    def log(self, namespace: str, pod: str, container: str, *, previous: bool, lines: int) -> str:
        self._must("get", Resource("v1", "pods/log"), namespace, pod)
        return "out of tune"

    def _allowed(self, verb: str, resource: Resource) -> str:
        return KINDS[resource.plural]

    def _must(self, verb: str, resource: Resource, namespace: str, name: str | None) -> None:
        group = resource.version.rpartition("/")[0]
        for where, rule in self.roles:
            names = rule.get("resourceNames")
            if (
                where == namespace
                and group in rule["apiGroups"]
                and resource.plural in rule["resources"]
                and verb in rule["verbs"]
                and (names is None or name in names)
            ):
                self.asked.append(f"{verb} {resource.plural}")
                return
        raise Refused(f"may not {verb} {resource.plural} {name} in {namespace}")


KINDS = {
    "kustomizations": "Kustomization",
    "gitrepositories": "GitRepository",
    "applications": "Application",
    "deployments": "Deployment",
    "daemonsets": "DaemonSet",
    "replicasets": "ReplicaSet",
    "pods": "Pod",
    "events": "Event",
}
NAMESPACE = "fraud-detector-production"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CLAIM = Claim(
    "a" * 40, f"{IMAGE}:v7", NOW - timedelta(minutes=30), timedelta(seconds=10), timedelta(minutes=15)
)


def cluster(way: str) -> Allowed:
    """Production with version 7, of which a pod crashes."""
    roles = [d for d in rendered(f"bot/access/{way}", "kubectl") if d["kind"] == "Role"]
    return Allowed([*applied_by_flux(), *crashing()], roles)


def crashing() -> list[Document]:
    deployment = one(rendered("apps/inference-service/overlays/production"), "Deployment")
    template = deployment["spec"]["template"]
    template["spec"]["containers"][0]["image"] = f"{IMAGE}:v7"
    deployment["metadata"] |= {"uid": "d", "generation": 2}
    deployment["status"] = {
        "observedGeneration": 2,
        "replicas": 1,
        "updatedReplicas": 1,
        "unavailableReplicas": 1,
    }
    labels = template["metadata"]["labels"] | {"pod-template-hash": "h"}
    of = {"kind": "Deployment", "name": "inference-service", "uid": "d", "controller": True}
    replicas = {
        "kind": "ReplicaSet",
        "metadata": {
            "name": "rs",
            "namespace": NAMESPACE,
            "uid": "r",
            "labels": labels,
            "ownerReferences": [of],
        },
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
        },
    }
    crashed = {
        "name": "server",
        "restartCount": 5,
        "ready": False,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"reason": "Error", "exitCode": 1}},
    }
    pod = {
        "kind": "Pod",
        "metadata": {
            "name": "p",
            "namespace": NAMESPACE,
            "labels": labels,
            "ownerReferences": [{"kind": "ReplicaSet", "name": "rs", "uid": "r", "controller": True}],
        },
        "spec": template["spec"],
        "status": {"phase": "Running", "containerStatuses": [crashed]},
    }
    return [deployment, replicas, pod]


def applied_by_flux() -> list[Document]:
    files = (TEMPLATE / "flux" / "models" / f"{NAMESPACE}.yaml", TEMPLATE / "flux" / "manifests.yaml")
    app, source = (yaml.safe_load(file.read_text()) for file in files)
    entries = [{"id": f"{NAMESPACE}_{name}", "v": "v1"} for name in ("inference-service_apps_Deployment", "image-pre-puller_apps_DaemonSet")]  # fmt: skip
    revision = f"main@sha1:{'a' * 40}"
    failed = {"type": "Ready", "status": "False", "reason": "HealthCheckFailed", "message": "timeout"}
    app["metadata"] |= {"namespace": "flux-system", "generation": 1}
    app["status"] = {
        "observedGeneration": 1,
        "lastAttemptedRevision": revision,
        "inventory": {"entries": entries},
        "conditions": [failed],
    }
    source["metadata"]["namespace"] = "flux-system"
    source["status"] = {"artifact": {"revision": revision}}
    return [app, source]


def test_with_flux_it_may_read_whatever_it_asks_for() -> None:
    objects = cluster("flux")
    rollout = Flux(NAMESPACE)
    verdict = FluxCluster(objects).look(rollout, CLAIM, NOW)
    assert "may not" not in f"{verdict.because} {verdict.evidence}"
    assert {
        "get kustomizations",
        "get gitrepositories",
        "get deployments",
        "get daemonsets",
        "list pods",
    } <= {*objects.asked}
    assert FluxCluster(objects, lambda: "https://flux.acme.dev/hook/x").advice(rollout) == ()


@BY_BOTH
def test_it_may_read_whatever_a_failing_workload_makes_it_ask_for(way: str) -> None:
    objects = cluster(way)
    workload = Workload(WorkloadKind.DEPLOYMENT, "inference-service", NAMESPACE)
    verdict = WorkloadCluster(objects).look(workload, CLAIM, NOW)
    assert "may not" not in f"{verdict.because} {verdict.evidence}"
    assert {*objects.asked} == {
        "get deployments", "list replicasets", "list pods", "list events", "get pods/log",
    }  # fmt: skip
    assert list(WorkloadCluster(objects).advice(workload)) == []


def test_with_argo_cd_it_may_read_the_application_that_a_target_names() -> None:
    file = TEMPLATE / "argocd" / "applications" / f"{NAMESPACE}.yaml"
    objects = cluster("argocd")
    objects.documents.append(yaml.safe_load(file.read_text()))
    rollout = ArgoCD(NAMESPACE, through=Through.KUBERNETES)
    assert ArgoCDObjects(objects, base_branch="main").advice(rollout) == ()
    with pytest.raises(Refused, match="may not get applications other"):
        ArgoCDObjects(objects).advice(ArgoCD("other", through=Through.KUBERNETES))


@pytest.mark.parametrize("component", ["blue-green", "canary"])
def test_a_component_says_which_deployments_the_bot_must_be_let_see(component: str) -> None:
    """Without it every look at them would be refused, and no release of theirs ever be proven."""
    text = (TEMPLATE / "components" / component / "README.md").read_text()
    [line] = re.findall(r"`resourceNames: \[([^\]]+)\]`", text)
    names = line.split(", ")
    [path] = re.findall(r"`(bot/access/models/[\w.-]+)`", text)
    rendered_names = [
        document["metadata"]["name"]
        for document in rendered(f"components/{component}/overlays/production")
        if document["kind"] == "Deployment"
    ]
    assert sorted(names) == sorted(rendered_names)
    [role, _] = yaml.safe_load_all((TEMPLATE / path).read_text())
    assert role["metadata"]["namespace"] == NAMESPACE
    assert role["rules"][0]["resources"] == ["deployments"]


@BY_BOTH
def test_its_roles_read_and_nothing_else(way: str) -> None:
    documents = rendered(f"bot/access/{way}", "kubectl")
    assert {document["kind"] for document in documents} == {"Role", "RoleBinding"}
    for document in documents:
        if document["kind"] == "RoleBinding":
            assert document["subjects"] == [
                {"kind": "ServiceAccount", "name": "gitops-bot", "namespace": "gitops-bot"}
            ]
            one(
                [d for d in documents if d["metadata"]["namespace"] == document["metadata"]["namespace"]],
                "Role",
            )
            continue
        for rule in document["rules"]:
            assert set(rule["verbs"]) <= {"get", "list", "watch"}
            assert not {"secrets", "configmaps", "*"} & {*rule["resources"], *rule["apiGroups"]}
            # Every `get` has names where an object's name is known beforehand.
            assert rule.get("resourceNames") or rule["verbs"] == ["list"] or rule["resources"] == ["pods/log"]
