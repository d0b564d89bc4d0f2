"""Reads the recordings of real products that are kept here: what was seen when, and which verdicts are right when."""

import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def expectations(product: str) -> list[dict[str, Any]]:
    """Every claim with the spans of time in which certain verdicts are right."""
    return json.loads(gzip.decompress((HERE / product / "expected.json.gz").read_bytes()))


def changes(product: str, recording: str) -> list[dict[str, Any]]:
    """Every version of every recorded object, in the order in which they were seen."""
    seen = [*_lines(HERE / product / f"{recording}.jsonl.gz")]
    seen += _lines(HERE / product / f"{recording}.workload.jsonl.gz")
    # A recording may tell beside it what was done (ACTION): that is no object that anybody has seen.
    watched = [change for change in seen if change["type"] in ("ADDED", "MODIFIED", "DELETED")]
    return sorted(watched, key=lambda change: change["at"])


def objects_at(seen: list[dict[str, Any]], at: float) -> list[dict[str, Any]]:
    """The newest version of every object that exists at this second."""
    known: dict[tuple[str, ...], dict[str, Any]] = {}
    for change in seen:
        if change["at"] > at:
            break
        metadata = change["object"]["metadata"]
        key = (change["object"].get("kind", ""), metadata.get("namespace", ""), metadata["name"])
        known.pop(key, None)
        if change["type"] != "DELETED":
            known[key] = change["object"]
    return list(known.values())


def field_paths(value: Any, path: str = "") -> Iterator[str]:
    """The path of every field of a document; the entries of a list share one path."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield f"{path}.{key}"
            yield from field_paths(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from field_paths(inner, f"{path}[]")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        for line in gzip.decompress(path.read_bytes()).decode().splitlines():
            if line.strip():
                yield json.loads(line)
