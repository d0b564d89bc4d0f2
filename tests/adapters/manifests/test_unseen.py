"""Forms that were seen in no file of the corpus: what looks like the image and is not, and ways to write it that are rare."""

import json
from typing import Any

import pytest

from bot.adapters.manifests import listing, pins
from bot.adapters.manifests.editing import set_everywhere
from bot.core.model import PinValue
from bot.core.target import Alias, FilePin, Target
from bot.ports import Refused

IMAGE = "ghcr.io/acme/m"
SIX, SEVEN = "6" * 64, "7" * 64


def edited(text: str, new: str = "v7", image: str = IMAGE) -> str:
    return set_everywhere("f.yaml", text.encode(), image, new).decode()


# --- What looks like the image --------------------------------------------------------------------

LOOK_ALIKES = {
    "the address of a service": "redis:6379",
    "the URL of a service": "redis://redis:6379",
    "its URL with a path": "http://redis:8080/health",
    "a user and a password": "redis:password",
    "several addresses": "redis:6379,redis:6380",
    "a host and a path": "redis:6379/0",
    "the name alone": "redis",
}


@pytest.mark.parametrize("value", LOOK_ALIKES.values(), ids=LOOK_ALIKES)
@pytest.mark.parametrize(
    "around",
    [
        "env:\n- name: A\n  value: {}\n",
        "helm:\n  parameters:\n  - name: a.b\n    value: '{}'\n",
        "env: [{{name: A, value: '{}'}}]\n",
    ],
    ids=["environment", "Helm parameter", "environment in braces"],
)
def test_what_only_looks_like_the_image_stays(around: str, value: str) -> None:
    text = around.format(value) + "containers:\n- image: redis:6.2\n"
    assert edited(text, "7.0", "redis") == text.replace("6.2", "7.0")


@pytest.mark.parametrize("name", ["AGENT_IMAGE", "agentImage"])
def test_an_environment_variable_that_says_image_is_one_even_without_a_slash(name: str) -> None:
    text = f"env:\n- name: {name}\n  value: redis:6379\ncontainers:\n- image: redis:6379\n"
    assert edited(text, "7.0", "redis") == text.replace("6379", "7.0")


def test_a_version_in_an_environment_variable_is_one_even_without_a_slash() -> None:
    text = "env:\n- name: SIDECAR\n  value: busybox:1.36\n"
    assert edited(text, "1.37", "busybox") == text.replace("1.36", "1.37")


@pytest.mark.parametrize("scheme", ["oci", "docker"])
def test_a_reference_behind_the_scheme_of_a_registry_changes(scheme: str) -> None:
    text = f"steps:\n- uses: {scheme}://{IMAGE}:v6\n"
    assert edited(text) == text.replace("v6", "v7")


@pytest.mark.parametrize("scheme", ["http", "https", "tcp", "s3"])
def test_behind_another_scheme_stands_no_image(scheme: str) -> None:
    with pytest.raises(Refused, match="nothing here names the image"):
        edited(f"steps:\n- uses: {scheme}://{IMAGE}:8080\n")


def test_the_repository_of_another_registry_is_another_image_even_alone() -> None:
    text = "image:\n  registry: quay.io\n  repository: acme/m\n  tag: v6\n"
    with pytest.raises(Refused, match="nothing here names the image"):
        edited(text, image="acme/m")
    for hub in ("docker.io", "index.docker.io", "'{{ .hub }}'"):
        of_the_hub = text.replace("quay.io", hub)
        assert edited(of_the_hub, image="acme/m") == of_the_hub.replace("v6", "v7")


# --- JSON stays JSON ------------------------------------------------------------------------------

NO_TEXT: dict[str, Any] = {"null": None, "a number": 34, "a fraction": 3.4, "true": True}


