"""`gitops-bot serve`: the web on threads, the loop in the foreground, until a signal says stop."""

import logging
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import waitress.server

from bot.adapters.queue.memory import MemoryQueue
from bot.config.fields import is_loopback
from bot.engine.loop import Loop
from bot.ports import Refused, Retryable
from bot.web.app import create_app
from bot.web.doors import Doors
from bot.web.metrics import Metrics
from bot.wiring.logs import configure

if TYPE_CHECKING:
    from bot.adapters.journal import Leadership
    from bot.wiring.assemble import Bot

log = logging.getLogger(__name__)

THREADS = 8
KEPT = timedelta(days=180)  # how long the journal tells of decisions


def serve(bot: "Bot") -> None:
    """Run until SIGTERM or SIGINT; the passes that run are finished first."""
    configure(bot.settings)
    queue, lead = MemoryQueue(workers=bot.settings.workers), bot.leadership
    metrics = Metrics(
        catalogue=bot.catalogue.known, standings=bot.journal.standings, queue=queue.list, version=_version(),
        leads=lead.leads if lead is not None else None,
    )  # fmt: skip
    loop = _loop(bot, queue, metrics)
    server = _listen(bot, _doors(bot, queue, loop, metrics))
    bot.catalogue.changed = lambda names: _wake(queue, names)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.stop())
    log.info("listening on http://%s:%s", bot.settings.server.host, server.effective_port)
    web = threading.Thread(target=server.run, name="web", daemon=True)
    web.start()
    try:
        with _taking_part(lead, loop, queue):
            loop.run()
    finally:
        server.close()
        log.info("stopped")


def _loop(bot: "Bot", queue: MemoryQueue, metrics: Metrics) -> Loop:
    lead, swept = bot.leadership, lambda at: _swept(bot, metrics, at)
    loop = partial(Loop, bot.world, queue, bot.settings.sweep, told=metrics.passed, swept=swept)
    if lead is None:
        return loop()
    return loop(leads=lead.leads, hand_over=lead.tell, followed=lambda: _tidy(bot))


@contextmanager
def _taking_part(lead: "Leadership | None", loop: Loop, queue: MemoryQueue) -> Iterator[None]:
    """Try to lead as long as the block runs; what it still does when it is told to stop is done before another leads."""
    if lead is None:
        yield
        return
    trying = threading.Thread(target=lead.run, args=(loop.turned, queue.wake), name="leadership", daemon=True)
    trying.start()
    try:
        yield
    finally:
        lead.stop()
        trying.join(timeout=5)


def _swept(bot: "Bot", metrics: Metrics, at: datetime) -> None:
    metrics.swept(at)
    try:
        bot.journal.prune(at - KEPT)
    except (Refused, Retryable) as problem:
        log.warning("the journal could not be pruned: %s", problem)
    _tidy(bot)


def _tidy(bot: "Bot") -> None:
    try:
        bot.manifests.tidy()
    except (Refused, Retryable) as problem:
        log.warning("the mirror of the manifests repo could not be tidied: %s", problem)


def _wake(queue: MemoryQueue, names: Iterable[str]) -> None:
    for name in names:
        queue.wake(name)


def _listen(bot: "Bot", doors: Doors) -> Any:
    where = bot.settings.server
    return waitress.server.create_server(
        create_app(doors), host=where.host, port=where.port, threads=THREADS, ident="gitops-bot",
        clear_untrusted_proxy_headers=True, max_request_body_size=6 * 1024 * 1024,
    )  # fmt: skip


def _doors(bot: "Bot", queue: MemoryQueue, loop: Loop, metrics: Metrics) -> Doors:
    hooks, operator = bot.settings.webhooks, bot.settings.server.operator
    return Doors(
        catalogue=bot.catalogue.known,
        journal=bot.journal,
        inbox=bot.journal,
        queue=queue,
        wake=queue.wake,
        clock=bot.world.clock,
        metrics=metrics,
        version=_version(),
        mlflow_secrets=lambda: [secret.value() for secret in hooks.mlflow],
        github_secrets=lambda: [secret.value() for secret in hooks.github],
        argocd_secrets=lambda: [secret.value() for secret in hooks.argocd],
        flux_secrets=lambda: [secret.value() for secret in hooks.flux],
        alertmanager_secrets=lambda: [secret.value() for secret in hooks.alertmanager],
        github_login=bot.settings.forge.login,
        manifests_repository=bot.settings.manifests.repository,
        base_branch=bot.settings.manifests.branch,
        release=bot.release if operator is not None else None,
        operator_token=operator.value if operator is not None else None,
        alive=lambda: loop.running,
        leads=bot.leadership.leads if bot.leadership is not None else None,
        repetitions=bot.journal.repetitions,
        sandbox=is_loopback(bot.settings.forge.api_url),
    )


def _version() -> str:
    try:
        return version("gitops-commit-bot")
    except PackageNotFoundError:
        return "unknown"
