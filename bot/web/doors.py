"""Everything that the web may touch, handed in by `wiring`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.core.target import Catalogue
from bot.ports import Inbox, Journal, Queue
from bot.web.metrics import Metrics


def _no_secrets() -> Sequence[str]:
    return ()


def _no_repetitions(ids: Sequence[int]) -> Mapping[int, tuple[datetime, int]]:
    return {}


def _alive() -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The web's whole world. Callables are asked on every request, so that secrets and targets may change.

    `wake` has a target looked at soon. `release` lifts a hold and returns what it did in a sentence. Whoever presses its
    button must know `operator_token`; hand in `release` without one only where whoever reaches the page may do that,
    because the page knows no logins. An empty token lets nobody in. `alive` says whether the loop runs,
    and `leads` whether this replica is the one that looks at targets; None where there is one only.
    `repetitions` says of journal entries when each was first made and how often in a row. `github_login` is the
    bot's own account; `manifests_repository` (`owner/name`) and `base_branch` say which pushes matter.
    """

    catalogue: Callable[[], Catalogue]
    journal: Journal
    inbox: Inbox
    queue: Queue
    wake: Callable[[str], None]
    clock: Callable[[], datetime]
    metrics: Metrics
    version: str = "unknown"
    mlflow_secrets: Callable[[], Sequence[str]] = _no_secrets
    github_secrets: Callable[[], Sequence[str]] = _no_secrets
    argocd_secrets: Callable[[], Sequence[str]] = _no_secrets
    flux_secrets: Callable[[], Sequence[str]] = _no_secrets
    alertmanager_secrets: Callable[[], Sequence[str]] = _no_secrets
    github_login: str | None = None
    manifests_repository: str | None = None
    base_branch: str | None = None
    alive: Callable[[], bool] = _alive
    leads: Callable[[], bool] | None = None
    release: Callable[[str], str] | None = None
    operator_token: Callable[[], str] | None = None
    repetitions: Callable[[Sequence[int]], Mapping[int, tuple[datetime, int]]] = _no_repetitions
    sandbox: bool = False
