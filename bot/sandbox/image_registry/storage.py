"""Blobs, manifests and tags on disk: content-addressed, and never half written."""

import hashlib
import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bot.sandbox.image_registry.answers import Refusal

# The grammar of the specification (facts/products.md, section 7).
NAME = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*\Z")
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}\Z")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_UPLOAD = re.compile(r"[0-9a-f]{32}\Z")

_CHUNK = 1 << 20
_INDEXES = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
}
_IMAGES = {
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
}


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest's exact bytes with the media type that it was pushed under."""

    digest: str
    media_type: str
    content: bytes


class Storage:
    """Everything that the registry knows, under one folder; safe for several threads.

    What a repository holds is marked by files under `repositories/NAME/_…` (no part of a name begins with an
    underscore), so one repository never shows what was only pushed to another.
    """

    def __init__(self, folder: Path) -> None:
        """Use this folder; it may hold an earlier registry's content."""
        self._blobs = folder / "blobs" / "sha256"
        self._repositories = folder / "repositories"
        self._partial = folder / "partial"
        for needed in (self._blobs, self._repositories, self._partial):
            needed.mkdir(parents=True, exist_ok=True)

    # --- uploads ---

    def open_upload(self, name: str) -> str:
        """Begin an upload to a repository and return its id."""
        upload = secrets.token_hex(16)
        self._mark(name, "_uploads", upload).touch()
        return upload

    def upload_size(self, name: str, upload: str) -> int:
        """How many bytes have come; refused with BLOB_UPLOAD_UNKNOWN when there is no such upload here."""
        return self._upload(name, upload).stat().st_size

    def append(self, name: str, upload: str, stream: IO[bytes]) -> int:
        """Add the stream's bytes to an upload and return its new size."""
        with self._upload(name, upload).open("ab") as out:
            for chunk in _chunks(stream):
                out.write(chunk)
            return out.tell()

    def finish(self, name: str, upload: str, digest: str) -> None:
        """Make the upload a blob of the repository, if its bytes have this digest; otherwise DIGEST_INVALID."""
        path = self._upload(name, upload)
        _check_digest(digest)
        with path.open("rb") as stream:
            actual = _sha256(stream)
        if actual != digest:
            path.unlink(missing_ok=True)
            raise Refusal("DIGEST_INVALID", f"the upload's digest is {actual}, not {digest}")
        path.replace(self._blobs / _hex(digest))
        self._mark(name, "_blobs", _hex(digest)).touch()

    def cancel(self, name: str, upload: str) -> None:
        """Forget an upload."""
        self._upload(name, upload).unlink()

    # --- blobs ---

    def blob(self, name: str, digest: str) -> Path:
        """The file of a blob that this repository holds; BLOB_UNKNOWN otherwise."""
        _check_digest(digest)
        if not (self._repositories / name / "_blobs" / _hex(digest)).exists():
            raise Refusal("BLOB_UNKNOWN", f"{name} has no blob {digest}")
        return self._blobs / _hex(digest)

    def mount(self, name: str, digest: str, source: str) -> bool:
        """Make a blob of `source` one of this repository too; False when `source` does not hold it."""
        if not DIGEST.match(digest) or not NAME.match(source):
            return False
        held = (self._repositories / source / "_blobs" / _hex(digest)).exists()
        if held:
            self._mark(name, "_blobs", _hex(digest)).touch()
        return held

    # --- manifests and tags ---

    def put_manifest(self, name: str, reference: str, media_type: str, content: bytes) -> str:
        """Store a manifest under a tag or its own digest and return the digest; everything it names must be here."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if ":" in reference and reference != digest:
            raise Refusal("DIGEST_INVALID", f"the manifest's digest is {digest}, not {reference}")
        if ":" not in reference and not TAG.match(reference):
            raise Refusal("MANIFEST_INVALID", "this is neither a tag nor a digest")
        self._check_parts(name, media_type, content)
        self._write(self._blobs / _hex(digest), content)
        self._write(self._mark(name, "_manifests", _hex(digest)), media_type.encode())
        if reference != digest:
            self._write(self._mark(name, "_tags", reference), digest.encode())
        return digest

    def manifest(self, name: str, reference: str) -> Manifest:
        """By tag or digest; NAME_UNKNOWN or MANIFEST_UNKNOWN when it is not here."""
        home = self._home(name)
        digest = reference if DIGEST.match(reference) else self._tagged(home, reference)
        record = home / "_manifests" / _hex(digest)
        if not digest or not record.exists():
            raise Refusal("MANIFEST_UNKNOWN", f"{name} has no manifest {reference}")
        return Manifest(digest, record.read_text(), (self._blobs / _hex(digest)).read_bytes())

    def delete_manifest(self, name: str, reference: str) -> None:
        """Forget a tag, or a manifest with all the tags that name it."""
        found = self.manifest(name, reference)
        home = self._home(name)
        if not DIGEST.match(reference):
            (home / "_tags" / reference).unlink(missing_ok=True)
            return
        (home / "_manifests" / _hex(found.digest)).unlink(missing_ok=True)
        for tag in self.tags(name):
            if self._tagged(home, tag) == found.digest:
                (home / "_tags" / tag).unlink(missing_ok=True)

    def tags(self, name: str) -> list[str]:
        """In lexical order; NAME_UNKNOWN when the repository is not here."""
        folder = self._home(name) / "_tags"
        return sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []

    # --- inside ---

    def _home(self, name: str) -> Path:
        home = self._repositories / name
        if not (home / "_manifests").exists():
            raise Refusal("NAME_UNKNOWN", f"there is no repository {name}")
        return home

    def _tagged(self, home: Path, tag: str) -> str:
        path = home / "_tags" / tag
        return path.read_text() if TAG.match(tag) and path.exists() else ""

    def _mark(self, name: str, kind: str, entry: str) -> Path:
        folder = self._repositories / name / kind
        folder.mkdir(parents=True, exist_ok=True)
        return folder / entry

    def _upload(self, name: str, upload: str) -> Path:
        path = self._repositories / name / "_uploads" / upload
        if not _UPLOAD.match(upload) or not path.exists():
            raise Refusal("BLOB_UPLOAD_UNKNOWN", "there is no such upload")
        return path

    def _write(self, path: Path, content: bytes) -> None:
        partial = self._partial / secrets.token_hex(16)
        partial.write_bytes(content)
        partial.replace(path)

    def _check_parts(self, name: str, media_type: str, content: bytes) -> None:
        document = _document(media_type, content)
        try:
            if media_type in _INDEXES:
                for child in document["manifests"]:
                    self.manifest(name, child["digest"])
            else:
                for part in (document["config"], *document["layers"]):
                    self.blob(name, part["digest"])
        except (KeyError, TypeError) as error:
            raise Refusal("MANIFEST_INVALID", f"the manifest lacks {error}") from error
        except Refusal as error:
            raise Refusal(
                "MANIFEST_BLOB_UNKNOWN", f"the manifest names something unknown: {error}"
            ) from error


def _document(media_type: str, content: bytes) -> dict[str, Any]:
    if media_type not in _INDEXES | _IMAGES:
        raise Refusal("MANIFEST_INVALID", "this media type is not one of an image or an index")
    try:
        document = json.loads(content)
    except ValueError as error:
        raise Refusal("MANIFEST_INVALID", "the manifest is not JSON") from error
    if not isinstance(document, dict) or document.get("mediaType", media_type) != media_type:
        raise Refusal("MANIFEST_INVALID", "the manifest's mediaType is not the Content-Type it came with")
    return document


def _check_digest(digest: str) -> None:
    if not DIGEST.match(digest):
        raise Refusal("DIGEST_INVALID", "this is not a sha256 digest")


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: stream.read(_CHUNK), b"")


def _sha256(stream: IO[bytes]) -> str:
    state = hashlib.sha256()
    for chunk in _chunks(stream):
        state.update(chunk)
    return f"sha256:{state.hexdigest()}"
