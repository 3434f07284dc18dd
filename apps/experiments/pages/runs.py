"""The run table: a page of runs, its groups, its live values, completion, the strip of best so far, views, changes of many runs, CSV."""

from __future__ import annotations

import math
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict, StreamingHttpResponse

from apps.access.policy import fetch
from apps.experiments import operations, queries, strips, table
from apps.experiments.cells import cells_of, figures_of
from apps.experiments.columns import GROUPS, RUN_COLUMNS, Column, column, way_of
from apps.experiments.downloads import csv_lines
from apps.experiments.language import SHOWN_FIELDS, STATUSES, name_of, parse_query, quoted
from apps.experiments.models import Experiment, RunView
from apps.experiments.pages.address import Wish, kept, kept_query, read_wish
from apps.experiments.pages.frames import open_experiment
from apps.experiments.search import Entity, RunSearch, Stage
from apps.experiments.table import KEYS_MAX
from apps.experiments.uses import uses_of
from apps.foundation.clock import now
from apps.foundation.errors import Invalid
from apps.foundation.pages import go, page, page_url
from apps.foundation.paging import Page

LIVE_RUNS = 60
PICKED_KEYS = 300
SUGGESTED = 12
FIGURES_ABOVE = 30_000
COUNTED_VIEWS = 20
_ENTITIES = {"metrics": Entity.METRIC, "params": Entity.PARAM, "tags": Entity.TAG}


@page("experiments/runs.html", fragments={"runs": "experiments/_runs.html"})
def detail(request: HttpRequest, experiment_id: str) -> dict[str, Any]:
    """The run table."""
    experiment = fetch(Experiment, experiment_id, actor=request.actor)  # type: ignore[attr-defined]
    wish = read_wish(request, experiment)
    frame = open_experiment(request, experiment, "runs")
    shown = _groups(request, wish, frame["total"]) if wish.group else _rows(request, wish)
    strip = (
        wish.goal if wish.goal and frame["total"] > 1 and request.GET.get("strip") != "off" and not wish.group else None
    )
    return {
        **frame,
        **shown,
        "wish": wish,
        "query": wish.query,
        "goal": wish.goal,
        "example": f"metrics.{wish.goal.key if wish.goal else 'rmse'} < 16  params.model = lightgbm  status:failed",
        "order": wish.order,
        "strip": strip,
        "kept": kept(request),
        "views": _views(request, experiment),
        "group_choices": [c for c in wish.columns if c.group in ("params", "tags")],
        "sort_choices": [column("created"), column("duration"), *wish.columns],
    }


def _rows(request: HttpRequest, wish: Wish) -> dict[str, Any]:
    """The table of runs: rows with their cells, and the columns' heads."""
    actor = request.actor  # type: ignore[attr-defined]
    rows, following = table.find_page(actor, wish.search(), wish.columns)
    columns, hidden = _without_equal(wish, len(rows))
    ways = {c.key: way_of(wish.experiment, c.key) for c in columns if c.group == "metrics" and not c.trend}
    best = table.best_of(wish.experiment, ways)
    used = uses_of(actor, [row.uuid for row in rows])
    figures = figures_of(rows, columns, ways, best)
    for row in rows:
        row.uses = used.get(row.uuid, [])[:3]
        row.cells = cells_of(row, columns, figures, actor.workspace.name)
    heads = [(label, [c for c in columns if c.group == group]) for group, label in GROUPS]
    return {
        "page": Page(rows, following or None),
        "columns": columns,
        "heads": [(label, found) for label, found in heads if found],
        "hidden_columns": hidden,
        "figures": figures,
        "newest": table.newest_id(wish.experiment),
    }


def _without_equal(wish: Wish, shown: int) -> tuple[list[Column], list[Column]]:
    """The columns to show and those left out, because every run has the same there."""
    params = [c.key for c in wish.columns if c.group == "params"]
    if not wish.hides_equal or shown < 2 or not params:
        return wish.columns, []
    same = table.constant_params(wish.experiment, params)
    hidden = [c for c in wish.columns if c.group == "params" and c.key in same]
    return [c for c in wish.columns if c not in hidden], hidden


