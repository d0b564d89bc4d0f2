"""What the line of a change proves by itself, the whole file proves, too; what it cannot prove is left to the file."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.manifests import parsing, proof, scalars, tokens, tree
from bot.adapters.manifests.changes import Replace
from bot.adapters.manifests.compose import Node
from bot.adapters.manifests.source import Source
from bot.adapters.manifests.splices import splice
from bot.ports import Refused
from tests.corpus.test_corpus import packed

NEW = [
    "v7",
    "1.10",
    "yes",
    "a: b",
    "x #y",
    "- z",
    "{q",
    "...",
    "---",
    "'",
    '"',
    "",
    "~",
    "a\nb",
    "é",
    "&x",
    "!t",
]


def scalar_values(source: Source) -> list[Node]:
    """The scalars of a source that are no keys, each once, in document order."""
    found: dict[int, Node] = {}
    pending = list(source.roots)
    seen: set[int] = set()
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if node.id == "scalar":
            found[id(node)] = node
        else:
            pending += [value for _, value in node.value] if node.id == "mapping" else tree.children(node)
    return sorted(found.values(), key=lambda node: int(node.start_mark.index))


def agrees(source: Source, node: Node, text: str) -> bool:
    """Whether the line proves the change; the whole file must then prove it, and give the same bytes."""
    change = Replace(node, text)
    try:
        span = splice(source, change)
    except Refused:
        return False
    if not tokens.proves(source, change, span):
        return False
    after = source.spliced([span])
    proof.prove(source, after, [change])
    assert scalars.edited(source, [change]) == after.data
    return True


def test_what_a_line_proves_the_whole_file_proves_too() -> None:
    files = packed()[1]
    proved = tried = 0
    for path, data in sorted(files.items()):
        if len(data) > 3000:
            continue
        try:
            source = parsing.read(path, data)
        except Refused:
            continue
        for number, node in enumerate(scalar_values(source)):
            if number % 9 == len(data) % 9:
                tried += 1
                proved += agrees(source, node, NEW[(number + len(data)) % len(NEW)])
    assert proved > tried / 3 > 100


LINE = st.text(alphabet="ab:-#&*!|>'\"{}[], ?\t%@`~.\x85\ufeff", max_size=12)


@settings(max_examples=400, deadline=None)
@given(st.lists(LINE, min_size=1, max_size=5), st.sampled_from(NEW), st.booleans())
def test_a_line_proves_nothing_that_the_file_does_not(lines: list[str], new: str, crlf: bool) -> None:
    text = ("\r\n" if crlf else "\n").join(lines)
    try:
        source = parsing.read("a.yaml", text.encode())
    except Refused:
        return
    for node in scalar_values(source):
        agrees(source, node, new)


@pytest.mark.parametrize(
    ("text", "proved"),
    [
        ("a: v6\n", True),
        ("a: v6 # c\r\nb: 1\n", True),
        ("- {a: 1}\n- &x 'v6'\n- *x\n", True),
        ("a: !!int 6\n", False),
        ("{a: v6}\n", False),
        ("a: |\n  v6\n", False),
        ("a:\n", False),
        ("a: v6\n  more\n", False),
        ("v6\n", False),
    ],
)
def test_a_line_is_asked_only_where_it_can_know(text: str, proved: bool) -> None:
    source = parsing.read("a.yaml", text.encode())
    assert agrees(source, scalar_values(source)[-1], "v7") is proved


@pytest.mark.parametrize("written", ["v8", "7", "yes", "v7 x", "v7 # x", '"v7', "*v7", ""])
def test_a_line_proves_no_other_text_than_the_one_that_is_meant(written: str) -> None:
    source = parsing.read("a.yaml", b"a: v6 # c\n")
    meant = written if written in ("7", "yes") else "v7"
    assert not tokens.proves(source, Replace(scalar_values(source)[0], meant), (3, 5, written))
