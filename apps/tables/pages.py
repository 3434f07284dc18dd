"""Pages of one table: columns, rows of any version, history with differences, who uses it, how to use it."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.access.levels import Level
from apps.access.pages import resource_url
from apps.access.policy import level_of
from apps.comments.queries import count_open
from apps.foundation.errors import Forbidden, Invalid
from apps.foundation.pages import Frame, Tab, go, page, page_url
from apps.foundation.paging import page as page_of
from apps.tables import (
    activities,
    columns,
    difference,
    history,
    operations,
    queries,
    rowhistory,
    sampling,
    snippets,
    statistics,
)
from apps.tables.models import Computation, Table
from apps.tables.tickets import from_text

FAMILIES = ("keys", "number", "text", "time", "nulls")
SIZES = (16, 100, 1000)


def _open(request: HttpRequest, name: str, section: str) -> tuple[Table, dict[str, Any]]:
    """The table, and what all of its sections show."""
    actor = request.actor  # type: ignore[attr-defined]
    table = queries.get_table(actor, name)
    level = level_of(actor, table.resource) or Level.VIEW
    sections = [
        ("Columns", "detail", len(table.columns)),
        ("Sample", "sample", None),
        ("History", "history", table.version + 1),
        ("Used by", "uses", None),
        ("Use it", "use", None),
        *([("Settings", "settings", None)] if level >= Level.MANAGE else []),
    ]
    tabs = [
        Tab(label, page_url(request, f"tables:{view}", name=table.name), count, view == section)
        for label, view, count in sections
    ]
    schema = table.resource.parent
    crumbs = [("Tables", page_url(request, "tables:list"))]
    crumbs += [(place.name, resource_url(request, place)) for place in (schema.parent, schema)]
    frame = Frame(
        table.tile, table.name, crumbs, tabs, copy=[("Name", table.name)], snippets=snippets.reading(table),
        resource=table.resource, node=("table_version", table.pk, table.version),
    )  # fmt: skip
    more = {
        "page_title": table.name,
        "frame": frame,
        "table": table,
        "last": queries.version_at(table),
        "reads": queries.reads_this_week(table),
    }
    return table, {**more, "edits": level >= Level.EDIT, "manages": level >= Level.MANAGE}


def _number(request: HttpRequest, name: str) -> int | None:
    """A version number from the address; None without one. Raises Invalid."""
    text = request.GET.get(name, "")
    if not text:
        return None
    if not text.isdecimal() or len(text) > 18:
        raise Invalid(fields={name: "Give a version number."})
    return int(text)


@page("tables/columns.html", methods=["GET", "POST"], fragments={"columns": "tables/_columns.html"})
def detail(request: HttpRequest, name: str) -> dict[str, Any] | HttpResponse:
    """The columns of a version with statistics from every row; describe one, declare the key."""
    table, context = _open(request, name, "detail")
    if request.method == "POST":
        return _change_columns(request, table)
    version = queries.version_at(table, _number(request, "version"))
    found = statistics.ask(table, version.version)
    known = statistics.columns_of(found) if found.state == Computation.State.READY else {}
    rows = history.column_rows(table, version, known, columns.notes_of(table))
    shown = request.GET.get("show", "")
    chosen = next((row for row in rows if row.name == request.GET.get("column")), None)
    return context | {
        "columns": [row for row in rows if _fits(row, shown)],
        "all_columns": rows,
        "show": shown if shown in FAMILIES else "",
        "version": version,
        "computation": found,
        "chosen": chosen,
        "unique": [row.name for row in rows if row.found and row.found.is_unique],
    }


def _fits(row: history.ColumnRow, shown: str) -> bool:
    if shown == "keys":
        return row.is_key
    if shown == "nulls":
        return row.nulls != 0
    return shown not in FAMILIES or row.family == shown


def _change_columns(request: HttpRequest, table: Table) -> HttpResponse:
    actor, act, here = request.actor, request.POST.get("act"), page_url(request, "tables:detail", name=table.name)  # type: ignore[attr-defined]
    if act == "key":
        operations.declare_key(actor=actor, table=table, key=request.POST.getlist("key"))
        return go(
            request,
            request.POST.get("back") == "history" and page_url(request, "tables:history", name=table.name) or here,
            say="Key declared",
        )
    if act in ("cancel", "repeat"):
        found = queries.get_computation(table, request.POST.get("computation", ""))
        change = operations.cancel_computation if act == "cancel" else operations.repeat_computation
        change(actor=actor, computation=found)
        return go(request, request.get_full_path())
    column, tags = request.POST.get("column", ""), request.POST.get("tags", "").split(",")
    operations.describe_column(
        actor=actor, table=table, column=column, description=request.POST.get("description", ""), tags=tags
    )
    return go(request, here, say=f"{column} described")


@page("tables/sample.html", methods=["GET", "POST"], fragments={"rows": "tables/_rows.html"})
def sample(request: HttpRequest, name: str) -> dict[str, Any] | HttpResponse:
    """Rows of any version, or as of any moment: the newest ones, or some by chance."""
    table, context = _open(request, name, "sample")
    if request.method == "POST":
        return _change_columns(request, table)
    moment, size = request.GET.get("timestamp", ""), request.GET.get("size", "")
    limit = int(size) if size.isdecimal() and int(size) in SIZES else 100
    at = queries.version_at(table, _number(request, "version"), from_text(moment) if moment else None)
    shown = queries.preview(table, limit=limit, version=at.version)
    found = statistics.ask(table, at.version)
    known = statistics.columns_of(found) if found.state == Computation.State.READY else {}
    rows, chance = shown.items, None
    if request.GET.get("order") == "random":
        chance = sampling.ask(table, at.version)
        rows = sampling.rows(chance) if chance.state == Computation.State.READY else []
    names = [str(column["name"]) for column in shown.columns]
    keys = [names.index(column) for column in table.key_columns if column in names]
    shown_columns = history.column_rows(table, at, known, columns.notes_of(table))
    whole_key = len(keys) == len(table.key_columns) and bool(keys)
    return context | {
        "preview": shown,
        "rows": [
            (number, list(zip(row, shown_columns, strict=True)), _row_key(names, keys, row) if whole_key else "")
            for number, row in enumerate(rows, 1)
        ],
        "columns": shown_columns,
        **_talk(request.GET.get("at", ""), at.version, names, shown.items),
        "version": at,
        "track": history.track(table, _window(request, table, at.version)),
        "timestamp": moment,
        "sizes": SIZES,
        "size": limit,
        "chance": chance,
    }


def _window(request: HttpRequest, table: Table, shown: int) -> int | None:
    """With which version the time line ends: the one asked for, else the newest, else the one that is shown."""
    upto = _number(request, "upto")
    return upto if upto is not None else None if shown > table.version - history.WINDOW else shown


def _talk(place: str, version: int, names: list[str], rows: list[list[Any]]) -> dict[str, Any]:
    """The row (`3`) or cell (`3:arr_delay`) that one talks about, if the address names one that is shown."""
    number, _, column = place.partition(":")
    if (
        not number.isdecimal()
        or len(number) > 9
        or not 1 <= int(number) <= len(rows)
        or (column and column not in names)
    ):
        return {}
    path = f"cell:{version}:{number}:{column}" if column else f"row:{version}:{number}"
    quote = str(rows[int(number) - 1][names.index(column)]) if column else ""
    return {"talk_path": path, "talk_row": int(number), "talk_column": column, "talk_quote": quote[:200]}


def _row_key(names: list[str], keys: list[int], row: list[Any]) -> str:
    return json.dumps({names[place]: None if row[place] is None else str(row[place]) for place in keys})


@page(
    "tables/history.html",
    methods=["GET", "POST"],
    fragments={"difference": "tables/_difference.html", "found": "tables/_found.html"},
)
def versions(request: HttpRequest, name: str) -> dict[str, Any] | HttpResponse:
    """Every version, and what differs between two of them; bring an old one back."""
    table, context = _open(request, name, "history")
    if request.method == "POST":
        return _change_history(request, table)
    kept = queries.models_of_versions(request.actor, table)  # type: ignore[attr-defined]
    rows = page_of(table.versions.all(), order=("-version",), size=12, token=request.GET.get("page_token"))
    a, b = _number(request, "a"), _number(request, "b")
    after = queries.version_at(table, table.version if b is None else b)
    before = queries.version_at(table, max(0, after.version - 1) if a is None else a)
    compared = _compare(request, table, before.version, after.version) if before.version != after.version else {}
    return (
        context
        | compared
        | {
            "page": rows,
            "kept": kept,
            "track": history.track(table, _window(request, table, after.version), kept),
            "talked": count_open(request.actor, table.resource, f"version:{after.version}"),  # type: ignore[attr-defined]
            "a": before,
            "b": after,
        }
    )


def _compare(request: HttpRequest, table: Table, before: int, after: int) -> dict[str, Any]:
    """The difference as far as it is there, and one page of its rows."""
    asked = request.GET.getlist("key")
    key = table.key_columns if not asked else [name for name in asked if name]
    have = [{str(column["name"]) for column in queries.version_at(table, number).columns} for number in (before, after)]
    if not asked and not all(set(key) <= names for names in have):
        key = []
    found = difference.ask(table, before, after, key)
    told: dict[str, Any] = {
        "computation": found,
        "key": key,
        "choices": [str(column["name"]) for column in table.columns],
    }
    if found.state != Computation.State.READY:
        return told
    answer = difference.of(found)
    kind = request.GET.get("rows", "") or next((kind for kind in difference.KINDS if answer.counts[kind]), "added")
    whole = "page" in request.GET
    shown = difference.rows(found, kind, _number(request, "page") or 1, 100 if whole else 8)
    return told | {"difference": answer, "shown": shown, "whole": whole, "kinds": difference.KINDS}


def _change_history(request: HttpRequest, table: Table) -> HttpResponse:
    if request.POST.get("act") in ("cancel", "repeat", "key"):
        return _change_columns(request, table)
    wanted = request.POST.get("version", "")
    if not wanted.isdecimal():
        raise Invalid("Choose a version to restore.")
    actor, note = request.actor, request.POST.get("note", "")  # type: ignore[attr-defined]
    made = operations.restore_version(
        actor=actor, table=table, version=int(wanted), note=note, doing=activities.of_actor(actor)
    )
    say = f"Version {wanted} is back, as version {made.version}"
    return go(request, page_url(request, "tables:history", name=table.name), say=say)


@page("tables/row.html", methods=["GET", "POST"], fragments={"found": "tables/_row.html"})
def row(request: HttpRequest, name: str) -> dict[str, Any] | HttpResponse:
    """The history of one row, found by its key, and of each of its cells."""
    table, context = _open(request, name, "history")
    if request.method == "POST":
        return _change_columns(request, table)
    try:
        key = json.loads(request.GET.get("key", ""))
        if not isinstance(key, dict) or not all(value is None or isinstance(value, str) for value in key.values()):
            raise ValueError
    except ValueError:
        raise Invalid("The address names no row; choose one in the sample.") from None
    version = queries.version_at(table, _number(request, "version"))
    found = rowhistory.ask(table, version.version, key)
    changes = rowhistory.changes(found) if found.state == Computation.State.READY else []
    column = request.GET.get("column", "")
    if column:
        changes = [one for one in changes if one.what != "changed" or column in one.changed]
    numbers = table.versions.filter(version__in=[one.version for one in changes])
    return context | {
        "key": key,
        "column": column,
        "version": version,
        "computation": found,
        "changes": [(one, {v.version: v for v in numbers}.get(one.version)) for one in changes],
        "names": [str(item["name"]) for item in version.columns],
    }


@page("tables/uses.html")
def uses(request: HttpRequest, name: str) -> dict[str, Any]:
    """Runs, models, endpoints, jobs and tables that came of it, and how many of them one may not see."""
    table, context = _open(request, name, "uses")
    return context | {"groups": queries.uses(request.actor, table), "read": snippets.reading(table)}  # type: ignore[attr-defined]


@page("tables/use.html")
def use(request: HttpRequest, name: str) -> dict[str, Any]:
    """How to read and write it from code."""
    table, context = _open(request, name, "use")
    return context | {
        "read": snippets.reading(table),
        "as_of": snippets.as_of(table, context["last"]),
        "write": snippets.writing(table),
        "write_file": snippets.appending_a_file(table.name),
    }


@page("tables/settings.html")
def settings(request: HttpRequest, name: str) -> dict[str, Any]:
    """Name and trash."""
    table, context = _open(request, name, "settings")
    if not context["manages"]:
        raise Forbidden("This needs the level manage.", needs="manage")
    return context
