"""The inbox with its popover and preferences, watching, and activity of a resource and of the workspace."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.access.kinds import get_kind, list_kinds, page_path
from apps.access.models import Resource
from apps.access.policy import fetch
from apps.access.queries import own_membership
from apps.foundation.errors import NotFound
from apps.foundation.ids import parse_id
from apps.foundation.pages import Frame, Tab, go, page, page_url
from apps.foundation.paging import page as page_of
from apps.notifications import activity, inbox, operations, panels
from apps.notifications.kinds import KINDS

LATEST = 8


@page("notifications/inbox.html", fragments={"notices": "notifications/_notices.html"})
def inbox_page(request: HttpRequest) -> dict[str, Any]:
    """Everything that one was told, unread or all, of one kind."""
    actor = request.actor  # type: ignore[attr-defined]
    state, kind = request.GET.get("state", "unread"), request.GET.get("kind", "")
    rows = page_of(inbox.list_notices(actor, state=state, kind=kind), token=request.GET.get("page_token"), size=30)
    unread = inbox.count_unread(actor)
    return {
        "page_title": "Notifications",
        "told": inbox.show(actor, rows.items),
        "rows": rows,
        "state": state,
        "kind": kind,
        "kinds": KINDS.values(),
        "unread": unread,
        "more": unread >= inbox.COUNTED,
    }


@page("notifications/_bell.html")
def bell(request: HttpRequest) -> dict[str, Any]:
    """The number on the bell."""
    unread = inbox.count_unread(request.actor)  # type: ignore[attr-defined]
    return {"unread": unread, "more": unread >= inbox.COUNTED}


@page("notifications/_latest.html")
def latest(request: HttpRequest) -> dict[str, Any]:
    """The newest notices, for the bell's popover."""
    actor = request.actor  # type: ignore[attr-defined]
    state = "all" if request.GET.get("state") == "all" else "unread"
    rows = page_of(inbox.list_notices(actor, state=state), size=LATEST)
    return {"told": inbox.show(actor, rows.items), "state": state}


@page("notifications/_latest.html", methods=["POST"])
def read_all(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """Mark everything read, or everything of one kind."""
    actor = request.actor  # type: ignore[attr-defined]
    inbox.mark_all_read(actor, kind=request.POST.get("kind", ""))
    if request.headers.get("HX-Request") != "true":
        return go(request, page_url(request, "notifications:inbox"))
    return {"told": [], "state": "unread"}


@page("notifications/inbox.html", methods=["POST"])
def mark(request: HttpRequest, notice_id: str) -> HttpResponse:
    """Mark one notice read or unread."""
    actor = request.actor  # type: ignore[attr-defined]
    inbox.mark(actor, inbox.get_notice(actor, notice_id), read=request.POST.get("read") == "1")
    return HttpResponse(status=204)


@page("notifications/inbox.html")
def follow(request: HttpRequest, notice_id: str) -> HttpResponse:
    """Go where a notice leads, which reads it."""
    actor = request.actor  # type: ignore[attr-defined]
    notice = inbox.get_notice(actor, notice_id)
    if notice.read_at is None:
        inbox.mark(actor, notice, read=True)
    response = HttpResponse(status=303)
    response["Location"] = f"/w/{actor.workspace.name}/{notice.url}"
    return response


@page("notifications/settings.html", methods=["GET", "POST"])
def settings(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """What tells one, in the inbox and by mail; what one watches."""
    actor = request.actor  # type: ignore[attr-defined]
    if request.method == "POST":
        shown, mail = request.POST.getlist("shown"), request.POST.getlist("mail")
        off = [name for name in KINDS if name not in shown]
        operations.set_preferences(actor=actor, membership=own_membership(actor), off=off, mail=mail)
        return go(request, page_url(request, "notifications:settings"), say="Preferences saved")
    chosen = inbox.preferences(actor)
    watches = page_of(inbox.list_watches(actor), token=request.GET.get("page_token"), size=50)
    return {
        "page_title": "What tells me",
        "choices": [(kind, kind.name not in chosen.off, kind.name in chosen.mail) for kind in KINDS.values()],
        "watches": watches,
        "email": actor.user.email,
    }


@page("notifications/_watch.html", methods=["POST"])
def watch(request: HttpRequest, resource_id: str) -> dict[str, Any]:
    """Watch a resource or stop; the button says which."""
    actor = request.actor  # type: ignore[attr-defined]
    if request.POST.get("act") == "forget":
        operations.forget_watch(actor=actor, watch=inbox.get_watch(actor, resource_id))
        return {"resource": None}
    thing = fetch(Resource, resource_id, actor=actor)
    watching = inbox.is_watching(actor, thing)
    (operations.unwatch if watching else operations.watch)(actor=actor, resource=thing)
    return {"resource": thing, "watching": not watching}


@page("notifications/activity.html", fragments={"deeds": "notifications/_deeds.html"})
def workspace_activity(request: HttpRequest) -> dict[str, Any]:
    """What was done in the workspace, to what the reader may view."""
    return {"page_title": "Activity", **_deeds(request, None)}


@page("notifications/resource_activity.html", fragments={"deeds": "notifications/_deeds.html"})
def resource_activity(request: HttpRequest, resource_id: str) -> dict[str, Any]:
    """What was done to one resource."""
    thing = fetch(Resource, resource_id, actor=request.actor)  # type: ignore[attr-defined]
    kind = get_kind(thing.kind)
    home = f"/w/{request.actor.workspace.name}/{page_path(thing)}"  # type: ignore[attr-defined]
    tabs = [
        Tab("Overview", home),
        Tab("Comments", page_url(request, "comments:resource", resource_id=thing.pk)),
        Tab("Activity", page_url(request, "activity:resource", resource_id=thing.pk), None, True),
    ]
    name = thing.path if kind.separator == "." else thing.name
    crumbs = [(kind.plural.capitalize(), None), (name, home), ("Activity", None)]
    frame = Frame(kind.tile, name, crumbs=crumbs, tabs=tabs, resource=thing)
    return {"page_title": f"Activity of {thing.name}", "frame": frame, **_deeds(request, thing)}


def _deeds(request: HttpRequest, resource: Resource | None) -> dict[str, Any]:
    actor, person, kind = request.actor, request.GET.get("person", ""), request.GET.get("kind", "")  # type: ignore[attr-defined]
    if person and parse_id(person) is None:
        raise NotFound
    found = activity.list_activity(actor, resource=resource, person=person, kind=kind)
    rows = page_of(found, order=("-id",), token=request.GET.get("page_token"), size=50)
    return {
        "deeds": activity.show(actor, rows.items, lambda thing: panels.link(request, thing)),
        "rows": rows,
        "person": person,
        "kind": kind,
        "people": [(str(user.pk), user.label) for user in activity.list_people(actor)],
        "kinds": [(one.name, one.label.capitalize()) for one in list_kinds() if one.name != "workspace"],
    }
