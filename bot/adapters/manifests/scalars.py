"""Change scalars of a YAML or JSON file and not one byte more, proven before the bytes leave."""

from collections.abc import Sequence

from bot.adapters.manifests import quoting, tree
from bot.adapters.manifests.changes import Change, Replace, expected_value
from bot.adapters.manifests.proof import prove
from bot.adapters.manifests.splices import Splice, splice
from bot.adapters.manifests.tree import Source
from bot.ports import Refused


def edited(source: Source, changes: Sequence[Change]) -> bytes:
    """The file's bytes with exactly these changes; the same bytes when it says all that already.

    Raises `Refused` when the result would not parse to the old data with only these values changed.
    """
    # Two pins that share a scalar by an alias are one change.
    effective = [change for change in dict.fromkeys(changes) if not _is_done(change)]
    if not effective:
        return source.data
    splices = sorted((splice(source, change) for change in effective), key=lambda item: item[:2])
    result = source.saying(_spliced(source, splices))
    prove(source, result, effective)
    return result.data


def _is_done(change: Change) -> bool:
    if not isinstance(change, Replace):
        return False
    node = change.node
    stays_string = node.style or quoting.is_string(change.text)
    return node.value == expected_value(node, change.text) and node.tag == tree.STRING and bool(stays_string)


def _spliced(source: Source, splices: list[Splice]) -> str:
    parts: list[str] = []
    end = 0
    for start, stop, text in splices:
        if start < end:
            raise Refused(
                f"{source.path}: two changes fall on the same place; give each pin a place of its own"
            )
        parts += [source.text[end:start], text]
        end = stop
    return "".join([*parts, source.text[end:]])
