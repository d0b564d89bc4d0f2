"""What reviewers read: complete, honest about what is missing, and inert whatever strangers wrote."""

import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options
from hypothesis import example, given
from hypothesis import strategies as st

from bot.core import wording
from bot.core.actions import OpenRevert
from bot.core.markdown import block, code, link, plain
from bot.core.model import Field, PinValue, Signature
from bot.core.proving import STORM, UNPROVEN
from bot.core.reviewing import Why, deploy_body
from bot.core.target import (
    AlertsCheck,
    Flux,
    HttpCheck,
    KustomizePin,
    PredictionCheck,
    PrometheusCheck,
    RevertPolicy,
    Target,
    Workload,
    WorkloadKind,
)
from bot.core.verdict import Evidence, Outcome, Verdict
from tests.core.situations import NOW, TARGET, brought, deploy, image, merged, pinned, value, verdict, version

HOSTILE = (
    "@acme/admins",
    "see #1 and GH-2 and acme/models#3",
    "![x](https://evil.test/x.png)",
    "[click](https://evil.test)",
    "<img src=x onerror=alert(1)>",
    "https://evil.test www.evil.test",
    "`` ` ``` a` @bob `",
    "a|b|@carol",
    "line\n\n# heading\n\n- @dave\n<script>",
    "<!-- gitops-bot:live -->",
    "</details>@erin",
    "fixes #5, closes GH-6",
    "\u202e\u2028@frank\u0000",
    "0123456789abcdef0123456789abcdef01234567",
)


