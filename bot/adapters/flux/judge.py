"""What Flux's objects say about a claim: pure, ordered guard clauses, the first that applies gives the verdict.

The rules were measured: fixtures/flux/README.md, section (a). They need no memory of earlier looks: how long a state
has lasted, and which failures came before, stand in the objects.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.adapters.flux.believed import believed
from bot.adapters.flux.case import Case
from bot.adapters.flux.failure import at_deadline, own_release_failed, own_run_failed
from bot.adapters.flux.intake import not_taken_in
from bot.adapters.flux.others import others
from bot.adapters.flux.proof import good, not_applied, release_not_done, workload_not_done
from bot.adapters.flux.reading import find, read_kustomization, read_release, read_source
from bot.adapters.flux.wording import said
from bot.adapters.flux.workload import pods, workloads
from bot.core.telling import commit
from bot.core.verdict import Claim, Outcome, Verdict


def judge(documents: Sequence[Mapping[str, Any]], claim: Claim, now: datetime) -> Verdict:
    """The verdict about the claim from one reading: the first Kustomization among the documents and what belongs to it.

    That is its source, the first HelmRelease, and the workloads, other objects and pods of the image. FAILED only for what this commit
    did: its own run, its own release or its own pods. Never because of another commit, a source or a dependency that is
    broken, something suspended, or a cluster without room.
    """
    document = find(documents, "Kustomization")
    if document is None:
        return Verdict(Outcome.INCONCLUSIVE, "Flux: there is no such Kustomization")
    case = _case(document, documents, claim, now)
    verdict = next(found for found in (guard(case) for guard in _GUARDS) if found is not None)
    return at_deadline(case, verdict)


def _case(
    document: Mapping[str, Any], documents: Sequence[Mapping[str, Any]], claim: Claim, now: datetime
) -> Case:
    app = read_kustomization(document, None)
    kind, _, name = app.source
    source = find(documents, kind, name) if kind and name else None
    release = find(documents, "HelmRelease")
    return Case(
        app=read_kustomization(document, source) if source else app,
        source=read_source(source) if source else None,
        release=read_release(release) if release else None,
        workloads=workloads(documents, claim),
        others=others(documents, claim),
        pods=pods(documents, claim),
        claim=claim,
        now=now,
    )


# --- The Kustomization itself ----------------------------------------------------------------------


def _deleting(case: Case) -> Verdict | None:
    if case.app.deleting:
        return case.inconclusive(f"the Kustomization {case.app.name} is being deleted")
    return None


def _superseded(case: Case) -> Verdict | None:
    """From the moment that other manifests are applied; a failure before that stays one, and history tells it (13)."""
    app, release = case.app, case.release
    by_chart = release is not None and case.chart_of(release.chart, case.strangers)
    if app.attempted not in case.strangers and not by_chart:
        return None
    another = (
        f"{commit(app.attempted)}, which has another image," if not by_chart else "a chart of a later commit"
    )
    run = case.failed_before
    if run is not None:
        return case.failed(
            f"{commit(case.claim.commit)} failed ({run.status}) before {another} took its place"
        )
    return case.verdict(Outcome.SUPERSEDED, f"{another} takes the place of {commit(case.claim.commit)}")


def _suspended(case: Case) -> Verdict | None:
    """Ready=True at the old commit goes on for ever; only the spec tells (07)."""
    if case.app.suspended:
        return case.inconclusive(
            f"the Kustomization {case.app.name} is suspended: a person must resume it",
            taken_in=case.attempted,
        )
    if case.release is not None and case.release.suspended:
        return case.inconclusive(f"the HelmRelease {case.release.name} is suspended: a person must resume it")
    return None


_NOT_THE_COMMIT = (
    "ArtifactFailed", "DependencyNotReady", "AccessDenied", "InvalidCELExpression", "FeatureGateDisabled",
)  # fmt: skip


def _held_up(case: Case) -> Verdict | None:
    """A wrong path, a missing artifact or a dependency is not the commit's failure (05, 08, 15), nor are its own settings."""
    ready = case.app.ready
    if ready.status != "False" or ready.reason not in _NOT_THE_COMMIT:
        return None
    because = f"{case.app.name} cannot go on: {ready.reason}{said(ready.message)}"
    return case.pending(because) if case.applied and case.serves else case.inconclusive(because)


_GUARDS: tuple[Callable[[Case], Verdict | None], ...] = (
    _deleting, _superseded, own_release_failed, _suspended, not_taken_in, _held_up, own_run_failed,
    not_applied, release_not_done, believed, workload_not_done, good,
)  # fmt: skip
