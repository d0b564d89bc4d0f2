"""A whole world in memory that fills every port, refuses what the real ones refuse, and breaks when a promise is.

It is a model of forge, git, registry, CI and cluster for one target, small enough to be copied thousands of times.
"""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.core.model import (
    Branch,
    Build,
    BuildState,
    Image,
    Kind,
    Mergeability,
    ModelVersion,
    Pinned,
    PinValue,
    Proof,
    ProofState,
    Proposal,
    ProposalState,
)
from bot.core.names import (
    LABEL_BROKEN,
    LABEL_PERSON,
    LABEL_RELEASED,
    TRAILER_TARGET,
    image_tag,
    parse_branch,
    version_of_tag,
)
from bot.core.target import (
    Alias,
    ArgoCD,
    Catalogue,
    HttpCheck,
    KustomizePin,
    MergePolicy,
    Probe,
    RevertPolicy,
    Rollout,
    Selector,
    Target,
    Watch,
    Workflow,
    Workload,
)
from bot.core.verdict import Claim, Evidence, Outcome, Verdict
from bot.ports import Entry, Expected, Notice, Refused, Retryable, Standing, World

START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
BOT = "gitops-bot[bot]"
REPOSITORY = "registry.test/acme/fraud-detector"


Event = Callable[["MemoryWorld"], None]


class Crash(Exception):
    """The process died here."""


class BrokenPromise(AssertionError):
    """The bot did what it promises never to do."""


def target(**changes: Any) -> Target:
    """The target that stories are about."""
    usual = Target(
        name="fraud-detector/production",
        model="fraud-detector",
        when=Alias("champion"),
        image=REPOSITORY,
        pins=(KustomizePin("apps/production"),),
        build=Workflow("acme/models", "build.yml"),
        rollout=ArgoCD("fraud-detector-production"),
        merge=MergePolicy.REVIEW,
        revert=RevertPolicy.AUTO,
        verify=(HttpCheck("https://f.test/health", attempts=1),),
        deadline=timedelta(minutes=30),
    )
    return replace(usual, **changes)


@dataclass(frozen=True)
class Commit:
    """A first-parent commit of the base branch: what it pins, who made it, with which proposal."""

    id: str
    value: PinValue
    author: str
    at: datetime
    proposal: int | None = None


@dataclass(frozen=True)
class MemoryBranch:
    """A branch: its head, its pin, and the base commit that it started from."""

    head: str
    value: PinValue
    base: int
    foreign: tuple[str, ...] = ()


