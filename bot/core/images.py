"""Image references compared as pods carry them: verbatim from the manifest, with a tag, a digest, or both."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reference:
    """`repository`, `tag` and `digest`, each as it is written; empty where it is not."""

    repository: str
    tag: str
    digest: str


def parse(text: str) -> Reference:
    """The parts of `repository[:tag][@digest]`; a port in the repository's host is no tag. Never raises."""
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
