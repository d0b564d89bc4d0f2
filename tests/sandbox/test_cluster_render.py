"""The sandbox's kustomize against the real one, where that is installed; what it does not know it refuses."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from bot.sandbox.cluster.manifest import CannotRender
from bot.sandbox.cluster.render import render
from bot.sandbox.template import template
from tests.parts import require

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {tier: models}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      initContainers:
        - {name: fetch, image: registry.lab/acme/fetch:1}
      containers:
        - name: server
          image: web
          env:
            - {name: LOG_LEVEL, value: info}
            - {name: THREADS, value: "2"}
          ports: [{name: http, containerPort: 8000}]
          volumeMounts: [{name: tmp, mountPath: /tmp}]
        - name: proxy
          image: registry.lab:5000/acme/proxy:2@sha256:{{1}}
      volumes: [{name: tmp, emptyDir: {}}]
""".replace("{{1}}", "1" * 64)
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{name: http, port: 80, targetPort: http}]}
"""
NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: models}\n"
DIGEST = "sha256:" + "2" * 64
SELECTING = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: apart}
spec:
  selector: {matchLabels: {app: apart}}
  template:
    metadata: {labels: {app: apart}}
    spec:
      containers: [{name: server, image: web}]
      topologySpreadConstraints: [{labelSelector: {matchLabels: {app: apart}}}]
      affinity:
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
            - {weight: 1, podAffinityTerm: {topologyKey: a, labelSelector: {matchLabels: {app: apart}}}}
        podAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            - {topologyKey: a, labelSelector: {matchLabels: {app: other}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: apart}
spec: {selector: {matchLabels: {app: apart}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: apart}
spec:
  podSelector: {}
  ingress: [{from: [{podSelector: {matchLabels: {app: caller}}}]}]
  egress: [{to: [{namespaceSelector: {matchLabels: {a: b}}}]}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: apart}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: apart}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: astray}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: nobody}}
"""
COMPONENT = """\
kind: Component
apiVersion: kustomize.config.k8s.io/v1alpha1
resources: [puller.yaml]
namePrefix: own-
patches: [{patch: '{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {paused: true}}'}]
"""
PULLER = """\
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: puller}
spec:
  selector: {matchLabels: {app: puller}}
  template:
    metadata: {labels: {app: puller}}
    spec: {containers: [{name: sleep, image: web}]}
"""

CASES = {
    "plain": "",
    "tag": "images: [{name: web, newTag: v7}]",
    "another name": "images: [{name: web, newName: ghcr.io/acme/web}]",
    "tag and digest": f"images: [{{name: web, newName: 'localhost:5000/acme/web', newTag: v7, digest: '{DIGEST}'}}]",
    "digest": f"images: [{{name: web, digest: '{DIGEST}'}}]",
    "an image with a port, a tag and a digest": "images: [{name: 'registry.lab:5000/acme/proxy', newTag: '3'}]",
    "an image of an init container": "images: [{name: registry.lab/acme/fetch, newTag: '9'}]",
    "only the name of an image with a digest": "images: [{name: 'registry.lab:5000/acme/proxy', newName: other/proxy}]",
    "several images": "images: [{name: web, newTag: v7}, {name: registry.lab/acme/fetch, newTag: '2'}]",
    "namespace": "namespace: staging",
    "prefix": "namePrefix: blue-",
    "prefix and replicas": "namePrefix: blue-\nreplicas: [{name: web, count: 3}]",
    "replicas": "replicas: [{name: web, count: 0}]",
    "labels": "labels: [{pairs: {team: fraud}}]",
    "labels in templates": "labels: [{pairs: {team: fraud}, includeTemplates: true}]",
    "labels in selectors": "labels: [{pairs: {team: fraud}, includeSelectors: true}]",
    "a component": "components: [../component]\nimages: [{name: web, newTag: v7}]",
    "components, labels and a prefix": "components: [../component]\nlabels: [{pairs: {a: b}, includeSelectors: true}]\nnamePrefix: c-",
    "annotations": "commonAnnotations: {owner: fraud}",
    "a patch that changes, adds and takes away": """\
patches:
  - patch: |
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: web, labels: {tier: null}}
      spec:
        replicas: 5
        template:
          spec:
            containers:
              - name: server
                env:
                  - {name: LOG_LEVEL, value: debug}
                  - {name: NEW, value: "1"}
                resources: {limits: {memory: 1Gi}}
""",
    "a patch of lists": """\
patches:
  - patch: |
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: web}
      spec:
        template:
          spec:
            containers:
              - {name: third, image: x}
              - name: server
                args: [a]
                ports: [{name: metrics, containerPort: 9000}, {name: web, containerPort: 8000}]
                volumeMounts: [{name: b, mountPath: /b}, {name: tmp, mountPath: /tmp, readOnly: true}]
            volumes: [{name: z, emptyDir: {}}]
""",
    "a patch for a target": """\
patches:
  - target: {kind: Deployment}
    patch: |
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: anything}
      spec: {paused: true}
""",
}