@dataclass
class MemoryWorld:
    """Everything there is. Methods whose names are verbs of people change it from outside."""

    target: Target
    alias: str | None = None
    versions: tuple[str, ...] = ("1", "2", "3")
    version_tags: dict[str, dict[str, str]] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    builds: dict[str, Build] = field(default_factory=dict)
    commits: list[Commit] = field(default_factory=list)
    branches: dict[str, MemoryBranch] = field(default_factory=dict)
    proposals: list[Proposal] = field(default_factory=list)
    comments: dict[tuple[int, str], str] = field(default_factory=dict)
    proofs: dict[str, Proof] = field(default_factory=dict)
    serving: dict[str, str] = field(default_factory=dict)  # commit -> rolling | good | bad
    reachable: bool = True
    registry_up: bool = True
    probe: str = "good"  # good | bad | silent
    notes: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    blocked: bool = False  # an operation of another commit is retried for ever
    terminated: int = 0
    release_asked: dict[int, tuple[str, datetime]] = field(
        default_factory=dict
    )  # proposal -> who asked, when
    other_reverts: int = 0  # of other targets, within the hour
    told: tuple[str, ...] = ()  # the notices
    journal: list[Entry] = field(default_factory=list)
    standing: dict[str, Standing] = field(default_factory=dict)
    now: datetime = START
    frozen: bool = False  # the time stands still
    ids: int = 0
    writes: int = 0
    reads: int = 0
    crash_after: int | None = None
    meanwhile: tuple[int, "Event"] | None = None  # after so many reads of a pass, this happens outside
    was: dict[str, frozenset[str | None]] = field(
        default_factory=dict
    )  # commit -> how it was seen in this pass
    was_wanted: str | None = None
    were_reverts: int = 0

    def copy(self) -> "MemoryWorld":
        """A world that goes on by itself."""
        other = copy.copy(self)
        other.version_tags = {version: dict(tags) for version, tags in self.version_tags.items()}
        # What is in the other containers is never changed in place, so the containers are all there is to copy.
        for name in (
            "images",
            "builds",
            "commits",
            "branches",
            "proposals",
            "comments",
            "proofs",
            "serving",
            "notes",
            "release_asked",
            "journal",
            "standing",
        ):
            setattr(other, name, copy.copy(getattr(self, name)))
        return other

    def key(self) -> tuple[Any, ...]:
        """What makes two worlds the same: all but times, ids of commits, and the journal's history."""
        names = {commit.id: n for n, commit in enumerate(self.commits)}
        return (
            self.alias,
            tuple(sorted(self.images)),
            tuple(sorted((c, b.state) for c, b in self.builds.items())),
            tuple((str(c.value), c.author, c.proposal, self.serving.get(c.id), c.id in self.proofs and self.proofs[c.id].state) for c in self.commits),
            tuple(sorted((n, str(b.value), b.base, len(b.foreign)) for n, b in self.branches.items())),
            tuple((p.number, p.kind, p.version, p.state, p.closed_by_bot, p.labels, names.get(p.merge_commit or "")) for p in self.proposals),
            tuple(sorted((k.partition(":")[0], said.isalpha() or said == "-", self.now - at > self.target.deadline) for k, (said, at) in self.notes.items() if self.commits[-1].id in k)),
            (self.reachable, self.registry_up, self.probe, self.other_reverts, self.blocked, tuple(n for n, _ in self.release_asked.items()), len(self.told) > 0),
        )  # fmt: skip

    # --- what people and products do from outside ---

    def promote(self, version: str | None) -> None:
        self.alias = version

    def build_ends(self, *, good: bool) -> None:
        for correlation, build in list(self.builds.items()):
            if build.state is BuildState.RUNNING:
                state = BuildState.SUCCEEDED if good else BuildState.FAILED
                self.builds[correlation] = replace(build, state=state)
                if good:
                    self.images[build.conclusion or build.id.split("#")[0]] = (
                        "sha256:" + build.id.split("#")[0] * 4
                    )

    def person_merges(self, kind: Kind) -> None:
        for proposal in self.open(kind):
            if self.mergeability(proposal) is Mergeability.CLEAN:
                self._merged(proposal, "alice")

    def person_closes(self, kind: Kind) -> None:
        for proposal in self.open(kind):
            self._update(replace(proposal, state=ProposalState.CLOSED, closed_by="alice", ended_at=self.now))

    def person_pushes(self, kind: Kind) -> None:
        for proposal in self.open(kind):
            branch = self.branches[proposal.branch]
            head = self.new_id()
            self.branches[proposal.branch] = replace(branch, head=head, foreign=(*branch.foreign, head))

    def person_pins(self, value: PinValue) -> None:
        if value != self.commits[-1].value:
            self._commit(value, "alice", None)

    def person_releases(self) -> None:
        if self.alias is not None:
            proposal = self.newest_of(f"gitops-bot/{self.target.name}/v{self.alias}")
            if proposal is not None:
                self._update(replace(proposal, labels=proposal.labels | {LABEL_RELEASED}))

    def person_asks_to_release(self) -> None:
        if self.alias is not None:
            proposal = self.newest_of(f"gitops-bot/{self.target.name}/v{self.alias}")
            if proposal is not None:
                self.release_asked[proposal.number] = ("alice", self.now)

    def may_be(self, commit: str, how: str) -> bool:
        """Whether this pass can have seen the commit like this."""
        return self.seen(commit, self.probe) == how or how in self.was.get(commit, ())

    def seen(self, commit: str, probe: str) -> str | None:
        """How rollout and probes together stand."""
        serving = self.serving.get(commit)
        return "bad" if serving == "good" and probe != "good" else serving

    def cluster_syncs(self, how: str) -> None:
        self.serving[self.commits[-1].id] = how

    def hour_passes(self) -> None:
        self.now += timedelta(hours=1)

    def image_appears(self, version: str) -> None:
        self.images[f"v{version}"] = f"sha256:v{version}"

    def forgets(self) -> None:
        """The database is deleted."""
        self.notes, self.journal, self.standing = {}, [], {}

    # --- the model of git and forge ---

    def new_id(self) -> str:
        self.ids += 1
        return f"{self.ids:040x}"

    def _commit(self, value: PinValue, author: str, proposal: int | None) -> Commit:
        self.now += timedelta(seconds=1)
        commit = Commit(self.new_id(), value, author, self.now, proposal)
        self.commits.append(commit)
        return commit

    def open(self, kind: Kind | None = None) -> list[Proposal]:
        return [p for p in self.proposals if p.state is ProposalState.OPEN and kind in (None, p.kind)]

    def newest_of(self, branch: str) -> Proposal | None:
        return next((self._full(p) for p in reversed(self.proposals) if p.branch == branch), None)

    def _full(self, proposal: Proposal) -> Proposal:
        if proposal.state is not ProposalState.OPEN:
            return proposal
        head = self.branches[proposal.branch].head
        return replace(proposal, mergeability=self.mergeability(proposal), head=head)

    def mergeability(self, proposal: Proposal) -> Mergeability:
        branch = self.branches[proposal.branch]
        changed = any(c.value != self.commits[branch.base].value for c in self.commits[branch.base + 1 :])
        return Mergeability.CONFLICT if changed else Mergeability.CLEAN

    def _update(self, proposal: Proposal) -> None:
        self.proposals = [proposal if p.number == proposal.number else p for p in self.proposals]

    def _merged(self, proposal: Proposal, by: str) -> str:
        branch = self.branches[proposal.branch]
        commit = self._commit(branch.value, "bot", proposal.number)
        merged = replace(
            proposal,
            state=ProposalState.MERGED,
            merge_commit=commit.id,
            merged_by=by,
            head=branch.head,
            ended_at=self.now,
        )
        self._update(merged)
        return commit.id

    # --- the bot's side ---

    def wrote(self) -> None:
        """Called after each effect: here the process may die."""
        self.writes += 1
        if self.crash_after is not None and self.writes >= self.crash_after:
            raise Crash

    def read(self) -> None:
        """Called before each read of a pass: the world may change between two of them."""
        self.reads += 1
        if self.meanwhile is not None and self.reads == self.meanwhile[0]:
            event, self.meanwhile = self.meanwhile[1], None
            # What was read before may still be acted on: no look is of one instant.
            self.was = {commit: frozenset({self.seen(commit, self.probe)}) for commit in self.serving}
            self.was_wanted, self.were_reverts = self.alias, self.other_reverts
            event(self)

    def ports(self) -> World:
        self.writes = self.reads = 0
        self.was, self.was_wanted, self.were_reverts = {}, None, self.other_reverts
        return World(
            catalogue=lambda: Catalogue({self.target.name: self.target}),
            registry=Registry(self),
            images=Images(self),
            ci=CI(self),
            manifests=Manifests(self),
            forge=Forge(self),
            cluster=Cluster(self),
            prober=Prober(self),
            monitoring=Monitoring(self),
            notifier=Notifier(self),
            journal=Journal(self),
            clock=self._tick,
            page=lambda name: None,
        )

    def _tick(self) -> datetime:
        if not self.frozen:
            self.now += timedelta(seconds=1)
        return self.now


