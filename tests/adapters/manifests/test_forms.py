"""Every form of a pin that real manifests use, found by the least that a person can write."""

import pytest

from bot.adapters.manifests import pins
from bot.core.model import PinValue
from bot.core.target import Alias, ContainerPin, FilePin, KustomizePin, MarkerPin, Pin, Target
from bot.ports import Refused

IMAGE = "ghcr.io/acme/fraud-detector"
SHA = "sha256:" + "7" * 64
OLD = "sha256:" + "6" * 64
V7 = PinValue("v7", SHA)
F = "app.yaml"
NAME = "fraud-detector/production"


def target(*pin: Pin) -> Target:
    return Target(NAME, "fraud-detector", Alias("champion"), IMAGE, pin)


def edited(pin: Pin | tuple[Pin, ...], text: str, value: PinValue = V7) -> str:
    at = target(*(pin if isinstance(pin, tuple) else (pin,)))
    return pins.edited(at, {F: text.encode()}, value).get(F, text.encode()).decode()


def said(pin: Pin, text: str) -> PinValue:
    return pins.value(target(pin), {F: text.encode()})


def refused(pin: Pin | tuple[Pin, ...], text: str) -> str:
    with pytest.raises(Refused) as refusal:
        edited(pin, text)
    return str(refusal.value)


FILE = FilePin(F)
NEW = f"{IMAGE}:v7@{SHA}"

