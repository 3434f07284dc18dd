"""Pages before the wall: landing, sign-in, sign-out, one-time links, set-up of the first admin."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user
from django.contrib.auth import logout as end_session
from django.http import HttpRequest, HttpResponse

from apps.access import signin
from apps.access.workspaces import memberships_of
from apps.foundation.errors import Invalid
from apps.foundation.pages import go, page, safe_next


@page("access/nowhere.html", anonymous=True)
def landing(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """The person's workspace, or the way in."""
    person = get_user(request)
    if not person.is_authenticated:
        return go(request, "/setup" if signin.needs_setup() else "/login")
    workspaces = memberships_of(person)  # type: ignore[arg-type]
    last = request.COOKIES.get("workspace", "")
    chosen = next(
        (workspace for workspace in workspaces if workspace.name == last), workspaces[0] if workspaces else None
    )
    return go(request, f"/w/{chosen.name}/") if chosen else {"page_title": "No workspace", "label": person}


@page("access/login.html", methods=["GET", "POST"], anonymous=True)
def login(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """Sign in with e-mail address and password."""
    if request.method == "POST":
        try:
            user = signin.sign_in(
                request, email=request.POST.get("email", ""), password=request.POST.get("password", "")
            )
        except Invalid as error:
            # Beside the second field, for either may be the wrong one.
            raise Invalid(error.message, fields={"password": error.message}) from None
        return go(request, safe_next(request, f"/w/{memberships_of(user)[0].name}/"))
    if signin.needs_setup():
        return go(request, "/setup")
    return {"page_title": "Sign in", "next": safe_next(request, "")}


@page("access/login.html", methods=["POST"], anonymous=True)
def logout(request: HttpRequest) -> HttpResponse:
    """End this browser's session."""
    end_session(request)
    return go(request, "/login", say="You are signed out")


@page("access/login.html", anonymous=True)
def link(request: HttpRequest, raw: str) -> HttpResponse:
    """Use a one-time link up: it signs its person in."""
    return go(request, f"/w/{signin.sign_in_by_link(request, raw).name}/")


@page("access/forgotten.html", methods=["GET", "POST"], anonymous=True)
def forgotten(request: HttpRequest) -> dict[str, Any]:
    """Ask for a link to set a new password; the answer says nothing about who is here."""
    email = request.POST.get("email", "").strip()
    if request.method == "POST":
        signin.ask_for_reset(request, email)
    return {"page_title": "New password", "sent_to": email}


@page("access/reset.html", methods=["GET", "POST"], anonymous=True)
def reset(request: HttpRequest, raw: str) -> dict[str, Any] | HttpResponse:
    """Set a new password by a link from one's mail."""
    if request.method == "POST":
        signin.reset_password(raw, request.POST.get("password", ""))
        return go(request, "/login", say="Your password is set; sign in with it")
    return {"page_title": "New password", "person": signin.find_reset_link(raw).user}


@page("access/setup.html", methods=["GET", "POST"], anonymous=True)
def setup(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """Make the first admin and workspace; possible once."""
    if not signin.needs_setup():
        return go(request, "/login")
    if request.method == "POST":
        names = ("code", "email", "password", "workspace", "name", "title")
        try:
            workspace = signin.set_up(request, **{name: request.POST.get(name, "").strip() for name in names})
        except Invalid as error:
            fields = {"workspace" if name == "name" else name: sentence for name, sentence in error.fields.items()}
            raise Invalid(error.message, fields=fields) from None
        return go(request, f"/w/{workspace.name}/")
    return {"page_title": "Set up"}
