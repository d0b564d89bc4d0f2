"""promotions.yaml becomes targets, or every fault with its place, its key and its cure."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.config.promotions import last_good, load_promotions, parse_promotions
from bot.core.target import (
    After,
    AlertsCheck,
    Alias,
    ArgoCD,
    ContainerPin,
    Flux,
    HttpCheck,
    KustomizePin,
    MergePolicy,
    PredictionCheck,
    PrometheusCheck,
    RevertPolicy,
    Stage,
    Tag,
    Target,
    Through,
    Workflow,
    Workload,
    WorkloadKind,
)
from tests.config.faulty import SHORTEST, promotions_faults

EVERYTHING = """\
defaults:
  model: fraud-detector
  image: ghcr.io/acme/fraud-detector
  build: {github: acme/models, workflow: deploy.yml, ref: release/1}
  merge: auto
  deadline: 1h30m
targets:
  - name: fraud-detector/staging
    when: {tag: deploy=a=b}
    pins:
      - kustomize: ./apps/staging/
        name: server
      - {container: apps/job.yaml, name: predictor}
    paused: true
  - name: fraud-detector/production
    when: {stage: Production}
    pins: [{kustomize: .}]
    rollout: {argocd: fraud, project: ml, namespace: argocd}
    verify:
      - {http: "https://fraud.acme.dev/health/", status: 204, attempts: 3, timeout: 2s}
      - http: http://fraud.ml.svc:8080
      - {prediction: "https://fraud.acme.dev", timeout: 1m}
    merge: review
    revert: off
    settle: 20s
    after: {target: fraud-detector/staging, soak: 1d2h}
    reviewers: [octocat, acme/ml-platform]
"""


def test_the_shortest_target_takes_every_default_of_the_core() -> None:
    assert parse_promotions(SHORTEST.encode()) == (
        Target(
            name="fraud-detector/production",
            model="fraud-detector",
            when=Alias("champion"),
            image="ghcr.io/acme/fraud-detector",
            pins=(KustomizePin("apps/fraud-detector/overlays/production"),),
        ),
    )


def test_every_key_reaches_its_place_in_the_target() -> None:
    staging, production = parse_promotions(EVERYTHING.encode())
    build = Workflow("acme/models", "deploy.yml", "release/1")
    assert staging == Target(
        name="fraud-detector/staging",
        model="fraud-detector",
        when=Tag("deploy", "a=b"),
        image="ghcr.io/acme/fraud-detector",
        pins=(KustomizePin("apps/staging", "server"), ContainerPin("apps/job.yaml", "predictor")),
        build=build,
        merge=MergePolicy.AUTO,
        deadline=timedelta(minutes=90),
        paused=True,
    )
    assert production == Target(
        name="fraud-detector/production",
        model="fraud-detector",
        when=Stage("Production"),
        image="ghcr.io/acme/fraud-detector",
        pins=(KustomizePin("."),),
        build=build,
        rollout=ArgoCD("fraud", "ml", "argocd"),
        verify=(
            HttpCheck("https://fraud.acme.dev/health", 204, 3, timedelta(seconds=2)),
            HttpCheck("http://fraud.ml.svc:8080"),
            PredictionCheck("https://fraud.acme.dev", timedelta(minutes=1)),
        ),
        merge=MergePolicy.REVIEW,
        revert=RevertPolicy.OFF,
        after=After("fraud-detector/staging", timedelta(hours=26)),
        settle=timedelta(seconds=20),
        deadline=timedelta(minutes=90),
        reviewers=("octocat", "acme/ml-platform"),
    )


PROOFS = b"""\
defaults:
  rollout: {flux: fraud, namespace: apps, helm_release: fraud, helm_namespace: models}
  bake: 30m
  move_alias_back: true
