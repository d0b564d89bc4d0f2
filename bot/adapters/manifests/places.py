"""A pin that was found: where it stands and what it says."""

from collections import Counter
from dataclasses import dataclass

from bot.adapters.manifests import tree
from bot.adapters.manifests.compose import Node
from bot.adapters.manifests.tree import Source
from bot.core.model import Pin, PinValue


@dataclass(frozen=True, eq=False)
class Place:
    """One pin in one file. `entry` is the mapping that holds it, `nodes` the scalars that say `value`."""

    pin: Pin
    source: Source
    entry: Node
    nodes: tuple[Node, ...]
    value: PinValue

    def __str__(self) -> str:
        """File and line, for people."""
        return f"{self.source.path}:{self.source.line(self.nodes[0] if self.nodes else self.entry)}"


def refuse_templates(source: Source, *nodes: Node | None) -> None:
    """Raise `Refused` where one of these values is filled in by a template engine."""
    for node in nodes:
        said = _template(source, node) if node is not None else None
        if said is not None:
            found = f"`{tree.shown(said)}` is a template, not a value"
            raise source.refusal(node, found, "pin the value in the file that the template reads it from")


def _template(source: Source, node: Node) -> str | None:
    # `{{ x }}` without quotes is a mapping in a mapping for YAML.
    if node.id == "mapping" and source.text.startswith("{{", node.start_mark.index):
        return source.text[node.start_mark.index :].splitlines()[0]
    return str(node.value) if node.id == "scalar" and "{{" in node.value else None


def refuse_shared(places: list[Place]) -> None:
    """Raise `Refused` where an alias shares a pin of one file with something that is none of these pins."""
    uses = Counter(id(node) for place in places for node in place.nodes)
    for place in places:
        for node in place.nodes:
            users = place.source.parents.get(id(node), [])
            if len(users) > uses[id(node)] or _shared_above(place.source, place.entry):
                found = "an anchor shares this value with another place, which would change too"
                raise place.source.refusal(
                    node, found, "write the value out here instead of sharing it by an alias"
                )


def _shared_above(source: Source, node: Node) -> bool:
    users = source.parents.get(id(node), [])
    while users:
        if len(users) > 1:
            return True
        users = source.parents.get(id(users[0]), [])
    return False
