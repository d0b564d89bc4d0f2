"""GitHub's webhooks: is this delivery genuine, and what may it have changed (facts/products.md, section 5.3).

A delivery decides nothing: it may be late, repeated or lost, and GitHub is asked afterwards.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bot.core.names import PREFIX, TARGET, parse_branch
from bot.core.target import Catalogue, Target
from bot.web.webhooks.sender import BadDelivery, BadSignature, Reading, header, json_object, signed

if TYPE_CHECKING:
    from bot.web.doors import Doors

SIGNATURE = "X-Hub-Signature-256"
DELIVERY_ID = "X-GitHub-Delivery"

_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}\Z")
_CORRELATION = re.compile(rf"{PREFIX}-[0-9a-f]{{16}}(?![0-9a-f])")
# What the bot does to its own pull requests without changing what a decision depends on.
_ECHOES = frozenset({"edited", "labeled", "unlabeled", "review_requested"})


@dataclass(frozen=True, slots=True)
class Hint:
    """What may have changed; all empty when it concerns no target.

    `sender` is the login that caused the event. `targets` are named by a branch or a status context, and need not
    exist. `workflow_repository` is where a workflow ran, `correlation` the id in the run's title.
    `all_of_repository` says that any target of this manifests repo may be concerned.
    """

    sender: str
    event: str
    delivery_id: str
    targets: frozenset[str] = frozenset()
    workflow_repository: str | None = None
    all_of_repository: str | None = None
    correlation: str | None = None


def read(doors: "Doors", headers: Mapping[str, str], body: bytes) -> Reading:
    """Verify a delivery by its signature, and name the targets that it may concern."""
    if not verify(doors.github_secrets(), headers, body):
        raise BadSignature("the signature does not fit: is the secret the same on both sides?")
    event, delivery = header(headers, "X-GitHub-Event"), header(headers, DELIVERY_ID)
    hint = interpret(
        event,
        json_object(body, ": choose the content type application/json"),
        delivery_id=delivery,
        base_branch=doors.base_branch,
        own_login=doors.github_login,
    )
    return Reading(event, targets_of(hint, doors.catalogue(), doors.manifests_repository), delivery)


def verify(secrets: Iterable[str | bytes], headers: Mapping[str, str], body: bytes) -> bool:
    """Whether one of the secrets signed exactly this body; several are for rotation, none believes nothing."""
    return signed(secrets, header(headers, SIGNATURE), body)


def targets_of(hint: "Hint", catalogue: Catalogue, manifests: str | None = None) -> tuple[str, ...]:
    """The targets that a delivery may concern: named by a branch, built where a workflow ran, or all.

    `manifests` is the manifests repo as `owner/name`; without it every repository counts as that one.
    """
    everything = hint.all_of_repository is not None and (
        manifests is None or _same_repository(hint.all_of_repository, manifests)
    )
    return tuple(
        target.name
        for target in catalogue.targets.values()
        if everything or target.name in hint.targets or _built_there(target, hint.workflow_repository)
    )


def _built_there(target: Target, repository: str | None) -> bool:
    return (
        repository is not None
        and target.build is not None
        and _same_repository(target.build.repository, repository)
    )


def _same_repository(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def interpret(
    event: str,
    body: Mapping[str, Any],
    *,
    delivery_id: str = "",
    base_branch: str | None = None,
    own_login: str | None = None,
) -> Hint:
    """What a delivery hints at. Raises `BadDelivery` when its event lacks what GitHub always sends.

    `base_branch` is the manifests repo's, by default the default branch that the delivery names. Events that the bot
    (`own_login`) caused itself and that no decision depends on hint at nothing, so that a pass does not wake itself.
    """
    if not isinstance(body, Mapping):
        raise BadDelivery(f"the body of a {event or 'nameless'} event is not a JSON object")
    sender = body.get("sender")
    login = sender.get("login") if isinstance(sender, Mapping) else None
    hint = Hint(login if isinstance(login, str) else "", event, delivery_id)
    read = _EVENTS.get(event)
    if read is None or (own_login and hint.sender.lower() == own_login.lower() and _echo(event, body)):
        return hint
    return read(hint, body, base_branch)


def _echo(event: str, body: Mapping[str, Any]) -> bool:
    return event in {"status", "issue_comment"} or body.get("action") in _ECHOES


def _pull_request(hint: Hint, body: Mapping[str, Any], base_branch: str | None) -> Hint:
    head = _object(hint, body, "pull_request", "head")
    theirs = head.get("repo")  # null when the fork is gone
    if not isinstance(theirs, Mapping) or theirs.get("full_name") != _repository(hint, body):
        return hint
    return replace(hint, targets=_of_branches(_text(hint, body, "pull_request", "head", "ref")))


def _workflow_run(hint: Hint, body: Mapping[str, Any], base_branch: str | None) -> Hint:
    run = _object(hint, body, "workflow_run")
    if run.get("event", "workflow_dispatch") != "workflow_dispatch":
        return hint
    found = _CORRELATION.search(str(run.get("display_title") or "")[:1000])
    return replace(
        hint, workflow_repository=_repository(hint, body), correlation=found.group() if found else None
    )


def _push(hint: Hint, body: Mapping[str, Any], base_branch: str | None) -> Hint:
    ref, repository = _text(hint, body, "ref"), _repository(hint, body)
    base = base_branch or _object(hint, body, "repository").get("default_branch")
    if not ref.startswith("refs/heads/"):
        return hint
    branch = ref.removeprefix("refs/heads/")
    if base is None or branch == base:
        return replace(hint, all_of_repository=repository)
    return replace(hint, targets=_of_branches(branch))


def _status(hint: Hint, body: Mapping[str, Any], base_branch: str | None) -> Hint:
    prefix, _, target = _text(hint, body, "context").partition("/")
    if prefix == PREFIX and TARGET.match(target):
        return replace(hint, targets=frozenset({target}))
    branches = body.get("branches")
    names = [b.get("name") for b in branches if isinstance(b, Mapping)] if isinstance(branches, list) else []
    return _about_heads(hint, body, names)


def _check_suite(hint: Hint, body: Mapping[str, Any], base_branch: str | None) -> Hint:
    return _about_heads(hint, body, [_object(hint, body, "check_suite").get("head_branch")])


def _check_run(hint: Hint, body: Mapping[str, Any], base_branch: str | None) -> Hint:
    suite = _object(hint, body, "check_run").get("check_suite")
    return _about_heads(hint, body, [suite.get("head_branch") if isinstance(suite, Mapping) else None])


def _about_heads(hint: Hint, body: Mapping[str, Any], names: Iterable[Any]) -> Hint:
    """A check of the heads of these branches; without one, nobody knows which target it was."""
    branches = [name for name in names if isinstance(name, str)]
    if not branches:
        return replace(hint, all_of_repository=_repository(hint, body))
    return replace(hint, targets=_of_branches(*branches))


def _issue_comment(hint: Hint, body: Mapping[str, Any], base_branch: str | None) -> Hint:
    """Only what tells the bot something; whether the person may, GitHub is asked, as for which target it is."""
    if "pull_request" not in _object(hint, body, "issue") or body.get("action") == "deleted":
        return hint
    if f"/{PREFIX}" not in _text(hint, body, "comment", "body"):
        return hint
    return replace(hint, all_of_repository=_repository(hint, body))


def _of_branches(*names: str) -> frozenset[str]:
    return frozenset(found.target for name in names if (found := parse_branch(name)) is not None)


def _repository(hint: Hint, body: Mapping[str, Any]) -> str:
    name = _text(hint, body, "repository", "full_name")
    if not _REPOSITORY.match(name):
        raise BadDelivery(f"a {hint.event} event whose repository.full_name is not owner/name")
    return name


def _object(hint: Hint, body: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    value = _at(body, path)
    if not isinstance(value, Mapping):
        raise BadDelivery(f"a {hint.event} event without the object {'.'.join(path)}")
    return value


def _text(hint: Hint, body: Mapping[str, Any], *path: str) -> str:
    value = _at(body, path)
    if not isinstance(value, str):
        raise BadDelivery(f"a {hint.event} event without the text {'.'.join(path)}")
    return value


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


_EVENTS: Mapping[str, Callable[[Hint, Mapping[str, Any], str | None], Hint]] = {
    "pull_request": _pull_request,
    "pull_request_review": _pull_request,
    "workflow_run": _workflow_run,
    "push": _push,
    "status": _status,
    "check_suite": _check_suite,
    "check_run": _check_run,
    "issue_comment": _issue_comment,
}
