"""Fetches one model version from MLflow for its image, used by CI: `python fetch.py [--only-download] FOLDER`.

Reads MLFLOW_TRACKING_URI, MODEL_NAME and MODEL_VERSION from the environment. Leaves FOLDER/model and FOLDER/release.json
(model, version, run_id, created, source, revision) for the image. Ends with 1 and the reason as the last line when the
version does not exist, is not READY, has no list of its dependencies, cannot be loaded, or cannot answer its own input
example.

What it answered becomes the version's tag `gitops-bot.answer` (see answer.py). With `--only-download` the model's code
does not run in here, beside MLflow's credentials: run `answer.py ask` in the image, and then `answer.py keep`.
"""

import argparse
import json
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from answer import Unfit, ask, keep, say

DOCKERFILE = Path(__file__).with_name("Dockerfile").read_text(encoding="utf-8")
PYTHON = DOCKERFILE.partition("FROM python:")[2].partition("-")[0]  # such as 3.11


def fetch(name: str, version: str, folder: Path) -> dict[str, Any]:
    """Download the version to FOLDER/model and return what the image says about it. Raises Unfit."""
    from mlflow import MlflowClient
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    client = MlflowClient()
    try:
        found = client.get_model_version(name, version)
        if found.status != "READY":
            raise Unfit(f"version {version} of {name} is {found.status}, not READY")
        say(f"Version {version} of {name} exists and is READY")
        download_artifacts(artifact_uri=f"models:/{name}/{version}", dst_path=str(folder / "model"))
    except MlflowException as error:
        raise Unfit(f"MLflow does not give version {version} of {name}: {error.message}") from error
    tags = _run_tags(client, found.run_id)
    created = datetime.fromtimestamp(found.creation_timestamp / 1000, UTC)
    return {
        "model": name,
        "version": version,
        "run_id": found.run_id,
        "created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "source": _without_login(tags.get("mlflow.source.git.repoURL")),
        "revision": tags.get("mlflow.source.git.commit"),
    }


def _without_login(url: str | None) -> str | None:
    """The address of the source without what git was logged in with, or was given behind it: labels are for everybody."""
    if url is None or "://" not in url:
        return url
    scheme, _, rest = re.split(r"[?#]", url, maxsplit=1)[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def inspect(model: Path) -> None:
    """Look at the folder without running anything of it. Raises Unfit for what cannot be an image."""
    try:
        description = yaml.safe_load((model / "MLmodel").read_text(encoding="utf-8"))
        found = dict(description["flavors"])
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        raise Unfit(f"the MLmodel file is missing or broken ({type(error).__name__})") from error
    flavors = sorted(map(str, found))
    if "python_function" not in flavors:
        raise Unfit(f"the model has no python_function flavor, only {', '.join(flavors) or 'none'}")
    if not (model / "requirements.txt").is_file():
        raise Unfit("the model has no requirements.txt: nobody knows what it needs to be loaded")
    say(f"The MLmodel file is sane; flavors: {', '.join(flavors)}")
    flavor = found["python_function"]
    logged = str(flavor.get("python_version") or "") if isinstance(flavor, dict) else ""
    if PYTHON and logged and logged.split(".")[:2] != PYTHON.split("."):
        say(
            f"Warning: it was logged with Python {logged}, and runs in {PYTHON} (FROM in the Dockerfile): what is pickled may not load"
        )


def make_readable(folder: Path) -> None:
    """The image's user is not the one that downloads, and COPY keeps who may read what."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)


def _run_tags(client: Any, run_id: str | None) -> dict[str, str]:
    from mlflow.exceptions import MlflowException

    try:
        return dict(client.get_run(run_id).data.tags) if run_id else {}
    except MlflowException:
        say(f"Run {run_id} cannot be read: the image will not name its source")
        return {}


def main() -> int:
    """Fetch, check, describe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only-download", action="store_true", help="do not run the model's code")
    chosen = parser.parse_args()
    model = chosen.folder / "model"
    model.mkdir(parents=True)
    try:
        release = fetch(os.environ["MODEL_NAME"], os.environ["MODEL_VERSION"], chosen.folder)
        inspect(model)
        make_readable(model)
        if not chosen.only_download:
            answer = ask(model)
            say("The model loads and answers its input example")
            keep(release["model"], release["version"], answer)
    except Unfit as error:
        say(f"Error: {error}")
        return 1
    (chosen.folder / "release.json").write_text(json.dumps(release, indent=2), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
