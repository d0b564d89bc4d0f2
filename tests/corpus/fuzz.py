"""Crash-only fuzzing of the editor: whatever the bytes, a file is edited, left as it is, or refused; nothing else.

    pip install atheris
    python -m tests.corpus.fuzz FOLDER -max_total_time=600 -max_len=4000

FOLDER keeps what was found interesting; it is filled with small files of the corpus when it is empty. Not part of the tests;
of what was found, a few small inputs are, in found.tar.xz.
"""

import sys
from pathlib import Path

from bot.adapters.manifests import pins
from bot.adapters.manifests.editing import set_everywhere
from bot.core.model import PinValue
from bot.core.target import Alias, ContainerPin, FilePin, KustomizePin, MarkerPin, Pin, Target
from bot.ports import Refused
from tests.adapters.manifests.test_elsewhere import ELSEWHERE, EMBEDDED
from tests.corpus.test_corpus import packed

IMAGE = "ghcr.io/acme/m"
V7 = PinValue("v7", "sha256:" + "7" * 64)
FILE = "kustomization.yaml"
PINS: tuple[Pin, ...] = (
    KustomizePin(""),
    ContainerPin(FILE),
    FilePin(FILE),
    FilePin(FILE, every=True),
    FilePin(FILE, "a[0].b"),
    FilePin(FILE, "a.b", text="x/{tag}"),
    MarkerPin(""),
)


def one(data: bytes) -> None:
    """Every kind of pin on these bytes; editing twice must be editing once."""
    for pin in PINS:
        target = Target("m/production", "m", Alias("champion"), IMAGE, (pin,))
        try:
            once = pins.edited(target, {FILE: data}, V7).get(FILE, data)
            assert pins.edited(target, {FILE: once}, V7) == {}, "editing twice is editing once"
        except Refused:
            continue
    for at in ((0, ("a", 0)), None):
        try:
            once = set_everywhere(FILE, data, IMAGE, "v7", at)
            assert set_everywhere(FILE, once, IMAGE, "v7", at) == once, "editing twice is editing once"
        except Refused:
            continue


def seeds(folder: Path, largest: int = 3000) -> None:
    """Small files of the corpus, with the image that is looked for in the place of theirs."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        return
    cases, files = packed()
    for case in cases:
        data = files[case["file"]].replace(str(case["image"]).encode(), IMAGE.encode())
        if len(data) <= largest:
            (folder / case["id"]).write_bytes(data)
    for number, text in enumerate((EMBEDDED | ELSEWHERE).values()):
        (folder / f"elsewhere{number}").write_bytes(text.replace("IMAGE", IMAGE).encode())


def main() -> None:
    """Fuzz until the time that the command line names is over."""
    import atheris  # type: ignore[import-not-found]

    seeds(Path(next(word for word in sys.argv[1:] if not word.startswith("-"))))
    atheris.instrument_all()
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
