"""A pin that was found: where it stands, what it says, and what makes it say something else."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bot.adapters.manifests import tree
from bot.adapters.manifests.changes import Change
from bot.adapters.manifests.compose import Node
from bot.adapters.manifests.source import Source
from bot.core.model import PinValue

# Of Helm and Argo CD, of Flux and compose, of Tekton and kustomize.
_HOLE = re.compile(r"\{\{|\$\{|\$\(")
Step = str | int
Steps = tuple[Step, ...]


@dataclass(frozen=True, eq=False)
class Place:
    """One pin in one file. `entry` is the node that holds it, `nodes` the scalars that say `value`.

    `write` gives what makes it say another value. `form` is what kind of place it is, `steps` lead to it from the root
    of its document, `name` tells it from its like (a container's name, an entry's).
    """

    source: Source
    entry: Node
    nodes: tuple[Node, ...]
    value: PinValue
    write: Callable[[PinValue], list[Change]]
    form: str = ""
    steps: Steps = field(default=())
    name: str | None = None

    def __str__(self) -> str:
        """File and line, for people."""
        return f"{self.source.path}:{self.line}"

    @property
    def line(self) -> int:
        """The line of the value, or of the entry where there is none yet."""
        return self.source.line(self.nodes[0] if self.nodes else self.entry)

    @property
    def is_template(self) -> bool:
        """Whether a template engine fills in a value of it."""
        return any(template(self.source, node) is not None for node in self.nodes)


def refuse_templates(source: Source, *nodes: Node | None) -> None:
    """Raise `Refused` where one of these values is filled in by a template engine."""
    for node in nodes:
        said = template(source, node) if node is not None else None
        if said is not None:
            found = f"`{tree.shown(said)}` is a template, not a value"
            raise source.refusal(node, found, "pin the value in the file that the template reads it from")


def template(source: Source, node: Node) -> str | None:
    """What a template engine will replace here, if it is that."""
    # `{{ x }}` without quotes is a mapping in a mapping for YAML.
    if node.id == "mapping" and source.text.startswith("{{", node.start_mark.index):
        return source.text[node.start_mark.index :].splitlines()[0]
    return str(node.value) if node.id == "scalar" and _HOLE.search(node.value) else None


def refuse_shared(places: Sequence[Place]) -> None:
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
    seen: set[int] = set()
    users = source.parents.get(id(node), [])
    while users and id(users[0]) not in seen:
        if len(users) > 1:
            return True
        seen.add(id(users[0]))
        users = source.parents.get(id(users[0]), [])
    return False
