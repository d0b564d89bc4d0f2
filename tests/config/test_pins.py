"""What a person writes under `pins:` becomes the pin that is meant, or a fault with its place and its cure."""

import pytest

from bot.config.promotions import parse_promotions
from bot.core.target import ContainerPin, FilePin, KustomizePin, MarkerPin, Pin
from tests.config.faulty import SHORTEST, promotions_faults

SHORT = "{kustomize: apps/fraud-detector/overlays/production}"


@pytest.mark.parametrize(
    ("written", "pin"),
    [
        ("{kustomize: ., name: a, add: true}", KustomizePin(".", "a", add=True)),
        ("{container: a.json}", ContainerPin("a.json")),
        ("{file: values.yaml}", FilePin("values.yaml")),
        ("{file: a.yaml, every: true}", FilePin("a.yaml", every=True)),
        (
            "{file: a.yaml, path: 'a[0].b[x.y=z].\"c.d\"', document: 2, text: 's3://m/{tag}'}",
            FilePin("a.yaml", 'a[0].b[x.y=z]."c.d"', 2, "s3://m/{tag}"),
        ),
        ("{markers: .}", MarkerPin(".")),
        ("{markers: apps, policy: 'flux-system:app'}", MarkerPin("apps", "flux-system:app")),
    ],
)
def test_a_pin_is_read(written: str, pin: Pin) -> None:
    [target] = parse_promotions(SHORTEST.replace(SHORT, written).encode())
    assert target.pins == (pin,)


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("{file: a.yaml, kustomize: b}", "exclude each other"),
        ("{file: a.yaml, name: b}", "name belongs to `kustomize:` or `container:`"),
        ("{kustomize: a, path: b}", "path belongs to `file:`"),
        ("{file: a.yaml, text: 'x/{tag}'}", "text belongs to `path:`"),
        ("{file: a.yaml, document: 1}", "document belongs to `path:`"),
        ("{file: a.yaml, path: b, text: x}", "is not a text with a hole"),
        ("{file: a.yaml, path: '.b'}", "is not a path in a file"),
        ("{file: a.yaml, path: 'b[', every: false}", "is not a path in a file"),
        ("{file: a.yaml, path: b, every: true}", "every and path exclude each other"),
        ("{markers: a, policy: b}", "is not a policy of Flux"),
        ("{file: a.yaml, add: true}", "add belongs to `kustomize:`"),
    ],
)
def test_a_pin_that_cannot_be_meant_is_a_fault(written: str, what: str) -> None:
    faults = promotions_faults(SHORTEST.replace(SHORT, written))
    assert len(faults) == 1
    assert what in faults[0].what
    assert faults[0].key.startswith("targets[0].pins[0]")


def test_two_targets_may_pin_different_paths_of_one_file_and_never_the_same() -> None:
    one = SHORTEST.replace(SHORT, "{file: a.yaml, path: x}")
    other = one.replace("targets:\n", "").replace("production", "staging")
    assert [fault.what for fault in promotions_faults(one + other)] == [
        "this place is pinned by fraud-detector/production already: two targets would undo each other"
    ]
    assert promotions_faults(one + other.replace("path: x", "path: y")) == ()
