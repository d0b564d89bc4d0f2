"""Lists for people: where the pins of a target stand, and every place of the repo that names an image."""

import json
import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot.adapters.manifests import elsewhere, fields, finding, kustomize, mentions, parsing, templates
from bot.adapters.manifests.compose import NotYaml
from bot.adapters.manifests.places import Place
from bot.adapters.manifests.source import Source
from bot.core.model import PinValue
from bot.core.names import version_of_tag
from bot.core.target import Target
from bot.ports import Refused

ENDINGS = (".yaml", ".yml", ".json", "/Kustomization")
_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./@=-]*\Z")


@dataclass(frozen=True, slots=True)
class PinLine:
    """A pin where it stands: file, line, what it says, and the model version that its tag names, if the bot made it."""

    target: str
    file: str
    line: int
    form: str
    value: PinValue
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Mention:
    """A place that names an image, with the line under `pins:` in promotions.yaml that would address it."""

    file: str
    line: int
    form: str
    value: PinValue
    pin: str


def pin_lines(target: Target, files: finding.Files) -> list[PinLine]:
    """Every pin of a target, in its order. Raises `Refused` as editing would."""
    return [
        PinLine(
            target.name,
            place.source.path,
            place.line,
            place.form,
            place.value,
            version_of_tag(place.value.tag),
        )
        for _, place in finding.places(target, files)
    ]


def naming(image: str, files: Mapping[str, bytes]) -> Iterator[Mention]:
    """Every mention of the image in these files, by path and line; files that cannot be read are passed over."""
    name = image.rpartition("/")[2].encode()
    for path, data in sorted(files.items()):
        if name not in data:
            continue
        source, found = _read(path, data, image)
        pins = [_pin(source, place, found) for place in found]
        yield from (
            Mention(path, place.line, place.form, place.value, pin)
            for place, pin in sorted(zip(found, pins, strict=True), key=lambda item: item[0].line)
        )


def _read(path: str, data: bytes, image: str) -> tuple[Source | None, list[Place]]:
    try:
        source = templates.lines(parsing.read(path, data), image)
    except NotYaml:
        source = templates.read(path, data, image)
    except Refused:
        return None, []
    if source.is_template:
        return source, templates.mentions(source, image)
    found = mentions.mentions(source, image) or elsewhere.places(source, image)
    return source, [place for place in found if not place.is_template]


def _pin(source: Source | None, place: Place, found: list[Place]) -> str:
    path = place.source.path
    folder, name = posixpath.split(path)
    if place.form == "kustomization" and name in kustomize.FILES and len(place.steps) == 2:
        return _line({"kustomize": folder or ".", "name": place.name or ""})
    if len(found) == 1:
        return _line({"file": path})
    named = Counter(other.name for other in found if other.form == "container")
    if (
        place.form == "container"
        and place.name
        and named[place.name] == 1
        and path.endswith((".yaml", ".yml"))
    ):
        return _line({"container": path, "name": place.name})
    if not place.steps or source is None:
        return _line({"file": path, "every": "true"})
    pin = {"file": path, "path": fields.rendered(place.steps)}
    if sum(other.steps == place.steps for other in found) > 1 or len(source.roots) > 1:
        pin["document"] = str(_document(source, place))
    return _line(pin)


def _document(source: Source, place: Place) -> int:
    inner, node = place.source, place.entry
    while inner.outer is not None:
        inner, node = inner.outer, inner.node
    return sum(root.start_mark.index <= node.start_mark.index for root in source.roots) or 1


def _line(pin: Mapping[str, str]) -> str:
    words = (f"{key}: {text if _PLAIN.match(text) else json.dumps(text)}" for key, text in pin.items())
    return f"- {{{', '.join(words)}}}"
