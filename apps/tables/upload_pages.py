"""Pages of uploading: a file, its columns, a check, one version."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.access.levels import Level
from apps.foundation.errors import Invalid, NotFound
from apps.foundation.pages import Frame, go, page, page_url
from apps.tables import activities, api, operations, queries, staging
from apps.tables.models import StagedWrite

TYPES = ("string", "long", "double", "boolean", "timestamp", "date", "integer", "float", "timestamp_ntz")


@page("tables/upload.html", methods=["GET", "POST"])
def upload(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """Choose a table, which may be new, and a file; the file is read in a guest."""
    actor = request.actor  # type: ignore[attr-defined]
    if request.method == "POST":
        name, file = request.POST.get("table", "").strip().lower(), request.FILES.get("file")
        if file is None:
            raise Invalid(fields={"file": "Choose a CSV or Parquet file."})
        try:
            home, table = queries.find_target(actor, name)
        except NotFound:
            raise Invalid(fields={"table": "There is no such schema, or you may not write there."}) from None
        if table:
            write = operations.begin_table_write(actor=actor, table=table, file_name=file.name)
        else:
            write = operations.begin_write(actor=actor, schema=home, name=name.rpartition(".")[2], file_name=file.name)
        staging.receive(write, file.chunks())
        operations.parse_file(actor=actor, write=write, options={"header": True, "on_bad_rows": "stop"})
        return go(request, page_url(request, "tables:write", write_id=write.pk))
    writable = queries.list_tables(actor, at_least=Level.EDIT).values_list("resource__path", flat=True)[:500]
    schemas = queries.list_schemas(actor).values_list("resource__path", flat=True)[:500]
    into = request.GET.get("table", "") or f"{request.GET.get('in') or 'main.default'}."
    return {"page_title": "Upload", "names": sorted(writable), "schemas": sorted(schemas), "into": into}


@page("tables/write.html", methods=["GET", "POST"], fragments={"write-poll": "tables/_write.html"})
def write(request: HttpRequest, write_id: str) -> dict[str, Any] | HttpResponse:
    """How a file was read: correct types, leave bad rows out, then make one version of it."""
    actor = request.actor  # type: ignore[attr-defined]
    row = queries.get_write(actor, write_id)
    if request.method == "POST":
        return _go_on(request, row)
    table = row.table
    frame = Frame(
        "table", f"Upload to {row}", crumbs=[("Tables", page_url(request, "tables:list")), (str(row.schema), None)]
    )
    report = row.report or {}
    there = {column["name"].lower(): column["type"] for column in table.columns} if table else {}
    columns = report.get("columns", [])
    return {
        "page_title": f"Upload to {row}",
        "frame": frame,
        "write": row,
        "table": table,
        "report": report,
        "columns": columns,
        "types": TYPES,
        "missing": [name for name in there if name not in {str(c.get("name", "")).lower() for c in columns}],
        "new": [c["name"] for c in columns if table and str(c.get("name", "")).lower() not in there],
        "reading": row.state == StagedWrite.State.PARSING,
        "refused": row.state == StagedWrite.State.REFUSED,
        "skips": (row.options or {}).get("on_bad_rows") == "skip",
        "blocked": bool(report.get("bad_count")) and not report.get("parts"),
    }


def _go_on(request: HttpRequest, row: StagedWrite) -> HttpResponse:
    actor, act = request.actor, request.POST.get("act")  # type: ignore[attr-defined]
    here = page_url(request, "tables:write", write_id=row.pk)
    if act == "cancel":
        operations.abandon_write(actor=actor, write=row)
        return go(request, page_url(request, "tables:list"), say="Nothing was written")
    if act == "read":
        names = [column["name"] for column in row.report.get("columns", [])]
        chosen = [{"name": name, "type": request.POST.get(f"type:{name}", "string")} for name in names]
        options: dict[str, Any] = {"header": request.POST.get("header") == "on", "columns": chosen}
        options["on_bad_rows"] = "skip" if request.POST.get("on_bad_rows") == "skip" else "stop"
        if not names:
            options.pop("columns")
        if delimiter := request.POST.get("delimiter", ""):
            options["delimiter"] = "\t" if delimiter == "tab" else delimiter[:1]
        operations.parse_file(actor=actor, write=row, options=options)
        return go(request, here)
    made = api.commit(
        actor,
        row,
        mode=request.POST.get("mode", "create"),
        key="",
        note=request.POST.get("note", "").strip()[:2000],
        add_columns=request.POST.get("add_columns") == "on",
        expected_version=None,
        doing=activities.of_actor(actor),
    )
    say = f"Version {made.version} of {made.table.name} has {made.rows:,} rows"
    return go(request, page_url(request, "tables:history", name=made.table.name), say=say)
