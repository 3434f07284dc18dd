"""Pages of the workspace's admin: members, groups, service principals, tokens, audit, grants of a past day, usage, the workspace."""

from __future__ import annotations

import datetime
import re
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from apps.access import operations, queries
from apps.access.changes import describe_change
from apps.access.export import csv_answer
from apps.access.levels import Level
from apps.access.models import AuditEntry, GrantPeriod, Membership, Resource
from apps.access.operation import operations as all_operations
from apps.access.pages import share_url
from apps.access.pages.choices import LEVELS, UNTIL, chosen_end, chosen_level
from apps.access.policy import authorise, level_of
from apps.access.resources import root_resource
from apps.foundation.clock import now
from apps.foundation.errors import Invalid, NotFound
from apps.foundation.pages import Filter, Tab, go, page, page_url, panels, parse_filter, render
from apps.foundation.paging import page as page_of

MANAGERS_SECTIONS = [
    ("Audit log", "admin:audit"),
    ("Access as of", "admin:as_of"),
    ("Usage", "admin:usage"),
    ("Workspace", "admin:workspace"),
]
# The saved views of the audit log: title, filter tokens.
AUDIT_VIEWS: list[tuple[str, str, int | None]] = [
    ("Everything", "", None),
    ("Access changes", "action:access.", None),
    ("Refused", "outcome:refused", None),
    ("Models", "action:registry.", None),
    ("Deployments", "action:deployments.", None),
]
EXPORT_ROWS = 100_000
_AGE = re.compile(r"(\d{1,4})([hdw])")
_UNITS = {"h": 1, "d": 24, "w": 168}


def _admin(request: HttpRequest, title: str, **more: Any) -> dict[str, Any]:
    """What all sections of Admin share."""
    root = root_resource()
    manages = (level_of(request.actor, root) or 0) >= Level.MANAGE  # type: ignore[attr-defined]
    sections = [
        ("Members", "admin:members"),
        ("Groups", "admin:groups"),
        ("Service principals", "admin:principals"),
        ("Tokens", "admin:tokens"),
        *(MANAGERS_SECTIONS if manages else []),
    ]
    counts = queries.count_admin()
    tabs = [Tab(label, page_url(request, name), counts.get(label), label == title) for label, name in sections]
    return {"page_title": title, "tabs": tabs, "manages": manages, "root": root, **more}


