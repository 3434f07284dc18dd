"""What this room shows on pages of others: the bell, the Watch button, activity in the rail and on the front page, what waits there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.access.kinds import page_path
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.rail import level_here
from apps.foundation.pages import Frame
from apps.notifications import activity, inbox
from apps.notifications.kinds import KINDS

RAIL_DEEDS = 5
TEAM_DEEDS = 8
SHOWN = 5
ACTIONS = {"mention": "Reply", "endpoint_unhealthy": "Look"}


def bell(request: HttpRequest) -> Mapping[str, Any]:
    """The number of unread notices."""
    unread = inbox.count_unread(request.actor)  # type: ignore[attr-defined]
    return {"unread": unread, "more": unread >= inbox.COUNTED}


def needs(request: HttpRequest) -> Mapping[str, Any] | None:
    """Unread notices that want somebody to look; requests and failed runs are shown by the rooms that know how they stand."""
    actor = request.actor  # type: ignore[attr-defined]
    asking = [kind.name for kind in KINDS.values() if kind.asks]
    rows = inbox.list_notices(actor, state="unread").filter(kind__in=asking).order_by("-created_at", "-id")
    told = inbox.show(actor, list(rows[:SHOWN]))
    return {"told": [(one, ACTIONS[one.kind.name]) for one in told], "count": len(told)} if told else None


def team(request: HttpRequest) -> Mapping[str, Any] | None:
    """What was done lately to what the reader may view."""
    actor = request.actor  # type: ignore[attr-defined]
    rows = list(activity.list_activity(actor).order_by("-id")[:TEAM_DEEDS])
    return {"deeds": activity.show(actor, rows, lambda thing: link(request, thing))} if rows else None


def watch_button(request: HttpRequest, frame: Frame) -> Mapping[str, Any] | None:
    """The Watch button in the head of every object page."""
    if (level_here(request, frame.resource) or 0) < Level.VIEW:
        return None
    return {"resource": frame.resource, "watching": inbox.is_watching(request.actor, frame.resource)}  # type: ignore[attr-defined]


def rail(request: HttpRequest, frame: Frame) -> Mapping[str, Any] | None:
    """The rail's section: the newest deeds on a resource. On its own page a thing needs no link to itself."""
    here = request.resolver_match
    if (level_here(request, frame.resource) or 0) < Level.VIEW or (here and here.namespace == "activity"):
        return None
    actor = request.actor  # type: ignore[attr-defined]
    rows = list(activity.deeds_of(frame.resource).order_by("-id")[:RAIL_DEEDS])
    deeds = activity.show(actor, rows, lambda thing: format_html("<b>{}</b>", thing.name), resource=frame.resource)
    return {"deeds": deeds, "resource": frame.resource} if deeds else None


def link(request: HttpRequest, resource: Resource) -> SafeString:
    """A resource as a link in a sentence."""
    href = f"/w/{request.actor.workspace.name}/{page_path(resource)}"  # type: ignore[attr-defined]
    return format_html('<a href="{}">{}</a>', href, resource.name)
