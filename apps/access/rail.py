"""What access says in the rail of every object page: about, owner, tags, who has access."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from apps.access import grants
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.policy import level_of
from apps.foundation.pages import Frame

SHOWN = 4


def level_here(request: HttpRequest, resource: Resource) -> Level | None:
    """The reader's level on a resource, asked once in a request."""
    known: dict[Any, Level | None] = request.__dict__.setdefault("levels_here", {})
    if resource.pk not in known:
        known[resource.pk] = level_of(request.actor, resource)  # type: ignore[attr-defined]
    return known[resource.pk]


def about(request: HttpRequest, frame: Frame) -> Mapping[str, Any] | None:
    """What it is, in its owner's words; whoever may edit gets the pencil. A part of something says this itself."""
    if frame.part or not frame.resource.parent_id:
        return None
    return {"resource": frame.resource, "edits": (level_here(request, frame.resource) or 0) >= Level.EDIT}


def owner(request: HttpRequest, frame: Frame) -> Mapping[str, Any] | None:
    """Whose it is."""
    return {"owner": frame.resource.owner} if frame.resource.owner and not frame.part else None


def tags(request: HttpRequest, frame: Frame) -> Mapping[str, Any] | None:
    """Its labels, left out where there are none and the reader may add none."""
    shown = about(request, frame)
    return shown if shown and (frame.resource.labels or shown["edits"]) else None


def access(request: HttpRequest, frame: Frame) -> Mapping[str, Any] | None:
    """The strongest grants, how many people and groups there are, and the way to the Share dialog."""
    if (level_here(request, frame.resource) or 0) < Level.VIEW:
        return None
    strongest: dict[str, grants.GrantRow] = {}
    for row in grants.list_grants(frame.resource):
        known = strongest.get(row.grantee_id)
        if known is None or row.level > known.level:
            strongest[row.grantee_id] = row
    rows = sorted(strongest.values(), key=lambda row: -row.level)
    groups = sum(row.grantee_kind == "group" for row in rows)
    return {"rows": rows[:SHOWN], "people": len(rows) - groups, "groups": groups, "resource": frame.resource}
