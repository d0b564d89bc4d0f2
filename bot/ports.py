"""What the bot needs from outside, as short Protocols: the map of the bot.

Adapters fill these, `wiring` says which, `engine` uses them. Every method may raise `Retryable` (try again later)
or `Refused` (will not work until a person acts); a library's own exceptions stop in its adapter.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Protocol

from bot.core.model import Branch, Build, Field, Image, ModelVersion, Pinned, PinValue, Proof, Proposal
from bot.core.target import Catalogue, Probe, Rollout, Selector, Target, Watch, Workflow, Workload
from bot.core.verdict import Claim, Verdict


class Retryable(Exception):
    """It may work later. `after` is how long the other side asked us to stay away, when it said so."""

    def __init__(self, sentence: str, after: timedelta | None = None) -> None:
        """Keep the sentence for people and the wait for the loop."""
        super().__init__(sentence)
        self.after = after


class Refused(Exception):
    """It will not work until a person acts; the message is the sentence that this person sees."""


class Registry(Protocol):
    """The model registry."""

    def wanted(self, model: str, when: Selector) -> ModelVersion | None:
        """The version that the selector names, with its details; None when there is none (alias, version or model gone)."""
        ...

    def version(self, model: str, version: str) -> ModelVersion | None:
        """One version with its details: run, metrics, signature, tags; None when it is gone."""
        ...

    def input_example(self, model: str, version: str) -> Mapping[str, Any] | None:
        """The logged input example as a body for /invocations (`{"dataframe_split": …}` or `{"inputs": …}`), or None."""
        ...

    def tag(self, model: str, version: str, tags: Mapping[str, str]) -> None:
        """Set these tags on a model version; those that it has already are left alone."""
        ...

    def set_alias(self, model: str, version: str, alias: str) -> None:
        """Let this version hold the alias."""
        ...


class Images(Protocol):
    """The image registry."""

    def find(self, repository: str, tag: str) -> Image | None:
        """The image under this tag with its digest and labels, or None when the registry says that there is none."""
        ...


class CI(Protocol):
    """What builds images."""

    def find(self, workflow: Workflow, correlation: str) -> Build | None:
        """The newest run with this correlation id, in its newest attempt."""
        ...

    def start(self, workflow: Workflow, correlation: str, inputs: Mapping[str, str]) -> Build:
        """Start a run, unless one with this correlation id exists: then that one."""
        ...


class Manifests(Protocol):
    """The manifests repo: what is pinned, and branches that change it. Never a work tree."""

    def fetch(self) -> str:
        """Bring the mirror up to date and return the head of the base branch."""
        ...

    def file(self, path: str, commit: str) -> bytes | None:
        """A file's bytes at a commit, or None where there is none."""
        ...

    def history(self, path: str, limit: int) -> Sequence[str]:
        """The newest first-parent commits of the base branch that changed this file, newest first."""
        ...

    def pinned(self, target: Target) -> Pinned:
        """What the pins of a target say on the base branch, and which commit made it so. `Refused` when ambiguous."""
        ...

    def branch(self, target: Target, name: str) -> Branch | None:
        """A branch of the bot's with its pins and foreign commits; None when it does not exist."""
        ...

    def write(
        self,
        target: Target,
        name: str,
        value: PinValue,
        message: str,
        *,
        expect: str | None,
        only_where: PinValue | None,
    ) -> str:
        """Put one commit on top of the base branch's head, push it as branch `name`, return the commit.

        All pins of the target get `value`; with `only_where`, only those that now hold that. Pushed only if the branch
        is where `expect` says (None: does not exist yet). Raises `Refused` when nothing would change.
        """
        ...

    def delete(self, name: str, *, expect: str) -> None:
        """Delete a branch if it is still where `expect` says; done already is done."""
        ...

    def diff(self, target: Target, value: PinValue) -> str:
        """The unified diff that `write` would commit; touches nothing."""
        ...


