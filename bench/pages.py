"""Server time of pages in a large workspace: 10,000 resources and an experiment of 100,000 runs, for who sees all and who sees some.

    python -m bench.pages [resources] [runs] [rounds]

Measured is Django's whole answer (session, access, statements, template), without the network. Goal: under 300 ms for every page.
Runs have 8 metrics, 8 params and 2 tags.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

from bench import b2_search, b8_listing, harness
from workspace.installation.engines import temporary_engines

GOAL_MS = 300
PAGES = (
    "", "search?q=x12", "search?q=x", "search?q=fxl", "folders", "folders/{folder}", "repos", "tables", "experiments",
    "experiments/{experiment}", "experiments/{experiment}?order=-metrics.m1", "experiments/{experiment}?f=metrics.m0%3E0.5",
    "runs/{run}", "models", "endpoints", "jobs/", "lineage", "admin/members", "admin/audit",
)  # fmt: skip


def main(resources: int, runs: int, rounds: int) -> None:
    """Fill a database, ask for each page as each viewer, print."""
    with temporary_engines() as engines:
        os.environ["BOATHOUSE_HOME"] = str(engines.home.path)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workspace.settings")
        import django

        django.setup()
        measure(resources, runs, rounds)


def measure(resources: int, runs: int, rounds: int) -> None:
    """All figures, printed."""
    from django.conf import settings
    from django.core.management import call_command
    from django.test import Client

    settings.ALLOWED_HOSTS = ["testserver"]
    call_command("migrate", database="owner", verbosity=0)
    workspace, viewers = b8_listing.fill(resources)
    made, admin = _experiment(workspace, viewers["wide"], runs)
    print(harness.about("django", "psycopg"))
    rows = []
    for who, user in (("admin", admin), ("of 5 groups", viewers["typical"])):
        client = Client()
        client.force_login(user)
        cases = {path: _asks(client, f"/w/bench/{path.format(**made)}") for path in PAGES}
        for path, figures in harness.interleaved(cases, rounds).items():
            began = time.process_time()
            cases[path]()
            spent = (time.process_time() - began) * 1000
            rows.append((who, path or "home", figures.median, spent, "" if figures.median < GOAL_MS else "over"))
    head = ("viewer", "page", "ms", "of that CPU of ours", "goal 300")
    print(f"\n{resources:,} resources, {runs:,} runs\n{harness.table(head, rows)}")


def _experiment(workspace: Any, member: Any, runs: int) -> tuple[dict[str, Any], Any]:
    from apps.access.actor import Actor
    from apps.access.levels import Level
    from apps.access.models import Resource
    from apps.access.operations import share
    from apps.access.resources import root_resource
    from apps.access.scope import workspace_scope
    from apps.access.workspaces import find_or_create_person, get_group
    from apps.experiments.models import Run
    from apps.experiments.operations import create_experiment

    b2_search.METRICS, b2_search.PARAMS, b2_search.TAGS = 8, 8, 2
    admin = find_or_create_person("admin@example.com")
    actor = Actor(user=admin, workspace=workspace)
    with workspace_scope(workspace):
        experiment = create_experiment(actor=actor, parent=root_resource(), name="large")
        share(actor=actor, resource=experiment.resource, grantee=get_group("everyone"), level=Level.VIEW)
        folder = Resource.objects.filter(kind="folder", path="/hall/f1").values_list("pk", flat=True)[0]
    b2_search.fill_ours(experiment.number, runs)
    with workspace_scope(workspace):
        run = Run.objects.filter(experiment=experiment).order_by("-pk")[0]
    return {"experiment": experiment.pk, "folder": folder, "run": run.hex}, admin


def _asks(client: Any, path: str) -> Callable[[], None]:
    def ask() -> None:
        answer = client.get(path)
        # Not everybody may open everything; what is refused is an answer too.
        assert answer.status_code in (200, 404), (path, answer.status_code)

    return ask


if __name__ == "__main__":
    main(*(int(word) for word in (*sys.argv[1:], *("10000", "100000", "5")[len(sys.argv) - 1 :])))
