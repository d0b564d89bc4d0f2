"""The README knows every setting, every command and every exit code, in the words of the code."""

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
