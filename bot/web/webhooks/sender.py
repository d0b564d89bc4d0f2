"""What the modules of the senders share: how they say no, and the ways in which a delivery proves whom it is from.

A sender's module has `read`, which verifies a delivery and names the targets that it may concern. Nothing else of a
delivery is believed: it may be late, repeated, lost or out of date, and the truth is read afterwards.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bot.web.doors import Doors

HEADER = "X-Gitops-Bot-Token"

_WORDS = re.compile(r"[A-Za-z][A-Za-z0-9._ -]{0,79}\Z")


class BadSignature(Exception):
    """The delivery is not believed; the message says why, to whoever set up the sender."""


class BadDelivery(Exception):
    """The delivery is genuine and still not one of the sender's; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a delivery is about: an event in harmless words, and names of targets. `id` is the sender's own, if any."""

    event: str
    targets: tuple[str, ...]
    id: str | None = None


Read = Callable[["Doors", Mapping[str, str], bytes], Reading]
"""Verify these headers and this body, and read them. Raises `BadSignature` or `BadDelivery`."""


def header(headers: Mapping[str, str], name: str) -> str:
    """A header's value under its name in any case, as proxies rewrite it; empty where there is none."""
    return next((value for given, value in headers.items() if given.lower() == name.lower()), "")


def keys(secrets: Iterable[str | bytes]) -> list[bytes]:
    """The secrets that are set, as bytes."""
    return [secret.encode() if isinstance(secret, str) else secret for secret in secrets if secret]


def signed(secrets: Iterable[str | bytes], signature: str, body: bytes) -> bool:
    """Whether one of the secrets made this `sha256=<hex>` of exactly this body; no secret believes nothing."""
    given = signature.encode("utf-8", "replace")
    # All are compared, so that the time taken does not tell which secret fits.
    return sum(hmac.compare_digest(_signature(key, body), given) for key in keys(secrets)) > 0


def _signature(key: bytes, body: bytes) -> bytes:
    return b"sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest().encode()


def expect_token(secrets: Iterable[str | bytes], headers: Mapping[str, str]) -> None:
    """Return when `Authorization: Bearer …` or `X-Gitops-Bot-Token: …` carries one of the secrets; else `BadSignature`.

    Several secrets are for rotation. For senders that cannot sign; they must come over TLS or a network of their own.
    """
    known = keys(secrets)
    if not known:
        raise BadSignature("no token is configured for this sender, so nothing can be believed")
    scheme, _, bearer = header(headers, "Authorization").partition(" ")
    token = bearer.strip() if scheme.lower() == "bearer" else header(headers, HEADER)
    if not token:
        raise BadSignature(f"the delivery carries neither Authorization: Bearer nor {HEADER}")
    # WSGI shows a header's bytes as Latin-1.
    given = token.encode("latin-1", "backslashreplace")
    if not sum(hmac.compare_digest(key, given) for key in known):
        raise BadSignature("the token is not the one that is configured here")


def json_object(body: bytes, cure: str = "") -> Mapping[str, Any]:
    """The body as a JSON object, else `BadDelivery` with what to do about it."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadDelivery(f"the body is not JSON{cure}") from error
    if not isinstance(value, dict):
        raise BadDelivery("the body is not a JSON object")
    return value


def words(value: Any, otherwise: str) -> str:
    """The value where it is a few plain words, which can be stored and shown; else the other."""
    return value if isinstance(value, str) and _WORDS.match(value) else otherwise
