"""What a cluster's answer other than good means, and what a person can do (bodies recorded in fixtures/kubernetes, 09)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from bot.ports import Refused, Resource, Retryable

_EXCERPT = 240
_LONGEST_WAIT = timedelta(hours=1)
_USER = re.compile(r'User "([^"]{1,200})"')


def excerpt(text: str, limit: int = _EXCERPT) -> str:
    """Hostile text on one line, bounded."""
    line = "".join(char if char.isprintable() else " " for char in text)
    line = " ".join(line.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked: an RBAC verb, the resource (with a subresource), where, and of which object (empty: of many)."""

    verb: str
    resource: Resource
    namespace: str
    name: str = ""
    subresource: str = ""

    @property
    def group(self) -> str:
        """The API group, empty for the core."""
        return self.resource.version.rpartition("/")[0]

    @property
    def kind(self) -> str:
        """`pods/log`, as a Role names it."""
        return self.resource.plural + (f"/{self.subresource}" if self.subresource else "")

    def __str__(self) -> str:
        """`deployments.apps web in namespace shop`."""
        dotted = f"{self.kind}.{self.group}" if self.group else self.kind
        return f"{dotted} {self.name}".rstrip() + f" in namespace {self.namespace}"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, what it says about when to come again, and the bounded body."""

    status: int
    retry_after: str | None
    body: bytes

    def document(self) -> Mapping[str, Any] | None:
        """The body as a JSON object, or None when it is none."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, Mapping) else None

    def said(self) -> str:
        """The API's own sentence, bounded."""
        message = (self.document() or {}).get("message")
        return excerpt(message) if isinstance(message, str) and message else "without a reason"


def explained(answer: Answer, question: Question, now: datetime) -> Refused | Retryable:
    """The sentence for a person. 404 is the caller's, who knows what nothing means."""
    status, said = answer.status, answer.said()
    if status == 401:
        return Refused(f"the bot's login is not accepted by the cluster ({said}): make a new one")
    if status == 403:
        return _forbidden(said, question)
    if status == 404:
        return Refused(f"there is no {question} ({said})")
    if 300 <= status < 400:
        return Refused("the cluster's address redirects elsewhere, where the login must not go: correct it")
    if status == 409:
        return Retryable(f"{question} is being changed by somebody else ({said})")
    if status >= 500 or status in (408, 410, 429):
        return Retryable(f"the cluster answered {status} about {question} ({said})", _wait(answer, now))
    return Refused(f"the cluster refused to {question.verb} {question} with {status} ({said})")


def _forbidden(said: str, question: Question) -> Refused:
    """A right that is missing, with the rule that grants it; or an admission's or a quota's own no."""
    if f"cannot {question.verb} resource" not in said:
        return Refused(f"the cluster does not let the bot {question.verb} {question}: {said}")
    who = _USER.search(said)
    account = f" ({who.group(1)})" if who else ""
    hint = " Its login did not reach the cluster at all." if "system:anonymous" in account else ""
    rule = f'{{apiGroups: ["{question.group}"], resources: ["{question.kind}"], verbs: ["{question.verb}"]}}'
    return Refused(
        f"the bot{account} lacks the right to {question.verb} {question}: grant it with a Role in that namespace with"
        f" the rule {rule}, and a RoleBinding of it to the bot's account.{hint}"
    )


def _wait(answer: Answer, now: datetime) -> timedelta | None:
    """Retry-After in either of its forms, or `retryAfterSeconds` of the body; at most an hour."""
    details = (answer.document() or {}).get("details")
    seconds: Any = details.get("retryAfterSeconds") if isinstance(details, Mapping) else None
    text = (answer.retry_after or "").strip()
    if text.isascii() and text.isdigit():
        seconds = int(text[:9])
    elif text:
        try:
            seconds = (parsedate_to_datetime(text).astimezone(UTC) - now).total_seconds()
        except (ValueError, OverflowError):
            seconds = None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0:
        return None
    return timedelta(seconds=min(float(seconds), _LONGEST_WAIT.total_seconds()))
