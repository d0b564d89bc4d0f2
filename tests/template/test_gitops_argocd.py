"""What the template has Argo CD do: nothing keeps a revert waiting, it may do no more than needed, and it tells the bot."""

import json
import re
from typing import Any

import pytest
import yaml

from bot.adapters.argocd.advice import advice
from bot.config.promotions import load_promotions
from bot.core.target import ArgoCD, Catalogue
from bot.web.webhooks import argocd as webhook
from bot.web.webhooks.sender import expect_token
from tests.recordings.reader import changes
from tests.template.rendered import OVERLAYS, TEMPLATE, Document, copied, one, rendered

ARGOCD = TEMPLATE / "argocd"
ENVIRONMENTS = ("staging", "production")
NAMES = tuple(f"fraud-detector-{environment}" for environment in ENVIRONMENTS)
EVENTS = ("deployed", "degraded", "sync-failed")


def read(path: str) -> list[Document]:
    return list(yaml.safe_load_all((ARGOCD / path).read_text()))


def application(name: str) -> Document:
    [found] = read(f"applications/{name}.yaml")
    return found


def every_application() -> list[Document]:
    files = [*ARGOCD.glob("applications/fraud-*.yaml"), *ARGOCD.glob("bot/gitops-*.yaml")]
    documents = [document for file in files for document in read(str(file.relative_to(ARGOCD)))]
    return [document for document in documents if document["kind"] == "Application"]


def projects() -> dict[str, Any]:
    files = [*ARGOCD.glob("projects/fraud-*.yaml"), *ARGOCD.glob("bot/gitops-*.yaml")]
    documents = [document for file in files for document in read(str(file.relative_to(ARGOCD)))]
    return {d["metadata"]["name"]: d["spec"] for d in documents if d["kind"] == "AppProject"}


def settings(file: str) -> dict[str, str]:
    [document] = read(f"settings/{file}")
    return dict(document["data"])


def catalogue() -> Catalogue:
    return Catalogue({target.name: target for target in load_promotions(TEMPLATE / "promotions.yaml")})


# --- Applications ---


@pytest.mark.parametrize("document", every_application(), ids=lambda d: d["metadata"]["name"])
def test_doctor_has_no_advice_about_any_application(document: Document) -> None:
    assert advice(document, ArgoCD(document["metadata"]["name"]), "main") == ()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_each_target_has_its_application_with_its_overlay(environment: str) -> None:
    target = catalogue().targets[f"fraud-detector/{environment}"]
    assert isinstance(target.rollout, ArgoCD)
    spec = application(target.rollout.application)["spec"]
    assert spec["source"]["path"] == OVERLAYS[environment]
    assert spec["destination"]["namespace"] == f"fraud-detector-{environment}"


@pytest.mark.parametrize("document", every_application(), ids=lambda d: d["metadata"]["name"])
def test_a_failing_sync_cannot_keep_a_revert_waiting(document: Document) -> None:
    """04c, 04d, 04e of fixtures/argocd: tries that take the newest commit, not too many of them, and a limit for the whole."""
    policy = document["spec"]["syncPolicy"]
    assert policy["automated"] == {"enabled": True, "prune": True, "selfHeal": True}
    retry = policy["retry"]
    assert retry["refresh"] is True
    assert 0 < retry["limit"] <= 5
    backoff = retry["backoff"]
    first, most = seconds(backoff["duration"]), seconds(backoff["maxDuration"])
    # Measured: the first wait is already the duration times the factor.
    waits = [min(first * backoff["factor"] ** (n + 1), most) for n in range(retry["limit"])]
    assert waits == [20, 40, 60]
    limit = int(settings("sync-timeout.yaml")["controller.sync.timeout.seconds"])
    assert sum(waits) < limit <= 900


@pytest.mark.parametrize("document", every_application(), ids=lambda d: d["metadata"]["name"])
def test_a_sync_ends_when_all_is_applied_and_never_waits_for_health(document: Document) -> None:
    """A release that gets never ready would keep the operation, and the revert behind it, for as long as it waits."""
    options = document["spec"]["syncPolicy"]["syncOptions"]
    # PruneLast prunes in a wave of its own, after everything else is healthy.
    assert options == ["FailOnSharedResource=true"]
    for found in rendered(document["spec"]["source"]["path"], "kubectl"):
        annotations = found["metadata"].get("annotations", {})
        assert not {key for key in annotations if re.match(r"argocd\.argoproj\.io/(sync-wave|hook)", key)}
        assert "PruneLast" not in annotations.get("argocd.argoproj.io/sync-options", "")


