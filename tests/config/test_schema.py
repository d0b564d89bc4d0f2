"""The published JSON Schemas describe what the bot accepts."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.config.document import read
from bot.config.faults import Faults
from bot.config.promotions import parse_promotions
from bot.config.schema import File, schema
from tests.config.faulty import BOT, SHORTEST, bot_faults, promotions_faults
from tests.config.test_promotions import EVERYTHING
from tests.config.test_settings import EVERYTHING as EVERY_SETTING


def lists(value: Any) -> Any:
    """Read values as JSON has them."""
    if isinstance(value, dict):
        return {key: lists(item) for key, item in value.items()}
    return [lists(item) for item in value] if isinstance(value, tuple) else value


def validator(file: File) -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(schema(file))
    return jsonschema.Draft202012Validator(schema(file))


@pytest.mark.parametrize(
    ("file", "text"),
    [("promotions", SHORTEST), ("promotions", EVERYTHING), ("bot", BOT), ("bot", EVERY_SETTING)],
)
def test_what_the_bot_accepts_is_valid(file: File, text: str, tmp_path: Path) -> None:
    assert (promotions_faults(text) if file == "promotions" else bot_faults(tmp_path, text)) == ()
    validator(file).validate(lists(read(text.encode(), "x").plain()))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("model: fraud-detector", "modle: fraud-detector"),
        ("alias: champion", "alias: champion, stage: Production"),
        ("ghcr.io", "https://ghcr.io"),
        ("detector\n    pins", "detector:v1\n    pins"),
        ("kustomize: apps", "kustomize: /apps"),
        ("[{kustomize: apps/fraud-detector/overlays/production}]", "[]"),
        ("fraud-detector/production", "Production"),
    ],
)
def test_an_editor_underlines_common_mistakes(old: str, new: str) -> None:
    text = SHORTEST.replace(old, new)
    assert promotions_faults(text)
    assert not validator("promotions").is_valid(lists(read(text.encode(), "x").plain()))


def described(part: Any, root: Any) -> Any:
    """Every property of a schema with its own name, wherever it is."""
    for name, value in part.get("properties", {}).items():
        yield name, value
    for value in part.get("$defs", {}).values():
        yield from described(value, root)


@pytest.mark.parametrize("file", ["bot", "promotions"])
def test_every_key_has_a_description_and_a_valid_example(file: File) -> None:
    root = schema(file)
    for name, part in described(root, root):
        assert part.get("description"), name
        assert part.get("examples"), name
        for example in part["examples"]:
            jsonschema.Draft202012Validator({**part, "$defs": root["$defs"]}).validate(example)


WORDS = [
    "champion",
    "Production",
    "a/b",
    "a",
    "5m",
    "https://a.b",
    "",
    None,
    1,
    True,
    "x.yaml",
    "ghcr.io/a/b",
    "k=v",
    "auto",
]
ENTRY = {
    "name": st.sampled_from(["a/b", "a/c", "x"]), "model": st.sampled_from(WORDS), "image": st.sampled_from(["ghcr.io/a/b", "h:1/x", *WORDS]),
    "when": st.dictionaries(st.sampled_from(["alias", "tag", "stage"]), st.sampled_from(WORDS), min_size=1, max_size=2),
    "pins": st.lists(st.dictionaries(st.sampled_from(["kustomize", "container", "name"]), st.sampled_from(WORDS), max_size=2), max_size=2),
}  # fmt: skip
MORE = {
    "verify": st.lists(st.dictionaries(st.sampled_from(["http", "prediction", "timeout", "status"]), st.sampled_from(WORDS), max_size=2), max_size=2),
    "merge": st.sampled_from(WORDS), "settle": st.sampled_from(WORDS), "paused": st.sampled_from(WORDS),
    "reviewers": st.lists(st.sampled_from(WORDS), max_size=2), "rollout": st.fixed_dictionaries({"argocd": st.sampled_from(WORDS)}),
}  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries(ENTRY, optional=MORE))
def test_the_schema_never_refuses_what_the_bot_accepts(entry: dict[str, Any]) -> None:
    document = {"targets": [entry]}
    try:
        parse_promotions(json.dumps(document).encode())
    except Faults:
        return
    validator("promotions").validate(document)
