"""The template's manifests are what kustomize renders, and the bot can promote into them."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.adapters.manifests import pins
from bot.core.model import Alias, KustomizePin, PinValue, Target
from tests.parts import require

TEMPLATE = Path(__file__).parents[3] / "gitops-template"
IMAGE = "ghcr.io/acme/fraud-detector"
V7 = PinValue("v7", "sha256:" + "7" * 64, IMAGE)
OVERLAYS = ("staging", "production")


def overlay(environment: str) -> str:
    return f"apps/inference-service/overlays/{environment}"


def target(environment: str) -> Target:
    return Target(
        f"fraud-detector/{environment}",
        "fraud-detector",
        Alias("champion"),
        IMAGE,
        (KustomizePin(overlay(environment)),),
    )


def files(environment: str) -> dict[str, bytes]:
    path = f"{overlay(environment)}/kustomization.yaml"
    return {path: (TEMPLATE / path).read_bytes()}


def _renders_digests(kubectl: str) -> bool:
    # kubectl 1.27 brings kustomize 5, which renders tag and digest together.
    said = subprocess.run(
        [kubectl, "version", "--client"], capture_output=True, text=True, check=False
    ).stdout
    found = re.search(r"v1\.(\d+)", said)
    return found is not None and int(found[1]) >= 27


def rendered(folder: Path) -> list[dict[str, Any]]:
    kubectl = require(
        "kubectl",
        "see https://kubernetes.io/docs/tasks/tools/ (1.27 or newer)",
        _renders_digests,
        packaged=False,
    )
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return list(yaml.safe_load_all(done.stdout))


def deployment(documents: list[dict[str, Any]]) -> dict[str, Any]:
    return next(document for document in documents if document["kind"] == "Deployment")


@pytest.mark.parametrize("environment", OVERLAYS)
def test_nothing_is_released_at_first(environment: str) -> None:
    assert pins.value(target(environment), files(environment)) == PinValue("unreleased", None, IMAGE)


@pytest.mark.parametrize("environment", OVERLAYS)
def test_a_promotion_renders_tag_and_digest(environment: str, tmp_path: Path) -> None:
    for path in (TEMPLATE / "apps").rglob("*.yaml"):
        copy = tmp_path / path.relative_to(TEMPLATE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    for name, data in pins.edited(target(environment), files(environment), V7).items():
        (tmp_path / name).write_bytes(data)
    pod = deployment(rendered(tmp_path / overlay(environment)))["spec"]["template"]["spec"]
    assert [container["image"] for container in pod["containers"]] == [f"{IMAGE}:v7@{V7.digest}"]


@pytest.mark.parametrize("environment", OVERLAYS)
def test_each_overlay_is_a_deployment_and_a_service_that_finds_it(environment: str) -> None:
    documents = rendered(TEMPLATE / overlay(environment))
    assert sorted(document["kind"] for document in documents) == ["Deployment", "Service"]
    assert {document["metadata"]["namespace"] for document in documents} == {f"fraud-detector-{environment}"}
    service = next(document for document in documents if document["kind"] == "Service")
    labels = deployment(documents)["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert deployment(documents)["spec"]["selector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("environment", OVERLAYS)
def test_the_pod_is_probed_and_restricted(environment: str) -> None:
    spec = deployment(rendered(TEMPLATE / overlay(environment)))["spec"]
    pod = spec["template"]["spec"]
    [server] = pod["containers"]
    probes = {
        name: server[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")
    }
    assert probes == {"startup": "/health", "liveness": "/health", "readiness": "/ready"}
    assert server["ports"] == [{"name": "http", "containerPort": 8000}]
    assert server["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    start = server["startupProbe"]
    assert start["failureThreshold"] * start["periodSeconds"] == 150 < spec["progressDeadlineSeconds"]
