"""What pages and metrics say about targets: pure functions from catalogue, standings, queue and time."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from bot.core.target import (
    AlertsCheck,
    ArgoCD,
    Catalogue,
    Check,
    HttpCheck,
    PredictionCheck,
    PrometheusCheck,
    Rollout,
    Target,
    Workload,
)
from bot.ports import Queued, Standing


class State(StrEnum):
    """A target in one word, for people in a hurry."""

    LIVE = "live"
    PROPOSED = "proposed"
    VERIFYING = "verifying"
    MOVING = "in progress"
    HELD = "held"
    FAILED = "does not serve"
    FAILING = "passes fail"
    PAUSED = "paused"
    IDLE = "nothing wanted"
    UNSEEN = "not looked at yet"


TONE: Mapping[State, str] = {
    State.LIVE: "good",
    State.PROPOSED: "ask",
    State.VERIFYING: "busy",
    State.MOVING: "busy",
    State.HELD: "ask",
    State.FAILED: "bad",
    State.FAILING: "bad",
    State.PAUSED: "calm",
    State.IDLE: "calm",
    State.UNSEEN: "calm",
}

STALE = timedelta(hours=1)  # a target that nobody looked at for so long is marked

_HELD = re.compile(r"version \S+ is held: ")
_FAILED_ACTIONS = ("open revert", "mark failed")


@dataclass(frozen=True, slots=True)
class Cell:
    """One of the three columns. `differs` says in words from what, empty where it agrees; `absent` is for no value."""

    title: str
    value: str | None
    differs: str = ""
    absent: str = "unknown"


@dataclass(frozen=True, slots=True)
class Row:
    """A target as the pages show it; `target` is None for one that is no longer in promotions.yaml."""

    name: str
    target: Target | None
    state: State
    cells: tuple[Cell, ...]
    sentence: str
    next_look: str
    standing: Standing | None = None
    problem: str = ""

    @property
    def tone(self) -> str:
        """good, busy, ask (a person is needed), bad or calm."""
        return TONE[self.state]


def is_held(standing: Standing) -> bool:
    """Whether the last decision was to wait for a person to release the version (`core/decide.py`, situation 4)."""
    return _HELD.match(standing.because) is not None


def state_of(target: Target | None, standing: Standing | None, queued: Queued | None) -> State:
    """The one word; the first situation that fits."""
    if target is not None and target.paused:
        return State.PAUSED
    if standing is None:
        return State.FAILING if queued is not None and queued.state == "failing" else State.UNSEEN
    if standing.failures or (queued is not None and queued.state == "failing"):
        return State.FAILING
    if is_held(standing):
        return State.HELD
    if standing.action in _FAILED_ACTIONS or " does not serve" in standing.because:
        return State.FAILED
    if standing.wanted is None:
        return State.IDLE
    if standing.wanted == standing.pinned:
        return State.LIVE if standing.live == standing.pinned else State.VERIFYING
    return State.PROPOSED if standing.proposals else State.MOVING


def cells(standing: Standing | None) -> tuple[Cell, ...]:
    """Wanted, pinned and live, each marked where it is not what it should be."""
    if standing is None:
        return (Cell("wanted", None), Cell("pinned", None), Cell("live", None))
    wanted, pinned, live = standing.wanted, standing.pinned, standing.live
    off = unproven = ""
    if wanted is not None:
        off = "" if pinned == wanted else "differs from what is wanted"
        unproven = (
            "not proven live" if live is None else "" if live == pinned else "differs from what is pinned"
        )
    return (
        Cell("wanted", wanted, absent="nothing"),
        Cell("pinned", pinned, off, absent="no tag"),
        Cell("live", live, unproven, absent="not proven"),
    )


def row(name: str, target: Target | None, standing: Standing | None, queued: Queued | None) -> Row:
    """A target with everything that a page says about it."""
    return Row(
        name=name,
        target=target,
        state=state_of(target, standing, queued),
        cells=cells(standing),
        sentence=standing.because if standing is not None else "The bot has not looked at this target yet.",
        next_look=_next_look(queued),
        standing=standing,
        problem=queued.problem if queued is not None and queued.state == "failing" else "",
    )


def rows(catalogue: Catalogue, standings: Mapping[str, Standing], queued: Iterable[Queued]) -> list[Row]:
    """Every target of the catalogue, by name, so that a page's lines stay where they are."""
    waiting = {item.target: item for item in queued}
    return [
        row(name, catalogue.targets[name], standings.get(name), waiting.get(name))
        for name in sorted(catalogue.targets)
    ]


def summary(shown: Iterable[Row]) -> list[tuple[State, str, int]]:
    """How many targets are in which state, with the state's tone, in the order of `State`."""
    counted = Counter(item.state for item in shown)
    return [(state, TONE[state], counted[state]) for state in State if counted[state]]


def _next_look(queued: Queued | None) -> str:
    if queued is None:
        return "at the next event or sweep"
    if queued.state == "running":
        return "now: a pass is running"
    if queued.due_in is None or queued.due_in <= timedelta(0):
        return "now: it is next in the queue"
    return f"in {span(queued.due_in)}"


def rollout(followed: Rollout) -> str:
    """What brings the cluster to a commit, with names between backticks."""
    if isinstance(followed, ArgoCD):
        return f"Argo CD application {_code(followed.application)}"
    within = f"Flux kustomization {_code(f'{followed.namespace}/{followed.kustomization}')}"
    if followed.helm_release is None:
        return within
    namespace = followed.helm_namespace or followed.namespace
    return f"{within} and its Helm release {_code(f'{namespace}/{followed.helm_release}')}"


def check(wanted: Check) -> str:
    """What a proof asks, with names between backticks."""
    match wanted:
        case HttpCheck(url=url):
            return _code(url)
        case PredictionCheck(url=url):
            return f"a prediction of {_code(url)}"
        case PrometheusCheck(query=query):
            return f"the query {_code(query)}"
        case AlertsCheck(labels=labels):
            return f"no alerts with {_code(', '.join(f'{name}={value}' for name, value in labels.items()))}"
        case Workload(kind=kind, namespace=namespace, name=name):
            return f"the {kind} {_code(f'{namespace}/{name}')}"


def _code(text: str) -> str:
    return f"`{' '.join(text.replace('`', ' ').split())[:300]}`"


def span(length: timedelta) -> str:
    """`12 s`, `3 min`, `5 h`, `2 days`: the largest unit that fits, rounded down."""
    seconds = int(length.total_seconds())
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (seconds >= size and unit != "days"):
            return f"{seconds // size} {unit}"
    return f"{max(seconds, 0)} s"


def ago(moment: datetime, now: datetime) -> str:
    """`just now`, `12 s ago`, `3 min ago`; a moment to come is `in 3 min`."""
    passed = now - moment
    if passed < timedelta(0):
        return f"in {span(-passed)}" if passed < -timedelta(seconds=2) else "just now"
    return "just now" if passed < timedelta(seconds=2) else f"{span(passed)} ago"


def web_address(url: str | None) -> str | None:
    """The URL if a page may link to it: http or https, with a host, without blanks, control characters or a login."""
    if not url or len(url) > 2000 or re.search(r"[\s\x00-\x1f\x7f\\<>\"'`]", url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    fine = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    return url if fine else None
