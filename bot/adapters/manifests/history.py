"""Read pins at a commit, and which commit made them say what they say."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.adapters.manifests import pins, references
from bot.adapters.manifests.git import lines
from bot.adapters.manifests.mirror import Mirror
from bot.adapters.manifests.objects import TreeEntry
from bot.core import names
from bot.core.model import Branch, Pinned, PinValue
from bot.core.target import MarkerPin, Target
from bot.ports import Refused

_LINKS = {"120000": "a symbolic link", "160000": "a submodule", "040000": "a folder"}
# The newest change of the file is mostly that of the pin: looked at in growing steps, since git walks as far as asked.
# Each step is one process and at most one request.
_STEPS = (1, 15, 240, 3840)
# Names and messages are hostile text: only NUL, which they cannot have, separates them.
_AUTHOR_AND_TRAILERS = "%an%x00%(trailers:only=true,unfold=true,separator=%x00)"

_MOST_MARKED = 10_000

State = Mapping[str, TreeEntry]
"""What stood at the paths of a target's pins."""


@dataclass(frozen=True)
class _Step:
    """A first-parent commit that touched a pin's file, and what stood at the paths before it."""

    commit: str
    at: datetime
    before: State


def entries_for(mirror: Mirror, commit: str, targets: Sequence[Target]) -> State:
    """What a commit has at the paths of all these targets' pins, markers aside, in one question."""
    wanted = list(dict.fromkeys(path for target in targets for path in _paths(target)))
    return mirror.objects.entries(commit, wanted) if wanted else {}


def _paths(target: Target) -> list[str]:
    try:
        return list(pins.paths([pin for pin in target.pins if not isinstance(pin, MarkerPin)]))
    except Refused:
        return []  # said when its own state is asked for


def state_at(mirror: Mirror, commit: str, target: Target, known: State | None = None) -> State:
    """What a commit has at the paths of the pins; `Refused` for links and where every path of a pin is missing."""
    folders = pins.folders(target.pins)
    marked = mirror.objects.below(commit, folders) if folders else {}
    if len(marked) > _MOST_MARKED:
        raise Refused(f"{len(marked):,} YAML files may have markers; name a smaller folder in `markers:`")
    wanted = pins.paths([pin for pin in target.pins if not isinstance(pin, MarkerPin)])
    if known is not None:
        state: State = {path: known[path] for path in wanted if path in known}
    else:
        state = mirror.objects.entries(commit, wanted) if wanted else {}
    for path, entry in state.items():
        if entry.mode in _LINKS:
            raise Refused(f"{path} is {_LINKS[entry.mode]}; let the pin name the file itself")
    for pin in target.pins:
        candidates = pins.paths([pin])
        if isinstance(pin, MarkerPin):
            continue
        if not any(path in state for path in candidates):
            _refuse_links_above(mirror, commit, candidates[0])
    return {**marked, **state}


def _refuse_links_above(mirror: Mirror, commit: str, path: str) -> None:
    for above in itertools.accumulate(path.split("/")[:-1], lambda folder, name: f"{folder}/{name}"):
        entry = mirror.objects.entries(commit, [above]).get(above)
        if entry is not None and entry.mode in ("120000", "160000"):
            raise Refused(
                f"{above}, on the way to {path}, is {_LINKS[entry.mode]}; write the path that it leads to"
            )


def files(mirror: Mirror, state: State) -> dict[str, bytes]:
    """The bytes of a state's plain files."""
    oids = {path: entry.oid for path, entry in state.items() if entry.mode not in _LINKS}
    blobs = mirror.objects.blobs(oids.values())
    return {path: blobs[oid] for path, oid in oids.items()}


def value_or_none(mirror: Mirror, state: State, target: Target) -> PinValue | None:
    """What the pins say in a state, or None where they say nothing together."""
    try:
        return pins.value(target, files(mirror, state))
    except Refused:
        return None


def pinned(mirror: Mirror, head: str, target: Target) -> Pinned:
    """What the pins say at `head` of the base branch, and the newest first-parent commit that made it so.

    Where a person has changed some of them by hand, what the others still say, with the disagreement as `partly`.
    """
    state = state_at(mirror, head, target)
    try:
        value = pins.value(target, files(mirror, state))
    except pins.Disagreement as problem:
        return _partly(mirror, head, target, state, problem)
    step, before = _change(mirror, head, target, state, value)
    author, trailers = _author_and_trailers(mirror, step.commit)
    later = lines(mirror.git.run("rev-list", "--first-parent", "--reverse", f"{step.commit}..{head}"))
    return Pinned(
        value=value,
        commit=step.commit,
        changed_at=step.at,
        author=author,
        before=before,
        trailers=trailers,
        head=head,
        later=tuple(later),
    )


def _partly(mirror: Mirror, head: str, target: Target, state: State, problem: pins.Disagreement) -> Pinned:
    """What all pins said last, as long as one of them still says it; otherwise the disagreement is raised."""
    content = files(mirror, state)
    for step in _touching(mirror, head, pins.paths(target.pins), state, (0, _STEPS[2])):
        together = value_or_none(mirror, step.before, target)
        if together is None:
            continue
        if not pins.any_says(target, content, together):
            break
        agreed = pinned(mirror, f"{step.commit}^", target)
        later = lines(mirror.git.run("rev-list", "--first-parent", "--reverse", f"{agreed.commit}..{head}"))
        return dataclasses.replace(agreed, head=head, later=tuple(later), partly=str(problem))
    raise problem


