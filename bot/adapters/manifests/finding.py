"""Where the pins of a target stand in the files of a commit; what is missing, ambiguous, shared or a template is refused."""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.adapters.manifests import (
    containers,
    elsewhere,
    fields,
    kustomize,
    markers,
    mentions,
    parsing,
    templates,
    tree,
)
from bot.adapters.manifests.compose import NotYaml
from bot.adapters.manifests.places import Place, refuse_shared, refuse_templates
from bot.adapters.manifests.source import Source
from bot.core.target import ContainerPin, FilePin, KustomizePin, MarkerPin, Pin, Target
from bot.ports import Refused

Files = Mapping[str, bytes]
"""The files of a commit that pins may stand in, by path; those that do not exist are left out."""


def paths(pins: Sequence[Pin]) -> tuple[str, ...]:
    """Every path that these pins may stand at, or below where it is a folder with markers, each once."""
    return tuple(dict.fromkeys(path for pin in pins for path in _candidates(pin)))


def folders(pins: Sequence[Pin]) -> tuple[str, ...]:
    """The folders whose YAML files may have markers."""
    return tuple(inside(pin.folder) for pin in pins if isinstance(pin, MarkerPin))


def _candidates(pin: Pin) -> tuple[str, ...]:
    match pin:
        case KustomizePin():
            folder = inside(pin.folder)
            return tuple(posixpath.join(folder, name) if folder else name for name in kustomize.FILES)
        case MarkerPin():
            return (inside(pin.folder) or ".",)
        case ContainerPin() | FilePin():
            return (inside(pin.file),)


def inside(path: str) -> str:
    """The path in its plain form, if it stays in the repo: relative, and not in git's own folder."""
    plain = posixpath.normpath(path) if path else "."
    parts = plain.split("/")
    if plain.startswith("/") or ".." in parts or ".git" in parts or not path.isprintable() or "\\" in path:
        raise Refused(f"the pin's path {path!a} leaves the manifests repo; write a path relative to its root")
    return "" if plain == "." else plain


def places(target: Target, files: Files) -> list[tuple[Pin, Place]]:
    """Each pin with the place where it stands, in the order of the pins; markers and `every` have several."""
    reading = _Reading(target, files, target.image)
    try:
        return reading.places()
    except Refused:
        # What was not parsed may be what a better sentence needs, or an image in other spelling.
        if not any(source.is_part for source in reading.sources.values()):
            raise
    return _Reading(target, files, "").places()


@dataclass
class _Reading:
    """One look at the files; each is parsed once. `naming` limits it to documents that name the image."""

    target: Target
    files: Files
    naming: str
    sources: dict[str, Source] = field(default_factory=dict)

    def places(self) -> list[tuple[Pin, Place]]:
        found = [(pin, place) for pin in self.target.pins for place in self._found(pin)]
        whole = [place for pin, place in found if not (isinstance(pin, FilePin) and pin.every)]
        for source in {id(place.source): place.source for place in whole}.values():
            refuse_shared([place for place in whole if place.source is source])
        return found

    def _found(self, pin: Pin) -> Sequence[Place]:
        match pin:
            case KustomizePin():
                return [kustomize.find(self._source(_the_file(pin, self.files)), pin, self.target.image)]
            case ContainerPin():
                return [containers.find(self._source(_the_file(pin, self.files)), pin, self.target.image)]
            case FilePin():
                by_lines = pin.path is None
                source = self._source(_the_file(pin, self.files), templates_too=True, by_lines=by_lines)
                return _in_file(pin, self.target.image, source)
            case MarkerPin():
                return self._marked(pin)

    def _source(self, path: str, *, templates_too: bool = False, by_lines: bool = False) -> Source:
        if path not in self.sources:
            data, image = self.files[path], self.target.image
            try:
                source = parsing.read(path, data, self._naming(path))
                self.sources[path] = templates.lines(source, image) if by_lines else source
            except NotYaml:
                template = templates.read(path, data, image) if templates_too else None
                if template is None or not template.roots:
                    raise
                self.sources[path] = template
        return self.sources[path]

    def _naming(self, path: str) -> str:
        # A path counts documents, and a marker need not stand beside the image.
        needs_all = any(
            isinstance(pin, MarkerPin) or (isinstance(pin, FilePin) and pin.path and inside(pin.file) == path)
            for pin in self.target.pins
        )
        return "" if needs_all else self.naming

    def _marked(self, pin: MarkerPin) -> list[Place]:
        folder, name = inside(pin.folder), pin.policy or self.target.name
        found: list[Place] = []
        for path, data in sorted(self.files.items()):
            if (folder and not path.startswith(f"{folder}/")) or not path.endswith((".yaml", ".yml")):
                continue
            if len(data) <= parsing.LIMIT and markers.says(data.decode(errors="surrogateescape"), name):
                found += markers.mentions(self._source(path), name, self.target.image)
        if not found:
            kind = "imagepolicy" if pin.policy else "gitops-bot"
            marker = f'# {{"${kind}": "{name}:tag"}}'
            where = folder or "the repo"
            raise Refused(f"{where}: no file has a marker for {name}; write `{marker}` behind the tag")
        for place in found:
            refuse_templates(place.source, *place.nodes)
        return found