# What stands before and after: OLD is the image at v6, NEW its new reference.
BY_IMAGE = {
    "container": ("containers:\n- {name: a, image: OLD} # x\n", "containers:\n- {name: a, image: NEW} # x\n"),
    "cron job": (
        "spec:\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          containers:\n          - image: 'OLD'\n",
        "spec:\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          containers:\n          - image: 'NEW'\n",
    ),
    "Tekton step": ("spec:\n  steps:\n    - image: OLD\n", "spec:\n  steps:\n    - image: NEW\n"),
    "custom resource": ("kind: X\nspec: {image: OLD}\n", "kind: X\nspec: {image: NEW}\n"),
    "JSON with tabs": (
        '{\n\t"spec": {\n\t\t"image" : "OLD"\n\t}\n}',
        '{\n\t"spec": {\n\t\t"image" : "NEW"\n\t}\n}',
    ),
    "no tag yet": (f"image: {IMAGE}\n", "image: NEW\n"),
    "only a digest": (f"image: {IMAGE}@{OLD}\n", "image: NEW\n"),
    "folded": ("image: >-\n  OLD\n", "image: >-\n  NEW\n"),
    "anchored": ("image: &i OLD\n", "image: &i NEW\n"),
    "registry, repository, tag and digest": (
        'image:\n  registry: ghcr.io\n  repository: acme/fraud-detector\n  tag: v6\n  digest: ""\n',
        f'image:\n  registry: ghcr.io\n  repository: acme/fraud-detector\n  tag: v7\n  digest: "{SHA}"\n',
    ),
    "a null registry": (
        f"image:\n  registry: ~\n  repository: {IMAGE}\n  tag: v6\n",
        f"image:\n  registry: ~\n  repository: {IMAGE}\n  tag: v7\n",
    ),
    "an empty tag": (
        f"image:\n  repository: {IMAGE}\n  tag:\n",
        f"image:\n  repository: {IMAGE}\n  tag: v7\n",
    ),
    "an empty tag before a comment": (
        f"image:\n  repository: {IMAGE}\n  tag: # the chart's own\n",
        f"image:\n  repository: {IMAGE}\n  tag: v7 # the chart's own\n",
    ),
    "a number for a tag": (
        f"image: {{repository: {IMAGE}, tag: 34}}\n",
        f"image: {{repository: {IMAGE}, tag: v7}}\n",
    ),
    "tag and digest in one key": (
        f"image:\n  repository: {IMAGE}\n  tag: v6@{OLD}\n",
        f"image:\n  repository: {IMAGE}\n  tag: v7@{SHA}\n",
    ),
    "the digest without its algorithm": (
        f"image:\n  repository: {IMAGE}\n  tag: v6\n  sha: {'6' * 64}\n",
        f'image:\n  repository: {IMAGE}\n  tag: v7\n  sha: "{"7" * 64}"\n',
    ),
    "a bare image with a tag beside it": (
        "global:\n  hub: ghcr.io/acme\nproxy:\n  hub: ghcr.io/acme\n  image: fraud-detector\n  tag: v6\n",
        "global:\n  hub: ghcr.io/acme\nproxy:\n  hub: ghcr.io/acme\n  image: fraud-detector\n  tag: v7\n",
    ),
    "a name and a tag in a mapping of images": (
        f"images:\n  server: {{name: {IMAGE}, tag: v6}}\n",
        f"images:\n  server: {{name: {IMAGE}, tag: v7}}\n",
    ),
    "HelmRelease": (
        f"kind: HelmRelease\nspec:\n  values:\n    app:\n      image:\n        repository: {IMAGE}\n        tag: 'v6'\n",
        f"kind: HelmRelease\nspec:\n  values:\n    app:\n      image:\n        repository: {IMAGE}\n        tag: 'v7'\n",
    ),
    "values by a merge key": (
        f"base: &base\n  repository: {IMAGE}\nimage:\n  <<: *base\n  tag: v6\n",
        f"base: &base\n  repository: {IMAGE}\nimage:\n  <<: *base\n  tag: v7\n",
    ),
    "Argo CD parameters": (
        f"spec:\n  source:\n    helm:\n      parameters:\n      - name: image.repository\n        value: {IMAGE}\n"
        "      - name: image.tag\n        value: v6\n",
        f"spec:\n  source:\n    helm:\n      parameters:\n      - name: image.repository\n        value: {IMAGE}\n"
        "      - name: image.tag\n        value: v7\n",
    ),
    "Argo CD parameter with a reference": (
        "helm:\n  parameters:\n  - {name: image, value: OLD}\n",
        "helm:\n  parameters:\n  - {name: image, value: NEW}\n",
    ),
    "Argo CD values block": (
        "sources:\n- helm:\n    values: |\n      image:\n        # which\n        x: 1\n      main:\n        image: OLD # x\n\n",
        "sources:\n- helm:\n    values: |\n      image:\n        # which\n        x: 1\n      main:\n        image: NEW # x\n\n",
    ),
    "Argo CD valuesObject": (
        f"helm:\n  valuesObject:\n    image: {{repository: {IMAGE}, tag: v6}}\n",
        f"helm:\n  valuesObject:\n    image: {{repository: {IMAGE}, tag: v7}}\n",
    ),
    "Argo CD images": (
        "kustomize:\n  images:\n  - other:1\n  - OLD\n",
        "kustomize:\n  images:\n  - other:1\n  - NEW\n",
    ),
    "Argo CD images with an alias": (
        "kustomize:\n  images:\n  - >-\n    server=OLD\n",
        "kustomize:\n  images:\n  - >-\n    server=NEW\n",
    ),
    "Flux images": (
        f"kind: Kustomization\nspec:\n  images:\n  - name: server\n    newName: {IMAGE}\n    newTag: v6\n    digest: {OLD}\n",
        f"kind: Kustomization\nspec:\n  images:\n  - name: server\n    newName: {IMAGE}\n    newTag: v7\n    digest: {SHA}\n",
    ),
    "KServe, an image for a model": (
        f"spec:\n  predictor:\n    model:\n      storageUri: oci://{IMAGE}:v6\n",
        f"spec:\n  predictor:\n    model:\n      storageUri: oci://{NEW}\n",
    ),
    "Seldon": ("graph:\n  modelUri: oci://OLD\n", "graph:\n  modelUri: oci://NEW\n"),
    "environment": (
        "env:\n- name: RELATED_IMAGE_X\n  value: OLD\n- name: DB\n  value: fraud-detector\n",
        "env:\n- name: RELATED_IMAGE_X\n  value: NEW\n- name: DB\n  value: fraud-detector\n",
    ),
    "ConfigMap with YAML": (
        "kind: ConfigMap\ndata:\n  a.yaml: |-\n    x:\n      image: 'OLD'\n  b: c\n",
        "kind: ConfigMap\ndata:\n  a.yaml: |-\n    x:\n      image: 'NEW'\n  b: c\n",
    ),
    "ConfigMap with JSON": (
        'kind: ConfigMap\ndata:\n  a: |\n\n    {\n      "image" : "OLD",\n      "b": 1}\n',
        'kind: ConfigMap\ndata:\n  a: |\n\n    {\n      "image" : "NEW",\n      "b": 1}\n',
    ),
    "ConfigMap with JSON in a string": (
        'kind: ConfigMap\ndata:\n  a: \'{"image": "OLD"}\'\n',
        'kind: ConfigMap\ndata:\n  a: \'{"image": "NEW"}\'\n',
    ),
    "inline patch": (
        "patches:\n- patch: |-\n      - op: replace\n        path: /spec/containers/0/image\n        value: OLD\n",
        "patches:\n- patch: |-\n      - op: replace\n        path: /spec/containers/0/image\n        value: NEW\n",
    ),
    "strategic patch inline": (
        "patchesStrategicMerge:\n- |-\n  spec:\n    containers: [{name: x, image: OLD}]\n",
        "patchesStrategicMerge:\n- |-\n  spec:\n    containers: [{name: x, image: NEW}]\n",
    ),
    "JSON patch": (
        '[{"op": "replace", "path": "/spec/containers/0/image", "value": "OLD"}]',
        '[{"op": "replace", "path": "/spec/containers/0/image", "value": "NEW"}]',
    ),
    "template that no parser accepts": (
        "{{- if .Values.x }}\nspec:\n  - name: {{ .n }}\n    image: OLD  # why\n{{- end }}\n",
        "{{- if .Values.x }}\nspec:\n  - name: {{ .n }}\n    image: NEW  # why\n{{- end }}\n",
    ),
    "template with quotes": ('{{ x }}: {\n"image": "OLD",\n}}', '{{ x }}: {\n"image": "NEW",\n}}'),
    "compose": ("services:\n  app:\n    image: OLD\n", "services:\n  app:\n    image: NEW\n"),
    "beside an image whose name begins alike": (
        f"a: {{image: {IMAGE}-gpu:v6}}\nb: {{image: OLD}}\n",
        f"a: {{image: {IMAGE}-gpu:v6}}\nb: {{image: NEW}}\n",
    ),
}


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("form", BY_IMAGE)
def test_a_file_pin_finds_the_one_place_that_names_the_image(form: str, end: str) -> None:
    before, after = (
        text.replace("OLD", f"{IMAGE}:v6").replace("NEW", NEW).replace("\n", end) for text in BY_IMAGE[form]
    )
    assert edited(FILE, before) == after
    assert edited(FILE, after) == after
    tag = said(FILE, after)
    assert (tag.tag, tag.digest in (SHA, None)) == ("v7", True)


