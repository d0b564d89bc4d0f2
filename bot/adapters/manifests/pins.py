"""All pins of a target together: read as one value, changed all or none."""

from bot.adapters.manifests import finding, references, scalars, tree
from bot.adapters.manifests.finding import Files, folders, inside, paths
from bot.adapters.manifests.places import Place
from bot.adapters.manifests.scalars import Step
from bot.adapters.manifests.source import Source
from bot.core.model import PinValue
from bot.core.target import Target
from bot.ports import Refused

__all__ = ["Disagreement", "Files", "any_says", "edited", "folders", "inside", "paths", "places", "value"]


class Disagreement(Refused):
    """The pins of one target say different things."""


def places(target: Target, files: Files) -> list[Place]:
    """Where the pins stand, in their order; `Refused` where one is missing, ambiguous, shared or a template."""
    return [place for _, place in finding.places(target, files)]


def value(target: Target, files: Files) -> PinValue:
    """What all pins say together; `Refused` when they disagree, naming both places."""
    found = places(target, files)
    if not found:
        raise Refused(f"{target.name} has no pins; write at least one under `pins:` in promotions.yaml")
    together = found[0].value
    for place in found[1:]:
        if not references.agree(place.value, together):
            said = f"{found[0]} says {_text(found[0].value)}, {place} says {_text(place.value)}"
            raise Disagreement(f"the pins of {target.name} disagree: {said}; make them say the same")
        together = references.merged(together, place.value)
    return together


def any_says(target: Target, files: Files, said: PinValue) -> bool:
    """Whether at least one pin says this."""
    return any(references.agree(place.value, said) for place in places(target, files))


def _text(said: PinValue) -> str:
    return tree.shown(str(said))


def edited(
    target: Target, files: Files, to: PinValue, only_where: PinValue | None = None
) -> dict[str, bytes]:
    """The files whose bytes change, with their new bytes, when all pins (that hold `only_where`) get the value `to`."""
    references.checked(to)
    steps: dict[str, list[Step]] = {}
    sources: dict[str, Source] = {}
    for place in places(target, files):
        if only_where is not None and not references.agree(place.value, only_where):
            continue
        said = place.value.repository
        if to.repository and said and to.repository != said:
            raise Refused(
                f"{place} pins {_text(place.value)}; the repository of a pin is changed by hand, not to {_text(to)}"
            )
        file = _outermost(place.source)
        sources[file.path] = file
        steps.setdefault(file.path, []).extend((place.source, change) for change in place.write(to))
    result = {path: scalars.edited(sources[path], changes) for path, changes in steps.items()}
    return {path: data for path, data in result.items() if data != files[path]}


def _outermost(source: Source) -> Source:
    while source.outer is not None:
        source = source.outer
    return source
