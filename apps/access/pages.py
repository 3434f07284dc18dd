"""Pages of access: members, groups, service principals, tokens, the audit log, sharing, folders, trash, one's account."""

from __future__ import annotations

import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from apps.access import grants, operations, queries
from apps.access.kinds import get_kind
from apps.access.levels import SENTENCES, Level
from apps.access.models import Resource
from apps.access.operation import operations as all_operations
from apps.access.policy import fetch, level_of
from apps.access.resources import root_resource
from apps.access.workspaces import memberships_of
from apps.foundation.clock import now
from apps.foundation.errors import Invalid, NotFound
from apps.foundation.pages import Frame, Tab, go, page, page_url, parse_filter, safe_next
from apps.foundation.paging import page as page_of

LEVELS = [(level.word, f"Can {level.word}") for level in Level]
UNTIL = [("", "no end date"), ("7", "7 days"), ("30", "30 days"), ("90", "90 days"), ("365", "a year")]


def resource_url(request: HttpRequest, resource: Resource) -> str:
    """The address of a resource's own page."""
    kind = get_kind(resource.kind)
    if kind.page is None:
        return page_url(request, "access:folder", resource_id=resource.pk)
    return f"/w/{request.actor.workspace.name}/{kind.page(resource).lstrip('/')}"  # type: ignore[attr-defined]


def _admin(request: HttpRequest, title: str, **more: Any) -> dict[str, Any]:
    """What all sections of Admin share."""
    root = root_resource()
    manages = (level_of(request.actor, root) or 0) >= Level.MANAGE  # type: ignore[attr-defined]
    sections = [
        ("Members", "admin:members"),
        ("Groups", "admin:groups"),
        ("Service principals", "admin:principals"),
        ("Tokens", "admin:tokens"),
        *([("Audit log", "admin:audit")] if manages else []),
    ]
    tabs = [Tab(label, page_url(request, name), current=label == title) for label, name in sections]
    return {"page_title": title, "tabs": tabs, "manages": manages, "root": root, **more}


