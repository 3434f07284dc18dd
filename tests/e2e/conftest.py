"""A browser in front of a running installation, and a workspace with something on every page."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.live import Installation, LiveApi

from .shots import CHROMIUM, FLAGS

# Not the ada of other tests in the same installation: this one has a password.
ADA = "ada@stories.example.com"
AXE = Path(__file__).parents[2] / "static" / "src" / "node_modules" / "axe-core" / "axe.min.js"
SCRIPT = (
    "import sys, time\nfor n in range(40):\n    print('INFO step', n, sys.argv[1:], flush=True)\n    time.sleep(0.1)\n"
)


@dataclass
class Site:
    """A workspace of the installation, with its admin's token."""

    installation: Installation
    workspace: str
    token: str

    @property
    def api(self) -> LiveApi:
        """A program with the admin's token."""
        return LiveApi(self.installation.url, self.token)

    def url(self, path: str = "") -> str:
        """The address of a page of the workspace."""
        return f"{self.installation.url}/w/{self.workspace}/{path}"


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or the one that CHROMIUM names. Of the package: its event loop would be in the way of others' tests."""
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium, or CHROMIUM=/path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def site(installation: Installation) -> Site:
    """The workspace of the stories, administered by ada."""
    made = installation.manage("workspace", "create", "stories", "--admin", ADA, "--password", "a long enough one")
    return Site(installation, "stories", str(made["token"]))


def signed_in(browser: Browser, site: Site, email: str = ADA, **options: Any) -> BrowserContext:
    """A browser window in which somebody is signed in, by a one-time link."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce", **options)
    page = context.new_page()
    page.goto(site.installation.sign_in_link(site.workspace, email))
    page.wait_for_url("**/w/**")
    page.close()
    return context


@pytest.fixture(scope="package")
def ada_state(browser: Browser, site: Site) -> Any:
    """The cookies of ada's session."""
    context = signed_in(browser, site)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def page(browser: Browser, ada_state: Any) -> Iterator[Page]:
    """A page of ada's. The test fails when the page had an error of its own."""
    context = browser.new_context(
        storage_state=ada_state, viewport={"width": 1440, "height": 900}, reduced_motion="reduce", color_scheme="light"
    )
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    yield page
    context.close()
    refused = [text for text in wrong if "Failed to load resource" not in text]
    assert not refused, refused


@pytest.fixture(scope="package")
def filled(site: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Things of every room, made through API and git: ids by noun."""
    return fill(site, tmp_path_factory.mktemp("code"))


def fill(site: Site, place: Path, *, serves: bool = True) -> dict[str, Any]:
    """Things of every room in a workspace, made through API and git with code kept at `place`: ids by noun.

    `serves=False` leaves the endpoint out, whose state changes for minutes and shows on pages of others.
    """
    api = site.api
    folder = api.post("/api/v1/folders", {"name": "flight-delays"}).json()
    repo = api.post("/api/v1/repos", {"name": "code", "parent_id": folder["id"], "description": "Training"}).json()
    commit = push(site, repo["clone_url"], place)
    columns = [{"name": "month", "type": "long"}, {"name": "arr_delay", "type": "double"}]
    api.post("/api/v1/schemas", {"catalog": "main", "name": "flights"})
    table = api.post("/api/v1/tables", {"name": "main.flights.flights", "columns": columns}).json()
    job = api.post(
        "/api/v1/jobs",
        {
            "name": "train",
            "parent_id": folder["id"],
            "source_id": repo["id"],
            "script": "train.py",
            "environment": "default",
        },
    ).json()
    run = api.post(f"/api/v1/jobs/{job['id']}/run", {}).json()
    tracking = "/api/2.0/mlflow/"
    named = {"name": "/flight-delays/arrival-delay"}
    experiment = api.post(tracking + "experiments/create", named).json()["experiment_id"]
    logged = [a_run(api, experiment, name, first) for name, first in (("quiet-heron", 20.0), ("amber-oar", 24.0))]
    model = {"name": "main.flights.arrival_delay"}
    api.post(tracking + "registered-models/create", model)
    source = f"mlflow-artifacts:/{experiment}/{logged[0]}/artifacts/model"
    api.post(tracking + "model-versions/create", {**model, "source": source, "run_id": logged[0]})
    api.post(tracking + "model-versions/create", {**model, "source": source, "run_id": logged[1]})
    (newest, *_) = api.get(f"/api/v1/models/{model['name']}/versions").json()["items"]
    api.post(f"/api/v1/model-versions/{newest['id']}/transition-requests", {"stage": "Production", "comment": "Better"})
    wish = {"name": "arrival-delay", "parent_path": "/flight-delays", "model": model["name"]}
    wish |= {"follows": "stage", "value": "Production"}
    endpoint = api.post("/api/v1/endpoints", wish).json()["id"] if serves else ""
    found = api.get("/api/v1/resources?kind=experiment&q=arrival-delay").json()["items"][0]["id"]
    tracked = {"experiment": found, "logged": logged[0], "other": logged[1], "model": model["name"]}
    tracked |= {"endpoint": endpoint}
    return tracked | {
        "folder": folder["id"],
        "repo": repo["id"],
        "commit": commit,
        "table": table["name"],
        "job": job["id"],
        "run": run["id"],
    }


def a_run(api: LiveApi, experiment: str, name: str, first: float) -> str:
    """A run with a curve, logged as the mlflow client does; its id."""
    tracking = "/api/2.0/mlflow/runs/"
    made = {"experiment_id": experiment, "run_name": name, "start_time": 1_700_000_000_000}
    key = str(api.post(tracking + "create", made).json()["run"]["info"]["run_id"])
    curve = [{"key": "rmse", "value": first - step, "timestamp": 1, "step": step} for step in range(6)]
    params = [{"key": "model", "value": name}]
    api.post(tracking + "log-batch", {"run_id": key, "metrics": curve, "params": params})
    return key


def push(site: Site, clone_url: str, place: Path) -> str:
    """Two commits pushed with ordinary git; the last one's id."""
    address = clone_url.replace("http://", f"http://ada:{site.token}@", 1)
    files = {"train.py": SCRIPT, "README.md": "# code\n\nTrains.\n"}

    def git(*arguments: str) -> str:
        own = ["git", "-c", "user.name=Ada", "-c", f"user.email={ADA}", *arguments]
        return subprocess.run(own, cwd=place, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q", "-b", "main")
    for message, name in (("Start", "train.py"), ("Say what it is", "README.md")):
        (place / name).write_text(files[name])
        git("add", ".")
        git("commit", "-q", "-m", message)
    git("push", "-q", address, "main")
    return git("rev-parse", "HEAD")
