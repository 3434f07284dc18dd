"""The front page of a workspace, search, stars, and the component gallery."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from apps.access import queries as access
from apps.access.kinds import get_kind, list_kinds
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.pages import resource_url
from apps.access.policy import fetch
from apps.foundation.clock import now
from apps.foundation.pages import go, is_fragment, navigation, page, page_url, panels, target_id
from apps.home import gallery as shown
from apps.home import operations, queries
from apps.home.palette import fitting, makes, places
from apps.home.panels import starred
from apps.home.steps import KINDS, walk

RECENT = 10
FOUND = 12
PLACES = 6
FIRST_CODE = {
    "Python": 'import mlflow\n\nmlflow.set_experiment("/routes/first")\nmlflow.autolog()\nmodel.fit(x, y)',
    "CLI": "export MLFLOW_TRACKING_URI={url}\nexport MLFLOW_TRACKING_TOKEN=bh_…\npython train.py",
}


@page(
    "home/front.html",
    methods=["GET", "POST"],
    fragments={"recent": "home/_recent.html", "running-now": "home/_running_now.html"},
)
def front(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """What waits, what lives, what was opened lately; the first steps until they are done or hidden."""
    actor = request.actor  # type: ignore[attr-defined]
    cookie = f"steps_{actor.workspace.name}"
    if request.method == "POST":
        response = go(request, page_url(request, "home:front"))
        response.set_cookie(cookie, "hidden", max_age=31536000, samesite="Lax", secure=request.is_secure())
        return response
    if target_id(request) == "recent":
        return _recent(request)
    running = panels(request, "home.running")
    live = {
        "running_now": running,
        "polls": not is_fragment(request) and any(context["count"] for _, context in running),
    }
    if target_id(request) == "running-now":
        return live
    urls = {item.name: page_url(request, item.url_name) for item in navigation()}
    hidden = request.COOKIES.get(cookie) == "hidden"
    present = set() if hidden else access.kinds_present(actor, KINDS)
    steps = walk(present, urls, url=settings.BOATHOUSE_URL, workspace=actor.workspace.name)
    done = sum(step.state == "done" for step in steps)
    hidden = hidden or done == len(steps)
    needs = panels(request, "home.needs")
    return {
        "page_title": "Home",
        "today": now(),
        "steps": [] if hidden else steps,
        "done": done,
        "fresh": done == 0 and not hidden,
        "needs": needs,
        "needs_count": sum(context["count"] for _, context in needs),
        "main": panels(request, "home.main"),
        "side": panels(request, "home.side"),
        "makes": makes(request),
        "first_code": {name: code.replace("{url}", settings.BOATHOUSE_URL) for name, code in FIRST_CODE.items()},
        **live,
        **_recent(request),
    }


def _recent(request: HttpRequest) -> dict[str, Any]:
    """What one opened lately, or what the team changed lately."""
    actor = request.actor  # type: ignore[attr-defined]
    whose, rows = request.GET.get("recent", ""), []
    if whose != "team":
        visits = queries.list_recents(actor).order_by("-seen_at", "-pk")[:RECENT]
        rows = [(visit.resource, visit.seen_at) for visit in visits]
        # Who opened nothing yet sees what the others do, unless they asked for their own.
        whose = "mine" if rows or whose == "mine" else "team"
    if whose == "team":
        rows = [(resource, resource.updated_at) for resource in access.list_changed(actor, RECENT)]
    things = [(thing, get_kind(thing.kind), resource_url(request, thing), when) for thing, when in rows]
    return {"recent": things, "whose": whose}


@page("home/_search.html")
def search(request: HttpRequest) -> dict[str, Any]:
    """Things and pages that fit what was typed, best first; what one opened lately for nothing typed.

    `type:model` narrows the kind, `owner:ada` whose it is.
    """
    actor = request.actor  # type: ignore[attr-defined]
    words = request.GET.get("q", "").split()
    kinds = {word[5:].lower() for word in words if word.lower().startswith("type:") and len(word) > 5}
    owner = next((word[6:] for word in words if word.lower().startswith("owner:")), "")
    text = " ".join(word for word in words if not word.lower().startswith(("type:", "owner:")))
    if not words:
        visits = queries.list_recents(actor).order_by("-seen_at", "-pk")[:FOUND]
        found = [visit.resource for visit in visits]
        pages = fitting(places(request), "")
    else:
        names = [kind.name for kind in list_kinds() if kinds & {kind.name, kind.plural, *kind.label.split()}]
        found = queries.search(actor, text, kinds=names or list(kinds), owner=owner, limit=FOUND)
        pages = fitting(places(request), text)[:PLACES] if text and not kinds and not owner else []
    things = [(thing, get_kind(thing.kind), resource_url(request, thing)) for thing in found]
    first = bool(pages and words) and (not found or pages[0][0] < getattr(found[0], "rank", 0))
    return {
        "found": things,
        "pages": pages,
        "pages_first": first,
        "text": text,
        "typed": bool(words),
    }


@page("home/_star_answer.html", methods=["POST"])
def star(request: HttpRequest, resource_id: str) -> dict[str, Any] | HttpResponse:
    """Put a thing into the side bar, or take it out."""
    actor = request.actor  # type: ignore[attr-defined]
    resource = fetch(Resource, resource_id, actor=actor, needs=Level.DISCOVER)
    on = request.POST.get("on", "true") == "true"
    (operations.star if on else operations.unstar)(actor=actor, resource=resource)
    if not is_fragment(request):
        return go(request, resource_url(request, resource))
    return {"resource": resource, "on": on, "panel": starred(request)}


@page("home/ui.html")
def gallery(request: HttpRequest) -> dict[str, Any]:
    """Every component in every state."""
    return shown.gallery(request)
