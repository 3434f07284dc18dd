"""Pages about oneself: the account, the workspaces one may enter."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.access import operations, queries
from apps.access.sessions import browser_of, number_of
from apps.access.workspaces import memberships_of
from apps.foundation.pages import go, page, page_url


@page("access/account.html", methods=["GET", "POST"])
def account(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """One's own account: name, password, the browsers in which one is signed in."""
    actor = request.actor  # type: ignore[attr-defined]
    if request.method == "POST":
        return _change_account(request)
    rows = queries.list_sessions(actor)
    current = request.session.session_key
    browsers = [(number_of(row), browser_of(row), row, row.session_key == current) for row in rows]
    return {"page_title": "Your account", "has_password": actor.user.has_usable_password(), "browsers": browsers}


def _change_account(request: HttpRequest) -> HttpResponse:
    actor, act = request.actor, request.POST.get("act", "password")  # type: ignore[attr-defined]
    own, here = queries.own_membership(actor), page_url(request, "access:account")
    if act == "name":
        operations.change_name(actor=actor, membership=own, name=request.POST.get("name", ""))
        return go(request, here, say="Your name is changed")
    if act == "end":
        operations.end_session(actor=actor, membership=own, number=request.POST.get("number", ""))
        return go(request, here, say="That browser is signed out")
    old, new = request.POST.get("old", ""), request.POST.get("password", "")
    operations.change_password(actor=actor, membership=own, old=old, new=new)
    return go(request, "/login", say="Your password is set; sign in with it")


@page("access/_workspaces.html")
def workspaces(request: HttpRequest) -> dict[str, Any]:
    """The workspaces that one may enter."""
    return {"workspaces": memberships_of(request.actor.user)}  # type: ignore[attr-defined]
