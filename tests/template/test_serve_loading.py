"""How long a model may take to load in the server of the template: Kubernetes cannot bound it, as /health answers at once."""

import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import requests
import yaml

from tests.template.conftest import Start
from tests.template.rendered import TEMPLATE
from tests.template.serving import Serving, serving

pytestmark = [pytest.mark.world, pytest.mark.xdist_group("serve")]

# What a model does while its code is loaded: it never comes to an end,
HANGS = {
    "without the interpreter": "import time; time.sleep(600)",
    # in C, and lets no other thread of Python run,
    "holding the interpreter": "import ctypes; ctypes.PyDLL(None).sleep(600)",
    # and what it has left behind never ends either.
    "leaving a thread": "import threading as t, concurrent.futures as c; c.ThreadPoolExecutor().submit(t.Event().wait); 1 / 0",
}


def _hanging(how: str, folder: Path, **settings: str) -> AbstractContextManager[Serving]:
    """A server that hangs like that. MLflow itself stands for the code of a model: the real one takes seconds to import,
    and on a busy machine more of them than these tests want to give it."""
    (folder / "mlflow").mkdir()
    (folder / "mlflow" / "__init__.py").write_text(f"{HANGS[how]}\n")
    return serving(folder, folder, PYTHONPATH=str(folder), **settings)


def test_a_model_that_is_not_loaded_in_time_ends_the_process_with_the_reason(tmp_path: Path) -> None:
    with _hanging("without the interpreter", tmp_path, LOAD_SECONDS="2") as served:
        assert served.until("/ready", 503).json() == {"status": "the model is still being loaded"}
        assert requests.get(f"{served.url}/health", timeout=10).ok
        assert served.process.wait(30) == 1
    last = served.log.read_text().splitlines()[-1]
    assert last.endswith("cannot serve: the model is not loaded and proven within LOAD_SECONDS, which is 2")


def test_a_model_that_lets_nothing_else_run_while_it_loads_ends_the_process_all_the_same(
    tmp_path: Path,
) -> None:
    with _hanging("holding the interpreter", tmp_path, LOAD_SECONDS="2") as served:
        assert served.process.wait(60) == 1
    said = served.log.read_text()
    # No line of Python can be written any more: there is the time that was given, and where it hangs.
    assert "the model has 2 s to load" in said
    assert "Timeout (0:00:05)!" in said
    assert "mlflow/__init__.py" in said


def test_a_thread_that_a_broken_model_leaves_behind_does_not_keep_the_process(tmp_path: Path) -> None:
    with _hanging("leaving a thread", tmp_path) as served:
        assert served.process.wait(60) == 1
    assert "cannot serve: ZeroDivisionError" in served.log.read_text().splitlines()[-1]


def test_what_a_pod_allows_for_loading_is_what_its_rollout_reckons_with() -> None:
    [deployment] = yaml.safe_load_all(
        (TEMPLATE / "apps/inference-service/base/server/deployment.yaml").read_text()
    )
    spec = deployment["spec"]
    [server] = spec["template"]["spec"]["containers"]
    environment = {entry["name"]: entry.get("value") for entry in server["env"]}
    start, ready = server["startupProbe"], server["readinessProbe"]
    loading = float(environment["LOAD_SECONDS"])
    # A model may hold the interpreter while it loads: then /health cannot answer, for just as long.
    assert loading == 150 == start["failureThreshold"] * start["periodSeconds"]
    slowest = max(loading, ready["initialDelaySeconds"]) + ready["periodSeconds"] + ready["timeoutSeconds"]
    pulling = 120
    assert slowest + spec["minReadySeconds"] + pulling <= spec["progressDeadlineSeconds"]
    settings = (TEMPLATE / "model-image" / "serving_settings.py").read_text()
    assert "load_seconds: float = 150.0" in settings


def test_a_model_that_was_loaded_in_time_is_served_for_longer(start: Start) -> None:
    # It has 60 seconds, and 3 more where it lets nothing else run; other tests have mostly used them up.
    time.sleep(max(0.0, start.began + 60 + 5 - time.monotonic()))
    assert requests.get(f"{start.served.url}/ready", timeout=10).ok
    assert start.served.process.poll() is None
