"""Which commit an Application is about: of several sources, that of the one which holds the claim's commit."""

import re
from collections.abc import Mapping
from typing import Any

from bot.core.fields import child, maps, text, texts
from bot.core.verdict import Claim

_SHA = re.compile(r"[0-9a-f]{40}\Z")


def source_of(document: Mapping[str, Any], claim: Claim) -> int | None:
    """Which of several sources holds the commit: by its address, else by where a commit of the claim stands."""
    sources = maps(child(document, "spec"), "sources")
    if not sources:
        return None
    if claim.repository_url:
        wanted = _address(claim.repository_url)
        found = [i for i, item in enumerate(sources) if _address(text(item, "repoURL")) == wanted]
        if found:
            return found[0]
    commits = {claim.commit, *claim.contains, *claim.later}
    status = child(document, "status")
    state = child(status, "operationState")
    asked = child(child(state, "operation"), "sync")
    holders = (child(status, "sync"), child(state, "syncResult"), asked, *reversed(maps(status, "history")))
    places = (i for holder in holders for i, commit in enumerate(commits_in(holder)) if commit in commits)
    return next(places, -1)


def commits_in(holder: Mapping[str, Any]) -> tuple[str, ...]:
    """What stands in `revisions`, in the order of the sources, or alone in `revision`."""
    several = texts(holder.get("revisions"))
    return several or tuple(filter(None, (text(holder, "revision"),)))


def _address(url: str) -> str:
    """Host and path: one repository may be written `https://host/path.git` and `git@host:path`."""
    plain = url.strip().lower().rstrip("/").removesuffix(".git")
    scheme, separator, rest = plain.partition("://")
    if not separator:
        rest = scheme.replace(":", "/", 1)
    host, slash, path = rest.rpartition("@")[2].partition("/")
    port = host.rpartition(":")[2] if scheme in ("http", "https") and ":" in host else ""
    return f"{host.partition(':')[0]}{':' if port else ''}{port}{slash}{path}"


def revision_in(holder: Mapping[str, Any], source: int | None) -> str | None:
    """A commit; in place of one a branch name stands there while nothing could be compared."""
    value: Any = holder.get("revision")
    if source is not None:
        several = holder.get("revisions")
        value = several[source] if isinstance(several, list) and 0 <= source < len(several) else None
    return value if isinstance(value, str) and _SHA.match(value) else None


def hydrated(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document with commits of the branch that is merged into, where the source hydrator renders it into another.

    It knows them of its last two operations only (facts/products.md, 1.2); older ones stay what they are.
    """
    known = child(document, "status", "sourceHydrator")
    operations = (child(known, "lastSuccessfulOperation"), child(known, "currentOperation"))
    dry = {text(one, "hydratedSHA"): text(one, "drySHA") for one in operations}
    names = {wet: commit for wet, commit in dry.items() if _SHA.match(wet) and _SHA.match(commit)}
    return _renamed(document, names) if names else document


def _renamed(value: Any, names: Mapping[str, str], depth: int = 8) -> Any:
    if isinstance(value, Mapping) and depth:
        return {key: _renamed(item, names, depth - 1) for key, item in value.items()}
    if isinstance(value, list) and depth:
        return [_renamed(item, names, depth - 1) for item in value]
    return names.get(value, value) if isinstance(value, str) else value
