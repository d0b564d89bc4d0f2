"""What is dear to start is started once: the tests that share it run in one process."""

import os

import pytest


@pytest.mark.xdist_group("one process")
@pytest.mark.parametrize("number", range(6))
def test_the_tests_of_one_group_run_in_one_process(
    number: int, testrun_uid: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """pytest 9.2 and pytest-xdist 3.8 lose the groups: then each process starts its own MLflow (xdist, issue 1386)."""
    everyone = tmp_path_factory.getbasetemp().parent / f"group-{testrun_uid}"
    everyone.mkdir(exist_ok=True)
    (everyone / f"by-{os.getpid()}").touch()
    assert len(list(everyone.iterdir())) == 1, f"test {number} runs in another process than those before"
