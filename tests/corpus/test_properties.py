"""Whatever the document, the pin and the value: only the pin changes, back is back, and twice is once."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.adapters.manifests import pins, quoting
from bot.core.model import PinValue
from bot.core.target import Alias, ContainerPin, FilePin, KustomizePin, MarkerPin, Pin, Target
from bot.ports import Refused
from tests.corpus.fuzz import one
from tests.corpus.test_corpus import packed, unpacked

IMAGE = "ghcr.io/acme/m"
TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True) | st.sampled_from(
    ["1.10", "1e3", "0123", "yes", "n", "null", "2024-01-01", "0x1f", "1_000", "0o17", "off", "12"]
)
QUIET = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

# A marked tag, in every style: `@` is the quote, `#` the tag.
FORMS: dict[str, tuple[Pin, str]] = {
    "kustomization": (KustomizePin(""), f"images:\n  - name: {IMAGE}\n    newTag: @#@\n"),
    "container": (
        ContainerPin("kustomization.yaml"),
        f"spec:\n  containers:\n  - name: a\n    image: @{IMAGE}:#@\n",
    ),
    "values": (FilePin("kustomization.yaml"), f"image:\n  repository: {IMAGE}\n  tag: @#@\n"),
    "flow": (FilePin("kustomization.yaml"), f"image: {{repository: {IMAGE}, tag: @#@, x: [1]}}\n"),
    "block": (
        FilePin("kustomization.yaml"),
        f"helm:\n  values: |\n    image:\n      repository: {IMAGE}\n      tag: @#@\n",
    ),
    "path": (FilePin("kustomization.yaml", "a.b[1].c"), "a: {b: [x, {c: @#@}]}\n"),
    "marker": (MarkerPin(""), 'a:\n- b: @#@ \0 {"$gitops-bot": "m/production:tag"}\n'),
    "unparsable": (FilePin("kustomization.yaml"), f"{{{{ if x }}}}\nimage: @{IMAGE}:#@\n{{{{ end }}}}\n"),
}
NOISE = st.lists(
    st.sampled_from(
        [
            "# ü 🎉\n",
            "x1: &a 'y'  \nx2: *a\n",
            "x3: |\n  text\n\n",
            "\n",
            "x4: [1, 2]\t# tab\n",
            "x5: '{{ t }}'\n",
        ]
    ),
    max_size=4,
    unique=True,
)


def text_of(form: str, quote: str, tag: str) -> str:
    """The document of a form with this tag in this quote style."""
    return FORMS[form][1].replace("@", quote).replace("#", tag).replace("\0", "#")


@QUIET
@given(
    st.sampled_from(sorted(FORMS)),
    st.sampled_from(["", "'", '"']),
    TAGS,
    TAGS,
    NOISE,
    NOISE,
    st.booleans(),
    st.booleans(),
)
def test_only_the_pin_changes_and_back_is_back(  # noqa: PLR0913, RUF100
    form: str, quote: str, old: str, new: str, before: list[str], after: list[str], crlf: bool, bom: bool
) -> None:
    def document(tag: str, quote: str) -> bytes:
        noise = [piece for piece in after if piece not in before]
        text = "".join(before) + text_of(form, quote, tag) + "".join(noise)
        return (("\ufeff" if bom else "") + (text.replace("\n", "\r\n") if crlf else text)).encode()

    name = "kustomization.yaml"
    target = Target("m/production", "m", Alias("champion"), IMAGE, (FORMS[form][0],))
    start = document(old, quote)
    once = pins.edited(target, {name: start}, PinValue(new)).get(name, start)
    # A plain value that would be no string gains quotes, and keeps them.
    assert once in (document(new, quote), document(new, quote or '"'))
    assert pins.value(target, {name: once}).tag == new
    assert pins.edited(target, {name: once}, PinValue(new)) == {}
    back = pins.edited(target, {name: once}, PinValue(old)).get(name, once)
    assert back in (start, document(old, quote or '"'))
    assert back == start or '"' in once.decode() or not quoting.is_string(old)


def test_broken_files_are_edited_or_refused_and_never_crash() -> None:
    cases, files = packed()
    dice = random.Random(7)
    for case in dice.sample(cases, 12):
        data = bytearray(files[case["file"]].replace(case["image"].encode(), IMAGE.encode())[:2000])
        for _ in range(dice.randint(1, 6)):
            at = dice.randrange(len(data) or 1)
            data[at : at + dice.randint(0, 3)] = dice.choice(
                [b"\x00", b"\xff", b"&a", b"*a", b"\n", b"{{", b"|", b'"', b"\r", b"- "]
            )
        one(bytes(data))


def test_inputs_that_fuzzing_found_are_edited_or_refused_and_never_crash() -> None:
    found = unpacked(Path(__file__).with_name("found.tar.xz"))
    assert len(found) > 50
    for data in found.values():
        one(data)


def test_a_refusal_leaves_every_file_as_it_is() -> None:
    good, bad = f"image: {IMAGE}:v6\n".encode(), b"image: other:v6\n"
    target = Target("m/production", "m", Alias("champion"), IMAGE, (FilePin("a.yaml"), FilePin("b.yaml")))
    files = {"a.yaml": good, "b.yaml": bad}
    with pytest.raises(Refused, match=r"b\.yaml: nothing here names the image"):
        pins.edited(target, files, PinValue("v7"))
    assert files == {"a.yaml": good, "b.yaml": bad}
