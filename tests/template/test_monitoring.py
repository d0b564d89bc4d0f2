"""Alert rules, their own tests, and the dashboard: PromQL that Prometheus reads, about metrics that somebody exposes."""

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.cli import main as command
from bot.core.report import ACTION_NAMES
from bot.core.target import Alias, Catalogue, KustomizePin, Target
from bot.ports import Entry, Standing
from bot.web.metrics import OUTCOMES, RESULTS, Metrics
from bot.web.view import State
from bot.web.webhooks import SENDERS
from tests.parts import require
from tests.template.rendered import TEMPLATE, copied, one, rendered

MONITORING = TEMPLATE / "monitoring"
RULES = ("model", "gitops-bot")
DASHBOARD = json.loads((MONITORING / "dashboards" / "models-and-bot.json").read_text())
# kube-state-metrics, docs/metrics/workload: deployment-metrics.md and pod-metrics.md.
KUBE_STATE = {
    "kube_deployment_spec_replicas",
    "kube_deployment_status_replicas_available",
    "kube_deployment_status_replicas_updated",
    "kube_deployment_status_condition",
    "kube_pod_container_info",
    "kube_pod_container_status_restarts_total",
}
PROMETHEUS_OWN = {"ALERTS"}
WAKES_NOBODY_IN_STAGING = '{{ if match "staging" $labels.namespace }}warning{{ else }}critical{{ end }}'
NAME = "fraud-detector/production"


