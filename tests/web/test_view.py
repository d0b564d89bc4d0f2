"""The words of the dashboard about a target, situation by situation."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.core.target import (
    AlertsCheck,
    ArgoCD,
    Check,
    Flux,
    HttpCheck,
    PredictionCheck,
    PrometheusCheck,
    Rollout,
    Workload,
    WorkloadKind,
)
from bot.ports import Queued, Standing
from bot.web import view
from bot.web.view import State
from tests.web.world import NOW, target

LIVE = Standing("a/b", NOW, "7", "7", "7", "rest", "version 7 is wanted, pinned and live")
FAILING = Queued("a/b", "failing", timedelta(seconds=9), 2, "no route")


@pytest.mark.parametrize(
    ("standing", "queued", "state"),
    [
        (LIVE, None, State.LIVE),
        (None, None, State.UNSEEN),
        (None, FAILING, State.FAILING),
        (LIVE, FAILING, State.FAILING),
        (replace(LIVE, failures=1), None, State.FAILING),
        (replace(LIVE, live=None), None, State.VERIFYING),
        (replace(LIVE, live="6"), None, State.VERIFYING),
        (replace(LIVE, wanted="8"), None, State.MOVING),
        (replace(LIVE, wanted="8", proposals=((1, "u", "t"),)), None, State.PROPOSED),
        (replace(LIVE, wanted=None), None, State.IDLE),
        (replace(LIVE, wanted="8", because="version 8 is held: ada closed #3 without merging it"), None, State.HELD),
        (replace(LIVE, live=None, action="open revert", because="b"), None, State.FAILED),
        (replace(LIVE, live=None, because="version 7 does not serve: 503"), None, State.FAILED),
    ],
)  # fmt: skip
def test_the_state_is_the_first_word_that_fits(
    standing: Standing | None, queued: Queued | None, state: State
) -> None:
    assert view.state_of(target("a/b"), standing, queued) is state
    assert view.state_of(target("a/b", paused=True), standing, queued) is State.PAUSED


@pytest.mark.parametrize(
    ("wanted", "pinned", "live", "marked"),
    [
        ("7", "7", "7", []),
        ("7", "6", "6", ["pinned"]),
        ("7", "7", None, ["live"]),
        ("7", "6", None, ["pinned", "live"]),
        (None, "6", None, []),
        ("1", "unreleased", None, ["pinned", "live"]),
    ],
)
def test_columns_that_do_not_agree_are_marked(
    wanted: str | None, pinned: str | None, live: str | None, marked: list[str]
) -> None:
    cells = view.cells(replace(LIVE, wanted=wanted, pinned=pinned, live=live))
    assert [cell.title for cell in cells] == ["wanted", "pinned", "live"]
    assert [cell.title for cell in cells if cell.differs] == marked


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "just now"), (-1, "just now"), (-60, "in 1 min"), (5, "5 s ago"), (59, "59 s ago"), (60, "1 min ago"),
     (3599, "59 min ago"), (3600, "1 h ago"), (86400, "24 h ago"), (172800, "2 days ago")],
)  # fmt: skip
def test_how_long_ago_is_said_in_the_largest_fitting_unit(seconds: int, said: str) -> None:
    assert view.ago(NOW - timedelta(seconds=seconds), NOW) == said


@pytest.mark.parametrize(
    ("queued", "said"),
    [
        (None, "at the next event or sweep"),
        (Queued("a/b", "running"), "now: a pass is running"),
        (Queued("a/b", "queued"), "now: it is next in the queue"),
        (Queued("a/b", "delayed", timedelta(seconds=12)), "in 12 s"),
    ],
)
def test_the_next_look_is_told(queued: Queued | None, said: str) -> None:
    assert view.row("a/b", target("a/b"), LIVE, queued).next_look == said


# --- Colours ---------------------------------------------------------------------------------------

SHEET = Path(view.__file__).with_name("static") / "style.css"
TONES = ("good", "busy", "ask", "bad", "calm")


def palettes() -> list[dict[str, tuple[int, ...]]]:
    found = re.findall(r":root \{(.*?)\}", SHEET.read_text(), re.DOTALL)
    return [
        {name: tuple(bytes.fromhex(value)) for name, value in re.findall(r"--(\w+): #([0-9a-f]{6});", block)}
        for block in found
    ]


def luminance(color: tuple[float, ...]) -> float:
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("number", [0, 1], ids=["light", "dark"])
def test_every_text_is_readable_on_what_is_behind_it(number: int) -> None:
    colors = palettes()[number]
    behind = {name: colors[name] for name in ("ground", "sheet")}
    # A pill's ground is 13 % of its tone (style.css).
    pills = {
        (tone, f"{tone} on {name}"): tuple(0.13 * t + 0.87 * b for t, b in zip(colors[tone], under, strict=True))
        for tone in TONES
        for name, under in behind.items()
    }  # fmt: skip
    plain = {
        (text, name): under for text in ("ink", "soft", "link", *TONES) for name, under in behind.items()
    }
    weak = {
        where: round(contrast(colors[where[0]], under), 2)
        for where, under in {**plain, **pills}.items()
        if contrast(colors[where[0]], under) < 4.5
    }
    assert weak == {}


@pytest.mark.parametrize(
    ("rollout", "said"),
    [
        (ArgoCD("fraud"), "Argo CD application `fraud`"),
        (Flux("fraud", "apps"), "Flux kustomization `apps/fraud`"),
        (Flux("all", "apps", "fraud"), "Flux kustomization `apps/all` and its Helm release `apps/fraud`"),
        (
            Flux("all", "apps", "fraud", "other"),
            "Flux kustomization `apps/all` and its Helm release `other/fraud`",
        ),
    ],
)
def test_a_rollout_is_named(rollout: Rollout, said: str) -> None:
    assert view.rollout(rollout) == said


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (HttpCheck("https://x.test/health"), "`https://x.test/health`"),
        (PredictionCheck("https://x.test"), "a prediction of `https://x.test`"),
        (PrometheusCheck("sum(rate(`x`[5m]))\n / 2"), "the query `sum(rate( x [5m])) / 2`"),
        (AlertsCheck({"model": "x", "severity": "page"}), "no alerts with `model=x, severity=page`"),
        (Workload(WorkloadKind.DEPLOYMENT, "x", "apps"), "the deployment `apps/x`"),
    ],
)
def test_a_check_says_what_it_asks(check: Check, said: str) -> None:
    assert view.check(check) == said
