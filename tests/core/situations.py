"""Values for tests of the core: one target, its versions, proposals and verdicts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.core.model import (
    Branch,
    Image,
    Kind,
    Mergeability,
    ModelVersion,
    Pinned,
    PinValue,
    Proposal,
    ProposalState,
    Snapshot,
)
from bot.core.names import LABEL, LABEL_REVERT, deploy_branch, revert_branch
from bot.core.target import Alias, ArgoCD, KustomizePin, Target, Workflow
from bot.core.verdict import Evidence, Outcome, Verdict

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
NAME = "fraud-detector/production"
REPOSITORY = "ghcr.io/acme/fraud-detector"

TARGET = Target(
    name=NAME,
    model="fraud-detector",
    when=Alias("champion"),
    image=REPOSITORY,
    pins=(KustomizePin("apps/production"),),
    build=Workflow("acme/models", "build.yml"),
    rollout=ArgoCD("fraud-detector-production"),
)


def value(version: str) -> PinValue:
    return PinValue(f"v{version}", f"sha256:{version * 64}"[:71], REPOSITORY)


def image(version: str, run: str | None = None) -> Image:
    """The image of a version, saying which run it was made from."""
    labels = {"org.mlflow.run_id": run} if run else {}
    return Image(REPOSITORY, f"v{version}", value(version).digest or "", labels)


def version(number: str, **changes: Any) -> ModelVersion:
    return replace(ModelVersion("fraud-detector", number, run_id=f"run-{number}"), **changes)


def pinned(now: str, before: str | None = None, **changes: Any) -> Pinned:
    usual = Pinned(
        value(now),
        "c0ffee00" * 5,
        NOW - timedelta(minutes=5),
        "alice",
        value(before) if before else None,
        head="c0ffee00" * 5,
    )
    return replace(usual, **changes)


def deploy(number: int, of: str, **changes: Any) -> Proposal:
    usual = Proposal(
        number=number, url=f"https://forge.test/pull/{number}", kind=Kind.DEPLOY, target=NAME, version=of,
        branch=deploy_branch(NAME, of), head="bada55", state=ProposalState.OPEN, opened_at=NOW, mergeability=Mergeability.CLEAN,
        labels=frozenset({LABEL}),
    )  # fmt: skip
    return replace(usual, **changes)


def revert(number: int, of: str, brought_with: int, **changes: Any) -> Proposal:
    labels = frozenset({LABEL, LABEL_REVERT})
    branch = revert_branch(NAME, of, brought_with)
    usual = deploy(number, of, kind=Kind.REVERT, branch=branch, reverts=brought_with, labels=labels)
    return replace(usual, **changes)


def merged(proposal: Proposal, **changes: Any) -> Proposal:
    return replace(
        proposal,
        state=ProposalState.MERGED,
        ended_at=NOW - timedelta(minutes=5),
        merged_by="alice",
        **changes,
    )


def closed(proposal: Proposal, *, by_bot: bool = False, **changes: Any) -> Proposal:
    return replace(
        proposal,
        state=ProposalState.CLOSED,
        closed_by="bot" if by_bot else "alice",
        closed_by_bot=by_bot,
        **changes,
    )


def branch(of: str, replaces: str = "6", **changes: Any) -> Branch:
    return replace(Branch(deploy_branch(NAME, of), "bada55", value(of), value(replaces)), **changes)


def verdict(outcome: Outcome, because: str = "Argo CD says so", **changes: Any) -> Verdict:
    return replace(Verdict(outcome, because, (Evidence("argocd", "GET", NOW, "answer", outcome),)), **changes)


def look(**changes: Any) -> Snapshot:
    """Version 6 is pinned (by a person), version 7 is wanted, nothing else is there."""
    usual = Snapshot(target=TARGET, now=NOW, pinned=pinned("6", "5"), wanted=version("7"), pinned_version="6")
    return replace(usual, **changes)


def brought(of: str = "7", before: str | None = "6", **changes: Any) -> Snapshot:
    """Version `of` was merged with #12 and is pinned and wanted; what became of it the caller says."""
    proposal = merged(deploy(12, of))
    usual = look(
        pinned=pinned(of, before),
        pinned_version=of,
        wanted=version(of),
        brought_by=proposal,
        last=proposal,
        revert_branch=branch("6"),
    )
    return replace(usual, **changes)
