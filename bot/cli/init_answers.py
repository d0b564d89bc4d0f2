"""What `gitops-bot init` has to know, and the names that follow from it."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

GitOps = Literal["argocd", "flux"]
CI = Literal["github", "azure"]

LONGEST = 40  # `NAME-production` is a namespace, and a label of a host: 63 characters
# What YAML takes for something else than text, and what the template calls things of its own.
_TAKEN = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"} | {
    "default", "gitops-bot", "gitops-bot-access", "kustomization", "manifests",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answers:
    """All of it is checked (`bot.config.answers`). `url` is for git, `host` and `repository` (`owner/name`) are its parts."""

    model: str
    image: str
    url: str
    host: str
    repository: str
    gitops: GitOps = "argocd"
    ci: CI = "github"

    @property
    def name(self) -> str:
        """What Kubernetes and the targets call the model."""
        return kubernetes_name(self.model)

    @property
    def owner(self) -> str:
        """Who the repo belongs to."""
        return self.repository.partition("/")[0]

    @property
    def page(self) -> str:
        """Where people find the repo."""
        return f"https://{self.host}/{self.repository}"

    @property
    def registry(self) -> str:
        """The registry's host, with its port if it has one."""
        return self.image.partition("/")[0]

    @property
    def beside(self) -> str:
        """Where other images of the same owner are: the image without its last part."""
        return self.image.rpartition("/")[0]


def kubernetes_name(model: str) -> str:
    """The model's name as Kubernetes allows it in every place: letters, digits and `-`, a letter first, 40 at most.

    Different models get different names wherever a name had to be cut, or nothing of it was left.
    """
    plain = unicodedata.normalize("NFKD", model).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if not name or len(name) > LONGEST:
        mark = hashlib.sha256(model.encode()).hexdigest()[:8]
        name = f"{name[: LONGEST - 9].strip('-') or 'model'}-{mark}"
    if not name[0].isalpha() or name in _TAKEN:
        name = f"model-{name}"[:LONGEST].strip("-")
    return name
