"""Only the bytes of the pinned value change, whatever the file looks like."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.adapters.manifests import parsing, pins, proof, quoting, scalars, tree
from bot.adapters.manifests.changes import Insert, Remove, Replace
from bot.core.model import PinValue
from bot.core.target import Alias, ContainerPin, KustomizePin, Target
from bot.ports import Refused

IMAGE = "ghcr.io/acme/fraud-detector"
SHA = "sha256:" + "7" * 64
OLD_SHA = "sha256:" + "6" * 64
V7 = PinValue("v7", SHA)


def kustomize(name: str | None = None) -> Target:
    return Target(
        "fraud-detector/production", "fraud-detector", Alias("champion"), IMAGE, (KustomizePin("app", name),)
    )


def container(name: str | None = None) -> Target:
    return Target(
        "fraud-detector/production",
        "fraud-detector",
        Alias("champion"),
        IMAGE,
        (ContainerPin("app.yaml", name),),
    )


def kustomized(text: str | bytes, value: PinValue = V7, name: str | None = None) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    files = {"app/kustomization.yaml": data}
    return pins.edited(kustomize(name), files, value).get("app/kustomization.yaml", data)


def contained(text: str | bytes, value: PinValue = V7, name: str | None = None) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return pins.edited(container(name), {"app.yaml": data}, value).get("app.yaml", data)


K = f"images:\n  - name: {IMAGE}\n"

KUSTOMIZATIONS = {
    "both keys": (K + f"    newTag: v6\n    digest: {OLD_SHA}\n", K + f"    newTag: v7\n    digest: {SHA}\n"),
    "no digest yet": (K + "    newTag: v6\n", K + f"    newTag: v7\n    digest: {SHA}\n"),
    "no tag yet": (K + f"    digest: {OLD_SHA}\n", K + f"    newTag: v7\n    digest: {SHA}\n"),
    "neither yet": (K, K + f"    newTag: v7\n    digest: {SHA}\n"),
    "no final newline": (K + "    newTag: v6", K + f"    newTag: v7\n    digest: {SHA}"),
    "a comment with spaces behind it": (
        K + '    newTag: v6  # {"$imagepolicy": "x"}  \n  - name: other\n',
        K + f'    newTag: v7  # {{"$imagepolicy": "x"}}  \n    digest: {SHA}\n  - name: other\n',
    ),
    "trailing blanks": (
        K + "    newTag: v6 \t\nnamespace: a\n",
        K + f"    newTag: v7 \t\n    digest: {SHA}\nnamespace: a\n",
    ),
    "a blank line with spaces in the list": (
        K + "    newTag: v6\n   \n  - name: other\n    newTag: v6\n",
        K + f"    newTag: v7\n    digest: {SHA}\n   \n  - name: other\n    newTag: v6\n",
    ),
    "double quotes": (K + '    newTag: "v6"\n', K + f'    newTag: "v7"\n    digest: {SHA}\n'),
    "single quotes": (K + "    newTag: 'v6'\n", K + f"    newTag: 'v7'\n    digest: {SHA}\n"),
    "a number in quotes": (K + '    newTag: "3.18"\n', K + f'    newTag: "v7"\n    digest: {SHA}\n'),
    "a number without quotes": (K + "    newTag: 34\n", K + f"    newTag: v7\n    digest: {SHA}\n"),
    "an empty tag": (K + "    newTag:\n", K + f"    newTag: v7\n    digest: {SHA}\n"),
    "an empty tag before a comment": (
        K + "    newTag: # soon\n",
        K + f"    newTag: v7 # soon\n    digest: {SHA}\n",
    ),
    "an empty digest in quotes": (
        K + '    newTag: v6\n    digest: ""\n',
        K + f'    newTag: v7\n    digest: "{SHA}"\n',
    ),
    "null": (K + "    newTag: ~\n", K + f"    newTag: v7\n    digest: {SHA}\n"),
    "an anchor of its own": (K + "    newTag: &tag v6\n", K + f"    newTag: &tag v7\n    digest: {SHA}\n"),
    "a tag": (K + "    newTag: !!str 6\n", K + f"    newTag: !!str v7\n    digest: {SHA}\n"),
    "an anchor and a tag": (
        K + "    newTag: &t !!str '6' # x\n",
        K + f"    newTag: &t !!str 'v7' # x\n    digest: {SHA}\n",
    ),
    "the tag first": (
        f"images:\n- newTag: v6\n  name: {IMAGE}\n",
        f"images:\n- newTag: v7\n  digest: {SHA}\n  name: {IMAGE}\n",
    ),
    "a dash with more spaces": (
        f"images:\n-   name: {IMAGE}\n    newTag: v6\n",
        f"images:\n-   name: {IMAGE}\n    newTag: v7\n    digest: {SHA}\n",
    ),
    "flow": (
        f"images: [{{name: {IMAGE}, newTag: v6}}, {{name: b}}]\n",
        f"images: [{{name: {IMAGE}, newTag: v7, digest: {SHA}}}, {{name: b}}]\n",
    ),
    "JSON": (
        f'{{"images": [{{"name": "{IMAGE}", "newTag": "v6"}}]}}',
        f'{{"images": [{{"name": "{IMAGE}", "newTag": "v7", "digest": "{SHA}"}}]}}',
    ),
    "JSON over lines with tabs": (
        f'{{\n\t"images": [\n\t\t{{\n\t\t\t"name": "{IMAGE}",\n\t\t\t"newTag": "v6"\n\t\t}}\n\t]\n}}\n',
        f'{{\n\t"images": [\n\t\t{{\n\t\t\t"name": "{IMAGE}",\n\t\t\t"newTag": "v7",\n\t\t\t"digest": "{SHA}"\n\t\t}}\n\t]\n}}\n',
    ),
    "by newName": (
        f"images:\n- name: model\n  newName: {IMAGE}\n  newTag: v6\n- name: {IMAGE}-exporter\n  newTag: v6\n",
        f"images:\n- name: model\n  newName: {IMAGE}\n  newTag: v7\n  digest: {SHA}\n- name: {IMAGE}-exporter\n  newTag: v6\n",
    ),
    "a duplicate key counts where it is last": (
        K + "    newTag: v5\n    newTag: v6\n",
        K + f"    newTag: v5\n    newTag: v7\n    digest: {SHA}\n",
    ),
    "duplicate keys elsewhere": (
        "a: 1\na: 2\n" + K + "    newTag: v6\n",
        "a: 1\na: 2\n" + K + f"    newTag: v7\n    digest: {SHA}\n",
    ),
    "a licence before the document mark": (
        "# Licence\n---\n" + K + "    newTag: v6\n",
        "# Licence\n---\n" + K + f"    newTag: v7\n    digest: {SHA}\n",
    ),
    "document marks and a directive": (
        "%YAML 1.1\n---\n" + K + "    newTag: v6\n...\n",
        "%YAML 1.1\n---\n" + K + f"    newTag: v7\n    digest: {SHA}\n...\n",
    ),
    "characters beyond ASCII before it": (
        "# \U0001f9e0 modèle\u00a0中\n" + K + "    newTag: v6 # \U0001f680\n",
        "# \U0001f9e0 modèle\u00a0中\n" + K + f"    newTag: v7 # \U0001f680\n    digest: {SHA}\n",
    ),
    "an alias for the name": (
        f"x: &image {IMAGE}\nimages:\n- name: *image\n  newTag: v6\n",
        f"x: &image {IMAGE}\nimages:\n- name: *image\n  newTag: v7\n  digest: {SHA}\n",
    ),
    "a block scalar": (K + "    newTag: >-\n      v6\n", None),
}
CONTAINERS = {
    "a tag": ("  - image: {}:v6\n    name: a\n", "  - image: {}:v7@{}\n    name: a\n"),
    "no tag": ("  - image: {}\n", "  - image: {}:v7@{}\n"),
    "a digest": ("  - image: {}@sha256:25a0d4 # short\n", "  - image: {}:v7@{} # short\n"),
    "quotes": ("  - 'image': \"{}:v6\" \n", "  - 'image': \"{}:v7@{}\" \n"),
    "a folded line": (
        "  - image: >-\n      {}:v6\n\n    name: a\n",
        "  - image: >-\n      {}:v7@{}\n\n    name: a\n",
    ),
    "a literal line": ("  - image: |-\n      {}:v6\n", "  - image: |-\n      {}:v7@{}\n"),
    "on the next line": ("  - image:\n      {}:v6 # x\n", "  - image:\n      {}:v7@{} # x\n"),
    "an anchor": ("  - image: &i {}:v6\n", "  - image: &i {}:v7@{}\n"),
    "a name that is its prefix": (
        "  - image: ghcr.io/acme/fraud:v6\n  - image: {}:v6\n  - image: {}-gpu:v6\n",
        "  - image: ghcr.io/acme/fraud:v6\n  - image: {}:v7@{}\n  - image: " + IMAGE + "-gpu:v6\n",
    ),
    "a commented-out line": (
        "  # - image: {}:v5\n  - image: {}:v6\n",
        "  # - image: " + IMAGE + ":v5\n  - image: {}:v7@{}\n",
    ),
}


@pytest.mark.parametrize("case", [name for name, (_, after) in KUSTOMIZATIONS.items() if after])
@pytest.mark.parametrize("form", ["as is", "CRLF", "BOM", "BOM and CRLF"])
def test_a_kustomization_changes_by_exactly_the_pin(case: str, form: str) -> None:
    before, after = (_in_form(text or "", form) for text in KUSTOMIZATIONS[case])
    assert kustomized(before) == after
    assert kustomized(after) == after


@pytest.mark.parametrize("case", CONTAINERS)
@pytest.mark.parametrize("form", ["as is", "CRLF", "BOM", "BOM and CRLF"])
def test_a_manifest_changes_by_exactly_the_image(case: str, form: str) -> None:
    head = "kind: Deployment\nspec:\n  containers:\n"
    before, after = CONTAINERS[case]
    old = _in_form(head + before.replace("{}", IMAGE), form)
    new = _in_form(head + after.replace("{}", IMAGE, 1).replace("{}", SHA), form)
    assert contained(old) == new
    assert contained(new) == new


def _in_form(text: str, form: str) -> bytes:
    text = text.replace("\n", "\r\n") if "CRLF" in form else text
    return (("\ufeff" if "BOM" in form else "") + text).encode()


def test_going_back_to_no_digest_takes_the_line_out_again() -> None:
    before = K + "    newTag: unreleased # none yet\nnamespace: a\n"
    assert kustomized(kustomized(before), PinValue("unreleased")) == before.encode()


def test_going_back_keeps_a_digest_line_that_carries_a_comment_and_says_so() -> None:
    with pytest.raises(Refused, match=r"app/kustomization.yaml:4: `digest` has no line of its own"):
        kustomized(K + f"    newTag: v7\n    digest: {SHA} # mine\n", PinValue("unreleased"))


@pytest.mark.parametrize(
    "tag",
    [
        "1.10",
        "4.20",
        "1e3",
        "12e03",
        "0123",
        "20240101",
        "1_000",
        "0x1f",
        "0o17",
        "0b11",
        "yes",
        "y",
        "n",
        "No",
        "ON",
        "Null",
        "null",
        "2024-01-01",
        "true",
        "off",
        "_1",
        "1.2.3",
        "v1",
        "7e",
        "1e3a",
        "latest",
        "sha-837414a",
        "0x1g",
        "12345678901234567890",
    ],
)
def test_a_tag_is_a_string_for_every_reader_afterwards(tag: str) -> None:
    import yaml

    data = kustomized(K + "    newTag: v6\n", PinValue(tag))
    assert yaml.safe_load(data)["images"][0]["newTag"] == tag
    quoted = f'"{tag}"'.encode() in data
    assert quoted == (tag not in ("_1", "1.2.3", "v1", "7e", "1e3a", "latest", "sha-837414a", "0x1g"))


def test_a_tag_that_never_was_a_string_gains_quotes_even_when_it_stays() -> None:
    assert kustomized(K + "    newTag: 1.10\n", PinValue("1.10")) == (K + '    newTag: "1.10"\n').encode()


def test_the_proof_refuses_an_edit_that_changes_more_than_the_pin() -> None:
    old = parsing.read("a.yaml", b"a: x\nb: y\n")
    node = tree.value_of(old.roots[0], "a")
    proof.prove(old, parsing.read("a.yaml", b"a: z\nb: y\n"), [Replace(node, "z")])
    for wrong in (
        b"a: z\nb: w\n",
        b"a: z\n",
        b"a: x\nb: y\n",
        b"a: z\nb: 'y'\n",
        b"a: z\nb: y\nc: 1\n",
        b"a: [z]\nb: y\n",
    ):
        with pytest.raises(Refused, match=r"a\.yaml"):
            proof.prove(old, parsing.read("a.yaml", wrong), [Replace(node, "z")])


def test_the_proof_refuses_an_alias_that_became_a_copy() -> None:
    old = parsing.read("a.yaml", b"a: &x y\nb: *x\nc: d\n")
    node = tree.value_of(old.roots[0], "c")
    proof.prove(old, parsing.read("a.yaml", b"a: &x y\nb: *x\nc: z\n"), [Replace(node, "z")])
    with pytest.raises(Refused, match=r"a\.yaml"):
        proof.prove(old, parsing.read("a.yaml", b"a: &x y\nb: y\nc: z\n"), [Replace(node, "z")])


@pytest.mark.parametrize(
    "wrong", ["a: x\n", "a: x\nc: z\nb: w\n", "a: x\nb: z\n", "a: x\nb: w\nd: 1\n", "b: w\n", "[a, b]\n"]
)
def test_the_proof_refuses_a_pair_that_is_not_where_and_what_it_should_be(wrong: str) -> None:
    old = parsing.read("a.yaml", b"a: x\nc: z\n")
    changes = [Insert(old.roots[0], "a", "b", "w"), Remove(old.roots[0], "c")]
    proof.prove(old, parsing.read("a.yaml", b"a: x\nb: w\n"), changes)
    with pytest.raises(Refused, match=r"a\.yaml"):
        proof.prove(old, parsing.read("a.yaml", wrong.encode()), changes)


def test_a_value_that_its_explicit_tag_makes_no_string_is_refused() -> None:
    with pytest.raises(Refused, match="would change something else"):
        kustomized(K + "    newTag: !!int 6\n")


def test_a_unicode_line_break_in_a_comment_changes_nothing_else_or_is_refused() -> None:
    # The parser ends the comment there, and reads on behind it; git and people see one line.
    text = K + "    newTag: v6\n# a\u2028# b\u0085# c\nnamespace: a\n"
    assert kustomized(text) == text.replace("newTag: v6", f"newTag: v7\n    digest: {SHA}").encode()


# --- Properties ------------------------------------------------------------------------------------

plain_words = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,12}", fullmatch=True)
comments = st.text(
    st.characters(
        codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\ufeff\ufffe\uffff"
    ),
    max_size=8,
)


@st.composite
def manifests(draw: st.DrawFn) -> tuple[str, str, str]:
    """A document in three parts: what stands before the reference, the reference, and what stands behind it."""
    end = draw(st.sampled_from(["\n", "\r\n"]))
    quote = draw(st.sampled_from(["", "'", '"']))
    anchor = draw(st.sampled_from(["", "&a ", "!!str ", "&a !!str "]))
    gap = draw(st.sampled_from([" ", "  "]))
    comment = draw(st.one_of(st.just(""), comments.map(lambda text: f" # {text}")))
    others = draw(st.lists(st.tuples(plain_words, tags), max_size=3))
    side = "".join(f"  - name: {name}{end}    image: docker.io/{name}:{tag}{end}" for name, tag in others)
    bom = draw(st.sampled_from(["", "\ufeff"]))
    head = f"{bom}# {draw(comments)}{end}containers:{end}{side}  - name: model{end}    image:{gap}{anchor}{quote}"
    tail = (
        f"{quote}{draw(st.sampled_from(['', ' ', '  ']))}{comment}{draw(st.sampled_from(['', end, end * 2]))}"
    )
    return head, f"{IMAGE}:{draw(tags)}", tail


@given(manifests(), tags, st.booleans())
@example(("containers:\n- image: ", f"{IMAGE}:1", ""), "2", False)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_manifest_changes_only_in_the_value_and_back_again(
    parts: tuple[str, str, str], tag: str, with_digest: bool
) -> None:
    head, old, tail = parts
    value = PinValue(tag, SHA if with_digest else None)
    before = (head + old + tail).encode()
    after = contained(before, value)
    assert after == (head + f"{IMAGE}:{tag}{'@' + SHA if with_digest else ''}" + tail).encode()
    assert contained(after, value) == after
    said = pins.value(container(), {"app.yaml": before})
    assert contained(after, said) == before


@given(st.binary(max_size=60))
@example(b"images: &a [*a]")
@example(b"[" * 60)
@example(b"a: *b")
@example(b"? {name: x}\n: 1\n---\n- containers: [{image: {a: b}}]")
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_edited_or_refused(data: bytes) -> None:
    for edit in (kustomized, contained):
        try:
            assert edit(data) == data
        except Refused:
            continue


@given(st.text(max_size=12))
@settings(max_examples=200, deadline=None)
def test_any_text_that_is_written_reads_back_as_this_text(text: str) -> None:
    source = parsing.read("a.yaml", b"a: b\n")
    node = tree.value_of(source.roots[0], "a")
    try:
        data = scalars.edited(source, [Replace(node, text)])
    except Refused:
        return
    read = tree.value_of(parsing.read("a.yaml", data).roots[0], "a")
    assert read.value == text
    assert read.style or quoting.is_string(text)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_in_a_bundle_of_documents_only_those_that_name_the_image_are_parsed(end: str, bom: str) -> None:
    other = "kind: ConfigMap\ndata:\n  a: |\n    --- x\n"
    named = f"kind: Pod\nspec:\n  containers:\n    - image: {IMAGE}:v6 # x\n"
    parts = [other] * 3 + [named, other, f"# {IMAGE} is also named here\nkind: Service\n"] + [other] * 3
    before = (bom + "---\n".join(parts)).replace("\n", end)
    assert contained(before) == before.replace(":v6", f":v7@{SHA}").encode()
    source = parsing.read("app.yaml", before.encode(), "fraud-detector")
    assert (len(source.roots), source.is_part, source.data) == (2, True, before.encode())
    assert source.line(source.roots[0]) == 16


def test_a_kustomization_in_several_documents_is_refused_although_one_names_the_image() -> None:
    with pytest.raises(Refused, match="this is not one kustomization"):
        kustomized("a: b\n---\n" + K + "    newTag: v6\n")


def test_a_fault_in_a_later_document_is_named_with_its_line_in_the_file() -> None:
    with pytest.raises(Refused, match=r"^app\.yaml:4: this is not YAML"):
        contained(f"a: b\n---\nc: d\ne: f: {IMAGE}\n")


def test_a_deeply_nested_file_is_refused() -> None:
    with pytest.raises(Refused, match="nested too deeply"):
        kustomized(b"[" * 100_000)


def test_an_alias_bomb_is_refused_in_no_time() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40)
    )
    with pytest.raises(Refused, match=r"kustomization\.yaml:\d+: aliases make this a document of millions"):
        kustomized(bomb + K + "    newTag: v6\n")


def test_a_few_aliases_are_no_bomb_and_one_that_contains_itself_is() -> None:
    few = "a: &a [x, x]\nb: [*a, *a]\n"
    assert kustomized(few + K + "    newTag: v6\n", PinValue("v7")) == (few + K + "    newTag: v7\n").encode()
    with pytest.raises(Refused):
        kustomized("a: &a [*a]\n" + K + "    newTag: v6\n")