def test_a_digest_key_gets_the_digest_and_its_algorithm_where_it_has_one() -> None:
    text = f"image:\n  repository: {IMAGE}\n  tag: v6\n  digest: {OLD}\n"
    assert said(FILE, text) == PinValue("v6", OLD, IMAGE)
    assert edited(FILE, text) == text.replace("v6", "v7").replace(OLD, SHA)
    assert edited(FILE, text, PinValue("v7")) == text.replace("v6", "v7").replace(OLD, '""')


def test_the_registrys_port_is_no_tag() -> None:
    text = f"env:\n- name: X\n  value: localhost:5000\nimage: {IMAGE}:v6\n"
    assert edited(FILE, text) == text.replace(f"{IMAGE}:v6", NEW)


def test_a_place_is_told_from_its_like_by_its_path() -> None:
    text = "".join(
        f"  - name: {name}\n    image: {IMAGE}:{tag}\n" for name, tag in (("a", "v5"), ("b", "v6"))
    )
    text = f"spec:\n  containers:\n{text}"
    at = FilePin(F, "spec.containers[name=b].image")
    assert edited(at, text) == text.replace(f"{IMAGE}:v6", NEW)
    assert edited(FilePin(F, "spec.containers[0]"), text) == text.replace(f"{IMAGE}:v5", NEW)
    sentence = refused(FILE, text)
    assert sentence == (
        f"app.yaml:4: 2 places name the image {IMAGE} (spec.containers[0].image in line 4, spec.containers[1].image in "
        "line 6); say which one with `path:`, or `every: true` for all of them"
    )
    assert edited(FilePin(F, every=True), text) == text.replace(f"{IMAGE}:v6", NEW).replace(
        f"{IMAGE}:v5", NEW
    )


