"""The thirty nastiest places of public manifests, in the order of facts/pins.md, each in a few lines of its own."""

import time

import pytest

from bot.adapters.manifests import parsing, pins
from bot.adapters.manifests.editing import set_everywhere
from bot.core.model import PinValue
from bot.core.target import Alias, ContainerPin, FilePin, Pin, Target
from bot.ports import Refused

SIX, SEVEN = "sha256:" + "6" * 64, "sha256:" + "7" * 64


def edited(text: str, image: str, new: str) -> str:
    return set_everywhere("f.yaml", text.encode(), image, new).decode()


def pinned(text: str, image: str, new: PinValue, pin: Pin) -> str:
    files = {"f.yaml": text.encode()}
    return pins.edited(Target("m/p", "m", Alias("a"), image, (pin,)), files, new)["f.yaml"].decode()


def test_01_an_anchored_image_changes_behind_its_anchor_and_its_aliases_stay_aliases() -> None:
    text = (
        "jobs:\n  a: {container: {image: &go golang:1.26.7-trixie}}\n  b:\n    container:\n      image: *go\n"
    )
    assert edited(text, "golang", "1.27") == text.replace("1.26.7-trixie", "1.27")
    block = "a:\n  image: &go golang:1.26.7-trixie # c\nb:\n  image: *go\nc:\n  image: *go\n"
    assert edited(block, "golang", "1.10") == block.replace("1.26.7-trixie", "1.10")


def test_02_an_anchored_mapping_that_others_reuse_changes_once() -> None:
    text = "a:\n  image: &image\n    repository: x/multus\n    tag: v1\nb:\n  image: *image\n"
    assert edited(text, "x/multus", "v2") == text.replace("v1", "v2")


def test_03_an_alias_may_be_a_key() -> None:
    text = "name: &app mediamtx\ncontrollers:\n  *app :\n    image:\n      repository: x/mediamtx\n      tag: v1\n"
    assert edited(text, "x/mediamtx", "v2") == text.replace("v1", "v2")


def test_04_a_folded_list_item_keeps_its_alias_and_its_layout() -> None:
    text = "kustomize:\n  images:\n  - >-\n    store=ghcr.io/x/store-front:1.5.2\n  - >-\n    other=ghcr.io/x/o:1\n"
    assert edited(text, "store", "1.6") == text.replace("1.5.2", "1.6")


def test_05_a_folded_digest_on_the_next_line_changes_there() -> None:
    text = f"spec:\n  image: >-\n    quay.io/x/release@{SIX}\n  force: false\n"
    assert edited(text, "quay.io/x/release", SEVEN) == text.replace(SIX, SEVEN)


def test_06_a_line_of_blanks_inside_a_list_stays() -> None:
    text = "images:\n- name: a\n  newTag: v1\n   \n- name: b\n  newTag: v1\n  \n"
    assert edited(text, "a", "v2") == text.replace("v1", "v2", 1)


def test_07_entries_are_told_apart_by_their_exact_name_and_not_by_what_they_render() -> None:
    text = "".join(f"- name: server{end}\n  newName: k/server\n  newTag: v1{end}\n" for end in ("", "-gpu"))
    assert edited(f"images:\n{text}", "server", "v2") == f"images:\n{text}".replace("v1\n", "v2\n", 1)
    assert edited(f"images:\n{text}", "server-gpu", "v2") == f"images:\n{text}".replace("v1-gpu", "v2")


def test_08_registry_repository_tag_and_an_empty_digest_beside_a_longer_name() -> None:
    entry = 'image:\n  registry: docker.io\n  repository: bitnami/{}\n  tag: {}\n  digest: ""\n'
    text = entry.format("apache-exporter", "v1") + "---\n" + entry.format("apache", "v1")
    for image in ("docker.io/bitnami/apache", "docker.io/bitnami/apache-exporter"):
        start = text.index(image.partition("/")[2] + "\n")
        wanted = text[:start] + text[start:].replace("v1", "v2", 1)
        assert edited(text, image, "v2") == wanted


def test_09_a_null_registry_is_no_part_of_the_name_and_one_image_stands_there_at_two_tags() -> None:
    text = "a:\n  image:\n    registry: ~\n    repository: kyverno/cli\n    tag: v1\nb:\n  image: kyverno/cli:v0\n"
    assert edited(text, "kyverno/cli", "v2") == text.replace("v1", "v2").replace("v0", "v2")


def test_10_a_bare_image_with_a_tag_beside_it_gets_its_version_there_alone() -> None:
    text = "defaults:\n  hub: docker.io/istio\n  tag: latest\n  image: ztunnel\n"
    for image in ("ztunnel", "docker.io/istio/ztunnel"):
        assert edited(text, image, "1.22") == text.replace("latest", '"1.22"')


