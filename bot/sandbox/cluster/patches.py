"""Strategic merge patches, as far as lists are merged by the usual keys (checked against kustomize 5.5)."""

import copy
from typing import Any

from bot.sandbox.cluster.manifest import CannotRender, Document

_KEYS = {
    "containers": "name", "initContainers": "name", "env": "name", "volumes": "name", "imagePullSecrets": "name",
    "volumeMounts": "mountPath", "hostAliases": "ip",
}  # fmt: skip
_PORTS = {"Service": "port"}


def patch(documents: list[Document], change: Document, target: Document | None) -> None:
    """Merge a patch into the objects that its target names, else into the one that it names itself. Raises CannotRender."""
    metadata = change.get("metadata")
    named = {
        "kind": change.get("kind"),
        "name": metadata.get("name") if isinstance(metadata, dict) else None,
    }
    wanted = named if target is None else target
    unknown = sorted(set(wanted) - {"kind", "name", "version", "group"})
    if unknown:
        raise CannotRender(f"patches: the sandbox does not know {', '.join(unknown)} in a target")
    found = [document for document in documents if _is(document, wanted)]
    if not found:
        raise CannotRender(f"patches: there is no {wanted.get('kind')} {wanted.get('name') or ''}".rstrip())
    for document in found:
        content = {
            key: value for key, value in change.items() if key not in ("apiVersion", "kind", "metadata")
        }
        described = {
            key: value
            for key, value in (metadata if isinstance(metadata, dict) else {}).items()
            if key != "name"
        }
        _merge(document, content | ({"metadata": described} if described else {}), document["kind"])


def _is(document: Document, wanted: Document) -> bool:
    kind, name = wanted.get("kind"), wanted.get("name")
    return kind in (None, document["kind"]) and name in (None, document["metadata"]["name"])


def _merge(base: Document, change: Document, kind: str) -> None:
    for key, value in change.items():
        if key.startswith("$"):
            raise CannotRender(f"patches: the sandbox does not know {key}")
        if value is None:
            base.pop(key, None)
        elif isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value, kind)
        elif isinstance(value, list) and isinstance(base.get(key), list) and _key(key, kind):
            base[key] = _merged(base[key], value, _key(key, kind), kind)
        else:
            base[key] = copy.deepcopy(value)


def _key(name: str, kind: str) -> str:
    return _PORTS.get(kind, "containerPort") if name == "ports" else _KEYS.get(name, "")


def _merged(base: list[Any], change: list[Any], key: str, kind: str) -> list[Any]:
    """What the patch names comes first, in the patch's order."""
    if not all(isinstance(item, dict) and key in item for item in (*base, *change)):
        raise CannotRender(f"patches: an entry of a list lacks {key}, by which it would be merged")
    left = {item[key]: item for item in base}
    first = []
    for item in change:
        known = left.pop(item[key], {})
        _merge(known, item, kind)
        first.append(known)
    return [*first, *left.values()]