def _groups(request: HttpRequest, wish: Wish, total: int) -> dict[str, Any]:
    """The runs by a parameter or tag: how many, mean, spread and best of the shown metrics."""
    assert wish.group
    metrics = [c for c in wish.columns if c.group == "metrics" and not c.trend]
    metrics = metrics[: 1 if total > FIGURES_ABOVE else 4]
    search = wish.search(token="")
    opened = table.open_search(request.actor, search)  # type: ignore[attr-defined]
    found, more = table.find_groups(opened, search, wish.group, metrics)
    ways = [way_of(wish.experiment, c.key) for c in metrics]
    texts = [part.text for part in wish.query.parts] + ([wish.query.words] if wish.query.words else [])
    key = name_of(_ENTITIES[wish.group.group], wish.group.key)
    groups = []
    for group in found:
        condition = f"{key} is null" if group.value is None else f"{key} = {quoted(group.value)}"
        address = kept_query(request.GET, f=[*texts, condition], q=None, group=None).urlencode()
        figures = [
            (n, mean, sd, low if way < 0 else high if way > 0 else None)
            for (n, mean, sd, low, high), way in zip(group.figures, ways, strict=True)
        ]
        groups.append((group, address, figures))
    bests = []
    for place, way in enumerate(ways):
        means = [mean for _, _, figures in groups if (mean := figures[place][1]) is not None and math.isfinite(mean)]
        bests.append((min(means) if way < 0 else max(means)) if way and means else None)
    columns = list(zip(metrics, bests, strict=True))
    return {
        "groups": groups,
        "more_groups": more,
        "group": wish.group,
        "group_columns": columns,
        "columns": wish.columns,
        "page": None,
    }


def _views(request: HttpRequest, experiment: Experiment) -> list[dict[str, Any]]:
    """Saved views as chips: the person's own and the shared ones."""
    actor, here = request.actor, kept(request)  # type: ignore[attr-defined]
    rows = RunView.objects.filter(experiment=experiment).select_related("owner").order_by("created_at")
    return [
        {
            "view": view,
            "current": _same(view.address, here),
            "mine": view.owner_id == actor.user_id,
        }
        for view in rows
        if view.shared or view.owner_id == actor.user_id
    ]


def _same(one: str, other: str) -> bool:
    def told(text: str) -> dict[str, list[str]]:
        return dict(sorted(QueryDict(text).lists()))

    return told(one) == told(other)


@page("experiments/_live.html")
def live(request: HttpRequest, experiment_id: str) -> dict[str, Any]:
    """The asked runs' rows as they are now, and how many runs are newer than `since`."""
    actor = request.actor  # type: ignore[attr-defined]
    experiment = fetch(Experiment, experiment_id, actor=actor)
    wish = read_wish(request, experiment)
    asked = [queries.run_uuid(text) for text in request.GET.getlist("run")[:LIVE_RUNS]]
    table.open_search(actor, wish.search())
    rows = table.read_rows(actor, experiment, asked)
    table.fill(actor, rows, wish.columns)
    columns = wish.columns
    ways = {c.key: way_of(experiment, c.key) for c in columns if c.group == "metrics" and not c.trend}
    figures = figures_of(rows, columns, ways, table.best_of(experiment, ways), told=request.GET)
    for row in rows:
        row.cells = cells_of(row, columns, figures, actor.workspace.name)
    since = request.GET.get("since", "")
    fresh = table.newer(experiment, int(since)) if since.isdigit() and len(since) < 19 else 0
    return {"rows": rows, "fresh": fresh, "running": queries.count_running(experiment)}


@page("experiments/_count.html")
def count(request: HttpRequest, experiment_id: str) -> HttpResponse:
    """How many runs the table's search finds, and how many each saved view does."""
    actor = request.actor  # type: ignore[attr-defined]
    experiment = fetch(Experiment, experiment_id, actor=actor)
    wish = read_wish(request, experiment)
    found = {"": _count(request, wish.search())}
    for entry in _views(request, experiment)[:COUNTED_VIEWS]:
        asked = QueryDict(entry["view"].address)
        query = parse_query([*asked.getlist("f"), asked.get("q", "")], now())
        stage = Stage.DELETED if asked.get("stage") == "deleted" else Stage.ACTIVE
        found[str(entry["view"].pk)] = _count(request, RunSearch((experiment.number,), query.where, (), stage))
    return JsonResponse(found)


