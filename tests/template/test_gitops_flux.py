"""What the template has Flux do: health is waited for, a revert interrupts it, and the bot is told."""

import json
from dataclasses import replace
from typing import Any

import pytest
import yaml

from bot.adapters.flux.advice import advice, duration
from bot.config.promotions import load_promotions
from bot.core.target import Catalogue, Flux
from bot.web.webhooks import flux as webhook
from tests.template.rendered import OVERLAYS, TEMPLATE, Document, copied, one, rendered

FLUX = TEMPLATE / "flux"
ENVIRONMENTS = ("staging", "production")
NAMES = tuple(f"fraud-detector-{environment}" for environment in ENVIRONMENTS)


def every() -> list[Document]:
    files = [file for file in FLUX.rglob("*.yaml") if file.name != "kustomization.yaml"]
    return [document for file in sorted(files) for document in yaml.safe_load_all(file.read_text())]


def by_flux() -> Catalogue:
    """The template's targets, as its comment says for Flux."""
    targets = load_promotions(TEMPLATE / "promotions.yaml")
    return Catalogue({t.name: replace(t, rollout=Flux(t.name.replace("/", "-"))) for t in targets})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("asked_at_once", [True, False])
def test_doctor_has_no_advice_about_any_kustomization(name: str, asked_at_once: bool) -> None:
    app, source = one(every(), "Kustomization", name), one(every(), "GitRepository")
    assert advice(app, source, None, asked_at_once=asked_at_once) == ()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_kustomization_is_ready_only_when_its_pods_are(environment: str) -> None:
    """03b, 16 of fixtures/flux."""
    spec = one(every(), "Kustomization", f"fraud-detector-{environment}")["spec"]
    assert (spec["wait"], spec["prune"]) == (True, True)
    assert "healthChecks" not in spec
    assert spec["path"] == f"./{OVERLAYS[environment]}"
    deadline = one(rendered(OVERLAYS[environment]), "Deployment")["spec"]["progressDeadlineSeconds"]
    timeout = duration(spec["timeout"])
    assert timeout is not None
    assert timeout.total_seconds() == deadline


def test_everything_waits_and_comes_from_the_one_source() -> None:
    source = one(every(), "GitRepository")
    for document in every():
        if document["kind"] == "Kustomization":
            assert document["spec"]["wait"] is True
            assert document["spec"]["sourceRef"] == {
                "kind": "GitRepository",
                "name": source["metadata"]["name"],
            }
            assert (TEMPLATE / document["spec"]["path"]).is_dir()
            assert "suspend" not in document["spec"]


def test_a_revert_interrupts_a_health_check(tmp_path: Any) -> None:
    """13, 13c."""
    root = copied(tmp_path, "flux")
    install = root / "install"
    install.mkdir()
    container = {"name": "manager", "args": ["--watch-all-namespaces"]}
    names = ("kustomize-controller", "source-controller")
    deployments = [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": "flux-system"},
            "spec": {"template": {"spec": {"containers": [container]}}},
        }
        for name in names
    ]
    (install / "controllers.yaml").write_text(yaml.safe_dump_all(deployments))
    (install / "kustomization.yaml").write_text(
        "resources: [controllers.yaml]\ncomponents: [../flux/settings]\n"
    )
    documents = rendered("install", "kubectl", root)
    args = {
        name: one(documents, "Deployment", name)["spec"]["template"]["spec"]["containers"][0]["args"]
        for name in names
    }
    assert args == {
        "kustomize-controller": [
            "--watch-all-namespaces",
            "--feature-gates=CancelHealthCheckOnNewRevision=true",
        ],
        "source-controller": ["--watch-all-namespaces"],
    }


def test_the_bot_is_told_signed_of_every_object_that_a_target_depends_on() -> None:
    provider = one(every(), "Provider", "gitops-bot")["spec"]
    assert provider["type"] == "generic-hmac"
    assert provider["address"].endswith("/webhook/flux")
    alert = one(every(), "Alert", "gitops-bot")["spec"]
    assert alert["providerRef"]["name"] == "gitops-bot"
    assert alert["eventSeverity"] == "info"
    told = [(source["kind"], source["name"]) for source in alert["eventSources"]]
    assert told == [("GitRepository", "manifests"), *(("Kustomization", name) for name in NAMES)]
    woken = [woken_by(kind, name) for kind, name in told]
    both = tuple(f"fraud-detector/{environment}" for environment in ENVIRONMENTS)
    assert woken == [both, both[:1], both[1:]]


def woken_by(kind: str, name: str) -> tuple[str, ...]:
    involved = {"kind": kind, "namespace": "flux-system", "name": name}
    body = json.loads(json.dumps({"involvedObject": involved, "reason": "HealthCheckFailed"}))
    return webhook.targets_of(webhook.interpret(body), by_flux())


def test_commit_statuses_come_from_what_serves_the_model_alone() -> None:
    """Notifications of fixtures/flux: one that applies the others says success for a commit that fails in them."""
    provider = one(every(), "Provider", "commit-status")["spec"]
    assert provider["type"] == "github"
    assert provider["address"] == one(every(), "GitRepository")["spec"]["url"].removesuffix(".git")
    alert = one(every(), "Alert", "commit-status")["spec"]
    assert [(s["kind"], s["name"]) for s in alert["eventSources"]] == [
        ("Kustomization", name) for name in NAMES
    ]


def test_the_receiver_has_the_source_fetched_by_a_secret_path_over_tls() -> None:
    receiver = one(every(), "Receiver")["spec"]
    assert receiver["type"] == "generic"
    [resource] = receiver["resources"]
    assert (resource["kind"], resource["name"]) == ("GitRepository", "manifests")
    ingress = one(every(), "Ingress")["spec"]
    [rule] = ingress["rules"]
    assert ingress["tls"][0]["hosts"] == [rule["host"]]
    assert [path["path"] for path in rule["http"]["paths"]] == ["/hook/"]


def test_everything_lands_in_the_namespace_of_flux() -> None:
    documents = rendered("flux", "kubectl")
    assert {document["metadata"]["namespace"] for document in documents} == {"flux-system"}
    assert len(documents) == len(every())
