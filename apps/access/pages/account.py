"""Pages about oneself: the account, the workspaces one may enter."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.access import operations, queries
from apps.access.workspaces import memberships_of
from apps.foundation.pages import go, page


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
