"""239 real and derived edits of public manifests: each is exact to the byte."""

import functools
import json
import lzma
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.corpus.adapter import edit

PACKED = Path(__file__).with_name("cases.tar.xz")


def unpacked(path: Path) -> dict[str, bytes]:
    """The files of a packed folder, by name."""
    with lzma.open(path) as file, tarfile.open(fileobj=file) as archive:
        return {
            member.name: content.read()
            for member in archive
            if member.isfile() and (content := archive.extractfile(member)) is not None
        }


@functools.cache
def packed() -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """The cases, and the files that they are about."""
    files = unpacked(PACKED)
    lines = files.pop("cases.jsonl").decode().splitlines()
    return [json.loads(line) for line in lines], files


def accepted(data: bytes, case: dict[str, Any]) -> list[bytes]:
    """The outputs that count as exact: a value that must gain quotes may have either kind."""
    outputs = []
    for number in range(max(len(target["alts"]) for target in case["targets"])):
        output = data
        for target in sorted(case["targets"], key=lambda target: -int(target["bs"])):
            text = target["alts"][min(number, len(target["alts"]) - 1)]
            output = output[: target["bs"]] + text.encode(case["enc"]) + output[target["be"] :]
        outputs.append(output)
    return outputs


def wrong(case: dict[str, Any], files: dict[str, bytes], folder: Path, *, hint: bool) -> str | None:
    """What is wrong with the edit of a case, or None."""
    data = files[case["file"]]
    path = folder / Path(case["path"]).name
    path.write_bytes(data)
    public = {"image": case["image"], "form": case["form"], "targets": []}
    if hint:
        public["targets"] = [{key: case["targets"][0][key] for key in ("doc", "path")}]
    edit(str(path), case["image"], case["new"], public)
    return (
        None if path.read_bytes() in accepted(data, case) else f"{case['id']} {case['form']} {case['file']}"
    )


@pytest.mark.parametrize("hint", [True, False], ids=["with the path to the first", "by the image alone"])
def test_every_edit_is_exact(tmp_path: Path, hint: bool) -> None:
    cases, files = packed()
    assert len(cases) == 239
    assert [text for case in cases if (text := wrong(case, files, tmp_path, hint=hint))] == []


def test_editing_twice_is_editing_once(tmp_path: Path) -> None:
    cases, files = packed()
    for case in (case for case in cases if case["kind"] != "uri"):
        path = tmp_path / "file.yaml"
        path.write_bytes(files[case["file"]])
        public = {"targets": []}
        edit(str(path), case["image"], case["new"], public)
        once = path.read_bytes()
        edit(str(path), case["image"], case["new"], public)
        assert path.read_bytes() == once, case["id"]
