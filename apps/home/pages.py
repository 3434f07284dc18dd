"""The front page of a workspace, search, and the component gallery."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from apps.access import queries
from apps.access.kinds import get_kind, list_kinds
from apps.access.pages import resource_url
from apps.foundation.clock import now
from apps.foundation.pages import go, navigation, page, page_url, panels
from apps.foundation.paging import page as page_of
from apps.home import gallery as shown
from apps.home.steps import walk

RECENT = 10
FOUND = 12


@page("home/front.html", methods=["GET", "POST"])
def front(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """What waits, what runs, what changed; the first steps until they are done or hidden."""
    actor = request.actor  # type: ignore[attr-defined]
    cookie = f"steps_{actor.workspace.name}"
    if request.method == "POST":
        response = go(request, page_url(request, "home:front"))
        response.set_cookie(cookie, "hidden", max_age=31536000, samesite="Lax", secure=request.is_secure())
        return response
    recent = page_of(queries.list_recent(actor).exclude(owner=None), order=("-updated_at", "-id"), size=RECENT).items
    urls = {item.name: page_url(request, item.url_name) for item in navigation()}
    steps = walk(queries.kinds_present(actor), urls, url=settings.BOATHOUSE_URL, workspace=actor.workspace.name)
    done = sum(step.state == "done" for step in steps)
    hidden = done == len(steps) or request.COOKIES.get(cookie) == "hidden"
    people = page_of(queries.find_members(kind="person"), order=("created_at", "id"), size=6)
    return {
        "page_title": "Home",
        "today": now(),
        "steps": [] if hidden else steps,
        "done": done,
        "fresh": done == 0,
        "recent": [(resource, get_kind(resource.kind), resource_url(request, resource)) for resource in recent],
        "people": people.items,
        "people_count": queries.count_members()["active"],
        "main": panels(request, "home.main"),
        "side": panels(request, "home.side"),
    }


@page("home/_search.html")
def search(request: HttpRequest) -> dict[str, Any]:
    """Things whose name holds the words, among what one may know of; `type:model` narrows the kind."""
    words = request.GET.get("q", "").split()
    kinds = {word[5:].lower() for word in words if word.lower().startswith("type:")}
    text = " ".join(word for word in words if not word.lower().startswith("type:"))
    names = [k.name for k in list_kinds() if not kinds or {k.name, *k.label.split()} & kinds]
    rows = page_of(
        queries.list_resources(request.actor, text=text).filter(kind__in=names),  # type: ignore[attr-defined]
        order=("-updated_at", "-id"),
        size=FOUND,
    )
    found = [(row, get_kind(row.kind), resource_url(request, row)) for row in rows.items]
    return {"found": found}


@page("home/ui.html")
def gallery(request: HttpRequest) -> dict[str, Any]:
    """Every component in every state."""
    return shown.gallery(request)
