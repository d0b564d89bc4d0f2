"""Ask every verifier of a target about the commit that is pinned, and make one verdict of the answers."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from bot.core.model import (
    AlertsCheck,
    HttpCheck,
    Kind,
    PredictionCheck,
    Probe,
    PrometheusCheck,
    Snapshot,
    Workload,
)
from bot.core.names import ANSWER_TAG
from bot.core.verdict import Claim, Outcome, Verdict, combine
from bot.engine.memory import about, since
from bot.engine.reading import document
from bot.ports import Expected, World

GOOD, BAD, DONE = "good", "bad", "done"


def verify(look: Snapshot, world: World) -> Snapshot:
    """The look with its verdict, and what is to be remembered about it.

    First what runs the release must say that it is rolled out; before that the probes would ask the old version, and
    metrics would be its.
    """
    cluster = tuple(_cluster(look, world))
    if any(verdict.outcome is not Outcome.SUCCEEDED for verdict in cluster):
        return _judged(look, cluster)
    rolled_out = since(world, about(look, "rolled-out"), DONE) or look.now
    look = _noting(look, "rolled-out", DONE)
    probes = tuple(_probes(look, world))
    good = all(verdict.outcome is Outcome.SUCCEEDED for verdict in probes)
    look = _noting(look, "probes", GOOD if good else BAD) if probes else look
    watches = [
        world.monitoring.watch(check, merged_at(look), rolled_out, look.now)
        for check in look.target.verify
        if isinstance(check, PrometheusCheck | AlertsCheck)
    ]
    return _judged(look, (*cluster, *probes, *watches))


def good_since(look: Snapshot, world: World) -> datetime | None:
    """Since when every verdict about the pinned commit has been good."""
    return since(world, about(look, "verdict"), GOOD)


def _judged(look: Snapshot, verdicts: tuple[Verdict, ...]) -> Snapshot:
    verdict = combine(verdicts)
    # What could not be asked is no flap: it neither counts for the bake time nor starts it anew.
    if look.target.bake and verdict.outcome is not Outcome.INCONCLUSIVE:
        look = _noting(look, "verdict", GOOD if verdict.outcome is Outcome.SUCCEEDED else BAD)
    return replace(look, verdict=verdict)


def _noting(look: Snapshot, what: str, value: str) -> Snapshot:
    return replace(look, notes=(*look.notes, (about(look, what), value)))


def _cluster(look: Snapshot, world: World) -> Iterable[Verdict]:
    asked = claim(look)
    if look.target.rollout is not None:
        yield world.cluster.look(look.target.rollout, asked, look.now)
    for check in look.target.verify:
        if isinstance(check, Workload):
            yield world.cluster.look(check, asked, look.now)


def _probes(look: Snapshot, world: World) -> Iterable[Verdict]:
    checks = [check for check in look.target.verify if isinstance(check, HttpCheck | PredictionCheck)]
    expected = _expected(look, world, checks)
    bad_since = since(world, about(look, "probes"), BAD)
    for check in checks:
        # Whoever wrote a tag by hand named no version whose example could be sent, or that could answer.
        if look.pinned_version or isinstance(check, HttpCheck):
            yield _patient(look, check, bad_since, world.prober.probe(check, expected, look.now))


def _patient(look: Snapshot, check: Probe, bad_since: datetime | None, verdict: Verdict) -> Verdict:
    """A bad answer counts after all attempts, no answer after the deadline; both windows open with the first bad look.

    They do not count from the merge: a rollout may have taken long, or the bot may have been away.
    """
    waited = look.now - bad_since if bad_since is not None else timedelta(0)
    if verdict.outcome is Outcome.FAILED and waited < check.attempts * check.interval:
        because = f"{verdict.because}; trying again"
        return replace(verdict, outcome=Outcome.PENDING, because=because, again=check.interval)
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


def _expected(look: Snapshot, world: World, checks: Iterable[Probe]) -> Expected:
    """Whom the probes must find; the input example is fetched only when something is going to send it."""
    version, target = look.pinned_version or "", look.target
    holes = {
        "version": version,
        "tag": look.pinned.value.tag or "",
        "commit": look.pinned.commit,
        "model": target.model,
        "environment": target.environment,
    }
    bare = Expected(target.model, version, placeholders=holes)
    if not version or not any(isinstance(check, PredictionCheck) for check in checks):
        return bare
    details = world.registry.version(target.model, version)
    if details is None:
        return bare
    return replace(
        bare,
        example=world.registry.input_example(target.model, version),
        outputs=details.signature.outputs if details.signature is not None else None,
        answer=document(details.tags.get(ANSWER_TAG)),
    )
