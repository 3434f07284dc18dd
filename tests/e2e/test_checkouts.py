"""Code in the browser: two tabs of one person lose nothing, and what was typed becomes a commit that others get."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from .conftest import Site

SOON = 20_000


def test_two_tabs_lose_nothing_and_commit(page: Page, site: Site, filled: dict[str, Any]) -> None:
    here = site.url(f"repos/{filled['repo']}")
    other = page.context.new_page()
    for tab in (page, other):
        tab.goto(f"{here}?path=train.py&edit=1")
        expect(tab.locator(".cm-content")).to_be_visible(timeout=SOON)
    page.locator(".cm-content").click()
    page.keyboard.type("# from the first tab\n")
    expect(page.locator("[data-state=saved]")).to_contain_text("not committed", timeout=SOON)
    other.locator(".cm-content").click()
    other.keyboard.type("# from the second tab\n")
    expect(other.get_by_text("This file changed elsewhere")).to_be_visible(timeout=SOON)
    other.reload()
    expect(other.locator(".cm-content")).to_contain_text("from the second tab", timeout=SOON)
    other.get_by_role("button", name="Save mine over it").click()
    expect(other.locator("[data-state=saved]")).to_contain_text("not committed", timeout=SOON)
    other.context.set_offline(True)
    other.locator(".cm-content").click()
    other.keyboard.type("# typed without a connection\n")
    expect(other.locator("[data-state]")).to_contain_text("kept in this browser", timeout=SOON)
    other.context.set_offline(False)
    expect(other.locator("[data-state=saved]")).to_contain_text("not committed", timeout=SOON)
    other.keyboard.press("Escape")
    other.keyboard.press("c")
    dialog = other.get_by_role("dialog")
    expect(dialog).to_contain_text("typed without a connection", timeout=SOON)
    dialog.get_by_label("Message").fill("Say where it was typed")
    dialog.get_by_role("button", name="Commit and push").click()
    expect(other.get_by_text("Committed and pushed")).to_be_visible(timeout=SOON)
    commits = site.api.get(f"/api/v1/repos/{filled['repo']}/commits").json()["items"]
    assert commits[0]["subject"] == "Say where it was typed"
    text = site.api.get(f"/api/v1/repos/{filled['repo']}/file?path=train.py").json()["text"]
    assert "second tab" in text and "without a connection" in text
    other.close()