def test_11_a_value_that_equals_the_image_is_no_reference() -> None:
    text = "- image: postgres:14\n  env:\n  - name: POSTGRES_DB\n    value: postgres\n"
    assert edited(text, "postgres", "15.1.2") == text.replace("14", "15.1.2")


def test_12_a_uri_that_is_the_beginning_of_another_changes_alone() -> None:
    text = "storageUri: gs://k/bert\nenv:\n- {name: T, value: gs://k/bert-transformer}\n"
    assert edited(text, "gs://k/bert", "gs://k/v2") == text.replace("gs://k/bert\n", "gs://k/v2\n")


def test_13_one_image_at_two_tags_needs_the_container_that_is_meant() -> None:
    text = "".join(
        f"- containers:\n  - name: {color}\n    image: x/demo:{color}\n" for color in ("purple", "orange")
    )
    with pytest.raises(Refused, match="2 containers have image x/demo"):
        pinned(text, "x/demo", PinValue("v2"), ContainerPin("f.yaml"))
    assert pinned(text, "x/demo", PinValue("v2"), ContainerPin("f.yaml", "orange")) == text.replace(
        "x/demo:orange", "x/demo:v2"
    )


@pytest.mark.parametrize("old", ["34", "16", "null", "1.10", "~", ""])
def test_14_a_tag_that_is_a_number_or_nothing_becomes_a_string(old: str) -> None:
    text = f"image:\n  repository: x/echo\n  tag: {old}\n  pullPolicy: Always\n".replace(": \n", ":\n")
    assert edited(text, "x/echo", "v2") == text.replace(f"tag: {old}".rstrip(), "tag: v2")
    assert edited(text, "x/echo", "35") == text.replace(f"tag: {old}".rstrip(), 'tag: "35"')


def test_15_a_quoted_number_keeps_its_quotes_and_comments_between_entries_stay() -> None:
    text = 'images:\n# first\n- name: a\n  # why\n  newTag: "3.18"  # pinned\n# second\n- name: b\n  newTag: "3.18"\n'
    assert edited(text, "a", "3.20") == text.replace("3.18", "3.20", 1)


def test_16_a_short_digest_without_a_tag_changes_as_a_digest() -> None:
    text = "images:\n- name: my-db\n  digest: sha256:25a0d4\n"
    assert edited(text, "my-db", SEVEN) == text.replace("sha256:25a0d4", SEVEN)


def test_17_setter_comments_stay_and_tag_and_digest_in_one_scalar_change_together() -> None:
    text = 'images:\n- name: a\n  newName: r/a # {"$imagepolicy": "f:p:name"}\n  newTag: v1 # {"$imagepolicy": "f:p:tag"}\n'
    assert edited(text, "a", "v2") == text.replace("v1", "v2")
    text = f'images:\n- name: a\n  newTag: v1@{SIX} # {{"$imagepolicy": "f:p:tag"}}\n'
    assert edited(text, "a", f"v2@{SEVEN}") == text.replace("v1", "v2").replace(SIX, SEVEN)


def test_18_a_digest_behind_the_tag_is_bumped_with_it_and_never_left_stale() -> None:
    text = f"image:\n  repository: x/agregarr\n  tag: v1@{SIX}\n"
    assert edited(text, "x/agregarr", f"v2@{SEVEN}") == text.replace("v1", "v2").replace(SIX, SEVEN)
    assert edited(text, "x/agregarr", "v2") == text.replace(f"v1@{SIX}", "v2")


def test_19_the_colon_of_a_registrys_port_begins_no_tag() -> None:
    image = "image-registry.openshift-image-registry.svc:5000/openshift/cli"
    text = f"containers:\n- image: {image}:latest\n- image: {image}\n"
    assert edited(text, image, "v2") == f"containers:\n- image: {image}:v2\n- image: {image}:v2\n"


def test_20_json_in_a_block_keeps_the_blanks_before_its_colons() -> None:
    text = (
        'kind: ConfigMap\ndata:\n  servers: |\n    {\n      "S" : {\n        "image" : "s/sk",\n'
        '        "defaultImageVersion": "1.1"\n      }\n    }\n'
    )
    assert edited(text, "s/sk", "v2") == text.replace('"s/sk"', '"s/sk:v2"')
    at = (0, ["data", "servers", "!embedded", 0, "S", "defaultImageVersion"])
    assert set_everywhere("f.yaml", text.encode(), "s/sk", "1.2", at).decode() == text.replace("1.1", "1.2")