def still_pinned(mirror: Mirror, head: str, target: Target, known: Pinned) -> Pinned | None:
    """What is known from an earlier head, carried on to `head`; None when a commit since then touched a pin's file.

    It costs what happened since, where `pinned` may walk the whole history of a file that seldom changes.
    """
    since = f"{known.head}..{head}"
    out = mirror.git.run("rev-list", "--first-parent", "--reverse", "--parents", since).decode()
    commits = [line.split(" ") for line in out.splitlines()]
    if not commits or len(commits[0]) < 2 or commits[0][1] != known.head:
        return None
    touched = mirror.git.run(
        "rev-list", "--first-parent", "--max-count=1", since, "--", *pins.paths(target.pins)
    )
    if touched:
        return None
    later = (*known.later, *(commit for commit, *_ in commits))
    return dataclasses.replace(known, head=head, later=later)


def _change(
    mirror: Mirror, head: str, target: Target, state: State, value: PinValue
) -> tuple[_Step, PinValue | None]:
    paths = pins.paths(target.pins)
    done, step = 0, None
    for size in _STEPS:
        steps = list(_touching(mirror, head, paths, state, (done, size)))
        mirror.objects.blobs(
            {entry.oid for step in steps for entry in step.before.values() if entry.mode not in _LINKS}
        )
        for step in steps:
            before = value_or_none(mirror, step.before, target)
            if before is None or not references.same(before, value):
                return step, before
        if len(steps) < size:
            break
        done, state = done + size, steps[-1].before
    if step is None:
        raise Refused(
            f"no commit of the base branch made the pins of {target.name}; its history must be complete"
        )
    return step, None


def _touching(
    mirror: Mirror, head: str, paths: Sequence[str], state: State, window: tuple[int, int]
) -> Iterator[_Step]:
    skip, size = window
    options = (
        "--first-parent",
        "--raw",
        "--no-abbrev",
        "--no-renames",
        "-z",
        f"--skip={skip}",
        f"--max-count={size}",
    )
    out = mirror.git.run("log", *options, "--format=%x1c%H %cI%x1c", head, "--", *paths)
    records = out.decode(errors="surrogateescape").split("\x1c")[1:]
    for fields, changes in zip(records[::2], records[1::2], strict=True):
        commit, at = fields.split(" ")
        state = _undone(state, changes)
        yield _Step(commit, datetime.fromisoformat(at), state)


def _undone(state: State, changes: str) -> State:
    """The state before a commit, from the raw diff that git prints for it."""
    tokens = [token.lstrip("\n") for token in changes.split("\0")]
    tokens = [token for token in tokens if token]
    before = dict(state)
    for meta, path in zip(tokens[::2], tokens[1::2], strict=True):
        mode, _, oid, _, _ = meta.lstrip(":").split(" ")
        if mode == "000000":
            before.pop(path, None)
        else:
            before[path] = TreeEntry(mode, oid)
    return before


def _author_and_trailers(mirror: Mirror, commit: str) -> tuple[str, dict[str, str]]:
    out = mirror.git.run("log", "--no-walk", f"--format={_AUTHOR_AND_TRAILERS}", commit)
    author, *trailers = out.decode(errors="replace").split("\0")
    pairs = (trailer.partition(":") for trailer in trailers)
    return author, {key.strip(): value.strip() for key, separator, value in pairs if separator}


def branch(mirror: Mirror, base: str, name: str, head: str, target: Target) -> Branch:
    """A branch of the bot's with what it pins, what it replaces, and the commits on it that are not the bot's."""
    # Someone may have put unrelated history there: then there is no fork, and all of it is foreign.
    fork = mirror.git.ask("merge-base", base, head).out.decode().strip()
    return Branch(
        name=name,
        head=head,
        value=_value_at(mirror, head, target),
        replaces=_value_at(mirror, fork, target) if fork else None,
    )


def _value_at(mirror: Mirror, commit: str, target: Target) -> PinValue | None:
    try:
        return value_or_none(mirror, state_at(mirror, commit, target), target)
    except Refused:
        return None


def foreign(mirror: Mirror, base: str, head: str, email: str) -> tuple[str, ...]:
    """The commits of a branch that are not on the base branch and not the bot's, oldest first.

    The bot's have its address as committer and name their target in a trailer.
    """
    trailer = f"%(trailers:key={names.TRAILER_TARGET},valueonly=true,separator=%x2C)"
    out = mirror.git.run("log", "-z", "--reverse", f"--format=%H%x00%ce%x00{trailer}", f"{base}..{head}")
    fields = out.decode(errors="replace").split("\0")[:-1]
    commits = zip(fields[::3], fields[1::3], fields[2::3], strict=True)
    return tuple(
        commit for commit, committer, targets in commits if committer != email or not targets.strip()
    )
