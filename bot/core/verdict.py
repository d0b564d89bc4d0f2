"""What a verification says, and how several become one."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Outcome(StrEnum):
    """The five answers. Only FAILED ever leads to a revert."""

    SUCCEEDED = "succeeded"
    PENDING = "pending"
    INCONCLUSIVE = "inconclusive"  # an answer that never came, or that says nothing about this release
    SUPERSEDED = "superseded"  # a later commit replaced the release before it could be judged
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that was asked: by which verifier, what, when, and what came back (bounded, hostile text)."""

    verifier: str
    asked: str
    at: datetime
    answer: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Claim:
    """What is to be proven: this commit of the base branch, with this image, serves.

    `contains` are later first-parent commits whose tree still carries the image, `later` all later ones, oldest
    first. `image` is `repository:tag@digest`, without the parts that the pin does not carry. A `revert` restores an
    earlier image, perhaps the one that runs anyway (fixtures/argocd, section (a)). Deadlines start at `merged_at`.
    """

    commit: str
    image: str
    merged_at: datetime
    settle: timedelta
    deadline: timedelta
    revert: bool = False
    contains: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    repository_url: str | None = None
    deployment: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome with the sentence for people and the evidence for it.

    `taken_in` is whether the cluster has begun with the commit: false means that asking it to look now may help.
    `again` is when to look again at the latest, for a verdict that time alone can change. `blocked` says that an
    operation of another commit keeps this one from being applied, and that ending it would help.
    """

    outcome: Outcome
    because: str
    evidence: tuple[Evidence, ...] = ()
    taken_in: bool = True
    again: timedelta | None = None
    blocked: bool = False


# The worst answer wins; what failed wins over what is not known, what is not known over what is not done.
_ORDER = (Outcome.SUPERSEDED, Outcome.FAILED, Outcome.INCONCLUSIVE, Outcome.PENDING, Outcome.SUCCEEDED)


def combine(verdicts: tuple[Verdict, ...]) -> Verdict:
    """One verdict of several that must all agree; its sentence is that of the weightiest one.

    Without any verdict nothing was to be proven, and that is said.
    """
    if not verdicts:
        return Verdict(Outcome.SUCCEEDED, "nothing is configured to verify, so merged counts as live")
    weightiest = min(verdicts, key=lambda verdict: _ORDER.index(verdict.outcome))
    because = (
        "; ".join(v.because for v in verdicts)
        if weightiest.outcome is Outcome.SUCCEEDED
        else weightiest.because
    )
    waits = [verdict.again for verdict in verdicts if verdict.again is not None]
    return Verdict(
        outcome=weightiest.outcome,
        because=because,
        evidence=tuple(item for verdict in verdicts for item in verdict.evidence),
        taken_in=all(verdict.taken_in for verdict in verdicts),
        again=min(waits) if waits else None,
        blocked=any(verdict.blocked for verdict in verdicts),
    )