@pytest.mark.parametrize("new", ["v7", "35"])
@pytest.mark.parametrize("old", NO_TEXT.values(), ids=NO_TEXT)
@pytest.mark.parametrize("indent", [None, 1, "\t"])
def test_json_is_json_afterwards(indent: int | str | None, old: object, new: str) -> None:
    def text(tag: object) -> str:
        return json.dumps({"a": [{"image": {"repository": IMAGE, "tag": tag}}]}, indent=indent)

    assert edited(text(old), new) == text(new)


def test_json_in_a_scalar_is_json_afterwards() -> None:
    inner = {"repository": IMAGE, "tag": 34}
    text = json.dumps({"kind": "ConfigMap", "data": {"a": json.dumps(inner)}})
    assert json.loads(json.loads(edited(text))["data"]["a"]) == inner | {"tag": "v7"}
    block = "kind: ConfigMap\ndata:\n  a: |\n    {}\n"
    assert edited(block.format(json.dumps(inner))) == block.format(json.dumps(inner | {"tag": "v7"}))


def test_a_flow_mapping_of_yaml_gains_no_quotes() -> None:
    assert edited(f"{{repository: {IMAGE}, tag: 34}}\n") == f"{{repository: {IMAGE}, tag: v7}}\n"


# --- Comments of templates ------------------------------------------------------------------------

COMMENTS = {
    "of Go": "{{/*\nimage: IMAGE:v6\n*/}}\n{{ if x }}\n",
    "of Go, trimmed": "{{- /*\n  - image: IMAGE:v6\n*/ -}}\n{{ if x }}\n",
    "of Jinja": "{#\nimage: IMAGE:v6\n#}\n{% if x %}\n",
    "of Jinja, trimmed": "{#- a\nimage: IMAGE:v6\n-#}\n{% if x %}\n",
}


@pytest.mark.parametrize("comment", COMMENTS.values(), ids=COMMENTS)
def test_the_comment_of_a_template_stays(comment: str) -> None:
    head = comment.replace("IMAGE", IMAGE)
    assert edited(f"{head}  image: {IMAGE}:v5\n") == f"{head}  image: {IMAGE}:v7\n"


@pytest.mark.parametrize("image", [f'"image": "{IMAGE}:v5",\n', f'"image": "{IMAGE}:v5", // now\n'])
def test_the_comment_of_a_json_file_stays(image: str) -> None:
    head = f'// c\n{{\n  /* "image": "{IMAGE}:v6",\n  "image": "{IMAGE}:v6",\n  */\n  "a": "/*",\n  '
    assert edited(f"{head}{image}}}\n") == head + image.replace("v5", "v7") + "}\n"


def test_stars_and_slashes_are_no_comment_of_a_template() -> None:
    text = f"{{{{ if x }}}}\npaths: [/a/*]\nimage: {IMAGE}:v6\nschedule: '*/5 * * * *'\n{{{{ end }}}}\n"
    assert edited(text) == text.replace("v6", "v7")


# --- Names in several keys ------------------------------------------------------------------------

PARTS = {
    "a repository and an image": "driver:\n  repository: ghcr.io/acme\n  image: m\n  version: v6\n",
    "a repository and a name": "image:\n  repository: ghcr.io/acme\n  name: m\n  tag: v6\n",
    "a registry, a repository and a name": "a:\n  registry: ghcr.io\n  repository: acme\n  name: m\n  tag: v6\n",
    "a registry, an organization and a name": "a:\n  registry: ghcr.io\n  org: acme\n  name: m\n  tag: v6\n",
    "an image's registry and name": "a:\n  imageRegistry: ghcr.io/acme\n  imageName: m\n  imageTag: v6\n",
    "a registry for all": "global:\n  imageRegistry: ghcr.io\na:\n  image:\n    repository: acme/m\n    tag: v6\n",
    "a registry for all, elsewhere": "global: {registry: ghcr.io}\na: {repository: acme/m, tag: v6, x: y}\n",
    "a registry for all images": "global: {image: {registry: ghcr.io}}\na: {repository: acme/m, tag: v6, x: y}\n",
    "a base image": f"kind: Prometheus\nspec:\n  baseImage: {IMAGE}\n  version: v6\n",
}


