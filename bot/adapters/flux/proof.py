"""The seven points of fixtures/flux/README.md, section (a), for a commit that Flux has begun with."""

from bot.adapters.flux.case import Case
from bot.adapters.flux.wording import excerpt
from bot.core.telling import at, commit
from bot.core.verdict import Outcome, Verdict


def not_applied(case: Case) -> Verdict | None:
    """Ready=True comes before lastAppliedRevision, and Healthy=True belongs to the commit before until then (b)."""
    app = case.app
    if not app.current:
        return case.pending(
            f"the settings of {app.name} were changed, and Flux has not gone through them yet"
        )
    if not case.applied:
        return case.pending(f"{commit(app.attempted)} is being applied or waits to be healthy")
    return None


def release_not_done(case: Case) -> Verdict | None:
    """A Kustomization may be green before Helm has started (10c), and Helm's revision is no commit."""
    release = case.release
    if release is None:
        return None
    newest = release.history[0] if release.history else None
    if newest is None or newest.status != "deployed":
        return case.pending(f"the Helm release {release.name} is not deployed yet")
    done = release.ready.status != "False" and case.deployed
    return None if done else case.pending(f"Helm has not done this commit's release of {release.name} yet")


def workload_not_done(case: Case) -> Verdict | None:
    """Flux does not look between two intervals, and may check something else (15, 16, 17, 18, 03e)."""
    image = excerpt(case.claim.image)
    if not case.workloads:
        return case.inconclusive(
            f"{commit(case.claim.commit)} is applied, but no Deployment or other workload of {case.app.name} that runs {image}"
            " can be seen: it was removed, another Kustomization deploys it, or the bot may not read it"
        )
    for item in case.workloads:
        if not item.carries:
            return case.pending(
                f"{commit(case.claim.commit)} is applied, but the {item.name} asks for another image{_words(case)}"
            )
        if item.empty:
            return case.inconclusive(f"the {item.name} is scaled to no pods: nothing serves {image}")
        if not item.complete and case.held is not None:
            return case.inconclusive(
                f"{commit(case.claim.commit)} is applied, but {case.held}; {item.counted}"
            )
        if not item.complete:
            room = f" ({case.short_of_room})" if case.short_of_room else ""
            return case.pending(f"the {item.name} is not rolled out: {item.counted}{room}")
    for other in case.others:
        if other.against:
            return case.pending(
                f"{commit(case.claim.commit)} is rolled out, but the {excerpt(str(other), 80)} {excerpt(other.against)}"
            )
    return None


def _words(case: Case) -> str:
    """What Flagger says of the analysis that comes before its primary gets the image, and KServe of its model."""
    words = (f"the {excerpt(str(item), 80)} says {excerpt(item.word, 120)}" for item in case.others)
    return "".join(f" ({word})" for word in list(words)[:1])


def good(case: Case) -> Verdict | None:
    """A run over what is live (Ready=Unknown at every interval, 23) is no news: the workload says how long it is good."""
    claim = case.claim
    times = [*(item.since for item in case.workloads), *(item.since for item in case.others)]
    since = max(filter(None, (claim.merged_at, *times)))
    settled = since + claim.settle
    if case.now < settled:
        return case.pending(
            f"{commit(claim.commit)} is applied and rolled out, and must stay so until {at(settled)}",
            again=settled - case.now,
        )
    return case.verdict(
        Outcome.SUCCEEDED,
        f"{commit(claim.commit)} is applied (at {commit(case.app.applied)}), and all pods of"
        f" {', '.join(item.name for item in case.workloads[:4])} run {excerpt(claim.image)} since {at(since)}",
    )