def test_21_an_image_in_a_configmap_and_in_a_container_of_one_bundle_changes_in_both() -> None:
    text = (
        'kind: ConfigMap\ndata:\n  logger: |-\n    {\n        "image" : "k/agent:v1",\n        "x": 1\n    }\n---\n'
        "kind: Namespace\n---\nspec:\n  containers:\n  - image: k/agent:v1\n"
    )
    assert edited(text, "k/agent", "v2") == text.replace("v1", "v2")


def test_22_helm_values_in_a_block_of_an_applicationset_change_between_its_templates() -> None:
    text = (
        "kind: ApplicationSet\nspec:\n  template:\n    spec:\n      sources:\n      - repoURL: '{{metadata.url}}'\n"
        "      - helm:\n          releaseName: a\n          values: |\n            initContainers:\n"
        "              - name: x\n                image: v/plugin:v1\n            region: '{{metadata.region}}'\n"
    )
    assert edited(text, "v/plugin", "v2") == text.replace("v1", "v2")


def test_23_a_json_patch_in_a_block_that_is_indented_deeper_than_needed() -> None:
    text = (
        "patches:\n  - patch: |-\n          - op: replace\n            path: /spec/containers/0/image\n"
        "            value: q/ray:v1\n    target: {kind: DaemonSet}\n"
    )
    assert edited(text, "q/ray", "v2") == text.replace("v1", "v2")


def test_24_comments_at_the_start_of_a_line_and_braces_that_parse_as_mappings_stay() -> None:
    text = (
        "containers:\n- name: a\n# c\n#   d\n  image: x/demo:v1\nargs: [{{args.name}}]\nother: {{args.x}}\n"
    )
    assert edited(text, "x/demo", "v2") == text.replace("v1", "v2")


def test_25_a_template_that_no_parser_accepts_is_edited_by_its_line() -> None:
    text = "spec:\n  {% for m in models %}\n  - image: x/ovms:v1\n    name: {{ m }}\n  {% endfor %}\n"
    assert edited(text, "x/ovms", "v2") == text.replace("v1", "v2")


@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_26_windows_line_ends_stay(bom: str) -> None:
    text = bom + "spec:\r\n  containers:\r\n  - image: x/agent:v1\r\n    args: |\r\n      a\r\n"
    assert edited(text, "x/agent", "v2") == text.replace("v1", "v2")


def test_27_a_block_that_begins_with_blanks_and_a_document_end_stay() -> None:
    text = "data: |\n  \n  \n    x: 1\n  y\n---\nimage: x/kiali:v1\n...\n"
    assert edited(text, "x/kiali", "v2") == text.replace("v1", "v2")


def test_28_blanks_behind_the_value_stay() -> None:
    text = "spec:\n  image: x/catalog:v1 \n  y: 1\t\n"
    assert edited(text, "x/catalog", "v2") == text.replace("v1", "v2")


def test_29_a_duplicate_key_stays_and_of_two_tags_the_one_that_counts_changes() -> None:
    text = "updateStrategy: a\nimage: {repository: x/a, tag: v1}\nupdateStrategy: b\n"
    assert edited(text, "x/a", "v2") == text.replace("v1", "v2")
    text = "image:\n  repository: x/a\n  tag: v0\n  tag: v1\n"
    assert edited(text, "x/a", "v2") == text.replace("v1", "v2")


def test_30_one_image_among_megabytes_is_found_without_reading_them_all() -> None:
    crd = "kind: CRD\nspec:\n" + "".join(
        f"  field{n}: {{description: text text, type: string}}\n" for n in range(1000)
    )
    text = f"{crd}---\n" * 70 + "containers:\n- image: k/controller:v1\n---\n" + crd
    assert len(text) > 3_500_000
    source = parsing.read("f.yaml", text.encode(), "k/controller")
    assert len(source.text) < 100
    begin = time.process_time()
    after = edited(text, "k/controller", "v2")
    assert time.process_time() - begin < 1
    assert after == text.replace("controller:v1", "controller:v2")


def test_words_that_other_parsers_take_for_booleans_and_octal_modes_stay_as_they_are() -> None:
    text = 'env: {A: "Y", B: "on"}\ndefaultMode: 0755\nimage: x/a:v1\n# image: x/a:v0\n'
    assert edited(text, "x/a", "v2") == text.replace("v1", "v2")


def test_tabs_that_indent_json_stay() -> None:
    text = '{\n\t"spec": {\n\t\t"image":\t"x/a:v1"\t,\n\t\t"b": 1\n\t}\n}\n'
    assert edited(text, "x/a", "v2") == text.replace("v1", "v2")


def test_a_pin_of_the_file_refuses_one_image_at_two_places() -> None:
    text = "a: {image: x/a:v1}\nb: {image: x/a:v2}\n"
    with pytest.raises(Refused, match=r"f\.yaml:1: 2 places name the image x/a"):
        pinned(text, "x/a", PinValue("v3"), FilePin("f.yaml"))
