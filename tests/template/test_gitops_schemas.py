"""argocd/, flux/, bot/ and monitoring/ of the template, rendered: each object fits its schema, and no field is misspelled.

`gitops_schemas.json` says of the custom resources (Argo CD 3.5.1, Flux's controllers 1.9, External Secrets 1.3, Prometheus
Operator 0.82) which fields there are where the template writes any, and of what type they are.
"""

import json
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.template.rendered import TEMPLATE, Document, rendered
from tests.template.test_manifests import KUBERNETES

FOLDERS = (
    "argocd",
    "argocd/application-set",
    "flux",
    "bot/overlays/argocd",
    "bot/overlays/flux",
    "bot/access/argocd",
    "bot/access/flux",
)
SCHEMAS: dict[str, Any] = json.loads(Path(__file__).with_name("gitops_schemas.json").read_text())
NOT_TAKEN_IN = TEMPLATE / "argocd" / "bot" / "gitops-bot-access.yaml"


def check(document: Document, version: str = KUBERNETES[-1]) -> None:
    schema = SCHEMAS.get(f"{document['apiVersion']} {document['kind']}")
    if schema is not None:
        jsonschema.Draft202012Validator(schema).validate(document)
    else:
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("folder", [*FOLDERS, "monitoring"])
def test_every_object_fits_its_schema_strictly(folder: str) -> None:
    for document in rendered(folder, "kubectl"):
        check(document)


def test_what_has_to_be_switched_on_fits_its_schema_too() -> None:
    for document in yaml.safe_load_all(NOT_TAKEN_IN.read_text()):
        check(document)


@pytest.mark.parametrize("version", KUBERNETES)
def test_the_bot_runs_on_every_kubernetes(version: str) -> None:
    documents = [*rendered("bot/overlays/argocd", "kubectl"), *rendered("bot/access/flux", "kubectl")]
    for document in documents:
        check(document, version)


@pytest.mark.parametrize("kind", ["PrometheusRule", "ServiceMonitor"])
def test_a_misspelled_field_of_monitoring_would_be_found(kind: str) -> None:
    document = next(found for found in rendered("monitoring", "kubectl") if found["kind"] == kind)
    spec = document["spec"]
    inner = spec["groups"][0]["rules"][0] if kind == "PrometheusRule" else spec["endpoints"][0]
    for holder in (spec, inner):
        holder["intervals"] = "15s"
        with pytest.raises(jsonschema.ValidationError, match="intervals"):
            check(document)
        del holder["intervals"]
    check(document)


def test_a_misspelled_field_would_be_found() -> None:
    file = TEMPLATE / "argocd" / "applications" / "fraud-detector-production.yaml"
    document = yaml.safe_load(file.read_text())
    check(document)
    document["spec"]["syncPolicy"]["retry"]["refreshes"] = True
    with pytest.raises(jsonschema.ValidationError, match="refreshes"):
        check(document)


def test_every_kustomization_of_the_three_folders_is_used() -> None:
    files = [
        file for part in ("argocd", "flux", "bot") for file in (TEMPLATE / part).rglob("kustomization.yaml")
    ]
    named = {(file.parent / entry.lstrip("# -")).resolve() for file in files for entry in _entries(file)}
    used = {TEMPLATE / folder for folder in FOLDERS}
    settings = {TEMPLATE / "argocd" / "settings", TEMPLATE / "flux" / "settings"}
    assert {file.parent for file in files} - named == used | settings - named


def _entries(file: Path) -> list[str]:
    """Also what is commented out, for people to switch on."""
    lines = [line.strip() for line in file.read_text().splitlines()]
    found = [line.removeprefix("# ").removeprefix("- ").split(" ")[0] for line in lines if "- " in line[:4]]
    return [entry for entry in found if "/" in entry or (file.parent / entry).exists()]
