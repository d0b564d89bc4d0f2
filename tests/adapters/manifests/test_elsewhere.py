"""Images in embedded documents of every style, and at keys that no rule knows: found, and changed to the byte."""

import pytest

from bot.adapters.manifests import pins
from bot.adapters.manifests.editing import set_everywhere
from bot.core.model import PinValue
from bot.core.target import Alias, FilePin, MarkerPin, Target
from bot.ports import Refused

IMAGE = "ghcr.io/acme/m"
SIX, SEVEN = "sha256:" + "6" * 64, "sha256:" + "7" * 64
CONFIG = "kind: ConfigMap\ndata:\n  a: "


def edited(text: str, new: str = "v7", image: str = IMAGE) -> str:
    return set_everywhere("f.yaml", text.encode(), image, new).decode()


EMBEDDED = {
    "folded": CONFIG + '>\n    {"image": "IMAGE:v6",\n    "x": 1}\n  b: c\n',
    "folded, stripped, with blank lines": CONFIG + '>-\n\n    {\n      "image": "IMAGE:v6"\n\n    }\n\n',
    "folded with deeper lines": CONFIG + ">\n    a:\n      image: IMAGE:v6\n      b: c\n",
    "JSON in double quotes": CONFIG + '"{\\"image\\": \\"IMAGE:v6\\", \\"b\\": 1}"\n',
    "YAML in double quotes": CONFIG + '"a: 1\\nimage: IMAGE:v6\\nb: \\u00fc\\n"\n',
    "double quotes over lines": CONFIG + '"a: 1\\n\\\n    image: IMAGE:v6\\n\\\n    b: 2\\n"\n',
    "double quotes, folded": CONFIG + '"a: 1\n\n    image: IMAGE:v6\n\n    b: 2"\n',
    "JSON in single quotes": CONFIG + '\'{"image": "IMAGE:v6", "o": "it\'\'s"}\'\n',
    "YAML in a JSON file": '{"kind": "ConfigMap", "data": {"a": "b: \\u003c1\\u003e\\nimage: IMAGE:v6\\n"}}',
    "several documents": CONFIG + "|\n    a: 1\n    ---\n    image: IMAGE:v6\n    ---\n",
    "in an embedded ConfigMap": CONFIG
    + "|\n    kind: ConfigMap\n    data:\n      b: |\n        image: IMAGE:v6\n",
    "in quotes in a block": CONFIG
    + '|\n    kind: ConfigMap\n    data: {b: "x: 1\\nimage: \\"IMAGE:v6\\"\\n"}\n',
    "an indentation that is said": CONFIG + "|2-\n     image: IMAGE:v6\n",
    "tabs": CONFIG + '|\n    {\n    \t"image": "IMAGE:v6"\n    }\n',
    "Helm values in quotes": 'helm:\n  values: "image:\\n  repository: IMAGE\\n  tag: v6\\n"\n',
    "Helm values in quotes over lines": 'helm:\n  values: "image:\n\n    \\  repository: IMAGE\n\n    \\  tag: v6"\n',
    "a template": CONFIG + "|\n    {{ if x }}\n    image: IMAGE:v6 # c\n    {{ end }}\n",
    "a template in braces": CONFIG + '|\n    // c\n    {"image": "IMAGE:v6"}\n',
    "a Secret": "kind: Secret\nstringData:\n  a: |\n    image: IMAGE:v6\n",
    "elements of a generator": "generators:\n- list:\n    elementsYaml: |\n      - image: IMAGE:v6\n",
}
ELSEWHERE = {
    "ImageStream": "spec:\n  tags:\n  - name: production\n    from: {kind: DockerImage, name: 'IMAGE:v6'}\n",
    "Tekton, a parameter": "params:\n- name: builder\n  default: IMAGE:v6 # c\n",
    "Tekton, two parameters": "params:\n- {name: image-name, value: IMAGE}\n- {name: image-tag, value: v6}\n",
    "environment as a mapping": "env:\n  SERVER: IMAGE:v6\n",
    "environment as words": "environment:\n- SERVER=IMAGE:v6\n",
    "a generator's literals": "configMapGenerator:\n- literals:\n  - SERVER=IMAGE:v6\n",
    "a key that ends in image": "webhookImage: IMAGE:v6\n",
    "a patch of an environment": "- {op: replace, path: /spec/env/0/value, value: 'IMAGE:v6'}\n",
    "an annotation": "metadata: {annotations: {containerImage: 'IMAGE:v6'}}\n",
    "imageRepository and imageTag": "imageRepository: IMAGE\nimageTag: v6\n",
    "imageName and imageTag": "imageName: IMAGE\nimageTag: v6\n",
    "serverImage and serverTag": "serverImage: IMAGE\nserverTag: v6\notherTag: v5\n",
    "snake case": "server_image_repo: IMAGE\nserver_image_tag: v6\n",
    "repo and tag": "image: {repo: IMAGE, tag: v6}\n",
    "repository and version": "image:\n  repository: IMAGE\n  version: v6\n",
    "Argo CD parameters of other names": "helm:\n  parameters:\n  - {name: imageRepository, value: IMAGE}\n  - {name: imageTag, value: v6}\n",
    "OCIRepository": "kind: OCIRepository\nspec:\n  url: oci://IMAGE\n  ref:\n    tag: v6\n",
    "a template, another key": "{{ if x }}\n- value: 'IMAGE:v6' # c\n{{ end }}\n",
    "a template, in braces": "{{ if x }}\n- {name: a, image: IMAGE:v6}\n{{ end }}\n",
}


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("case", [*EMBEDDED, *ELSEWHERE])
def test_the_image_is_found_and_changed_by_its_tag_alone(case: str, end: str) -> None:
    text = (EMBEDDED | ELSEWHERE)[case].replace("IMAGE", IMAGE).replace("\n", end)
    for new in ("v7", "v66", "v60-rc.1", "6"):
        after = edited(text, new)
        assert after.replace('\\"6\\"', "6").replace('"6"', "6") == text.replace("v6", new)
        assert edited(after, new) == after
        back = edited(after, "v6").replace('\\"v6\\"', "v6")
        assert back.replace('"v6"', "v6") == text.replace('"v6"', "v6")


