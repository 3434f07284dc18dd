"""One run: the five answers, its metrics, inputs, code, log and system figures."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from apps.experiments import curves, inputs, operations, origins, queries
from apps.experiments.board import differences
from apps.experiments.columns import goal_of, way_of
from apps.experiments.models import Run
from apps.experiments.pages.frames import open_run
from apps.foundation.errors import NotFound
from apps.foundation.pages import go, page, page_url

OVERVIEW_CHARTS = 2
OVERVIEW_POINTS = 240
CURVES_MAX = 12
STEP_MAX = 2**62


@page("experiments/run.html", methods=["GET", "POST"])
def run(request: HttpRequest, run_id: str) -> dict[str, Any] | HttpResponse:
    """What changed, whether it worked, on what data, whether it can be repeated, where it is used; then the evidence."""
    found, context = open_run(request, run_id, "run")
    if request.method == "POST":
        return _act(request, found)
    actor, row, experiment = request.actor, context["row"], context["experiment"]  # type: ignore[attr-defined]
    base = origins.find_baseline(actor, found, row, request.GET.get("baseline", ""))
    goal = goal_of(experiment, [row.metrics])
    changed = [d for d in differences([base.row, row], "params") if d.differs] if base else []
    changed.sort(key=lambda d: (any(cell.value is None for cell in d.cells), d.cells[1].value is None, len(d.key)))
    curved = curves.curved_keys(found, [key for key in row.metrics if not key.startswith("system/")])
    order = sorted(curved, key=lambda key: (goal is not None and goal.key not in key, not way_of(experiment, key), key))
    charts = [_chart(experiment, found, base, *family) for family in curves.families(order)[:OVERVIEW_CHARTS]]
    return context | {
        "base": base,
        "goal": goal,
        "stats": origins.stats_of(experiment, row, base.row if base else None, goal.key if goal else ""),
        "rank": origins.rank_of(experiment, found, row, goal.key) if goal else None,
        "changed": changed,
        "changed_keys": {d.key for d in changed},
        "params": sorted(row.params.items(), key=lambda item: item[0] not in {d.key for d in changed}),
        "held": origins.held_of(found, row, context["readings"], len(context["inputs"])),
        "data": inputs.describe(actor, context["readings"]),
        "charts": charts,
        "subject": inputs.subject_of(actor, found, row),
        "job_run": inputs.job_of(actor, found),
        "children": origins.children_of(found),
        "noting": request.GET.get("note") == "edit",
    }


def _chart(experiment: Any, found: Run, base: origins.Baseline | None, family: str, keys: list[str]) -> dict[str, Any]:
    """A drawing of one family of metrics, with the best point marked; the baseline's stays faint."""
    drawn = [curves.curve(found, key, size=OVERVIEW_POINTS) for key in keys[:4]]
    series: list[dict[str, Any]] = [
        {"name": curves.role(c.key), "color": place + 1, "points": [[step, value] for step, _, value in c.points]}
        for place, c in enumerate(drawn)
    ]
    main, way = drawn[0], way_of(experiment, keys[0])
    best = None
    if way and main.points:
        step, _, value = min(main.points, key=lambda point: point[2] * -way)
        best = {"x": step, "y": value}
        series[0]["best"] = best
    if base is not None:
        other = curves.curve(base.run, keys[0], size=OVERVIEW_POINTS)
        if len(other.points) > 1:
            series.append(
                {"name": base.row.name, "color": 1, "faint": True, "points": [[s, v] for s, _, v in other.points]}
            )
    says = f"{family} by step" + (f", best {best['y']:.4g} at {best['x']}" if best else "")
    return {
        "title": f"{family} by step",
        "label": says,
        "best": best,
        "spec": {"series": series},
        "legend": [s["name"] for s in series],
    }


def _act(request: HttpRequest, found: Run) -> HttpResponse:
    actor, posted = request.actor, request.POST  # type: ignore[attr-defined]
    here = page_url(request, "experiments:run", run_id=found.hex)
    act = posted.get("act")
    if act == "note":
        operations.set_run_note(actor=actor, run=found, text=posted.get("text", ""))
        return go(request, here, say="Note saved")
    change = operations.restore_run if act == "restore" else operations.delete_run
    change(actor=actor, run=found)
    return go(request, here, say="Restored" if act == "restore" else "In the trash")


@page("experiments/metrics.html")
def metrics(request: HttpRequest, run_id: str) -> dict[str, Any]:
    """All metrics of a run: curves, drawn as they come into view, and single values."""
    found, context = open_run(request, run_id, "metrics")
    return context | _measured(request, found, context, system=False)


@page("experiments/metrics.html")
def system(request: HttpRequest, run_id: str) -> dict[str, Any]:
    """What the machine did meanwhile, as the client measured it."""
    found, context = open_run(request, run_id, "system")
    return context | _measured(request, found, context, system=True)


def _measured(request: HttpRequest, found: Run, context: dict[str, Any], *, system: bool) -> dict[str, Any]:
    row, experiment = context["row"], context["experiment"]
    keys = [key for key in row.metrics if key.startswith("system/") == system]
    curved = curves.curved_keys(found, keys)
    base = origins.find_baseline(request.actor, found, row, request.GET.get("baseline", ""))  # type: ignore[attr-defined]
    values = [origins.stat_of(experiment, row, base.row if base else None, key) for key in keys]
    return {"families": curves.families(curved), "values": values, "base": base, "system": system}


@page("experiments/_curve.html")
def curve(request: HttpRequest, run_id: str) -> HttpResponse:
    """Metrics of a run between two steps, as JSON: `key` once for each, `low` and `high` for a part."""
    found = queries.get_run(request.actor, run_id)  # type: ignore[attr-defined]
    keys = request.GET.getlist("key")[:CURVES_MAX]
    low, high = (_step(request.GET.get(name, "")) for name in ("low", "high"))
    shapes = [curves.curve(found, key, low=low, high=high).shape() for key in keys]
    return JsonResponse({"run": found.hex, "name": found.name, "curves": shapes})


def _step(text: str) -> int | None:
    try:
        return max(-STEP_MAX, min(STEP_MAX, round(float(text)))) if text else None
    except (ValueError, OverflowError):
        return None


@page("experiments/inputs.html")
def run_inputs(request: HttpRequest, run_id: str) -> dict[str, Any]:
    """What went in: tables that were read, at their versions, and data sets as the client told."""
    _, context = open_run(request, run_id, "inputs")
    return context | {"data": inputs.describe(request.actor, context["readings"])}  # type: ignore[attr-defined]


@page("experiments/code.html")
def code(request: HttpRequest, run_id: str) -> dict[str, Any]:
    """What it ran: commit, script, patch and environment."""
    found, context = open_run(request, run_id, "code")
    return context | inputs.code_of(request.actor, found, context["row"])  # type: ignore[attr-defined]


@page("experiments/log.html")
def log(request: HttpRequest, run_id: str) -> dict[str, Any]:
    """The log of the job run that made it."""
    found, context = open_run(request, run_id, "log")
    job_run = inputs.job_of(request.actor, found)  # type: ignore[attr-defined]
    if job_run is None:
        raise NotFound("There is no log of this run that you may see.")
    lines, follows = inputs.log_lines(job_run)
    address = page_url(request, "jobs:log", run_id=job_run.pk)
    return context | {
        "job_run": job_run,
        "lines": lines,
        "log_url": address if follows else "",
        "log_file": f"{address}?download=on",
    }
