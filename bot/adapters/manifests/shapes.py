"""How a mapping or a scalar says an image, and what makes it say another version of it."""

import re
from collections.abc import Iterator

from bot.adapters.manifests import references, tree
from bot.adapters.manifests.changes import Change, Replace
from bot.adapters.manifests.compose import Node
from bot.adapters.manifests.places import Place, Steps
from bot.adapters.manifests.source import Source
from bot.core.model import PinValue

_TAGS = ("tag", "imageTag")
_DIGESTS = ("digest", "imageDigest", "sha")
_VERSIONS = frozenset(_TAGS + _DIGESTS)
_NAMES = ("repository", "image", "name")
_REGISTRIES = ("registry", "imageRegistry")
_SPACE = re.compile(r"\s")
# Behind any other, `redis://redis:6379` say, stands the address of a service.
_SCHEME = re.compile(r"(?:oci|docker|oras)://")
_BARE_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
HUBS = ("docker.io", "index.docker.io", "registry-1.docker.io")
"""The registries that an image is in that names none."""
_RELEASE = re.compile(r"v?[0-9]+[.-]|latest\Z")


def reference(source: Source, node: Node, image: str, *, bare: bool = False) -> Place | None:
    """A scalar that is a reference to the image: `repository:tag@digest`, `alias=repository:tag`, `oci://repository:tag`.

    An alias counts as the image's name, too. With `bare` it needs neither tag nor digest.
    """
    if node.id != "scalar" or tree.is_empty(node):
        return None
    text = str(node.value).strip()
    scheme = _SCHEME.match(text)
    prefix = scheme[0] if scheme else ""
    alias, equals, rest = text.partition("=")
    if equals and not scheme and "@" not in alias and ":" not in alias.rpartition("/")[2]:
        prefix, named = f"{alias}=", alias == image
    else:
        rest, named = text[len(prefix) :], False
    value = references.parsed(rest)
    # Words behind it make it a text: a file of `NAME=reference` lines is one scalar for YAML.
    if (not named and value.repository != image) or (_SPACE.search(rest) and "{{" not in rest):
        return None
    if not bare and not value.tag and not value.digest:
        return None

    def write(to: PinValue) -> list[Change]:
        return [Replace(node, prefix + references.reference(str(value.repository), to))]

    return Place(source, node, (node,), value, write, form="reference")


def variable(source: Source, node: Node, image: str, name: str) -> Place | None:
    """A reference in a variable of this name. What is as likely an address or a password (`redis:6379`) is none."""
    place = reference(source, node, image)
    if place is None or "/" in image or "image" in name.lower() or place.value.digest:
        return place
    return place if _RELEASE.match(str(place.value.tag)) else None


def uri(source: Source, node: Node, old: str) -> Place | None:
    """A scalar that is exactly this URI; it says its version as a whole, as the tag."""
    if node.id != "scalar" or str(node.value).rstrip("\n") != old:
        return None
    value = PinValue(tag=old, repository=old)
    return Place(source, node, (node,), value, lambda to: [Replace(node, str(to.tag))], form="uri")


def split(source: Source, mapping: Node, image: str, *, named: bool = False) -> Place | None:
    """A mapping with the image in several keys: registry, repository (or image, or name with `named`), tag, digest."""
    if _VERSIONS.isdisjoint([key.value for key, _ in mapping.value if key.id == "scalar"]):
        return None
    tag, digest = _first(mapping, _TAGS), _first(mapping, _DIGESTS)
    nodes = tuple(node for node in (tag, digest) if node is not None)
    if not nodes or any(node.id != "scalar" for node in nodes):
        return None
    repository = next((name for name in _repositories(mapping, named) if name == image), None)
    if repository is None:
        return None
    return in_keys(source, mapping, (tag, digest), repository)


def in_keys(source: Source, mapping: Node, keys: tuple[Node | None, Node | None], repository: str) -> Place:
    """An entry that says the image's tag and its digest in scalars of their own, if it says them."""
    tag, digest = keys
    said = references.parsed(f":{tag.value}" if tag is not None and not tree.is_empty(tag) else "")
    known = str(digest.value) if digest is not None and not tree.is_empty(digest) else said.digest
    short = digest is not None and _is_short(mapping, digest)
    full = f"sha256:{known}" if short and known and ":" not in known else known
    value = PinValue(said.tag, full, repository)

    def write(to: PinValue) -> list[Change]:
        return _split_changes(source, mapping, keys, to, short=short)

    nodes = tuple(node for node in keys if node is not None)
    return Place(source, mapping, nodes, value, write, form="split")


