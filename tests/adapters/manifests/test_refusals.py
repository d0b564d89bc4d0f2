"""What is not certain is refused, with file, line, what was found and what to write instead."""

import pytest

from bot.adapters.manifests import pins
from bot.core.model import PinValue
from bot.core.target import Alias, ContainerPin, KustomizePin, Pin, Target
from bot.ports import Refused

IMAGE = "ghcr.io/acme/fraud-detector"
SHA = "sha256:" + "7" * 64
V7 = PinValue("v7", SHA)
K = "app/kustomization.yaml"


def target(*pin: Pin) -> Target:
    return Target("fraud-detector/production", "fraud-detector", Alias("champion"), IMAGE, pin)


def refused(pin: Pin | tuple[Pin, ...], files: dict[str, str | bytes], value: PinValue = V7) -> str:
    """The sentence of the refusal, which leaves no file changed."""
    data = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
    with pytest.raises(Refused) as refusal:
        pins.edited(target(*(pin if isinstance(pin, tuple) else (pin,))), data, value)
    return str(refusal.value)


ENTRY = f"images:\n- name: {IMAGE}\n  newTag: v6\n"
CONTAINER = f"containers:\n- name: server\n  image: {IMAGE}:v6\n"

REFUSALS: list[tuple[str, Pin, dict[str, str | bytes], str]] = [
    (
        "no such file",
        KustomizePin("app"),
        {},
        f"{K}: there is no such file; add it, or correct the pin in promotions.yaml",
    ),
    (
        "two kustomizations in one folder",
        KustomizePin("app"),
        {K: ENTRY, "app/kustomization.yml": ENTRY},
        f"{K} and app/kustomization.yml are both there; kustomize accepts one of them, so delete the other",
    ),
    (
        "no list of images",
        KustomizePin("app"),
        {K: "resources: [a.yaml]\n"},
        f"{K}: there is no list `images`; add `- {{name: {IMAGE}, newTag: unreleased}}` to `images:`",
    ),
    (
        "no entry for the image",
        KustomizePin("app"),
        {K: f"images:\n- name: {IMAGE}-gpu\n  newTag: v6\n"},
        f"{K}: no entry of `images` has name or newName {IMAGE}; add `- {{name: {IMAGE}, newTag: unreleased}}` to `images:`",
    ),
    (
        "no entry of this name",
        KustomizePin("app", "model"),
        {K: ENTRY},
        f"{K}: no entry of `images` has name model; add `- {{name: model, newName: {IMAGE}, newTag: unreleased}}` to `images:`",
    ),
    (
        "two entries with one newName",
        KustomizePin("app"),
        {K: f"images:\n- name: a\n  newName: {IMAGE}\n- name: b\n  newName: {IMAGE}\n"},
        f"{K}:2: 2 entries of `images` have name or newName {IMAGE} (lines 2, 4); "
        "say which one with `name:` in the pin, or remove the others",
    ),
    (
        "an entry that renders another image",
        KustomizePin("app", "model"),
        {K: "images:\n- name: model\n  newTag: v6\n"},
        f"{K}:2: this entry renders the image model, not {IMAGE}; write `newName: {IMAGE}` in this entry",
    ),
    (
        "a template in quotes",
        KustomizePin("app"),
        {K: f"images:\n- name: {IMAGE}\n  newTag: '{{{{ .Values.tag }}}}'\n"},
        f"{K}:3: `{{{{ .Values.tag }}}}` is a template, not a value; pin the value in the file that the template reads it from",
    ),
    (
        "a template without quotes",
        KustomizePin("app"),
        {K: f"images:\n- name: {IMAGE}\n  newTag: {{{{ tag }}}}\n"},
        f"{K}:3: `{{{{ tag }}}}` is a template, not a value; pin the value in the file that the template reads it from",
    ),
    (
        "a file that is a template",
        ContainerPin("a.yaml"),
        {"a.yaml": "{{ if .x }}\n" + CONTAINER + "{{ end }}\n"},
        "a.yaml:2: this is not YAML (expected '<document start>', but found '<block mapping start>'); it looks like "
        "a template, so pin the value in a file that it reads (values, kustomization) instead",
    ),
    (
        "a list for a tag",
        KustomizePin("app"),
        {K: f"images:\n- name: {IMAGE}\n  newTag: [v6]\n"},
        f"{K}:3: `newTag` is not a text; write `newTag: …` on one line",
    ),
    (
        "two documents in a kustomization",
        KustomizePin("app"),
        {K: ENTRY + "---\n" + ENTRY},
        f"{K}: this is not one kustomization; keep one document with `images:` in it",
    ),
    (
        "not UTF-8",
        KustomizePin("app"),
        {K: b"a: caf\xe9\n" + ENTRY.encode()},
        f"{K}:1: byte 0xe9 is not UTF-8; save the file as UTF-8",
    ),
    (
        "UTF-16",
        KustomizePin("app"),
        {K: ENTRY.encode("utf-16")},
        f"{K}:1: byte 0xff is not UTF-8; save the file as UTF-8",
    ),
    (
        "too large",
        KustomizePin("app"),
        {K: b"#" * (10 * 1024 * 1024 + 1)},
        f"{K}: the file has 10,485,761 bytes; files of more than 10,485,760 are not edited, so split it",
    ),
    (
        "an alias that shares the tag",
        KustomizePin("app"),
        {K: f"x: &tag v6\nimages:\n- name: {IMAGE}\n  newTag: *tag\n"},
        f"{K}:1: an anchor shares this value with another place, which would change too; "
        "write the value out here instead of sharing it by an alias",
    ),
    (
        "an alias in the same entry",
        ContainerPin("a.yaml"),
        {"a.yaml": f"containers:\n- image: &i {IMAGE}:v6\n  other: *i\n"},
        "a.yaml:2: an anchor shares this value with another place, which would change too; "
        "write the value out here instead of sharing it by an alias",
    ),
    (
        "an entry that is shared as a whole",
        ContainerPin("a.yaml"),
        {"a.yaml": f"containers:\n- &c\n  image: {IMAGE}:v6\nextra: {{x: *c}}\n"},
        "a.yaml:3: an anchor shares this value with another place, which would change too; "
        "write the value out here instead of sharing it by an alias",
    ),
    (
        "no container with the image",
        ContainerPin("a.yaml"),
        {"a.yaml": "containers:\n- image: a:1\n- image: b:1\n"},
        f"a.yaml: no container has image {IMAGE}; write `image: {IMAGE}:unreleased` in the container that is meant",
    ),
    (
        "the container runs another image",
        ContainerPin("a.yaml", "server"),
        {"a.yaml": f"containers:\n- name: server\n  image: nginx:1\n- name: x\n  image: {IMAGE}:v6\n"},
        f"a.yaml:3: this container runs nginx:1, not {IMAGE}; write `image: {IMAGE}:unreleased` here",
    ),
    (
        "two containers with the image",
        ContainerPin("a.yaml"),
        {"a.yaml": CONTAINER + f"initContainers:\n- name: warm\n  image: {IMAGE}:v5\n"},
        f"a.yaml:2: 2 containers have image {IMAGE} (server in line 2, warm in line 5); "
        "say which one with `name:` beside `container:` in the pin, one pin for each",
    ),
    (
        "a path out of the repo",
        ContainerPin("../a.yaml"),
        {},
        "the pin's path '../a.yaml' leaves the manifests repo; write a path relative to its root",
    ),
    (
        "a block scalar of two lines",
        KustomizePin("app"),
        {K: f"images:\n- name: {IMAGE}\n  newTag: |\n    v6\n    v5\n"},
        f"{K}:3: the block scalar here is not one plain line; write the value on the line of its key",
    ),
]


