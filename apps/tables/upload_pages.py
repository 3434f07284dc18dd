"""Pages of uploading: a file, its columns, a check, one version."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.access import rail
from apps.access.export import csv_answer
from apps.access.levels import Level
from apps.access.pages import resource_url
from apps.foundation.errors import Invalid, NotFound
from apps.foundation.pages import Frame, go, page, page_url
from apps.tables import activities, api, operations, queries, snippets, staging, wizard
from apps.tables.models import StagedWrite


@page("tables/upload.html", methods=["GET", "POST"])
def upload(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """Choose a table, which may be new, and a file; the file is read in a guest."""
    actor = request.actor  # type: ignore[attr-defined]
    if request.method == "POST":
        name, file = request.POST.get("table", "").strip().lower(), request.FILES.get("file")
        if file is None:
            raise Invalid(fields={"file": "Choose a CSV, JSON lines or Parquet file."})
        try:
            home, table = queries.find_target(actor, name)
        except NotFound:
            raise Invalid(fields={"table": "There is no such schema, or you may not write there."}) from None
        if table:
            write = operations.begin_table_write(actor=actor, table=table, file_name=file.name or "")
        else:
            write = operations.begin_write(
                actor=actor, schema=home, name=name.rpartition(".")[2], file_name=file.name or ""
            )
        staging.receive(write, file.chunks())
        operations.parse_file(actor=actor, write=write, options={"header": True, "on_bad_rows": "stop"})
        return go(request, page_url(request, "tables:write", write_id=write.pk))
    writable = queries.list_tables(actor, at_least=Level.EDIT).values_list("resource__path", flat=True)[:500]
    schemas = queries.list_schemas(actor).values_list("resource__path", flat=True)[:500]
    into = request.GET.get("table", "") or f"{request.GET.get('in') or 'main.default'}."
    return {"page_title": "Upload", "names": sorted(writable), "schemas": sorted(schemas), "into": into}


@page("tables/write.html", methods=["GET", "POST"], fragments={"reading": "tables/_reading.html"})
def write(request: HttpRequest, write_id: str) -> dict[str, Any] | HttpResponse:
    """How a file was read: correct names, types and words for null, leave columns or bad rows out, then make one version of it."""
    actor = request.actor  # type: ignore[attr-defined]
    row = queries.get_write(actor, write_id)
    if request.method == "POST":
        return _go_on(request, row)
    return {
        "page_title": f"Upload to {row}",
        "frame": _frame(request, row),
        **wizard.shown(row),
        **_around(request, row),
    }


def _frame(request: HttpRequest, row: StagedWrite) -> Frame:
    places = [place for place in (row.schema.resource.parent, row.schema.resource) if place]
    crumbs = [
        ("Tables", page_url(request, "tables:list")),
        *((place.name, resource_url(request, place)) for place in places),
    ]
    return Frame("table", f"Upload to {row}", crumbs)


def _around(request: HttpRequest, row: StagedWrite) -> dict[str, Any]:
    """Who will see it and what reads the table already, for the rail."""
    home = row.table.resource if row.table else row.schema.resource
    groups = queries.uses(request.actor, row.table) if row.table else []  # type: ignore[attr-defined]
    readers = [
        use.node for group in groups if group.kind in ("job_run", "endpoint", "table_version") for use in group.uses
    ]
    table = row.table
    return {
        "access": rail.access(request, Frame("", "", resource=home)),
        "home": home,
        "readers": readers[:5],
        "code": snippets.appending_a_file(table.name if table else str(row), row.file_name),
        "sizes": wizard.growth(table, row.report.get("rows") or 0) if table else [],
    }


def _go_on(request: HttpRequest, row: StagedWrite) -> HttpResponse:
    actor, act = request.actor, request.POST.get("act")  # type: ignore[attr-defined]
    here = page_url(request, "tables:write", write_id=row.pk)
    if act == "cancel":
        operations.abandon_write(actor=actor, write=row)
        return go(request, page_url(request, "tables:list"), say="Nothing was written")
    if act == "table_types":
        operations.parse_file(actor=actor, write=row, options={"types": "table", **wizard.dialect(request.POST)})
        return go(request, here)
    wish = wizard.wish_of(row, request.POST)
    if act == "read" or wizard.differs(row, wish):
        operations.parse_file(actor=actor, write=row, options=wish)
        return go(request, here, say="" if act == "read" else "You changed something, so the file is read again first")
    made = api.commit(
        actor,
        row,
        mode=request.POST.get("mode", "create"),
        key="",
        note=wizard.note_of(row, request.POST.get("note", "")),
        add_columns=request.POST.get("add_columns") == "on",
        expected_version=None,
        doing=activities.of_actor(actor),
    )
    say = f"Version {made.version} of {made.table.name} has {made.rows:,} rows"
    return go(request, page_url(request, "tables:history", name=made.table.name), say=say)


@page("tables/write.html")
def bad_rows(request: HttpRequest, write_id: str) -> HttpResponse:
    """The rows that do not fit, as a CSV file: line, column, what was found, why."""
    row = queries.get_write(request.actor, write_id)  # type: ignore[attr-defined]
    heads = ["line", "column", "found", "why"]
    bad = (row.report or {}).get("bad_rows", [])
    return csv_answer("rows-that-do-not-fit", heads, ([str(one.get(name, "")) for name in heads] for one in bad))
