"""Fetching a model for its image, and keeping what it answers: the scripts that CI runs, with a real MLflow store."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.core.names import ANSWER_TAG
from tests.template.serving import ANSWER, MODEL_IMAGE

pytestmark = [pytest.mark.world, pytest.mark.xdist_group("serve")]

NOISY = """
print("noise while it is loaded", flush=True)
import os
os.write(1, b"noise from below")
"""


@dataclass(frozen=True)
class Store:
    """A model registry in a file."""

    uri: str

    def tag(self, version: str) -> str | None:
        """What is kept as the answer of a version."""
        database = sqlite3.connect(self.uri.removeprefix("sqlite:///"))
        query = "select value from model_version_tags where key = ? and version = ?"
        row = database.execute(query, (ANSWER_TAG, version)).fetchone()
        database.close()
        return str(row[0]) if row else None


@pytest.fixture
def store(registry: str) -> Store:
    return Store(registry)


def _run(
    script: str, *words: str, folder: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore"}
    return subprocess.run(
        [sys.executable, str(MODEL_IMAGE / script), *words],
        capture_output=True, text=True, timeout=240, cwd=folder,
        env={"PATH": os.environ["PATH"], **quiet, **(environment or {})},
    )  # fmt: skip


def _of(store: Store, version: str) -> dict[str, str]:
    return {"MLFLOW_TRACKING_URI": store.uri, "MODEL_NAME": "fraud", "MODEL_VERSION": version}


@pytest.fixture(scope="module")
def fetched(registry: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where fetch.py has left version 1."""
    folder = tmp_path_factory.mktemp("fetched")
    done = _run("fetch.py", str(folder / "out"), folder=folder, environment=_of(Store(registry), "1"))
    assert done.returncode == 0, done.stderr
    return folder / "out"


def test_fetch_alone_leaves_what_the_image_needs_and_keeps_the_answer(store: Store, fetched: Path) -> None:
    release = json.loads((fetched / "release.json").read_text())
    assert (release["model"], release["version"]) == ("fraud", "1")
    assert set(release) == {"model", "version", "run_id", "created", "source", "revision"}
    answer = json.loads(store.tag("1") or "null")
    assert set(answer) == {"predictions"}
    assert len(answer["predictions"]) == 2


def test_apart_from_mlflow_the_model_is_asked_without_credentials_and_its_answer_kept_afterwards(
    store: Store, tmp_path: Path
) -> None:
    done = _run("fetch.py", "--only-download", str(tmp_path), folder=tmp_path, environment=_of(store, "2"))
    assert done.returncode == 0, done.stderr
    assert store.tag("2") is None
    code = tmp_path / "model" / "stubborn_model.py"
    code.write_text(NOISY + code.read_text())
    asked = _run("answer.py", "ask", "model", folder=tmp_path)
    assert (asked.returncode, asked.stdout) == (0, '{"predictions":[6.0]}\n')
    assert "noise while it is loaded" in asked.stderr
    (tmp_path / "answer.json").write_text(asked.stdout)
    kept = _run("answer.py", "keep", "answer.json", folder=tmp_path, environment=_of(store, "2"))
    assert kept.returncode == 0
    assert kept.stderr.splitlines()[-1] == f"What it answered is kept in the tag {ANSWER_TAG}"
    assert store.tag("2") == '{"predictions":[6.0]}'


def test_what_is_fetched_can_be_read_by_the_user_of_the_image(fetched: Path) -> None:
    modes = {path.stat().st_mode & 0o777 for path in (fetched / "model").iterdir()}
    assert modes == {0o644}
    assert (fetched / "model").stat().st_mode & 0o777 == 0o755


def test_a_version_that_does_not_say_what_it_needs_becomes_no_image(store: Store, tmp_path: Path) -> None:
    done = _run("fetch.py", str(tmp_path), folder=tmp_path, environment=_of(store, "3"))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: the model has no requirements.txt")
    assert not (tmp_path / "release.json").exists()


