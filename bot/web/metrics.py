"""What Prometheus may know. Labels come from closed sets and from names of targets, never from what a stranger sent."""

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from bot.core.names import TARGET
from bot.core.report import ACTION_NAMES
from bot.core.target import Catalogue
from bot.ports import Entry, Queued, Refused, Retryable, Standing
from bot.web.view import State, state_of

RESULTS = ("accepted", "repeated", "bad signature", "malformed", "too large", "unavailable")
OUTCOMES = ("done", "retry", "refused", "crashed")
QUEUE_STATES = ("queued", "running", "delayed", "failing")
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_OTHER = "other"


def _one_of(word: str, known: Sequence[str]) -> str:
    return word if word in known else _OTHER


class Metrics:
    """The bot's numbers, in a registry of their own. The engine and the web tell; a scrape reads the rest.

    A scrape reads catalogue, standings and queue through the callables given here, and never fails for one of them:
    what could not be read is left out, and `gitops_bot_journal_up` is 0.
    """

    def __init__(
        self,
        *,
        catalogue: Callable[[], Catalogue],
        standings: Callable[[], Mapping[str, Standing]],
        queue: Callable[[], Sequence[Queued]],
        version: str = "unknown",
        leads: Callable[[], bool] | None = None,
    ) -> None:
        """Register everything; every series of the closed sets exists from the start, at 0."""
        self.registry = CollectorRegistry()
        self._webhooks = Counter(
            "gitops_bot_webhooks",
            "Webhooks by sender and by what became of them.",
            ["sender", "result"],
            registry=self.registry,
        )
        self._passes = Counter(
            "gitops_bot_passes",
            "Passes over a target by the action taken and its outcome.",
            ["action", "outcome"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "gitops_bot_pass_seconds", "Seconds that a pass took.", buckets=_SECONDS, registry=self.registry
        )
        self._swept = Gauge(
            "gitops_bot_last_sweep_timestamp_seconds",
            "When every target was last queued by the sweep.",
            registry=self.registry,
        )
        leading = Gauge(
            "gitops_bot_leads",
            "Whether this replica looks at targets; one of several does.",
            registry=self.registry,
        )
        leading.set_function(lambda: float(leads is None or leads()))
        info = Gauge("gitops_bot_build_info", "The bot's version.", ["version"], registry=self.registry)
        info.labels(version).set(1)
        self._senders: tuple[str, ...] = ()
        ProcessCollector(registry=self.registry)
        self.registry.register(_Standing(catalogue, standings, queue))

    def expects(self, senders: Iterable[str]) -> None:
        """Who may send webhooks: their series exist from then on, at 0."""
        self._senders = tuple(senders)
        for sender in self._senders:
            for result in RESULTS:
                self._webhooks.labels(sender, result)

    def webhook(self, sender: str, result: str) -> None:
        """Count a webhook; `result` is one of RESULTS."""
        self._webhooks.labels(_one_of(sender, self._senders), _one_of(result, RESULTS)).inc()

    def passed(self, entry: Entry) -> None:
        """Count a pass that ended with this entry, and its seconds."""
        self._passes.labels(_one_of(entry.action, ACTION_NAMES), _one_of(entry.outcome, OUTCOMES)).inc()
        self._seconds.observe(max(entry.seconds, 0.0))

    def swept(self, at: datetime) -> None:
        """Remember when the sweep last queued every target."""
        self._swept.set(at.timestamp())


class _Standing(Collector):
    """How targets and queue stand, read when Prometheus asks."""

    def __init__(
        self,
        catalogue: Callable[[], Catalogue],
        standings: Callable[[], Mapping[str, Standing]],
        queue: Callable[[], Sequence[Queued]],
    ) -> None:
        self._catalogue = catalogue
        self._standings = standings
        self._queue = queue

    def describe(self) -> list[Metric]:
        """Nothing is read at registration."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The families of one scrape."""
        queued = {item.target: item for item in self._queue()}
        length = GaugeMetricFamily(
            "gitops_bot_queue_length", "Targets in the queue by state.", labels=["state"]
        )
        waiting = Tally(item.state for item in queued.values())
        for word in QUEUE_STATES:
            length.add_metric([word], waiting[word])
        yield length
        try:
            standings = self._standings()
        except (Retryable, Refused):
            yield GaugeMetricFamily("gitops_bot_journal_up", "Whether the journal answers.", 0)
            return
        yield GaugeMetricFamily("gitops_bot_journal_up", "Whether the journal answers.", 1)
        yield from self._targets(standings, queued)

    def _targets(self, standings: Mapping[str, Standing], queued: Mapping[str, Queued]) -> Iterator[Metric]:
        try:
            catalogue = self._catalogue()
        except (Retryable, Refused):
            return
        yield GaugeMetricFamily(
            "gitops_bot_catalogue_broken",
            "Whether the newest promotions.yaml is broken, so that an older one is in force.",
            int(catalogue.problem is not None),
        )
        names = [name for name in catalogue.targets if TARGET.match(name)]
        states = Tally(
            state_of(catalogue.targets[name], standings.get(name), queued.get(name)) for name in names
        )
        family = GaugeMetricFamily("gitops_bot_targets", "Targets by state.", labels=["state"])
        for state in State:
            family.add_metric([state.value], states[state])
        yield family
        yield from _per_target({name: standings[name] for name in names if name in standings})


def _per_target(standings: Mapping[str, Standing]) -> Iterator[Metric]:
    looked = GaugeMetricFamily(
        "gitops_bot_target_last_look_timestamp_seconds",
        "When the target was last looked at.",
        labels=["target"],
    )
    proposals = GaugeMetricFamily(
        "gitops_bot_proposals_open", "Open pull requests of the bot's for the target.", labels=["target"]
    )
    for name, standing in standings.items():
        looked.add_metric([name], standing.looked_at.timestamp())
        proposals.add_metric([name], len(standing.proposals))
    yield looked
    yield proposals
