"""How Helm values name an image."""

from collections.abc import Mapping
from typing import Any

from bot.adapters.flux.fields import scalars
from bot.core.images import carries, parse


def named(values: Mapping[str, Any], wanted: str) -> bool:
    """Whether Helm values name the wanted image: whole, or its digest, or its tag, under whatever key.

    A number is a tag only under a key that says so: `replicas: 2` does not name version 2.
    """
    want = parse(wanted)
    whole = {part for part in (want.digest, f"{want.tag}@{want.digest}") if len(part) > 1}
    whole |= set() if want.digest or not want.tag else {want.tag}
    for key, value in scalars(values):
        if isinstance(value, str) and (value in whole or carries(value, wanted)):
            return True
        if want.tag and key.lower().endswith("tag") and str(value) == want.tag:
            return True
    return False
