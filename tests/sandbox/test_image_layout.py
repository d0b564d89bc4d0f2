"""The same files give the same layer, and a layer can only make plain files below its folder."""

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from bot.sandbox.image_layout import BadImage, unpack_layer, write_layer


def _files(folder: Path, **content: str) -> Path:
    for name, text in content.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def _layer(*members: tuple[tarfile.TarInfo, bytes]) -> io.BytesIO:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return io.BytesIO(gzip.compress(raw.getvalue()))


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def test_the_same_files_give_the_same_layer_whenever_and_wherever_they_were_written(tmp_path: Path) -> None:
    one = _files(tmp_path / "one", a="1", b__c="2")
    other = _files(tmp_path / "other", b__c="2", a="1")
    os.utime(other / "a", (1, 1))
    (other / "a").chmod(0o600)
    first = write_layer({"/app/model": one}, tmp_path / "1.tar.gz")
    second = write_layer({"/app/model": other}, tmp_path / "2.tar.gz")
    assert first.digest == second.digest
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.path.read_bytes()[4:8] == bytes(4), "gzip's own time must not be in there"


def test_one_changed_byte_gives_another_layer(tmp_path: Path) -> None:
    one = write_layer({"/m": _files(tmp_path / "one", a="1")}, tmp_path / "1.tar.gz")
    other = write_layer({"/m": _files(tmp_path / "other", a="2")}, tmp_path / "2.tar.gz")
    assert one.digest != other.digest
    assert one.diff_id != other.diff_id


def test_a_layer_unpacks_to_what_was_laid_out(tmp_path: Path) -> None:
    layer = write_layer({"/app/model": _files(tmp_path / "in", a="1", b__c="2")}, tmp_path / "layer.tar.gz")
    with layer.path.open("rb") as content:
        assert unpack_layer(content, tmp_path / "out") == layer.diff_id
    assert (tmp_path / "out/app/model/a").read_text() == "1"
    assert (tmp_path / "out/app/model/b/c").read_text() == "2"


def test_a_link_in_the_model_folder_is_refused(tmp_path: Path) -> None:
    folder = _files(tmp_path / "in", a="1")
    (folder / "secrets").symlink_to("/etc/passwd")
    with pytest.raises(BadImage, match="secrets is neither"):
        write_layer({"/app/model": folder}, tmp_path / "layer.tar.gz")


@pytest.mark.parametrize(
    "member",
    [
        _member("/etc/evil"),
        _member("../evil"),
        _member("a/../../evil"),
        _member("link", tarfile.SYMTYPE, "/etc"),
        _member("link", tarfile.SYMTYPE, "a"),
        _member("hard", tarfile.LNKTYPE, "../../evil"),
        _member("device", tarfile.CHRTYPE),
        _member("pipe", tarfile.FIFOTYPE),
        _member("a/.wh.b"),
    ],
    ids=lambda member: f"{member.name}-{member.type.decode()}",
)
def test_a_layer_with_anything_but_plain_files_inside_is_refused(
    tmp_path: Path, member: tarfile.TarInfo
) -> None:
    with pytest.raises(BadImage):
        unpack_layer(_layer((member, b"")), tmp_path / "deep" / "out")
    assert not [path for path in tmp_path.rglob("*") if path.is_symlink() or path.is_file()]


def test_a_layer_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    bomb = _layer((_member("zeros"), bytes(1 << 20)))
    with pytest.raises(BadImage, match="more than"):
        unpack_layer(bomb, tmp_path, limit=1 << 19)


@pytest.mark.parametrize(
    "content", [b"", b"not gzip", gzip.compress(b"not a tar file at all" * 100, mtime=0)]
)
def test_bytes_that_are_no_layer_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BadImage):
        unpack_layer(io.BytesIO(content), tmp_path)
