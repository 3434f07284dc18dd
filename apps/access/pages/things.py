"""Pages of folders and the trash, and what every object page posts to: describe, rename, delete."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.access import operations, queries
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.pages import resource_url
from apps.access.policy import fetch, level_of
from apps.access.resources import root_resource
from apps.foundation.pages import Frame, go, page, page_url, safe_next
from apps.foundation.paging import page as page_of


@page("access/folder.html", methods=["GET", "POST"])
def folder(request: HttpRequest, resource_id: str = "") -> dict[str, Any] | HttpResponse:
    """What lies in a folder, or at the top, among what one may know of."""
    actor = request.actor  # type: ignore[attr-defined]
    place = fetch(Resource, resource_id, actor=actor, needs=Level.DISCOVER) if resource_id else root_resource()
    if request.method == "POST":
        made = operations.create_folder(actor=actor, parent=place, name=request.POST.get("name", "").strip())
        return go(request, page_url(request, "access:folder", resource_id=made.pk))
    found = queries.list_resources(actor, parent=place)
    rows = page_of(found, order=("kind", "name", "id"), token=request.GET.get("page_token"))
    crumbs = [
        (above.name if above.parent_id else actor.workspace.name, resource_url(request, above))
        for above in queries.list_ancestors(place)
    ]
    frame = Frame("folder", place.name, crumbs=crumbs, copy=[("Path", place.path)], resource=place)
    edits = (level_of(actor, place) or 0) >= Level.EDIT
    return {"page_title": place.name, "frame": frame, "place": place, "page": rows, "edits": edits}


@page("access/trash.html", methods=["GET", "POST"])
def trash(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """What was deleted and can come back."""
    actor = request.actor  # type: ignore[attr-defined]
    if request.method == "POST":
        resource = fetch(Resource, request.POST.get("resource_id"), actor=actor, trashed=None)
        operations.restore_resource(actor=actor, resource=resource)
        return go(request, page_url(request, "access:trash"), say=f"{resource.path} is back")
    rows = page_of(queries.list_trash(actor), order=("-updated_at", "-id"), token=request.GET.get("page_token"))
    return {"page_title": "Trash", "page": rows}


@page("access/trash.html", methods=["POST"])
def delete(request: HttpRequest, resource_id: str) -> HttpResponse:
    """Put a resource into the trash, from its own page."""
    actor = request.actor  # type: ignore[attr-defined]
    resource = fetch(Resource, resource_id, actor=actor)
    operations.trash_resource(actor=actor, resource=resource)
    return go(request, page_url(request, "access:trash"), say=f"{resource.path} is in the trash")


@page("access/trash.html", methods=["POST"])
def describe(request: HttpRequest, resource_id: str) -> HttpResponse:
    """Change what a resource says about itself, from its own page."""
    actor = request.actor  # type: ignore[attr-defined]
    resource = fetch(Resource, resource_id, actor=actor)
    wish: dict[str, Any] = {"description": request.POST.get("description", "").strip()}
    if "labels" in request.POST:
        pairs = [line.partition("=") for line in request.POST["labels"].splitlines() if line.strip()]
        wish["labels"] = {name.strip(): value.strip() for name, _, value in pairs}
    operations.describe_resource(actor=actor, resource=resource, **wish)
    return go(request, safe_next(request, resource_url(request, resource)))


@page("access/trash.html", methods=["POST"])
def rename(request: HttpRequest, resource_id: str) -> HttpResponse:
    """Give a resource another name, from its own page."""
    actor = request.actor  # type: ignore[attr-defined]
    resource = fetch(Resource, resource_id, actor=actor)
    operations.rename_resource(actor=actor, resource=resource, name=request.POST.get("name", "").strip())
    return go(request, resource_url(request, resource), say=f"Renamed to {resource.name}")
