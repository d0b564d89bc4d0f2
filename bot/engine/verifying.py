"""Ask every verifier of a target about the commit that is pinned, and make one verdict of the answers."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.core.holds import merged_at
from bot.core.model import Kind, Snapshot
from bot.core.names import ANSWER_TAG
from bot.core.target import AlertsCheck, HttpCheck, PredictionCheck, Probe, PrometheusCheck, Workload
from bot.core.verdict import Claim, Outcome, Verdict, combine
from bot.engine.memory import Streak, about, recall, since
from bot.engine.reading import document
from bot.ports import Expected, Retryable, World

DONE, NOTHING = "done", "-"
# A streak of bad looks goes on only while the bot really looks.
GAP = timedelta(minutes=2)
SELDOM = timedelta(seconds=15)
# How far a query of the baseline may look back beyond its window.
LOOK_BACK = timedelta(minutes=10)


def verify(look: Snapshot, world: World, *, baseline: bool = False) -> Snapshot:
    """The look with its verdict, and what is to be remembered about it.

    First what runs the release must say that it is rolled out; before that the probes would ask the old version, and
    metrics would be its. A baseline asks the same of what has been live for long; alerts that fire tell nothing then.
    """
    cluster = tuple(_cluster(look, world))
    if any(verdict.outcome is not Outcome.SUCCEEDED for verdict in cluster):
        return _judged(_forgotten(look), cluster, world)
    rolled_out = since(world, about(look, "rolled-out"), DONE) or look.now
    look = _noting(look, "rolled-out", DONE)
    look, probes = _probed(look, world)
    watches = []
    for check in look.target.verify:
        if isinstance(check, PrometheusCheck):
            start = look.now - check.window - LOOK_BACK if baseline else rolled_out
            watches.append(world.monitoring.watch(check, merged_at(look), start, look.now))
        elif isinstance(check, AlertsCheck) and not baseline:
            watches.append(world.monitoring.watch(check, merged_at(look), rolled_out, look.now))
    return _judged(look, (*cluster, *probes, *watches), world)


def rolled_out(look: Snapshot) -> bool:
    """Whether this look got as far as asking the release itself."""
    return (about(look, "rolled-out"), DONE) in look.notes


def _judged(look: Snapshot, verdicts: tuple[Verdict, ...], world: World) -> Snapshot:
    look = replace(look, verdict=combine(verdicts))
    outcomes = {verdict.outcome for verdict in verdicts}
    if not look.target.bake:
        return look
    if outcomes - {Outcome.SUCCEEDED, Outcome.INCONCLUSIVE}:
        return _noting(look, "good", NOTHING)
    # What could not be asked is no flap: it does not start the bake time anew, and it does not count for it.
    return look if Outcome.INCONCLUSIVE in outcomes else _seen_good(look, world)


def _seen_good(look: Snapshot, world: World) -> Snapshot:
    """Good for longer by the time since the last good look, as far as the bot was really looking."""
    found = recall(world, about(look, "good"))
    good_for = timedelta(0)
    if found is not None and found[0] != NOTHING:
        seconds, _, last = found[0].partition(" ")
        with suppress(ValueError, TypeError):
            away = look.now - datetime.fromisoformat(last)
            good_for = timedelta(seconds=float(seconds)) + min(max(away, timedelta(0)), GAP)
    value = f"{good_for.total_seconds():.3f} {look.now.astimezone(UTC).isoformat()}"
    return replace(_noting(look, "good", value), good_for=good_for)


def _noting(look: Snapshot, what: str, value: str) -> Snapshot:
    return replace(look, notes=(*look.notes, (about(look, what), value)))


def _cluster(look: Snapshot, world: World) -> Iterable[Verdict]:
    asked = claim(look)
    if look.target.rollout is not None:
        yield world.cluster.look(look.target.rollout, asked, look.now)
    for check in look.target.verify:
        if isinstance(check, Workload):
            yield world.cluster.look(check, asked, look.now)


def _checks(look: Snapshot) -> list[tuple[int, Probe]]:
    """The probes with their place in the list, by which they are remembered.

    Whoever wrote a tag by hand named no version whose example could be sent, or that could answer.
    """
    return [
        (number, check)
        for number, check in enumerate(look.target.verify)
        if isinstance(check, HttpCheck) or (isinstance(check, PredictionCheck) and look.pinned_version)
    ]


def _forgotten(look: Snapshot) -> Snapshot:
    """While the rollout moves, what the probes said before it counts no more."""
    for number, _ in _checks(look):
        look = _cleared(look, number)
    return look


def _cleared(look: Snapshot, number: int) -> Snapshot:
    return _noting(_noting(look, f"wrong-{number}", NOTHING), f"silent-{number}", NOTHING)


def _again(look: Snapshot, what: str, check: Probe, world: World) -> tuple[Snapshot, Streak]:
    """One more bad look in a row, and the look that remembers it."""
    streak = Streak.read(world, about(look, what), look.now, GAP + check.interval).and_now(look.now)
    return _noting(look, what, str(streak)), streak


def _probed(look: Snapshot, world: World) -> tuple[Snapshot, tuple[Verdict, ...]]:
    checks = _checks(look)
    expected, silent = _expected(look, world, [check for _, check in checks])
    verdicts = []
    for number, check in checks:
        if silent is not None and isinstance(check, PredictionCheck):
            verdicts.append(Verdict(Outcome.INCONCLUSIVE, f"the model cannot be asked: {silent}"))
            continue
        look, verdict = _patient(look, number, check, world, world.prober.probe(check, expected, look.now))
        verdicts.append(verdict)
    return look, tuple(verdicts)


def _patient(
    look: Snapshot, number: int, check: Probe, world: World, verdict: Verdict
) -> tuple[Snapshot, Verdict]:
    """A bad answer counts after all attempts in a row, no answer after the deadline of looking in vain.

    Neither counts from the merge: a rollout may have taken long, or the bot may have been away. What cannot be asked
    (inconclusive) changes nothing.
    """
    if verdict.outcome is Outcome.SUCCEEDED:
        return _cleared(look, number), verdict
    if verdict.outcome is Outcome.FAILED:
        return _wrong(look, number, check, world, verdict)
    if verdict.outcome is Outcome.PENDING:
        return _unanswered(look, number, check, world, verdict)
    return look, verdict


def _wrong(
    look: Snapshot, number: int, check: Probe, world: World, verdict: Verdict
) -> tuple[Snapshot, Verdict]:
    look, streak = _again(look, f"wrong-{number}", check, world)
    if streak.count >= check.attempts and look.now - streak.first >= (check.attempts - 1) * check.interval:
        return look, verdict
    because = f"{verdict.because}; trying again"
    return look, replace(verdict, outcome=Outcome.PENDING, because=because, again=check.interval)


def _unanswered(
    look: Snapshot, number: int, check: Probe, world: World, verdict: Verdict
) -> tuple[Snapshot, Verdict]:
    look, streak = _again(look, f"silent-{number}", check, world)
    waited = look.now - streak.first
    if waited > look.target.deadline:
        because = f"not good by the deadline: {verdict.because}"
        return look, replace(verdict, outcome=Outcome.FAILED, because=because)
    return look, replace(verdict, again=max(check.interval, min(waited / 10, SELDOM)))


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


def _expected(look: Snapshot, world: World, checks: Iterable[Probe]) -> tuple[Expected, Retryable | None]:
    """Whom the probes must find, and why the registry could not be asked for what they send.

    The input example is fetched only when something is going to send it.
    """
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
        return bare, None
    try:
        details = world.registry.version(target.model, version)
        example = world.registry.input_example(target.model, version) if details is not None else None
    except Retryable as problem:
        return bare, problem
    if details is None:
        return bare, None
    outputs = details.signature.outputs if details.signature is not None else None
    answer = document(details.tags.get(ANSWER_TAG))
    return replace(bare, example=example, outputs=outputs, answer=answer), None