class Forge(Protocol):
    """Where pull requests live. Bound to the manifests repo."""

    def open_proposals(self) -> Sequence[Proposal]:
        """Every open pull request whose head is a branch of the bot's, without mergeability."""
        ...

    def newest(self, branch: str) -> Proposal | None:
        """The newest pull request from this branch, whatever its state, with everything that the forge knows of it."""
        ...

    def brought(self, commit: str) -> Proposal | None:
        """The merged pull request of the bot's that a commit of the base branch came with."""
        ...

    def open(
        self, branch: str, title: str, body: str, *, labels: Iterable[str], reviewers: Iterable[str] = ()
    ) -> Proposal:
        """Open a pull request, or adopt the one that is open for this branch; title and body become these."""
        ...

    def close(self, proposal: Proposal, comment: str) -> None:
        """Comment and close; the comment carries a marker, so that a repeat does not comment twice."""
        ...

    def merge(self, proposal: Proposal, title: str, message: str) -> str:
        """Merge exactly `proposal.head` and return the commit on the base branch. `Refused` when that is not the head."""
        ...

    def comment(self, number: int, marker: str, text: str) -> None:
        """Put a comment there once: where one with the same hidden marker is, nothing is written.

        Evidence carries times, so a repeated act would say it a little differently each time.
        """
        ...

    def label(self, number: int, add: Iterable[str], remove: Iterable[str] = ()) -> None:
        """Add and remove labels."""
        ...

    def asked_to_release(self, number: int, since: datetime) -> str | None:
        """Who asked in a comment, `/gitops-bot release`, since then and with the right to write to the repo, or None."""
        ...

    def reverts_since(self, moment: datetime) -> int:
        """How many reverts of the bot's were opened since then, whatever became of them."""
        ...

    def proof(self, commit: str, target: str) -> Proof:
        """What is recorded about a target on a commit."""
        ...

    def record(self, commit: str, target: str, proof: Proof, url: str | None = None) -> None:
        """Record it, as a commit status with the context `gitops-bot/<target>`."""
        ...


class Cluster(Protocol):
    """What applies the manifests repo and runs what it says, and can say how far it is."""

    def look(self, rollout: Rollout | Workload, claim: Claim, now: datetime) -> Verdict:
        """Judge the claim from one reading. Out of reach is an INCONCLUSIVE verdict, not an exception."""
        ...

    def ask_to_sync(self, rollout: Rollout) -> None:
        """Have it look at the repo now."""
        ...

    def terminate(self, rollout: Rollout) -> None:
        """End the operation that blocks a newer commit; none is running is done already."""
        ...

    def advice(self, rollout: Rollout | Workload) -> Sequence[str]:
        """What about its settings keeps verdicts from being right or quick, with the cure: for `doctor`."""
        ...


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of Kubernetes object as its API names it: `apps/v1`, `deployments`."""

    version: str
    plural: str


class Objects(Protocol):
    """A Kubernetes cluster's objects, for the adapters that judge them; `wiring` hands it to them.

    Every method may raise `Retryable` (no answer, 429, 5xx) or `Refused` (not allowed, with the right that is missing).
    """

    def get(self, resource: Resource, namespace: str, name: str) -> Mapping[str, Any] | None:
        """One object, or None where there is none."""
        ...

    def list(
        self, resource: Resource, namespace: str, *, labels: str = "", fields: str = "", limit: int = 100
    ) -> Sequence[Mapping[str, Any]]:
        """Objects by label and field selector, at most `limit`, in the API's order."""
        ...

    def log(self, namespace: str, pod: str, container: str, *, previous: bool, lines: int) -> str:
        """The last lines of a container's log, at most 16 KiB; empty where there is none."""
        ...

    def annotate(self, resource: Resource, namespace: str, name: str, annotations: Mapping[str, str]) -> None:
        """Set annotations by a merge patch."""
        ...

    def patch(self, resource: Resource, namespace: str, name: str, document: Mapping[str, Any]) -> None:
        """A merge patch."""
        ...


@dataclass(frozen=True, slots=True)
class Expected:
    """Whom a probe must find: this model version; `example` is a body for /invocations, `outputs` its logged signature.

    `answer` is what the model answered to the example when its image was built, where that is known. `placeholders`
    are the values for the holes in a URL.
    """

    model: str
    version: str
    example: Mapping[str, Any] | None = None
    outputs: tuple[Field, ...] | None = None
    answer: Any = None
    placeholders: Mapping[str, str] = field(default_factory=dict)


class Prober(Protocol):
    """Asks the served model itself."""

    def probe(self, check: Probe, expected: Expected, now: datetime) -> Verdict:
        """One attempt of one check. FAILED only on an answer that came and is wrong."""
        ...


