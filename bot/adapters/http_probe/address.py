"""The holes in a check's URL, filled. Pure."""

import re
from collections.abc import Mapping
from urllib.parse import quote

_HOLE = re.compile(r"\{(version|tag|commit|model|environment)\}")


def filled(url: str, values: Mapping[str, str]) -> str:
    """The URL with `{version}`, `{tag}`, `{commit}`, `{model}` and `{environment}` filled in, percent-encoded.

    A value is one piece of a path or query, whatever is in it; a hole without a value stays as it is written.
    """
    return _HOLE.sub(lambda hole: quote(values[hole[1]], safe="") if hole[1] in values else hole[0], url)
