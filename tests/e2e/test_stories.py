"""What people do, in the browser: sign in, share, make a token, push and look, upload, run a job and read along, all by keyboard."""

from __future__ import annotations

import re
from typing import Any

import requests
from playwright.sync_api import Browser, Page, expect

from .conftest import ADA, Site, signed_in


def test_sign_in_by_password_and_out(browser: Browser, site: Site) -> None:
    page = browser.new_page()
    page.goto(site.url("tables"))
    page.fill("[name=email]", ADA)
    page.fill("[name=password]", "wrong")
    page.click("button[type=submit]")
    expect(page.get_by_text("do not go together")).to_be_visible()
    page.fill("[name=password]", "a long enough one")
    page.keyboard.press("Enter")
    page.wait_for_url("**/w/stories/tables")
    page.get_by_role("button", name="account").click()
    page.get_by_role("menuitem", name="Sign out").click()
    page.wait_for_url("**/login")
    page.goto(site.url())
    assert "/login" in page.url
    page.close()


def test_a_token_is_copied_once_and_works(page: Page, site: Site) -> None:
    page.goto(site.url("admin/tokens"))
    page.get_by_role("button", name="New token").first.click()
    page.get_by_label("Name").fill("browser story")
    page.get_by_role("button", name="Make token").click()
    raw = page.get_by_label("Token", exact=True).input_value()
    answer = requests.get(f"{site.installation.url}/api/v1/whoami", headers={"Authorization": f"Bearer {raw}"})
    assert answer.json()["label"] == ADA
    page.get_by_role("button", name="I have copied it").click()
    row = page.get_by_role("row", name=re.compile("browser story"))
    expect(row).to_be_visible()
    assert raw not in page.content()
    row.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("row", name=re.compile("browser story.*revoked"))).to_be_visible()
    assert requests.get(answer.url, headers={"Authorization": f"Bearer {raw}"}).status_code == 401


def test_sharing_opens_a_folder_to_somebody(page: Page, site: Site, browser: Browser, filled: dict[str, Any]) -> None:
    site.installation.member(site.workspace, "mia@example.com")
    theirs = signed_in(browser, site, "mia@example.com").new_page()
    theirs.goto(site.url(f"repos/{filled['repo']}"))
    expect(theirs.get_by_role("heading", name="Nothing at this address")).to_be_visible()
    page.goto(site.url(f"folders/{filled['folder']}"))
    page.locator("[data-key-action=share][data-htmx-powered]").wait_for()
    page.keyboard.press("p")
    dialog = page.get_by_role("dialog", name=re.compile("Share"))
    dialog.get_by_label("Add people").fill("mia@example.com")
    dialog.get_by_label("Level", exact=True).select_option("view")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog.get_by_role("row", name=re.compile("mia@example.com"))).to_be_visible()
    dialog.get_by_label("Person to check").fill("mia@example.com")
    dialog.get_by_role("button", name="Check").click()
    expect(dialog.get_by_text("can view", exact=True).first).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    theirs.reload()
    expect(theirs.get_by_role("heading", name="code", level=1)).to_be_visible()
    expect(theirs.get_by_role("link", name="Settings")).to_have_count(0)
    theirs.context.close()


def test_the_keyboard_is_enough(page: Page, site: Site, filled: dict[str, Any]) -> None:
    page.goto(site.url())
    page.keyboard.press("g")
    page.keyboard.press("t")
    page.wait_for_url("**/tables")
    rows = page.locator("table[data-rows] tbody tr")
    rows.first.wait_for()
    links = [row.get_by_role("link").first.get_attribute("href") or "" for row in rows.all()]
    for _ in range(1 + [link.endswith(filled["table"]) for link in links].index(True)):
        page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/tables/{filled['table']}")
    page.keyboard.press("3")
    page.wait_for_url("**/history")
    page.keyboard.press("]")
    expect(page.get_by_role("complementary", name="Details")).to_be_hidden()
    page.reload()
    expect(page.get_by_role("complementary", name="Details")).to_be_hidden()
    page.keyboard.press("]")
    page.keyboard.press("Shift+D")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark", "the first paint knows the theme"
    page.keyboard.press("Shift+D")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.keyboard.type("flights")
    expect(page.get_by_role("option", name=re.compile("main.flights.flights"))).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("tables"))


def test_a_commit_is_read_as_pushed(page: Page, site: Site, filled: dict[str, Any]) -> None:
    page.goto(site.url(f"repos/{filled['repo']}/commits?commit={filled['commit']}"))
    expect(page.get_by_role("heading", name="Say what it is")).to_be_visible()
    expect(page.get_by_text("Trains.")).to_be_visible()
    page.get_by_role("link", name="Start", exact=True).click()
    expect(page.get_by_text("time.sleep")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Say what it is")).to_be_visible()


def test_a_file_becomes_a_table_and_an_old_version_comes_back(page: Page, site: Site) -> None:
    rows = "month,carrier\n1,UA\n2,B6\n"
    page.goto(site.url("tables/upload"))
    page.get_by_label("Table", exact=True).fill("main.default.carriers")
    page.get_by_label("File").set_input_files({"name": "carriers.csv", "mimeType": "text/csv", "buffer": rows.encode()})
    page.get_by_role("button", name="Read the file").click()
    page.get_by_role("button", name="Make the table").click(timeout=60_000)
    page.wait_for_url("**/main.default.carriers/history")
    page.goto(site.url("tables/upload?table=main.default.carriers"))
    bad = {"name": "more.csv", "mimeType": "text/csv", "buffer": b"month,carrier\n3,EV\nx,AA\n"}
    page.get_by_label("File").set_input_files(bad)
    page.get_by_role("button", name="Read the file").click()
    expect(page.get_by_text("1 of 2 rows do not fit.")).to_be_visible(timeout=60_000)
    page.get_by_label("Leave them out").check()
    page.get_by_role("button", name="Check again").first.click()
    page.get_by_role("button", name=re.compile("^Write 1 row as v1")).click(timeout=60_000)
    page.wait_for_url("**/main.default.carriers/history")
    row = page.get_by_role("row", name=re.compile("^v0"))
    row.get_by_role("button", name="Restore").click()
    page.get_by_role("dialog").get_by_role("button", name="Restore version").click()
    expect(page.get_by_role("row", name=re.compile("^v2.*Restored"))).to_be_visible()


def test_a_job_is_run_and_its_log_followed(page: Page, site: Site, filled: dict[str, Any]) -> None:
    page.goto(site.url(f"jobs/{filled['job']}"))
    page.get_by_role("button", name="Run", exact=True).first.click()
    page.get_by_role("dialog").get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url(re.compile("jobs/runs/"))
    expect(page.get_by_role("log")).to_contain_text("INFO step 0", timeout=90_000)
    expect(page.get_by_role("log")).to_contain_text("INFO step 39", timeout=60_000)
    expect(page.locator(".oh")).to_contain_text("Succeeded", timeout=30_000)
