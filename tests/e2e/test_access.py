"""Access between people, in two browsers: somebody without it asks, the one who manages it answers; a lost password comes back."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Browser, Page, expect

from .conftest import Site, signed_in


def test_somebody_asks_for_access_and_gets_it(page: Page, site: Site, browser: Browser, filled: dict[str, Any]) -> None:
    site.installation.member(site.workspace, "noa@example.com")
    made = site.api.post("/api/v1/folders", {"name": "crew-plans"}).json()
    noa = next(item for item in site.api.get("/api/v1/members").json()["items"] if item["email"] == "noa@example.com")
    grant = {"grantee_kind": "person", "grantee_id": noa["user_id"], "level": "discover"}
    site.api.post(f"/api/v1/resources/{made['id']}/share", grant)
    theirs = signed_in(browser, site, "noa@example.com").new_page()
    theirs.goto(site.url(f"share/{made['id']}"))
    expect(theirs.get_by_role("heading", name="Your level is too low for this")).to_be_visible()
    theirs.get_by_label("Level").select_option("view")
    theirs.get_by_label("Why").fill("Crew cost per delayed hour")
    theirs.get_by_role("button", name="Ask for access").click()
    expect(theirs.get_by_role("row", name=re.compile("crew-plans.*Crew cost"))).to_be_visible()

    page.goto(site.url(f"folders/{made['id']}"))
    page.locator("[data-key-action=share][data-htmx-powered]").wait_for()
    page.keyboard.press("p")
    dialog = page.get_by_role("dialog", name=re.compile("Share"))
    expect(dialog.get_by_text("Crew cost per delayed hour")).to_be_visible()
    dialog.get_by_role("button", name="Give it").click()
    expect(dialog.get_by_text("Crew cost per delayed hour")).to_have_count(0)
    dialog.get_by_label("Person to check").fill("noa@example.com")
    dialog.get_by_role("button", name="Check").click()
    expect(dialog.get_by_text("can view", exact=True).first).to_be_visible()

    theirs.goto(site.url("requests?show=mine"))
    expect(theirs.get_by_text(re.compile("granted by"))).to_be_visible()
    theirs.goto(site.url(f"folders/{made['id']}"))
    expect(theirs.get_by_role("heading", name="crew-plans")).to_be_visible()
    theirs.context.close()


def test_what_adding_would_change_is_said_before(page: Page, site: Site, filled: dict[str, Any]) -> None:
    page.goto(site.url(f"folders/{filled['folder']}"))
    page.locator("[data-key-action=share][data-htmx-powered]").wait_for()
    page.keyboard.press("p")
    dialog = page.get_by_role("dialog", name=re.compile("Share"))
    dialog.get_by_label("Add people").fill("everyone")
    dialog.get_by_label("Level", exact=True).select_option("discover")
    expect(dialog.get_by_text(re.compile(r"of everyone come to\s+can discover"))).to_be_visible()


def test_a_forgotten_password_comes_back_by_mail(browser: Browser, site: Site) -> None:
    site.installation.member(site.workspace, "lost@example.com")
    page = browser.new_page()
    page.goto(f"{site.installation.url}/login")
    page.get_by_role("link", name="Forgotten your password?").click()
    page.get_by_label("Email").fill("lost@example.com")
    page.get_by_role("button", name="Send me a link").click()
    expect(page.get_by_text("Look into your mail")).to_be_visible()
    page.goto(site.installation.mailed_link("lost@example.com"))
    page.get_by_label("New password").fill("a phrase nobody knows")
    page.get_by_role("button", name="Set password").click()
    page.wait_for_url("**/login")
    page.fill("[name=email]", "lost@example.com")
    page.fill("[name=password]", "a phrase nobody knows")
    page.keyboard.press("Enter")
    page.wait_for_url("**/w/stories/**")
    page.close()
