"""Without the cluster: the commit statuses that Flux's notification-controller posts (fixtures/flux/README.md, Notifications)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bot.adapters.flux.receiver import Receiver
from bot.adapters.flux.wording import LIMIT, excerpt
from bot.core.target import Flux
from bot.core.telling import at, commit
from bot.core.verdict import Claim, Evidence, Outcome, Verdict
from bot.ports import Refused, Retryable

Statuses = Callable[[str], Sequence[tuple[str, str, str, datetime]]]

_MOST_COMMITS = 10
_LATER = timedelta(seconds=30)
# Descriptions of what is not the commit's failure (05, 08, 13c).
_HELD_UP = ("artifact failed", "dependency not ready", "health check canceled")


@dataclass(frozen=True, slots=True)
class Posted:
    """The newest word about one commit, and since when it is said; of several clusters' words the worst counts."""

    commit: str
    good: bool
    description: str
    at: datetime


class FluxStatus:
    """Fills the port `Cluster` for a `Flux` through the forge: no access to the cluster is needed.

    It knows less: no pods, no image, and without `wait: true` a success says only that manifests were applied. A commit
    that Flux has skipped never gets a status, so later commits of the claim count too.
    """

    def __init__(
        self, statuses: Statuses, ask: Callable[[], str] | None = None, *, timeout: float = 10
    ) -> None:
        """`statuses` gives a commit's statuses: context, state, description and time of each, in any order.

        `ask` gives the whole address of a Receiver of `type: generic`, which is a secret; `timeout` in seconds for it.
        """
        self._statuses = statuses
        self._receiver = Receiver(ask, timeout=timeout) if ask is not None else None

    def look(self, rollout: Flux, claim: Claim, now: datetime) -> Verdict:
        """Judge what is posted now. Out of reach is INCONCLUSIVE."""
        try:
            own = self._posted(rollout, (claim.commit, *claim.contains))
            others = tuple(item for item in claim.later if item not in {claim.commit, *claim.contains})
            later = self._posted(rollout, others)
        except (Refused, Retryable) as problem:
            return Verdict(
                Outcome.INCONCLUSIVE, excerpt(f"Flux: {problem}", LIMIT), taken_in=False, again=_LATER
            )
        return judge_posted(own, later, claim, now)

    def ask_to_sync(self, rollout: Flux) -> None:
        """Have Flux fetch now, where a Receiver is configured; it fetches by itself otherwise, and that is no error."""
        if self._receiver is not None:
            self._receiver()

    def terminate(self, rollout: Flux) -> None:
        """Nothing: Flux has no operation that could be ended from outside."""

    def advice(self, rollout: Flux) -> Sequence[str]:
        """What cannot be seen this way."""
        name = excerpt(rollout.kustomization, 80)
        found = [
            f"rollouts of {name} are judged by commit statuses: they say nothing of pods and images, and without"
            " `wait: true` a success says only that manifests were applied; add a check that asks the model itself"
        ]
        if rollout.helm_release is not None:
            found.append(
                "a HelmRelease posts no commit status: the Kustomization must wait for it (`wait: true`)"
            )
        if self._receiver is None:
            found.append("no Receiver is configured, so Flux is not asked to fetch after a merge: it polls")
        return tuple(found)

    def _posted(self, rollout: Flux, commits: Sequence[str]) -> tuple[Posted, ...]:
        """Of the newest commits, newest first, those about which something is posted."""
        context = re.compile(rf"kustomization/{re.escape(rollout.kustomization)}/[0-9a-f]{{8}}")
        found = (
            _newest(one, self._statuses(one), context) for one in tuple(reversed(commits))[:_MOST_COMMITS]
        )
        return tuple(item for item in found if item is not None)


def judge_posted(own: Sequence[Posted], later: Sequence[Posted], claim: Claim, now: datetime) -> Verdict:
    """The verdict from what is posted about commits with the image, and about later ones with another; newest first."""
    verdict = _judged(own, later, claim, now)
    answers = [
        Evidence("flux", f"Statuses of {commit(item.commit)}", now, _said(item), verdict.outcome)
        for item in own
    ]
    return replace(verdict, evidence=tuple(answers[:4]))


def _judged(own: Sequence[Posted], later: Sequence[Posted], claim: Claim, now: datetime) -> Verdict:
    late, again = now - claim.merged_at > claim.deadline, timedelta(seconds=10)
    if later:
        another = f"{commit(later[0].commit)}, which has another image,"
        if own and not own[0].good and own[0].description.lower() not in _HELD_UP:
            return Verdict(Outcome.FAILED, f"Flux: {_said(own[0])}, before {another} took its place")
        return Verdict(Outcome.SUPERSEDED, f"Flux: {another} takes the place of {commit(claim.commit)}")
    if not own:
        because = f"Flux: nothing is posted about {commit(claim.commit)} yet"
        if late:
            because += "; the deadline has passed: does an Alert post commit statuses for this Kustomization?"
            return Verdict(Outcome.INCONCLUSIVE, because, taken_in=False)
        return Verdict(Outcome.PENDING, because, taken_in=False, again=again)
    newest = own[0]
    if newest.good:
        return _settled(newest, claim, now)
    because = f"Flux: {_said(newest)}"
    if newest.description.lower() in _HELD_UP:
        return Verdict(Outcome.INCONCLUSIVE, f"{because}, which is not this commit's doing", again=again)
    if not late:
        return Verdict(Outcome.PENDING, f"{because}; Flux tries again", again=again)
    if any(item.good for item in own):
        return Verdict(
            Outcome.INCONCLUSIVE, f"{because}, after an earlier commit with the image had come through"
        )
    return Verdict(Outcome.FAILED, f"{because}; the deadline has passed")


def _settled(newest: Posted, claim: Claim, now: datetime) -> Verdict:
    since = max(newest.at, claim.merged_at)
    if now < since + claim.settle:
        because = f"Flux: {_said(newest)}, and must stay so until {at(since + claim.settle)}"
        return Verdict(Outcome.PENDING, because, again=since + claim.settle - now)
    return Verdict(
        Outcome.SUCCEEDED, f"Flux: {_said(newest)}; which pods run is not seen through commit statuses"
    )


def _said(item: Posted) -> str:
    word = "success" if item.good else "failure"
    return f"{commit(item.commit)} has {word} ({excerpt(item.description, 80)}) since {at(item.at)}"


def _newest(
    about: str, statuses: Sequence[tuple[str, str, str, datetime]], context: re.Pattern[str]
) -> Posted | None:
    """The newest of each context, a success that is said again (23) since the first time; then the first failure, else
    the success that came last.
    """
    known: dict[str, Posted] = {}
    dated = [
        (moment if moment.tzinfo else moment.replace(tzinfo=UTC), name, state, description)
        for name, state, description, moment in statuses
    ]
    for moment, name, state, description in sorted(dated):
        if not context.fullmatch(name) or state not in ("success", "failure", "error"):
            continue
        good = state == "success"
        if name not in known or known[name].good != good:
            known[name] = Posted(about, good, description, moment)
        elif not good:
            known[name] = replace(known[name], description=description)
    if not known:
        return None
    failures = [item for item in known.values() if not item.good]
    return failures[0] if failures else max(known.values(), key=lambda item: item.at)
