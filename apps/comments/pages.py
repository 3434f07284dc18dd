"""Threads on pages: the rail's section, the page of all threads of a resource, and the pieces that the composer asks for."""

from __future__ import annotations

import hashlib
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from apps.access.kinds import get_kind, page_path
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.policy import fetch
from apps.access.rail import level_here
from apps.comments import markup, mentions, operations, queries
from apps.comments.anchors import parse_anchor
from apps.comments.models import REACTIONS, Comment, Thread
from apps.foundation.errors import NotFound
from apps.foundation.pages import Frame, Tab, page, page_url
from apps.foundation.paging import page as page_of

RAIL_THREADS = 4
RAIL_COMMENTS = 5
PAGE_THREADS = 20
DONE = {"status": 204}


def talk(
    request: HttpRequest, resource: Resource, *, path: str | None, state: str = "open", view: str = "rail"
) -> dict[str, Any]:
    """What the threads of a place need to be shown: in the rail the newest few, on the page of all of them one page."""
    actor, level = request.actor, level_here(request, resource) or 0  # type: ignore[attr-defined]
    rail = view == "rail"
    threads = queries.threads_of(resource, path=path, state=state)
    token = None if rail else request.GET.get("page_token")
    rows = page_of(threads, order=("-active_at", "-id"), token=token, size=RAIL_THREADS if rail else PAGE_THREADS)
    items = list(rows.items)
    wanted = _asked_for(request, resource)
    if wanted and wanted.thread not in items:
        items = [*queries.threads_of(resource, state="all").filter(pk=wanted.thread_id), *items]
    most = RAIL_COMMENTS if rail else queries.SHOWN_COMMENTS
    manages = level >= Level.MANAGE
    return {
        "talks": queries.show(actor, items, manages=manages, most=most, whole=wanted and wanted.thread_id),
        "threads": rows,
        "resource": resource,
        "place": path or "",
        "named": path is None,
        "state": state,
        "view": view,
        "may_comment": level >= Level.COMMENT,
        "menu_id": hashlib.sha256(f"{resource.pk} {path} {view}".encode()).hexdigest()[:8],
        "src": _source(request, resource, path, state, view),
    }


def _asked_for(request: HttpRequest, resource: Resource) -> Comment | None:
    """The comment that a link leads to, so that it is on the page however old it is."""
    wanted = request.GET.get("comment", "")
    try:
        found = fetch(Comment, wanted, actor=request.actor) if wanted else None  # type: ignore[attr-defined]
    except NotFound:
        return None
    return found if found and found.thread.resource_id == resource.pk else None


def _source(request: HttpRequest, resource: Resource, path: str | None, state: str, view: str) -> str:
    query = request.GET.copy()
    kept = {"comment": query.get("comment"), "page_token": query.get("page_token") if view == "page" else None}
    query.clear()
    wanted = {"path": path, "state": state, "view": view, **kept}
    query.update({name: value for name, value in wanted.items() if value is not None})
    return f"{page_url(request, 'comments:threads', resource_id=resource.pk)}?{query.urlencode()}"


def rail(request: HttpRequest, frame: Frame) -> dict[str, Any] | None:
    """The rail's section: of a thing with all its parts, or of the part that the page shows."""
    here = request.resolver_match
    if (level_here(request, frame.resource) or 0) < Level.VIEW or (here and here.namespace == "comments"):
        return None
    path = frame.part or None
    found = talk(request, frame.resource, path=path)
    rows = found["threads"]
    count = queries.threads_of(frame.resource, path=path).count() if rows.next_token else len(rows.items)
    return {**found, "open_count": count}


@page("comments/_threads.html")
def threads(request: HttpRequest, resource_id: str) -> dict[str, Any]:
    """The threads of a place, for a page that follows them."""
    resource = fetch(Resource, resource_id, actor=request.actor)  # type: ignore[attr-defined]
    path = request.GET.get("path")
    if path is not None:
        path = parse_anchor(path).path
    view = "page" if request.GET.get("view") == "page" else "rail"
    return talk(request, resource, path=path, state=request.GET.get("state", "open"), view=view)


@page("comments/resource.html", methods=["GET", "POST"])
def resource(request: HttpRequest, resource_id: str) -> dict[str, Any] | HttpResponse:
    """All threads of a resource: open, resolved or all, of one place in it or everywhere. POST begins one."""
    actor = request.actor  # type: ignore[attr-defined]
    thing = fetch(Resource, resource_id, actor=actor)
    if request.method == "POST":
        sent = {name: request.POST.get(name, "") for name in ("text", "path", "quote")}
        operations.start_thread(actor=actor, resource=thing, **sent)
        return HttpResponse(**DONE)
    state = request.GET.get("state", "open")
    path = request.GET.get("path")
    found = talk(request, thing, path=parse_anchor(path).path if path else None, state=state, view="page")
    kind, home = get_kind(thing.kind), _url(request, page_path(thing))
    name = thing.path if kind.separator == "." else thing.name
    crumbs = [(kind.plural.capitalize(), None), (name, home), ("Comments", None)]
    tabs = [
        Tab("Overview", home),
        Tab("Comments", page_url(request, "comments:resource", resource_id=thing.pk), None, True),
        Tab("Activity", page_url(request, "activity:resource", resource_id=thing.pk)),
    ]
    frame = Frame(kind.tile, name, crumbs=crumbs, tabs=tabs, resource=thing)
    counts = {word: queries.threads_of(thing, state=word).count() for word in queries.STATES}
    views = [
        (label, word, counts[word]) for label, word in (("Open", "open"), ("Resolved", "resolved"), ("All", "all"))
    ]
    label = parse_anchor(path).label if path else ""
    return {**found, "page_title": f"Comments on {thing.name}", "frame": frame, "views": views, "place_label": label}