def first(changes: Mapping[str, Any] | None = None) -> MemoryWorld:
    """Version 1 runs, pinned by a person long ago; nothing is promoted."""
    world = MemoryWorld(target(**(changes or {})))
    world.images["v1"] = "sha256:" + "1" * 4
    world.commits.append(
        Commit(world.new_id(), PinValue("v1", world.images["v1"], REPOSITORY), "alice", START)
    )
    world.serving[world.commits[-1].id] = "good"
    return world


class Part:
    """A port over the world."""

    def __init__(self, world: MemoryWorld) -> None:
        self.world = world


class Registry(Part):
    def wanted(self, model: str, when: Selector) -> ModelVersion | None:
        self.world.read()
        self.up()
        return self.version(model, self.world.alias) if self.world.alias else None

    def up(self) -> None:
        if not self.world.registry_up:
            raise Retryable("MLflow does not answer")

    def version(self, model: str, version: str) -> ModelVersion | None:
        self.up()
        if version not in self.world.versions:
            return None
        return ModelVersion(
            model, version, run_id=f"run-{version}", tags=dict(self.world.version_tags.get(version, {}))
        )

    def input_example(self, model: str, version: str) -> Mapping[str, Any] | None:
        return None

    def tag(self, model: str, version: str, tags: Mapping[str, str]) -> None:
        self.up()
        self.world.version_tags.setdefault(version, {}).update(tags)
        self.world.wrote()

    def set_alias(self, model: str, version: str, alias: str) -> None:
        self.up()
        world = self.world
        if not world.target.move_alias_back:
            raise BrokenPromise("the alias is moved, which nobody allowed")
        if version != version_pinned(world):
            raise BrokenPromise(f"the alias goes to {version}, which is not pinned")
        world.alias = version
        world.wrote()


