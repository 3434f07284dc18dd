"""The pages of access as people use them: sign in, set up, members, groups, tokens shown once, sharing, audit, trash."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from apps.access import operations, workspaces
from apps.access.levels import Level
from apps.access.models import Resource, Token, User
from apps.access.resources import root_resource
from apps.access.signin import setup_code
from tests.builders import World, a_folder, a_person

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


def browser(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text_of(response: Any) -> str:
    return response.content.decode()


@pytest.fixture
def ada(world: World) -> Client:
    return browser(world.admin.user)


def test_sign_in_says_nothing_about_which_half_is_wrong(world: World) -> None:
    workspaces.set_password(world.admin.user, "a long enough one")
    world.admin.user.save()
    client = Client()
    assert client.get("/w/ours/").headers["Location"] == "/login?next=/w/ours/"
    for email in ("ada@example.com", "nobody@example.com"):
        answer = client.post("/login", {"email": email, "password": "wrong"})
        assert answer.status_code == 422 and "do not go together" in text_of(answer)
    answer = client.post("/login", {"email": "ADA@example.com", "password": "a long enough one"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/w/ours/")
    assert client.get("/").headers["Location"] == "/w/ours/"
    assert client.post("/logout").headers["Location"] == "/login"
    assert client.get("/w/ours/").status_code == 302


@pytest.mark.parametrize(
    "place", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/a\nb"]
)
def test_sign_in_leads_nowhere_else(world: World, place: str) -> None:
    workspaces.set_password(world.admin.user, "a long enough one")
    world.admin.user.save()
    form = {"email": "ada@example.com", "password": "a long enough one", "next": place}
    assert Client().post("/login", form).headers["Location"] == "/w/ours/"


def test_guessing_is_slowed_down(world: World) -> None:
    client = Client()
    codes = [client.post("/login", {"email": "ada@example.com", "password": "x"}).status_code for _ in range(9)]
    assert codes[-1] == 429 and codes[0] == 422


def test_first_run_set_up_is_possible_once(db: None, settings: Any, tmp_path: Any) -> None:
    settings.BOATHOUSE_HOME = tmp_path
    client = Client()
    assert client.get("/").headers["Location"] == "/setup"
    form = {
        "email": "first@example.com",
        "password": "a long enough one",
        "workspace": "harbour",
        "title": "Hudson Air",
    }
    assert client.post("/setup", {**form, "code": "wrong"}).status_code == 422
    bad = client.post("/setup", {**form, "code": setup_code(), "workspace": "No Good!"})
    assert bad.status_code == 422 and "f-workspace-err" in text_of(bad) and not User.objects.exists()
    answer = client.post("/setup", {**form, "code": setup_code()})
    assert answer.headers["Location"] == "/w/harbour/"
    assert "Welcome to harbour" in text_of(client.get("/w/harbour/"))
    assert Client().get("/setup").headers["Location"] == "/login"


def test_members_come_and_go(world: World, ada: Client) -> None:
    assert ada.post("/w/ours/admin/members", {"act": "add", "email": "not an address"}).status_code == 422
    ada.post("/w/ours/admin/members", {"act": "add", "email": "kofi@example.com"})
    kofi = User.objects.get(email="kofi@example.com")
    shown = text_of(ada.get("/w/ours/admin/members"))
    assert "kofi@example.com" in shown and "not signed in yet" in shown
    link = ada.post("/w/ours/admin/members", {"act": "link", "user_id": kofi.pk}, headers=HTMX)
    path = re.search(r"(/link/[\w-]+)", text_of(link))[1]  # type: ignore[index]
    guest = Client()
    assert guest.get(path).headers["Location"] == "/w/ours/"
    assert guest.get("/w/ours/").status_code == 200 and Client().get(path).status_code == 404
    again = ada.post("/w/ours/admin/members", {"act": "link", "user_id": kofi.pk})
    assert again.status_code == 409, "whoever signed in once is not signed in by others"
    ada.post("/w/ours/admin/members", {"act": "suspend", "user_id": kofi.pk})
    assert guest.get("/w/ours/").status_code == 404
    last = ada.post("/w/ours/admin/members", {"act": "suspend", "user_id": world.admin.user_id})
    assert last.status_code == 409 and "last admin" in text_of(last)


def test_only_admins_change_members(world: World) -> None:
    mia = browser(a_person(world, "mia@example.com").user)
    shown = text_of(mia.get("/w/ours/admin/members"))
    assert "ada@example.com" in shown and "Invite people" not in shown and "Audit log" not in shown
    assert mia.post("/w/ours/admin/members", {"act": "add", "email": "x@example.com"}).status_code == 404
    assert mia.get("/w/ours/admin/audit").status_code == 404
    assert not User.objects.filter(email="x@example.com").exists()


def test_a_token_is_shown_once(world: World, ada: Client) -> None:
    answer = ada.post(
        "/w/ours/admin/tokens", {"act": "create", "name": "laptop", "days": "90", "scopes": "read"}, headers=HTMX
    )
    raw = re.search(r'value="(bh_[\w-]+)"', text_of(answer))[1]  # type: ignore[index]
    token = Token.objects.get(name="laptop")
    assert token.scopes == ["read"] and token.expires_at is not None
    assert Client().get("/api/v1/whoami", headers={"Authorization": f"Bearer {raw}"}).status_code == 200
    assert raw not in text_of(ada.get("/w/ours/admin/tokens")) and raw[:8] in text_of(ada.get("/w/ours/admin/tokens"))
    ada.post("/w/ours/admin/tokens", {"act": "revoke", "token_id": token.pk})
    assert Client().get("/api/v1/whoami", headers={"Authorization": f"Bearer {raw}"}).status_code == 401


def test_sharing_names_the_way_and_can_be_undone(world: World, ada: Client) -> None:
    outer = a_folder(world.admin, "flight-delays")
    inner = a_folder(world.admin, "notebooks", parent=outer)
    mia = a_person(world, "mia@example.com", level=Level.VIEW, on=outer)
    page = f"/w/ours/share/{inner.pk}"
    shown = text_of(ada.get(page, headers=HTMX))
    assert "/flight-delays</b>" in shown and "mia@example.com" in shown
    unknown = ada.post(page, {"act": "add", "who": "nobody", "level": "edit"}, headers=HTMX)
    assert unknown.status_code == 422 and "is called so" in text_of(unknown)
    ada.post(page, {"act": "add", "who": "mia@example.com", "level": "edit", "days": "30"}, headers=HTMX)
    assert browser(mia.user).post(f"/w/ours/folders/{inner.pk}", {"name": "mine"}).status_code == 303
    why = text_of(ada.get(f"{page}/check?who=mia@example.com", headers=HTMX))
    assert "can edit" in why and "notebooks" in why
    form = {"act": "remove", "kind": "person", "grantee_id": mia.user_id}
    assert ada.post(page, form, headers=HTMX).status_code == 200
    assert browser(mia.user).post(f"/w/ours/folders/{inner.pk}", {"name": "more"}).status_code == 403
    assert browser(mia.user).post(page, {"act": "add", "who": "mia@example.com", "level": "manage"}).status_code == 403
    assert browser(mia.user).get(f"{page}/check?who=ada@example.com").status_code == 403


def test_what_is_not_shared_looks_absent(world: World, ada: Client) -> None:
    hidden = a_folder(world.admin, "hidden")
    mia = browser(a_person(world, "mia@example.com").user)
    absent = "00000000-0000-7000-8000-000000000000"
    answers = [mia.get(f"/w/ours/folders/{pk}") for pk in (hidden.pk, absent)]
    assert [a.status_code for a in answers] == [404, 404]
    plain = [
        re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{16}|csrf-token\" content=\"\w+", "", text_of(a)) for a in answers
    ]
    plain = [re.sub(r'value="\w{64}"', "", text) for text in plain]
    assert plain[0] == plain[1] and "hidden" not in text_of(mia.get("/w/ours/search?q=hid"))
    assert "hidden" in text_of(ada.get("/w/ours/search?q=hid"))


def test_audit_shows_what_was_done_and_refused(world: World, ada: Client) -> None:
    plans = a_folder(world.admin, "plans")
    mia = a_person(world, "mia@example.com", level=Level.VIEW, on=plans)
    assert browser(mia.user).post(f"/w/ours/trash/{plans.pk}").status_code == 403
    everything = text_of(ada.get("/w/ours/admin/audit"))
    assert "access.create_folder" in everything and "refused" in everything
    refused = text_of(ada.get("/w/ours/admin/audit?f=outcome:refused"))
    assert "mia" in refused and "access.create_folder" not in refused


def test_trash_and_back(world: World, ada: Client) -> None:
    plans = a_folder(world.admin, "plans")
    ada.post(f"/w/ours/trash/{plans.pk}")
    assert "/plans" in text_of(ada.get("/w/ours/trash"))
    ada.post("/w/ours/trash", {"resource_id": plans.pk})
    assert Resource.objects.get(pk=plans.pk).deleted_at is None


def test_a_person_sets_their_own_password(world: World) -> None:
    mia = a_person(world, "mia@example.com")
    client = browser(mia.user)
    short = client.post("/w/ours/account", {"password": "short"})
    assert short.status_code == 422 and "f-password-err" in text_of(short)
    assert client.post("/w/ours/account", {"password": "quite a long one"}).headers["Location"] == "/login"
    assert client.get("/w/ours/").status_code == 302, "other sessions end with the old password"
    again = browser(User.objects.get(pk=mia.user_id))
    assert again.post("/w/ours/account", {"old": "wrong", "password": "quite another one"}).status_code == 422


def test_pages_hold_no_markup_of_members(world: World, ada: Client) -> None:
    nasty = "<script>alert(1)</script>\"'"
    folder = operations.create_folder(actor=world.admin, parent=root_resource(), name=nasty.replace("/", ""))
    for path in (
        "/w/ours/folders",
        f"/w/ours/folders/{folder.pk}",
        f"/w/ours/share/{folder.pk}",
        "/w/ours/search?q=script",
    ):
        assert "<script>alert" not in text_of(ada.get(path)), path


@pytest.mark.parametrize(
    "route", ["/login", "/w/ours/experiments", "/w/ours/repos", "/w/ours/tables", "/w/ours/endpoints"]
)
def test_a_nul_in_a_form_is_refused_beside_its_field(world: World, ada: Client, route: str) -> None:
    names = ("email", "name", "description", "catalog", "model", "folder", "act")
    for value in ("\0", "a\0b"):
        assert ada.post(route, dict.fromkeys(names, value)).status_code == 422
    folder = a_folder(world.admin)
    answer = ada.post(f"/w/ours/describe/{folder.pk}", {"description": "a\0b", "labels": ""})
    assert answer.status_code == 422 and b"NUL character" in answer.content
    assert ada.post(f"/w/ours/describe/{folder.pk}", {"description": "fine", "labels": ""}).status_code in (200, 303)
