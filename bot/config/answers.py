"""Single values that people give on the command line, held to the rules of the config files, and in their sentences."""

import re
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from bot.config.entries import ModelName
from bot.config.faults import quoted
from bot.config.fields import GitHubRepository, ImageRepository, RepositoryUrl

_ELSEWHERE = (".gitlab.com", ".bitbucket.org", ".dev.azure.com", ".visualstudio.com", ".codeberg.org")
_OWNER_AND_NAME = re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+\Z")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,180}}\Z)(?:{_LABEL}\.)*(?![0-9]+\Z){_LABEL}\Z")


class BadAnswer(ValueError):
    """A value that cannot be taken: what is wrong, and how to mend it."""


def model(text: str) -> str:
    """The name of a registered model that can stand in a file. Raises `BadAnswer`."""
    if not text.isprintable():
        raise BadAnswer(f"{quoted(text)} has characters that nobody can see. Rename the model in MLflow.")
    return _held(TypeAdapter(ModelName), text)


def image(text: str) -> str:
    """An image repository, without tag or digest. Raises `BadAnswer`."""
    found = _held(TypeAdapter(ImageRepository), text)
    if found.startswith("["):
        raise BadAnswer(
            f"{quoted(text)} has an address for a registry. Give it a name: `ghcr.io/acme/model`."
        )
    host, slash, path = found.partition("/")
    return f"{host.lower()}{slash}{path}"


def repository(text: str) -> tuple[str, str, str]:
    """Of the address of a repo at GitHub: that for git with its scheme, its host, and `owner/name`. Raises `BadAnswer`.

    `owner/name` alone is a repo at github.com.
    """
    if _OWNER_AND_NAME.match(text):
        text = f"https://github.com/{text.removesuffix('.git')}.git"
    elif text.startswith("github.com/"):
        text = f"https://{text}"
    url = _held(TypeAdapter(RepositoryUrl), text)
    if "://" not in url:
        url = f"ssh://{url.replace(':', '/', 1)}"
    parts = urlsplit(url)
    host = str(parts.hostname)
    if f".{host}".endswith(_ELSEWHERE):
        raise BadAnswer(f"{host} is not GitHub. The bot opens pull requests at GitHub and GitHub Enterprise.")
    path = parts.path.strip("/").removesuffix(".git")
    at = "github.com" if host in ("ssh.github.com", "www.github.com") else host
    return url, at, _held(TypeAdapter(GitHubRepository), path)


def domain(text: str) -> str:
    """A DNS domain, in lower case. Raises `BadAnswer`."""
    lower = text.lower()
    if not _DOMAIN.match(lower):
        raise BadAnswer(
            f"{quoted(text)} is not a domain. Write it alone, without scheme, port or `*.`: `example.com`."
        )
    return lower


def _held(kind: TypeAdapter[str], text: str) -> str:
    try:
        return kind.validate_python(text)
    except ValidationError as error:
        context = error.errors(include_url=False)[0].get("ctx", {})
        raise BadAnswer(f"{context['what']}. {context['how']}") from None
