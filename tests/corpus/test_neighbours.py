"""A workload whose neighbours look like its image in every way that manifests know: only the image changes."""

import random

import pytest

from bot.adapters.manifests.editing import set_everywhere

IMAGES = ("redis", "acme/m", "ghcr.io/acme/m", "reg.acme.dev:5000/acme/m", "quay.io/acme/M_x")
OLD = (":v6", ":6.2-alpine", ":latest", "", f"@sha256:{'1' * 64}", f":v6@sha256:{'1' * 64}")
NEW = ("v7", "1.10", "7", "null", f"v7@sha256:{'2' * 64}", f"sha256:{'3' * 64}")
ENVIRONMENT = (
    "- {name: URL, value: 'http://BASE:8080/x'}",
    "- name: ADDRESS\n  value: BASE:6379",
    "- name: DSN\n  value: redis://BASE:6379/0",
    "- name: AUTH\n  value: BASE:secret",
    '- name: LIST\n  value: "BASE:6379,BASE:6380"',
    "- name: NAME\n  value: BASE",
    "- name: OTHER_IMAGE\n  value: IMAGE-other:v6",
    "- name: VERSION\n  value: v6",
    "- name: THE_IMAGE\n  value: @\0@",
)
BEHIND = ("", "  # IMAGE:v6", " ", "\t# c")
ARGUMENTS = (
    "",
    '  args: ["--image=IMAGE:v6", BASE]\n',
    "  command:\n  - BASE\n  - |\n    image: IMAGE:v6\n",
)
BESIDE = ("", "- {name: b, image: 'IMAGE-x:v6'}\n", "- name: b\n  image: @\0@\n")
BEFORE = (
    "",
    "# image: IMAGE:v6\n",
    "kind: Service\nmetadata: {name: BASE, labels: {image: BASE}}\n---\n",
    "kind: ConfigMap\ndata:\n  url: http://BASE:80\n  a: |\n    upstream: BASE:6379\n    b: 1\n---\n",
)
HEAD = "kind: Pod\nmetadata:\n  annotations:\n    list: a=IMAGE:v6\n    note: |\n      image: IMAGE:v6\nspec:\n  containers:\n"


def workload(dice: random.Random, image: str, *, is_tagged: bool) -> str:
    """A workload with a mark where the reference stands."""
    usable = [item for item in ENVIRONMENT if is_tagged or "\0" not in item]
    env = "\n".join(dice.sample(usable, dice.randint(0, len(usable)))).replace("\n", "\n  ")
    text = f"- name: a\n  image: @\0@{dice.choice(BEHIND)}\n" + (f"  env:\n  {env}\n" if env else "")
    text += dice.choice(ARGUMENTS) + dice.choice(BESIDE)
    text = dice.choice(BEFORE) + HEAD + "".join(f"  {line}\n" for line in text.splitlines())
    text = (
        text.replace("IMAGE:", f"{image}:").replace("IMAGE-", f"{image}-").replace("@", dice.choice("'\" "))
    )
    return text.replace("BASE", image.rpartition("/")[2]).replace("\n", dice.choice(("\n", "\r\n")))


@pytest.mark.parametrize("seed", range(4))
def test_only_the_image_changes(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(100):
        image, old, new = dice.choice(IMAGES), dice.choice(OLD), dice.choice(NEW)
        text = workload(dice, image, is_tagged=bool(old))
        mark = "@" if new.startswith("sha256:") else ":"
        after = set_everywhere("f.yaml", text.replace("\0", image + old).encode(), image, new).decode()
        assert after == text.replace("\0", f"{image}{mark}{new}")