REFUSED = {
    "configMapGenerator: [{name: a, literals: [b=c]}]": "does not know configMapGenerator",
    "helmCharts: [{name: a}]": "does not know helmCharts",
    "images: [{name: web, newTag: 7}]": "newTag of web is not a string",
    "replicas: [{name: missing, count: 2}]": "no workload missing",
    "patches: [{path: missing.yaml}]": "no such patch",
    "patches: [{target: {kind: Deployment}, patch: '[{op: remove, path: /spec/replicas}]'}]": "not a mapping",
    "namespace: [": "not YAML",
    "images: {name: web}": "images is not a list",
    "images: [web]": "images",
    "replicas: [{name: web}]": "replicas",
    "- a": "not a mapping",
    "components: [../base]": "not a Component",
    "components: [../broken]": "does not know helmCharts",
    "components: [../circle]": "include each other",
    "commonAnnotations: [a]": "commonAnnotations is not a mapping",
    "patches: [{patch: '{kind: Deployment, metadata: {name: web}, spec: {$patch: replace}}'}]": r"\$patch",
    "patches: [{patch: '{kind: Deployment, metadata: {name: other}}'}]": "no Deployment other",
    "patches: [{target: {labelSelector: a=b}, patch: '{kind: Deployment}'}]": "labelSelector",
}


def files(overlay: str) -> dict[str, str]:
    return {
        "base/kustomization.yaml": "resources: [deployment.yaml, service.yaml, selecting.yaml]\n",
        "base/selecting.yaml": SELECTING,
        "component/kustomization.yaml": COMPONENT,
        "component/puller.yaml": PULLER,
        "broken/kustomization.yaml": "kind: Component\nhelmCharts: [{name: a}]\n",
        "circle/kustomization.yaml": "kind: Component\ncomponents: [../circle]\n",
        "base/deployment.yaml": DEPLOYMENT,
        "base/service.yaml": SERVICE + "---\n" + NAMESPACE,
        "overlay/kustomization.yaml": overlay,
    }


def rendered(found: dict[str, str], folder: str = "overlay") -> list[dict[str, Any]]:
    return render(lambda path: found[path].encode() if path in found else None, folder)


def in_order(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(documents, key=lambda document: (document["kind"], document["metadata"]["name"]))


def _answers(path: str) -> bool:
    return subprocess.run([path, "kustomize", "--help"], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("overlay", CASES.values(), ids=CASES)
def test_the_same_comes_out_as_of_the_real_kustomize(overlay: str, tmp_path: Path) -> None:
    kubectl = require("kubectl", "see https://kubernetes.io/docs/tasks/tools/", _answers, packaged=False)
    found = files(f"resources: [../base]\n{overlay}\n")
    for path, text in found.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    command = [kubectl, "kustomize", str(tmp_path / "overlay")]
    real = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    expected = list(YAML(typ="safe", pure=True).load_all(real))
    assert in_order(rendered(found)) == in_order(expected)


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_the_template_comes_out_as_of_the_real_kustomize(environment: str) -> None:
    kubectl = require("kubectl", "see https://kubernetes.io/docs/tasks/tools/", _answers, packaged=False)
    folder = f"apps/inference-service/overlays/{environment}"
    found = {
        str(path.relative_to(template())): path.read_text() for path in (template() / "apps").rglob("*.yaml")
    }
    command = [kubectl, "kustomize", str(template() / folder)]
    real = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    assert in_order(rendered(found, folder)) == in_order(list(YAML(typ="safe", pure=True).load_all(real)))


@pytest.mark.parametrize(("overlay", "sentence"), REFUSED.items())
def test_what_it_does_not_know_it_refuses(overlay: str, sentence: str) -> None:
    resources = "" if overlay.startswith("-") else "resources: [../base]\n"
    with pytest.raises(CannotRender, match=sentence):
        rendered(files(f"{resources}{overlay}\n"))


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(CannotRender, match=r"missing\.yaml"):
        rendered(files("resources: [missing.yaml]\n"))
    with pytest.raises(CannotRender, match="app path does not exist"):
        rendered(files(""), "nowhere")


def test_nothing_outside_the_repo_is_read() -> None:
    with pytest.raises(CannotRender, match="outside the repo"):
        rendered(files("resources: [../../secrets.yaml]\n"))
    with pytest.raises(CannotRender):
        rendered(files("resources: [/etc/passwd]\n"))


def test_kustomizations_that_include_each_other_are_refused() -> None:
    with pytest.raises(CannotRender, match="include each other"):
        rendered({"overlay/kustomization.yaml": "resources: [../overlay]\n"})