def groups(name: str) -> list[Any]:
    document = yaml.safe_load((MONITORING / "rules" / f"{name}.yaml").read_text())
    assert (document["apiVersion"], document["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert set(document["spec"]) == {"groups"}
    return list(document["spec"]["groups"])


def rules(name: str) -> list[Any]:
    return [rule for group in groups(name) for rule in group["rules"]]


def promtool(folder: Path, *words: str) -> str:
    program = require("promtool", "apt-get install prometheus")
    done = subprocess.run(
        [program, *words], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def with_rules(folder: Path, name: str, groups: list[Any]) -> Path:
    (folder / f"{name}.rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
    return folder


# --- rules ---


@pytest.mark.parametrize("name", RULES)
def test_prometheus_takes_the_rules(name: str, tmp_path: Path) -> None:
    said = promtool(with_rules(tmp_path, name, groups(name)), "check", "rules", f"{name}.rules.yaml")
    assert f"{len(rules(name))} rules found" in said


@pytest.mark.parametrize("name", RULES)
def test_the_alerts_fire_when_they_should_and_only_then(name: str, tmp_path: Path) -> None:
    with_rules(tmp_path, name, groups(name))
    file = f"{name}.test.yaml"
    (tmp_path / file).write_bytes((MONITORING / "rules" / file).read_bytes())
    assert "SUCCESS" in promtool(tmp_path, "test", "rules", file)


@pytest.mark.parametrize("name", RULES)
def test_a_broken_rule_fails_its_test(name: str, tmp_path: Path) -> None:
    deaf = groups(name)
    for group in deaf:
        for rule in group["rules"]:
            rule["expr"] = f"({rule['expr']}) and on () vector(1) > 2"
    with_rules(tmp_path, name, deaf)
    file = f"{name}.test.yaml"
    (tmp_path / file).write_bytes((MONITORING / "rules" / file).read_bytes())
    with pytest.raises(AssertionError):
        promtool(tmp_path, "test", "rules", file)


@pytest.mark.parametrize("name", RULES)
def test_every_alert_is_seen_firing_and_seen_silent(name: str) -> None:
    tests = yaml.safe_load((MONITORING / "rules" / f"{name}.test.yaml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    firing = {case["alertname"] for case in cases if case["exp_alerts"]}
    silent = {case["alertname"] for case in cases if not case["exp_alerts"]}
    alerts = {rule["alert"] for rule in rules(name)}
    assert (firing, silent) == (alerts, alerts)


@pytest.mark.parametrize("name", RULES)
def test_every_alert_says_how_bad_it_is_and_what_to_do(name: str) -> None:
    for rule in rules(name):
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("critical", "warning", "info", WAKES_NOBODY_IN_STAGING)
        assert set(rule["annotations"]) == {"summary", "description"}
        assert rule["annotations"]["description"].endswith(".")


@pytest.mark.parametrize("name", RULES)
def test_every_alert_says_the_next_command_and_none_that_there_is_not(name: str) -> None:
    """At three in the morning nobody looks up how to ask."""
    for rule in rules(name):
        quoted = re.findall(r"`([^`]+)`", rule["annotations"]["description"])
        said = [words.split() for words in quoted if words.split()[0] in ("gitops-bot", "kubectl")]
        assert said, rule["alert"]
        known = {words[1] for words in said if words[0] == "gitops-bot"}
        assert known <= set(command.commands), rule["alert"]


def test_only_what_callers_or_the_bots_own_safety_notice_wakes_somebody() -> None:
    waking = {rule["alert"]: rule["labels"]["severity"] for name in RULES for rule in rules(name)}
    assert {alert for alert, severity in waking.items() if "critical" in severity} == {
        "ModelDown",
        "ModelErrorRate",
        "GitopsBotDown",
        "GitopsBotReleaseDoesNotServe",
        "GitopsBotReconcileFailing",
    }
    models = {alert: severity for alert, severity in waking.items() if alert.startswith("Model")}
    assert "critical" not in models.values()
    assert {severity for severity in models.values() if "critical" in severity} == {WAKES_NOBODY_IN_STAGING}


def test_alerts_about_models_keep_the_namespace_that_the_bot_asks_for() -> None:
    # `verify: [{alerts: {namespace: fraud-detector-production}}]` matches by exact label.
    text = (MONITORING / "rules" / "model.test.yaml").read_text()
    expected = re.findall(r"exp_labels: \{(.*?)\}", text)
    assert expected
    assert all("namespace: " in labels for labels in expected)


# --- where Prometheus scrapes ---


def test_the_monitors_find_the_services_and_their_ports() -> None:
    monitors = {
        document["metadata"]["name"]: document["spec"]
        for document in yaml.safe_load_all((MONITORING / "service-monitors.yaml").read_text())
    }
    spec = monitors["inference-services"]
    assert set(spec) <= {"namespaceSelector", "selector", "endpoints", "sampleLimit"}
    for folder in ("apps/inference-service/overlays/production", "components/canary/overlays/production"):
        services = [document for document in rendered(folder) if document["kind"] == "Service"]
        found = [service for service in services if selected(spec["selector"], service["metadata"]["labels"])]
        assert [service["metadata"]["name"] for service in found] == ["inference-service"]
        assert spec["endpoints"][0]["port"] in {port["name"] for port in found[0]["spec"]["ports"]}
    assert monitors["gitops-bot"]["namespaceSelector"] == {"matchNames": ["gitops-bot"]}


def selected(selector: Any, labels: Any) -> bool:
    absent = [e["key"] for e in selector.get("matchExpressions", []) if e["operator"] == "DoesNotExist"]
    return selector["matchLabels"].items() <= labels.items() and not set(absent) & set(labels)


def test_everything_in_the_folder_is_taken_in_or_is_a_test() -> None:
    said = yaml.safe_load((MONITORING / "kustomization.yaml").read_text())
    [generated] = said["configMapGenerator"]
    taken = {*said["resources"], *generated["files"], "kustomization.yaml"}
    there = {str(path.relative_to(MONITORING)) for path in MONITORING.rglob("*") if path.is_file()}
    assert there - taken == {f"rules/{name}.test.yaml" for name in RULES}
    assert taken <= there


def test_the_label_that_prometheus_operator_may_ask_for_comes_to_rules_and_monitors(tmp_path: Path) -> None:
    root = copied(tmp_path, "monitoring")
    file = root / "monitoring" / "kustomization.yaml"
    file.write_text(file.read_text().replace("# labels:\n#   -", "labels:\n  -"))
    before, after = rendered("monitoring", "kubectl"), rendered("monitoring", "kubectl", root)
    assert [document["spec"] for document in before if "spec" in document] == [
        document["spec"] for document in after if "spec" in document
    ]
    labels = [document["metadata"]["labels"].get("release") for document in after]
    assert labels == ["kube-prometheus-stack"] * len(after)


def test_the_folder_is_one_kustomization() -> None:
    documents = rendered("monitoring", "kubectl")
    assert sorted(document["kind"] for document in documents) == [
        "ConfigMap",
        "PrometheusRule",
        "PrometheusRule",
        "ServiceMonitor",
        "ServiceMonitor",
    ]
    dashboard = one(documents, "ConfigMap")
    assert json.loads(dashboard["data"]["models-and-bot.json"]) == DASHBOARD
    assert dashboard["metadata"]["labels"] == {"grafana_dashboard": "1"}


# --- the dashboard, and the metrics that everything names ---


def expressions() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]
    for annotation in DASHBOARD["annotations"]["list"]:
        yield annotation["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        yield from re.findall(r"label_values\((\w+),", str(variable.get("definition", "")))


def all_expressions() -> Iterator[str]:
    yield from expressions()
    yield from (rule["expr"] for name in RULES for rule in rules(name))
    promotions = "".join(path.read_text() for path in (TEMPLATE / "components").glob("*/README.md"))
    yield from re.findall(r"(model_\w+\{[^}]*\})", promotions + (TEMPLATE / "promotions.yaml").read_text())


def filled(expression: str) -> str:
    return expression.replace("$namespace", ".+").replace("$__rate_interval", "5m")


def test_prometheus_takes_every_query_of_the_dashboard(tmp_path: Path) -> None:
    queries = [filled(expression) for expression in expressions()]
    recorded = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    with_rules(tmp_path, "dashboard", [{"name": "dashboard", "rules": recorded}])
    assert f"{len(queries)} rules found" in promtool(tmp_path, "check", "rules", "dashboard.rules.yaml")


def test_the_panels_of_the_dashboard_stand_side_by_side() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def bot_metrics() -> dict[str, set[str]]:
    """Every series that the bot exposes once a target has been looked at, with its labels."""
    now = datetime(2026, 11, 1, tzinfo=UTC)
    target = Target(NAME, "fraud-detector", Alias("champion"), "ghcr.io/acme/x", (KustomizePin("apps"),))
    entry = Entry(NAME, now, "wait", "it builds", "done", seconds=1.0)
    metrics = Metrics(
        catalogue=lambda: Catalogue({NAME: target}),
        standings=lambda: {NAME: Standing(NAME, now, "7", "6", "6", "wait", "it builds")},
        queue=list,
    )
    metrics.expects(SENDERS)
    metrics.passed(entry)
    metrics.swept(now)
    return series(metrics.registry.collect())


def server_metrics() -> dict[str, set[str]]:
    """The same of the model server, as serve.py declares them."""
    text = (TEMPLATE / "model-image" / "serve.py").read_text()
    found = {}
    for kind, name, labels in re.findall(
        r'^\w+ = (Counter|Gauge|Histogram)\(\s*"(\w+)",\s*"[^"]*"(?:,\s*\[([^\]]*)\])?', text, re.MULTILINE
    ):
        endings = ("_bucket", "_count", "_sum") if kind == "Histogram" else ("",)
        found |= {f"{name}{ending}": set(re.findall(r'"(\w+)"', labels)) for ending in endings}
    return found


def series(families: Any) -> dict[str, set[str]]:
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


def test_every_metric_that_is_named_is_exposed() -> None:
    exposed = set(bot_metrics()) | set(server_metrics()) | KUBE_STATE | PROMETHEUS_OWN
    named = {name for expression in all_expressions() for name in metrics_in(expression)}
    assert named - exposed == set()
    assert {"model_requests_total", "gitops_bot_targets", "model_predictions_total"} <= named


def test_every_label_that_is_asked_for_is_one_that_the_metric_has() -> None:
    exposed = bot_metrics() | server_metrics()
    beside = {"namespace", "pod", "le"}  # of the scrape, and of every histogram
    for expression in all_expressions():
        for name, asked in re.findall(r"((?:model|gitops_bot)_\w+)\{([^}]*)\}", filled(expression)):
            labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", asked))
            assert labels <= exposed[name] | beside, expression


def test_every_value_of_a_label_is_one_that_the_bot_writes() -> None:
    known = {
        "state": {state.value for state in State},
        "action": set(ACTION_NAMES),
        "outcome": set(OUTCOMES),
        "result": set(RESULTS),
        "sender": set(SENDERS),
    }
    for expression in all_expressions():
        for matchers in re.findall(r"gitops_bot_\w+\{([^}]*)\}", expression):
            for label, values in re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"', matchers):
                assert set(values.split("|")) <= known[label], expression


def metrics_in(expression: str) -> set[str]:
    plain = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"", "", filled(expression))
    return set(re.findall(r"\b(?:ALERTS|(?:model|gitops_bot|kube|up|process)_\w+)\b", plain)) - {
        "model_name",
    }


def test_the_bots_clock_is_in_seconds() -> None:
    # The rules subtract from time(): a timestamp in milliseconds would never fire.
    swept = Metrics(catalogue=lambda: Catalogue({}), standings=dict, queue=list)
    swept.swept(datetime.now(UTC) - timedelta(minutes=1))
    value = swept.registry.get_sample_value("gitops_bot_last_sweep_timestamp_seconds")
    assert value is not None
    assert 55 < datetime.now(UTC).timestamp() - value < 120