def test_keys_of_ones_own_are_reached_by_paths() -> None:
    text = f"model:\n  repo: {IMAGE}\n  version: 3 # now\n  sum: {OLD}\n"
    both = (FilePin(F, "model.version"), FilePin(F, "model.sum"))
    assert edited(both, text) == text.replace("3 #", "v7 #").replace(OLD, SHA)
    assert pins.value(target(*both), {F: text.encode()}) == PinValue("3", OLD)


def test_a_text_with_holes_is_written_and_read_back() -> None:
    text = "spec: {storageUri: s3://models/fraud/v6/model}\n"
    at = FilePin(F, "spec.storageUri", text="s3://models/fraud/{tag}/model")
    assert said(at, text) == PinValue("v6")
    assert edited(at, text) == text.replace("v6", "v7")
    assert "neither the image" in refused(FilePin(F, "spec.storageUri"), text)


def test_a_path_leads_through_an_embedded_document_and_to_one_of_several_documents() -> None:
    text = "kind: ConfigMap\ndata:\n  'a.yaml': |\n    x:\n      version: v6\n---\ndata: {x: v6}\n---\ndata: {x: v5}\n"
    assert edited(FilePin(F, 'data["a.yaml"].x.version'), text) == text.replace("version: v6", "version: v7")
    assert edited(FilePin(F, "data.x", 3), text) == text.replace("v5", "v7")
    assert "2 places are at the path data.x (lines 7, 9)" in refused(FilePin(F, "data.x"), text)
    assert "nothing is at the path data.y" in refused(FilePin(F, "data.y"), text)


def test_a_path_that_is_none_is_refused() -> None:
    assert "is not a path" in refused(FilePin(F, "a[b"), "a: b\n")


def test_an_alias_shared_with_something_else_is_refused_also_in_values() -> None:
    text = f"image:\n  repository: {IMAGE}\n  tag: &tag v6\nlabel: *tag\n"
    assert "an anchor shares this value" in refused(FILE, text)
    assert edited(FilePin(F, every=True), text) == text.replace("v6", "v7")


def test_two_lines_of_a_template_with_the_image_are_refused() -> None:
    text = f"{{{{ x }}}}: [\nimage: {IMAGE}:v6\nimage: {IMAGE}:v5\n"
    assert "2 places name the image" in refused(FILE, text)


def test_a_value_that_a_template_fills_in_is_refused() -> None:
    text = f"image:\n  repository: {IMAGE}\n  tag: '{{{{ .tag }}}}'\n"
    assert "is a template, not a value" in refused(FILE, text)


def test_pins_of_several_kinds_in_one_file_change_together() -> None:
    text = f"image: {IMAGE}:v6\n---\nspec:\n  containers:\n  - name: s\n    image: {IMAGE}:v6\nx: {{v: v6}}\n"
    both = (FilePin(F, "image"), ContainerPin(F, "s"), FilePin(F, "x.v"))
    assert edited(both, text) == text.replace(f"{IMAGE}:v6", NEW).replace("{v: v6}", "{v: v7}")


MARKED = f"""\
a: {IMAGE}:v6 # {{"$gitops-bot": "{NAME}"}}
b: v6 # {{"$gitops-bot": "{NAME}:tag"}}
c: "" # {{"$gitops-bot": "{NAME}:digest"}}
d: {IMAGE} # {{"$gitops-bot": "{NAME}:name"}}
e: [1, oci://{IMAGE}:v6] # {{"$gitops-bot": "{NAME}:uri"}}
f: v1 # {{"$gitops-bot": "fraud-detector/staging:tag"}}
g: v1 # {{"$imagepolicy": "flux-system:fraud:tag"}}
"""


