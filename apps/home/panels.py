"""What home offers to every page: the star beside a thing's name, and the starred things in the side bar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from apps.access.kinds import get_kind
from apps.access.models import Resource
from apps.access.pages import resource_url
from apps.foundation.pages import Frame
from apps.home import queries
from apps.home.ingest import note_visit

STARRED = 12


def mark(request: HttpRequest, frame: Frame) -> Mapping[str, Any] | None:
    """The star of a thing. The page is open in front of somebody, so this notes their visit too."""
    if not frame.resource.parent_id:
        return None
    on = note_visit(request.actor, frame.resource)  # type: ignore[attr-defined]
    return {"resource": frame.resource, "on": on}


def starred(request: HttpRequest) -> Mapping[str, Any]:
    """The newest stars, for the side bar."""
    stars = queries.list_stars(request.actor).order_by("-created_at", "-pk")[:STARRED]  # type: ignore[attr-defined]
    return {"starred": [shown(request, star.resource) for star in stars]}


def shown(request: HttpRequest, resource: Resource) -> tuple[str, str, str]:
    """Tile, name and address of a thing: a table by its whole name."""
    kind = get_kind(resource.kind)
    return kind.tile, resource.path if resource.kind == "table" else resource.name, resource_url(request, resource)
