"""Each page and each component beside its approved shot (`make approve` after looking at a change)."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.live import Installation

from .conftest import ADA, Site, fill, signed_in
from .shots import STILL, compare
from .test_pages import PAGES

KEPT = Path(tempfile.gettempdir()) / "boathouse-shots"
COMPONENTS = (
    "colour type buttons marks object table menus empty work errors destructive code".split()  # of apps/home/gallery.py
)
HIGHEST = 2200
# What is nobody's own, or still on its way, would differ each time.
LEFT_OUT = {"account", "audit", "tokens", "lineage", "components", "workers", "time of a job run", "column"}
SHOWN = sorted(name for name, path in PAGES.items() if name not in LEFT_OUT and "{endpoint}" not in path)


@pytest.fixture(scope="module")
def shown(installation: Installation) -> Site:
    """A workspace that nobody else writes to."""
    made = installation.manage("workspace", "create", "shots", "--admin", ADA)
    return Site(installation, "shots", str(made["token"]))


@pytest.fixture(scope="module")
def things(shown: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Its things, once its job run has ended."""
    made = fill(shown, tmp_path_factory.mktemp("shown"), serves=False)
    deadline = time.monotonic() + 120
    while shown.api.get(f"/api/v1/job-runs/{made['run']}").json()["state"] not in ("succeeded", "failed"):
        assert time.monotonic() < deadline, "the job run did not end"
        time.sleep(1)
    return made


@pytest.fixture(scope="module", params=["light", "dark"])
def look(request: pytest.FixtureRequest, browser: Browser, shown: Site) -> Iterator[tuple[str, BrowserContext]]:
    """A window in one of the two looks."""
    context = signed_in(browser, shown, color_scheme=request.param)
    yield request.param, context
    context.close()


@pytest.fixture(scope="module")
def counter(browser: Browser) -> Iterator[Page]:
    """A blank page to compare in."""
    page = browser.new_page()
    yield page
    page.close()


def _still(page: Page) -> None:
    page.wait_for_timeout(300)
    page.evaluate("document.fonts.ready")
    page.evaluate(STILL)


@pytest.mark.parametrize("name", SHOWN)
def test_page_looks_as_approved(
    look: tuple[str, BrowserContext], counter: Page, shown: Site, things: dict[str, Any], name: str
) -> None:
    theme, context = look
    if theme == "dark" and name not in ("home", "table", "experiment", "run", "model version", "job run"):
        pytest.skip("one look is enough where the tokens do the rest")
    page = context.new_page()
    try:
        page.goto(shown.url(PAGES[name].format(**things)), wait_until="load")
        _still(page)
        height = page.evaluate(
            "Math.max(...[...document.querySelectorAll('.main')].map(e => e.scrollHeight + 60), 900)"
        )
        page.set_viewport_size({"width": 1440, "height": min(HIGHEST, height)})
        wrong = compare(counter, f"{name.replace(' ', '-')}-{theme}", page.screenshot(animations="disabled"), KEPT)
    finally:
        page.close()
    assert not wrong, wrong


def test_components_look_as_approved(look: tuple[str, BrowserContext], counter: Page, shown: Site) -> None:
    theme, context = look
    page = context.new_page()
    try:
        answer = page.goto(shown.url("ui/"))
        if answer is not None and answer.status == 404:
            pytest.skip("the gallery is there in development only")
        _still(page)
        wrong = [
            found
            for part in COMPONENTS
            if (found := compare(counter, f"ui-{part}-{theme}", page.locator(f"#{part}").screenshot(), KEPT))
        ]
    finally:
        page.close()
    assert not wrong, wrong
