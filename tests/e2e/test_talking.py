"""Two people talk, live, in two browsers: by keyboard alone, with mentions, and nothing typed gets lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.live import LiveApi

from .conftest import Site, signed_in

MIA = "mia.talks@example.com"
SOON = 15_000


@pytest.fixture
def mia(site: Site, browser: Browser, filled: dict[str, Any]) -> Iterator[Page]:
    """The browser of a member who may comment on everything in the folder."""
    token = site.installation.member(site.workspace, MIA)
    me = LiveApi(site.installation.url, token).get("/api/v1/whoami").json()
    grant = {"grantee_kind": "person", "grantee_id": me["user_id"], "level": "comment"}
    site.api.post(f"/api/v1/resources/{filled['folder']}/share", grant)
    context = signed_in(browser, site, MIA)
    yield context.new_page()
    context.close()


def following(page: Page) -> None:
    """The page's stream is open: a first piece of it came."""
    page.wait_for_timeout(2500)


def test_two_people_comment_live_by_keyboard(page: Page, mia: Page, site: Site, filled: dict[str, Any]) -> None:
    address = site.url(f"jobs/{filled['job']}")
    page.goto(address)
    mia.goto(address)
    following(mia)
    page.keyboard.press("m")
    page.keyboard.type("Is it **slow** today? @mia.tal")
    expect(page.get_by_role("option", name=re.compile("mia.talks"))).to_be_visible()
    page.keyboard.press("Enter")
    page.keyboard.type("<script>alert(1)</script>")
    page.keyboard.press("Control+Enter")
    said = page.locator("article.comment").last
    expect(said).to_contain_text("<script>alert(1)</script>")
    expect(said.locator("strong")).to_have_text("slow")
    expect(said.locator(".at")).to_have_text("@mia.talks")
    expect(page.locator("bh-comments > .composer textarea")).to_have_value("")

    # The other browser sees it at once, and its bell counts.
    theirs = mia.locator("article.comment").last
    expect(theirs).to_contain_text("Is it slow today?", timeout=SOON)
    expect(mia.locator(".bell .count")).to_have_text("1", timeout=SOON)
    mia.get_by_role("button", name=re.compile("Notifications")).click()
    notice = mia.locator("#latest li", has_text="mentioned you in")
    expect(notice).to_contain_text("Is it slow today?")
    notice.get_by_role("link").click()
    mia.wait_for_url(re.compile("#comment-"))
    expect(mia.locator("article.comment.found")).to_contain_text("Is it slow today?")
    expect(mia.locator(".bell .count")).to_have_count(0)

    # Mia answers while ada is typing something else: nobody loses anything.
    following(page)
    page.keyboard.type("half a tho")
    mia.get_by_role("button", name="Reply").first.focus()
    mia.keyboard.press("Enter")
    mia.keyboard.type("No, forty lines.")
    mia.keyboard.press("Control+Enter")
    expect(page.locator("article.comment").last).to_contain_text("forty lines", timeout=SOON)
    page.keyboard.type("ught")
    expect(page.locator("bh-comments > .composer textarea")).to_have_value("half a thought")
    page.reload()
    expect(page.locator("bh-comments > .composer textarea")).to_have_value("half a thought")


def test_words_are_kept_when_the_server_refuses(page: Page, site: Site, filled: dict[str, Any]) -> None:
    page.goto(site.url(f"folders/{filled['folder']}"))
    composer = page.locator("bh-comments > .composer")
    composer.locator("textarea").fill("[" * 450)
    page.keyboard.press("Control+Enter")
    expect(composer.locator(".err")).to_have_text("At most 400 opening brackets.")
    expect(composer.locator("textarea")).to_have_value("[" * 450)
    page.route("**/comments/*", lambda route: route.abort())
    composer.locator("textarea").fill("the line is down")
    page.keyboard.press("Control+Enter")
    expect(composer.locator(".err")).to_contain_text("did not answer")
    expect(composer.locator("textarea")).to_have_value("the line is down")
    page.unroute("**/comments/*")
    page.keyboard.press("Control+Enter")
    expect(page.locator("article.comment").last).to_contain_text("the line is down")


def test_a_comment_is_edited_settled_and_deleted(page: Page, site: Site, filled: dict[str, Any]) -> None:
    page.goto(site.url(f"tables/{filled['table']}"))
    page.keyboard.press("m")
    page.keyboard.type("first words")
    page.keyboard.press("Control+Enter")
    comment = page.locator("article.comment", has_text="first words")
    expect(comment).to_be_visible()
    comment.hover()
    comment.get_by_role("button", name="More about this comment").click()
    page.get_by_role("menuitem", name="Edit").click()
    expect(page.get_by_role("textbox", name="Edit the comment")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("second words")
    page.keyboard.press("Control+Enter")
    comment = page.locator("article.comment", has_text="second words")
    expect(comment).to_contain_text("edited")
    comment.hover()
    comment.get_by_role("button", name="React").click()
    page.get_by_role("dialog", name="React").get_by_role("button", name="rocket").click()
    expect(comment.get_by_role("button", name="rocket, 1")).to_have_attribute("aria-pressed", "true")
    comment.hover()
    comment.get_by_role("button", name="More about this comment").click()
    page.get_by_role("menuitem", name="Earlier texts").click()
    expect(page.get_by_role("dialog", name="Earlier texts")).to_contain_text("first words")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Resolve").click()
    page.keyboard.type("it is known")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No open threads.")).to_be_visible()
    page.locator(".talk-rail").get_by_role("link", name="All").click()
    page.get_by_role("link", name="Resolved").click()
    expect(page.locator(".thread")).to_contain_text("it is known")
    comment = page.locator("article.comment", has_text="second words")
    comment.hover()
    comment.get_by_role("button", name="More about this comment").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete comment").click()
    expect(page.locator("article.comment")).to_contain_text("Deleted by")
    expect(page.get_by_text("second words")).to_have_count(0)