class Monitoring(Protocol):
    """What watches the served model: Prometheus."""

    def watch(self, check: Watch, merged_at: datetime, since: datetime, now: datetime) -> Verdict:
        """Judge one check; `since` is when the rollout was first seen done. Out of reach is INCONCLUSIVE."""
        ...


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that people must hear of now. `id` is the same when it is told again."""

    id: str
    target: str
    title: str
    text: str
    url: str | None = None


class Notifier(Protocol):
    """How people hear of an incident, beyond the forge."""

    def tell(self, notice: Notice) -> None:
        """Tell everybody who is configured, at least once."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A decision as the journal keeps it. `seconds` is what the pass took, `outcome` what became of the action."""

    target: str
    at: datetime
    action: str
    because: str
    outcome: str = "done"  # done | retry | refused | crashed
    detail: str = ""
    version: str | None = None
    commit: str | None = None
    url: str | None = None
    seconds: float = 0.0
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a target stood at the last look: the three columns that should agree, and the last decision."""

    target: str
    looked_at: datetime
    wanted: str | None
    pinned: str | None
    live: str | None
    action: str
    because: str
    proposals: tuple[tuple[int, str, str], ...] = ()  # number, url, title
    failures: int = 0


class Journal(Protocol):
    """Every decision with its reason, for people; and a cache. Losing it loses no promotion."""

    def write(self, entry: Entry) -> None:
        """Append, unless the newest entry of the target says the same: then only its time moves on."""
        ...

    def entries(self, target: str | None = None, limit: int = 100) -> Sequence[Entry]:
        """Newest first."""
        ...

    def stand(self, standing: Standing) -> None:
        """Remember how a target stood."""
        ...

    def standings(self) -> Mapping[str, Standing]:
        """The newest standing of every target."""
        ...

    def remember(self, key: str, value: str, at: datetime) -> None:
        """Keep a small fact (when the cluster was asked to sync a commit, …)."""
        ...

    def recall(self, key: str) -> tuple[str, datetime] | None:
        """The fact with its time, or None."""
        ...

    def ping(self) -> None:
        """Raise `Retryable` when the database cannot be used."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """A verified webhook: who sent it, under which id, and when it came."""

    sender: str
    id: str
    event: str
    received_at: datetime
    targets: tuple[str, ...]


class Inbox(Protocol):
    """Verified webhooks, kept before they are answered."""

    def put(self, delivery: Delivery) -> bool:
        """Store it; False when the same sender delivered the same id before."""
        ...

    def deliveries(self, limit: int = 100) -> Sequence[Delivery]:
        """Newest first."""
        ...


Pass = Callable[[str], timedelta | None]
"""One pass over the target of this name; returns when to look again (None: at the next event or sweep)."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A target in the queue: what it waits for."""

    target: str
    state: str  # queued | running | delayed | failing
    due_in: timedelta | None = None
    failures: int = 0
    problem: str = ""


class Queue(Protocol):
    """Which target is looked at when. Semantics: facts/engine.md."""

    def wake(self, target: str) -> None:
        """Look at it as soon as possible: twice is once, and during its pass means one more pass."""
        ...

    def run(self, pass_: Pass) -> None:
        """Run passes until stopped, never two of one target at once; returns when the running ones have ended."""
        ...

    def stop(self) -> None:
        """Begin no more passes."""
        ...

    def list(self) -> Sequence[Queued]:
        """Every target that waits, runs or fails."""
        ...


@dataclass(frozen=True, slots=True)
class World:
    """Everything that a pass may touch."""

    catalogue: Callable[[], Catalogue]
    registry: Registry
    images: Images
    ci: CI
    manifests: Manifests
    forge: Forge
    cluster: Cluster
    prober: Prober
    monitoring: Monitoring
    notifier: Notifier
    journal: Journal
    clock: Callable[[], datetime]
    page: Callable[[str], str | None]  # the bot's own page about a target, for links in pull requests
    reverts_per_hour: int = 5  # over all targets; what is more waits for a person
    memory: dict[str, tuple[str, datetime]] = field(default_factory=dict)  # facts while the journal is away
    reverting: Lock = field(default_factory=Lock)  # so that the storm guard counts one after the other
