"""Ask every verifier of a target about the commit that is pinned, and make one verdict of the answers."""

from dataclasses import replace
from datetime import datetime, timedelta

from bot.core.model import Check, HttpCheck, Kind, Snapshot
from bot.core.verdict import Claim, Outcome, Verdict, combine
from bot.ports import Expected, Refused, Retryable, World

PROBE_EVERY = timedelta(seconds=2)


def verify(look: Snapshot, world: World) -> Snapshot:
    """The look with its verdict. Probes wait for the rollout: before it they would ask the old version."""
    target = look.target
    rollout = (
        world.cluster.look(target.rollout, claim(look), look.now) if target.rollout is not None else None
    )
    verdicts = () if rollout is None else (rollout,)
    if rollout is not None and rollout.outcome is not Outcome.SUCCEEDED:
        return replace(look, verdict=combine(verdicts))
    since = remembered(world, probing_key(look))
    expected = _expected(look, world)
    probes = [
        _patient(look, check, since, world.prober.probe(check, expected, look.now))
        for check in target.verify
        # Whoever wrote a tag by hand named no version whose example could be sent, or that could answer.
        if look.pinned_version or isinstance(check, HttpCheck)
    ]
    probing = any(probe.outcome is not Outcome.SUCCEEDED for probe in probes)
    return replace(look, verdict=combine((*verdicts, *probes)), probing=probing)


def probing_key(look: Snapshot) -> str:
    """Where the journal remembers since when the probes of a commit have not been good."""
    return f"probing:{look.target.name}:{look.pinned.commit}"


def remembered(world: World, key: str) -> datetime | None:
    """When something was noted; None also while the journal is out of reach, as it is only a cache."""
    try:
        found = world.journal.recall(key)
    except (Refused, Retryable):
        return None
    return found[1] if found is not None else None


def _patient(look: Snapshot, check: Check, since: datetime | None, verdict: Verdict) -> Verdict:
    """A bad answer counts after all attempts, no answer after the deadline; both windows open with the first bad look.

    They do not count from the merge: a rollout may have taken long, or the bot may have been away.
    """
    waited = look.now - since if since is not None else timedelta(0)
    if verdict.outcome is Outcome.FAILED and waited < check.attempts * PROBE_EVERY:
        because = f"{verdict.because}; trying again"
        return replace(verdict, outcome=Outcome.PENDING, because=because, again=PROBE_EVERY)
    if verdict.outcome is Outcome.PENDING and waited > look.target.deadline:
        return replace(
            verdict, outcome=Outcome.FAILED, because=f"not good by the deadline: {verdict.because}"
        )
    return verdict


def merged_at(look: Snapshot) -> datetime:
    """When the pinned commit came to the base branch: a commit that was made long before may be pushed today."""
    ended = look.brought_by.ended_at if look.brought_by is not None else None
    return max(look.pinned.changed_at, ended) if ended is not None else look.pinned.changed_at


def claim(look: Snapshot) -> Claim:
    """What the verifiers are to prove about the pinned commit."""
    pinned, target = look.pinned, look.target
    repository = pinned.value.repository or target.image
    return Claim(
        commit=pinned.commit,
        image=str(replace(pinned.value, repository=repository)),
        merged_at=merged_at(look),
        settle=target.settle,
        deadline=target.deadline,
        revert=look.brought_by is not None and look.brought_by.kind is Kind.REVERT,
        contains=pinned.later,
        later=pinned.later,
    )


def _expected(look: Snapshot, world: World) -> Expected:
    """Whom the probes must find; the input example is fetched only when something is going to send it."""
    version, model = look.pinned_version or "", look.target.model
    predicts = any(not isinstance(check, HttpCheck) for check in look.target.verify)
    if not version or not predicts:
        return Expected(model, version)
    details = world.registry.version(model, version)
    outputs = details.signature.outputs if details is not None and details.signature is not None else None
    names = tuple(field.name for field in outputs) if outputs else None
    return Expected(model, version, example=world.registry.input_example(model, version), outputs=names)