@pytest.mark.parametrize("text", PARTS.values(), ids=PARTS)
def test_a_name_in_several_keys_is_found(text: str) -> None:
    assert edited(text) == text.replace("v6", "v7")
    target = Target("m/production", "m", Alias("champion"), IMAGE, (FilePin("f.yaml"),))
    assert pins.value(target, {"f.yaml": text.encode()}) == PinValue("v6", None, IMAGE)


@pytest.mark.parametrize(
    "text",
    [
        "driver:\n  repository: ghcr.io/acme\n  image: n\n  version: v6\n",
        "global:\n  imageRegistry: quay.io\na:\n  repository: acme/m\n  tag: v6\n",
        "global:\n  imageRegistry: ghcr.io\na:\n  registry: quay.io\n  repository: acme/m\n  tag: v6\n",
        "a:\n  registry: ghcr.io\nb:\n  repository: acme/m\n  tag: v6\n",
    ],
)
def test_parts_that_make_another_image_are_not_it(text: str) -> None:
    with pytest.raises(Refused, match="nothing here names the image"):
        edited(text)


def test_a_digest_without_its_algorithm_stays_without_it() -> None:
    text = f"image:\n  repository: {IMAGE}\n  tag: v6\n  digest: {SIX}\n"
    assert edited(text, f"v7@sha256:{SEVEN}") in [
        text.replace("v6", "v7").replace(SIX, quote + SEVEN + quote) for quote in ("", '"')
    ]


# --- Lines of a shell -----------------------------------------------------------------------------

LINES = f"# c\nA=1\nexport SERVER={IMAGE}:v6\nB='{IMAGE}'\n"


@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_a_file_of_names_and_values_changes(quote: str) -> None:
    text = f"# c\nA=1\nserver-image={quote}{IMAGE}:v6{quote}\n\nB=2\n"
    for ends in (text, text.removeprefix("# c\n"), text.replace("\n", "\r\n"), text.rstrip("\n")):
        assert set_everywhere("params.env", ends.encode(), IMAGE, "v7") == ends.replace("v6", "v7").encode()
    target = Target("m/production", "m", Alias("champion"), IMAGE, (FilePin("params.env"),))
    assert pins.value(target, {"params.env": text.encode()}) == PinValue("v6", None, IMAGE)


def test_names_and_values_in_a_configmap_change() -> None:
    text = f"kind: ConfigMap\ndata:\n  a.properties: |\n    a=1\n    server.image = {IMAGE}:v6\n    b=2\n"
    assert edited(text) == text.replace("v6", "v7")


def test_two_pins_of_one_line_change_it_once_and_a_path_leads_nowhere_in_it() -> None:
    text = f"# c\nserver={IMAGE}:v6\nother=1\n".encode()
    twice = Target("m/production", "m", Alias("champion"), IMAGE, (FilePin("a.env"), FilePin("a.env")))
    assert pins.edited(twice, {"a.env": text}, PinValue("v7")) == {"a.env": text.replace(b"v6", b"v7")}
    by_path = Target("m/production", "m", Alias("champion"), IMAGE, (FilePin("a.env", "server"),))
    with pytest.raises(Refused, match="nothing is at the path server"):
        pins.edited(by_path, {"a.env": text}, PinValue("v7"))


def test_names_and_values_are_listed_with_the_pin_that_addresses_them() -> None:
    [mention] = listing.naming(IMAGE, {"a.env": f"# c\nserver={IMAGE}:v6\nother=1\n".encode()})
    assert (mention.line, mention.value.tag, mention.pin) == (2, "v6", "- {file: a.env}")


