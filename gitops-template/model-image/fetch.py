"""Fetches one model version from MLflow and checks that it can be served: `python fetch.py FOLDER`, used by CI.

Reads MLFLOW_TRACKING_URI, MODEL_NAME and MODEL_VERSION from the environment. Leaves FOLDER/model and FOLDER/release.json
(model, version, run_id, created, source, revision) for the image. Ends with 1 and the reason as the last line when the
version does not exist, is not READY, cannot be loaded, or cannot answer its own input example.

What it answered to its input example becomes the version's tag `gitops-bot.answer`, if MLflow lets us write: the bot
compares with it what the version answers where it is served.
"""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

ANSWER_TAG = "gitops-bot.answer"
ANSWER_LIMIT = 4000  # MLflow cuts or refuses the values of tags above 5,000 characters


class Unfit(Exception):
    """The version cannot become an image; the message says why."""


def fetch(name: str, version: str, folder: Path) -> dict[str, Any]:
    """Download the version to FOLDER/model and return what the image says about it."""
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
    return {
        "model": name,
        "version": version,
        "run_id": found.run_id,
        "created": datetime.fromtimestamp(found.creation_timestamp / 1000, UTC).strftime(
            "%Y-%m-%dT%H:%M:%SZ"
        ),
        "source": tags.get("mlflow.source.git.repoURL"),
        "revision": tags.get("mlflow.source.git.commit"),
    }


def check(model: Path) -> str | None:
    """What the model in the folder answers to its own input example, as JSON; None when it has no example.

    Raises Unfit unless it loads and answers as it will be served.
    """
    try:
        description = yaml.safe_load((model / "MLmodel").read_text(encoding="utf-8"))
        flavors = sorted(description["flavors"])
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        raise Unfit(f"the MLmodel file is missing or broken ({type(error).__name__})") from error
    if "python_function" not in flavors:
        raise Unfit(f"the model has no python_function flavor, only {', '.join(flavors) or 'none'}")
    say(f"The MLmodel file is sane; flavors: {', '.join(flavors)}")
    from serve import ServedModel

    served = ServedModel(model)
    try:
        served.load()
    except Exception as error:
        raise Unfit(
            f"the model does not load and answer its input example: {type(error).__name__}: {error}"
        ) from error
    say("The model loads and answers its input example")
    return served.example_answer


def keep_answer(name: str, version: str, answer: str | None) -> None:
    """Tag the version with its answer. That it cannot be kept is said and stops no build."""
    if answer is None:
        say("The model has no input example: nothing to compare its answers with later")
        return
    text = json.dumps(json.loads(answer), separators=(",", ":"))
    if len(text) > ANSWER_LIMIT:
        say(
            f"The answer has {len(text)} characters, more than the {ANSWER_LIMIT} that a tag takes: it is not kept"
        )
        return
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        MlflowClient().set_model_version_tag(name, version, ANSWER_TAG, text)
    except MlflowException as error:
        say(f"The answer cannot be kept in the tag {ANSWER_TAG}: {error.message}")
    else:
        say(f"What it answered is kept in the tag {ANSWER_TAG}")


def say(line: str) -> None:
    """Print one line now, whatever is in it."""
    print(line.replace("\r", " ").replace("\n", " "), flush=True)


def _run_tags(client: Any, run_id: str | None) -> dict[str, str]:
    from mlflow.exceptions import MlflowException

    try:
        return dict(client.get_run(run_id).data.tags) if run_id else {}
    except MlflowException:
        say(f"Run {run_id} cannot be read: the image will not name its source")
        return {}


def main() -> int:
    """Fetch, check, describe."""
    folder = Path(sys.argv[1])
    (folder / "model").mkdir(parents=True)
    try:
        release = fetch(os.environ["MODEL_NAME"], os.environ["MODEL_VERSION"], folder)
        answer = check(folder / "model")
    except Unfit as error:
        say(f"Error: {error}")
        return 1
    keep_answer(release["model"], release["version"], answer)
    (folder / "release.json").write_text(json.dumps(release, indent=2), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