class Images(Part):
    def find(self, repository: str, tag: str) -> Image | None:
        self.world.read()
        digest = self.world.images.get(tag)
        return Image(repository, tag, digest) if digest else None


class CI(Part):
    def find(self, workflow: Workflow, correlation: str) -> Build | None:
        self.world.read()
        return self.world.builds.get(correlation)

    def start(self, workflow: Workflow, correlation: str, inputs: Mapping[str, str]) -> Build:
        if correlation in self.world.builds:
            raise BrokenPromise(f"two builds of {inputs['tag']}")
        build = Build(
            f"{inputs['tag']}#{len(self.world.builds)}", correlation, BuildState.RUNNING, "https://ci.test/1"
        )
        self.world.builds[correlation] = build
        self.world.wrote()
        return build


class Manifests(Part):
    def fetch(self) -> str:
        return self.world.commits[-1].id

    def file(self, path: str, commit: str) -> bytes | None:
        return None

    def history(self, path: str, limit: int) -> Sequence[str]:
        return []

    def pinned(self, target: Target) -> Pinned:
        self.world.read()
        commits = self.world.commits
        changed = len(commits) - 1
        while changed > 0 and commits[changed - 1].value == commits[changed].value:
            changed -= 1
        commit = commits[changed]
        return Pinned(
            value=commit.value,
            commit=commit.id,
            changed_at=commit.at,
            author=commit.author,
            before=commits[changed - 1].value if changed else None,
            trailers={TRAILER_TARGET: target.name} if commit.proposal else {},
            head=commits[-1].id,
            later=tuple(c.id for c in commits[changed + 1 :]),
        )

    def branch(self, target: Target, name: str) -> Branch | None:
        self.world.read()
        branch = self.world.branches.get(name)
        if branch is None:
            return None
        return Branch(name, branch.head, branch.value, self.world.commits[branch.base].value, branch.foreign)

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
        world, existing = self.world, self.world.branches.get(name)
        if (existing.head if existing else None) != expect:
            raise Refused(f"{name} is not where it was")
        if existing is not None and existing.foreign:
            raise BrokenPromise(f"a person's commits on {name} are overwritten")
        if only_where is not None and world.commits[-1].value != only_where:
            raise Refused("the pins hold something else now")
        if world.commits[-1].value == value:
            raise Refused("nothing would change")
        head = world.new_id()
        world.branches[name] = MemoryBranch(head, value, len(world.commits) - 1)
        world.wrote()
        return head

    def delete(self, name: str, *, expect: str) -> None:
        branch = self.world.branches.get(name)
        if branch is None:
            return
        if branch.foreign:
            raise BrokenPromise(f"a person's commits on {name} are deleted")
        if branch.head == expect:
            del self.world.branches[name]
            self.world.wrote()

    def diff(self, target: Target, value: PinValue) -> str:
        return ""


