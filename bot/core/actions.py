"""The closed set of things that one pass can do next. `engine/act.py` has one branch for each."""

from dataclasses import dataclass
from datetime import timedelta

from bot.core.model import Branch, Image, ModelVersion, Pinned, PinValue, Proposal
from bot.core.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Rest:
    """Wanted, pinned and live agree, or nothing is wanted: an event or the sweep comes next."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Something outside must happen first; look again in `again` at the latest (None: the sweep's turn)."""

    again: timedelta | None = None


@dataclass(frozen=True, slots=True)
class AskToSync:
    """Ask the cluster to look at the repo now instead of at its next poll."""

    commit: str


@dataclass(frozen=True, slots=True)
class Terminate:
    """End the cluster's operation that keeps this commit from being applied."""

    commit: str


@dataclass(frozen=True, slots=True)
class StartBuild:
    """Have CI build and push the image of this version."""

    wanted: ModelVersion


@dataclass(frozen=True, slots=True)
class OpenProposal:
    """Open the pull request that pins this image."""

    wanted: ModelVersion
    image: Image


@dataclass(frozen=True, slots=True)
class RenewProposal:
    """Write the branch of an open proposal again, from the base branch's head: its base is stale or conflicts."""

    proposal: Proposal
    branch: Branch
    wanted: ModelVersion
    image: Image


@dataclass(frozen=True, slots=True)
class NoteBaseline:
    """Put on record, on an open proposal, whether what it replaces serves: it must not be blamed for old troubles."""

    proposal: Proposal
    baseline: Verdict


@dataclass(frozen=True, slots=True)
class Merge:
    """Merge exactly the head that was judged."""

    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Close:
    """Close a proposal that no longer matters, saying why in a comment."""

    proposal: Proposal
    why: str


@dataclass(frozen=True, slots=True)
class MarkLive:
    """Put on record that the pinned commit serves."""

    pinned: Pinned
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class MarkFailed:
    """Put on record that the pinned commit does not serve, where no revert follows."""

    pinned: Pinned
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class OpenRevert:
    """Open the pull request that restores `to` where the pins still hold what `failed` wrote."""

    failed: Proposal
    pinned: Pinned
    to: PinValue
    verdict: Verdict
    person: str = ""  # why a person must merge it, who is then told; empty: the bot may


@dataclass(frozen=True, slots=True)
class Alarm:
    """Tell people that the pinned commit is not decided long after its deadline; nothing else changes."""

    pinned: Pinned


@dataclass(frozen=True, slots=True)
class MoveAliasBack:
    """Let the version that is pinned again hold the alias, which still names the one that was taken back."""

    failed: str
    version: str
    alias: str


@dataclass(frozen=True, slots=True)
class Release:
    """Lift the hold that a proposal caused, as a person asked in a comment."""

    proposal: Proposal
    asked_by: str


Action = (
    Rest
    | Wait
    | AskToSync
    | Terminate
    | StartBuild
    | OpenProposal
    | RenewProposal
    | NoteBaseline
    | Merge
    | Close
    | MarkLive
    | MarkFailed
    | OpenRevert
    | Alarm
    | MoveAliasBack
    | Release
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do next, and the sentence that says why to a person."""

    action: Action
    because: str
