"""What the template's manifests say once rendered: valid for every Kubernetes, and every promised number is there."""

import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from bot.config.promotions import load_promotions
from tests.template.rendered import (
    IMAGE,
    OVERLAYS,
    RENDERERS,
    TEMPLATE,
    Document,
    copied,
    kustomizations,
    one,
    rendered,
)

KUBERNETES = [f"1.{minor}" for minor in range(28, 37)]
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
PRODUCTION = "production"
BY_BOTH = pytest.mark.parametrize("by", RENDERERS)


def production(by: str) -> list[Document]:
    return rendered(OVERLAYS[PRODUCTION], by)


def deployment(by: str) -> Any:
    return one(production(by), "Deployment")["spec"]


def pods(by: str) -> Any:
    return deployment(by)["template"]["spec"]


def server(by: str) -> Any:
    [container] = pods(by)["containers"]
    return container


def pod_specs(documents: list[Document]) -> list[Any]:
    return [
        document["spec"]["template"]
        for document in documents
        if document["kind"] in ("Deployment", "DaemonSet")
    ]


# --- rendering ---


@pytest.mark.parametrize("folder", OVERLAYS.values(), ids=OVERLAYS)
def test_the_sandbox_renders_what_kustomize_renders(folder: str) -> None:
    assert rendered(folder, "sandbox") == rendered(folder, "kubectl")


@pytest.mark.parametrize("version", KUBERNETES)
def test_every_object_is_valid_strictly_for_every_kubernetes(version: str) -> None:
    documents = [document for folder in OVERLAYS.values() for document in rendered(folder)]
    # A schema is read anew each time: what differs in no more than names is asked about once.
    shapes = {repr(_without_names(document)): document for document in documents}
    assert {document["kind"] for document in shapes.values()} == {document["kind"] for document in documents}
    for document in shapes.values():
        kubernetes_validate.validate(document, version, strict=True)


def _without_names(document: Document) -> Any:
    if isinstance(document, dict):
        return {key: _without_names(value) for key, value in document.items()}
    return [_without_names(item) for item in document] if isinstance(document, list) else type(document)


def test_a_misspelled_field_would_be_found() -> None:
    spec = one(rendered(OVERLAYS[PRODUCTION]), "Deployment")
    spec["spec"]["minReadySecond"] = 20
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(spec, "1.32", strict=True)


