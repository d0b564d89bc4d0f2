"""The demo as a person runs it: every claim is checked, and nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PATIENCE = 400


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bot", "demo", "--folder", str(folder), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def mentions(folder: Path) -> list[str]:
    """The processes that were started in this folder, or that name it in their arguments or environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            said = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            where = str((entry / "cwd").readlink())
        except OSError:
            continue
        if int(entry.name) != os.getpid() and (str(folder).encode() in said or where.startswith(str(folder))):
            found.append(f"{entry.name} {(entry / 'cmdline').read_bytes()!r}")
    return found


@pytest.mark.story
@pytest.mark.timeout(PATIENCE + 60)
def test_the_demo_proves_every_claim_and_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    process = start(folder, "--json")
    said, shown = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, shown[-3000:]
    steps = json.loads(said)
    assert [step["what"] for step in steps[-2:]] == ["version 4 answers", "everything agrees"]
    evidence = {step["what"]: step["evidence"] for step in steps}
    assert evidence["the bot opens a pull request"].startswith(
        "#6 Deploy fraud-detector version 4 to production"
    )
    assert evidence["version 1 answers again"].startswith("a prediction: [")
    assert evidence["version 2 is held"] == "version 2 is held"
    # Whichever is seen first: that it crashed twice, or that Argo CD gave it up.
    crashed = evidence["version 2 fails, a revert is proposed"]
    assert "Degraded" in crashed or "crashed" in crashed
    wrong = evidence["version 3 fails, a revert is proposed"]
    assert "does not equal what the model answered when its image was built" in wrong
    assert evidence["version 3 is held"] == "version 3 is held"
    assert "every claim was checked" in shown
    assert mentions(folder) == []
    assert not folder.exists()


@pytest.mark.story
@pytest.mark.parametrize("seconds", [0.5, 4, 12])
def test_an_interrupted_demo_leaves_nothing_behind(seconds: float, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    process = start(folder)
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, shown = process.communicate(timeout=60)
    # A shell calls both 130; the second comes while Python is still importing.
    assert process.returncode in (130, -signal.SIGINT), shown[-2000:]
    assert mentions(folder) == []
    assert not folder.exists()


def test_a_folder_with_somebodys_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    process = start(tmp_path)
    said, shown = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "is not empty" in " ".join((said + shown).split())
    assert (tmp_path / "thesis.txt").read_text() == "precious"
