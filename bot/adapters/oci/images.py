"""What an image registry says about a tag: its digest, and the labels of the image's configuration."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from bot.adapters.oci.conversation import Conversation, Credentials
from bot.core.model import Image
from bot.ports import Refused, Retryable

_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_IMAGES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
# All four: a registry that misses a type in Accept may convert the manifest, and then its digest is another one.
_ACCEPT = ", ".join((*_INDEXES, *_IMAGES))

_REPOSITORY = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*\Z")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}\Z")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_HOST = re.compile(
    r"[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]{1,5})?\Z|\[[0-9a-fA-F:]+\](:[0-9]{1,5})?\Z"
)
_DOCKER_HUB = "registry-1.docker.io"
_LABELS_KEPT = 1000


class OciImages:
    """Fills the port `Images` for every registry that speaks the protocol; safe for several threads.

    `credentials` gives user and password (or token) for a registry host, or None. Hosts in `insecure_hosts` are spoken
    to by plain http.
    """

    def __init__(
        self,
        credentials: Credentials = lambda host: None,
        insecure_hosts: frozenset[str] = frozenset(),
    ) -> None:
        """Nothing is asked yet."""
        self._conversation = Conversation(credentials, insecure_hosts)
        self._labels: dict[tuple[str, str], Mapping[str, str]] = {}

    def find(self, repository: str, tag: str) -> Image | None:
        """The image under this tag with its digest and labels, or None when the registry says that there is none.

        The digest is that of what the tag names: of the index for an image of several platforms.
        """
        host, name = registry_and_name(repository)
        if not _TAG.match(tag):
            raise Refused(f"{tag!r} is not a tag that an image registry knows")
        digest = self._digest(host, name, tag)
        if digest is None:
            return None
        key = (f"{host}/{name}", digest)
        if key not in self._labels:
            labels = self._read_labels(host, name, digest)
            if labels is None:
                return None
            if len(self._labels) >= _LABELS_KEPT:
                self._labels.clear()
            self._labels[key] = labels
        return Image(repository, tag, digest, self._labels[key])

    def _digest(self, host: str, name: str, tag: str) -> str | None:
        answer = self._conversation.ask("HEAD", host, name, f"manifests/{tag}", _ACCEPT)
        if answer is None:
            return None
        digest = answer.headers.get("Docker-Content-Digest", "")
        if _DIGEST.match(digest):
            return digest
        # The header is optional in older registries: then the bytes say it.
        answer = self._conversation.ask("GET", host, name, f"manifests/{tag}", _ACCEPT)
        return None if answer is None else _sha256(answer.body)

    def _read_labels(self, host: str, name: str, digest: str) -> Mapping[str, str] | None:
        manifest = self._document(host, name, f"manifests/{digest}", digest)
        if manifest is not None and "manifests" in manifest:
            platform = _platform_digest(manifest, f"{host}/{name}@{digest}")
            manifest = self._document(host, name, f"manifests/{platform}", platform)
        if manifest is None:
            return None
        config = _digest_of(manifest.get("config"), f"{host}/{name}@{digest}")
        found = self._document(host, name, f"blobs/{config}", config)
        settings = (found or {}).get("config")
        labels = settings.get("Labels") if isinstance(settings, dict) else None
        return {str(key): str(value) for key, value in labels.items()} if isinstance(labels, dict) else {}

    def _document(self, host: str, name: str, place: str, digest: str) -> dict[str, Any] | None:
        """A JSON document whose bytes have this digest; None when the registry has none."""
        answer = self._conversation.ask(
            "GET", host, name, place, _ACCEPT if place.startswith("manifests/") else "*/*"
        )
        if answer is None:
            return None
        if _sha256(answer.body) != digest:
            raise Retryable(f"{host} sent something else than {name}@{digest}: its digest does not fit")
        try:
            document = json.loads(answer.body)
        except ValueError as error:
            raise Refused(f"{host}/{name}@{digest} is not a JSON document") from error
        if not isinstance(document, dict):
            raise Refused(f"{host}/{name}@{digest} is not an image")
        return document


def registry_and_name(repository: str) -> tuple[str, str]:
    """Host and name; names of Docker Hub as its registry knows them (`nginx` is `library/nginx` there)."""
    host, slash, name = repository.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, name = "docker.io", repository
    if host in ("docker.io", "index.docker.io"):
        host, name = _DOCKER_HUB, name if "/" in name else f"library/{name}"
    if not _HOST.match(host) or not _REPOSITORY.match(name) or len(name) > 255:
        raise Refused(f"{repository!r} is not the name of an image repository")
    return host, name


def _platform_digest(index: Mapping[str, Any], where: str) -> str:
    """The first real platform's manifest; attestations stand beside it as `unknown/unknown`."""
    entries = index["manifests"]
    for entry in entries if isinstance(entries, list) else ():
        platform = entry.get("platform") if isinstance(entry, dict) else None
        known = not isinstance(platform, dict) or platform.get("os") != "unknown"
        if isinstance(entry, dict) and known and entry.get("mediaType", _IMAGES[0]) in _IMAGES:
            return _digest_of(entry, where)
    raise Refused(f"{where} is an index without an image in it")


def _digest_of(descriptor: object, where: str) -> str:
    digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
    if not isinstance(digest, str) or not _DIGEST.match(digest):
        raise Refused(f"{where} is not an image: it names no sha256 digest where it should")
    return digest


def _sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
