"""`gitops-bot doctor`: one harmless question to every neighbour, and what to do about each answer."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.config.settings import secret_warnings
from bot.core.names import image_tag
from bot.core.target import AlertsCheck, ArgoCD, Flux, PrometheusCheck, Rollout, Target, Workload
from bot.core.verdict import Outcome
from bot.engine.observe import observe
from bot.engine.verifying import claim
from bot.ports import Refused, Retryable

if TYPE_CHECKING:
    from bot.wiring.assemble import Bot


@dataclass(frozen=True, slots=True)
class Finding:
    """What was asked, whether the answer is good (None: cannot be said), the answer, and the cure."""

    what: str
    good: bool | None
    sentence: str
    fix: str = ""


def examine(bot: "Bot") -> list[Finding]:
    """Every finding, in the order in which things depend on each other. Never raises."""
    return [*_machine(bot), *_neighbours(bot), *_targets(bot)]


class _Unclear(Exception):
    """An answer that may be as it should be, or not."""


def _asked(what: str, question: Callable[[], str], fix: str) -> Finding:
    try:
        return Finding(what, True, question())
    except Refused as refused:
        return Finding(what, False, str(refused), fix)
    except Retryable as retryable:
        return Finding(what, False, f"no answer: {retryable}", fix)
    except _Unclear as unclear:
        return Finding(what, None, str(unclear), fix)


def _machine(bot: "Bot") -> Iterator[Finding]:
    git = shutil.which("git")
    yield Finding("git command", git is not None, git or "not found", "" if git else "Install git.")
    for warning in secret_warnings(bot.settings):
        yield Finding("secrets", False, warning, "Make the file private.")
    if bot.settings.database is None:
        yield _asked("data folder", lambda: _journal(bot), "Make the folder `data:` writable for the bot.")
    else:
        fix = "Check `database:`, and that its user may create tables there."
        yield _asked("database", lambda: _journal(bot), fix)
    hooks = bot.settings.webhooks
    for sender, secrets in (("MLflow", hooks.mlflow), ("GitHub", hooks.github)):
        if not secrets:
            yield Finding(
                f"{sender} webhooks", None, "no secret is set, so they are refused; the sweep finds everything, later",
                f"Set `webhooks: {{{sender.lower()}: [...]}}`.",
            )  # fmt: skip
    if not bot.settings.notify:
        yield Finding(
            "notifications", None, "nobody is told when a person must look, except in the forge", "Set `notify: [...]`."
        )  # fmt: skip


def _journal(bot: "Bot") -> str:
    bot.journal.ping()
    return (
        f"{bot.settings.data} is writable" if bot.settings.database is None else "PostgreSQL can be written"
    )


def _neighbours(bot: "Bot") -> Iterator[Finding]:
    repo = _asked(
        "manifests repo",
        lambda: f"its head is {bot.manifests.fetch()[:12]}",
        "Check `manifests:` and the token's right to read and write contents.",
    )
    yield repo
    yield _asked(
        "forge",
        lambda: f"{len(bot.forge.open_proposals())} open proposals",
        "Check `forge:` and the token's right to read and write pull requests.",
    )
    yield _asked(
        "promotions.yaml",
        lambda: _catalogue(bot),
        "Mend the file by a pull request; until then the last good one is in force."
        if repo.good
        else "It is read from the manifests repo: mend the way there first; its targets are checked after that.",
    )


def _catalogue(bot: "Bot") -> str:
    catalogue = bot.catalogue()
    if catalogue.problem:
        raise Refused(catalogue.problem)
    return f"{len(catalogue.targets)} targets: {', '.join(sorted(catalogue.targets))}"


def _targets(bot: "Bot") -> Iterator[Finding]:
    try:
        targets = bot.catalogue().targets
    except (Refused, Retryable):
        return
    for name in sorted(targets):
        yield from _target(bot, targets[name])


def _target(bot: "Bot", target: Target) -> Iterator[Finding]:
    name = target.name
    yield _asked(
        f"{name}: model",
        lambda: _wanted(bot, target),
        "Check `mlflow:` in bot.yaml and that MLflow has what `model:` and `when:` of the target say.",
    )
    yield _asked(
        f"{name}: pins",
        lambda: _pins(bot, target),
        "Check `pins:` of the target.",
    )
    yield _asked(
        f"{name}: image registry",
        lambda: _image(bot, target),
        "Check `image:` of the target and `registries:` in bot.yaml.",
    )
    for part in _runs(target):
        product = _product(part)
        fix = "Check `rollout:` and `verify:` of the target, and the access to it in bot.yaml."
        yield _asked(f"{name}: {product}", lambda part=part: _rollout(bot, target, part), fix)  # type: ignore[misc]
        yield from _advice(bot, f"{name}: {product}", part)
    for check in target.verify:
        if isinstance(check, PrometheusCheck | AlertsCheck):
            fix = "Check `verify:` of the target and `prometheus:` in bot.yaml."
            yield _asked(f"{name}: Prometheus", lambda check=check: _watched(bot, check), fix)  # type: ignore[misc]
    if target.rollout is None and not target.verify:
        yield Finding(
            f"{name}: verification",
            None,
            "nothing is verified, so merged counts as live",
            "Add `rollout:` or `verify:`.",
        )


def _wanted(bot: "Bot", target: Target) -> str:
    wanted = bot.registry.wanted(target.model, target.when)
    if wanted is None:  # MLflow says the same of a model that it does not have
        raise _Unclear(f"no version of {target.model} has the {target.when}, so nothing is wanted")
    return f"version {wanted.version} is wanted"


def _pins(bot: "Bot", target: Target) -> str:
    pinned = bot.manifests.pinned(target)
    if pinned.partly:
        raise Refused(pinned.partly)
    return f"they say {pinned.value}"


def _image(bot: "Bot", target: Target) -> str:
    found = bot.images.find(target.image, image_tag("0"))
    return "it answers" if found is None else f"it answers, and has {found.tag}"


def _runs(target: Target) -> Iterator[Rollout | Workload]:
    if target.rollout is not None:
        yield target.rollout
    for check in target.verify:
        if isinstance(check, Workload):
            yield check


def _product(part: Rollout | Workload) -> str:
    match part:
        case ArgoCD():
            return "Argo CD"
        case Flux():
            return "Flux"
        case Workload():
            return f"{part.kind} {part.namespace}/{part.name}"


def _rollout(bot: "Bot", target: Target, part: Rollout | Workload) -> str:
    look = observe(target, bot.world)
    verdict = bot.cluster.look(part, claim(look), look.now)
    if verdict.outcome is Outcome.INCONCLUSIVE:
        raise Retryable(verdict.because)
    return f"it answers: {verdict.because}"


def _advice(bot: "Bot", what: str, part: Rollout | Workload) -> Iterator[Finding]:
    """What keeps verdicts about it from being right or quick; that it cannot be asked is said elsewhere."""
    try:
        for sentence in bot.cluster.advice(part):
            yield Finding(what, None, sentence)
    except (Refused, Retryable):
        return


def _watched(bot: "Bot", check: PrometheusCheck | AlertsCheck) -> str:
    now = bot.world.clock()
    verdict = bot.monitoring.watch(check, now, now, now)
    if verdict.outcome is Outcome.INCONCLUSIVE:
        raise Retryable(verdict.because)
    return f"it answers: {verdict.because}"
