"""Which model versions CI builds, used by its first job: `python wanted.py asked | missing`.

asked     The one that this run was started for: MODEL_NAME, MODEL_VERSION, IMAGE, TAG and TARGET of the environment. What
          is left out, or is `-`, is taken from PROMOTIONS, or is the bot's own: the tag `v7` for version 7.
missing   Those that the targets of PROMOTIONS want now, by the aliases, tags and stages in MLflow. Which of them have
          their image already is not known here. A target whose image is not one of ours is said, and stops no other.

Prints a JSON list on one line: model_name, model_version, image, tag, environment (that of the target, or ENVIRONMENT).
All of it is hostile input: `asked` ends with 1 and a sentence when a value is not what it says, when the image is not
below one of IMAGES (prefixes, separated by spaces), or when BUILD_ACTORS is set and ACTOR is not one of them.
PROMOTIONS is a path, by default that of promotions.yaml beside this folder.
"""

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

MODEL = re.compile(r"(?=.*\S)(?!\.{1,2}\Z)[^/:]{1,256}\Z")
VERSION = re.compile(r"[0-9]{1,18}\Z")
IMAGE = re.compile(r"[a-z0-9.-]+(?::[0-9]{1,5})?(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)+\Z")
# `sha256-` begins the tags of signatures.
TAG = re.compile(r"(?!(?:buildcache|unreleased|latest)\Z|sha256-)[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
ENVIRONMENT = re.compile(r"(?:[a-z0-9]+(?:[.-][a-z0-9]+)*)?\Z")

Version = dict[str, str]


class Unfit(Exception):
    """Nothing is built; the message says why."""


def asked(given: Mapping[str, str], targets: list[Mapping[str, Any]]) -> Version:
    """What this run was started for. Raises Unfit."""
    said = {name: "" if value == "-" else value for name, value in given.items()}
    actors = said.get("BUILD_ACTORS", "").split()
    if actors and said.get("ACTOR") not in actors:
        raise Unfit("who started this run is not one of BUILD_ACTORS")
    model, target = said.get("MODEL_NAME", ""), said.get("TARGET", "")
    image = said.get("IMAGE") or _image(model, target, targets)
    version = said.get("MODEL_VERSION", "")
    environment = said.get("ENVIRONMENT") or target.partition("/")[2]
    return _checked(model, version, image, said.get("TAG") or f"v{version}", environment)


def missing(targets: list[Mapping[str, Any]], client: Any) -> Iterator[Version]:
    """What the targets want now, each image once. Raises Unfit."""
    seen = set()
    for target in targets:
        model, when = str(target.get("model", "")), target.get("when") or {}
        version = _now(client, model, when)
        if version is None:
            _say(f"Nothing is wanted for {target.get('name')}")
            continue
        environment = str(target.get("name", "")).partition("/")[2]
        try:
            found = _checked(model, version, str(target.get("image", "")), f"v{version}", environment)
        except Unfit as error:
            _say(f"Nothing is built for {target.get('name')}: {error}")
            continue
        if (found["image"], found["tag"]) not in seen:
            seen.add((found["image"], found["tag"]))
            yield found


def promotions(file: Path) -> list[Mapping[str, Any]]:
    """The targets with their defaults; none where there is no such file. Raises Unfit."""
    import yaml

    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        return [{**(document.get("defaults") or {}), **target} for target in document["targets"]]
    except FileNotFoundError:
        _say(f"There is no {file.name} here")
        return []
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
        raise Unfit(
            f"{file.name} cannot be read ({type(error).__name__}): `gitops-bot config check`"
        ) from error


def _image(model: str, target: str, targets: list[Mapping[str, Any]]) -> str:
    images = {
        str(known.get("image"))
        for known in targets
        if known.get("model") == model and target in ("", known.get("name"))
    }
    if len(images) != 1:
        raise Unfit("which image is meant? Name it: promotions.yaml has none, or several, for this model")
    return images.pop()


def _checked(model: str, version: str, image: str, tag: str, environment: str) -> Version:
    values = (
        ("model name", model, MODEL),
        ("version", version, VERSION),
        ("image", image, IMAGE),
        ("tag", tag, TAG),
        ("environment", environment, ENVIRONMENT),
    )
    for what, value, pattern in values:
        # What Azure Pipelines replaces, wherever it finds it.
        if not pattern.match(value) or not value.isprintable() or "$(" in value or "$[" in value:
            raise Unfit(f"{value[:80]!r} is not {'an' if what[0] in 'aeiou' else 'a'} {what}")
    allowed = os.environ.get("IMAGES", "").split()
    if not any(image == prefix or image.startswith(prefix.rstrip("/") + "/") for prefix in allowed):
        raise Unfit(f"{image} is not below {' or '.join(allowed) or 'any of IMAGES, which is not set'}")
    return {
        "model_name": model,
        "model_version": version,
        "image": image,
        "tag": tag,
        "environment": environment,
    }


def _now(client: Any, model: str, when: Mapping[str, Any]) -> str | None:
    """The version that is wanted: that with the alias, or the newest with the tag or in the stage."""
    from mlflow.exceptions import MlflowException

    key, _, value = str(when.get("tag", "")).partition("=")
    try:
        if "alias" in when:
            return str(client.get_model_version_by_alias(model, when["alias"]).version)
        quote = '"' if "'" in model else "'"
        found = client.search_model_versions(f"name = {quote}{model}{quote}", max_results=10_000)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise Unfit(f"MLflow does not tell the versions of {model}: {error.message}") from error
    wanted = [
        int(version.version)
        for version in found
        if (version.current_stage == when["stage"] if "stage" in when else version.tags.get(key) == value)
    ]
    return str(max(wanted)) if wanted else None


def _say(line: str) -> None:
    print(" ".join(line.splitlines()), file=sys.stderr, flush=True)


def main() -> int:
    """Do what the command line says."""
    file = Path(os.environ.get("PROMOTIONS") or Path(__file__).resolve().parents[1] / "promotions.yaml")
    try:
        if sys.argv[1:] == ["asked"]:
            image = os.environ.get("IMAGE", "") not in ("", "-")
            found = [asked(os.environ, [] if image else promotions(file))]
        elif sys.argv[1:] == ["missing"]:
            found = []
            if targets := promotions(file):
                from mlflow import MlflowClient

                found = list(missing(targets, MlflowClient()))
        else:
            _say("Usage: python wanted.py asked | missing")
            return 2
    except Unfit as error:
        _say(f"Error: {error}")
        return 1
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