class Forge(Part):
    def open_proposals(self) -> Sequence[Proposal]:
        self.world.read()
        return self.world.open()

    def newest(self, branch: str) -> Proposal | None:
        self.world.read()
        return self.world.newest_of(branch)

    def brought(self, commit: str) -> Proposal | None:
        self.world.read()
        number = next(c.proposal for c in self.world.commits if c.id == commit)
        return next((p for p in self.world.proposals if p.number == number), None)

    def open(
        self, branch: str, title: str, body: str, *, labels: Iterable[str], reviewers: Iterable[str] = ()
    ) -> Proposal:
        world, name = self.world, parse_branch(branch)
        assert name is not None
        existing = next((p for p in world.open() if p.branch == branch), None)
        if existing is not None:
            adopted = replace(existing, labels=existing.labels | set(labels), title=title, body=body)
            if adopted != existing:
                world._update(adopted)
                world.wrote()
            return adopted
        if branch not in world.branches:
            raise Refused("no such branch")
        self._promised(name.kind, name.version, branch)
        number = len(world.proposals) + 1
        proposal = Proposal(
            number=number, url=f"https://forge.test/{number}", kind=name.kind, target=name.target, version=name.version,
            branch=branch, head=world.branches[branch].head, state=ProposalState.OPEN, opened_at=world.now,
            reverts=name.number, title=title, body=body,
        )  # fmt: skip
        world.proposals.append(proposal)
        world.wrote()
        self.label(number, labels)
        return world.proposals[number - 1]

    def _promised(self, kind: Kind, version: str, branch: str) -> None:
        world = self.world
        if world.open(kind):
            raise BrokenPromise(f"a second open {kind}")
        last = world.newest_of(branch)
        if (
            last is not None
            and last.state is ProposalState.CLOSED
            and not last.closed_by_bot
            and LABEL_RELEASED not in last.labels
        ):
            raise BrokenPromise(
                f"version {version} is proposed again although a person closed #{last.number}"
            )
        name = parse_branch(branch)
        taken_back = world.proposals[name.number - 1] if name is not None and name.number else None
        if taken_back is not None and not world.may_be(taken_back.merge_commit or "", "bad"):
            raise BrokenPromise("a revert of what was never seen to fail")
        if taken_back is not None and LABEL_BROKEN in taken_back.labels:
            raise BrokenPromise("what was broken before is blamed on the new version")
        if kind is Kind.DEPLOY and version not in (world.alias, world.was_wanted):
            raise BrokenPromise(f"version {version} is proposed, {world.alias} is wanted")

    def close(self, proposal: Proposal, comment: str) -> None:
        if self.world.newest_of(proposal.branch).state is ProposalState.OPEN:  # type: ignore[union-attr]
            closed = replace(
                proposal,
                state=ProposalState.CLOSED,
                closed_by=BOT,
                closed_by_bot=True,
                ended_at=self.world.now,
            )
            self.world._update(closed)
            self.world.wrote()

    def merge(self, proposal: Proposal, title: str, message: str) -> str:
        world = self.world
        now = world.newest_of(proposal.branch)
        assert now is not None
        if now.state is ProposalState.MERGED and now.merge_commit:
            return now.merge_commit
        if now.head != proposal.head or now.mergeability is not Mergeability.CLEAN:
            raise Refused("the head moved, or it conflicts")
        if world.branches[proposal.branch].foreign:
            raise BrokenPromise("a person's commits are merged by the bot")
        if now.kind is Kind.DEPLOY and now.version not in (world.alias, world.was_wanted):
            raise BrokenPromise("what nobody wants is merged")
        if LABEL_PERSON in now.labels:
            raise BrokenPromise("the bot merges what a person must merge")
        if now.kind is Kind.REVERT:
            self._may_revert(world.branches[now.branch].value)
        commit = world._merged(now, BOT)
        world.wrote()
        return commit

    def _may_revert(self, to: PinValue) -> None:
        world = self.world
        if world.other_reverts >= 5 and world.other_reverts == world.were_reverts:
            raise BrokenPromise("the bot merges a revert in a storm")
        brought = world.newest_of(f"gitops-bot/{world.target.name}/{to.tag}")
        proof = world.proofs.get(brought.merge_commit or "") if brought is not None else None
        if (
            brought is not None
            and brought.merge_commit
            and (proof is None or proof.state is not ProofState.LIVE)
        ):
            raise BrokenPromise("the bot goes back to what was never proven")

    def comment(self, number: int, marker: str, text: str) -> None:
        if (number, marker) not in self.world.comments:
            self.world.comments[number, marker] = text
            self.world.wrote()

    def label(self, number: int, add: Iterable[str], remove: Iterable[str] = ()) -> None:
        proposal = self.world.proposals[number - 1]
        labels = (proposal.labels | set(add)) - set(remove)
        if labels != proposal.labels:
            self.world._update(replace(proposal, labels=labels))
            self.world.wrote()

    def asked_to_release(self, number: int, since: datetime) -> str | None:
        self.world.read()
        who, when = self.world.release_asked.get(number, (None, since))
        return who if when >= since else None

    def reverts_since(self, moment: datetime) -> int:
        self.world.read()
        own = sum(p.kind is Kind.REVERT and p.opened_at >= moment for p in self.world.proposals)
        return own + self.world.other_reverts

    def proof(self, commit: str, target: str) -> Proof:
        self.world.read()
        return self.world.proofs.get(commit, Proof())

    def record(self, commit: str, target: str, proof: Proof, url: str | None = None) -> None:
        if proof.state is ProofState.LIVE and not self.world.may_be(commit, "good"):
            raise BrokenPromise(f"{commit} is called live, but it is {self.world.serving.get(commit)}")
        if proof.state is ProofState.FAILED and not self.world.may_be(commit, "bad"):
            raise BrokenPromise(f"{commit} is called failed, but it is {self.world.serving.get(commit)}")
        self.world.proofs[commit] = proof
        self.world.wrote()


