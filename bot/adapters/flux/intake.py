"""Flux has not begun with the commit: why, and whether asking it to look now may help."""

from bot.adapters.flux.case import Case
from bot.adapters.flux.wording import said
from bot.core.telling import commit
from bot.core.verdict import Verdict


def not_taken_in(case: Case) -> Verdict | None:
    """A commit that Flux never built cannot have failed (07, 14, 20).

    Ready=True of the old commit is what is seen meanwhile; a skipped commit is taken in with a later one (12).
    """
    if case.attempted:
        return None
    source, claimed = case.source, commit(case.claim.commit)
    if source is not None and source.fetched in case.carriers:
        return _fetched(case, claimed)
    if source is None:
        return case.inconclusive(
            f"{claimed} is not taken in, and the source of {case.app.name} is not there", taken_in=False
        )
    if source.suspended:
        return case.inconclusive(
            f"{claimed} is not fetched: the source {source.name} is suspended, and a person must resume it",
            taken_in=False,
        )
    if source.ready.status == "False":
        return case.inconclusive(
            f"{claimed} is not fetched: the source {source.name} fails{said(source.ready.message)}",
            taken_in=False,
        )
    return case.pending(
        f"{claimed} is not fetched yet; {source.name} is at {commit(source.fetched)}", taken_in=False
    )


def _fetched(case: Case, claimed: str) -> Verdict:
    """A running health check of another commit comes first, up to its time-out (13: 31 s, 11c: 65 s)."""
    ready = case.app.ready
    if ready.status == "False" and ready.reason == "DependencyNotReady":
        return case.inconclusive(
            f"{claimed} is fetched, but {case.app.name} waits for another{said(ready.message)}"
        )
    if ready.status == "False" and case.app.stalled and case.app.current:
        return case.inconclusive(
            f"{claimed} is fetched, but {case.app.name} does not go on ({ready.reason}){said(ready.message)}"
        )
    if ready.status == "False" and ready.reason == "ArtifactFailed" and not _older(case):
        return case.inconclusive(
            f"{claimed} is fetched, but {case.app.name} cannot use it{said(ready.message)}"
        )
    doing = f"is at {commit(case.app.attempted)}" if case.app.attempted else "has not begun"
    return case.pending(f"{claimed} is fetched; {case.app.name} {doing} and takes it next")


def _older(case: Case) -> bool:
    """Whether the Kustomization's word is from before the fetch: then it knows nothing of the artifact yet (01, 21)."""
    said_at, fetched_at = case.app.ready.since, case.source.fetched_at if case.source else None
    return said_at is not None and fetched_at is not None and said_at <= fetched_at
