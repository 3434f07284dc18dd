"""How many SQL statements each page asks: in its snapshot, and no more for ten things than for two.

`manage.py verify --update` (or BOATHOUSE_UPDATE_SNAPSHOTS=1) writes the snapshot anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.jobs import operations as jobs
from tests.builders import World, a_folder, a_person
from tests.deployments.endpoints import an_endpoint
from tests.jobs.making import a_job
from tests.registry.makers import a_model, a_run, a_version, an_experiment
from tests.repos.making import a_repo, fill
from tests.tables.kit import a_table

SNAPSHOT = Path(__file__).parent / "page_statements.json"
LISTS = (
    "",
    "folders",
    "repos",
    "tables",
    "experiments",
    "experiments/{experiment}",
    "models",
    "endpoints",
    "jobs/",
    "admin/members",
)
PAGES = (
    *LISTS, "search?q=a", "folders/{folder}", "trash", "account", "repos/{repo}", "repos/{repo}/commits", "repos/{repo}/branches",
    "tables/{table}", "tables/{table}/history", "tables/{table}/use", "runs/{run}", "runs/{run}/metrics", "models/{model}",
    "models/{model}/history", "models/{model}/versions/1", "endpoints/{endpoint}", "endpoints/{endpoint}/configs", "jobs/{job}",
    "jobs/runs/{job_run}", "lineage", "admin/groups", "admin/service-principals", "admin/tokens", "admin/audit",
)  # fmt: skip


@pytest.fixture
def client(world: World) -> Client:
    client = Client()
    client.force_login(world.admin.user)
    return client


def _things(world: World) -> dict[str, Any]:
    """One thing of each kind: what the addresses name."""
    admin = world.admin
    folder, repo, table = a_folder(admin, "flight-delays"), a_repo(admin, "code"), a_table(admin)
    fill(repo)
    experiment = an_experiment(admin)
    run, version, job = a_run(admin, experiment), a_version(admin), a_job(admin)
    job_run = jobs.run_job(actor=admin, job=job, parameters={}, ref="")
    endpoint = an_endpoint(world.ours)
    return {
        "folder": folder.pk, "repo": repo.pk, "table": table.name, "experiment": experiment.pk, "run": run.hex, "job": job.pk,
        "job_run": job_run.pk, "model": version.model.name, "endpoint": endpoint.pk,
    }  # fmt: skip


def _more(world: World, numbers: range) -> None:
    """More things of each kind."""
    admin = world.admin
    for number in numbers:
        a_folder(admin, f"more-{number}")
        a_repo(admin, f"repo-{number}")
        a_table(admin, f"main.default.more_{number}")
        a_run(admin, an_experiment(admin, f"experiment-{number}"))
        a_version(admin, a_model(admin, f"model_{number}"))
        a_person(world, f"person-{number}@example.com")
        an_endpoint(world.ours, f"endpoint-{number}")
        jobs.run_job(actor=admin, job=a_job(admin, name=f"job-{number}"), parameters={}, ref="")


def _count(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as statements:
        answer = client.get(f"/w/ours/{path}")
    assert answer.status_code == 200, (path, answer.status_code)
    return len([row for row in statements.captured_queries if not row["sql"].startswith(("SAVEPOINT", "RELEASE"))])


def test_pages_ask_what_they_asked(world: World, client: Client, drain: Any) -> None:
    made = _things(world)
    for path in PAGES:
        client.get(f"/w/ours/{path.format(**made)}")  # what is read once in a process is read now
    found = {path or "home": _count(client, path.format(**made)) for path in PAGES}
    text = json.dumps(dict(sorted(found.items())), indent=1) + "\n"
    if os.environ.get("BOATHOUSE_UPDATE_SNAPSHOTS"):
        SNAPSHOT.write_text(text)
    known = json.loads(SNAPSHOT.read_text())
    more = {path: (known.get(path), count) for path, count in found.items() if count > known.get(path, 0)}
    assert not more, (
        f"these pages ask more than reviewed (before, now): {more}; review it, then manage.py verify --update"
    )


def test_lists_ask_the_same_for_more(world: World, client: Client, drain: Any) -> None:
    made = _things(world)
    _more(world, range(2))
    few = {path: _count(client, path.format(**made)) for path in LISTS}
    _more(world, range(2, 8))
    many = {path: _count(client, path.format(**made)) for path in LISTS}
    assert {path: (few[path], many[path]) for path in LISTS if many[path] > few[path]} == {}
