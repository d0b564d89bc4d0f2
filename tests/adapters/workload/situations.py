"""Moments of recorded rollouts as the judge gets them, to be asked about as they are or with a change."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from bot.adapters.workload.judge import judge
from bot.core.target import Workload, WorkloadKind
from bot.core.verdict import Claim, Verdict
from tests.recordings.adapter import claim_of
from tests.recordings.reader import changes, expectations, objects_at

Documents = list[dict[str, Any]]


@dataclass(frozen=True)
class Situation:
    """What one look finds, what is claimed, and when."""

    documents: Documents
    claim: Claim
    now: datetime
    workload: Workload = field(default_factory=lambda: Workload(WorkloadKind.DEPLOYMENT, "web", "shop"))

    def verdict(self) -> Verdict:
        return judge(self.workload, self.documents, self.claim, self.now)

    @property
    def outcome(self) -> str:
        return self.verdict().outcome.value

    def of(self, kind: str) -> Documents:
        return [item for item in self.documents if item["kind"] == kind]

    def later(self, seconds: float) -> "Situation":
        return replace(self, now=self.now + timedelta(seconds=seconds))

    def about(self, **changed: Any) -> "Situation":
        return replace(self, claim=replace(self.claim, **changed))

    def changed(self, kind: str, change: Callable[[dict[str, Any]], object]) -> "Situation":
        """The same with every document of a kind changed in place; `change` may return False to take one away."""
        documents = copy.deepcopy(self.documents)
        kept = [item for item in documents if item["kind"] != kind or change(item) is not False]
        return replace(self, documents=kept)


@cache
def _recorded(recording: str) -> tuple[list[dict[str, Any]], datetime, Claim]:
    expectation = next(item for item in expectations("kubernetes") if item["recording"] == recording)
    started = datetime.fromisoformat(expectation["started"])
    return changes("kubernetes", recording), started, claim_of(expectation["claim"])


def situation(recording: str, at: float, **claimed: Any) -> Situation:
    """A recorded moment with the first claim about it, or another one."""
    seen, started, claim = _recorded(recording)
    since = claimed.pop("since", None)
    if since is not None:
        claimed["merged_at"] = started + timedelta(seconds=since)
    return Situation(objects_at(seen, at), replace(claim, **claimed), started + timedelta(seconds=at))


def new_pods(found: Situation) -> Documents:
    """The pods that ask for the claimed image."""
    return [item for item in found.of("Pod") if item["spec"]["containers"][0]["image"] == found.claim.image]
