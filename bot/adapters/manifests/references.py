"""Image references as text: `repository:tag@digest`."""

import re

from bot.core.model import PinValue
from bot.ports import Refused

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")
_DIGEST = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[A-Za-z0-9=_-]{1,256}\Z")


def parsed(text: str) -> PinValue:
    """The parts of a reference; a colon before a slash belongs to the registry's port."""
    name, _, digest = text.partition("@")
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = name, ""
    return PinValue(tag=tag or None, digest=digest or None, repository=repository or None)


def reference(repository: str, value: PinValue) -> str:
    """The reference of an image in this repository with the value's tag and digest, as far as it has them."""
    text = f"{repository}:{value.tag}" if value.tag else repository
    return f"{text}@{value.digest}" if value.digest else text


def checked(value: PinValue) -> PinValue:
    """The value itself, if its parts are what a registry accepts; hostile text must not become YAML."""
    if value.tag is not None and not _TAG.match(value.tag):
        raise Refused(f"{value.tag!a} is not an image tag (letters, digits, `_`, `.`, `-`, at most 128)")
    if value.digest is not None and not _DIGEST.match(value.digest):
        raise Refused(f"{value.digest!a} is not an image digest (sha256:…)")
    return value


def same(one: PinValue, other: PinValue) -> bool:
    """Whether two values name the same image; a repository counts only where both say one."""
    if one.repository and other.repository and one.repository != other.repository:
        return False
    return (one.tag, one.digest) == (other.tag, other.digest)


def is_digest(text: str) -> bool:
    """Whether the text is a digest: `sha256:…`."""
    return _DIGEST.match(text) is not None and len(text.partition(":")[2]) >= 32


def agree(one: PinValue, other: PinValue) -> bool:
    """Whether two places name one release, as far as both say it: a chart's values may have a tag and no digest."""
    if one.repository and other.repository and one.repository != other.repository:
        return False
    both = [(a, b) for a, b in ((one.tag, other.tag), (one.digest, other.digest)) if a and b]
    return all(a == b for a, b in both) and _is_unset(one) == _is_unset(other)


def _is_unset(value: PinValue) -> bool:
    # A place that says the image and no version of it, not one that has only a part (a tag, a digest).
    return bool(value.repository) and not value.tag and not value.digest


def merged(one: PinValue, other: PinValue) -> PinValue:
    """What two places that agree say together."""
    return PinValue(one.tag or other.tag, one.digest or other.digest, one.repository or other.repository)
