"""Names that can be derived again from what they name, so that the bot finds its own things without a database."""

import hashlib
import re
from dataclasses import dataclass

from bot.core.model import Kind

PREFIX = "gitops-bot"

# The tag that a manifests repo carries before its first release (gitops-template): nothing to go back to.
UNRELEASED = "unreleased"

LABEL = PREFIX
LABEL_REVERT = f"{PREFIX}/revert"
LABEL_RELEASED = f"{PREFIX}/released"  # on a proposal: the hold that it caused is lifted
LABEL_BROKEN = f"{PREFIX}/broken-before"  # on a proposal: what it replaces did not serve before its merge
LABEL_PERSON = (
    f"{PREFIX}/needs-a-person"  # on a revert: it is not merged by the bot, whatever the policy says
)

TRAILER_TARGET = "GitOps-Bot-Target"
TRAILER_VERSION = "GitOps-Bot-Version"
TRAILER_IMAGE = "GitOps-Bot-Image"
TRAILER_REPLACES = "GitOps-Bot-Replaces"
TRAILER_REVERTS = "GitOps-Bot-Reverts"

# MLflow counts versions; anything else cannot name a branch or a tag and is refused where it is read.
VERSION = re.compile(r"[0-9]{1,18}\Z")
# A target's name is `model/environment` in characters that are safe in branches, labels, URLs and file names.
TARGET = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*/[a-z0-9]+(?:[.-][a-z0-9]+)*\Z")

_BRANCH = re.compile(
    rf"{PREFIX}/(?P<target>[^/]+/[^/]+)/(?:v(?P<version>[0-9]{{1,18}})|revert-v(?P<failed>[0-9]{{1,18}})-(?P<number>[0-9]+))\Z"
)


@dataclass(frozen=True, slots=True)
class BranchName:
    """What a branch of the bot's says by its name. `number` is the proposal that a revert takes back."""

    kind: Kind
    target: str
    version: str
    number: int | None = None


def deploy_branch(target: str, version: str) -> str:
    """`gitops-bot/fraud-detector/production/v7`."""
    return f"{PREFIX}/{target}/v{version}"


def revert_branch(target: str, version: str, number: int) -> str:
    """`gitops-bot/fraud-detector/production/revert-v7-12`: takes back version 7, which came with proposal 12."""
    return f"{PREFIX}/{target}/revert-v{version}-{number}"


def parse_branch(name: str) -> BranchName | None:
    """The name's meaning, or None for a branch that is not the bot's."""
    found = _BRANCH.match(name)
    if found is None or not TARGET.match(found["target"]):
        return None
    if found["version"] is not None:
        return BranchName(Kind.DEPLOY, found["target"], found["version"])
    return BranchName(Kind.REVERT, found["target"], found["failed"], int(found["number"]))


def image_tag(version: str) -> str:
    """The image tag of a version: `v7`."""
    return f"v{version}"


def version_of_tag(tag: str | None) -> str | None:
    """`7` of `v7`; None for a tag that the bot did not derive."""
    return tag[1:] if tag and tag[0] == "v" and VERSION.match(tag[1:]) else None


def correlation(repository: str, tag: str) -> str:
    """The id that ties a CI run to the image it makes; targets that share the image share the run."""
    return f"{PREFIX}-{hashlib.sha256(f'{repository}:{tag}'.encode()).hexdigest()[:16]}"


def status_context(target: str) -> str:
    """The commit status context under which the bot records what it knows about a target."""
    return f"{PREFIX}/{target}"


# On a model version: what it answered to its own input example when its image was built, as JSON.
ANSWER_TAG = f"{PREFIX}.answer"


def version_tag(target: str, key: str) -> str:
    """The tag on a model version: `gitops-bot.fraud-detector/production.state`."""
    return f"{PREFIX}.{target}.{key}"