def _count(request: HttpRequest, search: RunSearch) -> int:
    return table.count(table.open_search(request.actor, search), search)  # type: ignore[attr-defined]


@page("experiments/_strip.html")
def strip(request: HttpRequest, experiment_id: str) -> HttpResponse:
    """The goal of every run in order, thinned to what can be drawn, with every step of the best so far."""
    actor = request.actor  # type: ignore[attr-defined]
    experiment = fetch(Experiment, experiment_id, actor=actor)
    wish = read_wish(request, experiment)
    if wish.goal is None:
        return JsonResponse({"points": []})
    table.open_search(actor, wish.search())
    colour = next((c.key for c in wish.columns if c.group == "params"), "")
    return JsonResponse(strips.best_so_far(experiment, wish.goal, request.GET.get("by") or colour))


@page("experiments/_columns.html")
def columns(request: HttpRequest, experiment_id: str) -> dict[str, Any]:
    """The column chooser: what is shown, in order, then what else there is."""
    actor = request.actor  # type: ignore[attr-defined]
    experiment = fetch(Experiment, experiment_id, actor=actor)
    wish = read_wish(request, experiment)
    table.open_search(actor, wish.search())
    text = request.GET.get("find", "").strip().lower()
    shown = {c.id: c for c in wish.columns}
    groups = []
    for group, label in GROUPS:
        mine = [c for c in wish.columns if c.group == group and text in c.label.lower()]
        others, more = _others(experiment, group, text, shown)
        groups.append({"label": label, "shown": mine, "others": others, "more": more})
    return {
        "groups": groups,
        "wish": wish,
        "find": text,
        "kept": kept_query(request.GET, c=None, equal=None),
        "here": page_url(request, "experiments:detail", experiment_id=experiment.pk),
    }


def _others(experiment: Experiment, group: str, text: str, shown: dict[str, Column]) -> tuple[list[Column], int]:
    if group == "run":
        found = [c for id in RUN_COLUMNS if id not in shown and (c := column(id)) and text in c.label.lower()]
        return found, 0
    entity = _ENTITIES[group]
    keys = table.list_keys(experiment, entity, limit=KEYS_MAX if text else PICKED_KEYS + 1)
    if entity is Entity.TAG:
        keys = [key for key in keys if not key.startswith("mlflow.")]
    near = [key for key in keys if text in key.lower() and f"{group}.{key}" not in shown]
    found = [c for key in near[:PICKED_KEYS] if (c := column(f"{group}.{key}"))]
    if entity is Entity.METRIC:
        found += [
            c
            for c in (column(f"trend.{s.key}") for s in shown.values() if s.group == "metrics" and not s.trend)
            if c and c.id not in shown
        ]
    return found, max(0, len(near) - PICKED_KEYS)


@page("experiments/_complete.html")
def complete(request: HttpRequest, experiment_id: str) -> HttpResponse:
    """What may follow in the search box: fields and keys, or values once a comparison has begun."""
    actor = request.actor  # type: ignore[attr-defined]
    experiment = fetch(Experiment, experiment_id, actor=actor)
    table.open_search(actor, RunSearch((experiment.number,)))
    field, typed = request.GET.get("field", "")[:300], request.GET.get("text", "")[:300]
    found = _values(experiment, field, typed) if field else _fields(experiment, typed)
    return JsonResponse({"items": [{"text": text, "kind": kind} for text, kind in found[:SUGGESTED]]})


def _fields(experiment: Experiment, typed: str) -> list[tuple[str, str]]:
    head, dot, key = typed.partition(".")
    group = {"metric": "metrics", "param": "params", "tag": "tags"}.get(head, head)
    if dot and group in _ENTITIES:
        entity = _ENTITIES[group]
        near = table.list_keys(experiment, entity, after=key.strip("`")[:-1], limit=SUGGESTED + 2) if key else []
        near = [k for k in near if k.startswith(key.strip("`"))]
        if len(near) < SUGGESTED:
            low = key.strip("`").lower()
            every = table.list_keys(experiment, entity, limit=KEYS_MAX if key else SUGGESTED)
            near += [k for k in every if low in k.lower() and k not in near]
        return [(name_of(entity, k), group) for k in near if entity is not Entity.TAG or not k.startswith("mlflow.")]
    low = typed.lower()
    found = [(name, "field") for name in SHOWN_FIELDS if name.startswith(low)]
    for name, entity in _ENTITIES.items():
        if not low or name.startswith(low):
            found.append((f"{name}.", "field"))
        keys = table.list_keys(experiment, entity, limit=200) if low else []
        found += [(name_of(entity, k), name) for k in keys if low in k.lower() and not k.startswith("mlflow.")][:5]
    return found