class Cluster(Part):
    def look(self, rollout: Rollout | Workload, claim: Claim, now: datetime) -> Verdict:
        self.world.read()
        truth = self.world.serving.get(claim.commit)
        if not self.world.reachable:
            return Verdict(Outcome.INCONCLUSIVE, "Argo CD does not answer")
        if truth is None:
            return Verdict(Outcome.PENDING, "not taken in yet", taken_in=False, blocked=self.world.blocked)
        outcome = {"rolling": Outcome.PENDING, "good": Outcome.SUCCEEDED, "bad": Outcome.FAILED}[truth]
        return Verdict(outcome, f"the rollout is {truth}", (Evidence("argocd", "GET", now, truth, outcome),))

    def ask_to_sync(self, rollout: Rollout) -> None:
        self.world.wrote()

    def terminate(self, rollout: Rollout) -> None:
        self.world.terminated += 1
        self.world.blocked = False
        self.world.wrote()

    def advice(self, rollout: Rollout | Workload) -> Sequence[str]:
        return ()


class Prober(Part):
    def probe(self, check: Probe, expected: Expected, now: datetime) -> Verdict:
        outcome = {
            "good": Outcome.SUCCEEDED,
            "bad": Outcome.FAILED,
            "silent": Outcome.PENDING,
            "unknown": Outcome.INCONCLUSIVE,
        }[self.world.probe]
        return Verdict(outcome, f"the probe is {self.world.probe}")


class Monitoring(Part):
    def watch(self, check: Watch, merged_at: datetime, since: datetime, now: datetime) -> Verdict:
        self.world.read()
        outcome = Outcome.PENDING if now - since < timedelta(minutes=5) else Outcome.SUCCEEDED
        return Verdict(
            outcome, "the metrics are watched" if outcome is Outcome.PENDING else "the metrics are good"
        )


class Notifier(Part):
    def tell(self, notice: Notice) -> None:
        self.world.told = (*self.world.told, notice.id)
        self.world.wrote()


class Journal(Part):
    def write(self, entry: Entry) -> None:
        if not entry.because.strip():
            raise BrokenPromise("a decision without a sentence")
        self.world.journal = [entry, *self.world.journal[:1]]

    def entries(self, target: str | None = None, limit: int = 100) -> Sequence[Entry]:
        return self.world.journal[:limit]

    def stand(self, standing: Standing) -> None:
        self.world.standing[standing.target] = standing

    def standings(self) -> Mapping[str, Standing]:
        return self.world.standing

    def remember(self, key: str, value: str, at: datetime) -> None:
        self.world.notes[key] = (value, at)

    def recall(self, key: str) -> tuple[str, datetime] | None:
        return self.world.notes.get(key)

    def ping(self) -> None:
        return None


def hand_pins(world: MemoryWorld) -> list[PinValue]:
    """What a person might write by hand: something else, or what was there before."""
    return [PinValue("v1", world.images.get("v1"), REPOSITORY), PinValue("hotfix", None, REPOSITORY)]


def version_pinned(world: MemoryWorld) -> str | None:
    return version_of_tag(world.commits[-1].value.tag)


def tag_of(version: str) -> str:
    return image_tag(version)