def _is_short(mapping: Node, digest: Node) -> bool:
    is_sha = mapping.id == "mapping" and tree.value_of(mapping, "sha") is digest
    return is_sha or _BARE_DIGEST.match(str(digest.value)) is not None


def _split_changes(
    source: Source, mapping: Node, nodes: tuple[Node | None, Node | None], to: PinValue, *, short: bool
) -> list[Change]:
    tag, digest = nodes
    if digest is None:
        if tag is None or to.tag is None:
            raise source.refusal(
                mapping, "there is no key for a digest here", 'add `digest: ""` beside the tag'
            )
        carries = "@" in str(tag.value) and to.digest
        return [Replace(tag, f"{to.tag}@{to.digest}" if carries else to.tag)]
    if tag is None and to.digest is None:
        raise source.refusal(mapping, "there is no key for a tag here", 'add `tag: ""` beside the digest')
    changes: list[Change] = []
    if tag is not None and to.tag is not None:
        changes.append(Replace(tag, to.tag))
    if to.digest is not None:
        changes.append(Replace(digest, to.digest.removeprefix("sha256:") if short else to.digest))
    elif not tree.is_empty(digest):
        changes.append(Replace(digest, ""))
    return changes


def _repositories(mapping: Node, named: bool) -> Iterator[str]:
    for key in _NAMES[: None if named else 2]:
        text = _inherited(mapping, key)
        if text is None:
            continue
        hosts = [host for registry in _REGISTRIES if (host := _inherited(mapping, registry)) is not None]
        yield from (f"{host.rstrip('/')}/{text}" for host in hosts) if hosts else (text,)
        # Istio's charts name an image with and without its hub.
        hub = _inherited(mapping, "hub")
        if hub is not None and not hosts:
            yield f"{hub.rstrip('/')}/{text}"


def _inherited(mapping: Node, key: str, depth: int = 0) -> str | None:
    text = tree.text_of(mapping, key)
    merged = tree.value_of(mapping, "<<") if text is None and depth < 8 else None
    if merged is None or merged.id == "scalar":
        return text
    bases = [merged] if merged.id == "mapping" else [base for base in merged.value if base.id == "mapping"]
    return next((said for base in bases if (said := _inherited(base, key, depth + 1)) is not None), None)


def _first(mapping: Node, keys: tuple[str, ...]) -> Node | None:
    return next((node for key in keys if (node := tree.value_of(mapping, key)) is not None), None)


def parameters(source: Source, listed: Node, image: str) -> Iterator[Place]:
    """Helm parameters of an Application: `image.repository` with `image.tag`, one reference, or one named `image`."""
    named = {
        name: node
        for entry in listed.value
        if entry.id == "mapping"
        and (name := tree.text_of(entry, "name")) is not None
        and (node := tree.value_of(entry, "value")) is not None
        and node.id == "scalar"
    }
    for name, node in named.items():
        above, dot, last = name.rpartition(".")
        if name == image:
            yield in_keys(source, listed, (node, None), image)
        elif last in ("repository", "name") and str(node.value) in _without_registry(
            named, above + dot, image
        ):
            tag, digest = (
                next((named[f"{above}{dot}{key}"] for key in keys if f"{above}{dot}{key}" in named), None)
                for keys in (_TAGS, _DIGESTS)
            )
            if tag is not None or digest is not None:
                yield in_keys(source, listed, (tag, digest), image)
        elif (place := variable(source, node, image, name)) is not None:
            yield place


def _without_registry(named: dict[str, Node], prefix: str, image: str) -> tuple[str, ...]:
    registry = named.get(f"{prefix}registry")
    host = "" if registry is None or tree.is_empty(registry) else f"{str(registry.value).rstrip('/')}/"
    if image.startswith(host):
        return (image.removeprefix(host),)
    return (image,) if host.rstrip("/") in HUBS else ()


def where(place: Place, steps: Steps, form: str, name: str | None = None) -> Place:
    """The same place with what is known about where it stands."""
    return Place(place.source, place.entry, place.nodes, place.value, place.write, form, steps, name)
