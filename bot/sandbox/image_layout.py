"""OCI images laid out and unpacked without a container engine: the same content always gives the same digest.

Media types and fields are those of the OCI image specification (facts/products.md, section 7).
"""

import gzip
import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

UNPACKED_LIMIT = 4 << 30
"""Bytes that one layer may unpack to."""


class BadImage(Exception):
    """The image cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A gzipped tar file: the digest of the file, and that of the tar inside (`diff_id`)."""

    path: Path
    digest: str
    diff_id: str
    size: int


@dataclass(frozen=True, slots=True)
class Settings:
    """How a container of the image is run. `created` is RFC 3339 and part of the digest: take it from the content."""

    entrypoint: tuple[str, ...]
    working_folder: str
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    created: str = "1970-01-01T00:00:00Z"
    user: str = "1000:1000"


def write_layer(files: Mapping[str, Path], out: Path) -> Layer:
    """Write files and folders to a layer, each under its absolute path in the image.

    Sorted, owned by root, times zero. Raises BadImage for anything but plain files and folders.
    """
    with out.open("wb") as raw:
        compressed = _Hashing(raw)
        with gzip.GzipFile(filename="", mode="wb", fileobj=cast(Any, compressed), mtime=0) as packed:
            inner = _Hashing(packed)
            with tarfile.open(fileobj=cast(Any, inner), mode="w|", format=tarfile.PAX_FORMAT) as tar:
                for name, path in sorted(dict(_entries(files)).items()):
                    _add(tar, name, path)
    return Layer(out, compressed.digest, inner.digest, compressed.size)


def describe(settings: Settings, layers: Sequence[Layer]) -> tuple[bytes, bytes]:
    """The bytes of the image's configuration and of its manifest."""
    config = canonical(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": settings.created,
            "config": {
                "User": settings.user,
                "Entrypoint": list(settings.entrypoint),
                "WorkingDir": settings.working_folder,
                "Env": [f"{key}={value}" for key, value in sorted(settings.environment.items())],
                "ExposedPorts": {f"{port}/tcp": {} for port in settings.ports},
                "Labels": dict(settings.labels),
            },
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
            "history": [{"created": settings.created, "created_by": "sandbox CI"} for _ in layers],
        }
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": sha256(config), "size": len(config)},
        "layers": [{"mediaType": LAYER, "digest": layer.digest, "size": layer.size} for layer in layers],
    }
    return config, canonical(manifest)


def unpack_layer(layer: IO[bytes], folder: Path, *, limit: int = UNPACKED_LIMIT) -> str:
    """Unpack a gzipped tar into a folder that only this function writes to, and return the tar's digest.

    Only plain files and folders below `folder` are made; links, devices, paths that lead elsewhere and whiteouts
    raise BadImage, so nothing in the folder can lead out of it. So does more than `limit` bytes.
    """
    try:
        with gzip.GzipFile(fileobj=layer, mode="rb") as packed:
            inner = _HashingReader(cast(IO[bytes], packed), limit)
            with tarfile.open(fileobj=cast(Any, inner), mode="r|") as tar:
                for member in tar:
                    _extract(tar, member, folder)
            while inner.read(1 << 20):
                pass
            return inner.digest
    except (tarfile.TarError, EOFError, OSError) as error:
        raise BadImage(f"a layer cannot be unpacked: {error}") from error


def canonical(document: object) -> bytes:
    """JSON with sorted keys and no spaces: the same document always has the same digest."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def sha256(content: bytes) -> str:
    """`sha256:…` of these bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _entries(files: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    for place, path in files.items():
        for parent in list(PurePosixPath(place).parents)[:-1]:
            yield str(parent).lstrip("/"), path.parent
        for found in [path, *path.rglob("*")] if path.is_dir() else [path]:
            if found.is_symlink() or not (found.is_dir() or found.is_file()):
                raise BadImage(f"{found.name} is neither a plain file nor a folder")
            yield (PurePosixPath(place) / found.relative_to(path).as_posix()).as_posix().lstrip("/"), found


def _add(tar: tarfile.TarFile, name: str, path: Path) -> None:
    entry = tarfile.TarInfo(name)
    if path.is_dir():
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(entry)
        return
    entry.size, entry.mode = path.stat().st_size, 0o644
    with path.open("rb") as content:
        tar.addfile(entry, content)


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name:
        raise BadImage(f"a layer holds a path that leads out of the image: {member.name!r}")
    if path.name.startswith(".wh."):
        raise BadImage("a layer takes files of an earlier one away, which the sandbox cannot do")
    target = folder / path
    if member.isdir():
        target.mkdir(mode=0o755, parents=True, exist_ok=True)
        return
    content = tar.extractfile(member) if member.isreg() else None
    if content is None:
        raise BadImage(f"a layer holds something that is neither a plain file nor a folder: {member.name!r}")
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as out:
        while chunk := content.read(1 << 20):
            out.write(chunk)
    target.chmod(0o755 if member.mode & 0o100 else 0o644)


class _Hashing:
    """A stream that counts and hashes what is written through it."""

    def __init__(self, out: Any) -> None:
        self._out, self._state, self.size = out, hashlib.sha256(), 0

    def write(self, content: bytes) -> int:
        self._state.update(content)
        self.size += len(content)
        self._out.write(content)
        return len(content)

    def flush(self) -> None:
        self._out.flush()

    @property
    def digest(self) -> str:
        return f"sha256:{self._state.hexdigest()}"


class _HashingReader:
    """A stream that hashes what is read through it, and refuses to give more than `limit` bytes."""

    def __init__(self, source: IO[bytes], limit: int) -> None:
        self._source, self._left, self._state = source, limit, hashlib.sha256()

    def read(self, size: int) -> bytes:
        content = self._source.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise BadImage("a layer unpacks to more than the sandbox takes")
        self._state.update(content)
        return content

    @property
    def digest(self) -> str:
        return f"sha256:{self._state.hexdigest()}"
