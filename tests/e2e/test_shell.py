"""The shell by keyboard alone: find and open a thing, star it, walk a list, go to sections, read the list of keys."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from .conftest import Site
from .test_pages import findings


def test_a_thing_is_found_and_opened_by_a_few_letters(page: Page, site: Site, filled: dict[str, Any]) -> None:
    page.goto(site.url())
    page.keyboard.press("Control+k")
    palette = page.locator("#palette")
    expect(palette.get_by_role("combobox")).to_be_focused()
    page.keyboard.type("ardl")
    expect(palette.get_by_role("option").first).to_contain_text("arrival")
    assert findings(page) == []
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("arrival")
    page.keyboard.press("Control+k")
    expect(palette.get_by_role("option").first).to_contain_text("arrival")
    page.keyboard.press("Escape")
    expect(palette).to_be_hidden()


def test_the_actions_of_the_thing_are_in_the_palette(page: Page, site: Site, filled: dict[str, Any]) -> None:
    page.goto(site.url(f"tables/{filled['table']}"))
    page.keyboard.press("Control+k")
    page.keyboard.type("share")
    expect(page.locator("#palette").get_by_role("option").first).to_contain_text("Share")
    page.keyboard.press("Enter")
    expect(page.locator("#overlay dialog")).to_be_visible()


def test_every_page_is_found_by_its_name(page: Page, site: Site) -> None:
    page.goto(site.url())
    for typed, path in (("audit", "admin/audit"), ("uplo", "tables/upload"), ("trash", "trash")):
        page.keyboard.press("Control+k")
        page.keyboard.type(typed)
        expect(page.locator("#palette [aria-selected=true]")).to_contain_text(typed, ignore_case=True)
        page.keyboard.press("Enter")
        page.wait_for_url(site.url(path))


def test_a_star_is_set_by_its_key_and_stands_in_the_side_bar(page: Page, site: Site, filled: dict[str, Any]) -> None:
    page.goto(site.url(f"repos/{filled['repo']}"))
    star = page.locator(".oh .star")
    expect(star).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("*")
    expect(star).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#starred")).to_contain_text("code")
    page.goto(site.url())
    expect(page.locator("#recent")).to_contain_text("code")
    page.locator("#starred a", has_text="code").click()
    page.wait_for_url(f"**/repos/{filled['repo']}")
    page.keyboard.press("*")
    expect(page.locator("#starred")).not_to_contain_text("code")


def test_keys_go_to_sections_and_walk_lists(page: Page, site: Site, filled: dict[str, Any]) -> None:
    page.goto(site.url())
    for letter, path in (("r", "repos"), ("t", "tables"), ("m", "models"), ("j", "jobs/")):
        page.keyboard.press("g")
        page.keyboard.press(letter)
        page.wait_for_url(site.url(path))
    page.goto(site.url("repos"))
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/repos/*")
    page.keyboard.press("]")
    expect(page.locator(".rail")).to_be_hidden()
    page.keyboard.press("]")
    expect(page.locator(".rail")).to_be_visible()
    page.keyboard.press("2")
    page.wait_for_url("**/commits*")
    page.keyboard.press("p")
    expect(page.locator("#overlay dialog")).to_be_visible()


def test_the_list_of_keys_and_the_switch_that_silences_them(page: Page, site: Site) -> None:
    page.goto(site.url())
    page.keyboard.press("?")
    keys = page.locator("#keys")
    expect(keys).to_be_visible()
    assert findings(page) == []
    keys.locator("[data-single-keys]").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(keys).to_be_hidden()
    page.reload()
    page.keyboard.press("?")
    expect(keys).to_be_hidden()
    page.context.clear_cookies(name="keys")


def test_the_bottom_bar_of_a_phone_reaches_everything(page: Page, site: Site) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(site.url())
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Jobs").click()
    page.wait_for_url(site.url("jobs/"))
