"""Pins by path: `spec.template.spec.containers[name=server].image`, through embedded documents, too."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bot.adapters.manifests import embedded, references, shapes, tree
from bot.adapters.manifests.changes import Change, Replace
from bot.adapters.manifests.compose import Node
from bot.adapters.manifests.places import Place, Steps
from bot.adapters.manifests.source import Source
from bot.core.model import PinValue
from bot.ports import Refused

_STEP = re.compile(
    r"""\.? (?: \[ (?P<index>[0-9]+) \]
          | \[ (?P<field>[\w./-]+) = (?P<quoted>"?) (?P<value>[^\]"]*) (?P=quoted) \]
          | \[? (?P<mark>["']) (?P<key>[^"']+) (?P=mark) \]?
          | (?P<plain>[^.\[\]"'\s]+) )""",
    re.VERBOSE,
)
_PLAIN = re.compile(r"[^.\[\]\"'\s]+\Z")
_HOLES = re.compile(r"\\\{(image|tag|digest)\\\}")
_PARTS = {
    "image": r"[^\s@:]+(?::[0-9]+/[^\s@:]+)?",
    "tag": r"\w[\w.-]{0,127}",
    "digest": r"[a-z0-9+._-]+:[\w=-]+",
}


@dataclass(frozen=True)
class Select:
    """The items of a list whose field says this."""

    field: tuple[str, ...]
    value: str


def parsed(path: str) -> tuple[str | int | Select, ...]:
    """The steps of a path. Raises `Refused` where it is none."""
    steps: list[str | int | Select] = []
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None or (match[0].startswith(".") and at == 0):
            example = "`spec.containers[name=server].image`"
            raise Refused(f"{path!a} is not a path (at {path[at:]!a}); write it like {example}")
        steps.append(_step(match))
        at = match.end()
    return tuple(steps)


def _step(match: re.Match[str]) -> str | int | Select:
    if match["index"] is not None:
        return int(match["index"])
    if match["field"] is not None:
        return Select(tuple(match["field"].split(".")), match["value"])
    return str(match["key"] or match["plain"])


def rendered(steps: Steps) -> str:
    """Concrete steps as a path that `parsed` reads back."""
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN.match(step):
            text += f".{step}" if text else step
        else:
            text += "['" + step + "']" if '"' in step else f'["{step}"]'
    return text


@dataclass(frozen=True, eq=False)
class Found:
    """A node at the end of a path, in its source, with the concrete steps that lead to it."""

    source: Source
    node: Node
    steps: Steps


def found(source: Source, path: str, document: int | None) -> list[Found]:
    """Every node that the path leads to, in each document (or in the one of this number, counted from 1)."""
    return at(source, parsed(path), document)


def at(source: Source, steps: Sequence[str | int | Select], document: int | None) -> list[Found]:
    """The same for the steps of a path."""
    roots = list(source.roots) if document is None else list(source.roots[document - 1 : document])
    return [item for root in roots for item in _followed(Found(source, root, ()), steps)]


def _followed(start: Found, steps: Sequence[str | int | Select]) -> Iterator[Found]:
    pending = [(start, 0)]
    while pending:
        at, done = pending.pop()
        if done == len(steps):
            yield at
            continue
        if at.node.id == "scalar":
            inner = embedded.document(at.source, at.node)
            pending += [(Found(inner, root, at.steps), done) for root in inner.roots] if inner else []
            continue
        pending += [
            (Found(at.source, node, (*at.steps, step)), done + 1)
            for step, node in reversed(list(_next(at.node, steps[done])))
        ]


def _next(node: Node, step: str | int | Select) -> Iterator[tuple[str | int, Node]]:
    if node.id == "mapping":
        value = tree.value_of(node, str(step)) if not isinstance(step, Select) else None
        if value is not None:
            yield str(step), value
    elif isinstance(step, int):
        yield from ((step, item) for item in node.value[step : step + 1])
    elif isinstance(step, Select):
        yield from ((number, item) for number, item in enumerate(node.value) if _says(item, step))


def _says(node: Node, select: Select) -> bool:
    for key in select.field[:-1]:
        below = tree.value_of(node, key) if node.id == "mapping" else None
        if below is None:
            return False
        node = below
    return node.id == "mapping" and tree.text_of(node, select.field[-1]) == select.value


def _digest_of(source: Source, node: Node) -> Callable[[PinValue], list[Change]]:
    def write(to: PinValue) -> list[Change]:
        if not to.digest:
            # That of another version, left beside a tag without one, would be believed.
            raise source.refusal(
                node, f"a digest, but {tree.shown(str(to))} has none", "write a digest by hand"
            )
        return [Replace(node, to.digest)]

    return write


def scalar(source: Source, node: Node, image: str, text: str | None) -> Place:
    """A pin in this scalar: a reference to the image, a tag, a digest, or what `text` makes of them.

    `text` is what the scalar says, with the holes `{image}`, `{tag}` and `{digest}`: `s3://models/{tag}/model`.
    """
    if text is not None:
        return _by_text(source, node, image, text)
    place = shapes.reference(source, node, image, bare=True)
    if place is not None:
        return place
    said = str(node.value).strip()
    if "/" not in said and ":" not in said.partition("@")[0] and "{" not in said and " " not in said:
        return _tag(source, node, said)
    if references.is_digest(said):
        return Place(source, node, (node,), PinValue(digest=said), _digest_of(source, node))
    found = f"{tree.shown(said)} is neither the image {tree.shown(image)} nor a tag or digest of it"
    raise source.refusal(
        node, found, "say with `text:` in the pin what to write here, like `s3://models/{tag}`"
    )


def _tag(source: Source, node: Node, said: str) -> Place:
    value = references.parsed(f":{said}" if not tree.is_empty(node) else "")

    def write(to: PinValue) -> list[Change]:
        new = f"{to.tag}@{to.digest}" if to.digest and value.digest else to.tag
        return [Replace(node, new)] if new else []

    return Place(source, node, (node,), PinValue(value.tag, value.digest), write)


def _by_text(source: Source, node: Node, image: str, text: str) -> Place:
    pattern = _HOLES.sub(lambda hole: f"(?P<{hole[1]}>{_PARTS[hole[1]]})", re.escape(text))
    match = re.fullmatch(pattern, str(node.value).strip())
    said = match.groupdict() if match else {}
    value = PinValue(said.get("tag"), said.get("digest"), said.get("image"))

    def write(to: PinValue) -> list[Change]:
        parts = {"image": image, "tag": to.tag, "digest": to.digest}
        lacking = [name for name in parts if f"{{{name}}}" in text and not parts[name]]
        if lacking:
            raise source.refusal(node, f"there is no {lacking[0]} to write here", "take it out of `text:`")
        return [Replace(node, re.sub(r"\{(image|tag|digest)\}", lambda hole: str(parts[hole[1]]), text))]

    return Place(source, node, (node,), value, write)


def plain(steps: Sequence[str | int]) -> Steps:
    """Steps without the words for "in the document embedded here": a path goes through by itself."""
    found: list[str | int] = []
    skip = False
    for step in steps:
        if not skip and step != "!embedded":
            found.append(step)
        skip = step == "!embedded"
    return tuple(found)
