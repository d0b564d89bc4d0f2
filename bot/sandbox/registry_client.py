"""Pushes and pulls images by the OCI distribution protocol, for the sandbox's CI and cluster."""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.utils import parse_dict_header

from bot.sandbox.image_layout import (
    CONFIG,
    INDEX,
    MANIFEST,
    BadImage,
    Layer,
    Settings,
    describe,
    sha256,
    unpack_layer,
)

_TIMEOUT = (5, 60)
_DOCUMENT_LIMIT = 4 << 20


class RegistryFailure(Exception):
    """The registry did not do what was asked; the message says what it answered."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """An image on disk: its digest, its root file system, and how a container of it is run."""

    digest: str
    root: Path
    entrypoint: tuple[str, ...]
    working_folder: str
    environment: Mapping[str, str]
    labels: Mapping[str, str]


class RegistryClient:
    """Talks to one registry, over plain http because it is on loopback. `credentials` are user and password."""

    def __init__(self, host: str, credentials: tuple[str, str] | None = None) -> None:
        """`host` is `127.0.0.1:PORT`."""
        self._base = f"http://{host}"
        self._credentials = credentials
        self._session = requests.Session()
        self._session.trust_env = False
        self._token: str | None = None

    def push(self, repository: str, tag: str, settings: Settings, layers: Sequence[Layer]) -> str:
        """Push an image under a tag and return its digest; blobs that are there already are not sent again."""
        config, manifest = describe(settings, layers)
        for layer in layers:
            with layer.path.open("rb") as content:
                self._push_blob(repository, layer.digest, layer.size, content)
        self._push_blob(repository, sha256(config), len(config), config)
        place = f"/v2/{repository}/manifests/{tag}"
        self._call("PUT", place, data=manifest, headers={"Content-Type": MANIFEST})
        return sha256(manifest)

    def resolve(self, repository: str, reference: str) -> str:
        """The digest under a tag."""
        return sha256(self._document(f"/v2/{repository}/manifests/{reference}", f"{MANIFEST}, {INDEX}"))

    def unpack(self, repository: str, digest: str, folder: Path) -> Unpacked:
        """Pull an image by digest and unpack it below the new folder; every byte is checked against its digest.

        Raises RegistryFailure when the registry does not give it, BadImage when it is not one that can be run here;
        what was unpacked until then is left for the caller to remove.
        """
        manifest = self._json(f"/v2/{repository}/manifests/{digest}", digest, MANIFEST)
        try:
            config = self._json(
                f"/v2/{repository}/blobs/{manifest['config']['digest']}", manifest["config"]["digest"], CONFIG
            )
            layers = [layer["digest"] for layer in manifest["layers"]]
            identities = config["rootfs"]["diff_ids"]
            unpacked = _unpacked(digest, folder, config["config"])
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise BadImage(f"the image's manifest or configuration is incomplete: {error!r}") from error
        if len(layers) != len(identities):
            raise BadImage("the image's configuration names another number of layers than its manifest")
        folder.mkdir(parents=True)
        for layer, identity in zip(layers, identities, strict=True):
            self._unpack_layer(repository, layer, identity, folder)
        return unpacked

    def _unpack_layer(self, repository: str, digest: str, identity: str, folder: Path) -> None:
        with tempfile.TemporaryFile(dir=folder.parent) as spool:
            state = hashlib.sha256()
            for chunk in self._blob(repository, digest):
                state.update(chunk)
                spool.write(chunk)
            if f"sha256:{state.hexdigest()}" != digest:
                raise BadImage(f"the bytes of {digest} are not what their digest says")
            spool.seek(0)
            if unpack_layer(spool, folder) != identity:
                raise BadImage(f"what is in {digest} is not what the image's configuration says")

    def _push_blob(self, repository: str, digest: str, size: int, content: Any) -> None:
        if self._call("HEAD", f"/v2/{repository}/blobs/{digest}", allow=(404,)).status_code == 200:
            return
        opened = self._call("POST", f"/v2/{repository}/blobs/uploads/")
        place = opened.headers["Location"]
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        self._call("PUT", place, params={"digest": digest}, data=content, headers=headers)

    def _blob(self, repository: str, digest: str) -> Iterator[bytes]:
        with self._call("GET", f"/v2/{repository}/blobs/{digest}", stream=True) as response:
            yield from response.iter_content(1 << 20)

    def _json(self, place: str, digest: str, accept: str) -> Any:
        content = self._document(place, accept)
        if sha256(content) != digest:
            raise BadImage(f"the bytes of {digest} are not what their digest says")
        try:
            return json.loads(content)
        except ValueError as error:
            raise BadImage(f"{digest} is not JSON") from error

    def _document(self, place: str, accept: str) -> bytes:
        with self._call("GET", place, headers={"Accept": accept}, stream=True) as response:
            content = b""
            for chunk in response.iter_content(1 << 20):
                content += chunk
                if len(content) > _DOCUMENT_LIMIT:
                    raise BadImage("a manifest or configuration is larger than 4 MiB")
        return content

    def _call(
        self, method: str, place: str, *, allow: tuple[int, ...] = (), **options: Any
    ) -> requests.Response:
        headers = dict(options.pop("headers", {}))
        url = urljoin(self._base, place)
        if urlsplit(url).netloc != urlsplit(self._base).netloc:
            raise RegistryFailure("the registry points to another host")
        for _ in range(2):
            if self._token:
                headers["Authorization"] = f"Bearer {self._token}"
            response = self._send(method, url, headers=headers, **options)
            if response.status_code != 401:
                break
            self._token = self._new_token(response.headers.get("WWW-Authenticate", ""))
            if hasattr(options.get("data"), "seek"):
                options["data"].seek(0)
        if response.ok or response.status_code in allow:
            return response
        raise RegistryFailure(f"{method} {urlsplit(url).path} was answered with {response.status_code}")

    def _new_token(self, challenge: str) -> str:
        wanted = parse_dict_header(challenge.partition(" ")[2])  # type: ignore[no-untyped-call]
        realm = wanted.get("realm") or ""
        if urlsplit(realm).hostname != urlsplit(self._base).hostname:
            raise RegistryFailure("the registry asks for a login somewhere else")
        asked = {key: wanted[key] or "" for key in ("service", "scope") if key in wanted}
        response = self._send("GET", realm, params=asked, auth=self._credentials)
        if not response.ok:
            raise RegistryFailure(f"the registry did not accept the login ({response.status_code})")
        return str(response.json()["token"])

    def _send(self, method: str, url: str, **options: Any) -> requests.Response:
        try:
            return self._session.request(method, url, timeout=_TIMEOUT, allow_redirects=False, **options)
        except requests.RequestException as error:
            raise RegistryFailure(f"the registry cannot be reached ({type(error).__name__})") from error


def _unpacked(digest: str, folder: Path, config: Mapping[str, Any]) -> Unpacked:
    return Unpacked(
        digest=digest,
        root=folder,
        entrypoint=tuple(str(word) for word in config["Entrypoint"]),
        working_folder=str(config.get("WorkingDir") or "/"),
        environment=dict(str(line).split("=", 1) for line in config.get("Env") or ()),
        labels={str(key): str(value) for key, value in (config.get("Labels") or {}).items()},
    )
