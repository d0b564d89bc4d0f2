"""What a judge of byte-exact edits calls: one edit of one file, as a line of promotions.yaml would ask for it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.adapters.manifests.editing import set_everywhere


def edit(path: str, image: str, new: str, case: Mapping[str, Any]) -> None:
    """Set the image to `new` (`TAG`, `sha256:…`, `TAG@sha256:…`, or a whole URI) in the file at `path`.

    Every place in the file that names the image changes (`file:` with `every: true`); where none of the known forms
    does, the place that the case's document and path lead to. Of the case nothing else is looked at.
    """
    file = Path(path)
    first = next(iter(case.get("targets", ())), {})
    at = (first["doc"], first["path"]) if first.get("path") else None
    file.write_bytes(set_everywhere(file.name, file.read_bytes(), image, new, at))