def test_a_model_that_does_not_answer_says_why_and_prints_nothing(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "stubborn", tmp_path / "model")
    example = tmp_path / "model" / "serving_input_example.json"
    example.write_text(example.read_text().replace('"answer"', '"exit"'))
    done = _run("answer.py", "ask", "model", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == (
        "Error: the model does not load and answer its input example: NotAnswered: The model itself failed (SystemExit)."
    )


def test_a_model_without_an_input_example_has_no_answer(models: Path, store: Store, tmp_path: Path) -> None:
    shutil.copytree(models / "stubborn", tmp_path / "model")
    for name in ("input_example.json", "serving_input_example.json"):
        (tmp_path / "model" / name).unlink()
    text = (tmp_path / "model" / "MLmodel").read_text()
    (tmp_path / "model" / "MLmodel").write_text(text.partition("saved_input_example_info:")[0])
    asked = _run("answer.py", "ask", "model", folder=tmp_path)
    assert (asked.returncode, asked.stdout) == (0, "null\n")
    (tmp_path / "answer.json").write_text(asked.stdout)
    kept = _run("answer.py", "keep", "answer.json", folder=tmp_path, environment=_of(store, "3"))
    assert kept.returncode == 0
    assert "no input example" in kept.stderr
    assert store.tag("3") is None


def test_a_model_may_bring_a_module_that_is_called_as_one_of_the_server(tmp_path: Path) -> None:
    code = tmp_path / "model" / "code"
    code.mkdir(parents=True)
    (code / "loader.py").write_text("import answer, scoring, serve\n_load_pyfunc = scoring.load\n")
    (code / "scoring.py").write_text(
        "class Model:\n    predict = print\ndef load(path):\n    return Model()\n"
    )
    for name in ("answer.py", "serve.py"):
        (code / name).touch()
    flavor = "{loader_module: loader, code: code, python_version: 3.11.0}"
    (tmp_path / "model" / "MLmodel").write_text(f"flavors: {{python_function: {flavor}}}")
    asked = _run("answer.py", "ask", "model", folder=tmp_path)
    assert (asked.returncode, asked.stdout) == (0, "null\n"), asked.stderr


@pytest.mark.parametrize(
    ("text", "version", "code", "said"),
    [
        (json.dumps({"predictions": [0.123456789] * 400}), "3", 0, "it is not kept"),
        (ANSWER, "99", 0, f"The answer cannot be kept in the tag {ANSWER_TAG}"),
        ("Traceback", "3", 1, "answer.json is not an answer"),
    ],
    ids=["too long", "no such version", "no JSON"],
)
def test_an_answer_that_cannot_be_kept_is_said(
    store: Store, tmp_path: Path, text: str, version: str, code: int, said: str
) -> None:
    (tmp_path / "answer.json").write_text(text)
    kept = _run("answer.py", "keep", "answer.json", folder=tmp_path, environment=_of(store, version))
    assert kept.returncode == code
    assert said in kept.stderr.splitlines()[-1]
    assert store.tag(version) is None


@pytest.mark.parametrize(
    ("flavor", "said"),
    [
        ("{python_version: 3.11.7}", ""),
        ("{python_version: 3.10.14}", "Warning: it was logged with Python 3.10.14, and runs in 3.11 "),
        ("{python_version: }", ""),
        ("[]", ""),
    ],
)
def test_a_model_that_was_logged_with_another_python_is_told_apart(
    tmp_path: Path, flavor: str, said: str
) -> None:
    (tmp_path / "MLmodel").write_text(f"flavors: {{python_function: {flavor}}}")
    (tmp_path / "requirements.txt").touch()
    program = "import fetch, pathlib, sys; fetch.inspect(pathlib.Path(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=MODEL_IMAGE, check=True, capture_output=True, text=True,
    )  # fmt: skip
    sane, *more = done.stderr.splitlines()
    assert sane == "The MLmodel file is sane; flavors: python_function"
    assert [line[: len(said)] for line in more] == [said] * bool(said)


@pytest.mark.parametrize("text", ["flavors: [python_function]", "[]", "flavors: {", "flavors: 1", ""])
def test_an_mlmodel_file_that_is_none_is_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "MLmodel").write_text(text)
    (tmp_path / "requirements.txt").touch()
    program = "import fetch, pathlib, sys; fetch.inspect(pathlib.Path(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=MODEL_IMAGE, capture_output=True, text=True
    )
    assert done.stderr.splitlines()[-1].startswith("answer.Unfit: the MLmodel file is missing or broken")


def test_a_label_tells_where_the_source_is_and_not_what_git_was_logged_in_with() -> None:
    urls = [None, "git@h:a/b", "https://u:p@h/a@b", "https://h", "https://h/a?token=x@y#z"]
    program = f"import fetch; print([fetch._without_login(url) for url in {urls}])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=MODEL_IMAGE, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[None, 'git@h:a/b', 'https://h/a@b', 'https://h', 'https://h/a']"