@page("comments/_threads.html", methods=["POST"])
def reply(request: HttpRequest, thread_id: str) -> HttpResponse:
    """Answer in a thread."""
    actor = request.actor  # type: ignore[attr-defined]
    operations.reply(actor=actor, thread=fetch(Thread, thread_id, actor=actor), text=request.POST.get("text", ""))
    return HttpResponse(**DONE)


@page("comments/_threads.html", methods=["POST"])
def settle(request: HttpRequest, thread_id: str) -> HttpResponse:
    """Resolve a thread, or reopen it."""
    actor = request.actor  # type: ignore[attr-defined]
    act = operations.reopen if request.POST.get("act") == "reopen" else operations.resolve
    act(actor=actor, thread=fetch(Thread, thread_id, actor=actor), reason=request.POST.get("reason", ""))
    return HttpResponse(**DONE)


@page("comments/_threads.html")
def comment(request: HttpRequest, comment_id: str) -> HttpResponse:
    """The address of one comment: leads to it on the page of what it is about."""
    found = fetch(Comment, comment_id, actor=request.actor)  # type: ignore[attr-defined]
    place = page_path(found.thread.resource, found.thread.path)
    mark = "&" if "?" in place else "?"
    return HttpResponseRedirect(f"{_url(request, place)}{mark}comment={found.pk}#comment-{found.pk}")


@page("comments/_edit.html", methods=["GET", "POST"])
def edit(request: HttpRequest, comment_id: str) -> dict[str, Any] | HttpResponse:
    """Say one's own comment anew."""
    actor = request.actor  # type: ignore[attr-defined]
    found = fetch(Comment, comment_id, actor=actor)
    if request.method == "POST":
        operations.edit_comment(actor=actor, comment=found, text=request.POST.get("text", ""))
        return HttpResponse(**DONE)
    return {"comment": found, "resource": found.thread.resource}


@page("comments/_delete.html", methods=["GET", "POST"])
def delete(request: HttpRequest, comment_id: str) -> dict[str, Any] | HttpResponse:
    """Take a comment back."""
    actor = request.actor  # type: ignore[attr-defined]
    found = fetch(Comment, comment_id, actor=actor)
    if request.method == "POST":
        operations.delete_comment(actor=actor, comment=found)
        return HttpResponse(**DONE)
    return {"comment": found, "own": found.author_id == actor.user_id}


@page("comments/_threads.html", methods=["POST"])
def react(request: HttpRequest, comment_id: str) -> HttpResponse:
    """Put a sign under a comment, or take one's own away."""
    actor, name = request.actor, request.POST.get("name", "")  # type: ignore[attr-defined]
    found = fetch(Comment, comment_id, actor=actor)
    act = operations.unreact if found.reactions.filter(user=actor.user, name=name).exists() else operations.react
    act(actor=actor, comment=found, name=name)
    return HttpResponse(**DONE)


@page("comments/_history.html")
def history(request: HttpRequest, comment_id: str) -> dict[str, Any]:
    """What a comment said before it was edited."""
    found = fetch(Comment, comment_id, actor=request.actor)  # type: ignore[attr-defined]
    rows = page_of(found.earlier.all(), order=("-written_at", "-id"), size=50).items
    return {"comment": found, "earlier": [(row.written_at, markup.comment_html(row.text)) for row in rows]}


@page("comments/_preview.html", methods=["POST"])
def preview(request: HttpRequest, resource_id: str) -> dict[str, Any]:
    """A text as it will look, and who of those it mentions cannot see it."""
    thing = fetch(Resource, resource_id, actor=request.actor, needs=Level.COMMENT)  # type: ignore[attr-defined]
    text = markup.clean_text(request.POST.get("text", ""))
    named = mentions.resolve(markup.find_handles(text), thing)
    names = tuple(sorted((one.handle, one.label) for one in named))
    unreached = [one.label for one in named if not one.reached]
    return {"html": markup.comment_html(text, names), "unreached": unreached}


@page("comments/_people.html")
def people(request: HttpRequest, resource_id: str) -> dict[str, Any]:
    """Whom one can mention here: members and groups that begin so."""
    thing = fetch(Resource, resource_id, actor=request.actor, needs=Level.COMMENT)  # type: ignore[attr-defined]
    return {"people": mentions.suggest(request.GET.get("q", "")[:100], thing)}


def reactions() -> list[tuple[str, str]]:
    """The signs there are: name and icon."""
    return list(REACTIONS.items())


def _url(request: HttpRequest, path: str) -> str:
    return f"/w/{request.actor.workspace.name}/{path}"  # type: ignore[attr-defined]
