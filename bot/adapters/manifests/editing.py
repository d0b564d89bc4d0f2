"""Set an image in one file, wherever the file names it: the editor without a target and without a repo."""

from collections.abc import Sequence

from bot.adapters.manifests import elsewhere, fields, mentions, parsing, references, scalars, templates, tree
from bot.adapters.manifests.compose import NotYaml
from bot.adapters.manifests.places import Place
from bot.adapters.manifests.source import Source
from bot.core.model import PinValue

At = tuple[int, Sequence[str | int]]
"""A document's number, from 0, and the steps to a place in it."""


def set_everywhere(path: str, data: bytes, image: str, new: str, at: At | None = None) -> bytes:
    """The file with every place that names the image saying `new`: a tag, a digest, both (`TAG@DIGEST`), or a URI.

    A URI is meant where `image` is one. `at` is a place that is meant in any case, whatever form it has.
    Raises `Refused` where nothing names the image, or the bytes cannot be changed with certainty.
    """
    is_uri = "://" in image or "/" in new
    value = PinValue(tag=new) if is_uri else references.checked(_version(new))
    source, found = _named(path, data, image)
    if at is not None and not source.is_template:
        source, found = _with(path, data, image, (source, found), at)
    if not found:
        raise source.refusal(None, f"nothing here names the image {tree.shown(image)}", "name it in the file")
    return scalars.edited(
        source, [(place.source, change) for place in found for change in place.write(value)]
    )


def _version(new: str) -> PinValue:
    tag, _, digest = new.partition("@")
    if ":" in tag:
        return PinValue(digest=new)
    return PinValue(tag or None, digest or None)


def _named(path: str, data: bytes, image: str) -> tuple[Source, list[Place]]:
    try:
        source = templates.lines(parsing.read(path, data, image), image)
    except NotYaml:
        source = templates.read(path, data, image)
        if not templates.mentions(source, image):
            raise
    if source.is_template:
        return source, templates.mentions(source, image)
    found = mentions.mentions(source, image)
    if not found and source.is_part:
        source = parsing.read(path, data)
        found = mentions.mentions(source, image)
    return source, _literal(found or elsewhere.places(source, image))


def _literal(found: list[Place]) -> list[Place]:
    return [place for place in found if not place.is_template]


def _with(
    path: str, data: bytes, image: str, known: tuple[Source, list[Place]], at: At
) -> tuple[Source, list[Place]]:
    steps = fields.plain(at[1])
    if any(_stands_at(place, steps) for place in known[1]):
        return known
    source = parsing.read(path, data)
    # A key beside it says the version: `image: x` with `defaultImageVersion: …`, say.
    found = [place for place in _literal(mentions.mentions(source, image)) if place.steps[:-1] != steps[:-1]]
    nodes = fields.at(source, steps, at[0] + 1)
    return source, [*found, *(fields.scalar(item.source, item.node, image, None) for item in nodes)]


def _stands_at(place: Place, steps: tuple[str | int, ...]) -> bool:
    return place.steps == steps[: len(place.steps)]