@pytest.mark.parametrize("case", [*EMBEDDED, *ELSEWHERE])
def test_a_pin_of_the_file_finds_it_and_reads_it_back(case: str) -> None:
    files = {"f.yaml": (EMBEDDED | ELSEWHERE)[case].replace("IMAGE", IMAGE).encode()}
    target = Target("m/production", "m", Alias("champion"), IMAGE, (FilePin("f.yaml"),))
    assert pins.value(target, files) == PinValue("v6", None, IMAGE)
    files |= pins.edited(target, files, PinValue("v7"))
    assert pins.value(target, files) == PinValue("v7", None, IMAGE)


def test_a_digest_of_an_oci_repository_changes() -> None:
    text = f"spec:\n  url: oci://{IMAGE}\n  ref:\n    digest: {SIX}\n"
    assert edited(text, SEVEN) == text.replace(SIX, SEVEN)


def test_what_the_known_forms_name_is_meant_and_not_what_other_keys_say() -> None:
    text = f"args: ['{IMAGE}:v6']\nimage: {IMAGE}:v6\nx: {IMAGE}:v6\n"
    assert edited(text) == text.replace("image: ghcr.io/acme/m:v6", "image: ghcr.io/acme/m:v7")


def test_what_kubectl_remembers_is_left_alone() -> None:
    text = (
        f'annotations:\n  kubectl.kubernetes.io/last-applied-configuration: \'{{"image": "{IMAGE}:v6"}}\'\n'
    )
    with pytest.raises(Refused, match="nothing here names the image"):
        edited(text)


@pytest.mark.parametrize(
    "text",
    [
        "cache: redis:6379\n",
        "name: redis\nversion: 17.0.0\nrepository: https://charts.example.com\n",
        "imageRepository: redis\nimageTag: v6\ntag: v5\nimage_tag: v4\n",
        "# image: redis:7\na: b\n",
    ],
)
def test_what_is_not_certain_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="nothing here names the image redis"):
        edited(text, image="redis")


@pytest.mark.parametrize("hole", ["{{ .tag }}", "${TAG}", "$(params.tag)"])
def test_a_version_that_something_else_fills_in_is_refused(hole: str) -> None:
    target = Target("m/production", "m", Alias("champion"), IMAGE, (FilePin("f.yaml"),))
    for text in (f'image: "{IMAGE}:{hole}"\n', f"image: {{repository: {IMAGE}, tag: '{hole}'}}\n"):
        with pytest.raises(Refused, match="is a template, not a value"):
            pins.edited(target, {"f.yaml": text.encode()}, PinValue("v7"))


@pytest.mark.parametrize(
    "text",
    [
        "{{ if x }}\nstorageUri: gs://models/m/v6 # c\n{{ end }}\n",
        "spec: {model: {uri: 'gs://models/m/v6'}}\n",
        "storageUri: >-\n  gs://models/m/v6\n",
    ],
)
def test_a_uri_is_changed_as_a_whole_wherever_it_stands_alone(text: str) -> None:
    assert edited(text, "s3://m/v7", "gs://models/m/v6") == text.replace("gs://models/m/v6", "s3://m/v7")


