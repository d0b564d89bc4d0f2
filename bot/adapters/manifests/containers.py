"""Pins in the `image:` of a container, in whatever workload, list or custom resource it stands."""

from bot.adapters.manifests import references, tree
from bot.adapters.manifests.changes import Change, Replace
from bot.adapters.manifests.compose import Node
from bot.adapters.manifests.mentions import CONTAINERS
from bot.adapters.manifests.places import Place, refuse_templates
from bot.adapters.manifests.source import Source
from bot.core.model import PinValue
from bot.core.target import ContainerPin


def find(source: Source, pin: ContainerPin, image: str) -> Place:
    """The container of this pin, with what it says; `Refused` when there is none, or more than one."""
    containers = [entry for entry in _containers(source) if _is_named(entry, pin)]
    matching = [entry for entry in containers if _repository(entry) == image]
    wanted = f"image {tree.shown(image)}"
    if not matching:
        _refuse_other_image(source, containers, pin, image)
        who = f"container {tree.shown(pin.container)} with" if pin.container else "container has"
        how = f"write `image: {tree.shown(image)}:unreleased` in the container that is meant"
        raise source.refusal(None, f"no {who} {wanted}", how)
    if len(matching) > 1:
        lines = ", ".join(f"{_name(entry)} in line {source.line(entry)}" for entry in matching)
        found = f"{len(matching)} containers have {wanted} ({lines})"
        raise source.refusal(
            matching[0], found, "say which one with `name:` beside `container:` in the pin, one pin for each"
        )
    node = tree.value_of(matching[0], "image")
    value = references.parsed(str(tree.text_of(matching[0], "image")))

    def write(to: PinValue) -> list[Change]:
        return [Replace(node, references.reference(str(value.repository), to))]

    return Place(source, matching[0], (node,), value, write, "container", name=pin.container)


def _containers(source: Source) -> list[Node]:
    """Every container in document order; each node once, however often aliases name it."""
    found: list[Node] = []
    seen: set[int] = set()
    pending = list(reversed(source.roots))
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if node.id == "mapping":
            found += [entry for key in CONTAINERS for entry in _listed(tree.value_of(node, key))]
        pending += reversed(tree.children(node))
    return list({id(entry): entry for entry in found}.values())


def _listed(node: Node | None) -> list[Node]:
    if node is None or node.id != "sequence":
        return []
    return [entry for entry in node.value if entry.id == "mapping"]


def _is_named(entry: Node, pin: ContainerPin) -> bool:
    return pin.container is None or tree.text_of(entry, "name") == pin.container


def _name(entry: Node) -> str:
    return tree.shown(tree.text_of(entry, "name") or "one without a name")


def _repository(entry: Node) -> str | None:
    text = tree.text_of(entry, "image")
    return references.parsed(text).repository if text else None


def _refuse_other_image(source: Source, containers: list[Node], pin: ContainerPin, image: str) -> None:
    nodes = [node for entry in containers if (node := tree.value_of(entry, "image")) is not None]
    if pin.container is None and len(nodes) != 1:
        return
    refuse_templates(source, *nodes)
    for node in nodes[:1]:
        found = f"this container runs {tree.shown(str(node.value))}, not {tree.shown(image)}"
        raise source.refusal(node, found, f"write `image: {tree.shown(image)}:unreleased` here")
