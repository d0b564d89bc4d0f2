"""What runs the image without being a Deployment: whether it carries it, what it says, and whether Flux checks it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.adapters.flux.fields import conditions
from bot.adapters.flux.kinds import Document, better_check, group_of, images_of, is_other, place
from bot.adapters.flux.objections import against
from bot.core.fields import child, maps, moment, text
from bot.core.images import carries, of_same_repository
from bot.core.verdict import Claim

# Times in conditions are cut to whole seconds.
_CUT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Other:
    """One object of such a kind that is about the claim's repository."""

    kind: str
    name: str
    carries: bool
    against: str  # what it says against its being done with the image, in words; empty: nothing
    word: str  # what it says of itself, for people
    since: datetime | None  # when it became good, at the latest, where it says so
    checked: str  # whose health check covers it: `Kustomization`, `HelmRelease`, or nobody's

    @property
    def better(self) -> str:
        """The check that proves more."""
        return better_check(self.kind, self.name)

    def __str__(self) -> str:
        """`InferenceService churn`."""
        return f"{self.kind} {self.name}"


def others(documents: Sequence[Document], claim: Claim) -> tuple[Other, ...]:
    """Those that name the claimed image, else those that name another one of its repository. Never raises."""
    found = []
    for document in documents:
        if not is_other(document):
            continue
        named = images_of(document, documents)
        if any(of_same_repository(one, claim.image) for one in named):
            found.append(_other(document, documents, any(carries(one, claim.image) for one in named)))
    return tuple(item for item in found if item.carries) or tuple(found)


def _other(document: Document, documents: Sequence[Document], carrying: bool) -> Other:
    kind, _, name = place(document)
    status = child(document, "status")
    ready = conditions(status).get("Ready")
    phase = text(status, "phase")
    since = ready.since if ready else moment(status, "lastTransitionTime") if phase == "Succeeded" else None
    said = f"Ready {ready.status or 'not known'} {ready.message}" if ready else phase or "no word of its own"
    return Other(
        kind=kind,
        name=name,
        carries=carrying,
        against=against(document, documents),
        word=said.strip(),
        since=since + _CUT if since else None,
        checked=_checked(document, documents),
    )


def _checked(document: Document, documents: Sequence[Document]) -> str:
    """Whose inventory has it, where its owner waits for what it applies (fixtures/flux/README.md, section (a), point 5)."""
    kind, namespace, name = place(document)
    group = group_of(document)
    listed = f"{namespace}_{name}_{group}_{kind}"
    for owner in documents:
        entries = maps(child(child(owner, "status"), "inventory"), "entries")
        if any(text(entry, "id") == listed for entry in entries) and _waits(owner, group, kind, name):
            return text(owner, "kind")
    return ""


def _waits(owner: Document, group: str, kind: str, name: str) -> bool:
    spec = child(owner, "spec")
    if owner.get("kind") == "HelmRelease":
        # The legacy strategy, of Helm 3, passes over custom resources.
        ignored = child(spec, "waitStrategy").get("name") == "legacy"
        return not ignored and not any(
            child(spec, key).get("disableWait") is True for key in ("install", "upgrade")
        )
    # A core Service may have the name of a Knative one.
    named = any(
        (group_of(item), text(item, "kind"), text(item, "name")) == (group, kind, name)
        for item in maps(spec, "healthChecks")
    )
    return spec.get("wait") is True or named
