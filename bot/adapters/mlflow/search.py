"""Finding a version by its tag, for every name, key and value that MLflow can store."""

import re
from typing import Any

_PAGE = 100
_PAGES = 100

# MLflow's search language has no escapes: what could end a literal early, or be read as something else, stays out.
_UNSAFE = re.compile(r"['\"`\\;\x00-\x1f\x7f-\x9f\u2028\u2029]")


def matching(models: Any, model: str, key: str, value: str) -> Any:
    """The version with the highest number that carries this tag, or None.

    The server narrows down, and every hit is compared here: a filter may find more than it should, never less.
    """
    wanted, page = _filter(model, key, value), None
    for _ in range(_PAGES):
        found = models.search_model_versions(wanted, _PAGE, ["version_number DESC"], page)
        hits = [one for one in found if one.name == model and one.tags.get(key) == value]
        if hits:
            return max(hits, key=lambda one: int(one.version))
        page = found.token
        if not page:
            return None
    return None


def _filter(model: str, key: str, value: str) -> str:
    conditions = [f"name {_like(model)}"]
    if not _UNSAFE.search(key):
        conditions.append(f"tags.`{key}` {_like(value)}")
    return " AND ".join(conditions)


def _like(text: str) -> str:
    """A condition that is met by this text; with characters that cannot be said, by a few others too."""
    return f"LIKE '{_UNSAFE.sub('_', text)}'" if _UNSAFE.search(text) else f"= '{text}'"
