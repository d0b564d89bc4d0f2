"""What counts as the commit's own failure: at once, after a second try, or at the bot's deadline."""

from dataclasses import replace
from datetime import timedelta

from bot.adapters.flux.case import Case
from bot.adapters.flux.fields import Condition
from bot.adapters.flux.reading import HELM_FAILURES, Release, Run
from bot.adapters.flux.wording import said
from bot.adapters.flux.workload import Workload
from bot.core.telling import commit
from bot.core.verdict import Outcome, Verdict

# Conditions have whole seconds, and clocks of clusters are not ours.
_SKEW = timedelta(seconds=1)


def own_release_failed(case: Case) -> Verdict | None:
    """Rolled back or stalled for this commit's values or chart: the old version serves, git must follow (11, 11b, 11d)."""
    release = case.release
    if release is None or release.ready.status != "False" or release.ready.reason not in HELM_FAILURES:
        return None
    if not _about_the_claim(case, release, release.ready):
        return None
    claimed, ready = commit(case.claim.commit), release.ready
    if release.remediated and ready.reason in ("RollbackSucceeded", "UninstallSucceeded"):
        return case.failed(
            f"Helm has taken {claimed} back ({ready.reason}) while git still has it{said(ready.message)}"
        )
    if release.stalled:
        return case.failed(f"Helm has given {claimed} up ({ready.reason}){said(release.stalled.message)}")
    return case.pending(f"the Helm release of {claimed} failed ({ready.reason}) and is tried again")


def _about_the_claim(case: Case, release: Release, condition: Condition) -> bool:
    """Old values and old charts leave their failure behind for a moment (11b: 0.1 s)."""
    if case.named:
        return (
            case.attempted and condition.generation is not None and condition.generation == release.generation
        )
    if "+" in release.chart and not release.digested:
        return case.chart_of(release.chart, case.carriers)
    return case.attempted and condition.since is not None and condition.since >= case.claim.merged_at - _SKEW


def own_run_failed(case: Case) -> Verdict | None:
    """Flux tries a failed revision again, and it may come good by itself (03d): a health check must fail twice.

    What cannot be built, or what the API server calls invalid, fails at once (04, 05); what else goes wrong has until the
    deadline, and an outage (a webhook, a decryption key) is no failure even then.
    """
    ready, claimed = case.app.ready, commit(case.claim.commit)
    if ready.status != "False":
        return _failed_twice(case)
    if case.applied and ready.reason != "HealthCheckFailed":
        return case.inconclusive(
            f"{claimed} was applied, and a later run failed ({ready.reason}){said(ready.message)}"
        )
    if ready.reason == "HealthCheckCanceled":
        return case.pending(f"the health check of {claimed} was cancelled for a newer commit")
    if _for_good(ready):
        return case.verdict(
            Outcome.FAILED, f"{claimed} cannot be applied ({ready.reason}){said(ready.message)}"
        )
    return _failed_twice(case) or case.pending(
        f"{commit(case.app.attempted)} has not come through ({ready.reason}), and Flux tries again{said(ready.message)}"
    )


def _for_good(ready: Condition) -> bool:
    """The same manifests give the same answer again."""
    if ready.reason == "BuildFailed":
        return ready.message.startswith("kustomize build failed")
    return ready.reason == "ReconciliationFailed" and "dry-run failed (Invalid)" in ready.message


def _failed_twice(case: Case) -> Verdict | None:
    run = case.failed_before
    if run is None or run.times < 2 or case.serves or run.status != "HealthCheckFailed":
        return None
    if run.first is None or run.first < case.claim.merged_at - _SKEW:
        return None
    if case.applied and not _lasts(case, run):
        return None
    return case.failed(
        f"{commit(case.claim.commit)} failed its health check {run.times} times{said(case.app.ready.message)}"
    )


def _lasts(case: Case, run: Run) -> bool:
    """What was applied well before has failed when no check went well for as long as the deadline.

    The history counts the failures of weeks together, whatever came between.
    """
    well = case.succeeded.newest if case.succeeded is not None else None
    if run.first is None or (well is not None and well > run.first):
        return False
    return case.now - run.first > case.claim.deadline


def at_deadline(case: Case, verdict: Verdict) -> Verdict:
    """What still waits at the deadline has failed if it is this commit's doing, and else is not known."""
    if verdict.outcome is not Outcome.PENDING or not case.late:
        return verdict
    because = verdict.because.removeprefix("Flux: ")
    if _own_fault(case):
        return case.failed(f"{because}; the deadline has passed")
    unknown = case.inconclusive(
        f"{because}; the deadline has passed, but nothing says that the commit failed"
    )
    return replace(unknown, taken_in=verdict.taken_in)


def _own_fault(case: Case) -> bool:
    """Begun, and not serving because of what it is: not what a person has changed (15, 18), and not 10c."""
    if not case.attempted or case.serves or (case.applied and not case.app.current):
        return False
    release = case.release
    if (
        release is not None
        and release.ready.status != "True"
        and not _interrupted(case, release)
        and _about_the_claim(case, release, release.ready)
    ):
        return True
    if not case.applied:
        return True
    if case.checked and case.app.attempted != case.app.applied:
        # It was healthy, and a later commit with its image is not.
        return False
    return any(_overdue(case, item) for item in case.workloads if item.carries and not item.complete)


def _interrupted(case: Case, release: Release) -> bool:
    """Whether Helm has done the claim's release and looks at it again: that happens at every interval."""
    return release.ready.status == "Unknown" and case.deployed


def _overdue(case: Case, item: Workload) -> bool:
    """What was rolled out has the deadline anew from when it became short of pods; enough of it serves if none says when.

    All gone within the first deadline, it has no other (03e).
    """
    end = case.claim.merged_at + case.claim.deadline
    unready = case.pods.unready_since
    if item.completed or case.checked:
        short = item.short_since or unready
        early = short is not None and short <= end and not item.serving
        return short is not None and (early or case.now - short > case.claim.deadline)
    # Other settings of a later commit with the same image are rolled out anew, and so is a pod on a new node; one that
    # crashes is new again and again.
    content = case.succeeded.first if case.succeeded is not None else None
    changed = max(filter(None, (content, None if case.pods.broken else unready)), default=None)
    return changed is None or changed <= end or case.now - changed > case.claim.deadline