def _in_file(pin: FilePin, image: str, source: Source) -> Sequence[Place]:
    if source.is_template:
        found = templates.mentions(source, image)
    elif pin.path is None:
        found = mentions.mentions(source, image) or elsewhere.places(source, image)
    else:
        return [_at_path(pin, pin.path, image, source)]
    literal = [place for place in found if not place.is_template]
    if pin.every and literal:
        return literal
    if not found:
        wrote = (
            f"name the place with `path:`, or write `image: {tree.shown(image)}:unreleased` where it is meant"
        )
        raise source.refusal(None, f"nothing here names the image {tree.shown(image)}", wrote)
    if len(found) > 1:
        listed = ", ".join(_described(place) for place in found[:5])
        said = f"{len(found)} places name the image {tree.shown(image)} ({listed})"
        raise Refused(f"{found[0]}: {said}; say which one with `path:`, or `every: true` for all of them")
    refuse_templates(source, *found[0].nodes)
    return found


def _described(place: Place) -> str:
    return f"{fields.rendered(place.steps)} in line {place.line}" if place.steps else f"line {place.line}"


def _at_path(pin: FilePin, path: str, image: str, source: Source) -> Place:
    found = fields.found(source, path, pin.document)
    if not found:
        raise source.refusal(None, f"nothing is at the path {tree.shown(path)}", "correct `path:` in the pin")
    if len(found) > 1:
        lines = ", ".join(str(item.source.line(item.node)) for item in found[:5])
        said = f"{len(found)} places are at the path {tree.shown(path)} (lines {lines})"
        how = "say which one with `document: 1` (counted from 1) or with a field, like `[name=server]`"
        raise found[0].source.refusal(found[0].node, said, how)
    at = found[0]
    refuse_templates(at.source, at.node)
    if at.node.id == "scalar" and (pin.text is not None or "\n" not in str(at.node.value).strip()):
        return fields.scalar(at.source, at.node, image, pin.text)
    known = mentions.mentions(source, image) or elsewhere.places(source, image)
    within = [place for place in known if place.steps[: len(at.steps)] == at.steps]
    if len(within) != 1:
        said = f"{len(within)} places below the path {tree.shown(path)} name the image {tree.shown(image)}"
        raise at.source.refusal(at.node, said, "let `path:` lead to the value itself")
    refuse_templates(within[0].source, *within[0].nodes)
    return within[0]


def _the_file(pin: Pin, files: Files) -> str:
    candidates = _candidates(pin)
    present = [path for path in candidates if path in files]
    if len(present) > 1:
        raise Refused(
            f"{present[0]} and {present[1]} are both there; kustomize accepts one of them, so delete the other"
        )
    if not present:
        raise Refused(
            f"{candidates[0]}: there is no such file; add it, or correct the pin in promotions.yaml"
        )
    return present[0]