# --- What a parser accepts and nothing should -----------------------------------------------------

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
HARMFUL = {
    "multiplying aliases": (BOMB, "millions of values"),
    "nesting": ("x: " + "[\n " * 2000, "nested too deeply"),
}


@pytest.mark.parametrize(("text", "reason"), HARMFUL.values(), ids=HARMFUL)
def test_the_line_of_an_image_is_no_way_around_a_refusal(text: str, reason: str) -> None:
    whole = f"image: {IMAGE}:v6\n{text}"
    with pytest.raises(Refused, match=reason):
        edited(whole)
    target = Target("m/production", "m", Alias("champion"), IMAGE, (FilePin("f.yaml"),))
    with pytest.raises(Refused, match=reason):
        pins.edited(target, {"f.yaml": whole.encode()}, PinValue("v7"))
    assert list(listing.naming(IMAGE, {"f.yaml": whole.encode()})) == []


# --- Helm parameters of an Application ------------------------------------------------------------


def parameters(**named: str) -> str:
    entries = "".join(f"  - name: server.{name}\n    value: '{said}'\n" for name, said in named.items())
    return f"helm:\n  parameters:\n{entries}"


def by_pin(text: str, value: PinValue) -> str:
    target = Target("m/production", "m", Alias("champion"), IMAGE, (FilePin("f.yaml"),))
    files = {"f.yaml": text.encode()}
    return pins.edited(target, files, value).get("f.yaml", files["f.yaml"]).decode()


@pytest.mark.parametrize("name", ["tag", "imageTag"])
def test_a_tag_and_a_digest_in_parameters_are_one_pin(name: str) -> None:
    before, after, no_digest = (
        parameters(**{"registry": "ghcr.io", "repository": "acme/m", "digest": digest, name: tag})
        for tag, digest in (("v6", f"sha256:{SIX}"), ("v7", f"sha256:{SEVEN}"), ("v7", ""))
    )
    assert edited(before, f"v7@sha256:{SEVEN}") == by_pin(before, PinValue("v7", f"sha256:{SEVEN}")) == after
    # A digest that stays would win over the new tag.
    assert edited(before, "v7") == by_pin(before, PinValue("v7")) == no_digest


def test_parameters_of_another_registry_are_another_image() -> None:
    other = parameters(registry="quay.io", repository="acme/m", tag="v6")
    with pytest.raises(Refused, match="nothing here names the image"):
        edited(other, image="acme/m")
    assert edited(other.replace("quay.io", "docker.io"), image="acme/m") == other.replace(
        "quay.io", "docker.io"
    ).replace("v6", "v7")


@pytest.mark.parametrize(
    "text",
    [
        f"image:\n  repository: {IMAGE}\n  digest: sha256:{SIX}\n",
        parameters(repository=IMAGE, digest=f"sha256:{SIX}"),
        f"imageName: {IMAGE}\nimageDigest: sha256:{SIX}\n",
    ],
    ids=["values", "parameters", "keys that begin alike"],
)
def test_a_digest_alone_does_not_give_way_to_a_tag_that_has_no_key(text: str) -> None:
    assert edited(text, f"v7@sha256:{SEVEN}") == text.replace(SIX, SEVEN)
    with pytest.raises(Refused, match="there is no key for a tag here"):
        edited(text, "v7")


@pytest.mark.parametrize("key", ["labels", "matchLabels", "annotations", "podAnnotations", "nodeSelector"])
def test_a_label_or_annotation_of_the_name_image_stays(key: str) -> None:
    text = f"metadata:\n  {key}:\n    image: nginx\n    image.tag: v6\nspec:\n  image: nginx:v6 # c\n"
    assert edited(text, image="nginx") == text.replace("nginx:v6", "nginx:v7")
    versioned = text.replace("image: nginx\n", "image: nginx:v6\n    tag: v6\n")
    assert edited(versioned, image="nginx") == versioned.replace("v6 # c", "v7 # c")
