"""What GitHub's refusals and silences mean for the bot: try later, or a sentence for a person."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from github.GithubException import BadAttributeException, GithubException, RateLimitExceededException

from bot.ports import Refused, Retryable

# What GitHub asks for when a rate limit names no time (facts/products.md, 5.9).
PATIENCE = timedelta(seconds=60)
LONGEST = timedelta(hours=1)


@contextlib.contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn what PyGithub and requests raise into `Retryable` or `Refused`; `doing` completes "while …"."""
    try:
        yield
    except GithubException as error:
        raise judged(doing, error) from error
    except requests.exceptions.RequestException as error:
        # The text of these names sockets and objects, which helps nobody; the kind does.
        raise Retryable(f"GitHub did not answer while {doing} ({type(error).__name__})") from error
    except (BadAttributeException, json.JSONDecodeError) as error:
        raise Retryable(f"what answered while {doing} does not speak as GitHub does") from error
    except RuntimeError as error:  # PyGithub's word for a redirect that leaves the server
        raise Refused(f"GitHub sent us elsewhere while {doing}: {error}") from error


def judged(doing: str, error: GithubException) -> Retryable | Refused:
    """The bot's exception for an answer of GitHub's that is an error."""
    status, headers = error.status, error.headers or {}
    if _rate_limited(error):
        return Retryable(f"GitHub's rate limit was met while {doing}", _asked_to_wait(headers) or PATIENCE)
    if status >= 500 or status == 408:
        return Retryable(f"GitHub answered {status} while {doing}", _asked_to_wait(headers))
    said = sentence(error)
    if status == 401:
        return Refused(f"GitHub does not accept the bot's token ({said}): renew it")
    if status == 403:
        needs = headers.get("x-accepted-github-permissions")
        hint = f"; it needs {needs}" if needs else ""
        return Refused(f"the bot's token is not allowed {doing}: {said}{hint}")
    if status == 404:
        return Refused(
            f"GitHub finds nothing while {doing}: it is not there, or the bot's token may not see it"
        )
    if status == 422 and "No commit found" in said:
        return Retryable(f"GitHub does not know the commit yet while {doing}")
    return Refused(f"GitHub refused ({status}) while {doing}: {said}")


def sentence(error: GithubException) -> str:
    """What GitHub says, with the details that it puts beside its message."""
    data: Any = error.data if isinstance(error.data, Mapping) else {}
    parts = [str(data.get("message") or error.message or "no reason given")]
    details = data.get("errors")
    for detail in details if isinstance(details, list) else []:
        if not isinstance(detail, Mapping):
            parts.append(str(detail))
        elif detail.get("message"):
            parts.append(str(detail["message"]))
        else:
            parts.append(" ".join(str(detail[key]) for key in ("resource", "field", "code") if key in detail))
    return "; ".join(part for part in parts if part)[:500]


def _rate_limited(error: GithubException) -> bool:
    headers = error.headers or {}
    if error.status == 429 or isinstance(error, RateLimitExceededException):
        return True
    return error.status == 403 and ("retry-after" in headers or headers.get("x-ratelimit-remaining") == "0")


def _asked_to_wait(headers: Mapping[str, Any]) -> timedelta | None:
    """Retry-After, else the time until the limit is reset; at most an hour. None when the answer says neither."""
    after, reset = str(headers.get("retry-after", "")), str(headers.get("x-ratelimit-reset", ""))
    if after.isdecimal():
        return min(timedelta(seconds=int(after)), LONGEST)
    if headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
        left = datetime.fromtimestamp(int(reset), UTC) - datetime.now(UTC)
        return min(max(left, timedelta(0)) + timedelta(seconds=1), LONGEST)
    return None