def test_a_place_to_read_a_model_from_may_be_a_path() -> None:
    assert edited("modelUri: /mnt/v6\n", "/mnt/v7", "/mnt/v6") == "modelUri: /mnt/v7\n"


@pytest.mark.parametrize("value", ["x", "'x'", '"x"', "|\n  x\n", "'\"x\"'"])
def test_a_path_that_goes_on_behind_a_word_leads_nowhere(value: str) -> None:
    target = Target("m/production", "m", Alias("champion"), IMAGE, (FilePin("f.yaml", "a.b"),))
    with pytest.raises(Refused, match=r"nothing is at the path a\.b"):
        pins.value(target, {"f.yaml": f"a: {value}\n".encode()})


def test_a_marker_in_an_embedded_document_marks_the_value_there() -> None:
    marker = '# {"$gitops-bot": "m/production:tag"}'
    text = f"helm:\n  values: |\n    image:\n      tag: v6 {marker}\n    x: 1\nrevision: v6 {marker}\n"
    target = Target("m/production", "m", Alias("champion"), IMAGE, (MarkerPin(""),))
    for end in ("\n", "\r\n"):
        files = {"f.yaml": text.replace("\n", end).encode()}
        assert pins.value(target, files).tag == "v6"
        after = pins.edited(target, files, PinValue("v7"))["f.yaml"]
        assert after.decode() == text.replace("v6", "v7").replace("\n", end)


def test_a_marker_in_a_text_that_is_no_yaml_is_refused() -> None:
    text = 'a: |\n  {{ if x }}\n  tag: v6 # {"$gitops-bot": "m/production:tag"}\n  {{ end }}\n'
    target = Target("m/production", "m", Alias("champion"), IMAGE, (MarkerPin(""),))
    with pytest.raises(Refused, match="there is a marker in this text, but it is no YAML"):
        pins.edited(target, {"f.yaml": text.encode()}, PinValue("v7"))


def test_characters_that_json_escapes_in_pairs_stay_as_they_are() -> None:
    text = f'{{"note": "\\ud83d\\ude80 \\\\\\ud83d\\ude80", "image": "{IMAGE}:v6"}}'
    assert edited(text) == text.replace("v6", "v7")
    inside = f'kind: ConfigMap\ndata:\n  a: |\n    {{"note": "\\ud83d\\ude80", "image": "{IMAGE}:v6"}}\n'
    assert edited(inside) == inside.replace("v6", "v7")


@pytest.mark.parametrize(
    "text",
    [
        f"image: &base {IMAGE}:v6\n",
        f"base: &b {{repository: {IMAGE}}}\nother: &o {{x: 1}}\nimage:\n  <<: [*o, *b]\n  tag: v6\n",
        f"\ufeffimage: {IMAGE}:v6\n{{{{ if x }}}}\n",
        f"? image\n: {IMAGE}:v6\n",
        f"? {{a: b}}\n: image: {IMAGE}:v6\n",
        f"%TAG ! tag:x,2000:\n---\nimage: {IMAGE}:v6\n",
        f"--- # c\nimage: {IMAGE}:v6\n--- \n--- # x\n...\n---\nimage: {IMAGE}:v6\n",
        f"a:\n\t# c\n  image:\t{IMAGE}:v6\t# c\n",
        f"image: {{\n  repository: {IMAGE}, # c\n  tag:\n    v6,\n  x: 1 }}\n",
        f"image:\n  repository: {IMAGE}\n  # the\n\n  tag: # now\n    v6\n",
        f'image: {{"repository":"{IMAGE}","tag":"v6"}}\n',
        f"a: {'x' * 5000}\nimage: {IMAGE}:v6 # {'y' * 5000}\n",
        f'// c\n{{\n  "image": "{IMAGE}:v6", // c\n  /* x */ "a": [1,],\n}}\n',
        f"1: {{image: {IMAGE}:v6}}\ntrue: {{2: {{image: {IMAGE}:v6}}}}\n",
    ],
)
def test_layouts_that_are_rare_change_by_the_tag_alone(text: str) -> None:
    assert edited(text) == text.replace("v6", "v7")
    assert edited(edited(text), "v6") == text


def test_a_text_that_begins_with_the_image_is_no_reference() -> None:
    for text in (f"SERVER={IMAGE}:v6 OTHER=1\n", f"image: {IMAGE}:v6\u00a0# c\n", f"a: {IMAGE}:v6 is it\n"):
        with pytest.raises(Refused, match="nothing here names the image"):
            edited(text)
