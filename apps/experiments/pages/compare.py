"""Runs side by side: parallel coordinates, curves, scatter, and what differs from the baseline."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, JsonResponse

from apps.access.policy import fetch
from apps.experiments import axes, curves, inputs, queries, table
from apps.experiments.board import differences
from apps.experiments.columns import way_of
from apps.experiments.models import Experiment, Run
from apps.experiments.pages.address import read_wish
from apps.experiments.pages.frames import open_experiment
from apps.foundation.pages import page, page_url

RUNS_MAX = 500
PICKED_MAX = 24
DEFAULT_PICKED = 5
CURVE_POINTS = 300
PARTS = {"params": "Parameter", "metrics": "Metric", "tags": "Tag", "code": "Code", "data": "Data"}


@page("experiments/compare.html", fragments={"differences": "experiments/_differences.html"})
def compare(request: HttpRequest, experiment_id: str) -> dict[str, Any]:
    """Chosen runs side by side, the first one as the baseline; without a choice, the best ones that the search finds."""
    actor = request.actor  # type: ignore[attr-defined]
    experiment = fetch(Experiment, experiment_id, actor=actor)
    wish = read_wish(request, experiment)
    asked = list(dict.fromkeys(request.GET.getlist("run")))[:PICKED_MAX]
    if not asked:
        order = f"{'-' if wish.goal.way > 0 else ''}metrics.{wish.goal.key}" if wish.goal else wish.order
        found, _ = table.find_page(actor, _ordered(wish, order), [])
        asked = [row.hex for row in found[:DEFAULT_PICKED]]
    runs = queries.get_runs(actor, experiment, asked)
    base = request.GET.get("base", "")
    runs.sort(key=lambda run: run.hex != base)
    rows = queries.rows_of(runs)
    part = request.GET.get("part", "params")
    part = part if part in PARTS else "params"
    counts = Counter(key for row in rows for key in row.metrics if not key.startswith("system/"))
    metrics = sorted(counts, key=lambda key: (not wish.goal or key != wish.goal.key, -counts[key], key))
    told = {key: way_of(experiment, key) for key in metrics}
    curved = curves.curved_keys(runs[0], metrics) if runs else []
    only = request.GET.get("all") != "on"
    data_query = request.GET.copy()
    data_query.setlist("run", [run.hex for run in runs])
    context = {
        **open_experiment(request, experiment, "compare", len(runs)),
        "rows": [(row, row.metrics.get(wish.goal.key) if wish.goal else None) for row in rows],
        "picked": rows,
        "wish": wish,
        "goal": wish.goal,
        "metrics": sorted(metrics, key=lambda key: key not in curved),
        "history_metric": (curved or metrics or [""])[0],
        "part": part,
        "parts": list(PARTS),
        "part_word": PARTS[part],
        "only": only,
        "data_url": f"{page_url(request, 'experiments:compare-data', experiment_id=experiment.pk)}?{data_query.urlencode()}",
    }
    return context | _difference(request, runs, rows, part, told, only)


def _ordered(wish: Any, order: str) -> Any:
    return replace(wish, order=order).search(token="", size=DEFAULT_PICKED)


def _difference(
    request: HttpRequest, runs: list[Run], rows: list[Any], part: str, ways: dict[str, int], only: bool
) -> dict[str, Any]:
    """The table of differences of one part; parameters come with the metrics below them."""
    actor = request.actor  # type: ignore[attr-defined]
    if not rows:
        return {"items": [], "below": [], "hidden": 0}
    if part == "code":
        return {"items": [], "below": [], "hidden": 0, "code": _code(request, runs, rows)}
    if part == "data":
        every = [inputs.describe(actor, readings) for readings in table.data_of(actor, runs)]
        told = [queries.inputs_of(run) for run in runs]
        return {"items": [], "below": [], "hidden": 0, "data": inputs.side_by_side(every, told)}
    items = differences(rows, part, ways)
    below = (
        [item for item in differences(rows, "metrics", ways) if not item.key.startswith("system/")]
        if part == "params"
        else []
    )
    below = sorted(below, key=lambda item: list(ways).index(item.key))[:8]
    shown = [item for item in items if item.differs] if only else items
    return {"items": shown, "below": below, "hidden": len(items) - len(shown)}


def _code(request: HttpRequest, runs: list[Run], rows: list[Any]) -> list[dict[str, Any]]:
    """Commit of each run, with the address of the difference to the baseline's where both lie in one repository here."""
    actor = request.actor  # type: ignore[attr-defined]
    found: list[dict[str, Any]] = []
    for run, row in zip(runs, rows, strict=True):
        told = run.receipt or {}
        commit = str(told.get("commit") or row.commit)
        source = str(told.get("source_path") or row.tags.get("mlflow.source.git.repoURL", ""))
        repo = inputs.find_repo(actor, source)
        base = found[0] if found else None
        link = ""
        if (
            base
            and repo
            and base["repo"]
            and repo.pk == base["repo"].pk
            and commit
            and base["commit"]
            and commit != base["commit"]
        ):
            link = f"{page_url(request, 'repos:compare', repo_id=repo.pk)}?{urlencode({'base': base['commit'], 'head': commit})}"
        found.append(
            {
                "row": row,
                "commit": commit,
                "source": source,
                "repo": repo,
                "script": told.get("script") or row.tags.get("mlflow.source.name", ""),
                "patch": str(told.get("patch") or row.tags.get("mlflow.source.git.diff", ""))[: inputs.PATCH_BYTES],
                "environment": str(told.get("environment_digest") or "")[:16],
                "link": link,
                "differs": base is not None and commit != base["commit"],
            }
        )
    return found


@page("experiments/_compare.html")
def data(request: HttpRequest, experiment_id: str) -> HttpResponse:
    """The runs that the search finds, with the parameters and metrics that vary, column by column, as JSON; the chosen ones first."""
    actor = request.actor  # type: ignore[attr-defined]
    experiment = fetch(Experiment, experiment_id, actor=actor)
    wish = read_wish(request, experiment)
    search = wish.search(token="", size=RUNS_MAX)
    rows, more = table.find_page(actor, search, [])
    picked = table.read_rows(
        actor, experiment, [queries.run_uuid(text) for text in request.GET.getlist("run")[:PICKED_MAX]]
    )
    rows = [*picked, *(row for row in rows if row.uuid not in {one.uuid for one in picked})][:RUNS_MAX]
    found = axes.axes_of(rows, wish.goal)
    answer = {
        "runs": [[row.hex, row.name, row.status] for row in rows],
        "picked": len(picked),
        "more": bool(more),
        "axes": [axis.shape() for axis in found],
        "chosen": axes.chosen(found),
        "goal": f"metrics.{wish.goal.key}" if wish.goal else "",
        "way": wish.goal.way if wish.goal else 0,
    }
    return JsonResponse(answer)


@page("experiments/_compare.html")
def history(request: HttpRequest, experiment_id: str) -> HttpResponse:
    """One metric of the chosen runs by step and time, as JSON."""
    actor = request.actor  # type: ignore[attr-defined]
    experiment = fetch(Experiment, experiment_id, actor=actor)
    runs = queries.get_runs(actor, experiment, list(dict.fromkeys(request.GET.getlist("run")))[:PICKED_MAX])
    key = request.GET.get("metric", "")
    found = [
        {"run": run.hex, "name": run.name, "start": run.start_time, **curves.curve(run, key, size=CURVE_POINTS).shape()}
        for run in runs
    ]
    return JsonResponse({"metric": key, "runs": found})
