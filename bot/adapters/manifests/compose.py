"""Text into nodes: by libyaml where it can serve, by ruamel.yaml where that is missing or gives up (facts/pins.md)."""

import functools
import re
from collections.abc import Callable
from typing import Any

from bot.ports import Refused

Node = Any
"""A node of either library: `id` (scalar, sequence, mapping), `tag`, `value`, `style`, marks in code points of the text."""


class NotYaml(Refused):
    """No parser accepts the text: it may be a template, whose lines can be read."""


def composed(path: str, text: str, line: Callable[[int], int]) -> tuple[Node, ...]:
    """The root node of each document. `Refused` with reason and line (of an index of the text) when both parsers fail."""
    roots = _by_libyaml(text)
    return _by_ruamel(path, text, line) if roots is None else roots


@functools.cache
def _libyaml() -> tuple[Any, type[Exception]] | None:
    """libyaml's composer without the rest of PyYAML's loader, or None where PyYAML was built without it."""
    # Imported late, as below: `--help` must not wait for a YAML library.
    import yaml  # type: ignore[import-untyped]

    if not yaml.__with_libyaml__:
        return None
    from yaml.cyaml import CParser  # type: ignore[import-untyped]

    patterns = yaml.SafeLoader.yaml_implicit_resolvers
    scalar, sequence = yaml.ScalarNode, yaml.SequenceNode

    @functools.lru_cache(4096)
    def tag_of(value: str) -> str:
        for tag, pattern in patterns.get(value[:1], ()):
            if pattern.match(value):
                return str(tag)
        return "tag:yaml.org,2002:str"

    class Composer(CParser):  # type: ignore[misc]
        """Resolves tags as YAML 1.1 does; half of the time of PyYAML's own goes into that."""

        def resolve(self, kind: type, value: str, implicit: Any) -> str:
            if kind is not scalar:
                return "tag:yaml.org,2002:seq" if kind is sequence else "tag:yaml.org,2002:map"
            if not implicit[0]:
                return "tag:yaml.org,2002:str"
            return tag_of(value) if len(value) < 64 else tag_of.__wrapped__(value)

        def descend_resolver(self, parent: Node, index: Node) -> None: ...

        def ascend_resolver(self) -> None: ...

    return Composer, yaml.YAMLError


def _by_libyaml(text: str) -> tuple[Node, ...] | None:
    known = _libyaml()
    if known is None:
        return None
    composer, fault = known
    loader = composer(text)
    try:
        roots = []
        while loader.check_node():
            roots.append(loader.get_node())
        return tuple(roots)
    except fault:
        return None
    finally:
        loader.dispose()


def _by_ruamel(path: str, text: str, line: Callable[[int], int]) -> tuple[Node, ...]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        yaml = YAML(typ="safe", pure=True)
        # YAML allows an anchor's name twice.
        yaml.composer.warn_double_anchors = False
        return tuple(yaml.compose_all(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f":{line(mark.index)}" if mark is not None else ""
        # ruamel.yaml formats some of its reasons as tuples.
        said = re.sub(r"\('([^']*)',\)", r"'\1'", str(error.problem or error.context))
        raise NotYaml(f"{path}{at}: this is not YAML ({said}); {_template_hint(text)}") from error
    except YAMLError as error:
        said = " ".join(str(error).split())
        raise NotYaml(f"{path}: this is not YAML ({said}); correct the file") from error
    except RecursionError as error:
        raise Refused(f"{path}: the file is nested too deeply to be a manifest; write it flatter") from error


def _template_hint(text: str) -> str:
    if "{{" in text:
        return "it looks like a template, so pin the value in a file that it reads (values, kustomization) instead"
    return "correct the file"
