"""What one look says to people elsewhere: the tags on the model version, and the three columns of the dashboard."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from bot.core.actions import (
    Action,
    Alarm,
    AskToSync,
    Close,
    Decision,
    MarkFailed,
    MarkLive,
    Merge,
    MoveAliasBack,
    NoteBaseline,
    OpenProposal,
    OpenRevert,
    Release,
    RenewProposal,
    Rest,
    StartBuild,
    Terminate,
    Wait,
)
from bot.core.holds import hold
from bot.core.model import BuildState, Kind, ProofState, Snapshot
from bot.core.names import version_tag
from bot.core.verdict import Outcome

_NAMES: dict[type[Action], str] = {
    Rest: "rest",
    Wait: "wait",
    Alarm: "alarm",
    AskToSync: "ask to sync",
    Terminate: "terminate",
    StartBuild: "start build",
    OpenProposal: "open proposal",
    RenewProposal: "renew proposal",
    NoteBaseline: "note baseline",
    Merge: "merge",
    Close: "close",
    MarkLive: "mark live",
    MarkFailed: "mark failed",
    OpenRevert: "open revert",
    MoveAliasBack: "move alias back",
    Release: "release",
}

ACTION_NAMES = tuple(_NAMES.values())
"""Every name that `action_name` can give."""


def action_name(action: Action) -> str:
    """The action in words, as journal, metrics and pages call it."""
    return _NAMES[type(action)]


def again(action: Action) -> timedelta | None:
    """When to look again after this action: at once after an effect, as asked after a wait, else at the sweep."""
    if isinstance(action, Rest):
        return None
    return action.again if isinstance(action, Wait) else timedelta(0)


@dataclass(frozen=True, slots=True)
class Columns:
    """What is wanted, pinned and live, each as a version or a tag: three that should agree."""

    wanted: str | None
    pinned: str | None
    live: str | None


def columns(look: Snapshot, decision: Decision) -> Columns:
    """The three columns of this look; live is only what is proven of the commit that is pinned now."""
    pinned = look.pinned_version or look.pinned.value.tag
    proven = look.proof.state is ProofState.LIVE or isinstance(decision.action, MarkLive)
    return Columns(look.wanted.version if look.wanted else None, pinned, pinned if proven else None)


def state(look: Snapshot, decision: Decision) -> str:
    """One word for the wanted version: what the data scientist reads on the version's page in MLflow."""
    if look.wanted is not None and look.wanted.version == look.pinned_version:
        return _pinned_state(look, decision)
    if hold(look) is not None:
        return "held"
    if isinstance(decision.action, OpenProposal) or any(p.kind is Kind.DEPLOY for p in look.open):
        return "proposed"
    if look.image is None and look.build is not None:
        return "build failed" if look.build.state is BuildState.FAILED else "building"
    return "building" if isinstance(decision.action, StartBuild) else "waiting"


def _pinned_state(look: Snapshot, decision: Decision) -> str:
    if look.proof.state is ProofState.LIVE or isinstance(decision.action, MarkLive):
        return "live"
    failed = look.verdict is not None and look.verdict.outcome is Outcome.FAILED
    return "failed" if failed or look.proof.state is ProofState.FAILED else "verifying"


def tags(look: Snapshot, decision: Decision) -> Mapping[str, str]:
    """The tags that the wanted version should carry for this target; empty when nothing is wanted."""
    if look.wanted is None:
        return {}
    name = look.target.name
    said = {"state": state(look, decision)}
    proposal = next((p for p in look.open if p.kind is Kind.DEPLOY), look.last)
    if proposal is not None and proposal.version == look.wanted.version:
        said["pull_request"] = proposal.url
    if look.wanted.version == look.pinned_version:
        said["commit"] = look.pinned.commit
    if look.image is not None:
        said["image"] = look.image.reference
    elif look.wanted.version == look.pinned_version and look.pinned.value.repository:
        said["image"] = str(look.pinned.value)
    return {version_tag(name, key): value for key, value in said.items()}