def test_marked_values_change_together_and_their_markers_stay() -> None:
    after = MARKED.replace(f"{IMAGE}:v6", NEW).replace("b: v6", "b: v7").replace('c: ""', f'c: "{SHA}"')
    files = {"x/app.yaml": MARKED.encode(), "y/app.yaml": MARKED.encode(), "x/a.txt": MARKED.encode()}
    assert pins.edited(target(MarkerPin("x")), files, V7) == {"x/app.yaml": after.encode()}
    assert pins.value(target(MarkerPin("x")), {"x/app.yaml": after.encode()}) == PinValue("v7", SHA, IMAGE)


def test_a_marker_of_flux_can_be_used() -> None:
    assert edited(MarkerPin("", "flux-system:fraud"), MARKED) == MARKED.replace("g: v1", "g: v7")


def test_a_marker_without_a_value_and_a_folder_without_markers_are_refused() -> None:
    assert "stands beside no value" in refused(MarkerPin(""), f'# {{"$gitops-bot": "{NAME}:tag"}}\na: v6\n')
    assert "no file has a marker for fraud-detector/production" in refused(MarkerPin(""), "a: b\n")


def test_a_kustomization_and_its_other_patch_may_both_be_pinned() -> None:
    text = f"images:\n- name: {IMAGE}\n  newTag: v6\npatches:\n- patch: |\n    image: {IMAGE}:v6\n"
    files = {"app/kustomization.yaml": text.encode()}
    both = target(KustomizePin("app"), FilePin("app/kustomization.yaml", "patches[0].patch.image"))
    assert pins.edited(both, files, PinValue("v7"))["app/kustomization.yaml"].decode() == text.replace(
        "v6", "v7"
    )


ADDED = {
    "behind a flat list": (
        "images:\n- name: other\n  newTag: v1 # x\n\n# end\n",
        "images:\n- name: other\n  newTag: v1 # x\nNEW\n# end\n",
        "",
    ),
    "behind an indented list": (
        "images:\n  - name: other\n    digest: 'x'\nnamespace: a\n",
        "images:\n  - name: other\n    digest: 'x'\nNEWnamespace: a\n",
        "  ",
    ),
    "with wide dashes": ("images:\n-   name: other\n", "images:\n-   name: other\nNEW", "-"),
    "without a final newline": ("images:\n- name: other", "images:\n- name: other\nNEW", ""),
}


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("case", ADDED)
def test_a_missing_entry_is_added_like_its_neighbours_where_the_pin_says_so(case: str, end: str) -> None:
    before, after, indent = ADDED[case]
    lead, rest = ("-   ", "    ") if indent == "-" else (f"{indent}- ", f"{indent}  ")
    entry = f"{lead}name: server\n{rest}newName: {IMAGE}\n{rest}newTag: v7\n{rest}digest: {SHA}\n"
    wanted = after.replace("NEW", entry).replace("\n", end)
    wanted = wanted if before.endswith("\n") else wanted.removesuffix(end)
    files = {"app/kustomization.yaml": before.replace("\n", end).encode()}
    at = target(KustomizePin("app", "server", add=True))
    assert pins.value(at, files) == PinValue(repository=IMAGE)
    assert pins.edited(at, files, V7)["app/kustomization.yaml"].decode() == wanted
    assert pins.value(at, {"app/kustomization.yaml": wanted.encode()}) == PinValue("v7", SHA, IMAGE)


def test_to_a_flow_list_nothing_is_added() -> None:
    with pytest.raises(Refused, match="no entry can be added to this list"):
        pins.edited(target(KustomizePin("", add=True)), {"kustomization.yaml": b"images: [{name: a}]\n"}, V7)


def test_two_pins_in_one_embedded_document_change_together() -> None:
    text = "kind: ConfigMap\ndata:\n  a: |\n    x: {v: v6}\n    y: {v: v6}\n"
    both = (FilePin(F, "data.a.x.v"), FilePin(F, "data.a.y.v"))
    assert edited(both, text) == text.replace("v6", "v7")


def test_a_repository_in_another_registry_is_another_image() -> None:
    text = f"a: {{registry: quay.io, repository: {IMAGE}, tag: v5}}\nb: {{repository: {IMAGE}, tag: v6}}\n"
    assert edited(FILE, text) == text.replace("v6", "v7")
