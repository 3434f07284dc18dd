"""The pictures of the how-to pages, from a running installation: `python -m tests.e2e.pictures URL SIGN_IN_LINK`.

Each is a page of the demo in light, 1440 pixels wide, kept as WebP at two thirds of the size.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from .shots import CHROMIUM, FLAGS, SMALL

FOLDER = Path(__file__).parents[2] / "docs" / "how-to" / "pictures"
SCALE = 2 / 3
# name: (address below the workspace, keys pressed there)
PICTURES: dict[str, tuple[str, tuple[str, ...]]] = {
    "home": ("", ()),
    "palette": ("", ("Control+k", "arr")),
    "thing": ("tables/main.flights.flights", ()),
}


def main(url: str, link: str) -> None:
    """Sign in and take each picture."""
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(
            viewport={"width": 1440, "height": 900}, reduced_motion="reduce", color_scheme="light"
        )
        page = context.new_page()
        page.goto(link)
        page.wait_for_url("**/w/**")
        workspace = page.url.split("/w/")[1].split("/")[0]
        for name, (path, keys) in PICTURES.items():
            page.goto(f"{url}/w/{workspace}/{path}", wait_until="load")
            for key in keys:
                page.keyboard.press(key) if "+" in key or len(key) == 1 else page.keyboard.type(key)
            page.wait_for_timeout(800)
            (FOLDER / f"{name}.webp").write_bytes(_small(page))
        browser.close()


def _small(page: Page) -> bytes:
    shot = "data:image/png;base64," + base64.b64encode(page.screenshot(animations="disabled")).decode()
    blank = page.context.new_page()
    small = blank.evaluate(SMALL, {"shot": shot, "scale": SCALE})
    blank.close()
    return base64.b64decode(small)


if __name__ == "__main__":
    main(*sys.argv[1:3])
