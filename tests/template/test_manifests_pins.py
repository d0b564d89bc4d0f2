"""The bot edits the template's pins, every one of them, in the pull requests that the READMEs show."""

import difflib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bot.adapters.manifests import pins
from bot.adapters.manifests.repository import GitManifests
from bot.cli import main
from bot.cli.shell import Shell
from bot.config.promotions import parse_promotions
from bot.config.schema import schema
from bot.core.model import PinValue
from bot.core.names import UNRELEASED
from bot.core.target import Catalogue, Target
from bot.sandbox.cluster.deployment import spec_of
from bot.sandbox.cluster.manifest import CannotRender
from bot.sandbox.demo.world import localised
from tests.adapters.manifests.remote import Remote, opened
from tests.template.rendered import IMAGE, OVERLAYS, TEMPLATE, copied, one, rendered
from tests.template.test_manifests import BY_BOTH, with_pre_puller

V6 = PinValue("v6", "sha256:" + "6" * 64, IMAGE)
V7 = PinValue("v7", "sha256:" + "7" * 64, IMAGE)
PRODUCTION = OVERLAYS["production"]
PROMOTIONS = (TEMPLATE / "promotions.yaml").read_text()


def targets(text: str = PROMOTIONS) -> dict[str, Target]:
    return {target.name: target for target in parse_promotions(text.encode())}


def yaml_blocks(component: str) -> list[str]:
    text = (TEMPLATE / "components" / component / "README.md").read_text()
    return re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)


def diffs(component: str) -> list[list[str]]:
    """The changed lines of each diff that a README shows."""
    text = (TEMPLATE / "components" / component / "README.md").read_text()
    shown = re.findall(r"```diff\n(.*?)```", text, re.DOTALL)
    return [[line for line in block.splitlines() if line[0] in "+-"] for block in shown]


def with_component(component: str) -> dict[str, Target]:
    """The targets of promotions.yaml once the README's are in the place of production's."""
    kept = PROMOTIONS[: PROMOTIONS.index("  - name: fraud-detector/production")]
    return targets(kept + yaml_blocks(component)[0])


@dataclass
class Repo:
    """A copy of the template that the bot edits."""

    root: Path

    def files(self) -> dict[str, bytes]:
        found = [path for path in self.root.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.root)): path.read_bytes() for path in found}

    def set(self, target: Target, value: PinValue, only_where: PinValue | None = None) -> list[str]:
        """Edit the pins; the changed lines, digests cut short as in the READMEs."""
        lines: list[str] = []
        before = self.files()
        for path, data in pins.edited(target, before, value, only_where).items():
            (self.root / path).write_bytes(data)
            old, new = before[path].decode().splitlines(), data.decode().splitlines()
            lines += [
                line
                for line in difflib.unified_diff(old, new, n=0, lineterm="")
                if line[:3] not in ("---", "+++")
            ]
        return [re.sub(r"(sha256:(.)\2\2)\2+", r"\1…", line) for line in lines if line[0] in "+-"]

    def value(self, target: Target) -> PinValue:
        return pins.value(target, self.files())


def repo_with(component: str, to: Path) -> Repo:
    """What the README's beginning leads to."""
    copied(to, "apps", "components")
    (to / PRODUCTION / "release.yaml").unlink()
    for path in (to / OVERLAYS[component]).iterdir():
        (to / PRODUCTION / path.name).write_bytes(path.read_bytes())
    return Repo(to)


def images(root: Path, by: str = "sandbox") -> dict[str, str]:
    documents = rendered(PRODUCTION, by, root)
    return {
        document["metadata"]["name"]: document["spec"]["template"]["spec"]["containers"][0]["image"]
        for document in documents
        if document["kind"] in ("Deployment", "DaemonSet")
    }


# --- promotions.yaml ---