@pytest.mark.parametrize(
    ("pin", "files", "sentence"), [case[1:] for case in REFUSALS], ids=[case[0] for case in REFUSALS]
)
def test_a_refusal_says_where_what_and_how(pin: Pin, files: dict[str, str | bytes], sentence: str) -> None:
    assert refused(pin, files) == sentence


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "a/../../b", "..", ".git/config", "a/.git/x", "a\\..\\b", "a\nb", "a\0b"]
)
def test_a_path_that_leaves_the_repo_is_refused(path: str) -> None:
    assert "leaves the manifests repo" in refused(ContainerPin(path), {})
    assert "leaves the manifests repo" in refused(KustomizePin(path), {})


@pytest.mark.parametrize("folder", ["", ".", "./", "a/.."])
def test_the_root_of_the_repo_is_a_folder_too(folder: str) -> None:
    assert pins.paths([KustomizePin(folder)])[0] == "kustomization.yaml"


@pytest.mark.parametrize(
    "tag", ["", "v 7", "v7\n", "-x", "v7: x", "{{x}}", "ü", "v" * 129, "../x", "v7@sha256:0"]
)
def test_a_tag_that_no_registry_accepts_is_refused(tag: str) -> None:
    assert "is not an image tag" in refused(KustomizePin("app"), {K: ENTRY}, PinValue(tag))


@pytest.mark.parametrize(
    "digest", ["", "sha256", "sha256:", "sha256:a b", "sha256:a\n", "SHA256:00", "sha256:" + "a" * 300]
)
def test_a_digest_that_no_registry_accepts_is_refused(digest: str) -> None:
    assert "is not an image digest" in refused(KustomizePin("app"), {K: ENTRY}, PinValue("v7", digest))


def test_another_repository_is_refused() -> None:
    sentence = refused(KustomizePin("app"), {K: ENTRY}, PinValue("v7", None, "evil.dev/x"))
    assert "the repository of a pin is changed by hand" in sentence


