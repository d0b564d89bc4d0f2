"""YAML is read with places and bounds; hostile bytes give faults, never another exception."""

import json
import string
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.config.document import LARGEST, read
from bot.config.faults import Fault, Faults
from bot.config.promotions import parse_promotions
from tests.config.faulty import SHORTEST


def fault_of(data: bytes) -> str:
    with pytest.raises(Faults) as caught:
        read(data, "f.yaml")
    return str(caught.value)


def test_values_are_those_of_yaml_1_2_and_quotes_make_text() -> None:
    text = b"{a: on, b: '1', c: 012, d: 1.5, e: ~, f: true, g: -3, h: 1e3, i: 12345678901234567890, j: [x], k: ! 1}"
    assert read(text, "f.yaml").plain() == {
        "a": "on", "b": "1", "c": "012", "d": 1.5, "e": None, "f": True, "g": -3, "h": "1e3",
        "i": "12345678901234567890", "j": ("x",), "k": "1",
    }  # fmt: skip


def test_an_alias_repeats_what_its_anchor_named() -> None:
    assert read(b"a: &x {b: 1}\nc: *x\n", "f.yaml").plain() == {"a": {"b": 1}, "c": {"b": 1}}


def test_places_lead_to_keys_and_items_or_to_what_encloses_them() -> None:
    node = read(b"a:\n  - b: 1\n    c: {d: 2}\n", "f.yaml")
    assert node.place(("a",)) == (1, 1)
    assert node.place(("a", 0)) == (2, 5)
    assert node.place(("a", 0, "c")) == (3, 5)
    assert node.place(("a", 0, "c", "d")) == (3, 9)
    assert node.place(("a", 0, "missing", "deeper")) == (2, 5)
    assert node.place(("a", 7)) == (1, 1)


def test_both_faults_of_a_file_with_two_duplicate_keys_are_said() -> None:
    assert fault_of(b"a: 1\na: 2\nb: {c: 1, c: 2}\n") == (
        "f.yaml:2:1: a: this key is already on line 1. Keep one of the two.\n"
        "f.yaml:3:11: b.c: this key is already on line 3. Keep one of the two."
    )


BOMB = b"a: &a [1,1,1,1,1,1,1,1,1]\n" + b"".join(
    b"%c: &%c [%s]\n" % (name, name, b",".join([b"*%c" % (name - 1)] * 9)) for name in b"bcdefghijklmnop"
)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "f.yaml: the file is empty"),
        (b"# nothing\n", "f.yaml: the file is empty"),
        (b"- a\n", "f.yaml:1:1: the file is not a mapping"),
        (b"just words\n", "f.yaml:1:1: the file is not a mapping"),
        (b"a: 1\n---\nb: 2\n", "f.yaml:2:1: this is a second document"),
        (b"a: 1\nb: \xff\n", "f.yaml:2:1: this line is not UTF-8"),
        (b"a: 1\n\tb: 2\n", "f.yaml:2:1: this is not YAML: found character"),
        (b"a: [1\nb: 2\n", "f.yaml:2:2: this is not YAML"),
        (b"a: \x07\n", "f.yaml: this is not YAML"),
        (b"a: !!python/object/apply:os.system [id]\n", "f.yaml:1:4: a: YAML tags"),
        (b"a: !secret x\n", "f.yaml:1:4: a: YAML tags"),
        (b"a: *nobody\n", "f.yaml:1:4: a: this alias has no anchor"),
        (b"a: &a [*a]\n", "f.yaml:1:8: a[0]: this alias has no anchor"),
        (b"? [a, b]\n: c\n", "f.yaml:1:3: a key is a list"),
        (b"a: " + b"[" * 50_000, "f.yaml:1:24: a[0][0]: values are nested more than 20 deep"),
        (b"a: " + b"{b: " * 50_000, "nested more than 20 deep"),
        (b"a: &a [[[[[[[[[[[[1]]]]]]]]]]]]\nb: [[[[[[[[[[*a]]]]]]]]]]", "nested more than 20 deep"),
        (BOMB, "there are more than 20000 values"),
        (b"a: [" + b"1," * 30_000 + b"]", "there are more than 20000 values"),
        (b"a: " + b"x" * LARGEST, "f.yaml: the file is larger than 1 MiB"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_place(data: bytes, said: str) -> None:
    assert said in fault_of(data)


def test_control_characters_of_a_hostile_key_do_not_reach_the_message() -> None:
    message = fault_of(b'"\\e[31mred": 1\n"\\e[31mred": 2\n')
    assert "\x1b" not in message
    assert "red" in message


def faults_of(data: bytes) -> Sequence[Fault]:
    try:
        parse_promotions(data)
    except Faults as faults:
        return faults.faults
    return ()


def targets_or_faults(data: bytes) -> None:
    assert all(fault.what and fault.how for fault in faults_of(data))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
@example(b"%YAML 9.9\n---\na: 1")
@example(b"a: !<tag:yaml.org,2002:binary> x")
@example(b"\xef\xbb\xbftargets: []")
@example(b"a: &\n")
@example(b"%TAG ! tag:x,2000:\n--- !a {}")
@example("a: \ud7ff\ufffe".encode())
def test_any_bytes_give_targets_or_faults(data: bytes) -> None:
    targets_or_faults(data)


_BITS = [
    *SHORTEST.split(" "),
    *"{}[]:,&*!|>'\"%@`#-?\n\t ",
    "defaults:\n",
    "<<: *a",
    "&a ",
    "\\",
    "..",
    "~",
    "\x00",
    "é",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(_BITS) | st.text(string.printable, max_size=5), max_size=40))
def test_any_text_made_of_bits_of_yaml_gives_targets_or_faults(bits: list[str]) -> None:
    targets_or_faults("".join(bits).encode("utf-8", "surrogatepass"))


_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["alias", "http", "name", "github", "target", "x"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
_KEYS = [
    "name",
    "model",
    "when",
    "image",
    "build",
    "pins",
    "rollout",
    "verify",
    "merge",
    "revert",
    "after",
    "settle",
    "deadline",
    "reviewers",
    "paused",
    "nope",
]


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(_KEYS), _VALUES), st.dictionaries(st.sampled_from(_KEYS), _VALUES))
def test_any_values_under_the_known_keys_give_targets_or_faults(target: Any, defaults: Any) -> None:
    targets_or_faults(json.dumps({"targets": [target, target, 1], "defaults": defaults}).encode())
