"""Pages of experiments: the list, the run table, runs side by side, one run with its curves and artifacts."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings as django_settings
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.pages import resource_url
from apps.access.policy import fetch, fetch_path, level_of, visible
from apps.access.queries import list_ancestors
from apps.access.resources import root_resource
from apps.experiments import artifacts, board, ingest, logged_models, operations, queries
from apps.experiments.models import Experiment, Run
from apps.experiments.search import RunSearch, Stage
from apps.foundation.errors import Invalid, NotFound
from apps.foundation.pages import Frame, Tab, go, page, page_url, parse_filter
from apps.foundation.paging import Page
from apps.foundation.paging import page as page_of
from apps.lineage.nodes import address_of

FIELDS = ["status", "state", "name", "user", "metrics.*", "params.*", "tags.*"]
SIZE = 50
CURVES = 8
CURVE_POINTS = 200
PREVIEW_BYTES = 200_000
IMAGES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp"}
COMPARED = 8


@page("experiments/list.html", methods=["GET", "POST"])
def list_experiments(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """The experiments one may read; make a new one."""
    actor = request.actor  # type: ignore[attr-defined]
    if request.method == "POST":
        folder, name = request.POST.get("folder", "/").strip().rstrip("/"), request.POST.get("name", "").strip()
        made = operations.create_experiment(actor=actor, parent=_folder(request, folder), name=name)
        return go(request, page_url(request, "experiments:detail", experiment_id=made.pk))
    wanted = parse_filter(request, [])
    found = visible(Experiment, actor).select_related("resource__owner")
    if wanted.words:
        found = found.filter(resource__name__icontains=wanted.words)
    rows = page_of(found, order=("-changed_at", "-pk"), token=request.GET.get("page_token"))
    counts = queries.count_runs(rows.items)
    for row in rows.items:
        row.run_count, row.last_start = counts.get(row.pk, (0, None))
    return {
        "page_title": "Experiments",
        "page": rows,
        "filter": wanted,
        "home": f"/Users/{actor.label}",
        "url": django_settings.BOATHOUSE_URL,
    }


def _folder(request: HttpRequest, path: str) -> Resource:
    try:
        return (
            fetch_path(Resource, "folder", path, actor=request.actor, needs=Level.DISCOVER) if path else root_resource()
        )  # type: ignore[attr-defined]
    except NotFound:
        raise Invalid(fields={"folder": "There is no such folder, or you may not know of it."}) from None


def _open(request: HttpRequest, experiment: Experiment, section: str) -> dict[str, Any]:
    """What the sections of an experiment show."""
    actor, resource = request.actor, experiment.resource  # type: ignore[attr-defined]
    level = level_of(actor, resource) or Level.VIEW
    total = queries.count_runs([experiment]).get(experiment.pk, (0, None))[0]
    here = page_url(request, "experiments:detail", experiment_id=experiment.pk)
    tabs = [Tab("Runs", here, total, section == "runs")]
    if level >= Level.MANAGE:
        tabs.append(
            Tab(
                "Settings",
                page_url(request, "experiments:settings", experiment_id=experiment.pk),
                None,
                section == "settings",
            )
        )
    crumbs = [("Experiments", page_url(request, "experiments:list"))]
    crumbs += [(above.name, resource_url(request, above)) for above in list_ancestors(resource) if above.parent_id]
    python = f'import mlflow\n\nmlflow.set_experiment("{experiment.name}")\nwith mlflow.start_run():\n    mlflow.log_metric("rmse", 14.31)'
    frame = Frame(
        "experiment", resource.name, crumbs, tabs, resource=resource,
        copy=[("Name", experiment.name), ("Id", str(experiment.number))], snippets={"Python": python},
    )  # fmt: skip
    more = {"page_title": resource.name, "frame": frame, "experiment": experiment, "here": here, "total": total}
    return {**more, "edits": level >= Level.EDIT, "manages": level >= Level.MANAGE}


@page("experiments/runs.html", fragments={"list": "experiments/_runs.html"})
def detail(request: HttpRequest, experiment_id: str) -> dict[str, Any]:
    """The run table: filter, order, metrics with their place in the visible range."""
    actor = request.actor  # type: ignore[attr-defined]
    experiment = fetch(Experiment, experiment_id, actor=actor)
    wanted = parse_filter(request, FIELDS)
    order = request.GET.get("order", "-start_time")
    search = RunSearch(
        (experiment.number,),
        board.comparisons(wanted),
        board.order_of(order),
        Stage.DELETED if request.GET.get("stage") == "deleted" else Stage.ACTIVE,
        SIZE,
        request.GET.get("page_token", ""),
    )
    _, found = queries.search_runs(actor, search)
    rows = [board.row_of(row) for row in found.rows]
    metrics, params = board.metric_columns(rows), board.param_columns(rows)
    for row in rows:
        row.cells = [(column, row.metrics.get(column.key)) for column in metrics]
        row.values = [row.params.get(key, "") for key in params]  # type: ignore[attr-defined]
    shown = {
        "page": Page(rows, found.next_token or None),
        "filter": wanted,
        "metrics": metrics,
        "params": params,
        "order": order,
    }
    return _open(request, experiment, "runs") | shown


@page("experiments/runs.html")
def by_number(request: HttpRequest, number: int) -> HttpResponse:
    """An experiment by the id that clients know it by."""
    found = queries.get_experiment(request.actor, number)  # type: ignore[attr-defined]
    return go(request, page_url(request, "experiments:detail", experiment_id=found.pk))


@page("experiments/compare.html")
def compare(request: HttpRequest, experiment_id: str) -> dict[str, Any]:
    """Chosen runs side by side: what differs, and their curves in one drawing each."""
    actor = request.actor  # type: ignore[attr-defined]
    experiment = fetch(Experiment, experiment_id, actor=actor)
    runs = [queries.get_run(actor, run_id) for run_id in request.GET.getlist("run")[:COMPARED]]
    rows = queries.rows_of(runs)
    metrics = board.differences(rows, "metrics")
    curves = []
    for item in metrics[:CURVES]:
        series = [(row.name, _curve(request, run, item.key)) for row, run in zip(rows, runs, strict=True)]
        if any(len(points) > 1 for _, points in series):
            curves.append((item.key, series))
    parts = [
        ("Metrics", metrics),
        ("Parameters", board.differences(rows, "params")),
        ("Tags", board.differences(rows, "tags")),
    ]
    return _open(request, experiment, "runs") | {"rows": rows, "parts": parts, "curves": curves}


@page("experiments/settings.html", methods=["GET", "POST"])
def settings(request: HttpRequest, experiment_id: str) -> dict[str, Any] | HttpResponse:
    """Name and trash."""
    actor = request.actor  # type: ignore[attr-defined]
    experiment = fetch(Experiment, experiment_id, actor=actor, needs=Level.MANAGE)
    if request.method == "POST":
        operations.rename_experiment(actor=actor, experiment=experiment, name=request.POST.get("name", "").strip())
        return go(request, page_url(request, "experiments:settings", experiment_id=experiment.pk), say="Renamed")
    return _open(request, experiment, "settings")


def _curve(request: HttpRequest, run: Run, key: str) -> list[tuple[float, float]]:
    (row,) = ingest.run_as(request.actor, ingest.sample(run.uuid, key, CURVE_POINTS))  # type: ignore[attr-defined]
    return board.points_of(json.loads(f"[{row['items'] or ''}]"))


def _open_run(request: HttpRequest, run_id: str, section: str) -> tuple[Run, dict[str, Any]]:
    """The run, and what all of its sections show."""
    actor = request.actor  # type: ignore[attr-defined]
    run = queries.get_run(actor, run_id)
    experiment, (row,) = run.experiment, queries.rows_of([run])
    home = page_url(request, "experiments:detail", experiment_id=experiment.pk)
    crumbs = [("Experiments", page_url(request, "experiments:list")), (experiment.resource.name, home)]
    sections = [("Overview", "run", None), ("Metrics", "metrics", len(row.metrics)), ("Artifacts", "artifacts", None)]
    tabs = [
        Tab(label, page_url(request, f"experiments:{view}", run_id=run.hex), count, view == section)
        for label, view, count in sections
    ]
    python = (
        f'import mlflow\n\nrun = mlflow.get_run("{run.hex}")\nmlflow.artifacts.download_artifacts(run_id="{run.hex}")'
    )
    frame = Frame(
        "run", row.name, crumbs, tabs, copy=[("Run id", run.hex)], snippets={"Python": python},
        resource=experiment.resource, part=f"run:{run.hex}", node=("run", run.hex),
    )  # fmt: skip
    kind, _, key = run.activity.partition(":")
    job_url = address_of(actor.workspace.name, kind, key, "", None) if kind else ""
    models = logged_models.of_run(run)
    level = level_of(actor, experiment.resource) or Level.VIEW
    more = {
        "page_title": row.name,
        "frame": frame,
        "run": run,
        "row": row,
        "experiment": experiment,
        "job_url": job_url,
    }
    return run, {
        **more,
        "models": models,
        "edits": level >= Level.EDIT,
        "receipt": run.receipt or {},
    }


@page("experiments/run.html", methods=["GET", "POST"])
def run(request: HttpRequest, run_id: str) -> dict[str, Any] | HttpResponse:
    """One run: its numbers, curves, parameters, inputs, what it was made of."""
    row, context = _open_run(request, run_id, "run")
    if request.method == "POST":
        actor, act = request.actor, request.POST.get("act")  # type: ignore[attr-defined]
        change = operations.restore_run if act == "restore" else operations.delete_run
        change(actor=actor, run=row)
        return go(
            request,
            page_url(request, "experiments:run", run_id=row.hex),
            say="Restored" if act == "restore" else "In the trash",
        )
    keys = sorted(context["row"].metrics, key=lambda key: (not board.better(key), key))
    curves = [(key, [(key, points)]) for key in keys[: 2 * CURVES] if len(points := _curve(request, row, key)) > 1]
    tags = {key: value for key, value in context["row"].tags.items() if not key.startswith(board.HIDDEN_TAGS)}
    return context | {"best": keys[:6], "curves": curves[:4], "tags": tags, "inputs": queries.inputs_of(row)}


@page("experiments/metrics.html")
def metrics(request: HttpRequest, run_id: str) -> dict[str, Any]:
    """All metrics of a run with their curves."""
    row, context = _open_run(request, run_id, "metrics")
    keys = sorted(context["row"].metrics)
    curves = [(key, context["row"].metrics[key], [(key, _curve(request, row, key))]) for key in keys[:60]]
    return context | {"curves": curves, "rest": keys[60:]}


@page("experiments/artifacts.html")
def show_artifacts(request: HttpRequest, run_id: str) -> dict[str, Any]:
    """The files of a run, and a look into the chosen one."""
    row, context = _open_run(request, run_id, "artifacts")
    path = request.GET.get("path", "").strip("/")
    place = artifacts.run_place(request.actor, row, path)  # type: ignore[attr-defined]
    parent = path.rpartition("/")[0]
    parts = path.split("/") if path else []
    trail = [(part, "/".join(parts[: i + 1])) for i, part in enumerate(parts)]
    context |= {"path": path, "trail": trail, "place_url": page_url(request, "experiments:artifacts", run_id=row.hex)}
    try:
        with artifacts.open_file(place) as file:
            content = file.read(PREVIEW_BYTES + 1)
    except (Invalid, NotFound):
        entries = artifacts.list_entries(place)
        return context | {"entries": [(e, f"{path}/{e.name}".strip("/")) for e in entries], "folder": path}
    beside = artifacts.list_entries(artifacts.run_place(request.actor, row, parent))  # type: ignore[attr-defined]
    entries = [(e, f"{parent}/{e.name}".strip("/")) for e in beside]
    suffix = "." + path.rpartition(".")[2].lower()
    text = "" if b"\0" in content or suffix in IMAGES else content[:PREVIEW_BYTES].decode(errors="replace")
    look = {"name": parts[-1], "text": text, "image": suffix in IMAGES, "cut": len(content) > PREVIEW_BYTES}
    size = next((entry.size for entry in beside if entry.name == parts[-1]), len(content))
    return context | {"entries": entries, "folder": parent, "file": {**look, "size": size}}


@page("experiments/artifacts.html")
def artifact(request: HttpRequest, run_id: str) -> HttpResponseBase:
    """A file of a run: a picture to be shown in its page, anything else as a download."""
    row = queries.get_run(request.actor, run_id)  # type: ignore[attr-defined]
    path = request.GET.get("path", "")
    file = artifacts.open_file(artifacts.run_place(request.actor, row, path))  # type: ignore[attr-defined]
    kind = IMAGES.get("." + path.rpartition(".")[2].lower(), "")
    shown = bool(kind) and request.GET.get("download") != "on"
    answer = FileResponse(
        file, as_attachment=not shown, filename=path.rpartition("/")[2], content_type=kind or "application/octet-stream"
    )
    answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return answer