def test_hostile_text_in_a_file_stays_one_printable_bounded_line_of_the_refusal() -> None:
    files: dict[str, str | bytes] = {
        "a.yaml": 'containers:\n- name: server\n  image: "x\\e[31m\\n\\n@everyone ' + "y" * 500 + '"\n'
    }
    sentence = refused(ContainerPin("a.yaml", "server"), files)
    assert sentence.isprintable()
    assert len(sentence) < 400


def test_pins_that_disagree_are_refused_naming_both_places() -> None:
    both = target(KustomizePin("app"), ContainerPin("a.yaml"))
    with pytest.raises(Refused) as refusal:
        pins.value(both, {K: ENTRY.replace("v6", "v5").encode(), "a.yaml": CONTAINER.encode()})
    assert str(refusal.value) == (
        f"the pins of fraud-detector/production disagree: {K}:3 says {IMAGE}:v5, a.yaml:3 says {IMAGE}:v6; make them say the same"
    )


# --- What is found --------------------------------------------------------------------------------

POD = f"name: server\n          image: {IMAGE}:v6\n"
FOUND = {
    "a Deployment": f"kind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n        - {POD}",
    "an init container": f"kind: Deployment\nspec:\n  template:\n    spec:\n      initContainers:\n        - {POD}",
    "a CronJob": f"kind: CronJob\nspec:\n  jobTemplate:\n    spec:\n      template:\n        spec:\n      containers:\n        - {POD}",
    "a list": f"kind: List\nitems:\n  - kind: Pod\n    spec:\n      containers:\n        - {POD}",
    "a later document": f"kind: Service\n---\n---\nkind: Pod\nspec:\n  x:\n      containers:\n        - {POD}",
    "a custom resource": f"kind: Rollout\nspec:\n  deep:\n    er:\n      containers:\n        - {POD}",
    "JSON": f'{{"kind": "Pod", "spec": {{"containers": [{{"name": "server", "image": "{IMAGE}:v6"}}]}}}}',
    "beside other images": f"containers:\n- image: {IMAGE}-gpu:v1\n- image: {IMAGE}:v6\n- image: other/{IMAGE}:v1\n- x: 1\n- y\n",
}


@pytest.mark.parametrize("case", FOUND)
def test_a_container_is_found_in(case: str) -> None:
    files = {"a.yaml": FOUND[case].encode()}
    assert pins.value(target(ContainerPin("a.yaml")), files) == PinValue("v6", None, IMAGE)
    edited = pins.edited(target(ContainerPin("a.yaml")), files, V7)
    assert edited["a.yaml"] == files["a.yaml"].replace(f"{IMAGE}:v6".encode(), f"{IMAGE}:v7@{SHA}".encode())


def test_a_port_in_the_registry_is_not_a_tag() -> None:
    image = "registry.svc:5000/acme/model"
    at = Target("a/b", "a", Alias("x"), image, (ContainerPin("a.yaml"),))
    assert pins.value(at, {"a.yaml": f"containers: [{{image: '{image}'}}]".encode()}) == PinValue(
        None, None, image
    )


def test_a_short_digest_is_read_and_written_back() -> None:
    text = f"images:\n- name: {IMAGE}\n  digest: sha256:25a0d4\n".encode()
    at = target(KustomizePin("app"))
    old = pins.value(at, {K: text})
    assert old == PinValue(None, "sha256:25a0d4", IMAGE)
    new = pins.edited(at, {K: text}, V7)
    assert pins.edited(at, new, old)[K] == text


def test_two_containers_with_the_image_are_two_pins_that_change_together() -> None:
    text = CONTAINER + f"initContainers:\n- name: warm\n  image: {IMAGE}:v6\n"
    at = target(ContainerPin("a.yaml", "server"), ContainerPin("a.yaml", "warm"))
    assert pins.edited(at, {"a.yaml": text.encode()}, V7)["a.yaml"].decode() == text.replace(
        ":v6", f":v7@{SHA}"
    )


def test_an_alias_that_only_these_pins_share_changes_once_for_both() -> None:
    text = f"containers:\n- name: a\n  image: &i {IMAGE}:v6\n- name: b\n  image: *i\n"
    at = target(ContainerPin("a.yaml", "a"), ContainerPin("a.yaml", "b"))
    assert pins.edited(at, {"a.yaml": text.encode()}, V7)["a.yaml"].decode() == text.replace(
        ":v6", f":v7@{SHA}"
    )


def test_one_refused_pin_leaves_all_unchanged() -> None:
    files: dict[str, str | bytes] = {K: ENTRY, "a.yaml": "containers: []\n"}
    assert refused((KustomizePin("app"), ContainerPin("a.yaml")), files).startswith(
        "a.yaml: no container has image"
    )


def test_only_the_pins_that_still_hold_the_value_change() -> None:
    files = {K: ENTRY.encode(), "a.yaml": CONTAINER.replace("v6", "hotfix").encode()}
    at = target(KustomizePin("app"), ContainerPin("a.yaml"))
    assert pins.edited(at, files, PinValue("v5"), PinValue("v6")) == {K: ENTRY.replace("v6", "v5").encode()}
