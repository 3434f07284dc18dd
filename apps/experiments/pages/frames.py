"""What all pages of an experiment, and all pages of a run, have in common."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from apps.access.levels import Level
from apps.access.pages import resource_url
from apps.access.policy import level_of
from apps.access.queries import list_ancestors
from apps.experiments import logged_models, queries, table
from apps.experiments.columns import goal_of
from apps.experiments.models import Experiment, Run
from apps.experiments.uses import uses_of
from apps.foundation.pages import Frame, Tab, page_url
from apps.lineage.nodes import address_of


def crumbs_of(request: HttpRequest, experiment: Experiment) -> list[tuple[str, str | None]]:
    """The way to an experiment: the list, then its folders."""
    above = [(step.name, resource_url(request, step)) for step in list_ancestors(experiment.resource) if step.parent_id]
    return [("Experiments", page_url(request, "experiments:list")), *above]


def open_experiment(
    request: HttpRequest, experiment: Experiment, section: str, compared: int | None = None
) -> dict[str, Any]:
    """The frame of an experiment's section, and what its head says."""
    resource = experiment.resource
    level = level_of(request.actor, resource) or Level.VIEW  # type: ignore[attr-defined]
    total, last = queries.count_runs([experiment]).get(experiment.pk, (0, None))
    running = queries.count_running(experiment)

    def at(name: str) -> str:
        return page_url(request, f"experiments:{name}", experiment_id=experiment.pk)

    tabs = [
        Tab("Runs", at("detail"), total, section == "runs"),
        Tab("Compare", at("compare"), compared, section == "compare"),
        Tab("Notes", at("notes"), None, section == "notes"),
    ]
    if level >= Level.EDIT:
        tabs.append(Tab("Settings", at("settings"), None, section == "settings"))
    python = (
        f'import mlflow\n\nmlflow.set_experiment("{experiment.name}")\nwith mlflow.start_run():\n'
        '    mlflow.log_params({"model": "lightgbm", "learning_rate": 0.05})\n    mlflow.log_metric("val_rmse", 14.31)'
    )
    frame = Frame(
        "experiment",
        resource.name,
        crumbs_of(request, experiment),
        tabs,
        copy=[("Name", experiment.name), ("Id", str(experiment.number))],
        snippets={
            "Python": python,
            "R": f'library(mlflow)\nmlflow_set_experiment("{experiment.name}")\nmlflow_start_run()',
        },
        resource=resource,
    )
    return {
        "page_title": resource.name,
        "frame": frame,
        "experiment": experiment,
        "here": at("detail"),
        "total": total,
        "last_start": last,
        "running_count": running,
        "goal": goal_of(experiment),
        "edits": level >= Level.EDIT,
        "manages": level >= Level.MANAGE,
    }


def open_run(request: HttpRequest, run_id: str, section: str) -> tuple[Run, dict[str, Any]]:
    """The run, the frame of its section, and what its head and rail say."""
    actor = request.actor  # type: ignore[attr-defined]
    run = queries.get_run(actor, run_id)
    experiment = run.experiment
    (row,) = queries.rows_of([run])
    home = page_url(request, "experiments:detail", experiment_id=experiment.pk)
    crumbs = [*crumbs_of(request, experiment), (experiment.resource.name, home)]
    readings = table.data_of(actor, [run])[0]
    inputs = queries.inputs_of(run)
    system = any(key.startswith("system/") for key in row.metrics)
    has_log = run.activity.startswith("job_run:")
    sections = [
        ("Overview", "run", None),
        ("Metrics", "metrics", sum(not key.startswith("system/") for key in row.metrics)),
        ("Artifacts", "artifacts", None),
        ("Inputs", "inputs", len(readings) + len(inputs)),
        ("Code", "code", None),
        *([("Log", "log", None)] if has_log else []),
        *([("System", "system", None)] if system else []),
    ]
    tabs = [
        Tab(label, page_url(request, f"experiments:{view}", run_id=run.hex), count, view == section)
        for label, view, count in sections
    ]
    python = (
        f'import mlflow\n\nrun = mlflow.get_run("{run.hex}")\nmlflow.artifacts.download_artifacts(run_id="{run.hex}")'
    )
    frame = Frame(
        "run",
        row.name,
        crumbs,
        tabs,
        copy=[("Run id", run.hex)],
        snippets={"Python": python, "CLI": f"mlflow runs describe --run-id {run.hex}"},
        resource=experiment.resource,
        part=f"run:{run.hex}",
        node=("run", run.hex),
    )
    kind, _, key = run.activity.partition(":")
    level = level_of(actor, experiment.resource) or Level.VIEW
    return run, {
        "page_title": row.name,
        "frame": frame,
        "run": run,
        "row": row,
        "experiment": experiment,
        "home": home,
        "job_url": address_of(actor.workspace.name, kind, key, "", None) if kind else "",
        "models": logged_models.of_run(run),
        "uses": uses_of(actor, [run.uuid]).get(run.uuid, []),
        "readings": readings,
        "inputs": inputs,
        "edits": level >= Level.EDIT,
        "receipt": run.receipt or {},
        "run_tags": {k: v for k, v in row.tags.items() if not k.startswith(("mlflow.", "boathouse."))},
        "note": row.tags.get("mlflow.note.content", ""),
    }
