"""Checks the manifests of this repo: `python .github/validate.py`, from its root. The workflow `validate` runs it.

Every kustomization that no other one takes in is rendered with `kubectl kustomize`; each of its objects must fit the schema
of Kubernetes without an unknown field, and keep the rules below. A model's folder brings no rights and stays in its
namespace, and nothing is taken in from outside of the repo. Alert rules are checked, and tested, with promtool;
promotions.yaml must fit its schema (`gitops-bot config check` says more about it, such as whether targets fit together).
Prints a line for each fault and ends with 1 if there is any. Needs kubectl 1.27 or newer, promtool, and what
.github/requirements.txt names.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

KUBERNETES = "1.33"  # the version of your clusters
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job")
TAKE_IN = ("resources", "components", "bases", "generators", "transformers", "validators")
REMOTE = re.compile(r"://|\?ref=|^git[@:]|^[\w-]+(\.[\w-]+)+/")
RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}

Document = dict[str, Any]


class _Words(yaml.SafeLoader):
    """Takes what is neither a number nor true, false or null for a word, as the bot does: `off`, 10:30, 2026-12-24."""


_Words.yaml_implicit_resolvers = {}
_Words.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(~|null|)$"), ["~", "n", ""])
_Words.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(true|false)$"), ["t", "f"])
_Words.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?(0|[1-9]\d*)$"), list("-+0123456789"))
_Words.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\.\d+|\d+\.\d*)$"), list("-+.0123456789")
)


def leaves(root: Path) -> list[Path]:
    """The folders of the kustomizations that no other one takes in; components are none."""
    files = {
        file.parent.resolve(): yaml.safe_load(file.read_text()) for file in root.rglob("kustomization.yaml")
    }
    taken = {
        (folder / entry).resolve()
        for folder, said in files.items()
        for key in ("resources", "components")
        for entry in said.get(key) or []
    }
    return sorted(
        folder for folder, said in files.items() if folder not in taken and said.get("kind") != "Component"
    )


def render(folder: Path) -> list[Document]:
    """The objects of a kustomization. Raises ValueError with what kustomize says."""
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(done.stderr.strip())
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def faults(documents: list[Document]) -> Iterator[str]:
    """What is wrong with the objects of one kustomization, a sentence each."""
    for document in documents:
        name = f"{document['kind']} {document['metadata']['name']}"
        yield from (f"{name}: {fault}" for fault in _schema(document))
        if document["kind"] in WORKLOADS:
            yield from (f"{name}: {fault}" for fault in _pod(document["spec"]["template"]["spec"]))
        if document["kind"] == "Secret" and (document.get("data") or document.get("stringData")):
            yield f"{name}: a secret in git is no secret: write where it comes from instead"
    yield from _services(documents)


def _schema(document: Document) -> Iterator[str]:
    try:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        where = ".".join(str(step) for step in error.path)
        yield f"{where or 'the object'}: {error.message.splitlines()[0][:300]}"
    except kubernetes_validate.SchemaNotFoundError:
        return  # of a custom resource, whose schema is in the cluster


def _pod(pod: Document) -> Iterator[str]:
    """The restricted Pod Security Standard as far as manifests forget it, and images that say what they are."""
    shared = pod.get("securityContext") or {}
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        name, own = container["name"], container.get("securityContext") or {}
        if own.get("runAsNonRoot", shared.get("runAsNonRoot")) is not True:
            yield f"container {name}: runAsNonRoot is not true"
        if (own.get("seccompProfile") or shared.get("seccompProfile") or {}).get("type") != "RuntimeDefault":
            yield f"container {name}: seccompProfile is not RuntimeDefault"
        for key, value in RESTRICTED.items():
            if own.get(key) != value:
                yield f"container {name}: {key} is not {value}"
        image, _, digest = str(container.get("image", "")).partition("@")
        tag = image.rpartition("/")[2].partition(":")[2]
        if not digest and tag in ("", "latest"):
            yield f"container {name}: the image {image} can be another one tomorrow: write a tag, or a digest"


def _services(documents: list[Document]) -> Iterator[str]:
    """A Service that selects nothing is an outage. Blue and green rest on this: the selector is a pin there."""
    labels = [
        document["spec"]["template"].get("metadata", {}).get("labels", {})
        for document in documents
        if document["kind"] in WORKLOADS
    ]
    for document in documents:
        selector = document["spec"].get("selector") if document["kind"] == "Service" else None
        if selector and not any(selector.items() <= of.items() for of in labels):
            said = ", ".join(f"{key}={value}" for key, value in selector.items())
            yield f"Service {document['metadata']['name']}: no pod of this commit has the labels {said}"


def confined(documents: list[Document]) -> Iterator[str]:
    """What a model's folder must not bring: some of its files nobody has to approve, and what applies them may do everything."""
    spaces = [document["metadata"]["name"] for document in documents if document["kind"] == "Namespace"]
    for document in documents:
        name = f"{document['kind']} {document['metadata']['name']}"
        if document["apiVersion"].startswith("rbac."):
            yield f"{name}: gives rights: those are in bot/access, and elsewhere than in a model's folder"
        elif document["kind"] == "Namespace":
            if document["metadata"]["name"] != spaces[0]:
                yield f"{name}: is a second namespace beside {spaces[0]}"
        elif document["metadata"].get("namespace") not in spaces[:1]:
            yield f"{name}: is not in the namespace {', '.join(spaces[:1])}"


