"""The README knows every setting, every command and every exit code, in the words of the code."""

import re
from pathlib import Path

import pytest

from tests import reference

README = Path(__file__).parents[1] / "README.md"
PARTS = {
    "every key of promotions.yaml": reference.promotions,
    "every key of bot.yaml": reference.settings,
    "every command": reference.commands,
    "every exit code": reference.exit_codes,
}


@pytest.mark.parametrize("part", PARTS)
def test_the_readme_has(part: str) -> None:
    lines = set(README.read_text().splitlines())
    missing = [row for row in PARTS[part]() if row not in lines]
    assert not missing, (
        "paste what `python -m tests.reference` prints into README.md; missing:\n" + "\n".join(missing)
    )


def test_every_environment_variable_of_the_bot_is_in_the_readme() -> None:
    assert reference.CONFIG_VARIABLE in README.read_text()


def test_every_proof_in_the_table_has_its_test() -> None:
    rows = re.findall(
        r"^\| ([^|]+) \| .*\[`(\w+)`\]\((tests/[\w/]+\.py)\) \|$", README.read_text(), re.MULTILINE
    )
    assert len(rows) >= 50
    folder = README.parent
    missing = [name for _, name, file in rows if f"def test_{name}(" not in (folder / file).read_text()]
    assert not missing
    told = {verifier for verifier, _, _ in rows}
    assert told >= {
        "Argo CD",
        "Flux",
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "Argo Rollout",
        "Flagger Canary",
    }
    assert told >= {"InferenceService", "HTTP", "prediction", "Prometheus", "bake time", "baseline", "revert"}
