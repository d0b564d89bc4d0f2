"""`gitops-bot pins`: where pins stand, and where they could, in a real repo behind real git."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bot.adapters.manifests.repository import GitManifests
from bot.cli import main
from bot.cli.shell import Shell
from bot.config.promotions import parse_promotions
from bot.core.target import Alias, Catalogue, FilePin, KustomizePin, Target
from tests.adapters.manifests.remote import Remote, opened

pytestmark = pytest.mark.world
IMAGE = "ghcr.io/acme/fraud-detector"
NAME = "fraud-detector/production"
FILES: dict[str, str | bytes] = {
    "apps/kustomization.yaml": f"images:\n- name: server\n  newName: {IMAGE}\n  newTag: v6\n",
    "values.yaml": f"a:\n  image: {{repository: {IMAGE}, tag: v6}}\nb:\n  image: {IMAGE}:v5\n",
    "pod.yaml": f"kind: Pod\nspec:\n  containers:\n  - name: one\n    image: {IMAGE}:v6\n  - name: two\n    image: {IMAGE}:x\n",
    "two.yaml": f"image: {IMAGE}:v6\n---\nimage: {IMAGE}:v6\n",
    "tpl.yaml": f"{{{{ if x }}}}\nimage: {IMAGE}:v6\n{{{{ end }}}}\n",
    "broken.yaml": f"a: [\n# {IMAGE}\n",
    "other.yaml": f"image: {IMAGE}-gpu:v6\n",
}
TARGET = Target(
    NAME,
    "fraud-detector",
    Alias("champion"),
    IMAGE,
    (KustomizePin("apps"), FilePin("values.yaml", "a.image.tag")),
)


@dataclass
class Bot:
    """As much of a bot as the commands about pins need."""

    manifests: GitManifests

    def catalogue(self) -> Catalogue:
        return Catalogue({NAME: TARGET})

    def pins(self, names: Sequence[str] | None) -> list[Any]:
        return [
            line for name in names or [NAME] for line in self.manifests.pins(self.catalogue().targets[name])
        ]

    def find_image(self, image: str) -> list[Any]:
        return self.manifests.naming(image)


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    remote = opened(tmp_path_factory.mktemp("remote"), FILES)
    yield remote
    assert remote.server is not None
    remote.server.stop()


def called(remote: Remote, folder: Path, *arguments: str) -> Result:
    shell = Shell(assemble=lambda path: Bot(GitManifests(remote.url, folder / "mirror")))  # type: ignore[arg-type,return-value]
    (folder / "bot.yaml").touch()
    return CliRunner().invoke(main, ["--config", str(folder / "bot.yaml"), "pins", *arguments], obj=shell)


def test_every_pin_is_listed_with_its_line_and_release(remote: Remote, tmp_path: Path) -> None:
    result = called(remote, tmp_path, NAME)
    assert result.exit_code == 0, result.output
    assert [line.split() for line in result.output.splitlines()[1:]] == [
        [NAME, "apps/kustomization.yaml:4", "6", f"{IMAGE}:v6"],
        [NAME, "values.yaml:2", "6", "v6"],
    ]
    rows = json.loads(called(remote, tmp_path, "--json").output)
    assert [(row["file"], row["line"], row["tag"], row["version"]) for row in rows] == [
        ("apps/kustomization.yaml", 4, "v6", "6"),
        ("values.yaml", 2, "v6", "6"),
    ]


def test_every_place_that_names_an_image_is_found_with_the_pin_that_addresses_it(
    remote: Remote, tmp_path: Path
) -> None:
    result = called(remote, tmp_path, "find", IMAGE, "--json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.output)
    assert [(row["file"], row["line"], row["pin"]) for row in rows] == [
        ("apps/kustomization.yaml", 4, "- {kustomize: apps, name: server}"),
        ("pod.yaml", 5, "- {container: pod.yaml, name: one}"),
        ("pod.yaml", 7, "- {container: pod.yaml, name: two}"),
        ("tpl.yaml", 2, "- {file: tpl.yaml}"),
        ("two.yaml", 1, "- {file: two.yaml, path: image, document: 1}"),
        ("two.yaml", 3, "- {file: two.yaml, path: image, document: 2}"),
        ("values.yaml", 2, "- {file: values.yaml, path: a.image}"),
        ("values.yaml", 4, "- {file: values.yaml, path: b.image}"),
    ]
    text = "targets:\n- {name: fraud-detector/production, model: fraud-detector, when: {alias: champion}, image: %s, pins: [%s]}"
    for row in rows:
        [target] = parse_promotions((text % (IMAGE, row["pin"].removeprefix("- "))).encode())
        [line] = GitManifests(remote.url, tmp_path / "mirror").pins(target)
        assert (line.file, line.line) == (row["file"], row["line"])


def test_an_image_that_nothing_names_is_said_so(remote: Remote, tmp_path: Path) -> None:
    result = called(remote, tmp_path, "find", "ghcr.io/acme/nothing")
    assert (result.exit_code, "Nothing in the repo names" in result.output) == (1, True)


@pytest.mark.parametrize("arguments", [("find",), ("find", "a", "b"), (NAME, NAME), ("fraud-detector/x",)])
def test_what_cannot_be_meant_is_a_usage_error(
    remote: Remote, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    assert called(remote, tmp_path, *arguments).exit_code == 2