def _values(experiment: Experiment, field: str, typed: str) -> list[tuple[str, str]]:
    head, dot, key = field.partition(".")
    entity = {"params": Entity.PARAM, "param": Entity.PARAM, "tags": Entity.TAG, "tag": Entity.TAG}.get(head)
    start = typed.strip("\"'")
    if field in ("status", "state"):
        return [(word.lower(), "value") for word in STATUSES if word.startswith(start.upper())]
    if field == "created":
        return [(word, "value") for word in ("1d", "7d", "30d") if word.startswith(start)]
    if entity is None or not dot:
        return []
    return [(quoted(value), "value") for value in table.list_values(experiment, entity, key.strip("`"), start=start)]


@page("experiments/runs.html", methods=["POST"])
def change(request: HttpRequest, experiment_id: str) -> HttpResponse:
    """Compare, tag, delete or restore the chosen runs."""
    actor, posted = request.actor, request.POST  # type: ignore[attr-defined]
    experiment = fetch(Experiment, experiment_id, actor=actor)
    here = page_url(request, "experiments:detail", experiment_id=experiment.pk)
    back = f"{here}?{kept_query(QueryDict(posted.get('kept', ''))).urlencode()}"
    chosen = list(dict.fromkeys(posted.getlist("run")))
    act = posted.get("act", "")
    if act == "compare":
        asked = kept_query(QueryDict(posted.get("kept", "")), c=None, order=None, group=None, size=None, strip=None)
        asked.setlist("run", chosen[: operations.BULK_MAX])
        return go(
            request, f"{page_url(request, 'experiments:compare', experiment_id=experiment.pk)}?{asked.urlencode()}"
        )
    runs = queries.get_runs(actor, experiment, chosen)
    told = f"{len(runs)} run{'' if len(runs) == 1 else 's'}"
    if act == "tag":
        operations.tag_runs(
            actor=actor,
            experiment=experiment,
            runs=runs,
            key=posted.get("key", "").strip(),
            value=posted.get("value", ""),
        )
        return go(request, back, say=f"Tagged {told}")
    if act == "delete":
        operations.delete_runs(actor=actor, experiment=experiment, runs=runs)
        return go(request, back, say=f"{told} in the trash")
    if act == "restore":
        operations.restore_runs(actor=actor, experiment=experiment, runs=runs)
        return go(request, back, say=f"Restored {told}")
    raise Invalid("Say what to do: compare, tag, delete or restore.")


@page("experiments/runs.html", methods=["POST"])
def views(request: HttpRequest, experiment_id: str) -> HttpResponse:
    """Keep the table as it is under a name, or take a kept view away."""
    actor, posted = request.actor, request.POST  # type: ignore[attr-defined]
    experiment = fetch(Experiment, experiment_id, actor=actor)
    here = page_url(request, "experiments:detail", experiment_id=experiment.pk)
    if posted.get("act") == "delete":
        view = fetch(RunView, posted.get("view", ""), actor=actor)
        operations.delete_view(actor=actor, experiment=experiment, view=view)
        return go(request, here, say=f"View {view.name} deleted")
    address = kept_query(QueryDict(posted.get("kept", ""))).urlencode()
    view = operations.save_view(
        actor=actor,
        experiment=experiment,
        name=posted.get("name", ""),
        address=address,
        shared=posted.get("shared") == "on",
    )
    return go(request, f"{here}?{view.address}", say=f"View {view.name} saved")


@page("experiments/runs.html")
def download(request: HttpRequest, experiment_id: str) -> StreamingHttpResponse:
    """The table as CSV: this page, or every run that the search finds, up to a hundred thousand."""
    actor = request.actor  # type: ignore[attr-defined]
    experiment = fetch(Experiment, experiment_id, actor=actor)
    wish = read_wish(request, experiment)
    lines = csv_lines(actor, wish.search(), wish.columns, one_page=request.GET.get("only") == "page")
    answer = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="runs-{experiment.number}.csv"'
    return answer
