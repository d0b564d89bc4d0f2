"""The dashboard in a real browser. Screenshots go to artifacts/ (not in git), where CI keeps them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from bot.ports import Delivery, Entry, Queued, Standing
from bot.sandbox.serving import Server, serving
from tests.parts import require
from tests.web.world import NOW, Web, catalogue, later, target

pytestmark = pytest.mark.world

ARTIFACTS = Path(__file__).parents[2] / "artifacts" / "dashboard"
FRAUD = "fraud-detector/production"
PRICING = "pricing/production"
LONG = "a-very-long-model-name-that-somebody-chose.with-dots/production-europe-west"
HELD = (
    "version 9 is held: it was merged with #31, did not serve, and was taken back with #32; "
    f"`gitops-bot release {PRICING}` lets it be proposed again"
)
PROBLEM = f"promotions.yaml, line 12: targets[2].when: no such selector: {'allias' * 30}"
SIZES = {"desktop": (1280, 900), "phone": (390, 844), "small-phone": (320, 640)}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = require("chromium", "apt-get install -y --no-install-recommends chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield chromium
        chromium.close()


def tell(web: Web) -> None:
    """A day in the life of some targets."""
    waits = "#12 for version 7 waits for a reviewer"
    proposal = (
        12,
        "https://forge.test/acme/manifests/pull/12",
        "Deploy fraud-detector version 7 to production",
    )
    web.journal.stand(Standing(FRAUD, later(-20), "7", "6", "6", "wait", waits, (proposal,)))
    web.journal.stand(
        Standing("fraud-detector/staging", later(-8), "7", "7", "7", "rest", "version 7 is live")
    )
    web.journal.stand(
        Standing("churn/production", later(-3), "3", "3", None, "wait", "version 3 is rolling out")
    )
    web.journal.stand(Standing(PRICING, later(-95), "9", "8", "8", "wait", HELD))
    web.journal.stand(
        Standing("ranker/production", later(-4000), "2", "unreleased", None, "wait", "no image", (), 3)
    )
    steps = [
        Entry(PRICING, later(-9000), "start build", "version 9 has no image yet: starting its build", version="9"),
        Entry(PRICING, later(-2600), "merge", "merging #31", "retry", "502\n" + "x" * 300, "9", seconds=10.2),
        Entry(PRICING, later(-2500), "open revert", "version 9 does not serve: `/invocations` answered 500",
              version="9", commit="fedcba98" * 5, url="https://forge.test/acme/manifests/pull/32", seconds=1.9),
        Entry(PRICING, later(-1700), "wait", HELD, version="9"),
        Entry(PRICING, later(-95), "wait", HELD, version="9"),
        Entry(PRICING, later(-60), "wait", "<b>hostile</b> " + "w" * 200, "crashed"),
    ]  # fmt: skip
    for step in steps:
        web.journal.write(step)
    web.journal.put(Delivery("mlflow", "1", "model_version_alias.created", later(-130), (FRAUD,)))
    web.queue.queued += [
        Queued("ranker/production", "failing", timedelta(seconds=40), 3, "https://registry.test: connection refused"),
        Queued("churn/production", "delayed", timedelta(seconds=7)),
    ]  # fmt: skip


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    names = (FRAUD, "fraud-detector/staging", "churn/production", PRICING, "ranker/production", LONG)
    world = Web(tmp_path, catalogue(*map(target, names)), {"sandbox": True, "release": lambda name: "done"})
    tell(world)
    yield world
    world.close()


@pytest.fixture
def served(web: Web) -> Iterator[Server]:
    with serving(web.app) as server:
        yield server


class Reader:
    """A person with a browser, who sees whatever the console complains about."""

    def __init__(self, browser: Browser, served: Server, **options: Any) -> None:
        self.context: BrowserContext = browser.new_context(base_url=served.url, **options)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", lambda request: self.complaints.append(request.url))

    def close(self) -> None:
        self.context.close()
        assert self.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_every_page_fits_its_screen_and_nothing_complains(
    browser: Browser, served: Server, web: Web, size: str, scheme: Any
) -> None:
    width, height = SIZES[size]
    reader = Reader(browser, served, viewport={"width": width, "height": height}, color_scheme=scheme)
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    pages = {
        "targets": "/",
        "target": f"/targets/{PRICING}",
        "unseen": f"/targets/{LONG}",
        "broken": "/",
        "empty": "/",
    }
    for name, path in pages.items():
        if name == "broken":
            web.catalogue = replace(web.catalogue, problem=PROBLEM)
        if name == "empty":
            web.catalogue = replace(web.catalogue, targets={}, problem=None)
        reader.page.goto(path)
        reader.page.screenshot(path=ARTIFACTS / f"{name}-{size}-{scheme}.png", full_page=True)
        assert reader.page.evaluate("document.documentElement.scrollWidth") <= width, name
    reader.close()


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_the_three_columns_stand_side_by_side_and_differences_are_marked(
    browser: Browser, served: Server, size: str
) -> None:
    width, height = SIZES[size]
    reader = Reader(browser, served, viewport={"width": width, "height": height})
    reader.page.goto("/")
    row = reader.page.locator(f'[data-target="{FRAUD}"]')
    boxes = []
    for title, shown in (("wanted", "7"), ("pinned", "6"), ("live", "6")):
        cell = row.locator(f"td.{title}")
        expect(cell).to_be_visible()
        expect(cell).to_contain_text(shown)
        boxes.append(cell.bounding_box() or {})
    assert len({box["y"] for box in boxes}) == 1
    assert boxes[0]["x"] < boxes[1]["x"] < boxes[2]["x"]
    expect(row.locator("td.pinned")).to_contain_text("differs from what is wanted")
    colors = [
        row.locator(f"td.{t}").evaluate("e => getComputedStyle(e).backgroundColor")
        for t in ("wanted", "pinned")
    ]
    assert colors[0] != colors[1]
    reader.close()


def test_a_reader_gets_from_the_targets_to_a_timeline_and_a_pull_request(
    browser: Browser, served: Server
) -> None:
    reader = Reader(browser, served)
    page = reader.page
    page.goto("/")
    expect(page.get_by_role("note")).to_contain_text("sandbox")
    expect(page.get_by_role("link", name="#12 Deploy")).to_have_attribute(
        "href", "https://forge.test/acme/manifests/pull/12"
    )
    page.get_by_role("link", name=PRICING).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("pricing")
    expect(page.locator(".timeline li")).to_have_count(5)
    expect(page.locator(".timeline li").nth(1)).to_contain_text("2 times in a row")
    expect(page.locator(".timeline li").first).to_contain_text("<b>hostile</b>")
    when = page.locator(".timeline li").last.locator(".moment time")
    expect(when).to_have_text("2 h ago")
    expect(when).to_have_attribute("title", "2026-11-24 09:30:00 UTC")
    page.get_by_role("button", name="Release it").click()
    expect(page.get_by_role("status")).to_contain_text("The hold is lifted")
    reader.close()


def test_the_button_asks_for_the_operators_password_and_then_lifts_the_hold(
    browser: Browser, tmp_path: Path
) -> None:
    names: list[str] = []
    options = {"release": lambda name: names.append(name) or "done", "operator_token": lambda: "sésame"}
    world = Web(tmp_path, catalogue(target(PRICING)), options)
    world.journal.stand(Standing(PRICING, NOW, "9", "8", "8", "wait", HELD))
    with serving(world.app) as server:
        for password, status in (("guessed", 401), ("sésame", 200)):
            context = browser.new_context(
                base_url=server.url, http_credentials={"username": "ada", "password": password}
            )
            page = context.new_page()
            page.goto(f"/targets/{PRICING}")
            with page.expect_navigation() as navigation:
                page.get_by_role("button", name="Release it").click()
            answer = navigation.value
            assert (answer.status if answer else None) == status
            if status == 200:
                expect(page.get_by_role("status")).to_contain_text("The hold is lifted")
            else:
                expect(page.locator("main")).to_contain_text("operator's password")
                assert names == []
            context.close()
    assert names == [PRICING]
    world.close()


def test_a_page_of_another_site_cannot_press_the_button_though_the_browser_knows_the_password(
    browser: Browser, tmp_path: Path
) -> None:
    names: list[str] = []
    options = {"release": lambda name: names.append(name) or "done", "operator_token": lambda: "sesame"}
    world = Web(tmp_path, catalogue(target(PRICING)), options)
    world.journal.stand(Standing(PRICING, NOW, "9", "8", "8", "wait", HELD))

    with serving(world.app) as server:

        def evil(environ: Any, start_response: Any) -> list[bytes]:
            start_response("200 OK", [("Content-Type", "text/html")])
            address = f"{server.url}/targets/{PRICING}/release"
            return [f'<form method="post" action="{address}"><button>Win a prize</button></form>'.encode()]

        context = browser.new_context(http_credentials={"username": "ada", "password": "sesame"})
        page = context.new_page()
        with serving(evil) as elsewhere:
            page.goto(elsewhere.url.replace("127.0.0.1", "localhost"))
            with page.expect_navigation() as navigation:
                page.get_by_role("button", name="Win a prize").click()
            answer = navigation.value
            assert (answer.status if answer else None) == 403
        context.close()
    assert names == []
    world.close()


def test_without_javascript_the_pages_say_the_same_and_still_renew_themselves(
    browser: Browser, served: Server, web: Web
) -> None:
    texts = []
    for enabled in (True, False):
        reader = Reader(browser, served, java_script_enabled=enabled)
        reader.page.goto("/")
        texts.append(reader.page.locator("main").inner_text())
        if enabled:
            reader.close()
    assert texts[0] == texts[1]
    web.journal.stand(Standing(FRAUD, NOW, "7", "7", "7", "rest", "version 7 has arrived"))
    expect(reader.page.locator("main")).to_contain_text("ersion 7 has arrived", timeout=15_000)
    reader.close()


def test_with_javascript_a_page_renews_itself_in_place(browser: Browser, served: Server, web: Web) -> None:
    reader = Reader(browser, served)
    page = reader.page
    page.clock.install()
    page.goto(f"/targets/{PRICING}")
    page.locator("details").first.evaluate("element => element.open = true")
    page.evaluate("window.scrollTo(0, 300)")
    web.journal.write(Entry(PRICING, NOW, "rest", "something new came up"))
    page.clock.run_for(6000)
    expect(page.locator("main")).to_contain_text("something new came up")
    assert page.locator("details[open]").count() == 1
    assert page.evaluate("window.scrollY") == 300
    reader.close()


def test_a_bot_that_went_away_is_said_on_the_page(browser: Browser, served: Server) -> None:
    reader = Reader(browser, served)
    reader.page.clock.install()
    reader.page.goto("/")
    expect(reader.page.get_by_text("the bot does not answer")).to_be_hidden()
    reader.context.set_offline(True)
    reader.page.clock.run_for(6000)
    expect(reader.page.get_by_text("the bot does not answer")).to_be_visible()
    expect(reader.page.locator(f'[data-target="{FRAUD}"]')).to_be_visible()
    reader.context.set_offline(False)
    reader.page.clock.run_for(6000)
    expect(reader.page.get_by_text("the bot does not answer")).to_be_hidden()
    reader.context.close()


def test_every_picture_has_a_name_and_every_page_its_landmarks(browser: Browser, served: Server) -> None:
    reader = Reader(browser, served)
    for path in ("/", f"/targets/{PRICING}"):
        reader.page.goto(path)
        for role in ("banner", "main", "contentinfo", "navigation"):
            expect(reader.page.get_by_role(role)).to_have_count(1)  # type: ignore[arg-type]
        assert reader.page.locator("h1").count() == 1
        assert reader.page.locator("svg:not([aria-hidden])").count() == 0
        assert reader.page.evaluate("document.documentElement.lang") == "en"
    reader.close()