class Page(HTMLParser):
    """The rendered page: where it links, which elements act, and the text outside code."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.elements: set[str] = set()
        self.text: list[str] = []
        self._code = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self._code += tag == "code"
        if tag == "a":
            self.links.append(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag == "code"

    def handle_data(self, data: str) -> None:
        if not self._code:
            self.text.append(data)

    def handle_comment(self, data: str) -> None:
        self.elements.add(f"comment:{data}")


def rendered(markdown: str) -> Page:
    page = Page()
    page.feed(cmarkgfm.github_flavored_markdown_to_html(markdown, Options.CMARK_OPT_UNSAFE))
    return page


def hostile(text: str) -> Why:
    """A proposal in which every text that a stranger can choose is this one."""
    fields = (Field(text, text), Field("amount", "double"))
    wanted = version(
        "7", run_id=text, user=text, description=text, source_commit=text, metrics={text: 0.5, "auc": 0.97},
        signature=Signature(fields, fields), url="https://mlflow.test/m/7", run_url="https://mlflow.test/r/7",
    )  # fmt: skip
    live = version("6", metrics={"gone " + text: 1.0}, signature=Signature((Field(text, "long"),), None))
    target = replace(
        TARGET, model=text, verify=(HttpCheck("https://f.test/health"), PredictionCheck("https://f.test"))
    )
    return Why(
        target, wanted, image("7"), pinned("6"), live, "https://ci.test/1", "https://bot.test/targets/x"
    )


ALLOWED = {
    "https://mlflow.test/m/7",
    "https://mlflow.test/r/7",
    "https://ci.test/1",
    "https://bot.test/targets/x",
}
ELEMENTS = {
    "h3",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "code",
    "p",
    "pre",
    "ul",
    "li",
    "a",
    "strong",
    "details",
    "summary",
}


def inert(page: Page, allowed: set[str]) -> None:
    assert set(page.links) <= allowed
    assert page.elements <= ELEMENTS
    text = " ".join(page.text)
    assert "@" not in text
    assert not re.search(r"https?://|www\.|GH-\d", text)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_a_deploy_stays_text(text: str) -> None:
    page = rendered(deploy_body(hostile(text)))
    inert(page, ALLOWED)
    assert "#" not in " ".join(page.text)


@given(st.text(st.characters(codec="utf-8"), max_size=60))
@example("`")
@example("\\|`|")
def test_any_text_in_a_deploy_stays_text(text: str) -> None:
    inert(rendered(deploy_body(hostile(text))), ALLOWED)


def failing(text: str) -> str:
    evidence = (Evidence(text, text, NOW, text * 40, Outcome.FAILED),) * 30
    bad = Verdict(Outcome.FAILED, text, evidence)
    target = replace(TARGET, model=text)
    action = OpenRevert(merged(deploy(12, "7")), pinned("7", "6"), value("6"), bad)
    return wording.revert_body(action, target, NOW)


@given(st.text(st.characters(codec="utf-8"), max_size=60))
@example("```\n</details>")
@example("~~~")
def test_any_text_in_a_revert_stays_text(text: str) -> None:
    inert(rendered(failing(text)), set())
    inert(rendered(wording.failed_comment(pinned("7"), Verdict(Outcome.FAILED, text), "It follows.")), set())
    inert(rendered(wording.live_comment(pinned("7"), Verdict(Outcome.SUCCEEDED, text))), set())


@given(st.text(st.characters(codec="utf-8"), max_size=200))
@example("www.WWW.wwW.x")
@example("GH-1 gh-2")
def test_any_text_in_a_title_or_message_is_harmless(text: str) -> None:
    title = wording.deploy_title(replace(TARGET, model=text), "7")
    assert title.startswith("Deploy ")
    assert title.endswith(" version 7 to production")
    assert "\n" not in title
    assert not re.search(r"[@#<>`\[\]!]|https?://|www\.|GH-\d", title, re.IGNORECASE)


def test_the_title_is_the_one_that_people_look_for() -> None:
    assert wording.deploy_title(TARGET, "7") == "Deploy fraud-detector version 7 to production"
    taken = wording.revert_title(TARGET, deploy(12, "7"), value("6"))
    assert taken == "Take back fraud-detector version 7 in production: go back to version 6"
    assert "go back to hotfix" in wording.revert_title(TARGET, deploy(12, "7"), PinValue("hotfix"))


def test_a_body_answers_every_question() -> None:
    before = Signature((Field("amount", "double"), Field("hour", "integer")), (Field("fraud", "long"),))
    after = Signature(
        (Field("amount", "double"), Field("hour", "long"), Field("country", "string")),
        (Field("fraud", "long"),),
    )
    why = Why(
        replace(TARGET, verify=(PredictionCheck("https://f.test"),)),
        version("7", metrics={"auc": 0.97, "loss": 0.1}, signature=after, user="dana", source_commit="abc123", created_at=NOW, description="More data."),
        image("7"),
        pinned("6"),
        version("6", metrics={"auc": 0.95, "old": 1.0}, signature=before),
        "https://ci.test/1",
    )  # fmt: skip
    body = deploy_body(why)
    assert "| version | `6` | `7` |" in body
    assert f"`{value('6')}`" in body
    assert image("7").reference in body
    assert "| `auc` | 0.95 | 0.97 | +0.02 |" in body
    assert "| `loss` | not logged | 0.1 | – |" in body
    assert "No longer logged: `old`" in body
    assert "**breaking**" in body
    assert "- input `hour` was integer, is long (widened)" in body
    assert "- input `country` is new and required (string) (breaking)" in body
    assert "`dana`" in body
    assert "More data." in body
    assert "[CI run and its log](<https://ci.test/1>)" in body
    assert "for at most 15 min" in body
    assert "takes it back, and merges that one" in body


def test_missing_facts_are_said_to_be_missing() -> None:
    bare = Target(
        name=TARGET.name,
        model="m",
        when=TARGET.when,
        image="r",
        pins=(KustomizePin("a"),),
        revert=RevertPolicy.OFF,
    )
    body = deploy_body(Why(bare, version("7", run_id=None), image("7"), pinned("6")))
    for missing in (
        "no metrics",
        "no signature",
        "does not say who",
        "no run is recorded",
        "not recorded in the run",
        "nothing is configured to verify",
        "only reports it",
    ):
        assert missing in body
    with_signature = version("7", signature=Signature((Field("a", "long"),), None), metrics={"auc": 1.0})
    assert "no earlier version to compare the signature" in deploy_body(
        Why(bare, with_signature, image("7"), pinned("6"))
    )
    other = deploy_body(
        Why(bare, with_signature, image("7"), pinned("6"), version("6", metrics={"auc": float("nan")}))
    )
    assert "logged **no signature** to compare with" in other
    assert "| `auc` | nan | 1 | – |" in other


def test_many_metrics_are_cut_and_counted() -> None:
    many = {f"m{n:02}": float(n) for n in range(30)}
    body = deploy_body(Why(TARGET, version("7", metrics=many), image("7"), pinned("6")))
    assert "10 more metrics" in body
    assert "`m19`" in body
    assert "`m20`" not in body


def test_a_revert_tells_a_sleepy_reader() -> None:
    snapshot = brought(verdict=verdict(Outcome.FAILED, "the pods crash"))
    assert snapshot.brought_by is not None
    bad = verdict(Outcome.FAILED, "the pods crash")
    action = OpenRevert(snapshot.brought_by, snapshot.pinned, value("6"), bad)
    body = wording.revert_body(action, TARGET, NOW)
    assert body.startswith(
        "Version `7` of `fraud-detector` does not serve in `production`. This goes back to version `6`. The bot merges this"
    )
    assert "**What failed:** `the pods crash`" in body
    assert "**Since when:** seen failing at 2026-11-24 12:00:00 UTC, 5 min after the merge of #12." in body
    assert "It came with #12" in body
    assert "<details><summary>Evidence</summary>" in body
    assert "`gitops-bot release fraud-detector/production`" in body
    to_hotfix = OpenRevert(deploy(12, "7"), snapshot.pinned, PinValue("hotfix"), Verdict(Outcome.FAILED, "x"))
    by_hand = wording.revert_body(to_hotfix, replace(TARGET, revert=RevertPolicy.REVIEW), NOW)
    assert "A person must merge this." in by_hand
    assert "There is no further evidence." in by_hand


@pytest.mark.parametrize("why", [STORM, UNPROVEN])
def test_a_revert_that_a_person_must_merge_says_why(why: str) -> None:
    action = OpenRevert(deploy(12, "7"), pinned("7"), value("6"), verdict(Outcome.FAILED), person=why)
    body = wording.revert_body(action, TARGET, NOW)
    assert f"**A person must merge this:** {why}." in body
    assert "The bot merges this" not in body


def test_what_was_broken_before_is_said_under_the_proposal() -> None:
    said = wording.broken_before_comment(verdict(Outcome.FAILED, "the pods crash"))
    assert "does not serve **now**, before the merge: `the pods crash`" in said
    assert "will not be blamed on the new version" in said


def test_what_is_left_to_a_person_and_what_serves_again_is_said() -> None:
    assert wording.left_to_a_person("it crashed @alice").endswith("a person must look: `it crashed @alice`")
    assert "serves again" in wording.serves_again_comment()


def test_an_incident_is_plain_text() -> None:
    title, text = wording.incident(TARGET, "going back did not help\n<@everyone>")
    assert title == "fraud-detector/production: a person must look"
    assert "\n" not in text
    assert "<@" not in text


def test_a_body_names_every_kind_of_check() -> None:
    checks = (
        HttpCheck("https://f.test/health", json={"status": "ok"}),
        PredictionCheck("https://f.test", latency=timedelta(seconds=2), tolerance=1e-6),
        PrometheusCheck("errors", below=0.05, window=timedelta(hours=3)),
        PrometheusCheck("up", above=0.5, window=timedelta(minutes=1)),
        AlertsCheck({"service": "fraud"}),
        Workload(WorkloadKind.DEPLOYMENT, "fraud", "models"),
    )
    flux = Flux("fraud", helm_release="fraud")
    target = replace(TARGET, verify=checks, rollout=flux, bake=timedelta(minutes=30))
    body = deploy_body(Why(target, version("7"), image("7"), pinned("6")))
    for words in (
        "Flux Kustomization `fraud` and its HelmRelease `fraud` has applied the merge",
        "answers 200 with the expected JSON",
        "example, within 2 s, and says that it is this version, and answers as it did when its image was built",
        "`errors` stays below 0.05 for 3 h after the rollout",
        "`up` stays above 0.5 for 1 min after the rollout",
        "no alert with `service=fraud` begins to fire",
        "deployment `models/fraud` runs this image completely",
        "All of it must stay good for 30 min.",
    ):
        assert words in body, words


def test_a_commit_explains_itself_by_trailers() -> None:
    why = Why(TARGET, version("7"), image("7"), pinned("6"))
    message = wording.commit_message("Deploy it", wording.deploy_trailers(why))
    assert message.splitlines() == [
        "Deploy it", "", "GitOps-Bot-Target: fraud-detector/production", "GitOps-Bot-Version: 7",
        f"GitOps-Bot-Image: {image('7').reference}", f"GitOps-Bot-Replaces: {plain(str(value('6')), 300)}",
    ]  # fmt: skip
    back = wording.revert_trailers(TARGET, deploy(12, "7"), pinned("7"), PinValue("hotfix"))
    assert back["GitOps-Bot-Reverts"] == "12"
    assert back["GitOps-Bot-Version"] == "unknown"


def test_bounds_and_odd_links() -> None:
    assert len(plain("x" * 500)) == 120
    assert code("x" * 500).endswith("…`")
    assert block("y" * 5000).count("y") == 4000
    assert link("page", None) == "page"
    assert link("page", "javascript:alert(1)") == "page: `javascript:alert(1)`"
    assert wording.close_comment("version 8 is wanted") == "Closed by the bot: version 8 is wanted."
    assert "Evidence" in wording.live_comment(
        replace(pinned("7"), value=PinValue("hotfix")), verdict(Outcome.SUCCEEDED)
    )
    assert "hotfix" in wording.failed_comment(
        replace(pinned("7"), value=PinValue("hotfix")), verdict(Outcome.FAILED), "Nothing."
    )
    short = replace(TARGET, deadline=TARGET.settle)
    assert "at most 10 s" in deploy_body(Why(short, version("7"), image("7"), pinned("6")))
