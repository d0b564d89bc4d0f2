"""The images that a pod template asks for."""

from collections.abc import Iterator

from bot.adapters.workload.fields import Document
from bot.core.fields import child, maps, text


def images(template: Document) -> tuple[str, ...]:
    """The images of all containers of a pod template, in its order."""
    return tuple(dict.fromkeys(_images(child(template, "spec"))))


def _images(spec: Document) -> Iterator[str]:
    for list_ in ("containers", "initContainers"):
        for container in maps(spec, list_):
            if image := text(container, "image"):
                yield image
