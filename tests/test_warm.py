"""What runs warm is a process of its own, which ends with the tests whatever becomes of them."""

import os
import subprocess
import sys
import time
from pathlib import Path

SCRIPT = """
import os, signal, sys
from pathlib import Path
from tests import warm

if __name__ == "__main__":
    warm._CONTEXT.set_forkserver_preload([])
    log, folder = Path(sys.argv[1]), Path(sys.argv[2])
    well = warm.spawn([sys.executable, "-m", "ends", "3"], log=log, environment={"SAID": "so"}, folder=folder)
    assert well.wait(timeout=30) == 3
    stays = warm.spawn([sys.executable, "-m", "ends", "stays"], log=log, folder=folder)
    assert (stays.poll(), os.getpgid(stays.pid), os.getsid(stays.pid)) == (None, stays.pid, stays.pid)
    os.killpg(stays.pid, signal.SIGKILL)
    assert stays.wait(timeout=30) == -signal.SIGKILL
    last = warm.spawn([sys.executable, "-m", "ends", "stays"], log=log, folder=folder)
    print(last.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
MODULE = """
import os, pathlib, sys, time
print(os.environ.get("SAID"), pathlib.Path.cwd(), sys.argv[1:], flush=True)
sys.exit(int(sys.argv[1])) if sys.argv[1] != "stays" else time.sleep(600)
"""


def test_a_warm_process_is_its_own_and_ends_even_with_tests_that_are_killed(tmp_path: Path) -> None:
    (tmp_path / "ends.py").write_text(MODULE)
    (tmp_path / "script.py").write_text(SCRIPT)
    root = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((root, str(tmp_path)))}
    command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "log"), str(tmp_path)]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip().isdecimal(), done.stderr
    deadline = time.monotonic() + 20
    while _runs(done.stdout.strip()):
        assert time.monotonic() < deadline, "it outlives the tests"
        time.sleep(0.05)
    said = (tmp_path / "log").read_text().splitlines()
    assert said[0] == f"so {tmp_path} ['3']"


def _runs(process: str) -> bool:
    """A dead process stays in the table until its new parent asks for it, which may never happen."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