def outside(root: Path) -> Iterator[str]:
    """What a kustomization would fetch from elsewhere: it could change without a pull request."""
    for file in sorted(root.rglob("kustomization.yaml")):
        said = yaml.safe_load(file.read_text())
        for entry in (entry for key in TAKE_IN for entry in said.get(key) or []):
            if REMOTE.search(entry) and not (file.parent / entry).exists():
                yield f"{file.parent.relative_to(root)}: {entry} is not in this repo: take in only what is"


def rule_faults(rules: Path) -> Iterator[str]:
    """What promtool says about the PrometheusRules in a folder, and about their tests beside them."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for file in sorted(rules.glob("*.yaml")):
            document = yaml.safe_load(file.read_text())
            if document.get("kind") == "PrometheusRule":
                (folder / f"{file.stem}.rules.yaml").write_text(yaml.safe_dump(document["spec"]))
            elif file.name.endswith(".test.yaml"):
                (folder / file.name).write_text(file.read_text())
        for words in (("check", "rules", "*.rules.yaml"), ("test", "rules", "*.test.yaml")):
            for file in sorted(folder.glob(words[2])):
                command = ["promtool", *words[:2], file.name]
                done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
                if done.returncode:
                    yield f"{rules}: {' '.join(command)}: {(done.stdout + done.stderr).strip()}"


def promotion_faults(root: Path) -> Iterator[str]:
    """What keeps the bot from taking promotions.yaml; nothing where there is none."""
    file, schema = root / "promotions.yaml", root / ".schemas" / "promotions.json"
    if not file.exists():
        return
    try:
        said = yaml.load(file.read_text(), _Words)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        yield f"{file.name}: {' '.join(str(error).split())}"
        return
    for error in jsonschema.Draft202012Validator(json.loads(schema.read_text())).iter_errors(said):
        nearest = jsonschema.exceptions.best_match([error])
        where = ".".join(str(step) for step in nearest.absolute_path)
        yield f"{file.name}: {where or 'the file'}: {' '.join(nearest.message.split())[:300]}"


def main(root: Path) -> int:
    """Check everything below this folder."""
    if strange := list(outside(root)):
        print(*strange, "Nothing is rendered, as that would fetch it.", sep="\n")
        return 1
    found = 0
    for folder in leaves(root):
        name = folder.relative_to(root.resolve())
        try:
            documents = render(folder)
        except ValueError as error:
            wrong = [str(error)]
        else:
            wrong = [*faults(documents), *(confined(documents) if name.parts[0] == "apps" else ())]
            print(f"{name}: {len(documents)} objects")
        for fault in wrong:
            print(f"{name}: {fault}")
        found += len(wrong)
    for fault in (*promotion_faults(root), *rule_faults(root / "monitoring" / "rules")):
        print(fault)
        found += 1
    print(f"{found} faults" if found else "Nothing is wrong.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path.cwd()))
