"""Examples of experiments and runs."""

from __future__ import annotations

from typing import Any

from apps.access.levels import Level
from apps.experiments import operations, queries, starts
from tests.builders import Side, a_folder
from tests.isolation.kit import Example, Made

V1 = "/api/v1"
VIEW, EDIT, MANAGE = Level.VIEW, Level.EDIT, Level.MANAGE


def experiment(side: Side) -> Made:
    made = queries.create_by_name(side.admin, f"of {side.workspace.name}")
    return {"thing": made.resource, "experiment": made}


def trashed(side: Side) -> Made:
    made = experiment(side)
    operations.delete_experiment(actor=side.admin, experiment=made["experiment"])
    return made


def run(side: Side) -> Made:
    made = experiment(side)
    run_id = starts.start_run(
        side.admin, number=made["experiment"].number, name=f"of {side.workspace.name}", user="ada", start=1, tags={}
    )
    return {**made, "run": run_id.hex}


def one(route: str, method: str, path: str = "", *, setup: Any = experiment, **more: Any) -> Example:
    return Example(
        f"experiment-{route}", method, lambda m: f"{V1}/experiments/{m['experiment'].pk}{path}", setup=setup, **more
    )


def of_run(route: str, method: str, path: str = "", **more: Any) -> Example:
    return Example(f"run-{route}", method, lambda m: f"{V1}/runs/{m['run']}{path}", setup=run, **more)


EXAMPLES = [
    Example("experiment-list", "GET", lambda m: f"{V1}/experiments", setup=experiment, filtered=True),
    Example(
        "experiment-list",
        "POST",
        lambda m: f"{V1}/experiments",
        needs=EDIT,
        setup=lambda side: {"thing": a_folder(side.admin)},
        body=lambda m: {"name": "new", "parent_id": str(m["thing"].pk)},
        ok=201,
    ),
    one("detail", "GET", needs=VIEW),
    one("detail", "DELETE", needs=MANAGE, ok=204),
    one("rename", "POST", "/rename", needs=EDIT, body=lambda m: {"name": "renamed"}),
    one("set-tags", "POST", "/set-tags", needs=EDIT, body=lambda m: {"tags": {"team": "ops"}}),
    one("restore", "POST", "/restore", setup=trashed, needs=MANAGE),
    Example(
        "run-search",
        "POST",
        lambda m: f"{V1}/runs/search",
        setup=run,
        body=lambda m: {"experiments": [str(m["experiment"].number)]},
        filtered=True,
    ),
    of_run("detail", "GET", needs=VIEW),
    of_run("detail", "DELETE", needs=EDIT, ok=204),
    of_run("points", "GET", "/points?key=loss", needs=VIEW),
    of_run("receipt", "GET", "/receipt", needs=VIEW),
    of_run("restore", "POST", "/restore", needs=EDIT),
]