def test_editors_find_the_schema_beside_promotions_yaml() -> None:
    named = PROMOTIONS.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    # After a change: gitops-bot config schema promotions > gitops-template/.schemas/promotions.json
    assert json.loads((TEMPLATE / named).read_text()) == schema("promotions")


def test_staging_comes_before_production() -> None:
    staging, production = targets().values()
    assert (staging.name, production.name) == ("fraud-detector/staging", "fraud-detector/production")
    assert production.after is not None
    assert production.after.target == staging.name


def test_the_demo_takes_production_and_puts_its_own_addresses_in() -> None:
    [target] = targets(localised(PROMOTIONS, "http://127.0.0.1:8000")).values()
    assert (target.name, target.pins) == (
        "fraud-detector/production",
        targets()["fraud-detector/production"].pins,
    )
    assert "https://" not in repr(target.verify)


def test_the_proofs_that_are_commented_out_can_be_taken_in() -> None:
    text = re.sub(
        r"^(\s+)# (- alerts|- prometheus|  below|- \{workload|bake)", r"\1\2", PROMOTIONS, flags=re.MULTILINE
    )
    production = targets(text)["fraud-detector/production"]
    kinds = [type(check).__name__ for check in production.verify]
    assert kinds == ["HttpCheck", "PredictionCheck", "AlertsCheck", "PrometheusCheck", "Workload"]
    assert production.bake.total_seconds() == 1800


# --- pins ---


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_nothing_is_released_at_first(environment: str) -> None:
    target = targets()[f"fraud-detector/{environment}"]
    assert Repo(TEMPLATE).value(target) == PinValue(UNRELEASED, None, IMAGE)


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_a_promotion_changes_image_labels_and_digest_of_its_environment_alone(
    environment: str, tmp_path: Path
) -> None:
    repo = Repo(copied(tmp_path, "apps"))
    target = targets()[f"fraud-detector/{environment}"]
    other = next(other for other in targets().values() if other != target)
    before = rendered(OVERLAYS[other.name.partition("/")[2]], root=tmp_path)
    repo.set(target, V7)
    assert repo.value(target) == V7
    deployment = one(rendered(OVERLAYS[environment], root=tmp_path), "Deployment")
    template = deployment["spec"]["template"]
    assert template["spec"]["containers"][0]["image"] == f"{IMAGE}:v7@{V7.digest}"
    assert template["metadata"]["annotations"] == {"gitops-bot/image-digest": V7.digest}
    assert template["metadata"]["labels"]["app.kubernetes.io/version"] == "v7"
    assert deployment["metadata"]["labels"]["app.kubernetes.io/version"] == "v7"
    assert rendered(OVERLAYS[other.name.partition("/")[2]], root=tmp_path) == before