def test_an_autoscaler_says_in_a_good_rollout_what_argo_cd_calls_degraded() -> None:
    """Measured in 12 of fixtures/kubernetes: new pods have no metrics yet. So it must not count (the test below)."""
    seen = [
        (condition["type"], condition["reason"])
        for change in changes("kubernetes", "12-hpa-conditions")
        if change.get("object", {}).get("kind") == "HorizontalPodAutoscaler"
        for condition in change["object"].get("status", {}).get("conditions", [])
    ]
    assert ("ScalingActive", "FailedGetResourceMetric") in seen


@pytest.mark.parametrize("folder", OVERLAYS.values(), ids=OVERLAYS)
def test_what_says_nothing_of_a_release_does_not_make_it_unhealthy(folder: str) -> None:
    """An Ingress is Progressing until it has an address, which some controllers never write; and see above."""
    found = [d for d in rendered(folder) if d["kind"] in ("Ingress", "HorizontalPodAutoscaler")]
    assert "Ingress" in {document["kind"] for document in found}
    for document in found:
        annotations = document["metadata"].get("annotations", {})
        assert annotations.get("argocd.argoproj.io/ignore-healthcheck") == "true", document["kind"]


def test_what_external_secrets_fills_in_is_no_difference_for_ever() -> None:
    """The API server writes defaults into the items of `dataFrom`, and Argo CD compares lists as a whole.

    Which defaults there are depends on the version (`nullBytePolicy` is of 2026), so they cannot be written into the manifest.
    """
    [spec] = [d["spec"] for d in every_application() if d["metadata"]["name"] == "gitops-bot"]
    [external] = [d for d in rendered(spec["source"]["path"], "kubectl") if d["kind"] == "ExternalSecret"]
    written = {key for item in external["spec"]["dataFrom"] for key in item["extract"]}
    assert written == {"key"}
    [ignored] = spec["ignoreDifferences"]
    assert (ignored["group"], ignored["kind"]) == ("external-secrets.io", "ExternalSecret")
    filled_in = ("conversionStrategy", "decodingStrategy", "metadataPolicy", "nullBytePolicy")
    assert ignored["jqPathExpressions"] == [f".spec.dataFrom[].extract.{field}" for field in filled_in]
    # What a person changes is still seen, and applied.
    assert not {key for key in written if f".{key}" in str(ignored)}


