"""Every page in the browser: no accessibility finding in light and dark, nothing too wide at 390 pixels, no script or policy error."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from .conftest import AXE, Site

# Without preload: axe reads sheets of shadow trees by way of a style element, which the content policy refuses.
RULES = {
    "preload": False,
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
}
PAGES = {
    "home": "",
    "members": "admin/members",
    "groups": "admin/groups",
    "service principals": "admin/service-principals",
    "tokens": "admin/tokens",
    "audit": "admin/audit",
    "folders": "folders",
    "folder": "folders/{folder}",
    "trash": "trash",
    "account": "account",
    "repos": "repos",
    "repo": "repos/{repo}",
    "file": "repos/{repo}?path=train.py",
    "blame": "repos/{repo}?path=train.py&blame=1",
    "editor": "repos/{repo}?path=train.py&edit=1",
    "commits": "repos/{repo}/commits",
    "compare commits": "repos/{repo}/compare?base=main&head=main",
    "branches": "repos/{repo}/branches",
    "repo settings": "repos/{repo}/settings",
    "tables": "tables",
    "table": "tables/{table}",
    "sample": "tables/{table}/sample",
    "history": "tables/{table}/history",
    "column": "tables/{table}?column=month",
    "uses": "tables/{table}/uses",
    "use": "tables/{table}/use",
    "upload": "tables/upload",
    "jobs": "jobs",
    "job": "jobs/{job}",
    "job run": "jobs/runs/{run}",
    "time of a job run": "jobs/runs/{run}?tab=timeline",
    "code of a job run": "jobs/runs/{run}?tab=code",
    "changes of a job": "jobs/{job}/changes",
    "workers": "jobs/workers",
    "experiments": "experiments",
    "experiment": "experiments/{experiment}",
    "compare": "experiments/{experiment}/compare?run={logged}&run={other}",
    "run": "runs/{logged}",
    "metrics": "runs/{logged}/metrics",
    "artifacts": "runs/{logged}/artifacts",
    "inputs of a run": "runs/{logged}/inputs",
    "code of a run": "runs/{logged}/code",
    "groups of runs": "experiments/{experiment}?group=params.model",
    "notes of an experiment": "experiments/{experiment}/notes",
    "models": "models",
    "model": "models/{model}",
    "model history": "models/{model}/history",
    "model requests": "models/{model}/requests",
    "model settings": "models/{model}/settings",
    "model version": "models/{model}/versions/1",
    "version asked for": "models/{model}/versions/2",
    "versions compared": "models/{model}/compare?v=1&v=2",
    "version schema": "models/{model}/versions/1/schema",
    "version artifacts": "models/{model}/versions/1/artifacts",
    "version activity": "models/{model}/versions/2/activity",
    "endpoints": "endpoints",
    "new endpoint": "endpoints/new?model={model}",
    "endpoint": "endpoints/{endpoint}",
    "endpoint playground": "endpoints/{endpoint}/playground",
    "endpoint requests": "endpoints/{endpoint}/requests",
    "endpoint configurations": "endpoints/{endpoint}/configs",
    "endpoint log": "endpoints/{endpoint}/log",
    "endpoint settings": "endpoints/{endpoint}/settings",
    "lineage": "lineage",
    "lineage of a commit": "lineage?kind=commit&id={repo}:{commit}",
    "lineage of a commit as a list": "lineage?kind=commit&id={repo}:{commit}&view=list",
    "notifications": "notifications/?state=all",
    "notification settings": "notifications/settings",
    "activity": "activity/",
    "comments": "comments/{folder}?state=all",
    "activity of a folder": "activity/{folder}",
    "components": "ui/",
    "not found": "nothing/here",
}


def findings(page: Page) -> list[str]:
    """What axe finds on the page, as sentences."""
    page.evaluate(AXE.read_text())
    result = page.evaluate("rules => axe.run(document, rules)", RULES)
    return [f"{item['id']}: {item['nodes'][0]['html'][:200]}" for item in result["violations"]]


@pytest.mark.parametrize("name", PAGES)
def test_page_is_well(page: Page, site: Site, filled: dict[str, Any], name: str) -> None:
    page.goto(site.url(PAGES[name].format(**filled)), wait_until="load")
    page.wait_for_timeout(200)
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        assert findings(page) == [], theme
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 1, "wider than a phone"
    assert page.locator("h1").count() == 1


@pytest.mark.parametrize("path", ["/login", "/w/stories/tables"])
def test_pages_before_the_wall(browser: Browser, site: Site, path: str) -> None:
    page = browser.new_page(reduced_motion="reduce")
    page.goto(site.installation.url + path)
    assert page.url.split("?")[0].endswith("/login")
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        assert findings(page) == [], theme
    page.close()