def test_the_server_is_told_the_digest_that_is_pinned(tmp_path: Path) -> None:
    repo = Repo(copied(tmp_path, "apps"))
    repo.set(targets()["fraud-detector/production"], V7)
    deployment = one(rendered(PRODUCTION, root=tmp_path), "Deployment")
    found = spec_of(deployment, "default", min_ready=1, deadline=60).template.environment
    assert found["IMAGE_DIGEST"] == V7.digest
    server = deployment["spec"]["template"]["spec"]["containers"][0]
    server["env"].append({"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}})
    with pytest.raises(CannotRender, match="elsewhere: NODE"):
        spec_of(deployment, "default", min_ready=1, deadline=60)


def test_a_revert_gives_the_old_bytes_back(tmp_path: Path) -> None:
    repo, target = Repo(copied(tmp_path, "apps")), targets()["fraud-detector/production"]
    repo.set(target, V6)
    before = repo.files()
    repo.set(target, V7)
    assert repo.files() != before
    repo.set(target, V6, only_where=V7)
    assert repo.files() == before


def test_no_digest_of_another_version_stays_behind_when_a_tag_without_one_comes_back(tmp_path: Path) -> None:
    repo, target = Repo(copied(tmp_path, "apps")), targets()["fraud-detector/production"]
    by_hand = PinValue("v6", None, IMAGE)
    repo.set(target, by_hand)
    before = repo.files()
    repo.set(target, V7)
    repo.set(target, by_hand, only_where=V7)
    assert (repo.value(target), repo.files()) == (by_hand, before)


def test_the_pre_puller_is_one_more_pin_of_the_target(tmp_path: Path) -> None:
    repo = Repo(copied(tmp_path, "apps", "components"))
    with_pre_puller(tmp_path / PRODUCTION / "kustomization.yaml")
    text, block = PROMOTIONS, yaml_blocks("image-pre-puller")[2]
    start = text.index("    pins:", text.index("  - name: fraud-detector/production"))
    target = targets(text[:start] + block + text[text.index("    rollout:", start) :])[
        "fraud-detector/production"
    ]
    repo.set(target, V7)
    assert images(tmp_path) == {
        "inference-service": f"{IMAGE}:v7@{V7.digest}",
        "image-pre-puller": f"{IMAGE}:v7@{V7.digest}",
    }
    assert repo.value(target) == V7


def test_without_names_two_entries_of_one_image_are_refused(tmp_path: Path) -> None:
    repo = Repo(copied(tmp_path, "apps", "components"))
    with_pre_puller(tmp_path / PRODUCTION / "kustomization.yaml")
    with pytest.raises(Exception, match="2 entries of `images`"):
        repo.value(targets()["fraud-detector/production"])


# --- the pull requests of blue and green ---


@BY_BOTH
def test_blue_and_green_go_as_their_readme_says(by: str, tmp_path: Path) -> None:
    repo, known = repo_with("blue-green", tmp_path), with_component("blue-green")
    blue, green, production = (known[f"fraud-detector/{name}"] for name in ("blue", "green", "production"))
    for target in (blue, green, production):
        assert repo.value(target).tag == UNRELEASED
        repo.set(target, V6)
    assert served_by(tmp_path, by) == ["blue", "green"]
    fill, switch, back = diffs("blue-green")

    filled = repo.set(green, V7)
    assert filled[: len(fill)] == fill
    assert "-    app.kubernetes.io/version: v6 # " + mark("green:tag") in filled
    assert images(tmp_path, by) == {
        "blue-inference-service": f"{IMAGE}:v6@{V6.digest}",
        "green-inference-service": f"{IMAGE}:v7@{V7.digest}",
    }
    assert served_by(tmp_path, by) == ["blue"]

    assert repo.set(production, V7) == switch
    assert served_by(tmp_path, by) == ["green"]
    assert repo.set(production, V6, only_where=V7) == back
    assert served_by(tmp_path, by) == ["blue"]
    # Callers reach blue: whoever fills blue now would leave the Service without pods.
    repo.set(blue, V7)
    assert served_by(tmp_path, by) == []


@pytest.mark.parametrize(
    ("component", "kept"), [("blue-green", ("../../base", "../../base/scaling")), ("canary", ("../../base",))]
)
def test_the_old_deployment_goes_on_serving_until_the_new_ones_are_ready(
    component: str, kept: Sequence[str], tmp_path: Path
) -> None:
    before = rendered(PRODUCTION)
    known = with_component(component)
    repo = repo_with(component, tmp_path)
    overlay = tmp_path / PRODUCTION / "kustomization.yaml"
    text = overlay.read_text().replace(
        "  - ../../../../apps/inference-service/base/shared\n", "".join(f"  - {folder}\n" for folder in kept)
    )
    text = text.replace("patches:\n", "patches:\n  - path: release.yaml\n")
    overlay.write_text(f"{text}  - name: inference-service\n    newName: {IMAGE}\n    newTag: v6\n")
    release = (TEMPLATE / PRODUCTION / "release.yaml").read_text()
    (tmp_path / PRODUCTION / "release.yaml").write_text(release.replace("unreleased", "v6"))
    for target in known.values():
        if target.name != "fraud-detector/staging":
            repo.set(target, V6)
    documents = rendered(PRODUCTION, root=tmp_path)
    labels = [d["spec"]["template"]["metadata"]["labels"] for d in documents if d["kind"] == "Deployment"]
    selector = one(documents, "Service", "inference-service")["spec"]["selector"]
    assert [selector.items() <= of.items() for of in labels] == [True] * 3
    old = one(documents, "Deployment", "inference-service")["spec"]["template"]["spec"]
    assert old["affinity"] == one(before, "Deployment")["spec"]["template"]["spec"]["affinity"]


def served_by(root: Path, by: str = "sandbox") -> list[str]:
    """The slots that callers reach."""
    documents = rendered(PRODUCTION, by, root)
    selector = one(documents, "Service", "inference-service")["spec"]["selector"]
    templates = [d["spec"]["template"]["metadata"]["labels"] for d in documents if d["kind"] == "Deployment"]
    return [labels["gitops-bot/slot"] for labels in templates if selector.items() <= labels.items()]


def mark(says: str) -> str:
    return f'{{"$gitops-bot": "fraud-detector/{says}"}}'


# --- the pull requests of the canary ---


@BY_BOTH
def test_the_canary_goes_as_its_readme_says(by: str, tmp_path: Path) -> None:
    repo, known = repo_with("canary", tmp_path), with_component("canary")
    canary, production = known["fraud-detector/canary"], known["fraud-detector/production"]
    for target in (canary, production):
        assert repo.value(target).tag == UNRELEASED
        repo.set(target, V6)
    assert production.after is not None
    assert production.after.target == canary.name
    before = repo.files()
    tried, everybody = diffs("canary")

    assert repo.set(canary, V7)[: len(tried)] == tried
    assert images(tmp_path, by) == {
        "stable-inference-service": f"{IMAGE}:v6@{V6.digest}",
        "canary-inference-service": f"{IMAGE}:v7@{V7.digest}",
    }
    assert served_by(tmp_path, by) == ["canary", "stable"]
    trying = repo.files()
    repo.set(canary, V6, only_where=V7)
    assert repo.files() == before
    repo.set(canary, V7)
    assert repo.files() == trying
    assert repo.set(production, V7)[: len(everybody)] == everybody
    assert set(images(tmp_path, by).values()) == {f"{IMAGE}:v7@{V7.digest}"}
    assert served_by(tmp_path, by) == ["canary", "stable"]


# --- with git, and the command ---


@dataclass
class Bot:
    """As much of a bot as `gitops-bot pins` needs."""

    manifests: GitManifests

    def catalogue(self) -> Catalogue:
        return Catalogue(targets())

    def pins(self, names: Sequence[str] | None) -> list[Any]:
        return [line for name in names or targets() for line in self.manifests.pins(targets()[name])]


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    remote = opened(tmp_path / "remote", {**Repo(copied(tmp_path / "copy", "apps", "components")).files()})
    yield remote
    assert remote.server is not None
    remote.server.stop()


@pytest.mark.world
def test_the_command_shows_every_pin_of_the_template(remote: Remote, tmp_path: Path) -> None:
    (tmp_path / "bot.yaml").touch()
    shell = Shell(assemble=lambda path: Bot(GitManifests(remote.url, tmp_path / "mirror")))  # type: ignore[arg-type,return-value]
    words = ["--config", str(tmp_path / "bot.yaml"), "pins", "--json"]
    done = CliRunner().invoke(main, words, obj=shell)
    assert done.exit_code == 0, done.output
    rows = [(row["target"], row["file"].rpartition("/")[2], row["tag"]) for row in json.loads(done.output)]
    assert rows == [
        (f"fraud-detector/{environment}", file, tag)
        for environment in ("staging", "production")
        for file, tag in (
            ("kustomization.yaml", UNRELEASED),
            ("release.yaml", UNRELEASED),
            ("release.yaml", UNRELEASED),
            ("release.yaml", None),
        )
    ]