@pytest.mark.parametrize("folder", OVERLAYS.values(), ids=OVERLAYS)
def test_every_pod_is_as_the_restricted_standard_wants_it(folder: str) -> None:
    documents = rendered(folder)
    labels = one(documents, "Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for template in pod_specs(documents):
        pod = template["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 1000
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert [container["securityContext"] for container in pod["containers"]] == [RESTRICTED]
        assert {key for volume in pod.get("volumes", []) for key in volume} <= {"name", "emptyDir"}


@pytest.mark.parametrize("folder", OVERLAYS.values(), ids=OVERLAYS)
def test_selectors_find_the_pods_that_they_mean(folder: str) -> None:
    documents = rendered(folder)
    labels = [template["metadata"]["labels"] for template in pod_specs(documents)]
    for document in documents:
        spec = document.get("spec", {})
        if document["kind"] == "Service":
            assert any(spec["selector"].items() <= of.items() for of in labels), document
        elif document["kind"] in ("Deployment", "DaemonSet"):
            own = spec["template"]["metadata"]["labels"]
            assert spec["selector"]["matchLabels"].items() <= own.items()
            # What a release changes must not be in a selector: that cannot be changed later.
            assert "app.kubernetes.io/version" not in spec["selector"]["matchLabels"]
        elif document["kind"] == "PodDisruptionBudget":
            assert any(spec["selector"]["matchLabels"].items() <= of.items() for of in labels)
        elif document["kind"] == "HorizontalPodAutoscaler":
            one(documents, "Deployment", spec["scaleTargetRef"]["name"])
        elif document["kind"] == "Ingress":
            for path in spec["rules"][0]["http"]["paths"]:
                one(documents, "Service", path["backend"]["service"]["name"])


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_each_environment_has_a_namespace_of_its_own(environment: str) -> None:
    documents = rendered(OVERLAYS[environment])
    namespace = f"fraud-detector-{environment}"
    assert one(documents, "Namespace")["metadata"]["name"] == namespace
    assert {d["metadata"]["namespace"] for d in documents if d["kind"] != "Namespace"} == {namespace}


def test_staging_is_one_pod_that_nobody_scales() -> None:
    kinds = Counter(document["kind"] for document in rendered(OVERLAYS["staging"]))
    assert kinds["Deployment"] == 1
    assert not kinds["HorizontalPodAutoscaler"]
    assert not kinds["PodDisruptionBudget"]
    assert "replicas" not in one(rendered(OVERLAYS["staging"]), "Deployment")["spec"]


def test_every_kustomization_is_used() -> None:
    opt_in = {TEMPLATE / "components" / name for name in ("image-pre-puller", "http01-solver")}
    used = {TEMPLATE / folder for folder in OVERLAYS.values()} | opt_in
    named = set()
    for file in kustomizations():
        said = yaml.safe_load(file.read_text())
        for entry in (*said.get("resources", []), *said.get("components", [])):
            named.add((file.parent / entry).resolve())
    mine = [
        file.parent
        for file in kustomizations()
        if file.relative_to(TEMPLATE).parts[0] in ("apps", "components")
    ]
    assert [folder for folder in mine if folder not in used | named] == []


# --- every number of production ---


@BY_BOTH
def test_the_probes_have_their_numbers(by: str) -> None:
    container = server(by)
    start, alive, ready = (container[f"{name}Probe"] for name in ("startup", "liveness", "readiness"))
    assert (start["httpGet"]["path"], start["failureThreshold"], start["periodSeconds"]) == ("/health", 30, 5)
    assert alive["httpGet"]["path"] == "/health"
    assert (alive["initialDelaySeconds"], alive["failureThreshold"], alive["periodSeconds"]) == (30, 3, 10)
    assert ready["httpGet"]["path"] == "/ready"
    assert (ready["initialDelaySeconds"], ready["failureThreshold"], ready["periodSeconds"]) == (10, 2, 5)
    assert container["ports"] == [{"name": "http", "containerPort": 8000}]
    assert {probe["httpGet"]["port"] for probe in (start, alive, ready)} == {"http"}


@BY_BOTH
def test_the_resources_have_their_numbers(by: str) -> None:
    assert server(by)["resources"] == {
        "requests": {"cpu": "500m", "memory": "512Mi"},
        "limits": {"cpu": "2", "memory": "2Gi"},
    }


@BY_BOTH
def test_a_rollout_takes_nothing_away_and_fails_in_time(by: str) -> None:
    spec, container = deployment(by), server(by)
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": "50%", "maxUnavailable": 0}
    loading = container["startupProbe"]["failureThreshold"] * container["startupProbe"]["periodSeconds"]
    assert loading == 150
    slowest = loading + container["readinessProbe"]["initialDelaySeconds"] + spec["minReadySeconds"]
    pulling = 120
    assert spec["progressDeadlineSeconds"] == 300 == slowest + pulling


@pytest.mark.parametrize("kind", ["HorizontalPodAutoscaler", "canary"])
def test_a_rollout_as_slow_as_allowed_is_over_before_it_is_called_failed(kind: str) -> None:
    """However many pods there are: Flux's health check may fail once (03d of fixtures/flux), then the bot takes back."""
    folder = OVERLAYS["canary" if kind == "canary" else PRODUCTION]
    documents = rendered(folder)
    server = one(documents, "Deployment", "stable-inference-service" if kind == "canary" else None)["spec"]
    autoscaler = {} if kind == "canary" else one(documents, kind)["spec"]
    start = server["template"]["spec"]["containers"][0]["startupProbe"]
    step = start["failureThreshold"] * start["periodSeconds"] + 10 + server["minReadySeconds"]
    surge = int(server["strategy"]["rollingUpdate"]["maxSurge"].rstrip("%")) / 100
    flux = yaml.safe_load((TEMPLATE / "flux" / "models" / "fraud-detector-production.yaml").read_text())
    check, pause = (minutes(flux["spec"][key]) * 60 for key in ("timeout", "retryInterval"))
    deadline = load_promotions(TEMPLATE / "promotions.yaml")[-1].deadline.total_seconds()
    least, most = (autoscaler.get(key, server.get("replicas")) for key in ("minReplicas", "maxReplicas"))
    for pods in range(least, most + 1):
        steps = math.ceil(pods / math.ceil(pods * surge))
        assert steps * step < min(check + pause + check, deadline), f"{pods} pods"


def minutes(written: str) -> int:
    return int(written.removesuffix("m"))


@BY_BOTH
def test_a_pod_that_is_ready_and_dies_at_once_does_not_count(by: str) -> None:
    # fixtures/kubernetes, 14: ready after 3 s, dead after 12 s, and by every rule the rollout was done.
    assert deployment(by)["minReadySeconds"] == 20 > 12 - 3


@BY_BOTH
def test_a_pod_has_time_to_drain(by: str) -> None:
    environment = {entry["name"]: entry.get("value") for entry in server(by)["env"]}
    serve = (TEMPLATE / "model-image" / "serve.py").read_text()
    last = re.search(r"^LAST_RESORT_SECONDS = ([\d.]+)", serve, re.MULTILINE)
    assert last is not None
    assert pods(by)["terminationGracePeriodSeconds"] == 30
    assert float(environment["DRAIN_SECONDS"]) + float(environment["FINISH_SECONDS"]) + float(last[1]) < 30


@BY_BOTH
def test_pods_prefer_nodes_of_their_own(by: str) -> None:
    [preference] = pods(by)["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert preference["weight"] == 100
    assert preference["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    selector = preference["podAffinityTerm"]["labelSelector"]["matchLabels"]
    assert selector.items() <= deployment(by)["template"]["metadata"]["labels"].items()


@BY_BOTH
def test_pods_say_model_version_and_digest(by: str) -> None:
    metadata = deployment(by)["template"]["metadata"]
    assert metadata["labels"]["gitops-bot/model"] == "fraud-detector"
    assert metadata["labels"]["app.kubernetes.io/version"] == "unreleased"
    assert metadata["annotations"] == {"gitops-bot/image-digest": ""}
    digest = next(entry for entry in server(by)["env"] if entry["name"] == "IMAGE_DIGEST")
    path = digest["valueFrom"]["fieldRef"]["fieldPath"]
    assert path == "metadata.annotations['gitops-bot/image-digest']"
    assert server(by)["image"] == f"{IMAGE}:unreleased"


@BY_BOTH
def test_the_pod_runs_without_rights(by: str) -> None:
    pod = pods(by)
    account = one(production(by), "ServiceAccount")
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == (
        account["metadata"]["name"],
        False,
    )
    assert account["automountServiceAccountToken"] is False
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "runAsGroup": 1000,
        "fsGroup": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert server(by)["securityContext"] == RESTRICTED
    assert server(by)["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    assert [volume["name"] for volume in pod["volumes"] if "emptyDir" in volume] == ["tmp"]


@BY_BOTH
def test_the_autoscaler_has_its_numbers_and_the_deployment_none(by: str) -> None:
    assert "replicas" not in deployment(by)
    scaler = one(production(by), "HorizontalPodAutoscaler")
    spec = scaler["spec"]
    assert scaler["apiVersion"] == "autoscaling/v2"
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 10)
    targets = {m["resource"]["name"]: m["resource"]["target"]["averageUtilization"] for m in spec["metrics"]}
    assert targets == {"cpu": 70, "memory": 80}
    # A cluster that keeps it as autoscaling/v1 gives CPU back last: in another order git and cluster would differ for ever.
    assert [metric["resource"]["name"] for metric in spec["metrics"]] == ["memory", "cpu"]
    down = spec["behavior"]["scaleDown"]
    assert down["stabilizationWindowSeconds"] == 300
    assert down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 60}]


@BY_BOTH
def test_two_pods_stay_when_nodes_are_drained(by: str) -> None:
    budget = one(production(by), "PodDisruptionBudget")["spec"]
    assert budget["minAvailable"] == 2
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


@BY_BOTH
def test_the_service_leads_to_the_port_of_the_server(by: str) -> None:
    assert one(production(by), "Service")["spec"]["ports"] == [
        {"name": "http", "port": 80, "targetPort": "http"}
    ]


@BY_BOTH
def test_the_network_lets_in_three_callers_and_out_to_mlflow_and_names(by: str) -> None:
    closed = one(production(by), "NetworkPolicy", "default-deny")["spec"]
    assert closed == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    spec = one(production(by), "NetworkPolicy", "inference-service")["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    [rule] = spec["ingress"]
    assert rule["ports"] == [{"port": 8000, "protocol": "TCP"}]
    assert [namespace(peer) for peer in rule["from"]] == ["ingress-nginx", "gitops-bot", "monitoring"]
    assert all(peer["podSelector"]["matchLabels"] for peer in rule["from"])
    mlflow, names = spec["egress"]
    assert ([namespace(peer) for peer in mlflow["to"]], mlflow["ports"]) == (
        ["mlflow"],
        [{"port": 5000, "protocol": "TCP"}],
    )
    assert [namespace(peer) for peer in names["to"]] == ["kube-system"]
    assert names["ports"] == [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]


def namespace(peer: Any) -> str:
    return str(peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"])


# --- certificates ---


@pytest.mark.parametrize("folder", [*OVERLAYS.values(), "bot/overlays/argocd", "bot/overlays/flux"])
def test_a_certificate_is_asked_for_once_and_its_proof_over_http_can_be_let_in(
    folder: str, tmp_path: Path
) -> None:
    """cert-manager refuses two Ingresses that want one secret, and its solver's pod is under default-deny like any other."""
    root = copied(tmp_path, "apps", "components", "bot")
    file = root / folder / "kustomization.yaml"
    before = rendered(folder, "kubectl", root)
    asking = [d for d in before if "cert-manager.io/cluster-issuer" in d["metadata"].get("annotations", {})]
    secrets = [tls["secretName"] for d in before if d["kind"] == "Ingress" for tls in d["spec"]["tls"]]
    assert [tls["secretName"] for d in asking for tls in d["spec"]["tls"]] == sorted(set(secrets))
    text = re.sub(r"# components:\n(#.*\n)?#  ( - \S+/http01-solver)", r"components:\n  \2", file.read_text())
    file.write_text(re.sub(r"^  # (- \S+/http01-solver).*", r"  \1", text, flags=re.MULTILINE))
    new = [document for document in rendered(folder, "kubectl", root) if document not in before]
    [policy] = new
    assert policy["metadata"]["namespace"] == before[-1]["metadata"]["namespace"]
    assert policy["spec"]["podSelector"]["matchLabels"] == {"acme.cert-manager.io/http01-solver": "true"}
    [rule] = policy["spec"]["ingress"]
    assert ([namespace(peer) for peer in rule["from"]], rule["ports"]) == (
        ["ingress-nginx"],
        [{"port": 8089, "protocol": "TCP"}],
    )


@pytest.mark.parametrize("version", KUBERNETES)
def test_the_proof_over_http_is_let_in_by_every_kubernetes(version: str) -> None:
    policy = yaml.safe_load((TEMPLATE / "components" / "http01-solver" / "network-policy.yaml").read_text())
    kubernetes_validate.validate(policy, version, strict=True)


# --- components ---


@BY_BOTH
def test_one_of_ten_requests_reaches_the_canary(by: str) -> None:
    documents = rendered(OVERLAYS["canary"], by)
    count = {
        document["metadata"]["name"]: document["spec"]["replicas"]
        for document in documents
        if document["kind"] == "Deployment"
    }
    assert count == {"stable-inference-service": 9, "canary-inference-service": 1}
    selector = one(documents, "Service", "inference-service")["spec"]["selector"]
    labels = [template["metadata"]["labels"] for template in pod_specs(documents)]
    assert [selector.items() <= of.items() for of in labels] == [True, True]
    assert not [document for document in documents if document["kind"] == "HorizontalPodAutoscaler"]


@BY_BOTH
def test_blue_and_green_have_autoscalers_budgets_and_services_of_their_own(by: str) -> None:
    documents = rendered(OVERLAYS["blue-green"], by)
    for slot in ("blue", "green"):
        spec = one(documents, "Deployment", f"{slot}-inference-service")["spec"]
        assert spec["selector"]["matchLabels"]["gitops-bot/slot"] == slot
        scaler = one(documents, "HorizontalPodAutoscaler", f"{slot}-inference-service")["spec"]
        assert scaler["scaleTargetRef"]["name"] == f"{slot}-inference-service"
        for kind, name in (
            ("Service", f"{slot}-server"),
            ("PodDisruptionBudget", f"{slot}-inference-service"),
        ):
            selector = one(documents, kind, name)["spec"]["selector"]
            assert selector.get("matchLabels", selector)["gitops-bot/slot"] == slot


@BY_BOTH
def test_the_pre_puller_is_asked_for_and_holds_the_image_on_every_node(by: str, tmp_path: Any) -> None:
    folder = OVERLAYS[PRODUCTION]
    assert not [document for document in rendered(folder, by) if document["kind"] == "DaemonSet"]
    root = copied(tmp_path, "apps", "components")
    with_pre_puller(root / folder / "kustomization.yaml")
    documents = rendered(folder, by, root)
    for version in KUBERNETES:
        kubernetes_validate.validate(one(documents, "DaemonSet"), version, strict=True)
    template = one(documents, "DaemonSet")["spec"]["template"]
    [container] = template["spec"]["containers"]
    assert (container["image"], container["securityContext"]) == (f"{IMAGE}:unreleased", RESTRICTED)
    # The Service must not send requests to pods that only sleep.
    selector = one(documents, "Service")["spec"]["selector"]
    assert not selector.items() <= template["metadata"]["labels"].items()


def with_pre_puller(file: Any) -> None:
    """Do to an overlay what the component's README says."""
    text = file.read_text()
    text = text.replace("# components:\n#   -", "components:\n  -")
    file.write_text(text + f"  - name: image-pre-puller\n    newName: {IMAGE}\n    newTag: unreleased\n")