targets:
  - name: fraud-detector/production
    model: fraud-detector
    when: {alias: champion}
    image: ghcr.io/acme/fraud-detector
    pins: [{kustomize: a}]
    verify:
      - {http: "https://a.b/{version}/{tag}", json: {status: ok, n: 1}, interval: 5s}
      - {prediction: "https://a.b", latency_ms: 500, tolerance: 1e-6, attempts: 2}
      - {prometheus: errors, below: 0.05, window: 10m, points: 4, samples: requests, at_least: 100}
      - {prometheus: up, above: 0}
      - {alerts: {service: fraud}}
      - {workload: statefulset/fraud, namespace: models}
  - name: fraud-detector/staging
    model: fraud-detector
    when: {alias: candidate}
    image: ghcr.io/acme/fraud-detector
    pins: [{kustomize: b}]
    rollout: {argocd: fraud, through: kubernetes, terminate: true}
    bake: 0s
"""


def test_every_proof_reaches_its_place() -> None:
    production, staging = parse_promotions(PROOFS)
    assert production.rollout == Flux("fraud", "apps", "fraud", "models")
    assert production.bake == timedelta(minutes=30)
    assert production.move_alias_back
    assert production.verify == (
        HttpCheck(
            "https://a.b/{version}/{tag}", interval=timedelta(seconds=5), json={"status": "ok", "n": 1}
        ),
        PredictionCheck("https://a.b", attempts=2, latency=timedelta(seconds=0.5), tolerance=1e-6),
        PrometheusCheck("errors", 0.05, None, timedelta(minutes=10), 4, 3, "requests", 100),
        PrometheusCheck("up", above=0),
        AlertsCheck({"service": "fraud"}),
        Workload(WorkloadKind.STATEFUL_SET, "fraud", "models"),
    )
    assert staging.rollout == ArgoCD("fraud", through=Through.KUBERNETES, terminate=True)
    assert staging.bake == timedelta(0)


def test_an_alias_that_two_targets_follow_is_not_moved_back() -> None:
    text = PROOFS.decode().replace("candidate", "champion")
    faults = promotions_faults(text)
    assert [fault.key for fault in faults] == ["targets[0].move_alias_back", "targets[1].move_alias_back"]
    assert "fraud-detector/staging follows the same alias" in faults[0].what


def test_a_repo_may_have_no_targets_yet() -> None:
    assert parse_promotions(b"targets: []") == ()


# (what replaces what in the shortest file, line of the fault, its key, words of what is wrong, words of the cure)
ALONE = [
    ("model: fraud-detector", "", 2, "targets[0].model", "missing", "`model: fraud-detector`"),
    ("model: fraud-detector", "model: 7", 3, "targets[0].model", "a number, not text", '`"7"`'),
    ("model: fraud-detector", "model: a/b", 3, "targets[0].model", "`a/b`", "no `/`"),
    (
        "model: fraud-detector",
        "model: [a]",
        3,
        "targets[0].model",
        "a list, not text",
        "`model: fraud-detector`",
    ),
    ("model: fraud-detector", "modle: x", 3, "targets[0].modle", "no such key", "Did you mean `model`?"),
    (
        "model: fraud-detector",
        "xyzzy: x",
        3,
        "targets[0].xyzzy",
        "no such key",
        "Known here: after, bake, build",
    ),
    ("fraud-detector/production\n", "Fraud/prod\n", 2, "targets[0].name", "`Fraud/prod`", "lower-case"),
    (
        "fraud-detector/production\n",
        "production\n",
        2,
        "targets[0].name",
        "`production`",
        "`model/environment`",
    ),
    (
        "{alias: champion}",
        "champion",
        4,
        "targets[0].when",
        "text, not a mapping",
        "`when: {alias: champion}`",
    ),
    ("{alias: champion}", "{}", 4, "targets[0].when", "missing", "exactly one"),
    ("{alias: champion}", "{alias: a, stage: Production}", 4, "targets[0].when", "exclude", "exactly one"),
    ("{alias: champion}", "{alias: }", 4, "targets[0].when", "alias is empty", "value"),
    ("{alias: champion}", "{alias: latest}", 4, "targets[0].when.alias", "`latest`", "MLflow's own"),
    ("{alias: champion}", "{alias: v3}", 4, "targets[0].when.alias", "`v3`", "MLflow's own"),
    ("{alias: champion}", "{alias: a b}", 4, "targets[0].when.alias", "`a b`", "Letters"),
    ("{alias: champion}", "{tag: deploy}", 4, "targets[0].when.tag", "`deploy`", "`deploy=production`"),
    ("{alias: champion}", "{tag: gitops-bot.x=1}", 4, "targets[0].when.tag", "gitops-bot.x", "bot's own"),
    (
        "{alias: champion}",
        "{stage: production}",
        4,
        "targets[0].when.stage",
        "`production`",
        "`stage: Production`",
    ),
    ("{alias: champion}", "{alais: champion}", 4, "targets[0].when.alais", "no such key", "`alias`"),
    (
        "detector\n    pins",
        "detector:latest\n    pins",
        5,
        "targets[0].image",
        "a tag does not belong",
        "host and",
    ),
    (
        "detector\n    pins",
        "detector@sha256:ab\n    pins",
        5,
        "targets[0].image",
        "a digest does not",
        "host and",
    ),
    ("ghcr.io", "https://ghcr.io", 5, "targets[0].image", "no scheme", "host and repository alone"),
    ("ghcr.io/acme", "acme", 5, "targets[0].image", "names no registry", "`docker.io/acme"),
    ("ghcr.io/acme", "ghcr.io/Acme", 5, "targets[0].image", "not an image repository", "Lower-case"),
    (
        "[{kustomize: apps/fraud-detector/overlays/production}]",
        "[]",
        6,
        "targets[0].pins",
        "at least one",
        "kustomize",
    ),
    (
        "[{kustomize: apps/fraud-detector/overlays/production}]",
        "x",
        6,
        "targets[0].pins",
        "text, not a list",
        "list",
    ),
    (
        "{kustomize: apps/fraud-detector/overlays/production}",
        "{}",
        6,
        "targets[0].pins[0]",
        "missing",
        "exactly one",
    ),
    ("apps/fraud-detector/overlays", "/apps", 6, "targets[0].pins[0].kustomize", "absolute", "relative"),
    (
        "apps/fraud-detector/overlays",
        "apps/../..",
        6,
        "targets[0].pins[0].kustomize",
        "leaves the repo",
        "relative",
    ),
    ("apps/fraud-detector/overlays", ".git", 6, "targets[0].pins[0].kustomize", "git's own", "relative"),
    ("overlays/production", "kustomization.yaml", 6, "targets[0].pins[0]", "is a file", "folder"),
    (
        "kustomize: apps",
        "container: apps",
        6,
        "targets[0].pins[0]",
        "not a YAML file",
        "file of the manifest",
    ),
]

# (a further key of the target, key of the fault, words of what is wrong, words of the cure)
FURTHER = [
    ("merge: revew", "merge", "`revew` is not one of 'review' or 'auto'", "`merge: review`"),
    ("merge: yes", "merge", "`yes`", "`merge: review`"),
    ("revert: never", "revert", "`never`", "`revert: auto`"),
    ("paused: yes", "paused", "text, not `true` or `false`", "`paused: true`"),
    ("settle: 10", "settle", "`10` is not a duration", "`90s`"),
    ("settle: 5 minutes", "settle", "`5 minutes`", "`5m`"),
    ("settle: 1m1h", "settle", "`1m1h`", "largest first"),
    ("deadline: 400d", "deadline", "longer than a year", "`1h30m`"),
    ("deadline: 5s", "deadline", "over before", "longer than `settle`"),
    ("settle: 20m", "deadline", "over before", "longer than `settle`"),
    ("reviewers: octocat", "reviewers", "text, not a list", "a list"),
    ("reviewers: ['@octocat']", "reviewers[0]", "`@octocat`", "`acme/ml-platform`"),
    ("build: {github: acme/models}", "build.workflow", "missing", "`workflow: "),
    ("build: {github: models, workflow: a.yml}", "build.github", "`models`", "`acme/models`"),
    ("build: {github: a/.., workflow: a.yml}", "build.github", "`a/..`", "`acme/models`"),
    ("build: {github: a/b, workflow: ../a.yml}", "build.workflow", "`../a.yml`", "`deploy.yml`"),
    ("build: {github: a/b, workflow: a.yml, ref: -f}", "build.ref", "`-f`", "`main`"),
    ("build: {github: a/b, workflow: a.yml, ref: a..b}", "build.ref", "`a..b`", "`main`"),
    ("rollout: {argocd: A_B}", "rollout.argocd", "`A_B`", "Lower-case"),
    ("rollout: {}", "rollout", "missing", "`argocd:` or `flux:`"),
    ("rollout: {argocd: a, flux: b}", "rollout", "exclude each other", "exactly one"),
    ("rollout: {flux: A_B}", "rollout.flux", "`A_B`", "Lower-case"),
    ("rollout: {flux: a, project: b}", "rollout", "project belongs to `argocd:`", "Take `project` out"),
    ("rollout: {flux: a, terminate: true}", "rollout", "belongs to `argocd:`", "Take `terminate` out"),
    ("rollout: {argocd: a, helm_release: b}", "rollout", "belongs to `flux:`", "Take `helm_release` out"),
    ("rollout: {flux: a, helm_namespace: b}", "rollout", "needs `helm_release:`", "Name the HelmRelease"),
    ("rollout: {flux: a, through: api}", "rollout", "Flux has no API", "`through: kubernetes`"),
    ("rollout: {argocd: a, through: forge}", "rollout", "not asked through the forge", "`through: api`"),
    ("verify: [{}]", "verify[0]", "missing", "`http:` or `prediction:` or `prometheus:`"),
    ("verify: [{http: 'https://a.b/{tga}'}]", "verify[0].http", "`{tga}` is not known", "`{tag}`"),
    ("verify: [{workload: deployment/a}]", "verify[0]", "no namespace", "`namespace:`"),
    (
        "verify: [{workload: pod/a, namespace: b}]",
        "verify[0].workload",
        "`pod/a`",
        "deployment/fraud-detector",
    ),
    ("verify: [{alerts: {}}]", "verify[0].alerts", "no label is named", "`{service: fraud-detector}`"),
    ("verify: [{alerts: {'a b': c}}]", "verify[0].alerts", "`a b`", "Letters"),
    ("verify: [{prometheus: up}]", "verify[0]", "needs one bound", "`below:` or `above:`"),
    ("verify: [{prometheus: up, above: 1, below: 2}]", "verify[0]", "one bound", "exactly one"),
    ("verify: [{prometheus: up, above: 1, window: 2d}]", "verify[0]", "between 1s and 1d", "`window: 5m`"),
    ("verify: [{prometheus: up, above: 1, points: 2, failures: 3}]", "verify[0]", "3 of 2 points", "at most"),
    ("verify: [{prometheus: up, above: 1, at_least: 3}]", "verify[0]", "belongs to `samples:`", "Take"),
    (
        "verify: [{prometheus: up, above: 1, json: {a: b}}]",
        "verify[0]",
        "json belongs to `http:`",
        "Take `json`",
    ),
    ("verify: [{http: 'https://a.b', latency_ms: 5}]", "verify[0]", "belongs to `prediction:`", "Take"),
    (
        "verify: [{prediction: 'https://a.b', tolerance: 2}]",
        "verify[0].tolerance",
        "less than or equal",
        "`toler",
    ),
    ("verify: [{http: 'https://a.b', interval: 6m}]", "verify[0]", "between 1s and 5m", "`interval: 5s`"),
    (
        "verify: [{http: 'https://a.b', json: {v: '{version}'}}]",
        "verify[0]",
        "not in `json`",
        "the value itself",
    ),
    ("bake: 10", "bake", "`10` is not a duration", "`90s`"),
    ("verify: [{http: ftp://a.b}]", "verify[0].http", "not an http(s) URL", "`https://`"),
    ("verify: [{http: 'https://a b'}]", "verify[0].http", "no proper host", "`https://host"),
    ("verify: [{http: 'https://a:99999'}]", "verify[0].http", "not a URL", "`https://host"),
    ("verify: [{http: 'https://a.b/?x=1'}]", "verify[0].http", "a query", "`?`"),
    (
        "verify: [{http: 'https://a.b', status: 20}]",
        "verify[0].status",
        "greater than or equal to 100",
        "`status: 200`",
    ),
    (
        "verify: [{http: 'https://a.b', status: '200'}]",
        "verify[0].status",
        "text, not a whole number",
        "`status: 200`",
    ),
    ("verify: [{http: 'https://a.b', timeout: 6m}]", "verify[0]", "between 1s and 5m", "`timeout: 5s`"),
    ("verify: [{prediction: 'https://a.b', status: 2}]", "verify[0].status", "greater than", "`status: 200`"),
    (
        "verify: [{prediction: 'https://a.b', status: 204}]",
        "verify[0]",
        "belongs to `http:`",
        "Take `status` out",
    ),
    ("after: fraud-detector/staging", "after", "text, not a mapping", "`after: {target: "),
    ("after: {target: fraud-detector/stagin}", "after.target", "there is no target", "Known here"),
    ("after: {target: fraud-detector/production}", "after.target", "waits for itself", "first environment"),
]


@pytest.mark.parametrize(("old", "new", "line", "key", "what", "how"), ALONE)
def test_a_fault_names_file_line_key_and_cure(
    old: str, new: str, line: int, key: str, what: str, how: str
) -> None:
    assert old in SHORTEST
    faults = promotions_faults(SHORTEST.replace(old, new, 1))
    fault = next(fault for fault in faults if fault.key == key)
    assert (fault.file, fault.line) == ("promotions.yaml", line)
    assert what in fault.what
    assert how in fault.how
    assert str(fault).startswith(f"promotions.yaml:{line}:{fault.column}: {key}: ")


@pytest.mark.parametrize(("addition", "key", "what", "how"), FURTHER)
def test_a_fault_in_a_further_key_names_its_line_and_cure(
    addition: str, key: str, what: str, how: str
) -> None:
    faults = promotions_faults(f"{SHORTEST}    {addition}\n")
    fault = next(fault for fault in faults if fault.key == f"targets[0].{key}")
    # A deadline may be wrong because of another key: then the target is the place.
    assert fault.line == (2 if addition.startswith("settle: 20m") else 7)
    assert what in fault.what
    assert how in fault.how


def test_every_fault_of_a_file_is_said_at_once_in_its_order() -> None:
    text = (
        SHORTEST.replace("champion", "latest").replace("ghcr.io/", "") + "    merge: maybe\n    paused: 3\n"
    )
    assert [(fault.line, fault.key) for fault in promotions_faults(text)] == [
        (4, "targets[0].when.alias"),
        (5, "targets[0].image"),
        (7, "targets[0].merge"),
        (8, "targets[0].paused"),
    ]


def test_a_bad_default_is_said_once_where_it_is_written() -> None:
    twice = SHORTEST + SHORTEST.removeprefix("targets:\n").replace("production", "staging")
    faults = promotions_faults(f"defaults:\n  merge: maybe\n{twice}")
    assert [(fault.line, fault.key) for fault in faults] == [(2, "defaults.merge")]


def test_a_name_pins_and_an_earlier_target_are_no_defaults() -> None:
    faults = promotions_faults(f"defaults: {{pins: [], name: a/b, after: {{target: a/b}}}}\n{SHORTEST}")
    assert {fault.key for fault in faults} == {"defaults.pins", "defaults.name", "defaults.after"}


def test_credentials_in_a_url_are_refused_and_never_repeated() -> None:
    faults = promotions_faults(f"{SHORTEST}    verify: [{{http: 'https://me:hunter2@a.b/'}}]\n")
    assert "credentials" in faults[0].what
    assert "hunter2" not in str(faults[0])


def test_two_targets_need_two_names() -> None:
    text = SHORTEST + SHORTEST.removeprefix("targets:\n").replace("overlays/production", "other")
    (fault,) = promotions_faults(text)
    assert (fault.line, fault.key) == (7, "targets[1].name")
    assert "targets[0] has the same name" in fault.what


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("{kustomize: a}", "{kustomize: ./a/}", True),
        ("{kustomize: a, name: ghcr.io/acme/fraud-detector}", "{kustomize: a}", True),
        ("{kustomize: a, name: x}", "{kustomize: a, name: y}", False),
        ("{kustomize: a}", "{kustomize: b}", False),
        ("{container: a/b.yaml}", "{container: a//b.yaml}", True),
        ("{container: a.yaml, name: x}", "{container: a.yaml, name: x}", True),
        ("{container: a.yaml, name: x}", "{container: a.yaml, name: y}", False),
    ],
)
def test_two_targets_must_not_share_a_pin(one: str, other: str, shared: bool) -> None:
    pin = "{kustomize: apps/fraud-detector/overlays/production}"
    second = SHORTEST.removeprefix("targets:\n").replace(pin, other).replace("/production", "/staging")
    faults = promotions_faults(SHORTEST.replace(pin, one) + second)
    assert [(fault.line, fault.key) for fault in faults] == ([(11, "targets[1].pins[0]")] if shared else [])
    assert all("fraud-detector/production already" in fault.what for fault in faults)


def test_two_models_must_not_fill_one_image() -> None:
    second = (
        SHORTEST.removeprefix("targets:\n")
        .replace("model: fraud-detector", "model: churn")
        .replace("/production", "/staging")
    )
    (fault,) = promotions_faults(SHORTEST + second)
    assert (fault.line, fault.key) == (10, "targets[1].image")


def environments(**after: str) -> str:
    """Targets of one model by environment, each with the environment that it waits for."""
    entries = [
        SHORTEST.removeprefix("targets:\n").replace("/production", f"/{name}")
        + (f"    after: {{target: fraud-detector/{earlier}}}\n" if earlier else "")
        for name, earlier in after.items()
    ]
    return "targets:\n" + "".join(entries)


def test_environments_may_wait_for_each_other_in_a_line_in_any_order() -> None:
    targets = parse_promotions(environments(production="staging", staging="test", test="").encode())
    assert [target.after.target if target.after else None for target in targets] == [
        "fraud-detector/staging",
        "fraud-detector/test",
        None,
    ]


def test_environments_that_wait_in_a_circle_are_refused_and_those_before_it_are_not() -> None:
    faults = promotions_faults(environments(a="b", b="c", c="b"))
    assert [fault.key for fault in faults] == ["targets[1].after.target", "targets[2].after.target"]


def test_an_earlier_environment_serves_the_same_model() -> None:
    text = environments(production="staging", staging="")
    start = text.index("/staging\n    model")
    text = text[:start] + text[start:].replace("fraud-detector\n", "churn\n")
    (fault,) = promotions_faults(text)
    assert fault.key == "targets[0].after.target"
    assert "another model, churn" in fault.what


def test_the_newest_readable_file_is_in_force_and_the_broken_one_is_the_problem() -> None:
    read: list[str] = []

    def history() -> Iterator[tuple[str, bytes]]:
        for commit, data in [
            ("c3", b"targets: 3"),
            ("c2", b"\xff"),
            ("c1", SHORTEST.encode()),
            ("c0", b"targets: []"),
        ]:
            read.append(commit)
            yield commit, data

    catalogue = last_good(history)
    assert list(catalogue.targets) == ["fraud-detector/production"]
    assert catalogue.commit == "c1"
    assert catalogue.problem is not None
    assert catalogue.problem.startswith("promotions.yaml:1:1: targets: this is a number, not a list")
    assert read == ["c3", "c2", "c1"]


def test_a_good_newest_file_has_no_problem() -> None:
    catalogue = last_good(lambda: [("c1", SHORTEST.encode())])
    assert (catalogue.commit, catalogue.problem) == ("c1", None)


def test_without_any_file_there_are_no_targets_and_a_sentence() -> None:
    catalogue = last_good(list)
    assert catalogue.targets == {}
    assert catalogue.problem == "promotions.yaml: there is no such file at the root of the repo. Add one."


def test_the_template_is_read_without_faults() -> None:
    staging, production = load_promotions(Path(__file__).parents[2] / "gitops-template" / "promotions.yaml")
    assert production.after == After(staging.name)
