"""The kinds of values that people write in both files: each with its check, its sentence and its JSON Schema."""

import ipaddress
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, NoReturn
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, WithJsonSchema
from pydantic_core import PydanticCustomError

from bot.config.faults import quoted
from bot.core.names import TARGET

LONGEST = timedelta(days=366)
_DURATION = re.compile(r"(?=[0-9])(?:([0-9]{1,4})d)?(?:([0-9]{1,4})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,8})s)?\Z")
_HOST = re.compile(
    r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?\Z"
)
_REPOSITORY_PART = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*\Z")
_GITHUB_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,100}\Z")
_REF = re.compile(
    r"(?!.*(?:\.\.|//|@\{|\.lock(?:/|\Z)))(?![-/.])[^\s~^:?*\[\\\x00-\x20\x7f]{1,200}(?<![/.])\Z"
)
_SCP_URL = re.compile(
    r"(?:ssh://)?[A-Za-z0-9_][A-Za-z0-9_.-]*@[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]+)?[:/][^\s:@]+\Z"
)


class Section(BaseModel):
    """A mapping of a config file: exactly these keys, no conversions, never changed after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


def wrong(what: str, how: str) -> NoReturn:
    """Refuse a value with two sentences: what is wrong, and how to fix it."""
    raise PydanticCustomError("wrong", "{what}", {"what": what, "how": how})


def text_like(pattern: re.Pattern[str], what: str, how: str) -> AfterValidator:
    """A check that the whole text matches."""

    def check(text: str) -> str:
        return text if pattern.match(text) else wrong(f"{quoted(text)} is not {what}", how)

    return AfterValidator(check)


def exactly_one(section: BaseModel, *keys: str) -> None:
    """Refuse a section that has none or several of these keys."""
    given = [key for key in keys if key in section.model_fields_set]
    choice = " or ".join(f"`{key}:`" for key in keys)
    if not given:
        wrong(f"one of {choice} is missing", f"Write exactly one of {choice}.")
    if len(given) > 1:
        wrong(f"{' and '.join(given)} exclude each other", f"Keep exactly one of {choice}.")
    if getattr(section, given[0]) is None:
        wrong(f"{given[0]} is empty", "Give it a value.")


def one_of_schema(*keys: str) -> Callable[[dict[str, Any]], None]:
    """The JSON Schema of `exactly_one`."""

    def extend(schema: dict[str, Any]) -> None:
        schema["oneOf"] = [{"required": [key]} for key in keys]

    return extend


def parse_duration(value: object) -> timedelta:
    """`90s`, `5m`, `1h30m`, `2d` as a time span of at most 366 days."""
    how = "Write it with its units, largest first: `90s`, `5m`, `1h30m` or `2d`."
    if isinstance(value, timedelta):
        return value
    found = _DURATION.match(value) if isinstance(value, str) else None
    if found is None:
        wrong(f"{quoted(value)} is not a duration", how)
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    return span if span <= LONGEST else wrong(f"{quoted(value)} is longer than a year", how)


def check_url(text: str) -> str:
    """An http(s) URL without credentials, query or fragment; its trailing slash is dropped.

    The text is never quoted: what is wrong with it may be a password.
    """
    try:
        parts = urlsplit(text)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        wrong("this is not a URL", "Write it like `https://host.example:8443/path`.")
    if parts.scheme not in ("http", "https"):
        wrong("this is not an http(s) URL", "Begin it with `https://`.")
    if "@" in parts.netloc:
        wrong(
            "a URL must not carry credentials",
            "Take `user:password@` out; secrets are settings of their own.",
        )
    if not _HOST.match(parts.netloc) or not port_is_fine or not text.isprintable() or " " in text:
        wrong("this URL has no proper host", "Write it like `https://host.example:8443/path`.")
    if parts.query or parts.fragment:
        wrong("a URL must not carry a query or a fragment here", "Cut it off at `?` or `#`.")
    return text.rstrip("/")


def check_repository_url(text: str) -> str:
    """Where git fetches from: http(s) without credentials, `ssh://user@host/path` or `user@host:path`."""
    return text if _SCP_URL.match(text) else check_url(text)


def check_host(text: str) -> str:
    """A registry's host with its port, if it has one: `ghcr.io`, `127.0.0.1:5000`."""
    return text if _HOST.match(text) else wrong(f"{quoted(text)} is not a host", "Write it like `ghcr.io`.")


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine by its name or address alone."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_image(text: str) -> str:
    """An image repository with its registry host, without scheme, tag or digest: `ghcr.io/acme/fraud-detector`."""
    how = "Write host and repository alone: `ghcr.io/acme/fraud-detector`."
    if "://" in text:
        wrong("an image has no scheme", how)
    if "@" in text:
        wrong("a digest does not belong here: it is found for each version", how)
    host, slash, path = text.partition("/")
    if ":" in path or (not slash and ":" in host):
        wrong("a tag does not belong here: it is derived from the version", how)
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        wrong(f"{quoted(text)} names no registry", "Put the host in front: `docker.io/acme/fraud-detector`.")
    parts = path.split("/")
    if not _HOST.match(host) or len(text) > 255 or not all(_REPOSITORY_PART.match(part) for part in parts):
        wrong(
            f"{quoted(text)} is not an image repository",
            f"{how} Lower-case letters, digits, `.`, `_` and `-`.",
        )
    return text


def check_path(text: str) -> str:
    """A path inside the manifests repo, as git writes it: no leading `./`, no trailing `/`; the root is `.`."""
    how = "Write it relative to the root of the repo: `apps/fraud-detector/overlays/production`."
    if text.startswith("/") or re.match(r"[A-Za-z]:", text):
        wrong(f"{quoted(text)} is an absolute path", how)
    if "\\" in text or not text.isprintable() or not text:
        wrong(f"{quoted(text)} is not a path in a git repo", how)
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        wrong(f"{quoted(text)} leaves the repo", how)
    if any(part.lower() == ".git" for part in parts):
        wrong(f"{quoted(text)} is git's own folder", how)
    return "/".join(parts) or "."


_DURATION_SCHEMA = {"type": "string", "pattern": "^(?=[0-9])([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$"}
_URL_SCHEMA = {"type": "string", "pattern": "^https?://[^\\s@]+$"}

Duration = Annotated[timedelta, BeforeValidator(parse_duration), WithJsonSchema(_DURATION_SCHEMA)]
Url = Annotated[str, AfterValidator(check_url), WithJsonSchema(_URL_SCHEMA)]
RepositoryUrl = Annotated[str, AfterValidator(check_repository_url)]
ImageRepository = Annotated[
    str,
    AfterValidator(check_image),
    WithJsonSchema({"type": "string", "pattern": "^[^/@\\s]+(/[^/:@\\s]+)+$"}),
]
RepoPath = Annotated[
    str, AfterValidator(check_path), WithJsonSchema({"type": "string", "pattern": "^[^/\\\\]"})
]
GitHubRepository = Annotated[
    str,
    text_like(_GITHUB_REPOSITORY, "a GitHub repository", "Write owner and name: `acme/models`."),
    WithJsonSchema({"type": "string", "pattern": "^[^/\\s]+/[^/\\s]+$"}),
]
GitRef = Annotated[str, text_like(_REF, "a git branch or tag", "Write its short name: `main`.")]
TargetName = Annotated[
    str,
    text_like(
        TARGET,
        "a target's name",
        "Write `model/environment` in lower-case letters, digits, `-` and `.`: `fraud-detector/production`.",
    ),
    WithJsonSchema({"type": "string", "pattern": TARGET.pattern.replace(r"\Z", "$").join(("^", ""))}),
]
