"""The forge's pages: what a person reads and presses, and what hostile text cannot do there."""

import re
from html.parser import HTMLParser

import pytest
import requests

from tests.sandbox.forges import NAME, World, forge_world

pytestmark = pytest.mark.world
HOSTILE = """<!-- hidden -->
<script>alert(1)</script> <img src=x onerror=alert(2)> <a href="javascript:alert(3)">x</a> <style>*{}</style>

[link](javascript:alert(4)) ![image](http://evil.example/pixel.png) <iframe src="http://evil.example"></iframe>

| a | b |
|---|---|
| **bold** | `<b>` |
"""
TITLE = '<script>alert("title")</script> {{ 7 * 7 }} "quoted" \'single\''


class Tags(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def names(self) -> set[str]:
        """Every tag that occurs."""
        return {tag for tag, _ in self.found}


def page(world: World, path: str = "", status: int = 200) -> str:
    answer = requests.get(
        f"{world.forge.url}/{NAME}{path}" if path != "/" else f"{world.forge.url}/", timeout=10
    )
    assert answer.status_code == status
    assert "sandbox" in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    return answer.text


def press(world: World, number: int, action: str, **fields: str) -> requests.Response:
    """What a browser sends when a button of the page of a pull request is pressed."""
    token = re.search(r'name="token" value="([^"]+)"', page(world, f"/pull/{number}"))
    assert token is not None
    return requests.post(
        f"{world.forge.url}/{NAME}/pull/{number}/{action}", data={"token": token[1], **fields}, timeout=10
    )


def test_hostile_words_do_not_become_html(world: World) -> None:
    world.change("bot/x", text="<script>alert('diff')</script>", message="<script>alert('commit')</script>")
    number = world.open("bot/x", title=TITLE, body=HOSTILE)["number"]
    world.forge.comment(NAME, number, HOSTILE)
    world.forge.label(NAME, number, "<script>alert('label')</script>")
    world.forge.set_status(
        NAME, world.forge.head(NAME, "bot/x"), "<script>", "success", description="<script>"
    )
    head = world.forge.head(NAME, "bot/x")
    for path in (
        f"/pull/{number}",
        "/pulls",
        f"/commit/{head}",
        "/commits/bot/x",
        "/blob/bot/x/apps/values.yaml",
    ):
        text = page(world, path)
        tags = Tags(text)
        assert not tags.names() & {"script", "style", "iframe", "object"}
        assert not any(name.startswith("on") for _, attributes in tags.found for name in attributes)
        assert "javascript:" not in text
    shown = page(world, f"/pull/{number}")
    assert "&lt;script&gt;alert(&#34;title&#34;)&lt;/script&gt; {{ 7 * 7 }}" in shown
    assert "<strong>bold</strong>" in shown


def test_a_page_shows_what_a_reviewer_needs(world: World) -> None:
    world.forge.protect(NAME, required_checks=("validate",))
    world.change("bot/x", text="new", message="Bump the line")
    number = world.open("bot/x", title="Deploy version 7", body="**Why**: because")["number"]
    world.forge.label(NAME, number, "production")
    world.forge.set_status(
        NAME, world.forge.head(NAME, "bot/x"), "gitops-bot/x", "pending", description="Waits for a merge"
    )
    shown = page(world, f"/pull/{number}")
    for text in (
        "Deploy version 7", "<strong>Why</strong>", "production", "Waits for a merge", "Bump the line",
        '<span class="added">+line10: new', '<span class="removed">-line10: 10',
        "Required status check &#34;validate&#34; is expected.", "apps/values.yaml",
    ):  # fmt: skip
        assert text in shown
    assert "Deploy version 7" in page(world, "/pulls")
    assert NAME in page(world, "/")


def test_merge_is_pressed_and_the_reviewer_has_merged(world: World) -> None:
    number = world.proposal("bot/x")
    answer = press(world, number, "merge", method="squash", head=world.forge.head(NAME, "bot/x"))
    assert answer.history[0].status_code == 303
    assert "merged this" in answer.text
    assert world.get(f"pulls/{number}")["merged_by"]["login"] == "reviewer"


def test_a_refusal_is_a_sentence_on_the_page(world: World) -> None:
    world.forge.protect(NAME, required_checks=("validate",))
    number = world.proposal("bot/x")
    answer = press(world, number, "merge")
    assert answer.status_code == 405
    assert 'role="alert">Required status check &#34;validate&#34; is expected.' in answer.text
    stale = world.forge.head(NAME, "bot/x")
    world.forge.set_status(NAME, world.change("bot/x", line=2), "validate", "success")
    answer = press(world, number, "merge", head=stale)
    assert answer.status_code == 409
    assert "Head branch was modified" in answer.text
    assert not world.forge.pull(NAME, number).merged


def test_the_other_buttons_do_what_they_say(world: World) -> None:
    number = world.proposal("bot/x")
    assert "approved" in press(world, number, "approve").text
    assert "Nice work" in press(world, number, "comment", body="Nice work").text
    assert "closed this without merging" in press(world, number, "close").text
    assert world.get(f"issues/{number}")["closed_by"]["login"] == "reviewer"
    assert "can be merged" in press(world, number, "reopen").text
    press(world, number, "close")
    press(world, number, "delete-branch")
    assert world.ask("GET", "branches/bot/x").status_code == 404


@pytest.mark.parametrize("action", ["merge", "close", "approve", "comment"])
def test_a_form_from_elsewhere_does_nothing(world: World, action: str) -> None:
    number = world.proposal("bot/x")
    for data in ({}, {"token": "guessed"}, {"token": "gues\N{LATIN SMALL LETTER E WITH ACUTE}"}):
        address = f"{world.forge.url}/{NAME}/pull/{number}/{action}"
        assert requests.post(address, data=data, timeout=10).status_code == 403
    pull = world.get(f"pulls/{number}")
    assert (pull["state"], pull["comments"]) == ("open", 0)


def test_another_name_for_loopback_reads_nothing(world: World) -> None:
    answer = requests.get(f"{world.forge.url}/{NAME}", headers={"Host": "evil.example:80"}, timeout=10)
    assert answer.status_code == 403
    assert "token" not in answer.text


def test_files_of_branches_with_slashes_are_shown(world: World) -> None:
    world.change("bot/x/v1", text="new")
    assert "values.yaml" in page(world, "/tree/bot/x/v1/apps")
    assert "line10: new" in page(world, "/blob/bot/x/v1/apps/values.yaml")
    assert "line10: 10" in page(world, "/blob/main/apps/values.yaml")
    for path in ("/blob/main/nothing", "/tree/nowhere", "/pull/99", "/actions/runs/1", "/commit/HEAD"):
        page(world, path, status=404)


def test_a_raw_file_is_text_whatever_it_says(world: World) -> None:
    world.forge.push_commit(NAME, "main", {"page.html": b"<script>alert(1)</script>"})
    answer = requests.get(f"{world.forge.url}/{NAME}/raw/main/page.html", timeout=10)
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_runs_page_shows_its_log_as_text(world: World) -> None:
    inputs = {"model": "<b>fraud</b>", "correlation_id": "c-1"}
    body = {"ref": "main", "inputs": inputs, "return_run_details": True}
    number = world.ask("POST", "actions/workflows/build.yml/dispatches", body).json()["workflow_run_id"]
    assert 'http-equiv="refresh"' in page(world, f"/actions/runs/{number}")
    world.forge.begin_run(number)
    world.forge.finish_run(number, "failure", "<script>alert(1)</script>\nno space left\n")
    shown = page(world, f"/actions/runs/{number}")
    assert "no space left" in shown
    assert "script" not in Tags(shown).names()
    assert 'http-equiv="refresh"' not in shown
    assert "failure" in page(world, "/actions")


def test_whoever_is_named_reviewer_acts(tmp_path: object) -> None:
    with forge_world(tmp_path, reviewer="alice") as world:  # type: ignore[arg-type]
        number = world.proposal("bot/x")
        press(world, number, "merge")
        assert world.get(f"pulls/{number}")["merged_by"]["login"] == "alice"


def test_a_status_links_to_its_details_where_that_is_harmless(world: World) -> None:
    number = world.proposal("bot/x")
    head = world.forge.head(NAME, "bot/x")
    for context, address in (("good", "https://bot.example/?a=1&b=2"), ("bad", "javascript:alert(1)")):
        world.ask("POST", f"statuses/{head}", {"state": "success", "context": context, "target_url": address})
    shown = page(world, f"/pull/{number}")
    assert '<a href="https://bot.example/?a=1&amp;b=2">details</a>' in shown
    assert "javascript:" not in shown
