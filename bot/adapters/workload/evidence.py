"""What a person wants to know at night about a pod that fails: its last events and the last lines of its log.

Both are a help and never the proof: events are merged, unordered, without times, and gone after an hour
(fixtures/kubernetes, rule 15). All of it is hostile, so each is one bounded line.
"""

import re
from collections.abc import Sequence
from datetime import datetime

from bot.adapters.workload.fields import Document, number
from bot.adapters.workload.sources import EVENTS
from bot.adapters.workload.trouble import Finding
from bot.adapters.workload.wording import LIMIT, excerpt, name, times
from bot.core.fields import child, text
from bot.core.target import Workload
from bot.core.verdict import Evidence, Outcome
from bot.ports import Objects, Refused, Retryable

_EVENTS = 4
_LINES = 5
_READ = 20
_NAME = re.compile(r"[a-z0-9][-a-z0-9.]{0,252}\Z")
# Normal in every healthy rollout.
_USUAL = ("Scheduled", "Pulling", "Pulled", "Created", "Started", "SuccessfulCreate", "ScalingReplicaSet")


def events(objects: Objects, workload: Workload, of: str, now: datetime) -> list[Evidence]:
    """The last events about a pod, or another object, that say something."""
    if not _NAME.match(of):
        return []
    try:
        listed = objects.list(EVENTS, workload.namespace, fields=f"involvedObject.name={of}", limit=100)
    except (Refused, Retryable):
        return []
    telling = [item for item in listed if text(item, "reason") not in _USUAL]
    newest = sorted(telling, key=_when)[-_EVENTS:]
    told = list(dict.fromkeys(_event(item) for item in newest))
    return [Evidence("workload", f"Events of {name(of)}", now, line, Outcome.FAILED) for line in told]


def log(objects: Objects, workload: Workload, of: Finding, now: datetime) -> list[Evidence]:
    """The last lines of the log of the container that fails: of the run that crashed, where there is one."""
    if not of.container:
        return []
    asked = f"Log of {name(of.container)} in {name(of.pod)}" + (" before its restart" if of.crashed else "")
    lines = _log(objects, workload, of, previous=of.crashed)
    if of.crashed and not lines:
        asked, lines = asked.removesuffix(" before its restart"), _log(objects, workload, of, previous=False)
    return [Evidence("workload", asked, now, line, Outcome.FAILED) for line in lines]


def _log(objects: Objects, workload: Workload, of: Finding, *, previous: bool) -> list[str]:
    try:
        said = objects.log(workload.namespace, of.pod, of.container, previous=previous, lines=_READ)
    except (Refused, Retryable):
        return []
    lines: Sequence[str] = [excerpt(line, LIMIT) for line in said.splitlines()]
    return [line for line in lines if line][-_LINES:]


def _when(event: Document) -> str:
    """Times as text sort as times; which of the four fields is set depends on who wrote the event."""
    series = text(child(event, "series"), "lastObservedTime")
    written = (series, text(event, "lastTimestamp"), text(event, "eventTime"))
    return max(written) or text(child(event, "metadata"), "creationTimestamp")


def _event(event: Document) -> str:
    count = max(number(event, "count", 1), number(child(event, "series"), "count"), 1)
    often = f" ({times(count)})" if count > 1 else ""
    return excerpt(f"{text(event, 'type')} {text(event, 'reason')}{often}: {text(event, 'message')}", LIMIT)
