"""What `gitops-bot init` has to know, and the names that follow from it."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

GitOps = Literal["argocd", "flux"]
CI = Literal["github", "azure"]

NOBODYS = "your-domain.example"  # no such host can ever be (RFC 2606)
LONGEST = 40  # `NAME-production` is a namespace, and a label of a host: 63 characters
# What YAML takes for something else than text, and what the template calls things of its own.
_TAKEN = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"} | {
    "default", "gitops-bot", "gitops-bot-access", "kustomization", "manifests",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answers:
    """All of it is checked (`bot.config.answers`).

    `url` is for a person's git, `host` and `repository` (`owner/name`) are its parts. Hosts are below `domain`.
    """

    model: str
    image: str
    url: str
    host: str
    repository: str
    gitops: GitOps = "argocd"
    ci: CI = "github"
    domain: str = NOBODYS

    @property
    def name(self) -> str:
        """What Kubernetes and the targets call the model."""
        return kubernetes_name(self.model)

    @property
    def owner(self) -> str:
        """Who the repo belongs to."""
        return self.repository.partition("/")[0]

    @property
    def manifests(self) -> str:
        """The repo for git over HTTP: the bot, Argo CD and Flux come with a token, and with no key for ssh."""
        if self.url.startswith(("https://", "http://")):
            return self.url
        return f"https://{self.host}/{self.repository}.git"

    @property
    def page(self) -> str:
        """Where people find the repo."""
        return self.manifests.removesuffix(".git")

    @property
    def api(self) -> str | None:
        """The forge's REST API where it is not that of github.com, which the bot takes by itself."""
        if self.host == "github.com":
            return None
        if self.host.endswith(".ghe.com"):  # GitHub Enterprise Cloud with data residency
            return f"https://api.{self.host}"
        parts = urlsplit(self.manifests)
        return f"{parts.scheme}://{parts.netloc}/api/v3"

    @property
    def review(self) -> str:
        """A command that lists what was guessed, where the name of a folder is put after it."""
        domain = [] if self.domain == NOBODYS else [re.escape(self.domain)]
        return f"grep -rnE '{'|'.join(['your-', *domain, f'@{self.owner}/'])}'"

    @property
    def registry(self) -> str:
        """The registry's host, with its port if it has one."""
        return self.image.partition("/")[0]

    @property
    def azure(self) -> str:
        """Where images are in Azure Container Registry, or a name that nobody has."""
        return self.beside if self.registry.endswith(".azurecr.io") else "your-registry.azurecr.io/models"

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
