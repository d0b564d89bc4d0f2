"""Image references compared as pods carry them: verbatim from the manifest, with a tag, a digest, or both."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.adapters.flux.fields import scalars


@dataclass(frozen=True, slots=True)
class Reference:
    """`repository`, `tag` and `digest`, each as it is written; empty where it is not."""

    repository: str
    tag: str
    digest: str


def parse(text: str) -> Reference:
    """The parts of `repository[:tag][@digest]`; a port in the repository's host is no tag."""
    name, _, digest = text.partition("@")
    head, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return Reference(f"{head}{slash}{last}", tag, digest)


def carries(listed: str, wanted: str) -> bool:
    """Whether a listed image is the wanted one: a wanted digest decides, else the tag does."""
    have, want = parse(listed), parse(wanted)
    if have.repository != want.repository:
        return False
    return have.digest == want.digest if want.digest else have.tag == want.tag


def of_same_repository(listed: str, wanted: str) -> bool:
    """Whether both are images of one repository."""
    return parse(listed).repository == parse(wanted).repository


def named(values: Mapping[str, Any], wanted: str) -> bool:
    """Whether Helm values name the wanted image: whole, or its digest, or its tag, under whatever key.

    A number is a tag only under a key that says so: `replicas: 2` does not name version 2.
    """
    want = parse(wanted)
    whole = {part for part in (want.digest, f"{want.tag}@{want.digest}") if len(part) > 1}
    whole |= set() if want.digest or not want.tag else {want.tag}
    for key, value in scalars(values):
        if isinstance(value, str) and (value in whole or carries(value, wanted)):
            return True
        if want.tag and key.lower().endswith("tag") and str(value) == want.tag:
            return True
    return False