def seconds(written: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([sm])", written).groups()  # type: ignore[union-attr]
    return int(number) * {"s": 1, "m": 60}[unit]


def test_the_application_set_makes_the_same_applications() -> None:
    [document] = read("application-set/application-set.yaml")
    spec = document["spec"]
    [elements] = [generator["list"]["elements"] for generator in spec["generators"]]
    made = [filled(spec["template"], element) for element in elements]
    for made_one, name in zip(made, NAMES, strict=True):
        by_hand = application(name)
        assert made_one["spec"] == by_hand["spec"]
        assert made_one["metadata"]["name"] == name
        assert made_one["metadata"]["annotations"] == by_hand["metadata"]["annotations"]
    assert spec["syncPolicy"] == {"preserveResourcesOnDeletion": True}


def filled(template: Any, values: dict[str, str]) -> Any:
    text = re.sub(r"\{\{\.(\w+)\}\}", lambda hole: values[hole[1]], json.dumps(template))
    assert "{{" not in text
    return json.loads(text)


# --- what they may do ---


@pytest.mark.parametrize("folder", OVERLAYS.values(), ids=OVERLAYS)
def test_the_project_allows_what_the_overlays_need(folder: str) -> None:
    assert refused(projects()["fraud-detector"], rendered(folder)) == []


def test_the_projects_of_the_bot_allow_what_it_needs() -> None:
    own, access = rendered("bot/overlays/argocd", "kubectl"), rendered("bot/access/argocd", "kubectl")
    assert refused(projects()["gitops-bot"], own) == []
    assert refused(projects()["gitops-bot-access"], access) == []
    assert len(refused(projects()["gitops-bot"], access)) == len(access)


@pytest.mark.parametrize("name", projects())
def test_no_project_may_do_what_it_does_not_need(name: str) -> None:
    spec = projects()[name]
    assert "*" not in json.dumps(spec)
    kinds = {entry["kind"] for entry in spec["namespaceResourceWhitelist"]}
    assert "Secret" not in kinds
    assert kinds <= {"Role", "RoleBinding"} or not kinds & {"Role", "RoleBinding"}
    assert {entry["kind"] for entry in spec.get("clusterResourceWhitelist", [])} <= {"Namespace"}
    assert all(entry["name"] for entry in spec.get("clusterResourceWhitelist", []))
    assert spec["sourceRepos"] == ["https://github.com/acme/manifests.git"]


@pytest.mark.parametrize(
    ("project", "folder"),
    [*(("fraud-detector", folder) for folder in OVERLAYS.values()), ("gitops-bot", "bot/overlays/argocd")],
)
def test_the_project_hides_no_pod_from_whoever_asks_what_runs(project: str, folder: str) -> None:
    """Argo CD drops from an Application's tree what its project does not allow, and all that is below it.

    `status.summary.images` is made of that tree: without pods in it no release would ever be seen to run
    (fixtures/argocd/README.md, section (a), 4).
    """
    below = {"Deployment": [("apps", "ReplicaSet"), ("", "Pod")], "DaemonSet": [("", "Pod")]}
    found = [child for d in rendered(folder, "kubectl") for child in below.get(d["kind"], [])]
    assert found
    allowed = {(e["group"], e["kind"]) for e in projects()[project]["namespaceResourceWhitelist"]}
    assert set(found) <= allowed


def refused(project: Any, documents: list[Document]) -> list[str]:
    """What Argo CD would not apply, by the rules of an AppProject."""
    namespaces = {entry["namespace"] for entry in project["destinations"]}
    allowed = {(entry["group"], entry["kind"]) for entry in project["namespaceResourceWhitelist"]}
    cluster = {(e["group"], e["kind"], e["name"]) for e in project.get("clusterResourceWhitelist", [])}
    found = []
    for document in documents:
        group, kind = document["apiVersion"].rpartition("/")[0], document["kind"]
        name, namespace = document["metadata"]["name"], document["metadata"].get("namespace")
        fits = (group, kind) in allowed and namespace in namespaces
        if not (fits if namespace else (group, kind, name) in cluster):
            found.append(f"{kind} {namespace}/{name}")
    return found


def test_the_bots_account_may_look_at_its_applications_and_nothing_else() -> None:
    assert settings("account.yaml") == {"accounts.gitops-bot": "apiKey"}
    [(key, lines)] = settings("account-rights.yaml").items()
    assert re.fullmatch(r"policy\.[^.]+\.csv", key)
    rules = [[word.strip() for word in line.split(",")] for line in lines.splitlines()]
    rights = [rule[1:] for rule in rules if rule[0] == "p"]
    assert rights == [
        ["role:gitops-bot", "applications", "get", f"fraud-detector/{name}", "allow"] for name in NAMES
    ]
    assert [rule for rule in rules if rule[0] == "g"] == [["g", "gitops-bot", "role:gitops-bot"]]


# --- what the bot is told ---


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("name", NAMES)
def test_the_bot_understands_what_it_is_told(event: str, name: str) -> None:
    document = application(name)
    hint = webhook.interpret(json.loads(told(event, document)))
    assert hint.event == event.replace("-", " ")
    environment = name.rpartition("-")[2]
    assert webhook.targets_of(hint, catalogue()) == (f"fraud-detector/{environment}",)


def test_a_hostile_name_stays_a_text() -> None:
    document = application(NAMES[0])
    document["metadata"]["name"] = '", "event": "x", "app": "{{ .secret }}\n'
    assert (
        webhook.interpret(json.loads(told("deployed", document))).application == document["metadata"]["name"]
    )


def test_the_token_comes_as_the_bot_wants_it_and_over_tls_only() -> None:
    service = yaml.safe_load(settings("notifications.yaml")["service.webhook.gitops-bot"])
    headers = {item["name"]: item["value"] for item in service["headers"]}
    assert headers["Authorization"] == "Bearer $gitops-bot-token"
    sent = {"Authorization": headers["Authorization"].replace("$gitops-bot-token", "s3cret")}
    expect_token(["s3cret"], sent)
    assert service["url"] == "https://gitops-bot.acme.dev/webhook/argocd"
    # Durations are nanoseconds there, and a text such as 2s is refused.
    assert set(service) == {"url", "headers", "retryMax"}


@pytest.mark.parametrize("name", NAMES)
def test_each_application_subscribes_to_triggers_that_there_are(name: str) -> None:
    data = settings("notifications.yaml")
    subscribed = application(name)["metadata"]["annotations"]
    assert set(subscribed) == {
        f"notifications.argoproj.io/subscribe.gitops-bot-{event}.gitops-bot" for event in EVENTS
    }
    for event in EVENTS:
        [condition] = yaml.safe_load(data[f"trigger.gitops-bot-{event}"])
        [template] = condition["send"]
        assert f"template.{template}" in data


def told(event: str, document: Document) -> str:
    """The body, as Go's templates make it of holes that are nothing but a path and toJson."""
    template = yaml.safe_load(settings("notifications.yaml")[f"template.gitops-bot-{event}"])
    said = template["webhook"]["gitops-bot"]
    assert said["method"] == "POST"  # the default is GET

    def value(hole: re.Match[str]) -> str:
        found: Any = {"app": document}
        for step in hole[1].split("."):
            found = found[step]
        return json.dumps(found)

    body = re.sub(r"\{\{ \.([\w.]+) \| toJson \}\}", value, said["body"])
    assert "{{" not in re.sub(r'"(\\.|[^"\\])*"', "", body)
    return body


@pytest.mark.parametrize(
    ("recording", "event"),
    [
        ("02-image-bump", "deployed"),
        ("03-never-ready", "degraded"),
        ("04-rejected-by-api-server", "sync-failed"),
    ],
)
def test_what_the_triggers_read_is_in_real_applications_when_they_fire(recording: str, event: str) -> None:
    [condition] = yaml.safe_load(settings("notifications.yaml")[f"trigger.gitops-bot-{event}"])
    wanted = {
        "deployed": {
            "operationState.phase": ["Succeeded"],
            "sync.status": ["Synced"],
            "health.status": ["Healthy"],
        },
        "degraded": {"health.status": ["Degraded"]},
        "sync-failed": {"operationState.phase": ["Error", "Failed"]},
    }[event]
    for path, values in wanted.items():
        assert f"app.status.{path}" in condition["when"]
        assert all(f"'{value}'" in condition["when"] for value in values)
    seen = [change["object"] for change in changes("argocd", recording)]
    apps = [item["status"] for item in seen if item.get("kind") == "Application" and "status" in item]
    fires = [item for item in apps if all(at(item, path) in values for path, values in wanted.items())]
    assert fires
    for path in re.findall(r"app\.status\.([\w.?]+)", condition["oncePer"]):
        assert all(isinstance(at(item, path.replace("?", "")), str) for item in fires)


def at(status: Any, path: str) -> Any:
    for step in path.split("."):
        status = status.get(step, {})
    return status


# --- settings of Argo CD ---


def test_the_settings_change_nothing_else_of_an_installation(tmp_path: Any) -> None:
    root = copied(tmp_path, "argocd")
    install = root / "install"
    install.mkdir()
    names = ("argocd-cm", "argocd-rbac-cm", "argocd-cmd-params-cm", "argocd-notifications-cm")
    maps = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"policy.csv": "kept"}}
        for name in names
    ]
    (install / "maps.yaml").write_text(yaml.safe_dump_all(maps))
    (install / "kustomization.yaml").write_text(
        "namespace: argocd\nresources: [maps.yaml]\ncomponents: [../argocd/settings]\n"
    )
    documents = rendered("install", "kubectl", root)
    assert all(one(documents, "ConfigMap", name)["data"]["policy.csv"] == "kept" for name in names)
    assert one(documents, "ConfigMap", "argocd-cm")["data"]["accounts.gitops-bot"] == "apiKey"
    assert "controller.sync.timeout.seconds" in one(documents, "ConfigMap", "argocd-cmd-params-cm")["data"]
    assert len(one(documents, "ConfigMap", "argocd-notifications-cm")["data"]) == 1 + 1 + 2 * len(EVENTS)
