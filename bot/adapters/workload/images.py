"""Which release a pod template names: image references as manifests carry them, or the address of a model."""

from collections.abc import Iterator
from dataclasses import dataclass

from bot.adapters.workload.fields import Document, mapping, mappings, text


@dataclass(frozen=True, slots=True)
class _Reference:
    repository: str
    tag: str
    digest: str


def _parsed(reference: str) -> _Reference:
    name, _, digest = reference.partition("@")
    head, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return _Reference(f"{head}{slash}{last}", tag, digest)


def carries(listed: str, wanted: str) -> bool:
    """Whether a listed image is the wanted one: a wanted digest decides, else the tag does."""
    if listed == wanted:
        return True
    have, want = _parsed(listed), _parsed(wanted)
    if have.repository != want.repository:
        return False
    return have.digest == want.digest if want.digest else have.tag == want.tag


def images(template: Document) -> tuple[str, ...]:
    """The images of all containers of a pod template, in its order."""
    return tuple(dict.fromkeys(_images(mapping(template, "spec"))))


def _images(spec: Document) -> Iterator[str]:
    for list_ in ("containers", "initContainers"):
        for container in mappings(spec, list_):
            if image := text(container, "image"):
                yield image