@page("access/members.html", methods=["GET", "POST"])
def members(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """Who belongs to the workspace; an admin takes people in, shuts them out, sends them a link."""
    if request.method == "POST":
        return _change_member(request)
    wanted = parse_filter(request, ["state", "group"])
    shown = queries.find_members(text=wanted.words, state=wanted.get("state"), group=wanted.get("group"), kind="person")
    rows = page_of(shown, order=("created_at", "id"), token=request.GET.get("page_token"))
    users = [row.user for row in rows.items]
    groups, tokens = queries.groups_of(users), queries.tokens_of(users)
    for row in rows.items:
        row.groups, row.token_count = groups.get(row.user_id, []), tokens.get(row.user_id, 0)
    return _admin(request, "Members", page=rows, filter=wanted, counts=queries.count_members())


def _change_member(request: HttpRequest) -> HttpResponse:
    act, actor, root = request.POST.get("act"), request.actor, root_resource()  # type: ignore[attr-defined]
    here = page_url(request, "admin:members")
    if act == "add":
        admin = request.POST.get("is_admin") == "on"
        member = operations.add_member(actor=actor, root=root, email=request.POST.get("email", ""), is_admin=admin)
        return go(request, here, say=f"{member.user.label} is a member now")
    member = queries.get_membership(request.POST.get("user_id"))
    if act == "link":
        path = operations.make_invitation_link(actor=actor, root=root, membership=member)
        return _answer(request, "access/_link.html", {"member": member, "link": settings.BOATHOUSE_URL + path})
    if act in ("suspend", "reinstate"):
        change = operations.suspend_member if act == "suspend" else operations.reinstate_member
        change(actor=actor, root=root, membership=member)
        return go(request, here, say=f"{member.user.label} is {'shut out' if act == 'suspend' else 'back in'}")
    if act == "remove":
        operations.remove_member(actor=actor, root=root, membership=member)
        return go(request, here, say=f"{member.user.label} is no longer a member")
    raise Invalid("There is no such action here.")


def _answer(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    from apps.foundation.pages import render

    return render(request, template, context)


@page("access/groups.html", methods=["GET", "POST"])
def groups(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """The groups, and the chosen one with its people and what it reaches."""
    actor = request.actor  # type: ignore[attr-defined]
    if request.method == "POST":
        return _change_group(request)
    rows = page_of(queries.list_groups(), order=("name", "pk"), token=request.GET.get("page_token"), size=200)
    chosen = queries.get_group(request.GET["group"]) if request.GET.get("group") else (rows.items or [None])[0]
    inside = page_of(queries.find_members(group=chosen.name), order=("created_at", "id"), size=200) if chosen else None
    reach = queries.list_reach(actor, chosen) if chosen else []
    names = queries.list_grantee_names()
    return _admin(request, "Groups", page=rows, chosen=chosen, inside=inside, reach=reach, names=names)


def _change_group(request: HttpRequest) -> HttpResponse:
    act, actor, root = request.POST.get("act"), request.actor, root_resource()  # type: ignore[attr-defined]
    here = page_url(request, "admin:groups")
    if act == "create":
        wish = {name: request.POST.get(name, "").strip() for name in ("name", "description")}
        group = operations.create_group(actor=actor, root=root, **wish)
        return go(request, f"{here}?group={group.pk}", say=f"Group {group.name} made")
    group = queries.get_group(request.POST.get("group_id"))
    if act == "delete":
        operations.delete_group(actor=actor, root=root, group=group)
        return go(request, here, say=f"Group {group.name} deleted")
    if act == "add":
        try:
            person = queries.find_grantee(request.POST.get("who", "").strip())
            member = queries.get_membership(person.pk)
        except NotFound:
            raise Invalid("No member has this e-mail address or name.") from None
        operations.add_to_group(actor=actor, root=root, group=group, membership=member)
    elif act == "remove":
        member = queries.get_membership(request.POST.get("user_id"))
        operations.remove_from_group(actor=actor, root=root, group=group, membership=member)
    else:
        raise Invalid("There is no such action here.")
    return go(request, f"{here}?group={group.pk}")


@page("access/principals.html", methods=["GET", "POST"])
def principals(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """Accounts for programs."""
    actor = request.actor  # type: ignore[attr-defined]
    here = page_url(request, "admin:principals")
    if request.method == "POST":
        if request.POST.get("act") == "create":
            name = request.POST.get("name", "").strip()
            operations.create_service_principal(actor=actor, root=root_resource(), name=name)
            return go(request, here, say=f"{name} made; give it a token under Tokens")
        member = queries.get_membership(request.POST.get("user_id"))
        act = operations.reinstate_member if member.suspended_at else operations.suspend_member
        act(actor=actor, root=root_resource(), membership=member)
        return go(request, here)
    rows = page_of(
        queries.list_members(kind="service"), order=("created_at", "id"), token=request.GET.get("page_token")
    )
    users = [row.user for row in rows.items]
    found, tokens = queries.groups_of(users), queries.tokens_of(users)
    for row in rows.items:
        row.groups, row.token_count = found.get(row.user_id, []), tokens.get(row.user_id, 0)
    return _admin(request, "Service principals", page=rows)


@page("access/tokens.html", methods=["GET", "POST"])
def tokens(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """One's own tokens, everybody's for an admin; a new one is shown once."""
    actor = request.actor  # type: ignore[attr-defined]
    if request.method == "POST":
        if request.POST.get("act") == "revoke":
            token = operations.revoke_token(actor=actor, token=queries.get_token(actor, request.POST.get("token_id")))
            return go(request, page_url(request, "admin:tokens"), say=f"Token {token.name} no longer works")
        return _new_token(request)
    context = _admin(request, "Tokens")
    everybody = context["manages"] and request.GET.get("whose") != "mine"
    found = queries.list_all_tokens(actor) if everybody else queries.list_tokens(actor)
    rows = page_of(found, order=("-created_at", "-id"), token=request.GET.get("page_token"))
    owners = [(str(actor.user_id), f"{actor.label} (you)")]
    if context["manages"]:
        owners += [(str(m.user_id), m.user.label) for m in queries.list_members(kind="service")[:200]]
    rooms = sorted({name.split(".")[0] for name in all_operations})
    return {
        **context,
        "page": rows,
        "everybody": everybody,
        "owners": owners,
        "rooms": rooms,
        "days": UNTIL,
        "now": now(),
    }


def _new_token(request: HttpRequest) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    owner = queries.get_membership(request.POST.get("user_id") or actor.user_id)
    scopes = request.POST.getlist("scopes")
    token, raw = operations.create_token(
        actor=actor,
        membership=owner,
        name=request.POST.get("name", "").strip(),
        expires_at=_until(request),
        scopes=["all"] if not scopes or "all" in scopes else scopes,
    )
    url = settings.BOATHOUSE_URL
    shown = {
        "CLI": f"export MLFLOW_TRACKING_URI={url}\nexport MLFLOW_TRACKING_TOKEN={raw[:8]}…",
        "Python": f'import mlflow\n\nmlflow.set_tracking_uri("{url}")  # the token from MLFLOW_TRACKING_TOKEN',
        "curl": f'curl -H "Authorization: Bearer {raw[:8]}…" {url}/api/v1/whoami',
    }
    context = {"token": token, "raw": raw, "owner": owner.user, "cli": shown, "back": page_url(request, "admin:tokens")}
    return _answer(request, "access/_new_token.html", context)


def _until(request: HttpRequest) -> datetime.datetime | None:
    days = request.POST.get("days", "")
    if days and not (days.isdecimal() and 0 < int(days) <= 3660):
        raise Invalid(fields={"days": "Give a number of days."})
    return now() + datetime.timedelta(days=int(days)) if days else None


@page("access/audit.html")
def audit(request: HttpRequest) -> dict[str, Any]:
    """What was done and what was refused, newest first."""
    wanted = parse_filter(request, ["actor", "action", "outcome", "object"])
    action = (wanted.get("action") or wanted.words).rstrip("*")
    found = queries.list_audit(
        request.actor,  # type: ignore[attr-defined]
        verb=action,
        outcome=wanted.get("outcome"),
        actor_label=wanted.get("actor"),
        thing=wanted.get("object"),
    )
    rows = page_of(found, order=("-id",), token=request.GET.get("page_token"))
    return _admin(request, "Audit log", page=rows, filter=wanted)


@page("access/_share.html", methods=["GET", "POST"], fragments={"share-body": "access/_share_body.html"})
def share(request: HttpRequest, resource_id: str) -> dict[str, Any] | HttpResponse:
    """The Share dialog of any resource: who, level, through what, until when; check somebody."""
    actor = request.actor  # type: ignore[attr-defined]
    resource = fetch(Resource, resource_id, actor=actor)
    if request.method == "POST":
        _change_grant(request, resource)
    level = level_of(actor, resource) or Level.VIEW
    return {
        "resource": resource,
        "kind": get_kind(resource.kind),
        "level": level,
        "manages": level >= Level.MANAGE,
        "rows": grants.list_grants(resource),
        "levels": LEVELS,
        "until": UNTIL,
        "sentences": [(level.word, sentence) for level, sentence in SENTENCES.items()],
        "names": queries.list_grantee_names() if level >= Level.MANAGE else [],
        "here": page_url(request, "access:share", resource_id=resource.pk),
        "code": {
            "curl": f"curl -X POST $BOATHOUSE_URL/api/v1/resources/{resource.pk}/share \\\n"
            '  -H "Authorization: Bearer $BOATHOUSE_TOKEN" -H "Content-Type: application/json" \\\n'
            '  -d \'{"grantee_kind": "group", "grantee_id": "…", "level": "view"}\''
        },
        "now": now(),
    }


def _change_grant(request: HttpRequest, resource: Resource) -> None:
    actor, act = request.actor, request.POST.get("act")  # type: ignore[attr-defined]
    if act == "add":
        try:
            grantee = queries.find_grantee(request.POST.get("who", "").strip())
        except NotFound:
            raise Invalid(fields={"who": "No member, group or service principal is called so."}) from None
        operations.share(
            actor=actor, resource=resource, grantee=grantee, level=_level(request), expires_at=_until(request)
        )
        return
    grantee = queries.get_grantee(request.POST.get("kind", ""), request.POST.get("grantee_id"))
    if act == "remove":
        operations.unshare(actor=actor, resource=resource, grantee=grantee)
        return
    kept = [row for row in grants.list_grants(resource) if row.grantee_id == str(grantee.pk) and not row.inherited]
    expires = next((row.expires_at for row in kept if not row.owner), None)
    operations.share(actor=actor, resource=resource, grantee=grantee, level=_level(request), expires_at=expires)


def _level(request: HttpRequest) -> Level:
    try:
        return Level.parse(request.POST.get("level", ""))
    except KeyError:
        raise Invalid(fields={"level": "Choose one of the levels."}) from None


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


@page("access/account.html", methods=["GET", "POST"])
def account(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """One's own account: the password."""
    actor = request.actor  # type: ignore[attr-defined]
    if request.method == "POST":
        old, new = request.POST.get("old", ""), request.POST.get("password", "")
        operations.change_password(actor=actor, membership=queries.own_membership(actor), old=old, new=new)
        return go(request, "/login", say="Your password is set; sign in with it")
    return {"page_title": "Your account", "has_password": actor.user.has_usable_password()}


@page("access/_workspaces.html")
def workspaces(request: HttpRequest) -> dict[str, Any]:
    """The workspaces that one may enter."""
    return {"workspaces": memberships_of(request.actor.user)}  # type: ignore[attr-defined]
