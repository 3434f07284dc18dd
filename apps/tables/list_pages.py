"""The page of all tables: catalog tree beside the list."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.access.levels import Level
from apps.access.resources import root_resource
from apps.foundation.pages import go, page, page_url, parse_filter
from apps.foundation.paging import page as page_of
from apps.tables import listing, operations, queries

ORDERS = {"changed": "changed_at", "name": "resource__path", "rows": "rows", "size": "bytes", "reads": "reads"}


@page("tables/list.html", methods=["GET", "POST"])
def list_tables(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """Catalogs and schemas beside the tables in the chosen one; make a catalog or schema."""
    actor = request.actor  # type: ignore[attr-defined]
    if request.method == "POST":
        return _new_place(request)
    wanted, inside = parse_filter(request, listing.FIELDS), request.GET.get("in", "")
    readable = queries.list_tables(actor, inside=inside, at_least=Level.VIEW)
    found = listing.narrowed(readable, actor, wanted)
    order = _order(request.GET.get("order", "-reads"))
    rows = page_of(listing.with_reads(found), order=order, token=request.GET.get("page_token"))
    counts = listing.tables_per_schema(actor)
    schemas: dict[str, list[tuple[str, int]]] = {row.resource.path: [] for row in queries.list_catalogs(actor)[:500]}
    for path in queries.list_schemas(actor).order_by("resource__path").values_list("resource__path", flat=True)[:2000]:
        schemas.setdefault(path.partition(".")[0], []).append((path, counts.get(path, 0)))
    views = [
        ("All I may read", "", readable.count()),
        ("Mine", "owner:me", None),
        ("Written today", "written:>1d", None),
        ("Over a million rows", "rows:>1M", None),
        ("Inference tables", "kind:inference", None),
    ]
    return {
        "page_title": "Tables",
        "page": rows,
        "growth": listing.growth(rows.items),
        "total": found.count(),
        "filter": wanted,
        "inside": inside,
        "views": views,
        "catalogs": [
            (name, inner, inside == name or inside in {path for path, _ in inner})
            for name, inner in sorted(schemas.items())
        ],
    }


def _order(wanted: str) -> tuple[str, str]:
    sign = "-" if wanted.startswith("-") else ""
    return f"{sign}{ORDERS.get(wanted.lstrip('-'), 'reads')}", f"{sign}pk"


def _new_place(request: HttpRequest) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    wish = {name: request.POST.get(name, "").strip() for name in ("name", "description")}
    if request.POST.get("act") == "catalog":
        made: Any = operations.create_catalog(actor=actor, root=root_resource(), **wish)
    else:
        catalog = queries.get_catalog_to_make_in(request.POST.get("catalog", ""))
        made = operations.create_schema(actor=actor, catalog=catalog, **wish)
    return go(request, f"{page_url(request, 'tables:list')}?in={made.resource.path}", say=f"{made} made")
