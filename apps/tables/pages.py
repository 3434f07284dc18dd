"""Pages of tables: the catalog tree with its list, a table's columns, sample, history and use, and uploading."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.access.levels import Level
from apps.access.pages import resource_url
from apps.access.policy import level_of
from apps.access.resources import root_resource
from apps.foundation.errors import Forbidden, Invalid, NotFound
from apps.foundation.pages import Frame, Tab, go, page, page_url, parse_filter
from apps.foundation.paging import page as page_of
from apps.tables import activities, api, history, operations, queries, staging
from apps.tables.models import StagedWrite, Table
from apps.tables.tickets import from_text

ORDERS = {"changed": "changed_at", "name": "resource__path", "rows": "rows", "size": "bytes"}
TYPES = ("string", "long", "double", "boolean", "timestamp", "date", "integer", "float", "timestamp_ntz")


@page("tables/list.html", methods=["GET", "POST"])
def list_tables(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """Catalogs and schemas beside the tables in the chosen one; make a catalog or schema."""
    actor = request.actor  # type: ignore[attr-defined]
    if request.method == "POST":
        return _new_place(request)
    wanted, inside = parse_filter(request, []), request.GET.get("in", "")
    found = queries.list_tables(actor, inside=inside, text=wanted.words, at_least=Level.VIEW)
    rows = page_of(found, order=_order(request.GET.get("order", "-changed")), token=request.GET.get("page_token"))
    schemas: dict[str, list[str]] = {row.resource.path: [] for row in queries.list_catalogs(actor)[:500]}
    for path in queries.list_schemas(actor).order_by("resource__path").values_list("resource__path", flat=True)[:2000]:
        schemas.setdefault(path.partition(".")[0], []).append(path)
    catalogs = [(name, inner, inside == name or inside in inner) for name, inner in sorted(schemas.items())]
    return {"page_title": "Tables", "page": rows, "filter": wanted, "inside": inside, "catalogs": catalogs}


def _order(wanted: str) -> tuple[str, str]:
    sign = "-" if wanted.startswith("-") else ""
    return f"{sign}{ORDERS.get(wanted.lstrip('-'), 'changed_at')}", f"{sign}pk"


def _new_place(request: HttpRequest) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    wish = {name: request.POST.get(name, "").strip() for name in ("name", "description")}
    if request.POST.get("act") == "catalog":
        made: Any = operations.create_catalog(actor=actor, root=root_resource(), **wish)
    else:
        catalog = queries.get_catalog_to_make_in(request.POST.get("catalog", ""))
        made = operations.create_schema(actor=actor, catalog=catalog, **wish)
    return go(request, f"{page_url(request, 'tables:list')}?in={made.resource.path}", say=f"{made} made")


def _open(request: HttpRequest, name: str, section: str) -> tuple[Table, dict[str, Any]]:
    """The table, and what all of its sections show."""
    actor = request.actor  # type: ignore[attr-defined]
    table = queries.get_table(actor, name)
    level = level_of(actor, table.resource) or Level.VIEW
    sections = [
        ("Columns", "detail", len(table.columns)),
        ("Sample", "sample", None),
        ("History", "history", table.version + 1),
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
        "table", table.name, crumbs, tabs, copy=[("Name", table.name)], snippets=_snippets(table.name, table.version),
        resource=table.resource, node=("table_version", table.pk, table.version),
    )  # fmt: skip
    more = {"page_title": table.name, "frame": frame, "table": table, "last": queries.version_at(table)}
    return table, {**more, "edits": level >= Level.EDIT, "manages": level >= Level.MANAGE}


def _snippets(name: str, version: int) -> dict[str, str]:
    return {
        "Python": f'import boathouse\n\nrows = boathouse.read_table("{name}")              # newest version\nrows = boathouse.read_table("{name}", version={version})   # exactly this one',
        "curl": f'curl -H "Authorization: Bearer $BOATHOUSE_TOKEN" \\\n  "$BOATHOUSE_URL/api/v1/tables/{name}/preview?limit=10"',
    }


@page("tables/columns.html")
def detail(request: HttpRequest, name: str) -> dict[str, Any]:
    """The columns, with what the files tell of them."""
    table, context = _open(request, name, "detail")
    return context | {"columns": history.column_facts(table, table.version)}


@page("tables/sample.html")
def sample(request: HttpRequest, name: str) -> dict[str, Any]:
    """Rows of any version, or as of any moment."""
    table, context = _open(request, name, "sample")
    version, moment = request.GET.get("version", ""), request.GET.get("timestamp", "")
    if version and not version.isdecimal():
        raise Invalid(fields={"version": "Give a version number."})
    at = {"version": int(version) if version else None, "timestamp": from_text(moment) if moment else None}
    shown = queries.preview(table, limit=100, **at)
    versions = page_of(table.versions.all(), order=("-version",), size=200).items
    return context | {"preview": shown, "versions": versions, "timestamp": moment}


@page("tables/history.html", methods=["GET", "POST"])
def versions(request: HttpRequest, name: str) -> dict[str, Any] | HttpResponse:
    """Every version: who, when, how, on behalf of what; bring an old one back."""
    table, context = _open(request, name, "history")
    if request.method == "POST":
        wanted = request.POST.get("version", "")
        if not wanted.isdecimal():
            raise Invalid("Choose a version to restore.")
        actor, note = request.actor, request.POST.get("note", "")  # type: ignore[attr-defined]
        made = operations.restore_version(
            actor=actor, table=table, version=int(wanted), note=note, doing=activities.of_actor(actor)
        )
        say = f"Version {wanted} is back, as version {made.version}"
        return go(request, page_url(request, "tables:history", name=table.name), say=say)
    rows = page_of(table.versions.all(), order=("-version",), token=request.GET.get("page_token"))
    line = history.marks(page_of(table.versions.all(), order=("-version",), size=24).items[::-1])
    return context | {"page": rows, "line": line}


@page("tables/use.html")
def use(request: HttpRequest, name: str) -> dict[str, Any]:
    """How to read and write it from code."""
    table, context = _open(request, name, "use")
    write = f'import boathouse\n\nboathouse.write_table("{table.name}", frame, mode="append")      # one new version\nboathouse.write_table("{table.name}", frame, mode="overwrite")'
    as_of = f'boathouse.read_table("{table.name}", timestamp="2026-01-31T00:00:00Z", columns=["…"], filter=[["…", "<=", 9]])'
    return context | {
        "read": _snippets(table.name, table.version),
        "write": {"Python": write},
        "as_of": {"Python": as_of},
    }


@page("tables/settings.html")
def settings(request: HttpRequest, name: str) -> dict[str, Any]:
    """Name and trash."""
    table, context = _open(request, name, "settings")
    if not context["manages"]:
        raise Forbidden("This needs the level manage.", needs="manage")
    return context


# Uploading: a file, its columns, a check, one version.


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