@page("access/members.html", methods=["GET", "POST"])
def members(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """Who belongs to the workspace; an admin takes people in, shuts them out, sends them a link."""
    if request.method == "POST":
        return _change_member(request)
    wanted = parse_filter(request, ["state", "group", "role", "last"])
    shown = queries.find_members(
        text=wanted.words,
        state=wanted.get("state"),
        group="admins" if wanted.get("role") == "admin" else wanted.get("group"),
        kind="person",
        unseen_for=_age(wanted, "last"),
    )
    if request.GET.get("format") == "csv":
        return csv_answer(
            "members",
            ["email", "name", "since", "last seen", "suspended"],
            (_member_line(row) for row in shown[:EXPORT_ROWS]),
        )
    rows = page_of(shown, order=("created_at", "id"), token=request.GET.get("page_token"))
    users = [row.user for row in rows.items]
    groups, tokens = queries.groups_of(users), queries.tokens_of(users)
    for row in rows.items:
        row.groups, row.token_count = groups.get(row.user_id, []), tokens.get(row.user_id, 0)
    counts = queries.count_members()
    views = [("Everybody", "", None), *((state.title(), f"state:{state}", count) for state, count in counts.items())]
    return _admin(request, "Members", page=rows, filter=wanted, views=views)


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
def audit(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """What was done and what was refused, newest first; as a table or as CSV."""
    wanted = parse_filter(request, ["actor", "action", "outcome", "object", "when", "until"])
    age = _age(wanted, "when")
    found = queries.list_audit(
        request.actor,  # type: ignore[attr-defined]
        verb=(wanted.get("action") or wanted.words).rstrip("*"),
        outcome=wanted.get("outcome"),
        actor_label=wanted.get("actor"),
        thing=wanted.get("object"),
        since=now() - age if age else None,
        until=_day(wanted.get("until")),
    )
    if request.GET.get("format") == "csv":
        heads = ["at", "actor", "action", "outcome", "object", "change", "comment", "in", "request"]
        newest = found.order_by("-id")[:EXPORT_ROWS]
        return csv_answer("audit", heads, (_audit_line(entry) for entry in newest.iterator(chunk_size=2000)))
    rows = page_of(found, order=("-id",), token=request.GET.get("page_token"))
    return _admin(request, "Audit log", page=rows, filter=wanted, views=AUDIT_VIEWS, rows_most=EXPORT_ROWS)


def _audit_line(entry: AuditEntry) -> list[Any]:
    return [
        entry.at.isoformat(),
        entry.actor_label,
        entry.verb,
        entry.outcome,
        entry.thing_label,
        describe_change(entry),
        entry.comment,
        entry.activity,
        entry.request_id,
    ]


def _member_line(row: Membership) -> list[Any]:
    return [
        row.user.email,
        row.user.name,
        *(moment and moment.isoformat() for moment in (row.created_at, row.seen_at, row.suspended_at)),
    ]


def _age(wanted: Filter, name: str) -> datetime.timedelta | None:
    """The length of time in a token such as `when:7d` or `last:>30d`."""
    token = next((token for token in wanted.tokens if token.name == name), None)
    parts = _AGE.fullmatch(token.value) if token else None
    return datetime.timedelta(hours=int(parts[1]) * _UNITS[parts[2]]) if parts else None


def _day(text: str) -> datetime.datetime | None:
    """A day or moment as it is typed, in UTC. Raises Invalid."""
    if not text:
        return None
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise Invalid("Write a day as 2026-11-24, or a moment as 2026-11-24T09:30.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


@page("access/as_of.html")
def as_of(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """Who held which grant on a past day; from rows that are closed and never overwritten."""
    moment = _day(request.GET.get("at", "")) or now()
    grantee = request.GET.get("who", "").strip()
    found = queries.list_grants_as_of(request.actor, moment, grantee=grantee)  # type: ignore[attr-defined]
    if request.GET.get("format") == "csv":
        periods = list(found.order_by("grantee_label", "pk")[:EXPORT_ROWS])
        named = queries.name_resources({period.resource_id for period in periods})
        lines = (
            [p.grantee_kind, p.grantee_label, Level(p.level).word, _path(named, p), p.valid_from.isoformat()]
            for p in periods
        )
        return csv_answer("access", ["kind", "who", "level", "on", "since"], lines)
    rows = page_of(found, order=("grantee_label", "pk"), token=request.GET.get("page_token"))
    named = queries.name_resources({period.resource_id for period in rows.items})
    for period in rows.items:
        period.resource = named.get(period.resource_id)
    names = queries.list_grantee_names()
    return _admin(request, "Access as of", page=rows, at=moment, who=grantee, names=names)


def _path(named: dict[Any, Resource], period: GrantPeriod) -> str:
    return named[period.resource_id].path if period.resource_id in named else str(period.resource_id)


@page("access/usage.html")
def usage(request: HttpRequest) -> dict[str, Any]:
    """What the workspace takes: storage by kind and by resource, and what rooms say about queues, workers and guests."""
    actor = request.actor  # type: ignore[attr-defined]
    rows = page_of(queries.list_storage(actor), order=("-bytes", "pk"), token=request.GET.get("page_token"))
    return _admin(
        request,
        "Usage",
        page=rows,
        totals=queries.total_storage(actor),
        pieces=panels(request, "admin.usage"),
    )


@page("access/workspace.html", methods=["GET", "POST"])
def workspace(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """The workspace's title, and what everyone in it may do without a grant of their own."""
    actor, root = request.actor, root_resource()  # type: ignore[attr-defined]
    if request.method == "POST":
        if "level" in request.POST:
            level = chosen_level(request) if request.POST["level"] else None
            operations.set_default_level(actor=actor, root=root, level=level)
        else:
            operations.title_workspace(actor=actor, root=root, title=request.POST.get("title", "").strip())
        return go(request, page_url(request, "admin:workspace"), say="The workspace is changed")
    authorise(actor, Level.MANAGE, root)
    default = queries.default_level()
    return _admin(
        request,
        "Workspace",
        default=default.word if default else "",
        levels=[("", "Nothing: private by default"), *LEVELS[:2]],
        workspace=actor.workspace,
        share=share_url(request, root),
    )
