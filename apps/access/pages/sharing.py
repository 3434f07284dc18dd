"""Pages about who may do what: the Share dialog, checking somebody, asking for access and answering."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from apps.access import grants, operations, queries
from apps.access.kinds import get_kind
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.pages import resource_url, share_url
from apps.access.pages.choices import LEVELS, UNTIL, chosen_days, chosen_end, chosen_level
from apps.access.policy import fetch, level_of
from apps.foundation.clock import now
from apps.foundation.errors import BoathouseError, Forbidden, Invalid, NotFound
from apps.foundation.pages import Tab, go, page, page_url, panels, safe_next
from apps.foundation.paging import page as page_of


@page("access/_share.html", methods=["GET", "POST"], fragments={"share-body": "access/_share_body.html"})
def share(request: HttpRequest, resource_id: str) -> dict[str, Any] | HttpResponse:
    """The Share dialog of any resource: who, level in effect, through what, until when; check somebody."""
    actor = request.actor  # type: ignore[attr-defined]
    resource = fetch(Resource, resource_id, actor=actor)
    if request.method == "POST":
        _change_grant(request, resource)
    level = level_of(actor, resource) or Level.VIEW
    manages = level >= Level.MANAGE
    return {
        "resource": resource,
        "kind": get_kind(resource.kind),
        "level": level,
        "owned": resource.owner_id == actor.user_id,
        "manages": manages,
        "rows": grants.list_grants(resource),
        "reached": queries.count_reached(resource),
        "waiting": queries.list_access_requests(actor).filter(resource=resource).order_by("created_at")
        if manages
        else [],
        "levels": LEVELS,
        "until": UNTIL,
        "abilities": [(words, [least <= step for step in Level]) for words, least in get_kind(resource.kind).abilities],
        "names": queries.list_grantee_names() if manages else [],
        "pieces": panels(request, "share", resource),
        "here": share_url(request, resource),
        "link": settings.BOATHOUSE_URL + resource_url(request, resource),
        "code": f"curl -X POST $BOATHOUSE_URL/api/v1/resources/{resource.pk}/share \\\n"
        '  -H "Authorization: Bearer $BOATHOUSE_TOKEN" -H "Content-Type: application/json" \\\n'
        '  -d \'{"grantee_kind": "group", "grantee_id": "…", "level": "view"}\'',
        "now": now(),
    }


def _change_grant(request: HttpRequest, resource: Resource) -> None:
    actor, act = request.actor, request.POST.get("act")  # type: ignore[attr-defined]
    if act in ("grant", "decline"):
        _answer_request(request)
        return
    if act == "add":
        grantee, level, expires = _named(request.POST.get("who", "")), chosen_level(request), chosen_end(request)
        operations.share(actor=actor, resource=resource, grantee=grantee, level=level, expires_at=expires)
        return
    grantee = queries.get_grantee(request.POST.get("kind", ""), request.POST.get("grantee_id"))
    if act == "remove":
        operations.unshare(actor=actor, resource=resource, grantee=grantee)
        return
    kept = [row for row in grants.list_grants(resource) if row.grantee_id == str(grantee.pk) and not row.inherited]
    expires = next((row.expires_at for row in kept if not row.owner), None)
    operations.share(actor=actor, resource=resource, grantee=grantee, level=chosen_level(request), expires_at=expires)


def _named(text: str) -> Any:
    try:
        return queries.find_grantee(text.strip())
    except NotFound:
        raise Invalid(fields={"who": "No member, group or service principal is called so."}) from None


@page("access/_preview.html")
def preview(request: HttpRequest, resource_id: str) -> dict[str, Any]:
    """What would change if somebody were given a level: said before it is done."""
    resource = fetch(Resource, resource_id, actor=request.actor, needs=Level.MANAGE)  # type: ignore[attr-defined]
    text = request.GET.get("who", "").strip()
    try:
        level, grantee = Level.parse(request.GET.get("level", "")), queries.find_grantee(text)
    except (KeyError, NotFound):
        return {"typed": text}
    return {"effect": queries.foresee(resource, grantee, level), "grantee": grants.label_of(grantee), "level": level}


@page("access/_check.html")
def check(request: HttpRequest, resource_id: str) -> dict[str, Any]:
    """Why a member holds the level they hold on a resource, or that they hold none."""
    actor = request.actor  # type: ignore[attr-defined]
    resource = fetch(Resource, resource_id, actor=actor, needs=Level.MANAGE)
    text = request.GET.get("who", "").strip()
    try:
        user = queries.get_membership(queries.find_grantee(text).pk).user if text else None
    except NotFound:
        return {"unknown": text}
    reasons = queries.explain_member(actor, resource, user) if user else []
    return {"user": user, "reasons": reasons, "resource": resource}


@page("access/requests.html", methods=["GET", "POST"])
def requests(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """Requests for access: those that wait for one's answer, one's own, and what was answered."""
    here = page_url(request, "access:requests")
    if request.method == "POST":
        return go(request, safe_next(request, here), say=_answer_request(request))
    section = request.GET.get("show", "waiting")
    found = queries.list_access_requests(
        request.actor,  # type: ignore[attr-defined]
        mine=section == "mine",
        waiting=section == "waiting",
    )
    rows = page_of(found, order=("-created_at", "-id"), token=request.GET.get("page_token"))
    sections = [("waiting", "Wait for you"), ("mine", "Yours"), ("all", "All you may answer")]
    tabs = [Tab(label, f"{here}?show={name}", current=name == section) for name, label in sections]
    return {"page_title": "Access requests", "page": rows, "tabs": tabs, "section": section, "levels": LEVELS}


def _answer_request(request: HttpRequest) -> str:
    actor, act = request.actor, request.POST.get("act")  # type: ignore[attr-defined]
    wanted = queries.get_access_request(actor, request.POST.get("request_id"))
    answer = request.POST.get("answer", "")
    if act == "grant":
        level = chosen_level(request) if request.POST.get("level") else None
        operations.grant_access_request(actor=actor, access_request=wanted, level=level, answer=answer)
        return f"{wanted.user.label} can {(level or Level(wanted.level)).word} {wanted.resource.path} now"
    if act == "decline":
        operations.decline_access_request(actor=actor, access_request=wanted, answer=answer)
        return f"{wanted.user.label} is told that you declined"
    if act == "withdraw":
        operations.withdraw_access_request(actor=actor, access_request=wanted)
        return "Your request is withdrawn"
    raise Invalid("There is no such action here.")


@page("access/requests.html", methods=["POST"])
def ask(request: HttpRequest, resource_id: str) -> HttpResponse:
    """Ask for a level on something that one may know of, from the page that said no."""
    actor = request.actor  # type: ignore[attr-defined]
    resource = fetch(Resource, resource_id, actor=actor, needs=Level.DISCOVER)
    operations.request_access(
        actor=actor,
        resource=resource,
        level=chosen_level(request),
        days=chosen_days(request),
        reason=request.POST.get("reason", ""),
    )
    return go(request, page_url(request, "access:requests") + "?show=mine", say=f"Asked for access to {resource.path}")


# Pieces that pages of others show.
def denied(request: HttpRequest, error: BoathouseError) -> dict[str, Any] | None:
    """The form to ask for what was refused, for a person who may know of the thing."""
    actor, resource = getattr(request, "actor", None), getattr(error, "resource", None)
    if actor is None or resource is None or not isinstance(error, Forbidden) or resource.kind == "workspace":
        return None
    own = level_of(actor, resource) or Level.DISCOVER
    wanted = getattr(error, "level", Level.VIEW)
    kind = get_kind(resource.kind)
    words = {level: sentence for sentence, level in kind.abilities}
    return {
        "resource": resource,
        "own": own,
        "wanted": wanted,
        "levels": [
            (step.word, f"Can {step.word}: {words.get(step, '').lower()}".rstrip(": ")) for step in Level if step > own
        ],
        "until": UNTIL,
        "last": queries.last_access_request(actor, resource),
        "managers": queries.list_managers(resource),
    }


def near(request: HttpRequest, error: BoathouseError) -> dict[str, Any] | None:
    """What is called nearly so, among what one may know of."""
    actor = getattr(request, "actor", None)
    if actor is None:
        return None
    found = queries.list_near(actor, request.path.rstrip("/").rpartition("/")[2])
    return {"found": found}


def waiting(request: HttpRequest) -> dict[str, Any] | None:
    """For Home: the requests that wait for one's answer; left out where none does."""
    rows = page_of(
        queries.list_access_requests(request.actor),  # type: ignore[attr-defined]
        order=("-created_at", "-id"),
        size=5,
    )
    return (
        {"requests": rows.items, "count": len(rows.items), "more": rows.next_token is not None} if rows.items else None
    )
