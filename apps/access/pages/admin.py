"""Pages of the workspace's admin: members, groups, service principals, tokens, the audit log."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from apps.access import operations, queries
from apps.access.levels import Level
from apps.access.operation import operations as all_operations
from apps.access.pages.choices import UNTIL, chosen_end
from apps.access.policy import level_of
from apps.access.resources import root_resource
from apps.foundation.clock import now
from apps.foundation.errors import Invalid, NotFound
from apps.foundation.pages import Tab, go, page, page_url, parse_filter, render
from apps.foundation.paging import page as page_of


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
        return render(request, "access/_link.html", {"member": member, "link": settings.BOATHOUSE_URL + path})
    if act in ("suspend", "reinstate"):
        change = operations.suspend_member if act == "suspend" else operations.reinstate_member
        change(actor=actor, root=root, membership=member)
        return go(request, here, say=f"{member.user.label} is {'shut out' if act == 'suspend' else 'back in'}")
    if act == "remove":
        operations.remove_member(actor=actor, root=root, membership=member)
        return go(request, here, say=f"{member.user.label} is no longer a member")
    raise Invalid("There is no such action here.")


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
        expires_at=chosen_end(request),
        scopes=["all"] if not scopes or "all" in scopes else scopes,
    )
    url = settings.BOATHOUSE_URL
    shown = {
        "CLI": f"export MLFLOW_TRACKING_URI={url}\nexport MLFLOW_TRACKING_TOKEN={raw[:8]}…",
        "Python": f'import mlflow\n\nmlflow.set_tracking_uri("{url}")  # the token from MLFLOW_TRACKING_TOKEN',
        "curl": f'curl -H "Authorization: Bearer {raw[:8]}…" {url}/api/v1/whoami',
    }
    context = {"token": token, "raw": raw, "owner": owner.user, "cli": shown, "back": page_url(request, "admin:tokens")}
    return render(request, "access/_new_token.html", context)


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
