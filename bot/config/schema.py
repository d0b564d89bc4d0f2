"""The JSON Schemas of both files, for editors; the same models check the files, so the two cannot drift apart."""

import json
from typing import Any, Literal

from pydantic import BaseModel

from bot.config import document
from bot.config.entries import PromotionsFile
from bot.config.settings import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"
File = Literal["bot", "promotions"]
MODELS: dict[File, type[BaseModel]] = {"bot": Settings, "promotions": PromotionsFile}


def schema(file: File) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of bot.yaml or of promotions.yaml.

    It never refuses what the bot accepts; what spans several keys or targets only the bot can check.
    """
    generated = _with_real_examples(MODELS[file].model_json_schema(mode="validation"))
    return {"$schema": DIALECT, **generated, "title": f"{file}.yaml"}


def _with_real_examples(part: Any) -> Any:
    """The same schema with every example, which the models carry as people write it, as the value it stands for."""
    if isinstance(part, list):
        return [_with_real_examples(item) for item in part]
    if not isinstance(part, dict):
        return part
    rest = {key: _with_real_examples(value) for key, value in part.items() if key != "examples"}
    if not isinstance(part.get("examples"), list):
        return rest
    read = [document.read(f"value: {example}".encode(), "example").plain() for example in part["examples"]]
    return {**rest, "examples": json.loads(json.dumps([item["value"] for item in read]))}
